"""What every kind of partner can do, and the words in which it is said: records, queries, pages, totals.

Four verbs: `send` (into the outbox; delivery carries it over), `fetch`, `totals`, `ping`. `scan` is `fetch` in bulk.

A record's values are str, int, Decimal, bool, date, datetime (always with a zone), None, dict and list, never float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from bridge.delivery.policy import Answer, Rules
from bridge.delivery.sender import Delivery, Document

if TYPE_CHECKING:
    from bridge.partners.entities import Entity
    from bridge.partners.mappings import Given

Verb = Literal["create", "update", "upsert", "delete"]
VERBS: tuple[Verb, ...] = ("create", "update", "upsert", "delete")


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """The value at `customer/code`; None where there is none."""
    if path in values:
        return values[path]
    found: Any = values
    for name in path.split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


class Record(NamedTuple):
    """A business object as a partner has it.

    `changed_at` is when the partner says it was changed last, None where it does not say; `version` is whatever the partner
    tells one state from another by (an ETag, a row version). Of one that is `deleted` there may be no values.
    """

    id: str
    values: Mapping[str, Any]
    changed_at: datetime | None = None
    deleted: bool = False
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records are asked for.

    Args:
        since: changed at this moment or later. `until`: before this moment. Both need an entity with `changed`.
        after: `Page.next` of the page before; None: from the beginning.
        limit: records of a page, at most; a partner may give fewer.
        ids: these only.
        where: fields that equal these values.
        among: (field, values): a field that equals one of these.
        between: (field, first, before): a field whose value is `first` or later, and before `before`; None: no such end.
        order: by id (code point order), or by the moment of the change and then the id, which lets a reader stop anywhere.
        by: of `scan`: the field whose text rows are ordered by (code point order) and which stands first in them; "": the id.
        deleted: what was deleted is asked for too, where the partner can tell.
    """

    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None
    limit: int = 500
    ids: tuple[str, ...] = ()
    where: Mapping[str, Any] | None = None
    among: tuple[str, Sequence[Any]] | None = None
    between: tuple[str, Any, Any] | None = None
    order: Literal["id", "changed"] = "id"
    by: str = ""
    deleted: bool = False

    @property
    def narrows(self) -> bool:
        """Whether it asks for some by their values."""
        return bool(self.where or self.among or self.between)

    def wants(self, values: Mapping[str, Any]) -> bool:
        """Whether a record meets `where`, `among` and `between`: for partners that cannot be asked that."""
        if self.where and any(value_at(values, name) != value for name, value in self.where.items()):
            return False
        if self.among is not None and value_at(values, self.among[0]) not in self.among[1]:
            return False
        if self.between is None:
            return True
        name, first, before = self.between
        value = value_at(values, name)
        return value is not None and (first is None or value >= first) and (before is None or value < before)


class Page(NamedTuple):
    """Records in the order that was asked for, and the cursor of the next page: None where this is the last."""

    records: Sequence[Record]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """How many records there are, and the sums of amounts: by (field, currency); the currency is "" where there is none."""

    count: int
    sums: Mapping[tuple[str, str], Decimal]


class Pong(NamedTuple):
    """An answer to `ping`: what was answered, for people, and how long it took in seconds."""

    answer: str
    seconds: float


class Written(NamedTuple):
    """What became of a write that ended well: the record's id there, and what was said on the wire, for the journal."""

    id: str | None
    request: bytes = b""
    reply: bytes = b""
    status: int | None = None


class Claim(NamedTuple):
    """A row of a staging table that is ours for a while. `seq` names it; `verb` is what is to be done with the record."""

    seq: int
    verb: Verb
    record: Record
    message_id: str | None = None
    attempts: int = 1


class Rejection(NamedTuple):
    """Why a claimed row is not moved: a word for programs, and a sentence for people, who read it beside the row."""

    seq: int
    reason: str
    explanation: str


class Backend(Protocol):
    """What a kind of partner implements; `bridge.partners.entity_partner` makes a partner of it. Used by several threads.

    Everything here raises subclasses of `PartnerError`, which say what became of it (docs/partners.md), and SettingsError for what only
    the operator can mend: a vanished column, an entity that is not there.
    """

    def check(self) -> list[str]:
        """A sentence for each mistake in the partner's file that can be known without asking the partner."""
        ...

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        """Do it, once. `document.id` goes along where the partner can keep it."""
        ...

    def fetch(self, entity: Entity, query: Query) -> Page:
        """A page of records."""
        ...

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields), ordered by id in code point order, or of (`query.by`, *fields) by that; `after` and `limit` do not
        count."""
        ...

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Count and sums. `sums` has the field with the currency by the field with the amount; None: there is none."""
        ...

    def ping(self) -> Pong:
        """Whether the partner can be reached."""
        ...

    def find(self, document: Document) -> bool | None:
        """Whether a document in doubt was processed; None where nobody can tell."""
        ...

    @property
    def can_find(self) -> bool:
        """Whether `find` can ever tell."""
        ...

    def address(self) -> str:
        """Where it is, for people and the journal, without credentials."""
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


@runtime_checkable
class Queue(Protocol):
    """What a backend implements besides where the partner leaves its changes for us, instead of being asked for them."""

    def claim(self, entity: Entity, *, limit: int = 500) -> Sequence[Claim]:
        """The oldest rows that are to be moved, ours for a while; of each record one at most. Empty where nothing waits."""
        ...

    def acknowledge(
        self, entity: Entity, done: Sequence[int] = (), rejected: Sequence[Rejection] = ()
    ) -> int:
        """What became of claimed rows, by their `seq`, once that is committed here. How many were still ours."""
        ...


@runtime_checkable
class Inspected(Protocol):
    """What a backend implements besides where its partner's tables can be looked at before anything is read."""

    def inspect(self) -> list[str]:
        """A sentence for each entity that cannot be read as the file says, or one where the partner cannot be reached."""
        ...


class Partner(Protocol):
    """A system that we call, whatever its kind. Used by several threads."""

    @property
    def name(self) -> str: ...

    @property
    def entities(self) -> Mapping[str, Entity]:
        """What can be read of it."""
        ...

    def send(
        self,
        operation: str,
        values: Any = None,
        *,
        mapping: Given | None = None,
        ordering_key: str | None = None,
        reference: str | None = None,
    ) -> Document:
        """Put a document into the outbox, in the transaction of the handler or of `with bridge.transaction():`."""
        ...

    def fetch(self, entity: str, query: Query = ...) -> Page: ...

    def scan(
        self, entity: str, fields: Sequence[str], query: Query = ...
    ) -> Iterator[list[tuple[Any, ...]]]: ...

    def totals(self, entity: str, query: Query = ..., sums: Mapping[str, str | None] = ...) -> Totals: ...

    def ping(self) -> Any: ...

    def close(self) -> None: ...

    # what delivery asks: `bridge.delivery.sender.Sender`

    @property
    def rules(self) -> Rules: ...

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery: ...

    def ask(self, document: Document) -> Answer: ...
