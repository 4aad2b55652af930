from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text

import bridge.erp.shipped  # noqa: F401 - every module's tables
import bridge.erp.tables as erp_tables
from bridge.errors import StoreError
from bridge.store import Store, schema
from bridge.store.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgresql_url"
    url: str = request.getfixturevalue(name)
    return url


def set_revision(store: Store, revision: str) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_a_store_without_tables_is_refused_with_the_command_that_makes_them(empty_url: str) -> None:
    store = Store(empty_url)
    with pytest.raises(StoreError, match="Run `soapbridge migrate`"), store.reading():
        pass
    store.close()


def test_migrating_makes_every_table_the_program_knows_and_no_other(empty_url: str) -> None:
    store = Store(empty_url)
    store.migrate()
    with store.transaction() as transaction:
        context = MigrationContext.configure(
            transaction.session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        tables = set(inspect(transaction.session.connection()).get_table_names())
    assert tables == {*metadata.tables, "alembic_version"}
    store.close()


def test_migrating_again_changes_nothing_and_keeps_the_data(empty_url: str) -> None:
    store = Store(empty_url)
    store.migrate()
    with store.transaction() as transaction:
        transaction.session.execute(insert(erp_tables.item).values(sku="a", unit="H87", created_at=0))
    store.migrate()
    with store.reading() as session:
        assert session.execute(text("SELECT count(*) FROM item")).scalar() == 1
    store.close()


def test_a_schema_that_is_too_new_is_refused_with_advice_and_left_alone(empty_url: str) -> None:
    store = Store(empty_url)
    store.migrate()
    set_revision(store, "9999")
    store.close()
    store = Store(empty_url)
    with pytest.raises(
        StoreError, match=r"too new: it is at revision 9999.*pip install --upgrade soapbridge"
    ):
        store.check()
    with pytest.raises(StoreError, match="too new"):
        store.migrate()
    store.close()


def test_a_schema_that_is_too_old_is_refused_with_the_command(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(empty_url)
    store.migrate()
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9000"))
    monkeypatch.setattr(schema, "HEAD", "9000")
    with pytest.raises(StoreError, match=r"too old.*Make a backup, then run `soapbridge migrate`"):
        store.check()
    store.close()


def test_preparing_makes_the_tables_of_an_empty_database_and_upgrades_none(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(empty_url)
    store.prepare()
    store.check()
    store.prepare()
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9000"))
    monkeypatch.setattr(schema, "HEAD", "9000")
    with pytest.raises(StoreError, match=r"too old.*Make a backup, then run `soapbridge migrate`"):
        store.prepare()
    store.close()


def test_a_migration_that_fails_half_way_leaves_nothing(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def upgrade_then_fail(*args: Any, **kwargs: Any) -> None:
        upgrade(*args, **kwargs)
        raise RuntimeError("power cut")

    monkeypatch.setattr(command, "upgrade", upgrade_then_fail)
    store = Store(empty_url)
    with pytest.raises(RuntimeError, match="power cut"):
        store.migrate()
    monkeypatch.undo()
    with store._database.writing().connection as connection:  # type: ignore[attr-defined]
        assert inspect(connection).get_table_names() == []
    store.close()


def test_two_that_migrate_at_once_take_turns(empty_url: str) -> None:
    errors: list[BaseException] = []

    def migrate() -> None:
        store = Store(empty_url)
        try:
            store.migrate()
        except BaseException as error:
            errors.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors


def test_the_revisions_the_program_names_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([one.revision for one in scripts.walk_revisions()])) == schema.REVISIONS
