"""Credentials in the store: an API key is one caller's, what is revoked lets nobody in, and processes see each other's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from bridge.access.api_keys import digest
from bridge.access.directory import AT_ONCE, REFRESH, STALE, Directory
from bridge.access.issuing import Issuing
from bridge.access.passwords import Passwords
from bridge.atrest import protect
from bridge.atrest.wrapping import WrappingKey
from bridge.errors import StoreError
from bridge.settings import AtRest, Caller, Settings
from bridge.store import Store, credentials
from bridge.store.credentials import LiveCredential
from bridge.store.tables import credential

SETTINGS = Settings(callers={"crm": Caller(), "shop": Caller()})


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url)
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def directory(store: Store, now: list[float]) -> Directory:
    return Directory(SETTINGS, store, clock=lambda: now[0])


@pytest.fixture
def issuing(store: Store) -> Issuing:
    return Issuing(store, SETTINGS, who="mei")


def test_a_key_that_was_just_made_is_known_and_one_that_was_revoked_is_forgotten_in_time(
    issuing: Issuing, directory: Directory, now: list[float]
) -> None:
    assert directory.of_api_key(digest("sbk_x")) is None
    now[0] += AT_ONCE
    number, key = issuing.api_key("crm")
    assert directory.of_api_key(digest(key)) == "crm"
    issuing.revoke(number)
    assert directory.of_api_key(digest(key)) == "crm"  # not looked at again yet
    now[0] += REFRESH
    assert REFRESH < STALE <= 5
    assert directory.of_api_key(digest(key)) is None


def test_what_has_expired_lets_nobody_in(issuing: Issuing, directory: Directory) -> None:
    _, key = issuing.api_key("crm", lasts=timedelta(seconds=-1))
    _, other = issuing.api_key("crm", lasts=timedelta(hours=1))
    issuing.password("shop", "correct horse battery", lasts=timedelta(seconds=-1))
    assert directory.of_api_key(digest(key)) is None
    assert directory.of_api_key(digest(other)) == "crm"
    assert directory.passwords("shop") == []


def test_a_caller_that_left_the_settings_gets_in_no_more(store: Store, issuing: Issuing) -> None:
    _, key = issuing.api_key("crm")
    issuing.password("crm", "correct horse battery")
    without = Directory(Settings(callers={"shop": Caller()}), store)
    assert without.of_api_key(digest(key)) is None
    assert without.passwords("crm") == []


def test_passwords_are_those_of_their_caller(issuing: Issuing, directory: Directory) -> None:
    number = issuing.password("crm", "correct horse battery")
    kept = directory.passwords("crm")
    assert Passwords().find("crm", "correct horse battery", kept, checks=1) == number
    assert directory.passwords("shop") == []
    assert directory.most_passwords == 1


def test_a_password_for_digests_is_kept_encrypted_and_cannot_be_given_to_another_caller(
    store: Store, issuing: Issuing, directory: Directory, now: list[float], tmp_path: Path
) -> None:
    WrappingKey.new().write(tmp_path / "wrapping.key")
    protect(store, AtRest(key_file=tmp_path / "wrapping.key"))
    number = issuing.wss_password("crm", "päss wörd of crm")
    assert directory.wss_passwords("crm") == ["päss wörd of crm"]
    assert directory.wss_passwords("shop") == []
    (kept,) = [LiveCredential(*row) for row in store.rows(credentials.LIVE)]
    assert kept.secret is not None
    assert "crm" not in kept.secret
    assert kept.secret.startswith("sealed:")
    with store.transaction() as transaction:
        transaction.session.execute(update(credential).where(credential.c.id == number).values(caller="shop"))
    now[0] += STALE
    with pytest.raises(StoreError):
        directory.wss_passwords("shop")


def test_two_processes_and_no_store_at_all(store_url: str, issuing: Issuing) -> None:
    _, key = issuing.api_key("shop")
    other = Store(store_url)
    assert Directory(SETTINGS, other).of_api_key(digest(key)) == "shop"
    other.close()
    assert Directory(SETTINGS, None).of_api_key(digest(key)) is None
