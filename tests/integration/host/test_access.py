"""Who gets in, over HTTP: API keys, passwords, certificates; what a caller may ask for; what the others are told."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from bridge.access import directory
from bridge.access.issuing import Issuing
from bridge.settings import Access, Caller, Data, Role, Server, Settings
from tests.integration.host.conftest import Answer, Running, echo, envelope, running

PASSWORD = "correct horse battery"
NOTIFY = envelope('<Notify xmlns="urn:test:desk:1"><text>x</text></Notify>')
UNKNOWN = envelope('<Nothing xmlns="urn:test:desk:1"/>')
CALLERS = {
    "crm": Caller(roles=("asks",)),
    "boss": Caller(kind="person", roles=("all",)),
    "idle": Caller(),
    "slow": Caller(roles=("asks",), rate=0.5),
}
ROLES = {"asks": Role(operations=("desk.Echo",)), "all": Role(operations=("*",))}


class Desk:
    """A desk that knows its callers, each with an API key, and crm with a password."""

    def __init__(self, made: Running) -> None:
        self.made = made
        assert made.bridge.store is not None
        self.issuing = Issuing(made.bridge.store, made.bridge.settings, who="test")
        self.ids: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        for name in made.bridge.settings.callers:
            self.ids[name], self.keys[name] = self.issuing.api_key(name)

    def post(self, body: bytes = echo(), version: str = "1.1", **headers: str) -> Answer:
        return self.made.post(body, version, **headers)

    def as_(self, name: str, body: bytes = echo(), version: str = "1.1") -> Answer:
        return self.post(body, version, X_API_Key=self.keys[name])

    def partner_of(self, answer: Answer) -> tuple[str | None, str | None]:
        """(partner, operation) in the journal."""
        store = self.made.bridge.store
        assert store is not None
        entry = store.journal.show(answer.exchange)
        assert entry is not None
        return entry.partner, entry.operation


@contextmanager
def serving(folder: Path, **more: Any) -> Iterator[Desk]:
    given: dict[str, Any] = {"callers": CALLERS, "roles": ROLES, **more}
    with running(Settings(data=Data(folder=folder), **given), store=True) as made:
        yield Desk(made)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(tmp_path_factory.mktemp("desk")) as made:
        made.issuing.password("crm", PASSWORD)
        yield made


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def words(answer: Answer) -> str:
    """What was said, without what differs from one exchange to the next."""
    return re.sub(r"[0-9a-f]{12}-[0-9a-f]+-[0-9a-f]+", "ID", answer.text)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_api_key_lets_its_caller_in_however_it_is_sent(desk: Desk, version: str) -> None:
    key = desk.keys["crm"]
    for headers in (
        {"X_API_Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": basic("crm", key)},
        {"X_API_Key": key, "Authorization": f"bearer  {key}"},
    ):
        answer = desk.post(echo(version=version), version, **headers)
        assert answer.status == 200, answer.text
        assert desk.partner_of(answer) == ("crm", "Echo")


def test_a_password_lets_its_caller_in(desk: Desk) -> None:
    assert desk.post(Authorization=basic("crm", PASSWORD)).status == 200


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_without_credentials_nobody_is_told_anything_but_how_to_come_in(desk: Desk, version: str) -> None:
    for body in (echo(version=version), envelope("<x/>", version), envelope("", version)):
        answer = desk.post(body, version)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "FailedAuthentication" in answer.text
        assert "X-API-Key" in answer.text
        assert "Echo" not in answer.text.replace("{", "")
        assert desk.partner_of(answer) == (None, None)


def test_what_strangers_send_is_not_kept_and_what_a_caller_sends_is(desk: Desk) -> None:
    store = desk.made.bridge.store
    assert store is not None
    for body, key, kept in (
        (echo(), "sbk_wrong", False),
        (b"<rubbish", "", False),
        (UNKNOWN, desk.keys["crm"], True),
    ):
        entry = store.journal.show(desk.post(body, X_API_Key=key).exchange)
        assert entry is not None
        assert (entry.request is not None) is kept
        assert entry.fault_reason


def test_whatever_is_wrong_with_credentials_the_words_are_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, access=Access(failures=1000)) as desk:
        desk.issuing.password("crm", PASSWORD)
        key = desk.keys["crm"]
        revoked, revoked_key = desk.issuing.api_key("crm")
        desk.issuing.revoke(revoked)
        answers = [
            desk.post(**headers)
            for headers in (
                {"X_API_Key": "sbk_" + "A" * 43},
                {"X_API_Key": ""},
                {"X_API_Key": revoked_key},
                {"X_API_Key": key + "x"},
                {"Authorization": "Bearer rubbish"},
                {"Authorization": "Negotiate abc"},
                {"Authorization": ""},
                {"Authorization": "Basic rubbish"},
                {"Authorization": "Basic cr\xf6m"},
                {"Authorization": basic("crm", "wrong")},
                {"Authorization": basic("nobody", PASSWORD)},
                {"Authorization": basic("boss", key)},
                {"Authorization": basic("crm", "")},
                {"Authorization": basic("crm", PASSWORD), "X_API_Key": desk.keys["boss"]},
                {"Authorization": basic("crm", PASSWORD), "X_API_Key": "wrong"},
            )
        ]
        assert {answer.status for answer in answers} == {401}
        assert len({words(answer) for answer in answers}) == 1
        assert {desk.partner_of(answer) for answer in answers} == {(None, None)}


def test_what_is_not_in_a_callers_roles_is_for_it_not_there(desk: Desk) -> None:
    assert desk.as_("boss", NOTIFY).status == 202
    denied, unknown = desk.as_("crm", NOTIFY), desk.as_("crm", UNKNOWN)
    assert denied.status == unknown.status == 500
    assert words(denied).replace("Notify", "Nothing") == words(unknown)
    assert "{urn:test:desk:1}Echo" in denied.text  # what it may send
    assert "{urn:test:desk:1}Notify`" not in unknown.text
    assert desk.made.notified == ["x"]
    # The journal knows what it was.
    assert desk.partner_of(denied) == ("crm", "Notify")
    assert "{urn:test:desk:1}Notify`" in desk.as_("boss", UNKNOWN).text


def test_a_header_that_only_a_denied_operation_knows_does_not_tell_it_from_one_that_is_not_there(
    desk: Desk,
) -> None:
    session = '<d:Session xmlns:d="urn:test:desk:1" s:mustUnderstand="1">x</d:Session>'
    bodies = [
        envelope(f'<{name} xmlns="urn:test:desk:1"><text>x</text></{name}>', headers=session)
        for name in ("Echo", "Notify", "Nothing")
    ]
    assert len({words(desk.as_("idle", body)) for body in bodies}) == 1


def test_a_caller_without_roles_gets_in_and_may_do_nothing(desk: Desk) -> None:
    answer = desk.as_("idle")
    assert answer.status == 500
    assert "may not ask for anything at this address" in answer.text
    assert desk.partner_of(answer) == ("idle", "Echo")


def test_a_credential_counts_from_the_moment_it_is_made_and_not_after_it_is_revoked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "REFRESH", 0.0)
    number, key = desk.issuing.api_key("crm")
    assert desk.post(X_API_Key=key).status == 200
    desk.issuing.revoke(number)
    assert desk.post(X_API_Key=key).status == 401
    assert desk.as_("crm").status == 200


def test_after_too_many_wrong_passwords_none_is_looked_at_and_an_api_key_still_counts(tmp_path: Path) -> None:
    with serving(tmp_path, access=Access(failures=3)) as desk:
        desk.issuing.password("crm", PASSWORD)
        statuses = [desk.post(Authorization=basic("crm", "wrong")).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        closed = desk.post(Authorization=basic("crm", PASSWORD))
        assert closed.status == 429
        assert 1 <= int(closed.headers["retry-after"]) <= 60
        assert desk.post(X_API_Key="sbk_wrong").status == 429
        assert desk.as_("crm").status == 200


def test_more_requests_than_a_caller_may_send_are_told_when_to_come_back(desk: Desk) -> None:
    assert desk.as_("slow").status == 200
    for version in ("1.1", "1.2"):
        answer = desk.as_("slow", echo(version=version), version)
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert 'repeat="safe"' in answer.text
    assert desk.as_("crm").status == 200


def test_pages_and_contracts_are_for_those_who_may_call(desk: Desk) -> None:
    def get(path: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return desk.made.request("GET", path, headers=named)

    for path in ("/", "/services/desk", "/services/desk?wsdl", "/services/desk/2?xsd=x"):
        answer = get(path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "desk" not in answer.text
        assert get(path, X_API_Key="sbk_wrong").status == 401
    for path in ("/healthz", "/readyz"):
        assert get(path).status == 200
    assert "definitions>" in get("/services/desk?wsdl", Authorization=basic("crm", PASSWORD)).text
    assert get("/services/desk?wsdl", X_API_Key=desk.keys["idle"]).status == 404
    assert get("/services/desk/2", X_API_Key=desk.keys["crm"]).status == 404
    assert "/services/desk" not in get("/", X_API_Key=desk.keys["idle"]).text
    assert "/services/desk/2" in get("/", X_API_Key=desk.keys["boss"]).text
    assert "/services/desk/2" not in get("/", X_API_Key=desk.keys["crm"]).text


def test_pages_may_be_for_everybody(tmp_path: Path) -> None:
    with serving(tmp_path, access=Access(pages="everybody")) as desk:
        assert desk.made.request("GET", "/services/desk?wsdl").status == 200
        assert desk.post().status == 401


def test_requests_without_credentials_may_do_what_the_role_anonymous_says(tmp_path: Path) -> None:
    roles = {**ROLES, "anonymous": Role(operations=("desk.Notify",))}
    with serving(tmp_path, access=Access(anonymous="yes"), roles=roles) as desk:
        assert desk.post(NOTIFY).status == 202
        assert "may not ask" in desk.post().text
        assert desk.post(X_API_Key="sbk_wrong").status == 401
        assert desk.as_("crm").status == 200


def test_where_the_store_cannot_be_read_nobody_new_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "REFRESH", 0.0)
    with serving(tmp_path) as desk:
        assert desk.as_("crm").status == 200
        assert desk.made.bridge.store is not None

        def broken(*_: object) -> list[Any]:
            raise OSError("no disk")

        monkeypatch.setattr(desk.made.bridge.store, "rows", broken)
        assert desk.as_("crm").status == 200  # for a few seconds
        monkeypatch.setattr(directory, "STALE", 0.0)
        answer = desk.as_("crm")
        assert answer.status == 500
        assert "no disk" not in answer.text


def test_a_certificate_says_who_it_is_through_a_trusted_proxy(tmp_path: Path) -> None:
    issued = [
        trustme.CA().issue_cert(f"{name}.example").cert_chain_pems[0].bytes() for name in ("crm", "other")
    ]
    file = tmp_path / "crm.pem"
    file.write_bytes(issued[0])
    ours, others = (
        base64.b64encode(ssl.PEM_cert_to_DER_cert(pem.decode().strip())).decode() for pem in issued
    )
    server = Server(trusted_proxies=("127.0.0.1",), client_certificate_header="X-Client-Cert")
    callers = {**CALLERS, "crm": Caller(roles=("asks",), certificates=(file,))}
    with serving(tmp_path, server=server, callers=callers) as desk:
        assert desk.post(X_Client_Cert=ours).status == 200
        assert desk.post(X_Client_Cert=others).status == 401
        assert desk.post(X_Client_Cert=others, X_API_Key=desk.keys["boss"]).status == 200
        assert desk.post(X_Client_Cert=ours, X_API_Key=desk.keys["boss"]).status == 401
        assert desk.post(X_Client_Cert=f"{ours},{ours}").status == 401


def test_without_settings_a_proxy_that_nobody_told_of_is_turned_away() -> None:
    with running(Settings()) as made:
        assert made.post(echo()).status == 200
        for answer in (
            made.post(echo(), X_Forwarded_For="198.51.100.7"),
            made.request("GET", "/services/desk?wsdl", headers={"Via": "1.1 proxy"}),
            made.request("GET", "/", headers={"X-Real-IP": "198.51.100.7"}),
        ):
            assert answer.status == 403
            assert "access.anonymous" in answer.text
        assert made.request("GET", "/healthz", headers={"X-Forwarded-For": "198.51.100.7"}).status == 200
    with running(Settings(access=Access(anonymous="yes"))) as made:
        assert made.post(echo(), X_Forwarded_For="198.51.100.7").status == 200
