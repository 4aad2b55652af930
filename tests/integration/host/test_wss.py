"""WS-Security between our client and our host, over real HTTP: passwords, signatures, signed replies, what is required of whom."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from lxml import etree

from bridge.access.issuing import Issuing
from bridge.app import Bridge
from bridge.atrest.wrapping import WrappingKey
from bridge.errors import DeliveredUnreadable, InDoubt, Refused, Unauthorised
from bridge.partners.soap import SoapPartner
from bridge.settings import AtRest, Data, Settings
from bridge.settings.fields import WssReference
from bridge.settings.security import Caller, Role, Wss
from bridge.soap.media import Version
from bridge.soap.security import DS, WSSE, WSU
from tests.certificates import Pair, self_signed
from tests.integration.host.conftest import HERE, Answer, Running, running

PASSWORD = "correct horse battery"
Make = Callable[..., SoapPartner]


def know(bridge: Bridge, caller: str, password: str) -> None:
    """What `soapbridge credentials add CALLER --wss-password` does."""
    assert bridge.store is not None
    Issuing(bridge.store, bridge.settings, who="a test").wss_password(caller, password)


def encrypted(folder: Path) -> AtRest:
    """Settings with a new key: a digest is checked with the password itself, which is kept encrypted."""
    WrappingKey.new().write(folder / "at-rest.key")
    return AtRest(key_file=folder / "at-rest.key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wss")


@pytest.fixture(scope="module")
def acme(folder: Path) -> Pair:
    return self_signed(folder, "acme", elliptic=False)


@pytest.fixture(scope="module")
def ours(folder: Path) -> Pair:
    return self_signed(folder, "bridge")


@pytest.fixture(scope="module")
def guarded(folder: Path, acme: Pair, ours: Pair) -> Iterator[Running]:
    """acme has a password and a certificate, strict must sign its Echo, far wants its answers signed."""
    new = self_signed(folder, "acme-next")
    strict, far = self_signed(folder, "strict"), self_signed(folder, "far")
    callers = {
        "acme": Caller(roles=("all",), certificates=(acme.certificate, new.certificate)),
        "strict": Caller(
            roles=("all",),
            certificates=(strict.certificate,),
            requires_for={"desk.Echo": "signature username"},
            signed_headers=("Session",),
        ),
        "far": Caller(roles=("all",), certificates=(far.certificate,), signed_replies=True),
    }
    settings = Settings(
        data=Data(folder=folder / "data"),
        at_rest=encrypted(folder),
        callers=callers,
        roles={"all": Role(operations=("*",))},
        wss=Wss(certificate=ours.certificate, certificate_key=ours.key),
    )

    def prepare(bridge: Bridge) -> None:
        for name in callers:
            know(bridge, name, f"{PASSWORD} of {name}")

    with running(settings, store=True, prepare=prepare) as made:
        yield made


@pytest.fixture
def client(guarded: Running) -> Iterator[Make]:
    made: list[SoapPartner] = []

    def make(**options: Any) -> SoapPartner:
        endpoint = f"http://127.0.0.1:{guarded.port}/services/desk"
        made.append(SoapPartner(HERE / "desk-1.wsdl", endpoint=endpoint, deadline=10.0, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def password(name: str = "acme") -> dict[str, Any]:
    return {"wss_username": name, "wss_password": f"{PASSWORD} of {name}"}


def signed(folder: Path, name: str = "acme") -> dict[str, Any]:
    return {"wss_certificate": folder / f"{name}.pem", "wss_certificate_key": folder / f"{name}.key"}


ECHO = {"text": "hello", "number": 3}


def subcode(answer: Answer) -> str:
    code = etree.fromstring(answer.body).find(".//faultcode")
    assert code is not None, answer.text
    prefix, _, local = (code.text or "").partition(":")
    return f"{{{code.nsmap[prefix]}}}{local}"


def partner_in_journal(guarded: Running) -> str | None:
    assert guarded.bridge.store is not None
    return guarded.bridge.store.journal.list(limit=1)[0].partner


# -- passwords


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_a_digest_lets_its_caller_in_by_name(guarded: Running, client: Make, soap: Version) -> None:
    assert client(soap=soap, **password()).call("Echo", ECHO).text == "hello"
    assert partner_in_journal(guarded) == "acme"


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize(
    "given",
    [{"wss_username": "acme", "wss_password": "wrong"}, {"wss_username": "nobody", "wss_password": "wrong"}],
    ids=["wrong password", "unknown name"],
)
def test_a_wrong_one_is_told_what_every_wrong_one_is_told(
    client: Make, soap: Version, given: dict[str, str]
) -> None:
    with pytest.raises(Unauthorised, match="The credentials are not accepted") as refused:
        client(soap=soap, **given).call("Echo", ECHO)
    assert refused.value.fault is not None
    assert refused.value.fault.subcodes == (f"{{{WSSE}}}FailedAuthentication",)


def test_every_call_has_a_nonce_and_a_moment_of_its_own(client: Make) -> None:
    partner = client(**password())
    seen = set()
    for _ in range(3):
        sent = etree.fromstring(partner.exchange("Echo", ECHO).request)
        seen.add(sent.findtext(f".//{{{WSSE}}}Nonce"))
    assert len(seen) == 3


def test_a_message_that_is_sent_again_as_it_was_is_refused(guarded: Running, client: Make) -> None:
    sent = client(**password()).exchange("Echo", ECHO).request
    answer = guarded.post(sent)
    assert subcode(answer) == f"{{{WSSE}}}InvalidSecurity"
    assert "came before" in answer.text


def test_of_sixteen_at_once_exactly_one_is_answered(guarded: Running, client: Make) -> None:
    sent = client(**password()).exchange("Echo", ECHO).request
    fresh = client(**password())._line.security
    assert fresh is not None
    block = etree.tostring(etree.fromstring(fresh.header("1.1"))).decode()
    root = etree.fromstring(sent)
    header = root[0]
    header.remove(header[0])
    header.append(etree.fromstring(block))
    message = etree.tostring(root)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(guarded.post(message).status)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [500] * 15


def test_a_password_in_clear_is_not_looked_at_over_http(guarded: Running) -> None:
    token = (
        f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1"><w:UsernameToken><w:Username>acme</w:Username>'
        f"<w:Password>{PASSWORD} of acme</w:Password></w:UsernameToken></w:Security>"
    )
    body = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{token}</s:Header>'
        '<s:Body><Ping xmlns="urn:test:desk:1"/></s:Body></s:Envelope>'
    ).encode()
    answer = guarded.post(body)
    assert "not encrypted" in answer.text
    assert PASSWORD not in answer.text


# -- signatures


@pytest.mark.parametrize("reference", get_args(WssReference))
@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_a_signature_lets_its_caller_in_however_it_names_its_certificate(
    guarded: Running, client: Make, folder: Path, soap: Version, reference: str
) -> None:
    partner = client(soap=soap, wss_reference=reference, **signed(folder))
    assert partner.call("Echo", ECHO).text == "hello"
    assert partner_in_journal(guarded) == "acme"


def test_two_certificates_of_a_caller_are_good_at_the_same_time(client: Make, folder: Path) -> None:
    for name in ("acme", "acme-next"):
        assert client(**signed(folder, name)).call("Echo", ECHO).text == "hello"


def test_a_certificate_that_is_nobodys_is_refused(client: Make, folder: Path) -> None:
    self_signed(folder, "stranger")
    with pytest.raises(Unauthorised):
        client(**signed(folder, "stranger")).call("Echo", ECHO)


def test_a_signature_and_a_password_of_two_callers_are_refused(client: Make, folder: Path) -> None:
    with pytest.raises(Unauthorised):
        client(**signed(folder, "acme"), **password("far")).call("Echo", ECHO)
    assert client(**signed(folder, "acme"), **password("acme")).call("Echo", ECHO).text == "hello"


def test_a_changed_body_and_a_changed_timestamp_are_refused(
    guarded: Running, client: Make, folder: Path
) -> None:
    good = client(**signed(folder)).exchange("Echo", ECHO).request
    assert subcode(guarded.post(good.replace(b"hello", b"jello"))) == f"{{{WSSE}}}FailedCheck"
    created = etree.fromstring(good).findtext(f".//{{{WSU}}}Created")
    assert created is not None
    later = created.replace("Z", "1Z")
    assert subcode(guarded.post(good.replace(created.encode(), later.encode()))) == f"{{{WSSE}}}FailedCheck"


def test_a_signed_message_is_taken_once_though_its_signature_is_written_differently(
    guarded: Running, client: Make, folder: Path
) -> None:
    sent = client(**signed(folder, "acme-next")).exchange("Echo", ECHO).request
    value = etree.fromstring(sent).findtext(f".//{{{DS}}}SignatureValue")
    assert value is not None
    octets = base64.b64decode(value)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = octets[:32] + (order - int.from_bytes(octets[32:])).to_bytes(32)
    for again in (sent, sent.replace(value.encode(), base64.b64encode(twin))):
        answer = guarded.post(again)
        assert "came before" in answer.text


def test_a_signature_without_the_timestamp_proves_nothing(
    guarded: Running, client: Make, folder: Path
) -> None:
    partner = client(**signed(folder))
    assert partner._line.security is not None
    partner._line.security._signed = ("Body",)
    with pytest.raises(Unauthorised, match="does not cover Timestamp"):
        partner.call("Echo", ECHO)


# -- what is required of a caller


def test_what_is_required_for_an_operation_is_missed_there_and_nowhere_else(
    client: Make, folder: Path
) -> None:
    with pytest.raises(Unauthorised, match="of this caller here: signature"):
        client(**password("strict")).call("Echo", ECHO)
    assert client(**password("strict")).call("Ping") == "pong"


def test_a_header_that_has_to_be_signed_is_there_and_signed(client: Make, folder: Path) -> None:
    both = password("strict") | signed(folder, "strict")
    with pytest.raises(Unauthorised, match="does not cover Session"):
        client(**both).call("Echo", ECHO)
    with pytest.raises(Unauthorised, match="does not cover Session"):
        client(**both).call("Echo", ECHO, headers={"Session": "S-1"})
    signing = client(**both, wss_signed_headers=("Session",))
    assert signing.call("Echo", {"text": "header", "number": 1}, headers={"Session": "S-1"}).text == "S-1"


# -- signed replies


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_an_answer_is_signed_and_believed(client: Make, folder: Path, ours: Pair, soap: Version) -> None:
    partner = client(soap=soap, wss_trusted=(ours.certificate,), **signed(folder, "far"))
    assert partner.call("Echo", ECHO).text == "hello"


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_a_fault_is_signed_and_believed(client: Make, folder: Path, ours: Pair, soap: Version) -> None:
    partner = client(soap=soap, wss_trusted=(ours.certificate,), **signed(folder, "far"))
    with pytest.raises(Refused, match="Closed"):
        partner.call("Echo", {"text": "closed", "number": 1})


def test_an_answer_that_is_not_signed_is_not_believed(client: Make, folder: Path, ours: Pair) -> None:
    with pytest.raises(InDoubt, match="It is not signed"):
        client(wss_trusted=(ours.certificate,), **signed(folder, "acme")).call("Echo", ECHO)


def test_a_fault_that_is_not_signed_is_not_believed_and_told(client: Make, folder: Path, ours: Pair) -> None:
    with pytest.raises(InDoubt, match=r"It is the fault .*credentials are not accepted"):
        client(wss_trusted=(ours.certificate,), wss_username="far", wss_password="wrong").call("Echo", ECHO)


def test_an_answer_signed_by_somebody_else_is_not_believed(client: Make, folder: Path, acme: Pair) -> None:
    with pytest.raises(InDoubt, match="cannot be believed"):
        client(wss_trusted=(acme.certificate,), **signed(folder, "far")).call("Echo", ECHO)


def test_who_does_not_ask_for_signatures_reads_signed_answers_unless_they_must_be_understood(
    guarded: Running, client: Make
) -> None:
    with pytest.raises(DeliveredUnreadable, match="Security"):
        client(**password("far")).call("Echo", ECHO)
