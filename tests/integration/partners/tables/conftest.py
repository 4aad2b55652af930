"""Databases of a partner's, on each engine, and partners made of a file's text."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.settings import Partner as Options
from bridge.soap.limits import DEFAULT
from tests.postgresql import database

_numbers = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Theirs:
    """The partner's own way into its database: what it does there is not ours."""

    dialect: str
    url: str

    @functools.cached_property
    def engine(self) -> Engine:
        return create_engine(self.url)

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Theirs:
    """An empty database on each engine."""
    return made(request.param, request, tmp_path)


@pytest.fixture(params=["postgresql", "mysql"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Theirs:
    """An empty database on each engine that is a server."""
    return made(request.param, request, tmp_path)


def made(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Theirs:
    found = _made(dialect, request, folder)
    request.addfinalizer(lambda: found.engine.dispose())
    return found


def _made(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Theirs:
    name = f"theirs_{next(_numbers)}"
    if dialect == "sqlite":
        file = folder / "theirs.sqlite"
        sqlite3.connect(file).close()
        return Theirs(dialect, f"sqlite:///{file}")
    if dialect == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        stack = ExitStack()
        request.addfinalizer(stack.close)
        uri = stack.enter_context(database(server))
        return Theirs(dialect, uri.replace("postgresql://", "postgresql+psycopg://"))
    server = request.getfixturevalue("mariadb_server")
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    return Theirs(dialect, server.url(name))


Make = Callable[..., EntityPartner]


@pytest.fixture
def partner_of(tmp_path: Path) -> Iterator[Make]:
    """`partner_of(kind, theirs, text)`: a partner described by that text."""
    made: list[EntityPartner] = []

    def make(kind: str, theirs: Theirs, described: str, **options: Any) -> EntityPartner:
        file = tmp_path / f"partner-{next(_numbers)}.toml"
        file.write_text(described, "utf-8")
        settings = Options(kind=kind, entities=file, database=theirs.url, **options)  # type: ignore[arg-type]
        found = entities.read(file)
        backend = kinds.backend(kinds.Setting("crm", settings, found, DEFAULT, lambda: None))
        partner = EntityPartner("crm", settings, found.entities, backend)
        made.append(partner)
        return partner

    yield make
    for partner in made:
        partner.close()
