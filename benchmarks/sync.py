"""A flow over 100,000 accounts: from a CRM's staging tables into the outbox for an ERP, then a full resync that finds nothing changed.

The rows are in the CRM's inbox. The flow claims them 500 at a time, looks up its links, maps each record, holds it against the ERP's entity, and
writes document, link and what it watches in one transaction, then acknowledges the rows. Nothing is delivered meanwhile. Both databases
are on one disk, each with its own commits: SQLite with synchronous=FULL. Accounts a second by the clock on the wall, one process; the ratio is of
CPU time. Memory: what the process holds at the end against after the first 20,000. The floor beside it claims and acknowledges the same rows and
moves nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from benchmarks import durable
from benchmarks.measure import Budget
from benchmarks.staging import ACCOUNTS, BATCH, GROWTH, STAGING, fill, partner, resident
from bridge import Bridge
from bridge.partners.staging.backend import StagingBackend
from bridge.partners.staging.ddl import statements
from bridge.settings import Flow, Settings
from bridge.settings import Partner as Options
from bridge.settings import Store as StoreSettings
from bridge.sync import Report

ERP = """
[entities.customers]
id = "code"
[entities.customers.fields]
code = { type = "text", required = true, longest = 20 }
title = { type = "text", required = true, longest = 200 }
grade = { type = "text", one_of = ["1", "2", "3"] }
limit = { type = "decimal", digits = 18, fraction = 2 }
"""
GRADES = {"A": "1", "B": "2", "C": "3"}
WARM_UP = 20_000
"""By then the databases' own caches are full."""
OF_FLOOR = 8.0
"""The flow may take so many times the CPU time that claiming and acknowledging alone takes."""


@contextmanager
def company(folder: Path) -> Iterator[tuple[Bridge, str]]:
    """A bridge with the flow, and the URL of the CRM's tables."""
    theirs = f"sqlite:///{folder / 'theirs.sqlite'}"
    (folder / "theirs.sqlite").touch()
    (folder / "crm.toml").write_text(STAGING, "utf-8")
    (folder / "erp.toml").write_text(ERP, "utf-8")
    options = {
        "crm": Options(kind="staging", entities=folder / "crm.toml", database=theirs),
        "erp": Options(kind="staging", entities=folder / "erp.toml", database=theirs),
    }
    flow = Flow(
        source="crm.accounts", target="erp", operation="customers.upsert", trigger="request", batch=BATCH
    )
    url = f"sqlite:///{folder / 'bridge.sqlite'}"
    bridge = Bridge(Settings(store=StoreSettings(url=url), partners=options, flows={"accounts": flow}))
    bridge.flows.maps("accounts")(
        lambda one: {
            "code": one["account_no"],
            "title": one["name"],
            "grade": GRADES[one["level"]],
            "limit": one["credit"],
        }
    )
    yield bridge, theirs
    bridge.close()


def make_tables(url: str, described: str) -> None:
    with partner("staging", url, described) as made:
        backend = made.backend
        assert isinstance(backend, StagingBackend)
        with backend.database.writing() as connection:
            for one in statements(backend.layouts, backend.database.dialect, backend.database.quoted):
                connection.execute(text(one))


class Spent(NamedTuple):
    """Seconds by the clock on the wall, and of CPU time."""

    wall: float
    cpu: float

    @classmethod
    def since(cls, began: Spent) -> Spent:
        return cls(time.perf_counter() - began.wall, time.process_time() - began.cpu)

    @classmethod
    def now(cls) -> Spent:
        return cls(time.perf_counter(), time.process_time())

    @property
    def rate(self) -> str:
        return f"{self.wall:.1f} | {ACCOUNTS / self.wall:,.0f} | {self.cpu / ACCOUNTS * 1e6:,.0f}"


def floor(folder: Path) -> Spent:
    """To claim and acknowledge as many rows, and to do nothing with them."""
    url = f"sqlite:///{folder / 'floor.sqlite'}"
    (folder / "floor.sqlite").touch()
    make_tables(url, STAGING)
    fill(url, 0, ACCOUNTS)
    with partner("staging", url, STAGING) as crm:
        began = Spent.now()
        while claims := crm.claim("accounts", limit=BATCH):
            crm.acknowledge("accounts", done=[one.seq for one in claims])
        return Spent.since(began)


def run() -> tuple[list[str], list[Budget]]:
    held: dict[str, int] = {}

    def watch(report: Report) -> None:
        if report.read >= WARM_UP and "warm" not in held:
            held["warm"] = resident()

    with tempfile.TemporaryDirectory(dir=durable.DISK) as name:
        folder = Path(name)
        least = floor(folder)
        with company(folder) as (bridge, theirs):
            for described in (STAGING, ERP):
                make_tables(theirs, described)
            fill(theirs, 0, ACCOUNTS)
            began = Spent.now()
            first = bridge.flows.run("accounts", progress=watch)
            moved = Spent.since(began)
            held["last"] = resident()
            began = Spent.now()
            again = bridge.flows.run("accounts", full=True)
            known = Spent.since(began)
    assert first.counts["send"] == ACCOUNTS, first
    assert again.counts["known"] == ACCOUNTS, again
    lines = [
        "| | seconds | accounts a second | µs of CPU each | MB held |",
        "|---|---|---|---|---|",
        f"| claimed and acknowledged, nothing moved | {least.rate} | |",
        f"| moved into the outbox | {moved.rate} | {held['last'] / 1e6:.1f} |",
        f"| full resync, all known | {known.rate} | |",
    ]
    growth = (held["last"] / held["warm"] - 1) * 100
    return lines, [
        Budget("a flow of 100,000 accounts, against claiming them only", moved.cpu / least.cpu, OF_FLOOR),
        Budget("growth of memory from 20,000 to 100,000 accounts", growth, GROWTH, unit="%"),
    ]
