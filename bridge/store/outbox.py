"""The outbox: what must still leave for partners, in order per key.

An entry is put here in the transaction of whatever makes it necessary, so that it is there exactly when that is. Its
place in the order is given under the lock of its key's row, which is held until the commit. `bridge.delivery` takes
entries from here; only whoever holds a key's lease may.

Whoever decides about a key locks its row first, by primary key alone (`lock`): a condition beside it would be judged on
what was there before the wait, and lose a wake-up.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, case, cast, func, literal_column, null, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.store.cipher import open_text, place, seal_text
from bridge.store.clock import LEASES, Clock, is_live
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import DialectName, Prepared, insertion
from bridge.store.tables import attempt, ordering_key, outbox

CHANNEL: Final = "soapbridge_outbox"
"""Where PostgreSQL tells of entries; the message is the partner's name."""

AT_ONCE: Final = 0
"""A `due_at` that has always been reached."""


class NewEntry(NamedTuple):
    """What is to be put into the outbox; `payload` and `headers` are XML text."""

    entry_id: str
    partner: str
    ordering_key: str
    operation: str
    payload: str
    headers: str | None = None
    exchange_id: str | None = None
    reference: str | None = None


class KeyRow(NamedTuple):
    """A key as it stands, locked. `now` is the database's clock."""

    state: str
    due_at: int
    held_because: str | None
    lease_owner: str | None
    lease_no: int
    lease_until: int | None
    now: int

    def is_leased(self, length: int) -> bool:
        """Whether somebody drains it, by leases of that length in microseconds."""
        return is_live(self.lease_until, self.now, length)


class OpenEntry(NamedTuple):
    """The entry of a key whose turn it is."""

    id: int
    entry_id: str
    operation: str
    state: str
    attempts: int
    tries: int
    asked: int
    created_at: int
    since: int
    cause: str | None
    reason: str | None
    reference: str | None
    headers: str | None
    payload: str


class _OutboxRow(NamedTuple):
    """The table's columns, without the id that the database gives."""

    entry_id: str
    partner: str
    ordering_key: str
    seq: int
    operation: str
    state: str
    aside: int
    attempts: int
    tries: int
    asked: int
    created_at: int
    since: int
    changed_at: int
    settled_at: int | None
    cause: str | None
    reason: str | None
    exchange_id: str | None
    reference: str | None
    headers: str | None
    payload: str


class _AttemptRow(NamedTuple):
    outbox_id: int
    number: int
    exchange_id: str
    owner: str
    decision: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    reason: str | None


def _place(dialect: DialectName) -> Any:
    """Gives the next place of a key, and makes it active where it was idle; one that is held stays so."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    new = insert(ordering_key).values(
        partner=bindparam("of_partner"),
        ordering_key=bindparam("of_key"),
        next_seq=literal_column("2"),
        state=literal_column("'active'"),
        due_at=Clock(),
        lease_no=literal_column("0"),
    )
    idle = ordering_key.c.state == literal_column("'idle'")
    placed = new.on_conflict_do_update(
        index_elements=[ordering_key.c.partner, ordering_key.c.ordering_key],
        set_={
            "next_seq": ordering_key.c.next_seq + literal_column("1"),
            "due_at": case((idle, Clock()), else_=ordering_key.c.due_at),
            "state": case((idle, literal_column("'active'")), else_=ordering_key.c.state),
        },
    )
    return placed.returning(
        ordering_key.c.next_seq - literal_column("1"),
        ordering_key.c.state,
        ordering_key.c.lease_owner,
        ordering_key.c.due_at <= Clock(),
        Clock(),
    )


# Core's own limit says OFFSET on SQLite, with a parameter that nobody gave.
_ONE = text("LIMIT 1")
OF_KEY: Final = (
    ordering_key.c.partner == bindparam("of_partner"),
    ordering_key.c.ordering_key == bindparam("of_key"),
)
KEY_NAMES: Final = ("of_partner", "of_key")
"""A condition for one key's row, and the names of its parameters."""

_PLACE = Prepared(_place, *KEY_NAMES)
_INSERT = insertion(outbox, _OutboxRow)
_NOTIFY = Prepared(
    select(func.pg_notify(literal_column(f"'{CHANNEL}'"), bindparam("of_partner"))), "of_partner"
)
_LOCK = Prepared(
    select(*(ordering_key.c[name] for name in KeyRow._fields[:-1]), Clock()).where(*OF_KEY).with_for_update(),
    *KEY_NAMES,
)
_NEXT = Prepared(
    select(*(outbox.c[name] for name in OpenEntry._fields))
    .where(
        outbox.c.partner == bindparam("of_partner"),
        outbox.c.ordering_key == bindparam("of_key"),
        outbox.c.settled_at.is_(None),
        outbox.c.aside == literal_column("0"),
    )
    .order_by(outbox.c.seq)
    .suffix_with(_ONE),
    *KEY_NAMES,
)
_lease_end = Clock() + cast(bindparam("of_length"), BigInteger)
_TAKE = Prepared(
    update(ordering_key)
    .where(*OF_KEY)
    .values(
        lease_owner=bindparam("of_owner"),
        lease_no=ordering_key.c.lease_no + literal_column("1"),
        lease_until=_lease_end,
    ),
    "of_owner",
    "of_length",
    *KEY_NAMES,
)
_RENEW = Prepared(update(ordering_key).where(*OF_KEY).values(lease_until=_lease_end), "of_length", *KEY_NAMES)
_LEAVE = Prepared(
    update(ordering_key)
    .where(*OF_KEY)
    .values(
        state=bindparam("new_state"),
        due_at=bindparam("new_due"),
        held_because=bindparam("new_because"),
        lease_owner=null(),
        lease_until=null(),
    ),
    "new_state",
    "new_due",
    "new_because",
    *KEY_NAMES,
)
_SENDING = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("of_id"))
    .values(
        state=literal_column("'sending'"),
        attempts=outbox.c.attempts + literal_column("1"),
        tries=outbox.c.tries + literal_column("1"),
        changed_at=bindparam("of_now"),
    ),
    "of_now",
    "of_id",
)
_BEGIN = insertion(attempt, _AttemptRow)
_END = Prepared(
    update(attempt)
    .where(attempt.c.exchange_id == bindparam("of_exchange"), attempt.c.outbox_id == bindparam("of_id"))
    .values(ended_at=bindparam("of_now"), outcome=bindparam("new_outcome"), reason=bindparam("new_reason")),
    "of_now",
    "new_outcome",
    "new_reason",
    "of_exchange",
    "of_id",
)
_STATE = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("of_id"))
    .values(
        state=bindparam("new_state"),
        aside=bindparam("new_aside"),
        asked=bindparam("new_asked"),
        changed_at=bindparam("of_now"),
        settled_at=bindparam("new_settled"),
        cause=bindparam("new_cause"),
        reason=bindparam("new_reason"),
    ),
    "new_state",
    "new_aside",
    "new_asked",
    "of_now",
    "new_settled",
    "new_cause",
    "new_reason",
    "of_id",
)
_LAST_ATTEMPT = Prepared(
    select(attempt.c.exchange_id, attempt.c.ended_at)
    .where(attempt.c.outbox_id == bindparam("of_id"))
    .order_by(attempt.c.number.desc())
    .suffix_with(_ONE),
    "of_id",
)
_STATE_OF = Prepared(select(outbox.c.state).where(outbox.c.id == bindparam("of_id")), "of_id")
_now = select(
    Clock()
).scalar_subquery()  # asked once: the index finds what is due, and no other key is looked at
_DUE = Prepared(
    select(ordering_key.c.ordering_key)
    .where(
        ordering_key.c.partner == bindparam("of_partner"),
        ordering_key.c.state == literal_column("'active'"),
        ordering_key.c.due_at <= _now,
        (ordering_key.c.lease_until.is_(None))
        | (ordering_key.c.lease_until < _now)
        | (ordering_key.c.lease_until > _now + cast(bindparam("of_length"), BigInteger)),
    )
    .order_by(ordering_key.c.due_at)
    .suffix_with(text("LIMIT :most")),
    "of_partner",
    "of_length",
    "most",
)


def put(session: Session, entry: NewEntry) -> int:
    """Put an entry behind the others of its key, and tell runners of it; its place in the key, from 1.

    Whoever puts entries of several keys in one transaction does it in the order of (partner, ordering_key): two that
    lock in different orders would wait for each other.
    """
    seq, state, owner, due, now = session.rows(_PLACE, (entry.partner, entry.ordering_key))[0]
    session.run(
        _INSERT,
        _OutboxRow(
            entry.entry_id,
            entry.partner,
            entry.ordering_key,
            seq,
            entry.operation,
            "waiting",
            0,
            0,
            0,
            0,
            now,
            now,
            now,
            None,
            None,
            None,
            entry.exchange_id,
            entry.reference,
            seal_text(session.cipher, entry.headers, place("outbox", "headers", entry.entry_id)),
            seal_text(session.cipher, entry.payload, place("outbox", "payload", entry.entry_id)) or "",
        ),
    )
    if state == "active" and owner is None and due:
        notify(session, entry.partner)
    return int(seq)


def notify(session: Session, partner: str) -> None:
    """Tell the runners of all hosts, when this transaction is committed, to look at a partner's keys. A hint: a runner
    that misses it finds them at its next look."""
    if session.dialect == "postgresql":
        session.rows(_NOTIFY, (partner,))


def lock(session: Session, partner: str, key: str) -> KeyRow | None:
    """The key's row, locked until the end of the transaction; None where there is none."""
    rows = session.rows(_LOCK, (partner, key))
    return KeyRow(*rows[0]) if rows else None


def next_open(session: Session, partner: str, key: str) -> OpenEntry | None:
    """The entry whose turn it is; None where nothing is open, or all that is stands aside."""
    rows = session.rows(_NEXT, (partner, key))
    if not rows:
        return None
    entry = OpenEntry(*rows[0])
    headers, payload = opened(session, entry.entry_id, entry.headers, entry.payload)
    return entry._replace(headers=headers, payload=payload)


def opened(session: Session, entry_id: str, headers: str | None, payload: str) -> tuple[str | None, str]:
    """Headers and payload of an entry as they were given. Raises StoreError: their key is missing."""
    return (
        open_text(session.cipher, headers, place("outbox", "headers", entry_id)),
        open_text(session.cipher, payload, place("outbox", "payload", entry_id)) or "",
    )


def take_lease(session: Session, partner: str, key: str, *, owner: str, length: int) -> None:
    """Take the lease of a locked key for `length` microseconds; counts its number up by one."""
    session.run(_TAKE, (owner, length, partner, key))


def renew_lease(session: Session, partner: str, key: str, *, length: int) -> None:
    """Lengthen the lease of a locked key."""
    session.run(_RENEW, (length, partner, key))


def leave_key(
    session: Session, partner: str, key: str, state: str, *, due_at: int = AT_ONCE, because: str | None = None
) -> None:
    """Give the lease of a locked key back; `state` is what becomes of the key, `because` why it is held."""
    session.run(_LEAVE, (state, due_at, because and storable(because), partner, key))


def begin_attempt(
    session: Session, entry: OpenEntry, *, exchange_id: str, owner: str, decision: str, now: int
) -> None:
    """Write down that the entry is about to be sent."""
    session.run(_SENDING, (now, entry.id))
    row = _AttemptRow(entry.id, entry.attempts + 1, exchange_id, owner, decision, now, None, None, None)
    session.run(_BEGIN, row)


def end_attempt(
    session: Session, entry_id: int, exchange_id: str, *, outcome: str, reason: str | None, now: int
) -> None:
    """Write down what became of an attempt."""
    session.run(_END, (now, outcome, reason and storable(reason), exchange_id, entry_id))


def last_attempt(session: Session, entry_id: int) -> tuple[str, int | None] | None:
    """(exchange id, when it ended) of the entry's last attempt."""
    rows = session.rows(_LAST_ATTEMPT, (entry_id,))
    return (rows[0][0], rows[0][1]) if rows else None


def state_of(session: Session, entry_id: int) -> str:
    """The state of an entry, by its number."""
    return str(session.rows(_STATE_OF, (entry_id,))[0][0])


def set_state(
    session: Session,
    entry_id: int,
    state: str,
    *,
    now: int,
    settled: bool,
    asked: int,
    cause: str | None = None,
    reason: str | None = None,
    aside: bool = False,
) -> None:
    """What has become of an entry; `bridge.delivery.states` tells which moves there are."""
    cause, reason = cause and storable(cause), reason and storable(reason)
    session.run(_STATE, (state, int(aside), asked, now, now if settled else None, cause, reason, entry_id))


def due_keys(session: Session, partner: str, *, lease: int, most: int) -> list[str]:
    """Keys of a partner that may be drained now and that nobody drains, those that wait longest first.

    Args:
        lease: the length of a lease in microseconds. One that ends later than in two such lengths counts as lapsed: then
            the clock was set back.
    """
    return [row[0] for row in session.rows(_DUE, (partner, LEASES * lease, most))]
