"""How much stands in the outbox, for figures that are asked for every few seconds: each question goes by an index of what is
open, and counts no further than `MOST`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Executable, bindparam, func, literal_column, select

from bridge.store import gates
from bridge.store.clock import moment
from bridge.store.session import Session
from bridge.store.statements import Prepared
from bridge.store.tables import ordering_key, outbox

MOST: Final = 100_000
"""Of one partner and kind; more than these are shown as so many."""

_FEW: Final = ("sending", "in_doubt", "held")
_OPEN: Final = ("waiting", *_FEW)


class Backlog(NamedTuple):
    """What is open for one partner: entries by state, keys that are held, and its gate."""

    partner: str
    entries: dict[str, int]
    held_keys: int
    circuit: str
    is_held: bool


# Without OFFSET SQLAlchemy writes one for SQLite by itself, as a parameter.
_NONE: Final[ColumnElement[int]] = literal_column("0")


def _first(state: str) -> Executable:
    # Ids are given in the order of entries: the first of the index is the oldest. The second condition is the index's own.
    is_state: ColumnElement[str] = literal_column(f"'{state}'")
    return (
        select(outbox.c.created_at)
        .where(outbox.c.state == is_state, outbox.c.state != literal_column("'delivered'"))
        .order_by(outbox.c.id)
        .limit(literal_column("1"))
        .offset(_NONE)
    )


def _by_partner(column: ColumnElement[str], where: ColumnElement[bool]) -> Executable:
    found = select(column).where(where).limit(literal_column(str(MOST))).offset(_NONE).subquery()
    return select(*found.c, func.count()).group_by(*found.c)


_FIRST = {state: Prepared(_first(state)) for state in _OPEN}
_OPEN_OF = Prepared(
    select(func.count()).select_from(
        select(outbox.c.seq)
        .where(outbox.c.partner == bindparam("of_partner"), outbox.c.settled_at.is_(None))
        .limit(literal_column(str(MOST)))
        .offset(_NONE)
        .subquery()
    ),
    "of_partner",
)
_FEW_BY_STATE = {
    state: Prepared(
        _by_partner(
            outbox.c.partner,
            (outbox.c.state == literal_column(f"'{state}'"))
            & (outbox.c.state != literal_column("'delivered'")),
        )
    )
    for state in _FEW
}
_HELD_KEYS = Prepared(_by_partner(ordering_key.c.partner, ordering_key.c.state == literal_column("'held'")))


def oldest_open(session: Session) -> datetime | None:
    """When the oldest open entry was put into the outbox; None where none is open."""
    return min((found for state in _OPEN if (found := _oldest(session, state))), default=None)


def oldest_in_doubt(session: Session) -> datetime | None:
    """The same of those in doubt."""
    return _oldest(session, "in_doubt")


def oldest_held(session: Session) -> datetime | None:
    """The same of those that a person holds."""
    return _oldest(session, "held")


def _oldest(session: Session, state: str) -> datetime | None:
    rows = session.rows(_FIRST[state])
    return moment(rows[0][0]) if rows else None


def by_partner(session: Session, partners: Iterable[str] = ()) -> list[Backlog]:
    """What is open for each of these partners, and for every other that was ever sent to."""
    few: dict[str, Counter[str]] = {
        state: Counter(dict(session.rows(statement))) for state, statement in _FEW_BY_STATE.items()
    }
    held_keys: Counter[str] = Counter(dict(session.rows(_HELD_KEYS)))
    rows = {row.partner: row for row in gates.every(session)}
    found = []
    for partner in sorted({*partners, *rows, *held_keys}):
        everything = int(session.rows(_OPEN_OF, (partner,))[0][0])
        entries = {state: few[state][partner] for state in _FEW}
        waiting = max(0, everything - sum(entries.values()))
        gate = rows.get(partner)
        found.append(
            Backlog(
                partner,
                {"waiting": waiting, **entries},
                held_keys[partner],
                "closed" if gate is None else gate.circuit,
                gate is not None and gate.held_because is not None,
            )
        )
    return found
