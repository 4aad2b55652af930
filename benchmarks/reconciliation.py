"""Reconciliation of 1,000,000 accounts a side, of which one in 10,000 differs: missing, only at the target, or with another name.

Both sides are tables of an SQLite database of their own, with amounts as scaled whole numbers, read directly, five values of each record compared: in the order of ids that both
sides have, and in that of a key that one finds on the other, where each side has ids of its own (the key has an index). Each
difference is looked at again, explained and kept. The floor: the same two SELECTs in the same order by the driver alone, merged in
Python, and nothing else. Seconds of CPU time of this process, where both databases work too; the best of two rounds. Memory: what the process holds at most, against
what it held before the run.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Budget
from benchmarks.staging import resident
from bridge import Bridge
from bridge.settings import Partner as Options
from bridge.settings import Reconcile, Settings
from bridge.settings import Store as StoreSettings

RECORDS = 1_000_000
ONE_IN = 10_000
ROUNDS = 2
WAYS = {"by id": "account_no", "by a key": "own_id"}
"""The field that is the id of both entities, by what a record is found by on the other side."""
OF_FLOOR = 3.0
GROWTH_MB = 100.0

ENTITIES = """
[entities.accounts]
id = "{id}"
changed = "changed_at"
table = "accounts"
scaled = ["credit"]
[entities.accounts.fields]
account_no = {{ type = "text", required = true, longest = 20 }}
own_id = {{ type = "text", required = true, longest = 20 }}
name = {{ type = "text", required = true, longest = 200 }}
level = "text"
credit = {{ type = "decimal", digits = 18, fraction = 2 }}
currency = {{ type = "text", longest = 3 }}
changed_at = "datetime"
"""
COMPARED = ("name", "level", "credit", "currency")
MOMENT = "2026-01-05T08:00:00.000000+00:00"


def run() -> tuple[list[str], list[Budget]]:
    """The rows of the table, and the budgets."""
    with tempfile.TemporaryDirectory(prefix="soapbridge-") as place:
        folder = Path(place)
        seeded = fill(folder)
        floors: list[tuple[float, int]] = []
        runs: dict[str, list[Measured]] = {name: [] for name in WAYS}
        for _ in range(ROUNDS):
            floors.append(merged(folder))
            for name, id_ in WAYS.items():
                runs[name].append(measured(folder, id_))
    floor, floor_found = min(floors)
    lines = [
        "| | CPU s | records/s a side | differences | s by the clock | MB more |",
        "|---|---|---|---|---|---|",
        f"| two ordered SELECTs and a merge | {floor:.2f} | {RECORDS / floor:,.0f} | {floor_found} | | |",
    ]
    budgets = []
    for name, found in runs.items():
        best, growth = min(found, key=lambda one: one.cpu), max(one.growth for one in found)
        wrong = max(len(one.differences ^ seeded) for one in found)
        lines.append(
            f"| reconciliation {name} | {best.cpu:.2f} | {RECORDS / best.cpu:,.0f} "
            f"| {len(best.differences)} of {len(seeded)} seeded | {best.seconds:.1f} | {growth:.0f} |"
        )
        budgets += [
            Budget(f"reconciliation of 1,000,000 rows a side, {name}", best.cpu / floor, OF_FLOOR),
            Budget(f"memory held more, {name}", growth, GROWTH_MB, unit="MB"),
            Budget(f"differences not found, or invented, {name}", float(wrong), 0.0, unit="records"),
        ]
    return lines, budgets


class Measured(NamedTuple):
    """Seconds, megabytes, and the differences by kind and key."""

    cpu: float
    seconds: float
    growth: float
    differences: set[tuple[str, str]]


def measured(folder: Path, id_: str) -> Measured:
    """A run of the rule, in which this field is the id of both entities."""
    bridge = between(folder, id_)
    try:
        before, peak = resident(), 0

        def look(seen: int) -> None:
            nonlocal peak
            if seen % 100_000 < 5000:
                peak = max(peak, resident())

        began, wall = time.process_time(), time.perf_counter()
        ended = bridge.reconciliations.run("accounts", look)
        cpu, seconds = time.process_time() - began, time.perf_counter() - wall
        growth = (max(peak, resident()) - before) / 1e6
        found = {(one.kind, one.record_key) for one in bridge.reconciliations.all_differences(ended.run)}
        return Measured(cpu, seconds, growth, found)
    finally:
        bridge.close()


def fill(folder: Path) -> set[tuple[str, str]]:
    """Both sides; what differs, by kind and id."""
    chance = random.Random(11)
    numbers = chance.sample(range(RECORDS), RECORDS // ONE_IN)
    kinds = dict(zip(numbers, ("missing", "extra", "fields") * RECORDS, strict=False))
    for side in ("source", "target"):
        with closing(sqlite3.connect(folder / f"{side}.sqlite")) as database:
            database.execute(
                "CREATE TABLE accounts (account_no TEXT NOT NULL PRIMARY KEY, own_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, level TEXT, "
                "credit INTEGER, currency TEXT, changed_at TEXT) WITHOUT ROWID"
            )
            database.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(side, kinds))
            database.commit()
    return {(kind, _id(number)) for number, kind in kinds.items()}


def _rows(side: str, kinds: dict[int, str]) -> Iterator[tuple[Any, ...]]:
    left_out = "extra" if side == "source" else "missing"
    for number in range(RECORDS):
        kind = kinds.get(number)
        if kind == left_out:
            continue
        name = f"Account {number} Trading Company"
        if kind == "fields" and side == "target":
            name += " Ltd."
        own = f"{side[0]}{number * 7919 % RECORDS:07}"
        yield _id(number), own, name, "ABC"[number % 3], number % 9973 * 100 + 50, "EUR", MOMENT


def _id(number: int) -> str:
    return f"A-{number:08}"


def merged(folder: Path) -> tuple[float, int]:
    """(CPU seconds, differences) of two SELECTs and a merge by hand."""
    statement = "SELECT account_no, name, level, credit, currency FROM accounts ORDER BY account_no"
    began, found = time.process_time(), 0
    with (
        closing(sqlite3.connect(folder / "source.sqlite")) as source,
        closing(sqlite3.connect(folder / "target.sqlite")) as target,
    ):
        ours, theirs = iter(source.execute(statement)), iter(target.execute(statement))
        one, other = next(ours, None), next(theirs, None)
        while one is not None or other is not None:
            if other is None or (one is not None and one[0] < other[0]):
                found += 1
                one = next(ours, None)
            elif one is None or other[0] < one[0]:
                found += 1
                other = next(theirs, None)
            else:
                found += one != other
                one, other = next(ours, None), next(theirs, None)
    return time.process_time() - began, found


def between(folder: Path, id_: str) -> Bridge:
    """A bridge with the rule."""
    for side in ("source", "target"):
        (folder / f"{side}.toml").write_text(ENTITIES.format(id=id_), "utf-8")
    partners = {
        side: Options(
            kind="database",
            entities=folder / f"{side}.toml",
            database=f"sqlite:///{folder / f'{side}.sqlite'}",
        )
        for side in ("source", "target")
    }
    rule = Reconcile(
        source="source.accounts",
        target="target.accounts",
        key="account_no",
        fields={name: name for name in COMPARED},
        amounts={"credit": "credit"},
        currency="currency",
        grace=0,
    )
    store = StoreSettings(url=f"sqlite:///{folder / f'{id_}.sqlite'}")
    bridge = Bridge(Settings(store=store, partners=partners, reconcile={"accounts": rule}))
    assert bridge.store is not None
    return bridge
