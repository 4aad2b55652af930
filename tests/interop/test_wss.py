"""WS-Security of other toolkits against our host over TLS: zeep's wsse, PHP by hand, Node's WSSecurity and WSSecurityCert."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import zeep
from zeep.exceptions import Fault
from zeep.wsse.username import UsernameToken

from bridge.settings import Data, Settings, Tls
from bridge.settings.security import Access, Caller, Role, Wss
from tests.acceptance.shipped_erp import ROOT
from tests.certificates import Pair, self_signed
from tests.integration.host.conftest import running
from tests.integration.host.test_wss import encrypted, know
from tests.interop.clients import CLIENTS, HERE

PASSWORD = "correct horse & <battery>"
PROGRAMS = {"php": ("php", "-d", "soap.wsdl_cache_enabled=0", str(HERE / "wss.php")), "node": ("node", str(HERE / "wss.js"))}  # fmt: skip
WAYS = [("php", "text"), ("php", "digest"), ("node", "text"), ("node", "digest"), ("node", "signature"), ("node", "both")]  # fmt: skip


@dataclass(frozen=True)
class Host:
    wsdl: str
    ca: Path
    caller: Pair
    ours: Pair


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("wss")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.pem").write_bytes(b"".join(one.bytes() for one in server.cert_chain_pems))
    caller, ours = (self_signed(folder, name, elliptic=False) for name in ("acme", "bridge"))
    settings = Settings(
        data=Data(folder=folder / "data"),
        at_rest=encrypted(folder),
        tls=Tls(certificate=folder / "server.pem", key=folder / "server.key"),
        access=Access(pages="everybody"),
        callers={
            "acme": Caller(roles=("all",), certificates=(caller.certificate,)),
            "far": Caller(roles=("all",), signed_replies=True),
        },
        roles={"all": Role(operations=("*",))},
        wss=Wss(certificate=ours.certificate, certificate_key=ours.key),
    )

    def prepare(bridge: Any) -> None:
        know(bridge, "acme", PASSWORD)
        know(bridge, "far", PASSWORD)

    with running(settings, store=True, prepare=prepare) as made:
        yield Host(f"https://localhost:{made.port}/services/desk?wsdl", folder / "ca.pem", caller, ours)


def ask(host: Host, client: str, how: str, soap: str, password: str = PASSWORD) -> dict[str, str]:
    """What the client was answered."""
    if why := next(one.missing() for one in CLIENTS if one.name == client):
        pytest.skip(why)
    told = {
        "wsdl": host.wsdl,
        "ca": str(host.ca),
        "soap": soap,
        "how": how,
        "name": "acme",
        "password": password,
        "certificate": str(host.caller.certificate),
        "key": str(host.caller.key),
    }
    done = subprocess.run(
        [*PROGRAMS[client], json.dumps(told)],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(host.ca), "NODE_PATH": str(ROOT / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, str] = json.loads(done.stdout)
    return answered


@pytest.mark.interop
@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize(("client", "how"), WAYS)
def test_a_client_of_another_language_gets_in(host: Host, client: str, how: str, soap: str) -> None:
    if how in ("signature", "both"):
        # Its Timestamp has whole seconds, so that two equal messages of one second have one signature: a replay.
        time.sleep(1.1)
    assert ask(host, client, how, soap) == {"reply": "hello"}


@pytest.mark.interop
@pytest.mark.parametrize("client", ["php", "node"])
def test_it_reads_why_it_does_not(host: Host, client: str) -> None:
    assert "credentials are not accepted" in ask(host, client, "digest", "1.1", "wrong")["fault"]


# -- zeep


def ask_with_zeep(host: Host, wsse: Any, port: str = "Desk11") -> str:
    """What it was answered; of a fault code and reason, for the fault itself would keep its connection open."""
    with requests.Session() as session:
        session.trust_env = False  # a bundle that the environment names would go before
        session.verify = str(host.ca)
        transport = zeep.Transport(session=session)
        client = zeep.Client(
            host.wsdl, wsse=wsse, transport=transport, service_name="DeskService", port_name=port
        )
        try:
            text: str = client.service.Echo(text="hello", number=3).body.text
        except Fault as fault:
            return f"{fault.code} {fault.message}"
        return text


@pytest.mark.parametrize("port", ["Desk11", "Desk12"])
@pytest.mark.parametrize("as_digest", [True, False])
def test_zeeps_username_token_gets_in(host: Host, as_digest: bool, port: str) -> None:
    assert ask_with_zeep(host, UsernameToken("acme", PASSWORD, use_digest=as_digest), port) == "hello"


def test_zeep_reads_why_it_does_not(host: Host) -> None:
    said = ask_with_zeep(host, UsernameToken("acme", "wrong", use_digest=True))
    assert re.match(r"\w+:FailedAuthentication The credentials are not accepted", said)


class Verifying(UsernameToken):  # type: ignore[misc] # zeep says nothing of its types
    """zeep's token, and its check of signatures; by itself that wants to sign as well."""

    verified = 0

    def __init__(self, *given: Any, certificate: Path, **more: Any) -> None:
        super().__init__(*given, **more)
        self.certificate = certificate

    def verify(self, envelope: Any) -> Any:
        from zeep.wsse.signature import verify_envelope

        verify_envelope(envelope, str(self.certificate))
        self.verified += 1
        return envelope


@pytest.mark.skipif(
    find_spec("xmlsec") is None, reason="python's xmlsec is not installed (pip install xmlsec)"
)
def test_zeep_verifies_the_signature_of_our_answer(host: Host) -> None:
    wsse = Verifying("far", PASSWORD, use_digest=True, certificate=host.ours.certificate)
    assert ask_with_zeep(host, wsse) == "hello"
    assert wsse.verified == 1


@pytest.mark.skipif(
    find_spec("xmlsec") is None, reason="python's xmlsec is not installed (pip install xmlsec)"
)
def test_zeeps_binary_signature_gets_in(host: Host) -> None:
    import xmlsec
    from zeep.wsse.signature import BinarySignature
    from zeep.wsse.utils import WSU, get_security_header, get_timestamp

    class Signing(BinarySignature):  # type: ignore[misc] # as above
        def apply(self, envelope: Any, headers: Any) -> Any:
            stamp = WSU.Timestamp(WSU.Created(get_timestamp()))
            get_security_header(envelope).append(stamp)
            return super().apply(envelope, headers)

        def verify(self, envelope: Any) -> Any:
            return envelope

    algorithms = {
        "signature_method": xmlsec.Transform.RSA_SHA256,
        "digest_method": xmlsec.Transform.SHA256,
    }
    signing = Signing(str(host.caller.key), str(host.caller.certificate), **algorithms)
    assert ask_with_zeep(host, signing) == "hello"
