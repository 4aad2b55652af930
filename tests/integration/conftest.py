"""A real store for every test that asks: an SQLite file, and a PostgreSQL that comes out of a wheel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bridge.erp.sales.tables
import bridge.erp.tables  # noqa: F401 - puts its tables into the metadata
from bridge.store import Store
from tests.postgresql import database, empty


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: Any) -> Iterator[str]:
    """URL of a database with the tables, for all tests of a process that are content with an emptied one."""
    with database(postgresql_server) as url:
        store = Store(url)
        store.migrate()
        store.close()
        yield url


@pytest.fixture
def postgresql_url(migrated_postgresql: str) -> str:
    """A database with the tables, and nothing in them."""
    empty(migrated_postgresql)
    return migrated_postgresql


@pytest.fixture
def empty_postgresql_url(postgresql_server: Any) -> Iterator[str]:
    """A database without tables."""
    with database(postgresql_server) as url:
        yield url


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
