"""What is fuzzed: each target takes bytes, and raises Finding where a promise is broken.

envelope    any message to a service that answers everybody: an answer or a Fault of its SOAP version, never a failure of ours, and nothing
            done that a second validator does not admit
security    messages with a signature or a digest to a service that asks for one: what is done is what was sent by who signed it
codec       a valid document decoded and encoded again is the same document
settings    bridge.toml: settings or SettingsError
wsdl        a contract: it loads, or ContractError
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import xmlschema
from lxml import etree

from bridge import contract as contracts
from bridge.access.development import Authority
from bridge.access.gatekeeper import Doorkeeper
from bridge.access.logins import Logins
from bridge.access.security_header import SecurityHeaders
from bridge.app import Bridge
from bridge.contract.example import example
from bridge.errors import BridgeError, ContractError, DecodeError, InvalidMessage, Refusal, SettingsError
from bridge.host.wsgi import HostedService
from bridge.inbound import Inbound
from bridge.settings import Caller, Role, Settings, Wss, load
from bridge.soap.envelope import NAMESPACES, seal
from bridge.soap.media import Version
from bridge.soap.security import WSSE, timestamp, username
from bridge.soap.security.signing import BODY, TIMESTAMP, Signer, sign
from bridge.soap.xml import parse
from bridge.store.nonces import Nonces

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "wsdl/erp/purchasing-1.wsdl"
SAMPLES = ROOT / "samples/purchasing"
CONTRACTS = ROOT / "tests/contracts"
SCHEMA = ROOT / "xsd/erp/purchasing-1.xsd"
PASSWORD = "correct horse battery staple"
SLOW = 5.0
"""Seconds of CPU after which a message of a few kilobytes counts as a hang."""


class Finding(AssertionError):
    """A promise that was not kept; `body` is what broke it."""

    def __init__(self, what: str, body: bytes) -> None:
        super().__init__(what)
        self.body = body


@dataclass
class Target:
    """`try_one` returns what became of it, in a word."""

    name: str
    seeds: Sequence[bytes]
    try_one: Callable[[bytes], str]
    counts: dict[str, int] = field(default_factory=dict)


def every(folder: Path) -> list[Target]:
    """All targets; `folder` is for files that they write."""
    return [envelope(), security(folder), codec(), settings(folder), wsdl(folder)]


# -- messages


class Service:
    """The shipped purchasing contract, answered with samples; `done` are the payloads that reached a handler, `caller` who sent the last."""

    def __init__(self, settings: Settings | None = None, gatekeeper: Doorkeeper | None = None) -> None:
        self.done: list[etree._Element] = []
        self.caller: str | None = None
        bridge = Bridge(store=False)
        service = bridge.serve(CONTRACT)
        self.contract = service.contract
        for key, operation in service.contract.operations.items():
            service.operation(key)(self._handler(operation.output))
        self.hosted = HostedService(Inbound(service, settings or Settings(), None, gatekeeper=gatekeeper))
        self.second = xmlschema.XMLSchema(str(SCHEMA))

    def _handler(self, output: str | None) -> Callable[[Any, Any], Any]:
        answer = None
        if output is not None:
            answer = self.contract.codec.decode(
                output, etree.fromstring(example(self.contract.model, output))
            )

        def handler(request: Any, call: Any) -> Any:
            self.done.append(call.payload)
            self.caller = None if call.caller is None else call.caller.name
            return answer

        return handler

    def ask(self, body: bytes, content_type: str, **more: str) -> str:
        """The word for what became of it. Raises Finding."""
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/services/purchasing",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
            **more,
        }
        self.done.clear()
        started: list[str] = []
        begun = time.thread_time()
        answer = b"".join(self.hosted(environ, lambda status, headers: started.append(status)))
        if time.thread_time() - begun > SLOW:
            raise Finding(f"it took more than {SLOW} s of CPU", body)
        return self._judge(int(started[0][:3]), answer, body)

    def _judge(self, status: int, answer: bytes, body: bytes) -> str:
        envelope = etree.fromstring(answer)
        version = next((one for one, ns in NAMESPACES.items() if envelope.tag == f"{{{ns}}}Envelope"), None)
        if version is None:
            raise Finding(f"{status} without an envelope", body)
        fault = envelope.find(f"{{{NAMESPACES[version]}}}Body/{{{NAMESPACES[version]}}}Fault")
        if fault is None:
            if status != 200 or len(self.done) != 1:
                raise Finding(f"{status}, no Fault, and {len(self.done)} handled", body)
            return "done"
        code = fault.findtext("faultcode") or fault.findtext("{*}Code/{*}Value") or ""
        if code.rpartition(":")[2] in ("Server", "Receiver"):
            raise Finding(f"a failure of ours: {etree.tostring(fault)[:600]!r}", body)
        if self.done:
            raise Finding("a Fault, and it was handled", body)
        return "refused"


def _documents() -> list[bytes]:
    return [file.read_bytes() for file in sorted(SAMPLES.glob("*/*.xml"))]


def envelope() -> Target:
    service = Service()

    def try_one(body: bytes) -> str:
        what = service.ask(body, "application/soap+xml" if NAMESPACES["1.2"].encode() in body else "text/xml")
        for payload in service.done:
            _admitted(service.second, payload, body)
        return what

    return Target("envelope", _documents(), try_one)


def _admitted(schema: xmlschema.XMLSchema, payload: etree._Element, body: bytes) -> None:
    """By a validator that shares no line with the first. Comments between digits are not its affair."""
    copy = etree.fromstring(etree.tostring(payload, with_tail=False), etree.XMLParser(remove_comments=True))
    error = next(schema.iter_errors(copy), None)
    if error is not None:
        raise Finding(f"done, and a second validator says: {str(error.reason)[:300]}", body)


def security(folder: Path) -> Target:
    authority = Authority(folder / "certificates")
    files = [authority.client("signer"), authority.client("stranger")]
    signers = [Signer.of(file.with_suffix(".key").read_bytes(), file.read_bytes()) for file in files]
    settings = Settings(
        callers={
            "signer": Caller(roles=("all",), certificates=(files[0],), requires=("signature",)),
            "teller": Caller(roles=("all",)),
        },
        roles={"all": Role(operations=("*",))},
        wss=Wss(max_age=80_000.0),
    )
    doorkeeper = Doorkeeper(settings, None, headers=lambda logins: _headers(settings, logins))
    # Those of a store; what is fuzzed is what a digest is checked with, not where it was kept.
    doorkeeper.directory.wss_passwords = lambda name, *, anew=False: [PASSWORD] if name == "teller" else []  # type: ignore[method-assign]
    service = Service(settings, doorkeeper)
    seeds: list[bytes] = []
    sent: set[bytes] = set()
    payloads = [_payload(file.read_bytes()) for file in sorted(SAMPLES.glob("*/good-*.xml"))][:40]
    for number, payload in enumerate(payloads):
        version: Version = "1.1" if number % 2 else "1.2"
        stamp = timestamp.write(time.time(), 80_000, name="stamp")
        signed = sign(_sealed(version, payload, stamp), signers[0 if number % 4 else 1], (BODY, TIMESTAMP))
        token = username.write(
            "teller", PASSWORD, as_digest=True, nonce=b"nonce-of-16-oct%d" % (number % 10), now=time.time()
        )
        told = _sealed(version, payload, token)
        seeds += [signed, told]
        if number % 4:
            sent.add(_canonical(parse(signed)[0][-1][0]))

    def try_one(body: bytes) -> str:
        doorkeeper.logins._failures._counts.clear()  # every mutation is to be looked at
        what = service.ask(body, "application/soap+xml" if NAMESPACES["1.2"].encode() in body else "text/xml")
        for payload in service.done:
            _admitted(service.second, payload, body)
            if service.caller is None:
                raise Finding("done, and nobody said who they are", body)
            if service.caller == "signer" and _canonical(payload) not in sent:
                raise Finding("done, and nobody signed this", body)
        return what

    return Target("security", seeds, try_one)


class _AnyTimes:
    """Nonces that are taken as often as they come: a mutation is to be looked at, though its seed came before."""

    def use(self, nonce: bytes, until: float) -> bool:
        return True


def _headers(settings: Settings, logins: Logins) -> SecurityHeaders:
    return SecurityHeaders(settings, logins, cast("Nonces", _AnyTimes()))


def _payload(envelope: bytes) -> str:
    root = etree.fromstring(envelope)
    return etree.tostring(root.find("{*}Body")[0], with_tail=False).decode()  # type: ignore[index]


def _sealed(version: Version, payload: str, inside: str) -> bytes:
    return seal(version, payload, f'<w:Security xmlns:w="{WSSE}">{inside}</w:Security>')


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)


# -- what is no message


def codec() -> Target:
    loaded = contracts.load(CONTRACT)

    def try_one(body: bytes) -> str:
        try:
            root, source = parse(body)
        except Refusal:
            return "refused"
        payload = next(iter(root.iterfind("{*}Body/*")), root)
        name = str(payload.tag)
        if name not in {found.input for found in loaded.operations.values()}:
            return "refused"
        try:
            loaded.guard.check(name, payload, source=source)
            value = loaded.codec.decode(name, payload)
        except (InvalidMessage, DecodeError):
            return "refused"
        text = loaded.codec.encode(name, value)
        again = loaded.codec.decode(name, etree.fromstring(text))
        if loaded.codec.encode(name, again) != text:
            raise Finding("decoded and encoded twice it is another document", body)
        return "done"

    return Target("codec", _documents(), try_one)


def settings(folder: Path) -> Target:
    file = folder / "bridge.toml"
    whole = (ROOT / "bridge.toml").read_bytes()
    lively = b"\n".join(
        line[2:] if line.startswith(b"# ") and b" = " in line else line for line in whole.split(b"\n")
    )

    def try_one(body: bytes) -> str:
        file.write_bytes(body)
        try:
            load(file, environ={})
        except SettingsError as error:
            if not str(error):
                raise Finding("refused without a word", body) from None
            return "refused"
        return "done"

    return Target(
        "settings", [whole, lively, *(lively[at : at + 3000] for at in range(0, len(lively), 3000))], try_one
    )


def wsdl(folder: Path) -> Target:
    file = folder / "fuzzed-1.wsdl"
    seeds = [one.read_bytes() for one in sorted(CONTRACTS.glob("*.wsdl")) if one.stat().st_size < 20_000]

    def try_one(body: bytes) -> str:
        file.write_bytes(body)
        try:
            loaded = contracts.load(file)
            loaded.compile()
        except ContractError:
            return "refused"
        except BridgeError as error:
            raise Finding(f"{type(error).__name__}: {error}", body) from error
        return "done"

    return Target("wsdl", seeds, try_one)
