"""What runners look for in the outbox, all keys of a partner or of a process at once: when the next one is due, which
leases are ours, what a clock that was set back has left behind.

Functions take the session of the transaction they belong to. Moments and lengths are microseconds, by the database's clock.
Several rows are changed in the order of their keys, on PostgreSQL without those that somebody is deciding about: nobody
waits for anybody in a circle, and what is passed over has its turn at the next look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    update,
)

from bridge.store.clock import Clock
from bridge.store.session import Session
from bridge.store.statements import DialectName, Prepared
from bridge.store.tables import attempt, ordering_key, outbox

_active = ordering_key.c.state == literal_column("'active'")
_free = ordering_key.c.lease_owner.is_(None)
_now = select(Clock()).scalar_subquery()
"""In conditions: asked once, so that an index finds what lies before or after it."""
_of_partner = ordering_key.c.partner == bindparam("of_partner")


class Coming(NamedTuple):
    """`at`: when the next key is due that is not due yet; None where there is none. `now`: the database's clock."""

    at: int | None
    now: int


def _in(name: str) -> Any:
    return Clock() + cast(bindparam(name), BigInteger)


def _change(
    values: Callable[[], dict[str, Any]], *conditions: ColumnElement[bool]
) -> Callable[[DialectName], Any]:
    """An update of many keys, as the head of this module says."""

    def make(dialect: DialectName) -> Any:
        changed = update(ordering_key).values(values())
        if dialect == "sqlite":
            return changed.where(*conditions)
        names = (ordering_key.c.partner, ordering_key.c.ordering_key)
        found = select(*names).where(*conditions).order_by(*names).with_for_update(skip_locked=True)
        return changed.where(tuple_(*names).in_(found))

    return make


def _partners() -> Any:
    """Hops from partner to partner in the index of what is open, however much that is."""
    is_open = outbox.c.settled_at.is_(None)
    first = select(func.min(outbox.c.partner).label("partner")).where(is_open)
    named = first.cte("named", recursive=True)
    after = select(func.min(outbox.c.partner)).where(is_open, outbox.c.partner > named.c.partner)
    named = named.union_all(select(after.scalar_subquery()).where(named.c.partner.is_not(None)))
    return select(named.c.partner).where(named.c.partner.is_not(None))


_limit = _now + cast(bindparam("beyond"), BigInteger)
_too_far = (_of_partner, _active, ordering_key.c.due_at > _limit)
_too_long = (ordering_key.c.lease_owner.is_not(None), ordering_key.c.lease_until > _limit)

_COMING = Prepared(
    select(
        select(func.min(ordering_key.c.due_at))
        .where(_of_partner, _active, _free, ordering_key.c.due_at > _now)
        .scalar_subquery(),
        Clock(),
    ),
    "of_partner",
)
_RENEW = Prepared(
    _change(lambda: {"lease_until": _in("of_length")}, ordering_key.c.lease_owner == bindparam("of_owner")),
    "of_length",
    "of_owner",
)
_GIVE_BACK = Prepared(
    update(ordering_key)
    .where(
        _of_partner,
        ordering_key.c.ordering_key == bindparam("of_key"),
        ordering_key.c.lease_owner == bindparam("of_owner"),
    )
    .values(lease_owner=literal_column("NULL"), lease_until=literal_column("NULL"), due_at=_in("of_pause")),
    "of_pause",
    "of_partner",
    "of_key",
    "of_owner",
)
_NEWEST = Prepared(
    select(
        select(outbox.c.created_at)
        .where(outbox.c.id == select(func.max(outbox.c.id)).scalar_subquery())
        .scalar_subquery(),
        select(func.coalesce(attempt.c.ended_at, attempt.c.started_at))
        .where(attempt.c.id == select(func.max(attempt.c.id)).scalar_subquery())
        .scalar_subquery(),
    )
)
_PARTNERS = Prepared(_partners())
_FIND_TOO_FAR = Prepared(select(exists().where(*_too_far)), "of_partner", "beyond")
_FIND_TOO_LONG = Prepared(select(exists().where(*_too_long)), "beyond")
_BRING_FORWARD = Prepared(_change(lambda: {"due_at": Clock()}, *_too_far), "of_partner", "beyond")
_CUT_SHORT = Prepared(_change(lambda: {"lease_until": Clock()}, *_too_long), "beyond")


def coming(session: Session, partner: str) -> Coming:
    """When to look again at a partner of whose keys none is due."""
    return Coming(*session.rows(_COMING, (partner,))[0])


def renew_leases(session: Session, owner: str, *, length: int) -> int:
    """Lengthen every lease of a process; how many."""
    return session.run(_RENEW, (length, owner))


def give_back(session: Session, partner: str, key: str, *, owner: str, pause: int) -> None:
    """Give up the lease of a key whose drain has failed, where it has one: the key may be looked at after `pause`."""
    session.run(_GIVE_BACK, (pause, partner, key, owner))


def open_partners(session: Session) -> list[str]:
    """The partners that anything is open for."""
    return [row[0] for row in session.rows(_PARTNERS)]


def newest(session: Session) -> int:
    """The moment of what was written down last, 0 where nothing was: later than now, and the clock was set back since."""
    return max(moment or 0 for moment in session.rows(_NEWEST)[0])


def is_too_far(session: Session, partner: str, *, beyond: int) -> bool:
    """Whether a key of the partner is due only after so long: see `bring_forward`."""
    return bool(session.rows(_FIND_TOO_FAR, (partner, beyond))[0][0])


def bring_forward(session: Session, partner: str, *, beyond: int) -> int:
    """Make due now what is due only after more than `beyond`; how many keys. Early is safe, the gate has the last word."""
    return session.run(_BRING_FORWARD, (partner, beyond))


def is_too_long(session: Session, *, beyond: int) -> bool:
    """Whether a lease ends only after so long: see `cut_short`."""
    return bool(session.rows(_FIND_TOO_LONG, (beyond,))[0][0])


def cut_short(session: Session, *, beyond: int) -> int:
    """End now the leases that end only after more than `beyond`, which nobody can have taken: the clock was set back."""
    return session.run(_CUT_SHORT, (beyond,))
