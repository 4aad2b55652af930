"""Tables between a partner and us: 100,000 accounts through an inbox, and a partner's own table read in bulk.

Staging: the rows are there; they are claimed 500 at a time in their order, looked at for what was written twice, read, held against
their fields, and acknowledged, each in the transactions that a flow has. The clock on the wall, from the first claim to the last
acknowledgement, in one process with one connection. The database's own work is in it. Memory: what the process holds at the end against
after the first 10,000.

Bulk: 200,000 rows of five columns in the order of their ids, as reconciliation reads them, against the CPU time of the same SELECT by the
driver alone whose rows are thrown away. PostgreSQL and MariaDB where they can be started here, SQLite always.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks import durable
from benchmarks.measure import Budget
from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.sql.bulk import batches
from bridge.partners.staging.backend import StagingBackend
from bridge.partners.staging.ddl import statements
from bridge.settings import Partner as Options
from bridge.soap.limits import DEFAULT

ACCOUNTS = 100_000
WARM_UP = 10_000
BATCH = 500
ROWS = 200_000
ROUNDS = 3
GROWTH = 15.0
"""Percent of what is held after the warm-up; SQLite's page cache fills meanwhile."""
OF_DRIVER = 2.5
"""SQLite has no decimals: what the driver gives as text, we make numbers of."""

FIELDS = """
account_no = { type = "text", longest = 20 }
name = { type = "text", required = true, longest = 200 }
level = { type = "text", one_of = ["A", "B", "C"] }
credit = { type = "decimal", digits = 18, fraction = 2 }
active = "boolean"
changed_at = { type = "datetime", zone = "Asia/Shanghai" }
"""
STAGING = f'[entities.accounts]\nid = "account_no"\n[entities.accounts.fields]\n{FIELDS}'
DIRECT = (
    f'[entities.accounts]\nid = "account_no"\ntable = "accounts_inbox"\n[entities.accounts.fields]\n{FIELDS}'
)
READ = ("name", "level", "credit", "active")


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """URLs by name, of what there is here."""
    from tests import mariadb

    with ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=durable.DISK))) / "theirs.sqlite"
        file.touch()
        found = {"SQLite": f"sqlite:///{file}"}
        if (url := stack.enter_context(durable.postgresql())) is not None:
            found["PostgreSQL"] = url
        if mariadb.find() is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=durable.DISK)))
            server = stack.enter_context(mariadb.running(folder))
            server.execute("CREATE DATABASE bench")
            found["MariaDB"] = server.url("bench")
        yield found


@contextmanager
def partner(kind: str, url: str, described: str) -> Iterator[EntityPartner]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "partner.toml"
        file.write_text(described, "utf-8")
        options = Options(kind=kind, entities=file, database=url)  # type: ignore[arg-type]
        found = entities.read(file)
        backend = kinds.backend(kinds.Setting("crm", options, found, DEFAULT, lambda: None))
        made = EntityPartner("crm", options, found.entities, backend)
        try:
            yield made
        finally:
            made.close()


def fill(url: str, first: int, count: int) -> None:
    """Accounts as a partner writes them."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    insert = text(
        "INSERT INTO accounts_inbox (account_no, name, level, credit, active, changed_at, message_id) "
        "VALUES (:no, :name, 'B', :credit, :active, '2026-03-01 08:00:00', :message)"
    )
    for start in range(first, first + count, 5000):
        rows = [
            {
                "no": f"A-{number:07d}",
                "name": f"Example Trading {number}",
                "credit": f"{number}.50" if engine.dialect.name == "sqlite" else number,
                "active": number % 2 == 0,
                "message": f"m-{number}",
            }
            for number in range(start, min(start + 5000, first + count))
        ]
        with engine.begin() as connection:
            connection.execute(insert, rows)
    engine.dispose()


def resident() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def moved(crm: EntityPartner, until: int) -> int:
    """Claim and acknowledge until so many rows are done."""
    count = 0
    while count < until:
        claims = crm.claim("accounts", limit=BATCH)
        if not claims:
            raise RuntimeError(f"{count} rows came of {until}")
        count += crm.acknowledge("accounts", done=[claim.seq for claim in claims])
    return count


def through_an_inbox(url: str) -> tuple[float, float]:
    """Accounts a second, and how much memory grew, in percent."""
    with partner("staging", url, STAGING) as crm:
        backend = crm.backend
        assert isinstance(backend, StagingBackend)
        with backend.database.writing() as connection:
            for one in statements(backend.layouts, backend.database.dialect, backend.database.quoted):
                connection.execute(text(one))
        fill(url, 0, ACCOUNTS)
        began = time.perf_counter()
        done = moved(crm, WARM_UP)
        warm = resident()
        done += moved(crm, ACCOUNTS - WARM_UP)
        seconds = time.perf_counter() - began
        return done / seconds, (resident() / warm - 1) * 100


def in_bulk(url: str) -> tuple[float, float]:
    """Rows a second, and how many times the CPU time of the driver alone."""
    fill(url, ACCOUNTS, ROWS - ACCOUNTS)
    with partner("database", url, DIRECT) as crm:
        scans, drivers = [], []
        for _ in range(ROUNDS):
            scans.append(_took(lambda: sum(map(len, crm.scan("accounts", READ)))))
            drivers.append(_took(lambda: _by_driver(crm)))
        rate = ROWS / min(wall for wall, _ in scans)
        return rate, min(cpu for _, cpu in scans) / min(cpu for _, cpu in drivers)


def _by_driver(crm: EntityPartner) -> int:
    backend: Any = crm.backend
    order = {
        "postgresql": 'account_no COLLATE "C"',
        "mysql": "CAST(CONVERT(account_no USING utf8mb4) AS BINARY)",
        "sqlite": "account_no",
    }
    columns = ", ".join(("account_no", *READ))
    statement = f"SELECT {columns} FROM accounts_inbox ORDER BY {order[backend.database.dialect]}"
    with backend.database.reading() as connection:
        return sum(map(len, batches(connection, statement, {})))


def _took(work: Callable[[], int]) -> tuple[float, float]:
    """Seconds by the clock on the wall, and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    if work() != ROWS:
        raise RuntimeError("not every row came")
    return time.perf_counter() - wall, time.process_time() - cpu


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| database | staging: accounts a second | memory, growth after the first 10,000 | bulk: rows a second | × the driver's CPU |",
        "|---|---|---|---|---|",
    ]
    budgets = []
    with databases() as found:
        for name, url in found.items():
            rate, growth = through_an_inbox(url)
            rows, times = in_bulk(url)
            lines.append(f"| {name} | {rate:,.0f} | {growth:.1f} % | {rows:,.0f} | {times:.2f} |")
            budgets += [
                Budget(f"{name}: growth of memory over 100,000 accounts", growth, GROWTH, unit="%"),
                Budget(f"{name}: bulk, of the driver's CPU time", times, OF_DRIVER),
            ]
    return lines, budgets
