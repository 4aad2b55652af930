"""A bridge between two partners whose records are in dicts, on each database of the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge import Bridge
from bridge.delivery.sender import Document
from bridge.errors import PartnerError
from bridge.partners import kinds
from bridge.partners.entities import Entity
from bridge.partners.partner import Page, Pong, Query, Record, Totals, Written
from bridge.partners.sorting import in_order, rows
from bridge.partners.summing import Sums
from bridge.settings import load

LONG_AGO = datetime.now(UTC) - timedelta(days=30)

FILE = """\
[entities.accounts]
id = "no"
changed = "changed"
[entities.accounts.fields]
no = { type = "text", required = true }
other = "text"
number = "integer"
name = "text"
level = "text"
credit = "decimal"
currency = "text"
day = "date"
changed = "datetime"
"""

SETTINGS = """\
[partners.crm]
kind = "rest"
entities = "crm.toml"
[partners.erp]
kind = "rest"
entities = "erp.toml"
[reconcile.accounts]
source = "crm.accounts"
target = "erp.accounts"
fields = { name = "name", credit = "credit" }
amounts = { credit = "credit" }
currency = "currency"
operation = "accounts.upsert"
"""


class Memory:
    """Accounts in a dict. `before_read` is called before anything is read; `error` is raised by writes."""

    def __init__(self, setting: kinds.Setting) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.error: PartnerError | None = None
        self.before_fetch: Callable[[], object] = lambda: None
        self.written: list[str] = []

    def put(self, no: str, **values: Any) -> None:
        self.rows[no] = {
            "no": no,
            "name": f"Account {no}",
            "credit": Decimal("10.50"),
            "currency": "EUR",
            "changed": LONG_AGO,
            **values,
        }

    def check(self) -> list[str]:
        return []

    def write(self, entity: Entity, verb: str, values: Mapping[str, Any], document: Document) -> Written:
        if self.error is not None:
            raise self.error
        self.written.append(f"{verb} {values['no']}")
        if verb == "delete":
            self.rows.pop(values["no"], None)
        else:
            self.rows[values["no"]] = {**self.rows.get(values["no"], {}), **values}
        return Written(values["no"])

    def _chosen(self, query: Query) -> Iterator[dict[str, Any]]:
        assert query.among is None or query.among[1], "some APIs refuse to look for one of no values"
        for no in sorted(self.rows):
            if query.wants(self.rows[no]) and (not query.ids or no in query.ids):
                yield self.rows[no]

    def fetch(self, entity: Entity, query: Query) -> Page:
        if query.narrows or query.ids:
            self.before_fetch()
        return Page([Record(row["no"], row, row.get("changed")) for row in self._chosen(query)])

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        yield from in_order([rows(self.fetch(entity, query).records, fields, query.by)])

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        found = Sums(sums)
        for row in self._chosen(query):
            found.add(row)
        return found.totals()

    def ping(self) -> Pong:
        return Pong("here", 0.0)

    def find(self, document: Document) -> bool | None:
        return None

    can_find = False

    def address(self) -> str:
        return "memory"

    def close(self) -> None:
        pass


class Sides:
    """The bridge and both partners' memories."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.crm: Memory = bridge.any_partner("crm").backend  # type: ignore[union-attr, assignment]
        self.erp: Memory = bridge.any_partner("erp").backend  # type: ignore[union-attr, assignment]

    def same(self, *numbers: str) -> None:
        for no in numbers:
            self.crm.put(no)
            self.erp.put(no)

    def deliver(self) -> None:
        """Deliver what waits for the ERP, in this thread."""
        from bridge.delivery.drain import Drain
        from bridge.delivery.gate import Gate, GateOptions
        from bridge.store import outbox

        store = self.bridge.store
        assert store is not None
        gate = Gate("erp", GateOptions.of(self.bridge.settings, "erp"))
        drain = Drain(
            store,
            self.bridge.any_partner("erp"),
            gate,
            owner="test",
            lease=30_000_000,
            stopping=lambda: False,
        )
        with store.reading() as session:
            due = outbox.due_keys(session, "erp", lease=30_000_000, most=100)
        for one in due:
            drain(one)


@pytest.fixture
def sides(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sides]]:
    """Makes the bridge, with more settings where a test gives them."""
    module = ModuleType("memory_of_accounts")
    module.backend = Memory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "memory_of_accounts", module)
    monkeypatch.setitem(kinds.KINDS, "rest", "memory_of_accounts:backend")  # type: ignore[arg-type]
    made: list[Bridge] = []

    def make(more: str = "", *, without: str = "") -> Sides:
        for name in ("crm", "erp"):
            (tmp_path / f"{name}.toml").write_text(FILE, "utf-8")
        store = f'[store]\nurl = "{store_url}"\n'
        settings = "\n".join(
            line for line in SETTINGS.splitlines() if not without or not line.startswith(without)
        )
        (tmp_path / "bridge.toml").write_text(f"{store}{settings}\n{more}\n", "utf-8")
        bridge = Bridge(load(tmp_path / "bridge.toml"))
        made.append(bridge)
        return Sides(bridge)

    yield make
    for bridge in made:
        bridge.close()
