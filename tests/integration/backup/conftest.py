"""A store on each database, what backs it up, and an empty store of the same kind to put a backup into."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from bridge.backup import Backups
from bridge.delivery.accept import accept
from bridge.erp.tables import item
from bridge.ids import new_exchange_id
from bridge.settings import Settings
from bridge.settings.sections import Data
from bridge.settings.security import Backup
from bridge.store import Store
from bridge.store.outbox import NewEntry
from bridge.store.tables import metadata

Backing = Callable[..., Backups]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "backup.key"
    file.write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    return file


@pytest.fixture
def settings(tmp_path: Path, key_file: Path) -> Settings:
    return Settings(
        data=Data(folder=tmp_path),
        backup=Backup(folder=tmp_path / "backups", key_file=key_file, keep=3),
    )


@pytest.fixture
def backing(settings: Settings) -> Backing:
    """Backups of a store, with settings of `[backup]` that a test gives."""

    def of(store: Store, **options: Any) -> Backups:
        return Backups(store, replace(settings, backup=replace(settings.backup, **options)))

    return of


@pytest.fixture
def backups(store: Store, backing: Backing) -> Backups:
    return backing(store)


@pytest.fixture
def other_url(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> str:
    """Where nothing is yet, on the same database."""
    if store.dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'other' / 'bridge.sqlite'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def other(other_url: str) -> Iterator[Store]:
    made = Store(other_url)
    yield made
    made.close()


class Contents:
    """What a store holds."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, *names: str) -> None:
        """Articles, all in one transaction."""
        with self.store.transaction() as transaction:
            for name in names:
                transaction.session.execute(insert(item).values(sku=name, unit="H87", created_at=0))

    def skus(self) -> list[str]:
        with self.store.reading() as session:
            return list(session.scalars(select(item.c.sku).order_by(item.c.sku)))

    def send(self, partner: str, payload: str = "<order/>") -> None:
        """A document that must still leave."""
        with self.store.transaction() as transaction:
            accept(self.store, transaction, NewEntry(new_exchange_id(), partner, "K", "Put", payload))

    def all(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.store.reading() as session:
            return {
                name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
                for name, table in metadata.tables.items()
            }


@pytest.fixture
def held(store: Store) -> Contents:
    return Contents(store)


@pytest.fixture
def restored(other: Store) -> Contents:
    """What is in the other store."""
    return Contents(other)
