"""One flow over four ways to reach a system: its web service by SOAP or REST, staging tables, its own table.

New accounts of a CRM's database become customers of a system that keeps them in a PostgreSQL table. The flow, its mapping and the rows are the same each
time; every way ends in the same statement on that table, one commit a record (the job that reads the staging tables: one commit a look). The bridge keeps its store in SQLite on a
disk and delivers by four threads; flow and delivery run in one process, the services behind the bridge's own HTTP server in one of their own, the job in one that looks every 0.1 s.

Alone: one account is written, the flow is run at once, and what counts is the time from the account's commit until the row is in the system's table; the
median, and the worst of twenty to show what a poll or a stall costs. What passes until somebody runs the flow (its schedule or event) comes on top. Many: 1,000
accounts; from the start of the flow to the last row. CPU: milliseconds a record, of the bridge, and of the other system with its database. Transactions: those of its database that write, a record.
"""

from __future__ import annotations

import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from benchmarks import counterpart, durable
from benchmarks.measure import Budget
from benchmarks.serving import Server
from benchmarks.sync import make_tables
from benchmarks.waiting import ROOT, cpu_of
from bridge import Bridge
from bridge.settings import Flow, Settings
from bridge.settings import Partner as Options
from bridge.settings import Store as StoreSettings
from bridge.shipped import contracts

SINGLE: Final = 20
MANY: Final = 1000
PATIENCE: Final = 120.0
NAMES: Final = {
    "soap": "SOAP",
    "rest": "REST",
    "staging": "staging tables",
    "direct": "direct",
}

CRM = """
[entities.accounts]
id = "no"
changed = "changed_at"
table = "accounts"
[entities.accounts.fields]
no = { type = "text", required = true, longest = 20 }
name = { type = "text", required = true, longest = 200 }
country = { type = "text", required = true, shortest = 2, longest = 2 }
level = { type = "text", required = true, one_of = ["VIP", "key", "regular"] }
credit = { type = "decimal", required = true, digits = 18, fraction = 2 }
changed_at = "datetime"
"""
FIELDS = """
[entities.customers.fields]
code = { type = "text", required = true, longest = 20 }
name = { type = "text", required = true, longest = 200 }
country = { type = "text", required = true, longest = 2 }
grade = { type = "text", required = true, one_of = ["A", "B", "C"] }
credit = { type = "decimal", required = true, digits = 18, fraction = 2 }
"""
# The same statement, with the parameters of partners' files.
_UPSERT = re.sub(r"%\((\w+)\)s", r":\1", counterpart.UPSERT)
ERP = {
    "staging": f'[entities.customers]\nid = "code"\n{FIELDS}',
    "direct": f"""
[partner]
writable = true
[entities.customers]
id = "code"
table = "customers"
[entities.customers.write]
upsert = '''{_UPSERT}'''
{FIELDS}""",
    "rest": f"""
[partner]
auth = "none"
[entities.customers]
id = "code"
[entities.customers.upsert]
path = "/customers/{{code}}"
method = "PUT"
{FIELDS}""",
}
GRADES = {"VIP": "A", "key": "B", "regular": "C"}


def plain(one: Any) -> dict[str, Any]:
    """The customer, for a partner that has fields."""
    return {
        "code": one["no"],
        "name": one["name"],
        "country": one["country"],
        "grade": GRADES[one["level"]],
        "credit": one["credit"],
    }


def by_contract(one: Any) -> dict[str, Any]:
    """The same as UpsertCustomer has it."""
    made = plain(one)
    limit = {"value": made.pop("credit"), "currency": "EUR"}
    made["credit"] = {"grade": made.pop("grade"), "limit": limit}
    return {"requestId": f"r-{made['code']}", "customer": made}


@dataclass(slots=True)
class Found:
    """Of one way: milliseconds; CPU and transactions a record."""

    alone: list[float]
    seconds: float
    ours: float
    theirs: float
    transactions: float

    def row(self, name: str) -> str:
        return (
            f"| {name} | {statistics.median(self.alone):.0f} | {max(self.alone):.0f} | {self.seconds:.1f} "
            f"| {self.ours:.1f} | {self.theirs:.1f} | {self.transactions:.1f} |"
        )


class Theirs:
    """The other system: its table, what it uses of the CPU, and who works for it."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        (folder,) = self._connection.execute("SHOW data_directory").fetchone() or ("",)
        self._postmaster = int((Path(folder) / "postmaster.pid").read_text().split()[0])
        self._connection.execute(counterpart.TABLE)
        self.service: Server | None = None
        self.job: subprocess.Popen[str] | None = None

    def arrived(self, code: str) -> float | None:
        """When a customer came into the table, in seconds of the machine's clock."""
        return self._value("SELECT extract(epoch FROM arrived_at) FROM customers WHERE code = %s", code)

    def complete(self, count: int) -> float | None:
        """When the last of so many came; None while some are missing."""
        return self._value(
            "SELECT extract(epoch FROM max(arrived_at)) FROM customers HAVING count(*) = %s", count
        )

    def cpu(self) -> float:
        """Seconds so far, of the database's processes, also those that have ended, and of the service or job."""
        used = _ticks(self._postmaster, children=True) + sum(
            _ticks(one) for one in _children(self._postmaster)
        )
        if self.service is not None:
            used += self.service.cpu()
        return used + (cpu_of(self.job.pid) if self.job is not None else 0.0)

    def transactions(self) -> int:
        """Those that have written so far."""
        return int(self._value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint") or 0)

    def _value(self, question: LiteralString, *values: object) -> float | None:
        row = self._connection.execute(question, values).fetchone()
        return None if row is None else float(row[0])

    def close(self) -> None:
        self._connection.close()


def _ticks(process_id: int, *, children: bool = False) -> float:
    """Seconds of CPU of a process; with those of its children that have ended."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / os.sysconf("SC_CLK_TCK")


def _children(process_id: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]


@contextmanager
def way(kind: str, url: str, folder: Path) -> Iterator[tuple[Bridge, Theirs]]:
    """A bridge with the flow and its runner, and the system it leads to."""
    theirs = Theirs(url)
    with ExitStack() as stack:
        stack.callback(theirs.close)
        endpoint = ""
        if kind in ("soap", "rest"):
            theirs.service = stack.enter_context(Server(f"counterpart_{kind}", url))
            endpoint = f"http://127.0.0.1:{theirs.service.port}"
        bridge = _bridge(kind, folder, endpoint, url)
        stack.callback(bridge.close)
        assert bridge.store is not None
        bridge.store.migrate()
        if kind == "staging":
            theirs.job = stack.enter_context(_job(url))
        runner = bridge.background()[0]
        runner.start()
        stack.callback(runner.stop, 10.0)
        yield bridge, theirs


def _bridge(kind: str, folder: Path, endpoint: str, url: str) -> Bridge:
    (folder / "crm.toml").write_text(CRM, "utf-8")
    crm = Options(
        kind="database", entities=folder / "crm.toml", database=f"sqlite:///{folder / 'crm.sqlite'}"
    )
    if kind == "soap":
        erp = Options(
            wsdl=str(contracts()["customers"]), endpoint=f"{endpoint}/services/customers", keeps_id=True
        )
    else:
        (folder / "erp.toml").write_text(ERP[kind], "utf-8")
        reached: dict[str, Any] = {"endpoint": endpoint} if kind == "rest" else {"database": url}
        erp = Options(
            kind="database" if kind == "direct" else kind,  # type: ignore[arg-type]
            entities=folder / "erp.toml",
            keeps_id=True,
            **reached,
        )
    operation = "UpsertCustomer" if kind == "soap" else "customers.upsert"
    flow = Flow(source="crm.accounts", target="erp", operation=operation, trigger="request")
    store = StoreSettings(url=f"sqlite:///{folder / 'bridge.sqlite'}")
    bridge = Bridge(Settings(store=store, partners={"crm": crm, "erp": erp}, flows={"accounts": flow}))
    bridge.flows.maps("accounts")(by_contract if kind == "soap" else plain)
    return bridge


@contextmanager
def _job(url: str) -> Iterator[subprocess.Popen[str]]:
    """The staging tables, and the job that reads them."""
    make_tables(url, ERP["staging"])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.counterpart", url], cwd=ROOT, stdin=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def write(file: Path, first: int, count: int) -> None:
    """Accounts as the CRM writes them, in one commit."""
    with closing(sqlite3.connect(file, timeout=30)) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS accounts (no TEXT PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, level TEXT NOT NULL, "
            "credit TEXT NOT NULL, changed_at TEXT NOT NULL)"
        )
        database.executemany(
            "INSERT INTO accounts VALUES (?, ?, 'DE', 'key', ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            [
                (_no(number), f"Example Trading {number} GmbH", f"{number}.50")
                for number in range(first, first + count)
            ],
        )
        database.commit()


def _no(number: int) -> str:
    return f"C-{number:06}"


def measured(kind: str, url: str, folder: Path) -> Found:
    source = folder / "crm.sqlite"
    write(source, 0, 1)
    with way(kind, url, folder) as (bridge, theirs):
        bridge.flows.run("accounts")  # the first takes connections and makes what is made once
        _wait(partial(theirs.arrived, _no(0)))
        alone = []
        for number in range(1, SINGLE + 1):
            time.sleep(0.2 + 0.1 * number / SINGLE)  # not in step with the job
            write(source, number, 1)
            committed = time.time()
            bridge.flows.run("accounts")
            alone.append((_wait(partial(theirs.arrived, _no(number))) - committed) * 1000)
        before = theirs.transactions()
        ours, other = time.process_time(), theirs.cpu()
        write(source, SINGLE + 1, MANY)
        began = time.time()
        bridge.flows.run("accounts")
        seconds = _wait(partial(theirs.complete, 1 + SINGLE + MANY)) - began
        spent = time.process_time() - ours, theirs.cpu() - other
        done = theirs.transactions() - before
    return Found(alone, seconds, spent[0] / MANY * 1000, spent[1] / MANY * 1000, done / MANY)


def _wait(arrived: Callable[[], float | None]) -> float:
    """What it gives once it gives something; asked fifty times a second."""
    until = time.monotonic() + PATIENCE
    while (found := arrived()) is None:
        if time.monotonic() > until:
            raise RuntimeError(f"not all customers arrived within {PATIENCE:.0f} seconds")
        time.sleep(0.02)
    return found


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| | alone: median ms | worst | 1,000: seconds | CPU ms of the bridge | of the other system | its transactions |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, name in NAMES.items():
        with durable.postgresql() as url, tempfile.TemporaryDirectory(dir=durable.DISK) as folder:
            if url is None:
                return ["Not measured: `pip install 'soapbridge[dev]'` brings a PostgreSQL server."], []
            lines.append(measured(kind, url, Path(folder)).row(name))
    return lines, []
