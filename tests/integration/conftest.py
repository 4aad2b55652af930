"""A real store for every test that asks: an SQLite file, and a PostgreSQL that comes out of a wheel."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import bridge.erp.sales.tables
import bridge.erp.tables  # noqa: F401 - puts its tables into the metadata
from bridge.store import Store
from bridge.store.tables import metadata

_databases = itertools.count(1)


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: Any) -> Any:
    """The server, with a database `migrated` to copy."""
    postgresql_server.psql("CREATE DATABASE migrated")
    template = Store(postgresql_server.get_uri(database="migrated"))
    template.migrate()
    template.close()
    return postgresql_server


@pytest.fixture(scope="session")
def shared_postgresql_url(migrated_postgresql: Any) -> str:
    return _database(migrated_postgresql, "migrated")


@pytest.fixture
def emptied_postgresql_url(shared_postgresql_url: str) -> str:
    """One database for all tests that take this, emptied: making one takes half a second, and these are many."""
    with psycopg.connect(shared_postgresql_url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '20s'")  # an earlier test left a transaction open
        connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE")
    return shared_postgresql_url


@pytest.fixture
def empty_postgresql_url(postgresql_server: Any) -> str:
    """A database without tables."""
    return _database(postgresql_server, "template1")


@pytest.fixture
def postgresql_url(migrated_postgresql: Any) -> str:
    """A database with the tables."""
    return _database(migrated_postgresql, "migrated")


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
