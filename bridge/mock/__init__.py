"""A partner that is not there: any contract, answered by samples, by a script, or as a test expects.

    with Mock("wsdl/erp/purchasing-1.wsdl") as erp:
        erp.expect("CreatePurchaseOrder").times_out().then_reply({...})
        ...                                    # call erp.url
        erp.verify()

`server` owns the socket, `service` decides and answers, `script` reads the TOML of `soapbridge mock --script`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import structlog

from bridge import contract as contracts
from bridge.contract import Contract
from bridge.host.http import HttpLimits, Request
from bridge.host.server import ServerOptions
from bridge.mock.expect import Expectation
from bridge.mock.pages import front_page, received_json
from bridge.mock.received import KEPT, Received, ReceivedList
from bridge.mock.script import read_script
from bridge.mock.server import Server
from bridge.mock.service import Listener, MockedService, Outcome
from bridge.mock.values import Values
from bridge.settings import Settings
from bridge.shipped import contracts as shipped_contracts

log = structlog.get_logger(__name__)

__all__ = ["Expectation", "Mock", "Received"]

_NO_SNIFF = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache")]
_PAGE_POLICY = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
)


class Mock:
    """A running partner made of a contract alone. Listens from `start` to `close`, or within a `with`.

    Args:
        wsdl: a file, the name of a shipped contract, or a Contract.
        script: rules in TOML (docs/mock.md); an expectation goes before any rule.
        seed: 0 answers every request with the fullest sample; another one varies the reply from request to request,
            the n-th of an operation always alike.
        host, port: where to listen; port 0 takes any free one.
        strict: `verify` fails for requests that no expectation asked for, too.
        keep: requests that `received` holds.
        settings: limits and the catalog of schemas.
        listener: called with each request, in the thread that answered it.

    Raises:
        ContractError: the WSDL cannot be read.
        SettingsError: the script has mistakes (all of them are told), or no operation can be answered.
    """

    def __init__(
        self,
        wsdl: str | os.PathLike[str] | Contract,
        *,
        script: str | os.PathLike[str] | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        strict: bool = False,
        keep: int = KEPT,
        settings: Settings | None = None,
        listener: Listener | None = None,
    ) -> None:
        settings = _own(settings or Settings())
        self.contract = wsdl if isinstance(wsdl, Contract) else _load(wsdl, settings)
        self._mocked = MockedService(self.contract, settings, seed=seed, keep=keep, listener=listener)
        if script is not None:
            self._mocked.rules = read_script(script, self.contract)
        self.strict = strict
        self._values = Values(self.contract)
        limits: HttpLimits = ServerOptions.of(settings).limits
        self._server = Server(self._answer, host=host, port=port, limits=limits)
        self._paths = {self._mocked.path}
        self._paths |= {path for port in self.contract.ports if (path := _path_of(port.address))}

    # Running

    def start(self) -> Self:
        """Listens. Raises SettingsError when the address is taken."""
        self._server.start()
        return self

    def close(self) -> None:
        """Cuts every connection and frees the port. May be called twice."""
        self._server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Where it is

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:40123`, where the page about it is."""
        host = self._server.host
        if host in ("", "0.0.0.0", "::"):  # noqa: S104 - an address to listen on is none to send to
            host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.port}"

    @property
    def url(self) -> str:
        """The endpoint to send requests to. The paths of the contract's own addresses answer as well."""
        return self.base_url + quote(self._mocked.path)

    @property
    def wsdl_url(self) -> str:
        """The contract, with this mock's address in it."""
        return f"{self.url}?wsdl"

    # What came

    @property
    def received(self) -> ReceivedList:
        """The newest requests, oldest first."""
        return self._mocked.received

    # What is expected

    def expect(self, operation: str) -> Expectation:
        """A request that has to come; what it gets is said by the calls that follow (a sample, else).

        Raises:
            OperationUnavailable: the contract has no such operation.
        """
        caller = sys._getframe(1)  # the line that a report names
        place = f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}"
        expectation = Expectation(self.contract.operation(operation), self._values, place)
        self._mocked.expectations.append(expectation)
        return expectation

    def report(self) -> str:
        """What was expected and did not happen; with `strict`, what happened and was not expected. "" when all is well."""
        received = self.received.now()
        parts = [text for one in self._mocked.expectations if (text := one.report(received))]
        if self.strict:
            parts += _unexpected(received)
        if not parts:
            return ""
        return f"The mock of {self.contract.name} was not called as expected.\n\n" + "\n\n".join(parts)

    def verify(self) -> None:
        """Raises AssertionError, with the report, when something is missing, too many or, if strict, unexpected."""
        report = self.report()
        if report:
            raise AssertionError(report)

    # Answering

    def _answer(self, request: Request) -> Outcome:
        try:
            return self._route(request)
        except Exception:
            log.exception("the mock failed on a request")
            text = [("Content-Type", "text/plain; charset=utf-8")]
            return Outcome(
                status=500, headers=text, body=b"Internal error of the mock; its log says which.\n"
            )

    def _route(self, request: Request) -> Outcome:
        path = unquote(urlsplit(request.url.decode("latin-1")).path).rstrip("/") or "/"
        if path in self._paths and request.method not in (b"GET", b"HEAD"):
            if request.method == b"POST":
                return self._mocked.answer(request)
            path = self._mocked.path
        if path == "/received" and request.method == b"DELETE":
            self.received.clear()
            return Outcome(status=204, headers=[], body=b"")
        if path in ("/", "/received") and request.method in (b"GET", b"HEAD"):
            return self._about(path, request)
        return self._by_the_host(request, self._mocked.path if path in self._paths else path)

    def _about(self, path: str, request: Request) -> Outcome:
        if path == "/received":
            json_type = ("Content-Type", "application/json; charset=utf-8")
            return Outcome(status=200, headers=[json_type, *_NO_SNIFF], body=received_json(self._mocked))
        base = self._mocked.root.addresses.base(request.environ() | {"wsgi.url_scheme": "http"})
        html = [("Content-Type", "text/html; charset=utf-8"), _PAGE_POLICY, *_NO_SNIFF]
        return Outcome(status=200, headers=html, body=front_page(self._mocked, base))

    def _by_the_host(self, request: Request, path: str) -> Outcome:
        """The contract, its page, and whatever nobody serves: as the real host answers."""
        environ: dict[str, Any] = {**request.environ(), "PATH_INFO": path}
        answered: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            answered.append((int(status[:3]), headers))

        body = b"".join(self._mocked.root(environ, start_response))
        ((status, headers),) = answered
        if request.method != b"HEAD":  # whose answer brings the length that GET would have
            headers = [pair for pair in headers if pair[0] != "Content-Length"]
        return Outcome(status=status, headers=headers, body=body)


def _load(wsdl: str | os.PathLike[str], settings: Settings) -> Contract:
    options = settings.contracts
    shipped = shipped_contracts()
    location = (
        shipped[wsdl] if isinstance(wsdl, str) and wsdl in shipped and not Path(wsdl).exists() else wsdl
    )
    return contracts.load(location, catalog=options.catalog or None, remote=options.remote)


def _own(settings: Settings) -> Settings:
    """What of a bridge's settings is about a mock, too: not its store, its TLS, its public address."""
    return Settings(
        contracts=settings.contracts,
        limits=settings.limits,
        server=replace(settings.server, public_url=""),
    )


def _path_of(address: str) -> str:
    """The path of one of the contract's own addresses; "" where it has none."""
    try:
        path = urlsplit(address).path.rstrip("/")
    except ValueError:
        return ""
    return path if path.startswith("/") and path != "/received" else ""


def _unexpected(received: Sequence[Received]) -> list[str]:
    found = [one for one in received if not one.expected]
    if not found:
        return []
    lines = [f"{len(found)} not expected at all:"]
    lines += [
        f"  #{one.number} {one.operation or 'an unknown operation'}: {one.refused or one.answered}"
        for one in found[:20]
    ]
    return ["\n".join(lines)]
