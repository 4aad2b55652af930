"""Idempotency records: what was answered to each writing request, kept so that a repeat gets the same.

A record is claimed inside the transaction of the handler that does the work: a crash or an error frees it with
everything else, and a second request waits at the database until the first has ended. Only where a handler calls
another system is the claim committed before, with a lease; a claim whose lease has run out is in doubt, and is
never given to another request: what was sent cannot be taken back.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import sqlalchemy
from sqlalchemy import bindparam, delete, func, literal_column, select, update

from bridge.store.cipher import Cipher, open_text, place, seal_text
from bridge.store.clock import Clock, moment
from bridge.store.session import Row, Session
from bridge.store.statements import Parameters, Prepared, insertion
from bridge.store.tables import idempotency as table

State = Literal["running", "answered", "in_doubt"]

SWEPT = 500
"""Expired records removed in one go: the transaction that does it is a request's, and is to stay short."""


class RequestIdentity(NamedTuple):
    """What makes two requests the same one. `partner` is empty where callers are not told apart."""

    partner: str
    contract: str
    operation: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was found. `answer` is XML text: the reply's payload, or the detail of the declared fault
    named in `fault`; `headers` the declared SOAP headers of the reply. Times are microseconds since 1970 UTC."""

    id: int
    partner: str
    contract: str
    operation: str
    idempotency_key: str
    payload_hash: bytes
    state: State
    exchange_id: str
    created_at: int
    lease_until: int | None
    reference: str | None
    fault: str | None
    headers: str | None
    answer: str | None

    @property
    def first_used(self) -> datetime:
        """When the first request of this identity came in."""
        return moment(self.created_at)


class _Row(NamedTuple):
    """The table's columns, without the id that the database gives."""

    partner: str
    contract: str
    operation: str
    idempotency_key: str
    payload_hash: bytes
    state: State
    exchange_id: str
    created_at: int
    lease_until: int | None
    reference: str | None
    fault: str | None
    headers: str | None
    answer: str | None


_columns = table.c
# As the partial index says it, so that both databases use it.
_NOT_ANSWERED = _columns.state != literal_column("'answered'")
_IDENTITY = tuple(_columns[name] == bindparam(f"of_{name}") for name in RequestIdentity._fields)
_OF_IDENTITY = tuple(f"of_{name}" for name in RequestIdentity._fields)

_INSERT = insertion(table, _Row, returning=_columns.id, unless_there=RequestIdentity._fields)
_FIND = Prepared(select(*table.columns).where(*_IDENTITY), *_OF_IDENTITY)
_BY_ID = Prepared(select(*table.columns).where(_columns.id == bindparam("of_id")), "of_id")
# What was answered stands, whoever comes later.
_UNANSWERED = (_columns.id == bindparam("of_id"), _NOT_ANSWERED)
_ANSWER = Prepared(
    update(table)
    .where(*_UNANSWERED)
    .values(
        state=bindparam("new_state"),
        lease_until=bindparam("new_lease"),
        reference=bindparam("new_reference"),
        fault=bindparam("new_fault"),
        headers=bindparam("new_headers"),
        answer=bindparam("new_answer"),
    ),
    "new_state",
    "new_lease",
    "new_reference",
    "new_fault",
    "new_headers",
    "new_answer",
    "of_id",
)
_LEASE = Prepared(
    update(table)
    .where(*_UNANSWERED)
    .values(state=bindparam("new_state"), lease_until=bindparam("new_lease")),
    "new_state",
    "new_lease",
    "of_id",
)
_FREE = Prepared(delete(table).where(*_UNANSWERED), "of_id")
_CLOCK = Prepared(select(Clock()))
_DELETE = Prepared(delete(table).where(_columns.id == bindparam("of_id")), "of_id")


class Reads(Protocol):
    """A session, or the store itself where nothing else is read."""

    @property
    def cipher(self) -> Cipher | None: ...

    def rows(self, statement: Prepared, parameters: Parameters = ()) -> list[Row]: ...


def find(store: Reads, identity: RequestIdentity, *, oldest: int) -> Record | None:
    """The record of this identity, None where there is none. An answer given before `oldest` has expired."""
    rows = store.rows(_FIND, identity)
    if not rows:
        return None
    record = _record(store.cipher, rows[0])
    return None if _has_expired(record, oldest) else record


def claim(
    session: Session,
    identity: RequestIdentity,
    *,
    payload_hash: bytes,
    exchange_id: str,
    now: int,
    oldest: int,
    lease_until: int | None = None,
) -> int | Record:
    """Make the record, and answer its id; or the record that another request made before.

    Where another transaction has made one and not ended yet, this waits for its end.
    """
    row = _Row(*identity, payload_hash, "running", exchange_id, now, lease_until, *(None,) * 4)
    while True:
        made = session.rows(_INSERT, row)
        if made:
            record_id: int = made[0][0]
            return record_id
        rows = session.rows(_FIND, identity)
        if not rows:
            continue  # removed in between
        record = _record(session.cipher, rows[0])
        if not _has_expired(record, oldest):
            return record
        session.run(_DELETE, (record.id,))


def keep_answer(
    session: Session,
    record_id: int,
    *,
    answer: str | None,
    headers: str | None = None,
    reference: str | None = None,
    fault: str | None = None,
) -> bool:
    """Make a claim the answer that every repeat gets. False: it was settled by somebody else, or given up."""
    kept_headers = seal_text(session.cipher, headers or None, place("idempotency", "headers", record_id))
    kept_answer = seal_text(session.cipher, answer, place("idempotency", "answer", record_id))
    row = ("answered", None, reference, fault, kept_headers, kept_answer, record_id)
    return session.run(_ANSWER, row) > 0


def put_in_doubt(session: Session, record_id: int) -> None:
    """Nobody knows what became of this request. Repeats are told so until somebody settles it. An answer stands."""
    session.run(_ANSWER, ("in_doubt", None, None, None, None, None, record_id))


def free(session: Session, record_id: int) -> bool:
    """Forget a claim: the next request of its identity is done. Whether there was one; an answer stands."""
    return session.run(_FREE, (record_id,)) > 0


def renew(session: Session, record_id: int, lease_until: int) -> bool:
    """Lengthen the lease of a claim, also of one that was put in doubt meanwhile. Whether it is still there."""
    return session.run(_LEASE, ("running", lease_until, record_id)) > 0


def by_id(session: Session, record_id: int) -> Record | None:
    """One record, None where there is none."""
    rows = session.rows(_BY_ID, (record_id,))
    return _record(session.cipher, rows[0]) if rows else None


def of_exchange(session: Session, exchange_id: str, *, since: int, until: int) -> Record | None:
    """The record that an exchange made, whose request came in between the two; None where there is none."""
    statement = select(*table.columns).where(
        _columns.created_at >= since, _columns.created_at < until, _columns.exchange_id == exchange_id
    )
    row = session.execute(statement).first()
    return None if row is None else _record(session.cipher, row)


def forget(session: Session, record_id: int) -> None:
    """Remove a record, answered or not, in the transaction that puts another answer in its place."""
    session.run(_DELETE, (record_id,))


def unanswered(session: Session, *, limit: int = 100) -> tuple[Record, ...]:
    """Claims that are running or in doubt, oldest first."""
    statement = (
        select(*table.columns).where(_NOT_ANSWERED).order_by(_columns.created_at, _columns.id).limit(limit)
    )
    return tuple(_record(session.cipher, row) for row in session.execute(statement))


def oldest_in_doubt(session: Session) -> datetime | None:
    """When the longest unsettled request came in; None where none is in doubt."""
    statement = select(func.min(_columns.created_at)).where(_NOT_ANSWERED, _columns.state == "in_doubt")
    found = session.execute(statement).scalar()
    return None if found is None else moment(found)


def sweep(session: Session, *, oldest: int, limit: int = SWEPT) -> int:
    """Remove answers given before `oldest`, at most `limit`; how many. What is in doubt stays."""
    expired = (
        select(_columns.id)
        .where(_columns.created_at < oldest, _columns.state == "answered")
        .order_by(_columns.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # another request that sweeps, or begins anew, takes care of those
    )
    ids = list(session.execute(expired).scalars())
    if ids:
        session.execute(delete(table).where(_columns.id.in_(ids)))
    return len(ids)


def lease_clock(session: Session) -> int:
    """Now, by the clock that leases go by: the database's where several hosts share it, else this host's."""
    now: int = session.rows(_CLOCK)[0][0]
    return now


def _has_expired(record: Record, oldest: int) -> bool:
    return record.state == "answered" and record.created_at < oldest


def _record(cipher: Cipher | None, row: Row | sqlalchemy.Row[*tuple[Any, ...]]) -> Record:
    """A row as it was written. Raises StoreError: the key of its answer is missing."""
    record = Record(*row)
    if record.answer is None and record.headers is None:
        return record
    return replace(
        record,
        headers=open_text(cipher, record.headers, place("idempotency", "headers", record.id)),
        answer=open_text(cipher, record.answer, place("idempotency", "answer", record.id)),
    )
