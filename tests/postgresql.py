"""Databases of the tests' PostgreSQL: made quickly, emptied quickly, gone when nobody needs them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_numbers = itertools.count(1)

# Tables that were never written to are passed over; a large one is truncated, which takes longer than to delete a few rows.
_EMPTY = """
DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 AND relname <> 'alembic_version'
  LOOP
    IF one.size > 1000000 THEN EXECUTE format('TRUNCATE %s CASCADE', one.name); ELSE EXECUTE format('DELETE FROM %s', one.name); END IF;
  END LOOP;
  FOR one IN SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences WHERE last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %s RESTART', one.name);
  END LOOP;
END $$
"""


@contextmanager
def database(server: Any) -> Iterator[str]:
    """URL of a new database, which is dropped at the end whoever is still connected."""
    name = f"test_{next(_numbers)}"
    with _connected(server) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield server.get_uri(database=name)
    with _connected(server) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def empty(url: str) -> None:
    """Remove all rows of all tables, but not which revision they are of, and begin their numbers again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '20s'")  # an earlier test left a transaction open
        connection.execute("SET session_replication_role = replica")  # in whatever order
        connection.execute(_EMPTY)


def _connected(server: Any) -> psycopg.Connection:
    return psycopg.connect(server.get_uri(database="postgres"), autocommit=True)
