"""A system that customers are sent to, for `modes`: one table of a PostgreSQL database, reached in four ways that cost it the same work.

    python -m benchmarks.serving counterpart_soap URL     the shipped contract `customers`, hosted; each UpsertCustomer one commit
    python -m benchmarks.serving counterpart_rest URL     PUT /customers/{code}, JSON; each one commit
    python -m benchmarks.counterpart URL                  its job: looks into the staging table every POLL seconds

The fourth way is the table itself. A job ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from bridge.app import Bridge
from bridge.shipped import contracts

POLL: Final = 0.1
TABLE: Final = """
CREATE TABLE customers (code TEXT PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, grade TEXT NOT NULL,
                        credit NUMERIC(18, 2) NOT NULL, arrived_at TIMESTAMPTZ NOT NULL)
"""
UPSERT: Final = """
INSERT INTO customers (code, name, country, grade, credit, arrived_at)
VALUES (%(code)s, %(name)s, %(country)s, %(grade)s, %(credit)s, clock_timestamp())
ON CONFLICT (code) DO UPDATE SET name = excluded.name, country = excluded.country, grade = excluded.grade, credit = excluded.credit,
                                 arrived_at = excluded.arrived_at
"""
_CLAIM: Final = """
UPDATE customers_outbox SET state = 'claimed', claimed_by = 'job', claimed_until = now() + interval '5 minutes', attempts = attempts + 1
WHERE seq IN (SELECT seq FROM customers_outbox WHERE state = 'new' ORDER BY seq LIMIT 100 FOR UPDATE SKIP LOCKED)
RETURNING seq, code, name, country, grade, credit
"""
_DONE: Final = "UPDATE customers_outbox SET state = 'done', done_at = CURRENT_TIMESTAMP WHERE seq = ANY(%s) AND claimed_by = 'job'"


class Table:
    """The table; each thread has a connection of its own, each row is a commit."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._mine = threading.local()

    def upsert(self, row: dict[str, Any]) -> None:
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = psycopg.connect(self._url, autocommit=True)
        connection.execute(UPSERT, row)


def soap(url: str) -> Callable[..., Any]:
    """Requests and replies are validated; without a store."""
    table = Table(url)
    bridge = Bridge(store=False)
    service = bridge.serve(contracts()["customers"])

    @service.operation("UpsertCustomer")
    def upsert(request: Any, call: Any) -> dict[str, Any]:
        one = request.customer
        table.upsert(
            {
                "code": one.code,
                "name": one.name,
                "country": one.country,
                "grade": one.credit.grade,
                "credit": one.credit.limit.value,
            }
        )
        form = {"name": one.name.casefold()}
        return {"code": one.code, "revision": 1, "changedAt": datetime.now(UTC), "normalForm": form}

    return bridge.wsgi()


def rest(url: str) -> Callable[..., Any]:
    table = Table(url)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        row = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        table.upsert(row)
        body = json.dumps({"code": row["code"]}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application


def job(url: str) -> None:
    """Takes what is there, books it, acknowledges it; one transaction a look."""
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    with psycopg.connect(url) as connection:
        while not over.is_set():
            rows = connection.execute(_CLAIM).fetchall()
            if rows:
                names = ("code", "name", "country", "grade", "credit")
                connection.cursor().executemany(
                    UPSERT, [dict(zip(names, row[1:], strict=True)) for row in sorted(rows)]
                )
                connection.execute(_DONE, ([row[0] for row in rows],))
            connection.commit()
            if not rows:
                over.wait(POLL)


if __name__ == "__main__":
    job(sys.argv[1])
