from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bridge.erp.tables import item
from bridge.errors import StoreBusy, StoreError
from bridge.store import Store, Transaction, schema
from bridge.store import sqlite as sqlite_store


def put(store: Store, sku: str) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku=sku, unit="H87", created_at=0))


def skus(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.execute(select(item.c.sku).order_by(item.c.sku)).scalars())


def test_leaving_commits_and_an_exception_rolls_back(store: Store) -> None:
    put(store, "kept")
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="lost", unit="H87", created_at=0))
        raise ZeroDivisionError
    assert skus(store) == ["kept"]


def test_a_transaction_opens_at_first_use_and_can_be_used_again_after_a_rollback(store: Store) -> None:
    with store.transaction() as transaction:
        assert not transaction.is_open
        assert transaction.reading.execute(select(item)).all() == []
        assert not transaction.is_open
        transaction.session.execute(insert(item).values(sku="lost", unit="H87", created_at=0))
        assert transaction.is_open
        transaction.rollback()
        assert not transaction.is_open
        transaction.session.execute(insert(item).values(sku="kept", unit="H87", created_at=0))
    assert skus(store) == ["kept"]


def test_reading_inside_a_transaction_sees_what_it_has_written(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="mine", unit="H87", created_at=0))
        assert transaction.reading.execute(select(item.c.sku)).scalars().all() == ["mine"]
        assert skus(store) == []  # and others do not


def test_a_reader_keeps_its_snapshot_while_others_write(store: Store) -> None:
    put(store, "a")
    with store.reading() as session:
        assert len(session.execute(select(item)).all()) == 1
        put(store, "b")
        assert len(session.execute(select(item)).all()) == 1
    assert skus(store) == ["a", "b"]


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only"), store.reading() as session:
        session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
    put(store, "b")
    assert skus(store) == ["b"]


def test_a_handlers_commit_and_rollback_end_only_its_savepoint(store: Store) -> None:
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
        transaction.session.commit()
        raise ZeroDivisionError
    assert skus(store) == []
    with store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="b", unit="H87", created_at=0))
        transaction.session.commit()
        transaction.session.execute(insert(item).values(sku="c", unit="H87", created_at=0))
        transaction.session.rollback()
    assert skus(store) == ["b"]


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    sku: Mapped[str] = mapped_column(primary_key=True)
    unit: Mapped[str]
    created_at: Mapped[int]


def test_orm_objects_are_flushed_before_the_commit(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.session.add(Item(sku="a", unit="H87", created_at=0))
    with store.reading() as session:
        found = session.get(Item, "a")
        assert found is not None
        assert found.unit == "H87"


def test_a_session_cannot_be_used_after_its_transaction(store: Store) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
    with pytest.raises(StoreError, match="has ended"):
        session.execute(insert(item).values(sku="b", unit="H87", created_at=0))
    assert skus(store) == ["a"]


def test_a_failed_statement_rolls_back_everything(store: Store) -> None:
    put(store, "a")
    with suppress(IntegrityError), store.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="b", unit="H87", created_at=0))
        transaction.session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
    assert skus(store) == ["a"]
    put(store, "c")


def test_twenty_threads_that_read_and_write_lose_nothing(store: Store) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                put(store, f"{number:02}-{turn}")
                assert f"{number:02}-{turn}" in skus(store)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(skus(store)) == 100


# -- SQLite alone


@pytest.fixture
def lite(sqlite_url: str) -> Store:
    store = Store(sqlite_url, wait=0.2)
    store.migrate()
    return store


def test_the_file_and_its_folder_are_for_the_owner_only(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/data/bridge.sqlite")
    store.migrate()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data/bridge.sqlite").stat().st_mode) == 0o600
    store.close()


def test_commits_are_synced_and_foreign_keys_hold(lite: Store) -> None:
    with lite.transaction() as transaction:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert transaction.session.execute(text(f"PRAGMA {pragma}")).scalar() == value
    lite.close()


def test_opening_another_connection_keeps_the_locks_of_the_first(lite: Store, tmp_path: Path) -> None:
    # SQLite's sign that a file is in use: a shared lock on 510 bytes from 0x40000002. Closing any descriptor of
    # the file would drop it, and another process would then clear away the log under this one's feet.
    put(lite, "a")
    with lite.reading(), lite.reading() as session:
        assert session.execute(select(item.c.sku)).scalars().all() == ["a"]
    script = (
        "import fcntl, sys; handle = open(sys.argv[1], 'r+b')\n"
        "fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)\n"
    )
    run = [sys.executable, "-c", script, str(tmp_path / "bridge.sqlite")]
    assert b"BlockingIOError" in subprocess.run(run, capture_output=True, timeout=30, check=False).stderr
    lite.close()
    assert subprocess.run(run, capture_output=True, timeout=30, check=False).returncode == 0


def test_a_writer_that_waits_too_long_is_told_that_repeating_is_safe(lite: Store) -> None:
    with lite.transaction() as transaction:
        transaction.session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
        caught: list[BaseException] = []

        def other() -> None:
            try:
                put(lite, "b")
            except StoreBusy as error:
                caught.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        assert len(caught) == 1
        assert caught[0].repeat == "safe"  # type: ignore[attr-defined]
    put(lite, "c")
    assert skus(lite) == ["a", "c"]
    lite.close()


def test_a_thread_that_would_wait_for_itself_is_told_so_at_once(lite: Store) -> None:
    with lite.transaction() as outer:
        outer.session.execute(text("SELECT 1"))
        with pytest.raises(StoreBusy, match="open already"):
            put(lite, "b")
    lite.close()


def test_a_file_held_by_another_process_is_reported_as_busy(lite: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "bridge.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="another process"):
        put(lite, "a")
    other.execute("ROLLBACK")
    other.close()
    put(lite, "a")
    lite.close()


def test_one_process_checkpoints_and_the_other_only_when_the_first_no_longer_does(
    lite: Store, sqlite_url: str
) -> None:
    script = (
        "import sys; from bridge.store import Store; from sqlalchemy import text; store = Store(sys.argv[1])\n"
        "with store.transaction() as t: print(t.session.execute(text('PRAGMA wal_autocheckpoint')).scalar())\n"
    )
    run = [sys.executable, "-c", script, sqlite_url]
    env = {**os.environ, "PYTHONPATH": str(Path(sqlite_store.__file__).parents[2])}
    beside = subprocess.run(run, capture_output=True, text=True, env=env, check=True, timeout=30)
    assert int(beside.stdout) == sqlite_store.BACKSTOP_PAGES
    lite.close()
    alone = subprocess.run(run, capture_output=True, text=True, env=env, check=True, timeout=30)
    assert int(alone.stdout) == sqlite_store.CHECKPOINT_PAGES


def test_the_write_ahead_log_does_not_grow_without_end(lite: Store, tmp_path: Path) -> None:
    blob = "x" * 50_000
    for number in range(300):
        put(lite, f"{number}-{blob}")
    assert (tmp_path / "bridge.sqlite-wal").stat().st_size < 3 * sqlite_store.CHECKPOINT_PAGES * 4096
    lite.close()


@pytest.mark.parametrize(
    ("version", "warned"), [((3, 51, 2), True), ((3, 51, 3), False), ((3, 53, 0), False)]
)
def test_an_sqlite_with_the_wal_reset_bug_is_warned_of(
    lite: Store, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], warned: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert bool(lite.warnings()) is warned
    lite.close()


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    with pytest.raises(StoreError, match=r"damaged or no SQLite file"):
        Store(f"sqlite:///{tmp_path}/notes.txt").migrate()


def test_waiting_writers_are_served_in_the_order_they_came(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    store.migrate()
    served: list[int] = []

    def write(number: int) -> None:
        with store.transaction() as transaction:
            transaction.session.execute(text("SELECT 1"))
            served.append(number)

    with store.transaction() as transaction:
        transaction.session.execute(text("SELECT 1"))
        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
    for thread in threads:
        thread.join(10)
    assert served == list(range(8))
    store.close()


def queue_up(store: Store, work: list[Callable[[Transaction], None]]) -> list[BaseException | None]:
    """Run everything at once behind one transaction that makes them wait; the error of each, None for none."""
    ends: dict[int, BaseException | None] = {}

    def run(number: int) -> None:
        try:
            store.run(work[number])
            ends[number] = None
        except Exception as error:
            ends[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    with store.transaction() as transaction:
        transaction.session.execute(text("SELECT 1"))
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while len(store._database._lock._waiting) < len(work) and time.monotonic() < until:  # type: ignore[attr-defined]
            time.sleep(0.001)
        transaction.rollback()  # not one of those who share the commit
    for thread in threads:
        thread.join(10)
    return [ends[number] for number in range(len(work))]


def add(sku: str) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        transaction.session.execute(insert(item).values(sku=sku, unit="H87", created_at=0))

    return work


@pytest.fixture
def grouping(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose writers share commits however slow this machine is."""
    monkeypatch.setattr(sqlite_store, "SLOW_SECONDS", 60)
    monkeypatch.setattr(sqlite_store, "GROUP_SECONDS", 60)
    store = Store(sqlite_url)
    store.migrate()
    return store


def test_writers_that_queue_share_commits(grouping: Store) -> None:
    store = grouping
    before = store._database._commits  # type: ignore[attr-defined]
    assert queue_up(store, [add(f"{number}") for number in range(8)]) == [None] * 8
    assert store._database._commits == before + 1  # type: ignore[attr-defined]
    assert skus(store) == [f"{number}" for number in range(8)]
    store.close()


def test_one_that_fails_in_a_shared_commit_takes_nobody_with_it(grouping: Store) -> None:
    store = grouping

    def fail(transaction: Transaction) -> None:
        add("lost")(transaction)
        raise ZeroDivisionError

    ends = queue_up(store, [add("a"), fail, add("b"), fail])
    assert [type(end) for end in ends] == [type(None), ZeroDivisionError, type(None), ZeroDivisionError]
    assert skus(store) == ["a", "b"]
    store.close()


def test_when_a_shared_commit_fails_only_the_culprit_does(grouping: Store) -> None:
    store = grouping

    def break_at_commit(transaction: Transaction) -> None:
        transaction.session.execute(text("PRAGMA defer_foreign_keys = ON"))
        transaction.session.execute(text("INSERT INTO stock_balance VALUES ('NONE', 'NONE', 0, 0, 0, 1)"))

    first, culprit, last = queue_up(store, [add("a"), break_at_commit, add("b")])
    assert (first, last) == (None, None)
    assert isinstance(culprit, StoreError)
    assert "FOREIGN KEY" in str(culprit)
    assert skus(store) == ["a", "b"]
    store.close()


def test_after_a_slow_writer_everyone_commits_alone_for_a_while(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "PAUSE_SECONDS", 60)
    store = Store(sqlite_url)
    store.migrate()
    with store.transaction() as slow:
        slow.session.execute(text("SELECT 1"))
        time.sleep(2 * sqlite_store.SLOW_SECONDS)
    before = store._database._commits  # type: ignore[attr-defined]
    assert queue_up(store, [add("a"), add("b"), add("c")]) == [None] * 3
    assert store._database._commits == before + 3  # type: ignore[attr-defined]
    store.close()


# -- PostgreSQL alone


@pytest.mark.postgres
def test_a_connection_lost_before_the_commit_is_replaced_and_the_work_run_again(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    killer = Store(postgresql_url)
    runs = []

    def work(transaction: object) -> None:
        session = transaction.session  # type: ignore[attr-defined]
        backend = session.execute(text("SELECT pg_backend_pid()")).scalar()
        runs.append(backend)
        session.execute(insert(item).values(sku="a", unit="H87", created_at=0))
        if len(runs) == 1:
            with killer.transaction() as other:
                other.session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
            time.sleep(0.1)
            session.execute(text("SELECT 1"))

    store.run(work)
    assert len(set(runs)) == 2
    assert skus(store) == ["a"]
    store.close()
    killer.close()


@pytest.mark.postgres
def test_a_server_that_goes_away_while_a_process_starts_is_said_in_words(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(connection: Connection, *, shown: str) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    store = Store(postgresql_url)
    monkeypatch.setattr(schema, "prepare", lose)
    with pytest.raises(StoreError, match="was lost") as caught:
        store.prepare()
    assert "repeat" in (caught.value.advice or "")
    store.close()


@pytest.mark.postgres
def test_a_password_is_in_no_message_and_no_trace(postgresql_url: str) -> None:
    for url in (
        "postgresql+psycopg://bridge:hunter2@127.0.0.1:1/none",
        "postgresql://bridge@127.0.0.1:1/none?password=hunter2",
    ):
        store = Store(url, wait=2)
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            store.migrate()
        assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + repr(store) + store.shown
        assert "127.0.0.1" in store.shown


def test_a_store_that_is_dropped_closes_its_connections(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    store.migrate()
    with store.reading() as session:
        session.execute(text("SELECT 1"))
    database = store._database
    lanes = [database._writer, *database._idle_readers]  # type: ignore[attr-defined]
    opened = [lane.dbapi for lane in lanes]
    assert len(opened) == 2
    del store, database, lanes, session
    gc.collect()
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
