"""The Security header at our entrance: who it proves a request to be from, once, and what a caller's messages carry."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from bridge.access import Credentials, Means
from bridge.access.certificates import KnownCertificate
from bridge.access.security_header import SecurityHeaders
from bridge.errors import Refusal, SettingsError
from bridge.exchange import Exchange, Plan
from bridge.settings import Settings
from bridge.settings.security import Caller, Wss
from bridge.soap.envelope import NAMESPACES, open_envelope
from bridge.soap.media import Version
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, WSSE, header, timestamp, username
from bridge.soap.xml import parse

NOON = 1_772_452_800.0
OVER_TLS = Credentials(secure=True)
IN_CLEAR = Credentials()


class Logins:
    """Knows acme's. `asked` are the names that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def password(self, name: str, password: str, address: str | None, *, means: Means = "basic") -> None:
        self.asked.append((name, address))
        assert means == "wss_password"
        if (name, password) != ("acme", "correct horse"):
            raise refuse("failed_authentication")

    def digest(self, name: str, matches: Callable[[str], bool], address: str | None) -> None:
        self.asked.append((name, address))
        if not matches("correct horse" if name == "acme" else "nobody's"):
            raise refuse("failed_authentication")

    def known_certificates(self) -> dict[bytes, KnownCertificate]:
        return {}

    def of_certificate(self, der: bytes) -> str | None:
        return None

    def failed(self, address: str | None, name: str | None = None, *, means: Means) -> Refusal:
        return refuse("failed_authentication")


class Nonces:
    def __init__(self) -> None:
        self.used: dict[bytes, float] = {}

    def use(self, nonce: bytes, until: float) -> bool:
        if nonce in self.used:
            return False
        self.used[nonce] = until
        return True


class Entrance:
    """Reads requests as the gatekeeper does."""

    def __init__(self, **settings: Any) -> None:
        self.now = NOON
        self.passwords, self.nonces = Logins(), Nonces()
        self.headers = SecurityHeaders(
            Settings(**settings), self.passwords, self.nonces, clock=lambda: self.now
        )

    def request(
        self, *tokens: str, credentials: Credentials = OVER_TLS, version: Version = "1.1", more: str = ""
    ) -> Exchange:
        block = header.write(*tokens, version=version) if tokens else ""
        body = (
            f'<s:Envelope xmlns:s="{NAMESPACES[version]}"><s:Header>{block}{more}</s:Header>'
            "<s:Body><a/></s:Body></s:Envelope>"
        ).encode()
        exchange = Exchange(body, credentials=credentials, remote="192.0.2.1")
        root, exchange.source = parse(body)
        exchange.envelope = open_envelope(root)
        exchange.version = version
        return exchange

    def read(self, *tokens: str, **about: Any) -> Exchange:
        exchange = self.request(*tokens, **about)
        exchange.verified = self.headers.read(exchange)
        exchange.partner = None if exchange.verified is None else exchange.verified.username
        return exchange

    def authorise(self, exchange: Exchange, operation: str) -> None:
        exchange.service, _, key = operation.partition(".")
        exchange.plan = Plan(None, key, None, frozenset(), "")  # type: ignore[arg-type] # nobody looks at the operation
        self.headers.authorise(exchange)


def token(
    password: str = "correct horse",
    name: str = "acme",
    *,
    as_digest: bool = True,
    nonce: bytes = b"0123456789abcdef",
    now: float = NOON,
) -> str:
    return username.write(name, password, as_digest=as_digest, nonce=nonce, now=now)


def stamp(now: float = NOON) -> str:
    return timestamp.write(now, 300, name="t")


@pytest.mark.parametrize("as_digest", [True, False])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_right_password_proves_a_name(as_digest: bool, version: Version) -> None:
    entrance = Entrance()
    found = entrance.read(token(as_digest=as_digest), version=version).verified
    assert found is not None
    assert (found.username, found.fresh, found.certificate) == ("acme", False, None)
    assert entrance.passwords.asked == [("acme", "192.0.2.1")]


def test_a_timestamp_that_holds_is_said_to() -> None:
    found = Entrance().read(stamp(), token()).verified
    assert found is not None
    assert found.fresh


def test_a_request_without_a_security_header_proves_nothing() -> None:
    assert Entrance().read().verified is None


@pytest.mark.parametrize("as_digest", [True, False])
def test_an_unknown_name_and_a_wrong_password_are_told_the_same(as_digest: bool) -> None:
    said = set()
    for given in (token("wrong", as_digest=as_digest), token(name="nobody", as_digest=as_digest)):
        entrance = Entrance()
        with pytest.raises(Refusal) as refused:
            entrance.read(given)
        said.add((str(refused.value), refused.value.subcodes))
        assert not entrance.nonces.used, "who proves nothing fills no store"
    assert len(said) == 1
    assert said.pop()[1] == (f"{{{WSSE}}}FailedAuthentication",)


@pytest.mark.parametrize("as_digest", [True, False])
def test_the_same_message_is_taken_once(as_digest: bool) -> None:
    entrance = Entrance()
    sent = token(as_digest=as_digest)
    entrance.read(sent)
    with pytest.raises(Refusal, match="came before"):
        entrance.read(sent)


def test_a_nonce_is_used_up_whatever_stands_around_it() -> None:
    entrance = Entrance()
    entrance.read(token())
    with pytest.raises(Refusal, match="came before"):
        entrance.read(stamp(), token(now=NOON + 1), version="1.2")
    entrance.read(token(nonce=b"fedcba9876543210"))


def test_the_end_of_a_nonce_that_is_moved_before_created_makes_no_new_one() -> None:
    """The digest is over nonce and Created in a row: white space at the seam may be of either."""
    entrance = Entrance()
    sent = token(nonce=b"0123456789abcdefgh \n")
    entrance.read(sent)
    moved = etree.fromstring(sent)
    nonce, created = (moved.find(f".//{{*}}{name}") for name in ("Nonce", "Created"))
    assert nonce is not None
    assert created is not None
    nonce.text = base64.b64encode(b"0123456789abcdefgh").decode()
    created.text = f" \n{created.text}"
    with pytest.raises(Refusal, match="came before"):
        entrance.read(etree.tostring(moved).decode())


def test_what_is_remembered_is_remembered_until_it_is_too_old_for_everybody() -> None:
    entrance = Entrance(wss=Wss(max_age=100, skew=30))
    entrance.read(token(now=NOON + 30))
    assert list(entrance.nonces.used.values()) == [NOON + 30 + 100 + 30]


@pytest.mark.parametrize("seconds", [-301, 61])
def test_a_token_that_is_too_old_or_from_the_future_is_refused_before_its_password_is_looked_at(
    seconds: float,
) -> None:
    entrance = Entrance()
    with pytest.raises(Refusal) as refused:
        entrance.read(token(now=NOON + seconds))
    assert refused.value.subcodes[0].endswith("MessageExpired")
    assert not entrance.passwords.asked


def test_a_password_in_clear_is_not_looked_at_without_tls() -> None:
    entrance = Entrance()
    with pytest.raises(Refusal, match="not encrypted"):
        entrance.read(token(as_digest=False), credentials=IN_CLEAR)
    assert not entrance.passwords.asked
    entrance.read(token(as_digest=True), credentials=IN_CLEAR)


# -- policies


def test_what_is_required_of_a_caller_is_missed_by_name() -> None:
    entrance = Entrance(callers={"acme": Caller(requires=("timestamp", "username"))})
    with pytest.raises(Refusal, match="of this caller here: timestamp") as refused:
        entrance.authorise(entrance.read(token()), "purchasing.GetPurchaseOrder")
    assert refused.value.subcodes == (f"{{{WSSE}}}InvalidSecurity",)
    entrance.authorise(entrance.read(stamp(), token(nonce=b"x" * 16)), "purchasing.GetPurchaseOrder")


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("purchasing.CreatePurchaseOrder", "timestamp, signature"),
        ("purchasing.GetPurchaseOrder", "timestamp"),
        ("purchasing.Purchase.Order.Get", "timestamp"),
        ("inventory.CountStock", ""),
    ],
)
def test_an_operation_may_require_more(operation: str, wanted: str, tmp_path: Any) -> None:
    caller = Caller(
        requires_for={"purchasing.*": "timestamp", "purchasing.CreatePurchaseOrder": "signature, timestamp"},
        certificates=(tmp_path / "acme.pem",),
    )
    entrance = Entrance(callers={"acme": caller})
    exchange = entrance.read(token())
    if not wanted:
        entrance.authorise(exchange, operation)
        return
    with pytest.raises(Refusal, match=f"here: {wanted}\\."):
        entrance.authorise(exchange, operation)


def test_a_caller_without_a_policy_needs_nothing() -> None:
    entrance = Entrance(callers={"acme": Caller()})
    entrance.authorise(entrance.read(token()), "purchasing.GetPurchaseOrder")


def test_a_caller_known_by_something_else_has_to_sign_where_it_must(tmp_path: Any) -> None:
    entrance = Entrance(
        callers={"acme": Caller(requires=("signature",), certificates=(tmp_path / "acme.pem",))}
    )
    exchange = entrance.request()
    exchange.partner = "acme"  # by its API key
    with pytest.raises(Refusal, match="signature"):
        entrance.authorise(exchange, "purchasing.GetPurchaseOrder")


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        (Caller(requires=("signed",)), "'signed' is none of timestamp, username, signature"),
        (Caller(requires_for={"a.B": "nonsense"}), "'nonsense' is none of"),
        (Caller(requires=("signature",)), "could never be let in"),
        (Caller(requires_for={"a.B": "signature"}), "could never be let in"),
        (Caller(signed_replies=True), "set wss.certificate"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_a_mistake_in_the_settings(caller: Caller, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Entrance(callers={"acme": caller})


def test_a_signature_that_does_not_hold_is_a_refused_login(monkeypatch: pytest.MonkeyPatch) -> None:
    entrance = Entrance()
    refused: list[tuple[str | None, str]] = []

    def failed(address: str | None, name: str | None = None, *, means: Means) -> Refusal:
        refused.append((address, means))
        return refuse("failed_authentication")

    def wrong(signature: object, now: float) -> None:
        raise refuse("signature_wrong")

    monkeypatch.setattr(entrance.passwords, "failed", failed)
    monkeypatch.setattr(entrance.headers._signatures, "verify", wrong)
    with pytest.raises(Refusal, match="not one that we can trust"):
        entrance.read(stamp(), f'<d:Signature xmlns:d="{DS}"/>')
    assert refused == [("192.0.2.1", "signature")]
