"""Encryption at rest: after a whole flow, nothing of what was said is in the database in the clear, and everybody can still read it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from bridge.access.directory import Directory
from bridge.access.issuing import Issuing
from bridge.atrest import protect, rotation
from bridge.atrest.keyring import Keyring
from bridge.atrest.wrapping import WrappingKey
from bridge.errors import StoreError
from bridge.settings import AtRest, Caller, Settings
from bridge.store import Store
from bridge.store.cipher import MAGIC
from bridge.store.tables import metadata
from tests.integration.forwarding.conftest import Bench, cancel

Make = Callable[..., Bench]

SECRETS = ("geheim-verschlusssache", "北京机密")
# Not the order's number: it tells a repeat from a new request, and is looked for by the database.


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "wrapping.key"
    WrappingKey.new().write(file)
    return file


@pytest.fixture
def sealed(make: Make, key_file: Path) -> Bench:
    return make(settings={"at_rest": AtRest(key_file=key_file)}).forward(durable=True)


@contextmanager
def opening(url: str) -> Iterator[Store]:
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def everything(bench: Bench) -> bytes:
    """All that the database holds, as its files or its tables have it."""
    store = bench.bridge.store
    assert store is not None
    if store.file is not None:
        wal = Path(f"{store.file}-wal")
        return store.file.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
    pieces: list[bytes] = []
    with psycopg.connect(bench.url.replace("+psycopg", "")) as connection:
        for name in metadata.tables:
            for row in connection.execute(f'SELECT * FROM "{name}"').fetchall():
                pieces += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(pieces)


def requests(bench: Bench) -> list[str]:
    """A request that is accepted, a repeat of it, and one that breaks the contract; the ids of their exchanges."""
    good = cancel("O-1", SECRETS[0])
    answers = [
        bench.send(good),
        bench.send(good),
        bench.send(good.replace("<Order", "<Wrong>北京机密</Wrong><Order", 1)),
    ]
    assert [answer.status for answer in answers] == [200, 200, 500]
    assert answers[0].find("Tracking") == answers[1].find("Tracking")
    return [answer.exchange for answer in answers]


def test_without_a_key_what_was_said_is_there_to_be_found(make: Make) -> None:
    plain = make().forward(durable=True)
    requests(plain)
    assert all(secret.encode() in everything(plain) for secret in SECRETS)


def test_with_a_key_nothing_of_what_was_said_is_in_the_database_and_everybody_can_read_it(
    sealed: Bench,
) -> None:
    exchange, repeated, refused = requests(sealed)
    kept = everything(sealed)
    assert not [secret for secret in SECRETS if secret.encode() in kept]
    store = sealed.bridge.store
    assert store is not None
    entry = store.journal.show(exchange)
    assert entry is not None
    assert SECRETS[0].encode() in (entry.request or b"")
    assert entry.request_size == len(entry.request or b"")
    broken = store.journal.show(refused)
    assert broken is not None
    assert SECRETS[1] in str(broken.violations) + str(broken.fault_reason) + (broken.request or b"").decode()
    assert broken.violation_count
    assert {one.exchange_id for one in store.journal.find(SECRETS[0])} == {exchange, repeated, refused}
    assert store.journal.find("nobody said this") == ()
    ((entry_id,),) = sealed.rows("SELECT entry_id FROM outbox")
    assert SECRETS[0] in (sealed.bridge.deliveries.payload(entry_id) or ("", ""))[1]


def test_a_journal_that_is_partly_in_the_clear_is_read_and_searched_page_by_page(
    make: Make, sealed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.journal._SCANNED", 2)
    store = make().forward(durable=True)
    before = [store.send(cancel(f"O-{number}", "old")).exchange for number in range(3)]
    after = [sealed.send(cancel(f"O-{number}", "new")).exchange for number in range(3, 6)]
    journal = sealed.bridge.store.journal if sealed.bridge.store is not None else None
    assert journal is not None
    assert [one.exchange_id for one in journal.find("CancelOrder")] == [*after[::-1], *before[::-1]]
    assert [one.exchange_id for one in journal.find(">old<")] == before[::-1]
    newest = journal.find(">new<", limit=2)
    assert [one.exchange_id for one in newest] == after[:0:-1]
    assert [one.exchange_id for one in journal.find(">new<", before=newest[-1].id)] == after[:1]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE journal SET request = reply, reply = request", "changed or moved"),
        ("UPDATE journal SET request = substr(request, 1, length(request) - 1)", "changed or moved"),
    ],
)
def test_what_was_changed_or_moved_does_not_open(sealed: Bench, statement: str, message: str) -> None:
    exchange = sealed.send(cancel()).exchange
    store = sealed.bridge.store
    assert store is not None
    with store.transaction() as transaction:
        transaction.session.execute(text(statement))
    with pytest.raises(StoreError, match=message):
        store.journal.show(exchange)


def test_without_the_key_or_with_another_one_nothing_starts_and_nothing_is_lost(
    make: Make, sealed: Bench, tmp_path: Path
) -> None:
    exchange = sealed.send(cancel()).exchange
    other = tmp_path / "other.key"
    WrappingKey.new().write(other)
    with opening(sealed.url) as store:
        with pytest.raises(StoreError, match=r"settings give no key.*at_rest\.key_file"):
            protect(store, AtRest())
        with pytest.raises(StoreError, match="opens nothing of the store"):
            protect(store, AtRest(key_file=other))
    again = make(settings=sealed.settings)
    assert again.bridge.store is not None
    assert again.bridge.store.journal.show(exchange) is not None


def test_both_wrapping_keys_work_while_one_replaces_the_other_and_then_only_the_new_one(
    make: Make, sealed: Bench, tmp_path: Path
) -> None:
    first = sealed.send(cancel("O-1", "before")).exchange
    store = sealed.bridge.store
    assert store is not None
    new_file = tmp_path / "new.key"
    new = WrappingKey.new()
    new.write(new_file)
    keyring = store.cipher
    assert isinstance(keyring, Keyring)
    number = rotation.rotate(store, keyring, to=new)
    moved = make(settings={"at_rest": AtRest(key_file=new_file)}).forward(durable=True)
    second = moved.send(cancel("O-2", "during")).exchange  # a host with the new one
    third = sealed.send(cancel("O-3", "during")).exchange  # and one with the old one
    for bench in (moved, sealed):
        found = bench.bridge.store
        assert found is not None
        assert all(found.journal.show(one) for one in (first, second, third))
    moved_store = moved.bridge.store
    assert moved_store is not None
    assert isinstance(moved_store.cipher, Keyring)
    assert rotation.renew(moved_store, moved_store.cipher, days=0.0) is None, "not every host could open it"
    assert rotation.forget(moved_store, moved_store.cipher, keyring.wrapping.name) == number
    with opening(sealed.url) as late, pytest.raises(StoreError, match="opens nothing of the store"):
        protect(late, sealed.settings["at_rest"])
    assert moved_store.journal.show(first) is not None
    assert sealed.send(cancel("O-4", "a process that runs has its keys")).status == 200
    assert rotation.renew(moved_store, moved_store.cipher, days=0.0) == number + 1
    unreadable = moved.send(cancel("O-5", "after")).exchange
    with pytest.raises(StoreError, match="which the key of the settings"):
        store.journal.show(unreadable)


def test_what_was_in_the_clear_is_encrypted_while_others_write_and_after_an_interruption(
    make: Make, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH_ROWS", 3)
    plain = make().forward(durable=True)
    old = [plain.send(cancel(f"O-{number}", f"reason {number}")).exchange for number in range(20)]
    sealed = make(settings={"at_rest": AtRest(key_file=key_file)}).forward(durable=True)
    store = sealed.bridge.store
    assert store is not None
    assert isinstance(store.cipher, Keyring)
    keyring = store.cipher
    writing = threading.Event()
    wrong: list[object] = []

    def write() -> None:
        for number in range(20, 40):
            answer = sealed.send(cancel(f"O-{number}", "meanwhile"))
            if answer.status != 200:
                wrong.append(answer)
            writing.set()

    thread = threading.Thread(target=write)
    thread.start()
    writing.wait(10)
    steps: list[int] = []
    first = rotation.reencrypt(
        store,
        keyring,
        progress=lambda step: steps.append(step.rewritten),
        stopping=lambda: len(steps) >= 3,
        pause=0,
    )
    assert 0 < first["journal"] < 20, "it was interrupted"
    second = rotation.reencrypt(store, keyring, pause=0)
    thread.join(30)
    assert not wrong
    assert first["journal"] + second["journal"] == 20
    assert second["outbox"] == second["idempotency"] == 20
    assert sum(rotation.reencrypt(store, keyring, pause=0).values()) == 0
    heads = sealed.rows("SELECT substr(request, 1, 4) FROM journal")
    assert {bytes(head) for (head,) in heads} == {MAGIC}
    assert all((store.journal.show(one) or pytest.fail(one)).request for one in old)
    answer = sealed.send(cancel("O-7", "reason 7"))
    assert (answer.status, len(sealed.outbox)) == (200, 40), "a repeat is still known"


def test_a_password_for_digests_is_encrypted_anew_and_a_hash_is_left_alone(sealed: Bench) -> None:
    store = sealed.bridge.store
    assert store is not None
    assert isinstance(store.cipher, Keyring)
    issuing = Issuing(store, Settings(callers={"crm": Caller()}), who="mei")
    issuing.wss_password("crm", "correct horse battery staple")
    issuing.password("crm", "another quite long password")
    ((hash_before,),) = sealed.rows("SELECT secret FROM credential WHERE kind = 'password'")
    rotation.rotate(store, store.cipher)
    assert rotation.reencrypt(store, store.cipher, pause=0)["credential"] == 1
    ((hash_after,),) = sealed.rows("SELECT secret FROM credential WHERE kind = 'password'")
    assert hash_before == hash_after
    directory = Directory(Settings(callers={"crm": Caller()}), store)
    assert directory.wss_passwords("crm") == ["correct horse battery staple"]


def test_two_processes_that_begin_at_once_can_read_each_other(store_url: str, key_file: Path) -> None:
    stores = [Store(store_url) for _ in range(4)]
    rings: list[Any] = [None] * 4

    def begin(number: int) -> None:
        rings[number] = protect(stores[number], AtRest(key_file=key_file))

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for one in rings:
        for other in rings:
            assert other.open(one.seal(b"text", "here"), "here") == b"text"
    for one in stores:
        one.close()


def test_a_command_may_give_the_key(make: Make, key_file: Path) -> None:
    command = AtRest(key_command=f"cat {key_file}")
    bench = make(settings={"at_rest": command}).forward(durable=True)
    assert bench.send(cancel()).status == 200
    from_file = make(settings={"at_rest": replace(command, key_command="", key_file=key_file)})
    assert from_file.bridge.store is not None
    assert from_file.bridge.store.journal.list()
    assert key_file.stat().st_mode & 0o077 == 0
