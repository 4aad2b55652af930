"""What lets us in to a Fxiaoke, and what its codes mean, over real HTTP: tokens got one at a time, allowances, refusals."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    PartnerError,
    Refused,
    SettingsError,
    Unauthorised,
    Unavailable,
)
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.fxiaoke import codes
from bridge.store import Store
from bridge.testing.fxiaoke import NEWER, OLDER, Fxiaoke
from bridge.testing.served import Said
from tests.integration.partners.fxiaoke.conftest import FILE, Making, company, document
from tests.integration.partners.fxiaoke.conftest import OLDER as OLDER_FILE

TWO_HOURS = timedelta(hours=2)


@pytest.fixture
def kept(sqlite_url: str, migrated_sqlite: Path) -> Iterator[Store]:
    shutil.copyfile(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    store = Store(sqlite_url)
    yield store
    store.close()


def write(partner: EntityPartner) -> None:
    entity, verb = partner.operation("accounts.create")
    values = {"no": "A1", "name": "x"}
    partner.backend.write(entity, verb, values, document("accounts.create", values))


@pytest.mark.parametrize(("file", "path"), [(FILE, NEWER), (OLDER_FILE, OLDER)])
def test_both_forms_of_token_let_us_in(crm: Fxiaoke, making: Making, file: str, path: str) -> None:
    partner = making(crm, file)
    partner.ping()
    write(partner)
    assert [one.path for one in crm.asked] == [path, "/cgi/crm/v2/object/list", "/cgi/crm/v2/data/create"]
    traces = [UUID(one.params["thirdTraceId"]) for one in crm.asked]
    assert (len(set(traces)), {one.version for one in traces}) == (3, {4})


@pytest.mark.parametrize("file", [FILE, OLDER_FILE])
def test_a_token_that_ended_is_replaced_once_and_the_call_repeated(
    crm: Fxiaoke, making: Making, file: str
) -> None:
    partner = making(crm, file)
    partner.ping()
    crm.wait(TWO_HOURS)
    write(partner)
    assert crm.paths() == ["list", "create", "create"]
    assert (crm.granted, len(crm.rows("AccountObj"))) == (2, 1)


def test_one_that_is_never_let_in_is_told_so_after_one_more_token(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    partner.ping()
    crm.goes_wrong(
        Said(200, {"errorCode": 20016, "errorMessage": "authorization is error"}), when="/cgi", times=9
    )
    with pytest.raises(Unauthorised, match="same access token again"):
        partner.ping()
    assert crm.granted == 1


def test_a_token_is_asked_for_by_one_at_a_time_and_shared(crm: Fxiaoke, making: Making, kept: Store) -> None:
    crm.takes = 0.2
    partners = [making(crm, store=kept) for _ in range(4)]
    threads = [threading.Thread(target=one.ping) for one in partners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (crm.granted, crm.overlapping) == (1, 0)
    assert crm.paths(tokens=True).count("token") == 1


def test_wrong_credentials_are_the_operator_s(crm: Fxiaoke, making: Making) -> None:
    partner = making(crm, client_secret="another secret")
    with pytest.raises(Unauthorised, match=r"10006.*appSecret") as caught:
        partner.ping()
    assert "another secret" not in str(caught.value)
    assert caught.value.reply == b""


def test_credentials_that_are_missing_are_named(crm: Fxiaoke, making: Making) -> None:
    with pytest.raises(SettingsError, match="refresh_token must be given"):
        making(crm, refresh_token="")


def test_the_wrong_host_is_told_of(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.goes_wrong(Said(302, b"<html>", {"Location": "https://www.example.com/home.html"}))
    with pytest.raises(Unavailable, match="the service is at"):
        partner.ping()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (-1, InDoubt), (-2, InDoubt), (50009, InDoubt), (30002, Unavailable), (30003, Unavailable), (30004, Unavailable),
        (14001, Unavailable), (15003, Unauthorised), (20021, Unauthorised), (20017, Unauthorised), (32000, Refused), (15002, Refused),
        (99999, Refused), ("E-1", Refused),
    ],
)  # fmt: skip
def test_what_a_code_means_for_a_write(
    crm: Fxiaoke, partner: EntityPartner, code: int | str, outcome: type[PartnerError]
) -> None:
    crm.goes_wrong(Said(200, {"errorCode": code, "errorMessage": "说明", "traceId": "E-O.7"}), when="/create")
    with pytest.raises(outcome, match=r"(?s)说明.*traceId E-O\.7") as caught:
        write(partner)
    assert type(caught.value) is outcome
    assert crm.rows("AccountObj") == {}


def test_what_fails_while_it_only_reads_is_in_nobody_s_doubt(crm: Fxiaoke, partner: EntityPartner) -> None:
    for said in (Said(200, {"errorCode": -2, "errorMessage": "x"}), Said(500), Said(200, {"data": {}})):
        crm.goes_wrong(said, when="/query")
        with pytest.raises(Unavailable):
            partner.fetch("accounts")


def test_a_reply_that_says_nothing_of_its_outcome_is_no_success(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.goes_wrong(Said(200, {"data": {}}), when="/create")
    with pytest.raises(InDoubt, match="no errorCode"):
        write(partner)
    crm.goes_wrong(Said(200, b"<html><title>Login</title>", {"Content-Type": "text/html"}), when="/create")
    with pytest.raises(InDoubt, match="Login"):
        write(partner)
    crm.goes_wrong(Said(200, {"errorCode": 0}), when="/query")
    with pytest.raises(DeliveredUnreadable, match="no list of records"):
        partner.fetch("accounts")


Limited = Callable[..., tuple[Fxiaoke, EntityPartner]]


@pytest.fixture
def limited(making: Making) -> Iterator[Limited]:
    """A company that allows few calls, and a partner that believes it may call as often as it likes."""
    opened: list[Fxiaoke] = []

    def make(file: str = FILE, **limits: float) -> tuple[Fxiaoke, EntityPartner]:
        crm = company(Fxiaoke(**limits)).__enter__()  # type: ignore[arg-type]
        opened.append(crm)
        return crm, making(crm, file)

    yield make
    for one in opened:
        one.__exit__()


def test_reading_in_bulk_waits_where_it_was_too_fast(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(codes._ERRORS.codes, "30004", codes.Code("unavailable", 0.3))  # type: ignore[arg-type]
    crm, partner = limited(calls=2, seconds=0.3)
    for number in range(350):
        crm.put("AccountObj", name="x", account_no__c=f"A{number:03}")
    assert sum(len(batch) for batch in partner.scan("accounts", ["name"])) == 350
    assert len(crm.paths()) > 4, "some were refused"


def test_each_api_has_an_allowance_of_its_own_that_is_kept_to(limited: Limited) -> None:
    file = FILE.replace(
        "[entities.accounts]", "[partner.rate]\ncalls = 2\nseconds = 1\npatience = 0\n[entities.accounts]", 1
    )
    crm, partner = limited(file)
    for _ in range(2):
        partner.fetch("accounts")
    with pytest.raises(Unavailable, match=r"takes no more calls for now\. Nothing was sent"):
        partner.fetch("accounts")
    partner.ping()
    assert crm.paths() == ["query", "query", "list"]


def test_when_the_calls_of_a_day_are_used_up_it_is_left_in_peace(limited: Limited) -> None:
    crm, partner = limited(a_day=1)
    partner.fetch("accounts")
    with pytest.raises(Unavailable, match="30002") as caught:
        partner.fetch("accounts")
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= codes.HOUR
    with pytest.raises(Unavailable, match="Nothing was sent"):
        partner.fetch("accounts")
    assert crm.paths() == ["query", "query"]


def test_a_company_without_calls_is_told_to_buy_some(limited: Limited) -> None:
    _, partner = limited(a_day=0)
    with pytest.raises(Unavailable, match="bought no calls"):
        partner.fetch("accounts")
