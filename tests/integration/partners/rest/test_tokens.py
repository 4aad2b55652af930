"""Access tokens over real HTTP and on a real store: got once, shared by processes, replaced when they end."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bridge.errors import NotSent, PartnerError, Unauthorised, Unavailable
from bridge.partners.http.tokens import Granted, Token, Tokens
from bridge.partners.partner import Query
from bridge.store import Store, partner_tokens
from bridge.store.clock import SECOND, host_clock
from bridge.store.token_tables import partner_token
from bridge.testing.served import Said
from tests.integration.partners.rest.conftest import BASIC, FIELDS, Making, Shop

OAUTH = """[partner]
auth = "oauth2"
[partner.oauth2]
url = "{url}/oauth/token"
"""


@pytest.fixture
def kept(sqlite_url: str, migrated_sqlite: Path) -> Iterator[Store]:
    """A store on SQLite: that both databases keep tokens is looked at below."""
    shutil.copyfile(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    store = Store(sqlite_url)
    yield store
    store.close()


def oauth(shop: Shop, extra: str = "") -> str:
    return BASIC.replace("[partner]\n", OAUTH.format(url=shop.url) + extra) + FIELDS


CREDENTIALS = {"client_id": "bridge", "client_secret": "s&cret"}


def test_a_token_that_ends_in_mid_page_is_replaced_once_and_the_page_asked_again(
    shop: Shop, making: Making, kept: Store
) -> None:
    shop.fill(7)
    partner = making(oauth(shop), store=kept, **CREDENTIALS)
    first = partner.fetch("accounts", Query(limit=3))
    shop.tokens = ["of somebody else"]
    second = partner.fetch("accounts", Query(limit=3, after=first.next))
    assert [one.id for one in second.records] == ["A003", "A004", "A005"]
    assert [one.path for one in shop.asked] == [
        "/oauth/token", "/accounts", "/accounts", "/oauth/token", "/accounts",
    ]  # fmt: skip
    assert shop.asked[0].form == {
        "grant_type": "client_credentials",
        "client_id": "bridge",
        "client_secret": "s&cret",
    }


def test_twice_401_is_unauthorised_and_asks_for_no_third_token(
    shop: Shop, making: Making, kept: Store
) -> None:
    partner = making(oauth(shop), store=kept, **CREDENTIALS)
    shop.goes_wrong(Said(401, {}), when="/accounts", times=9)
    with pytest.raises(Unauthorised):
        partner.fetch("accounts")
    assert shop.granted == 2
    assert len(shop.asked) == 4


def test_processes_share_one_token(shop: Shop, making: Making, kept: Store) -> None:
    partners = [making(oauth(shop), store=kept, **CREDENTIALS) for _ in range(4)]
    failed: list[BaseException] = []

    def read(partner: Any) -> None:
        try:
            for _ in range(3):
                partner.fetch("accounts")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read, args=(one,)) for one in partners for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    assert shop.granted == 1
    shop.tokens = []  # the shop now lets everybody in, with whatever token
    partners[0].fetch("accounts")
    assert shop.granted == 1


def test_a_token_that_has_ended_for_all_is_replaced_by_one_of_them(
    shop: Shop, making: Making, kept: Store
) -> None:
    partners = [making(oauth(shop), store=kept, **CREDENTIALS) for _ in range(3)]
    for one in partners:
        one.fetch("accounts")
    shop.tokens = ["ended"]
    for one in partners:
        one.fetch("accounts")
    assert shop.granted == 2


def test_other_credentials_get_another_token(shop: Shop, making: Making, kept: Store) -> None:
    making(oauth(shop), store=kept, **CREDENTIALS).fetch("accounts")
    making(oauth(shop), store=kept, client_id="other", client_secret="s").fetch("accounts")
    assert shop.granted == 2


def test_credentials_that_are_refused_are_not_tried_again_by_anybody_for_a_while(
    shop: Shop, making: Making, kept: Store
) -> None:
    for _ in range(2):
        with pytest.raises(Unauthorised, match="invalid_client"):
            making(oauth(shop), store=kept, client_id="bridge", client_secret="wrong").fetch("accounts")
    assert shop.granted == 1
    making(oauth(shop), store=kept, **CREDENTIALS).fetch("accounts")


def test_without_a_store_the_token_is_kept_in_memory(shop: Shop, making: Making) -> None:
    partner = making(oauth(shop), **CREDENTIALS)
    partner.fetch("accounts")
    partner.fetch("accounts")
    assert shop.granted == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(200, {"error": "invalid_code"}), Unauthorised),
        (
            Said(
                400,
                {
                    "error": "Access Denied",
                    "error_description": "You have made too many requests continuously.",
                },
            ),
            Unavailable,
        ),
        (Said(500, b"", {"Content-Type": "text/plain"}), Unavailable),
        (Said(503, {}, {"Retry-After": "3"}), Unavailable),
        (Said(200, b"<html></html>", {"Content-Type": "text/html"}), Unavailable),
        (Said(cut=True), Unavailable),
    ],
)
def test_no_token_means_that_nothing_was_sent_to_the_partner(
    shop: Shop, making: Making, kept: Store, said: Said, expected: type[PartnerError]
) -> None:
    shop.goes_wrong(said, when="/oauth/token")
    with pytest.raises(expected):
        making(oauth(shop), store=kept, **CREDENTIALS).fetch("accounts")
    assert [one.path for one in shop.asked] == ["/oauth/token"]


PROCESS = """
import sys
from bridge.partners.http.client import Client
from bridge.partners.http.oauth import Grant
from bridge.partners.http.tokens import Tokens
from bridge.settings import Partner
from bridge.soap.limits import Limits
from bridge.store import Store

url, store = sys.argv[1], Store(sys.argv[2])
grant = Grant(
    client=Client(url, Partner(), Limits()), path="/oauth/token", kind="client_credentials", client_id="i", client_secret="s"
)
tokens = Tokens("shop", lambda: store, grant, credentials=grant.credentials)
sys.stdin.readline()
print(tokens.get().access_token)
store.close()
"""


def test_several_processes_that_begin_at_once_ask_for_one_token(
    shop: Shop, kept: Store, sqlite_url: str
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, shop.url, sqlite_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60)[0].strip() for one in processes]
    assert said == ["T1", "T1", "T1"]
    assert shop.granted == 1


# -- `Tokens` by itself, with a clock that is turned


class Authority:
    """Grants `T1`, `T2` …"""

    def __init__(self, expires_in: float = 3600.0, refresh: str = "") -> None:
        self.given: list[str] = []
        self.error: BaseException | None = None
        self.expires_in = expires_in
        self.refresh = refresh
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, refresh_token: str) -> Granted:
        self.given.append(refresh_token)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return Granted(
            access_token=f"T{len(self.given)}",
            expires_in=self.expires_in,
            refresh_token=self.refresh,
            about={"api_domain": "https://api.example"},
        )


def tokens(store: Store | None, authority: Authority, **options: Any) -> Tokens:
    return Tokens("crm", lambda: store, authority, credentials="c", **options)


def turned(store: Store, **values: int) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(update(partner_token).values(**values))


def test_a_token_is_kept_with_what_came_beside_it_and_can_be_read_by_the_next_process(store: Store) -> None:
    authority = Authority()
    first = tokens(store, authority).get()
    second = tokens(store, authority).get()
    assert (second.access_token, second.about) == ("T1", {"api_domain": "https://api.example"})
    assert abs(first.expires_at - time.time() - 3540) < 60
    assert "T1" not in repr(first)


def test_a_token_is_replaced_before_it_ends(store: Store) -> None:
    authority = Authority()
    tokens(store, authority).get()
    turned(store, expires_at=host_clock() - SECOND)
    assert tokens(store, authority).get().access_token == "T2"


def test_a_refresh_token_that_was_replaced_is_used_from_then_on(store: Store) -> None:
    authority = Authority(refresh="R2")
    found = tokens(store, authority).get()
    authority.refresh = ""
    for _ in range(2):
        found = tokens(store, authority).renewed(found)
    assert authority.given == ["", "R2", "R2"]
    memory = tokens(None, authority)
    authority.refresh = "R9"
    memory.renewed(memory.get())
    assert authority.given[-2:] == ["", "R9"]


@pytest.mark.parametrize("with_store", [True, False])
def test_no_more_tokens_are_asked_for_than_the_authority_gives(store: Store, with_store: bool) -> None:
    authority = Authority()
    given = tokens(store if with_store else None, authority, most=3, within=600)
    found: Token | None = None
    for _ in range(3):
        found = given.renewed(found)
    with pytest.raises(Unavailable, match="3 access tokens") as caught:
        given.renewed(found)
    assert 500 < (caught.value.retry_after or 0) <= 600
    assert len(authority.given) == 3


def test_who_dies_while_asking_is_taken_over_from_when_its_time_is_over(store: Store) -> None:
    authority = Authority()
    with store.transaction() as transaction:
        row = partner_tokens.lock(transaction.session, "crm", tokens(store, authority)._credentials)
        partner_tokens.ask(transaction.session, row, lease_until=row.now + 9 * SECOND, requested=[row.now])
    with pytest.raises(Unavailable, match="Another process"):
        tokens(store, authority, patience=0.1).get()
    turned(store, lease_until=host_clock() - SECOND)
    assert tokens(store, authority, patience=0.1).get().access_token == "T1"


def test_who_was_taken_over_from_does_not_overwrite_what_came_since(store: Store) -> None:
    slow, fast = Authority(), Authority()

    def overtake() -> None:
        turned(store, lease_until=host_clock() - SECOND)
        fast.given.append("")
        tokens(store, fast).get()

    slow.meanwhile = overtake
    assert tokens(store, slow).get().access_token == "T1"
    assert tokens(store, slow).get().access_token == "T2"


def test_a_mistake_while_asking_frees_the_place(store: Store) -> None:
    authority = Authority()
    authority.error = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError):
        tokens(store, authority).get()
    authority.error = None
    assert tokens(store, authority, patience=0.1).get().access_token == "T2"


def test_a_store_that_cannot_be_used_means_that_nothing_was_sent() -> None:
    with pytest.raises(NotSent, match="could not be kept"):
        tokens(Store("sqlite:////nowhere/at/all.sqlite"), Authority()).get()


def test_what_is_kept_is_sealed_where_the_store_is(store: Store) -> None:
    class Cipher:
        def seal(self, plain: bytes, place: str) -> bytes:
            return b"\0SB\x01" + plain[::-1]

        def open(self, kept: bytes, place: str) -> bytes:
            assert place == "partner_token/content/crm"
            return kept[4:][::-1]

        def refresh(self) -> None:
            pass

    store.cipher = Cipher()
    tokens(store, Authority()).get()
    with store.reading() as session:
        kept = session.execute(select(partner_token.c.content)).scalar_one()
    assert kept is not None
    assert kept.startswith("sealed:")
    assert tokens(store, Authority()).get().access_token == "T1"
