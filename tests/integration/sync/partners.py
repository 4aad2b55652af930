"""Partners behind the `Backend` protocol: one in memory, one in an SQLite file of its own that several processes share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge import Bridge
from bridge.delivery import destinations
from bridge.delivery.sender import Document
from bridge.errors import PartnerError
from bridge.partners import entities
from bridge.partners.entities import Entity
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.json_text import dump, load
from bridge.partners.partner import Page, Pong, Query, Record, Totals, Written
from bridge.settings import AtRest, Delivery, Flow, Settings
from bridge.settings import Partner as Options
from bridge.settings import Store as StoreSettings
from bridge.store import Store

CRM = """\
[partner]
[entities.accounts]
id = "no"
changed = "updated_at"
[entities.accounts.fields]
no = { type = "text", required = true }
name = { type = "text", required = true, longest = 40 }
level = "text"
phone = "text"
tax = "text"
updated_at = "datetime"
[entities.notes]
id = "no"
[entities.notes.fields]
no = { type = "text", required = true }
text = "text"
"""
ERP = """\
[partner]
[entities.customers]
id = "code"
changed = "changed_at"
[entities.customers.fields]
code = { type = "text", required = true }
title = { type = "text", required = true }
grade = { type = "text", one_of = ["1", "2", "3"] }
telephone = "text"
tax_number = "text"
changed_at = "datetime"
[entities.remarks]
id = "code"
[entities.remarks.fields]
code = { type = "text", required = true }
body = "text"
"""

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
FORTH = {"no": "code", "name": "title", "phone": "telephone", "tax": "tax_number"}


def to_customer(account: Mapping[str, Any]) -> dict[str, Any]:
    """An account of the CRM as a customer of the ERP. Raises KeyError for a level that nobody knows."""
    made = {there: account.get(here) for here, there in FORTH.items()}
    level = account.get("level")
    made["grade"] = None if level is None else {"A": "1", "B": "2", "C": "3"}[level]
    return made


def to_account(customer: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round."""
    made = {here: customer.get(there) for here, there in FORTH.items()}
    grade = customer.get("grade")
    made["level"] = None if grade is None else {"1": "A", "2": "B", "3": "C"}[grade]
    return made


class Clock:
    """The partners' clock: it goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Memory:
    """Keeps records in dicts. A write leaves alone what it is not given."""

    can_find = False

    def __init__(
        self, clock: Callable[[], datetime], form: Callable[[dict[str, Any]], dict[str, Any]] = dict
    ) -> None:
        self.clock = clock
        self.form = form
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.deleted: dict[str, dict[str, datetime]] = {}
        self.errors: list[PartnerError | None] = []
        """Raised by the next writes, one each."""
        self.read_error: Exception | None = None
        self.writes: list[tuple[str, dict[str, Any]]] = []
        self.before_page: Callable[[int], object] = lambda _: None
        self.pages = 0
        self.assigns = ""
        """Gives ids of its own to what comes without one: with this before a number."""

    def edit(self, entity: str, name: str, /, **values: Any) -> None:
        """A person changes a record, or makes one."""
        kept = self.rows.setdefault(entity, {}).setdefault(name, {})
        kept.update(values)
        kept["_at"] = self.clock()

    def remove(self, entity: str, name: str) -> None:
        del self.rows[entity][name]
        self.deleted.setdefault(entity, {})[name] = self.clock()

    def of(self, entity: Entity | str, name: str) -> dict[str, Any]:
        found = self.rows.get(entity if isinstance(entity, str) else entity.name, {}).get(name, {})
        return {field: value for field, value in found.items() if field != "_at"}

    def check(self) -> list[str]:
        return []

    def write(self, entity: Entity, verb: str, values: Mapping[str, Any], document: Document) -> Written:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.writes.append((f"{entity.name}.{verb}", dict(values)))
        name = values.get(entity.id) or f"{self.assigns}{len(self.rows.get(entity.name, {})) + 1}"
        if verb == "delete":
            self.rows.get(entity.name, {}).pop(name, None)
        else:
            self.edit(entity.name, name, **self.form({**values, entity.id: name}))
        return Written(name)

    def _records(self, entity: Entity) -> list[Record]:
        found = []
        for name, values in self.rows.get(entity.name, {}).items():
            given = {**self.of(entity, name), entity.id: name}
            changed = values["_at"] if entity.changed else None
            if entity.changed:
                given[entity.changed] = changed
            found.append(Record(name, given, changed))
        return found

    def fetch(self, entity: Entity, query: Query) -> Page:
        self.pages += 1
        self.before_page(self.pages)
        if self.read_error is not None:
            raise self.read_error
        found = [one for one in self._records(entity) if query.wants(one.values)]
        if query.deleted:
            gone = self.deleted.get(entity.name, {}).items()
            found += [Record(name, {}, at, deleted=True) for name, at in gone]
        if query.ids:
            found = [one for one in found if one.id in query.ids]
        if query.since is not None:
            found = [one for one in found if one.changed_at is not None and one.changed_at >= query.since]

        def place(one: Record) -> tuple[str, str]:
            at = one.changed_at.isoformat() if query.order == "changed" and one.changed_at is not None else ""
            return (at, one.id)

        found.sort(key=place)
        if query.after is not None:
            after = tuple(load(query.after))
            found = [one for one in found if place(one) > after]
        page = found[: query.limit]
        more = len(found) > len(page)
        return Page(page, dump(list(place(page[-1]))) if more else None)

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        raise NotImplementedError

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        return Totals(len(self.rows.get(entity.name, {})), {})

    def ping(self) -> Pong:
        return Pong("here", 0.0)

    def find(self, document: Document) -> bool | None:
        return None

    def address(self) -> str:
        return "memory"

    def close(self) -> None:
        pass


class SqliteRows(Memory):
    """The same in an SQLite file: what is read and written is there for other processes, and after one of them was killed."""

    def __init__(self, file: Path, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.file = file
        with closing(self._connect()) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS record (entity TEXT, id TEXT, changed_at TEXT, content TEXT, writes INTEGER, "
                "PRIMARY KEY (entity, id))"
            )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, isolation_level=None, timeout=20)

    def edit(self, entity: str, name: str, /, **values: Any) -> None:
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            key = (entity, name)
            row = connection.execute(
                "SELECT content, writes FROM record WHERE entity=? AND id=?", key
            ).fetchone()
            content = {**(load(row[0]) if row else {}), **values}
            writes = (row[1] if row else 0) + 1
            connection.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
                (*key, self.clock().isoformat(), dump(content), writes),
            )
            connection.execute("COMMIT")

    def writes_of(self, entity: str) -> dict[str, int]:
        with closing(self._connect()) as connection:
            return dict(connection.execute("SELECT id, writes FROM record WHERE entity = ?", (entity,)))

    def _records(self, entity: Entity) -> list[Record]:
        with closing(self._connect()) as connection:
            found = connection.execute(
                "SELECT id, changed_at, content FROM record WHERE entity = ?", (entity.name,)
            ).fetchall()
        made = []
        for name, at, content in found:
            changed = datetime.fromisoformat(at) if entity.changed else None
            made.append(
                Record(
                    name,
                    {**load(content), entity.changed: changed} if entity.changed else load(content),
                    changed,
                )
            )
        return made


class Company:
    """A bridge with a CRM and an ERP in memory, and flows between them."""

    def __init__(
        self,
        store_url: str,
        folder: Path,
        flows: Mapping[str, Flow],
        *,
        crm: Memory | None = None,
        erp: Memory | None = None,
        lease: float = 150.0,
        functions: bool = True,
        key_file: Path | None = None,
    ) -> None:
        self.clock = Clock()
        self.crm = crm if crm is not None else Memory(self.clock)
        self.erp = erp if erp is not None else Memory(self.clock)
        options = Options(kind="rest", keeps_id=True, first_delay=0.01, max_delay=0.01)
        self.bridge = Bridge(
            Settings(
                store=StoreSettings(url=store_url),
                partners={"crm": options, "erp": options},
                flows=flows,
                delivery=Delivery(lease=lease),
                at_rest=AtRest(key_file=key_file),
            )
        )
        for name, text, backend in (("crm", CRM, self.crm), ("erp", ERP, self.erp)):
            file = folder / f"{name}.toml"
            if (
                not file.exists()
            ):  # several processes share the folder, and one reads while another would write
                file.write_text(text, "utf-8")
            described = entities.read(file)
            self.bridge.partners[name] = EntityPartner(
                name,
                options,
                described.entities,
                backend,
                accept=self.bridge._accept,  # type: ignore[arg-type]
            )
        for name in flows if functions else ():
            self.bridge.flows.maps(name)(to_customer)
            self.bridge.flows.maps(name, back=True)(to_account)

    @property
    def store(self) -> Store:
        assert self.bridge.store is not None
        return self.bridge.store

    def close(self) -> None:
        self.bridge.close()

    def deliver(self) -> None:
        """Have delivered whatever can be, now."""
        from bridge.store.runners import open_partners

        for _ in range(50):
            with self.store.reading() as session:
                waiting = open_partners(session)
            if not waiting or not any(self._drain(name) for name in waiting):
                return

    def _drain(self, partner: str) -> bool:
        from bridge.store.outbox import due_keys

        destination = destinations.destination(
            self.store, self.bridge.settings, partner, lambda: self.bridge.any_partner(partner)
        )
        drain = destination.drains(
            owner="test", lease=60_000_000, stopping=lambda: False, crowded=lambda: False
        )
        with self.store.reading() as session:
            keys = due_keys(session, partner, lease=60_000_000, most=1000)
        for key in keys:
            drain(key)
        return bool(keys)

    def sync(self, name: str = "accounts", times: int = 1, **options: Any) -> Any:
        """Run the flow, and deliver what it sent; the last report."""
        report = None
        for _ in range(times):
            report = self.bridge.flows.run(name, **options)
            self.deliver()
        return report
