"""Backups of both databases, proved by putting them back."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, delete, select, text

from bridge import backup as backup_module
from bridge.backup import BackupKey, Backups, listing, postgresql, sqlite, tools
from bridge.errors import SettingsError, StoreBusy, StoreError
from bridge.store import Store, Transaction, schema
from bridge.store.tables import act, metadata, partner_gate

Backing = Callable[..., Backups]


def test_what_is_put_back_is_every_row_of_every_table(
    backups: Backups, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    held.add("S-1", "S-2")
    held.send("crm", "<order>größer 大</order>")
    before = held.all()
    made = backups.make()
    held.add("after")
    done = backing(other).restore(made.file, hold=False)
    assert restored.all() == before
    assert made.summary.rows["item"] == 2
    assert (done.kept, done.held, done.migrated_from) == (None, (), None)
    restored.add("goes on")
    other.check()


def test_a_backup_taken_while_others_write_is_one_moment_of_theirs(
    store: Store, backups: Backups, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    stop, written, failed = threading.Event(), itertools.count(), []

    def write(writer: int) -> None:
        try:
            for number in itertools.count():
                if stop.is_set():
                    return
                held.add(f"{writer}-{number}-a", f"{writer}-{number}-b")  # both or neither
                next(written)
                time.sleep(0.01)  # four of them: more than 200 writes a second where the machine lets them
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in writers:
        one.start()
    try:
        while next(written) < 100:
            time.sleep(0.01)
        before = len(held.skus())
        made = backups.make()
        after = len(held.skus())
    finally:
        stop.set()
        for one in writers:
            one.join()
    assert not failed
    assert after > before, "nobody wrote meanwhile"
    backing(other).restore(made.file)
    found = restored.skus()
    assert before <= len(found) <= after
    assert {sku[:-2] for sku in found if sku.endswith("a")} == {
        sku[:-2] for sku in found if sku.endswith("b")
    }
    # Of each writer all up to some number: a moment has no gaps.
    for writer in range(4):
        numbers = sorted(
            int(sku.split("-")[1]) for sku in found if sku.startswith(f"{writer}-") and sku[-1] == "a"
        )
        assert numbers == list(range(len(numbers)))


def test_no_word_of_the_store_is_in_the_file_or_left_beside_it(
    backups: Backups, held: Any, tmp_path: Path
) -> None:
    held.send("crm", "<order>pomegranate</order>")
    made = backups.make()
    assert b"pomegranate" not in made.file.read_bytes()
    assert made.file.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("*-backup-*"))
    assert [one.name for one in made.file.parent.iterdir()] == [made.file.name]


def test_a_store_that_is_not_empty_is_left_as_it_is(
    store: Store, backups: Backups, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    held.add("old")
    made = backups.make()
    other.prepare()
    restored.add("new")
    other.close()
    with pytest.raises(SettingsError, match=r"not empty.*--overwrite"):
        backing(other).restore(made.file)
    assert restored.skus() == ["new"]


def test_a_store_that_is_not_empty_is_replaced_when_told(
    store: Store, backups: Backups, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    held.add("old")
    made = backups.make()
    other.prepare()
    restored.add("new")
    with other.transaction() as transaction:
        transaction.session.execute(text("CREATE TABLE of_a_later_version (x INTEGER)"))
        transaction.session.execute(text("CREATE VIEW of_them AS SELECT * FROM of_a_later_version"))
    done = backing(other).restore(made.file, overwrite=True)
    assert restored.skus() == ["old"]
    with other.reading() as session:
        names = session.connection().dialect.get_table_names(session.connection())
    assert "of_a_later_version" not in names
    if other.dialect == "sqlite":
        assert done.kept is not None
        assert done.kept.stat().st_mode & 0o077 == 0
        with closing(sqlite3.connect(done.kept)) as kept:
            assert kept.execute("SELECT sku FROM item").fetchall() == [("new",)]


def test_a_store_that_somebody_uses_is_left_as_it_is(
    store: Store, backups: Backups, held: Any, other_url: str, other: Store, restored: Any, backing: Backing
) -> None:
    made = backups.make()
    other.prepare()
    restored.add("new")
    other.close()
    somebody = Store(other_url)
    somebody.check()
    try:
        with pytest.raises(StoreBusy, match="nothing was changed"):
            backing(other).restore(made.file, overwrite=True)
    finally:
        somebody.close()
    assert restored.skus() == ["new"]


def test_a_partner_that_something_is_open_for_is_held_until_a_person_has_looked(
    backups: Backups, held: Any, other: Store, backing: Backing
) -> None:
    held.send("crm")
    held.send("backoffice")
    made = backups.make()
    done = backing(other).restore(made.file, who="mei")
    assert done.held == ("backoffice", "crm")
    with other.reading() as session:
        gates = dict(session.execute(select(partner_gate.c.partner, partner_gate.c.held_because)).all())
        acts = session.execute(select(act.c.who, act.c.verb, act.c.partner).order_by(act.c.id)).all()
    assert set(gates) == {"backoffice", "crm"}
    assert all(made.file.name in because for because in gates.values())
    assert [tuple(row) for row in acts] == [("mei", "hold", "backoffice"), ("mei", "hold", "crm")]


def test_an_older_schema_is_put_back_only_to_be_migrated(
    other: Store, restored: Any, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = schema.REVISIONS[-2]
    link = other._database
    with Transaction(link.writing, link.reading) as transaction:
        _migrate(transaction.session.connection(), older)
    monkeypatch.setattr(Store, "check", lambda self: None)  # as the older program would have seen it
    restored.add("S-1")
    restored.send("crm")
    monkeypatch.undo()
    made = backing(other).make()  # by this program: before it migrates
    assert made.header.revision == older
    with pytest.raises(SettingsError, match="--migrate"):
        backing(other).restore(made.file, overwrite=True)
    done = backing(other).restore(made.file, overwrite=True, migrate=True)
    assert (done.migrated_from, done.held) == (older, ("crm",))
    other.check()
    assert restored.skus() == ["S-1"]


def _migrate(connection: Connection, revision: str) -> None:
    config = Config()
    place = str(Path(schema.__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", place)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _set_revision(store: Store, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "check", lambda self: None)
        with store.transaction() as transaction:
            transaction.session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))


def test_a_newer_schema_is_refused_with_the_version_that_made_it(
    store: Store, backups: Backups, other: Store, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_revision(store, "9999", monkeypatch)
    made = backups.make()
    with pytest.raises(SettingsError, match=r"9999.*newer.*later one"):
        backing(other).restore(made.file, migrate=True)
    _set_revision(store, schema.HEAD, monkeypatch)


def test_rows_that_are_not_what_was_counted_undo_the_whole_restore(
    store: Store,
    backups: Backups,
    held: Any,
    other: Store,
    restored: Any,
    backing: Backing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held.add("old")
    counting = sqlite if store.dialect == "sqlite" else postgresql
    real = counting.revision_and_rows
    monkeypatch.setattr(counting, "revision_and_rows", lambda at: (real(at)[0], real(at)[1] | {"item": 7}))
    made = backups.make()
    monkeypatch.undo()
    other.prepare()
    restored.add("new")
    with pytest.raises(StoreError, match="not the rows that were counted: item"):
        backing(other).restore(made.file, overwrite=True)
    assert restored.skus() == ["new"]


def test_a_changed_byte_is_found_before_anything_is_touched(
    store: Store, backups: Backups, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    held.add("old")
    made = backups.make()
    changed = bytearray(made.file.read_bytes())
    changed[-1] ^= 1  # the last one: all that comes before is well
    made.file.write_bytes(changed)
    other.prepare()
    restored.add("new")
    other.close()
    with pytest.raises(StoreError, match="was changed"):
        backing(other).restore(made.file, overwrite=True)
    with pytest.raises(StoreError, match="was changed"):
        backups.verify(made.file)
    assert restored.skus() == ["new"]


def test_a_backup_is_verified_by_the_database_s_own_tools(
    backups: Backups, held: Any, tmp_path: Path
) -> None:
    held.add("S-1")
    made = backups.make()
    checked = backups.verify(made.file)
    assert checked.in_full
    assert checked.summary == made.summary
    assert not list(tmp_path.glob(".verify-*"))


def test_only_the_newest_are_kept_and_nothing_else_is_touched(backups: Backups, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    stranger = folder / "of-another-program.backup"
    stranger.write_text("not ours")
    made = [backups.make() for _ in range(4)]
    left = [one.file for one in listing(folder)]
    assert len(left) == 3
    assert made[-1].file in left
    assert [len(one.removed) for one in made] == [0, 0, 0, 1]
    assert stranger.exists()


def test_a_file_that_is_there_is_not_overwritten_and_one_that_failed_leaves_none(
    backups: Backups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine" / "once.backup"
    backups.make(file)
    with pytest.raises(SettingsError, match="already"):
        backups.make(file)

    def fail(*_: Any) -> None:
        raise StoreError("no room")

    monkeypatch.setattr(backup_module.BackupWriter, "end", fail)
    with pytest.raises(StoreError, match="no room"):
        backups.make(tmp_path / "mine" / "twice.backup")
    assert [one.name for one in file.parent.iterdir()] == ["once.backup"]


def test_another_key_opens_nothing_and_is_named(backups: Backups, other: Store, backing: Backing) -> None:
    made = backups.make()
    wrong = BackupKey(b"w" * 32)
    with pytest.raises(SettingsError, match=f"{made.header.key_id}.*{wrong.id}"):
        backing(other).restore(made.file, key=wrong)
    with pytest.raises(SettingsError, match="no key is given"):
        backing(other, key_file=None).restore(made.file)


def test_without_a_key_none_is_made_unless_it_may_be_plain(
    store: Store, held: Any, other: Store, restored: Any, backing: Backing
) -> None:
    held.add("S-1")
    keyless = backing(store, key_file=None)
    with pytest.raises(SettingsError, match="no key to encrypt"):
        keyless.make()
    made = keyless.make(plain=True)
    assert made.header.key_id == ""
    with pytest.raises(SettingsError, match="not encrypted"):
        backing(other).restore(made.file)
    backing(other, key_file=None, plain=True).restore(made.file)
    assert restored.skus() == ["S-1"]


def test_what_is_wrong_with_backups_is_said_before_one_is_needed(
    store: Store, backups: Backups, backing: Backing
) -> None:
    assert "no backup" in backups.warnings()[0]
    backups.make()
    assert backups.warnings() == []
    assert "3 days old" in backups.warnings(datetime.now(UTC) + timedelta(days=3, minutes=5))[0]
    assert "no key" in backing(store, key_file=None).warnings()[0]
    assert "not encrypted" in backing(store, key_file=None, plain=True).warnings()[0]
    if store.dialect == "postgresql":
        assert "pg_dump" in backing(store, tools=Path("/nowhere")).warnings()[0]


# -- one database alone


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.02])
def test_a_restore_that_is_killed_at_any_moment_leaves_the_old_store_or_the_new_one(
    tmp_path: Path, migrated_sqlite: Path, backing: Backing, key_file: Path, delay: float
) -> None:
    file = tmp_path / "bridge.sqlite"
    shutil.copyfile(migrated_sqlite, file)
    with closing(sqlite3.connect(file)) as contents:
        contents.execute("INSERT INTO item (sku, unit, created_at) VALUES ('new', 'H87', 0)")
        contents.execute(
            "CREATE TABLE bulk AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
            "SELECT i, hex(randomblob(400)) AS filling FROM n"
        )
        contents.commit()
    store = Store(f"sqlite:///{file}")
    made = backing(store).make()
    store.close()
    with closing(sqlite3.connect(file)) as contents:
        contents.execute("UPDATE item SET sku = 'old'")
        contents.execute("UPDATE bulk SET filling = 'old'")
        contents.commit()
    _kill_while_it_overwrites(file, made.file, key_file, delay)
    with closing(sqlite3.connect(file)) as contents:
        assert contents.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ((sku,),) = contents.execute("SELECT sku FROM item").fetchall()
        ((old,),) = contents.execute("SELECT count(*) FROM bulk WHERE filling = 'old'").fetchall()
    assert (sku, old) in {("old", 20_000), ("new", 0)}


def _kill_while_it_overwrites(file: Path, backup: Path, key_file: Path, delay: float) -> None:
    """Kill -9 so many seconds after it began to write into the store's file."""
    environ = {
        **os.environ,
        "SOAPBRIDGE_STORE_URL": f"sqlite:///{file}",
        "SOAPBRIDGE_BACKUP_KEY_FILE": str(key_file),
    }
    command = [sys.executable, "-m", "bridge", "restore", str(backup), "--overwrite"]
    with subprocess.Popen(command, env=environ, cwd=file.parent, stdout=subprocess.DEVNULL) as process:
        while not Path(f"{file}-journal").exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()


def test_a_damaged_sqlite_file_is_set_aside(
    tmp_path: Path, sqlite_url: str, migrated_sqlite: Path, backing: Backing
) -> None:
    source = Store(f"sqlite:///{migrated_sqlite}")
    made = backing(source).make()
    source.close()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.write_bytes(b"this was a store once" * 1000)
    target = Store(sqlite_url)
    done = backing(target).restore(made.file, overwrite=True)
    assert done.kept is not None
    assert done.kept.read_bytes().startswith(b"this was")
    target.check()
    target.close()


def test_what_a_killed_process_left_beside_the_store_is_removed_by_the_next(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    file = tmp_path / "bridge.sqlite"
    left = tmp_path / "bridge.sqlite-backup-abc"
    left.mkdir()
    (left / "store").write_text("every message")
    with sqlite.scratch(file) as scratch:
        assert not left.exists()
        with pytest.raises(StoreBusy), sqlite.scratch(file):
            pass
        assert scratch.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["bridge.sqlite-backup.lock"]


@pytest.mark.postgres
def test_neither_arguments_nor_environment_tell_the_password(
    postgresql_url: str, backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pg_dump that writes down what it was started with, in front of the real one."""
    store = Store(postgresql_url.replace("postgres:@", "postgres:s3cret@"))
    with store.reading() as session:
        real = tools.find(postgresql.place_of(session.get_bind()).major)
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in tools.NAMES:
        script = folder / name
        script.write_text(
            f'#!/bin/sh\nif [ "$1" != --version ]; then echo "$@" >>{tmp_path}/seen; env >>{tmp_path}/seen; fi\n'
            f'exec {real.path(name)} "$@"\n'
        )
        script.chmod(0o755)
    backing(store, tools=folder).make()
    store.close()
    seen = (tmp_path / "seen").read_text()
    assert "--snapshot=" in seen
    assert "s3cret" not in seen


@pytest.mark.postgres
def test_a_pg_restore_that_breaks_off_in_the_middle_changes_nothing(
    postgresql_url: str, empty_postgresql_url: str, backing: Backing, tmp_path: Path
) -> None:
    """psql is never given the end of a script that was not written to its end: it would commit it."""
    store, other = Store(postgresql_url), Store(empty_postgresql_url)
    made = backing(store).make()
    with store.reading() as session:
        real = tools.find(postgresql.place_of(session.get_bind()).major)
    store.close()
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in tools.NAMES:
        (folder / name).symlink_to(real.path(name))
    broken = folder / "pg_restore"
    broken.unlink()
    broken.write_text(f'#!/bin/sh\n{real.path("pg_restore")} "$@" | head -n 200\nexit 1\n')
    broken.chmod(0o755)
    with pytest.raises(StoreError, match="pg_restore failed"):
        backing(other, tools=folder).restore(made.file)
    with other.looking() as session:
        assert postgresql.tables(session.get_bind()) == []
    other.close()


@pytest.mark.postgres
def test_a_restore_that_is_killed_in_the_middle_changes_nothing(
    postgresql_url: str, empty_postgresql_url: str, backing: Backing, tmp_path: Path, key_file: Path
) -> None:
    """psql sees the end of what it reads then, and the script has not come to its COMMIT."""
    store, other = Store(postgresql_url), Store(empty_postgresql_url)
    made = backing(store).make()
    with store.reading() as session:
        real = tools.find(postgresql.place_of(session.get_bind()).major)
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in tools.NAMES:
        (folder / name).symlink_to(real.path(name))
    slow = folder / "pg_restore"
    slow.unlink()
    # Three tables, to the end of a statement, and then no more.
    cut = "awk '{print} /^CREATE TABLE/{n++} n >= 3 && /;$/{exit}'"
    slow.write_text(f'#!/bin/sh\n{real.path("pg_restore")} "$@" | {cut}\nexec sleep 5 >&-\n')
    slow.chmod(0o755)
    environ = {
        **os.environ,
        "SOAPBRIDGE_STORE_URL": empty_postgresql_url,
        "SOAPBRIDGE_BACKUP_KEY_FILE": str(key_file),
        "SOAPBRIDGE_BACKUP_TOOLS": str(folder),
    }
    command = [sys.executable, "-m", "bridge", "restore", str(made.file)]
    with subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while not _is_in_the_middle(store):  # from another database: the restore wants its own for itself
            assert process.poll() is None, "it ended before the middle"
            time.sleep(0.02)
        process.kill()
    store.close()
    _wait_until_alone(other)
    with other.looking() as session:
        assert postgresql.tables(session.get_bind()) == []
    other.close()


def _is_in_the_middle(store: Store) -> bool:
    """Whether psql has carried out what it was given, and waits for more."""
    with store.looking() as session:
        found = session.get_bind().execute(
            text("SELECT state, query FROM pg_stat_activity WHERE application_name = 'psql' ")
        )
        return any(state == "idle in transaction" and "public." in query for state, query in found)


def _wait_until_alone(store: Store) -> None:
    """Until psql has ended too."""
    for _ in range(500):
        with store.looking() as session:
            if not postgresql.others(session.get_bind()):
                return
        time.sleep(0.02)
    raise AssertionError("psql is still connected")


@pytest.mark.postgres
def test_tables_of_other_schemas_are_neither_copied_nor_touched(
    postgresql_url: str, empty_postgresql_url: str, backing: Backing
) -> None:
    store, other = Store(postgresql_url), Store(empty_postgresql_url)
    made = backing(store).make()
    with other.looking() as session:
        assert postgresql.tables(session.get_bind()) == []
    other.prepare()
    with other.transaction() as transaction:
        transaction.session.execute(text("CREATE SCHEMA payroll"))
        transaction.session.execute(text("CREATE TABLE payroll.salary (amount INTEGER)"))
        transaction.session.execute(text("INSERT INTO payroll.salary VALUES (1)"))
    backing(other).restore(made.file, overwrite=True)
    with other.transaction() as transaction:
        assert transaction.session.execute(text("SELECT amount FROM payroll.salary")).scalar() == 1
        transaction.session.execute(delete(metadata.tables["journal"]))
    store.close()
    other.close()
