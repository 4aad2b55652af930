"""A store on each database, and a partner and a gate that do as a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from bridge.delivery.accept import accept
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Answer, Outcome, Rules
from bridge.delivery.sender import Delivery, Document
from bridge.ids import new_exchange_id
from bridge.store import Session, Store
from bridge.store.clock import SECOND
from bridge.store.outbox import NewEntry
from bridge.store.tables import attempt, ordering_key, outbox

LEASE = 30 * SECOND


@dataclass
class ScriptedPartner:
    """Gives the outcomes that a test lists, then delivers; remembers what it was sent and asked."""

    name: str = "erp"
    rules: Rules = field(default_factory=Rules)
    script: list[Outcome | Delivery | Exception] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    before: Callable[[Document], object] | None = None
    """Called with each document as it arrives."""

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        self.sent.append(document.payload)
        if self.before is not None:
            self.before(document)
        found = self.script.pop(0) if self.script else "Delivered"
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Delivery):
            return found
        return Delivery(
            outcome=found, cause=None if found == "Delivered" else found, reason=f"It was {found}."
        )

    def ask(self, document: Document) -> Answer:
        self.asked.append(document.payload)
        return self.answers.pop(0)


@dataclass
class OpenGate:
    """Lets everything through until `closed_for` seconds are set."""

    closed_for: float | None = None
    held: str | None = None
    noted: list[str] = field(default_factory=list)

    def admit(self, session: Session, now: int, *, new: bool) -> int | None:
        return None if self.closed_for is None else now + int(self.closed_for * SECOND)

    def note(self, session: Session, now: int, delivery: Delivery) -> None:
        self.noted.append(delivery.outcome)

    def reached(self, session: Session, now: int, *, reached: bool) -> None:
        self.noted.append("reached" if reached else "not reached")

    def hold(self, session: Session, now: int, because: str) -> None:
        self.held = because


class EntryRow(NamedTuple):
    payload: str
    state: str
    aside: int
    attempts: int
    tries: int
    asked: int
    settled_at: int | None
    cause: str | None
    reason: str | None


class KeyRow(NamedTuple):
    state: str
    due_at: int
    held_because: str | None
    lease_owner: str | None
    lease_no: int
    lease_until: int | None


class Outbox:
    """What a test puts into the outbox, and what it finds there."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, *payloads: str, key: str = "K", partner: str = "erp") -> list[str]:
        ids = []
        with self.store.transaction() as transaction:
            for payload in payloads:
                ids.append(new_exchange_id())
                accept(self.store, transaction, NewEntry(ids[-1], partner, key, "Put", payload))
        return ids

    def entries(self, key: str = "K") -> list[EntryRow]:
        columns = [outbox.c[name] for name in EntryRow._fields]
        statement = select(*columns).where(outbox.c.ordering_key == key).order_by(outbox.c.seq)
        with self.store.reading() as session:
            return [EntryRow(*row) for row in session.execute(statement)]

    def states(self, key: str = "K") -> list[str]:
        return [entry.state for entry in self.entries(key)]

    def key(self, key: str = "K") -> KeyRow:
        columns = [ordering_key.c[name] for name in KeyRow._fields]
        with self.store.reading() as session:
            row = session.execute(select(*columns).where(ordering_key.c.ordering_key == key)).one()
        return KeyRow(*row)

    def attempts(self) -> list[tuple[int, str, str | None]]:
        """(number, decision, outcome), oldest first."""
        columns = (attempt.c.number, attempt.c.decision, attempt.c.outcome)
        with self.store.reading() as session:
            return [tuple(row) for row in session.execute(select(*columns).order_by(attempt.c.id))]

    def make_due(self, key: str = "K") -> None:
        """As if the time it waits for had come."""
        with self.store.transaction() as transaction:
            transaction.session.execute(
                ordering_key.update().where(ordering_key.c.ordering_key == key).values(due_at=0)
            )

    def lapse(self, key: str = "K") -> None:
        """As if whoever holds the key's lease had died long ago."""
        with self.store.transaction() as transaction:
            transaction.session.execute(
                ordering_key.update().where(ordering_key.c.ordering_key == key).values(lease_until=1)
            )


@pytest.fixture
def box(store: Store) -> Outbox:
    return Outbox(store)


@pytest.fixture
def partner() -> ScriptedPartner:
    return ScriptedPartner()


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


MakeDrain = Callable[..., Drain]


@pytest.fixture
def make_drain(store: Store, partner: ScriptedPartner, gate: OpenGate) -> MakeDrain:
    def make(owner: str = "one", **changed: Any) -> Drain:
        given = {"owner": owner, "lease": LEASE, "stopping": lambda: False, **changed}
        return Drain(store, partner, gate, **given)

    return make


@pytest.fixture
def drain(make_drain: MakeDrain) -> Drain:
    return make_drain()
