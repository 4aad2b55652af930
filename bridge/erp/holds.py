"""What reservations hold: their lines beside the balances, in one transaction with them.

A balance's `reserved` is the sum of what its lines hold, and both change only while the balance is locked; the
reservation's own row is locked after its balances. So nobody waits for another in a ring, and what a locked balance
says is reserved is true.

A reservation whose time ran out holds nothing any more. Its rows say so when one of its balances is next locked
(`give_back_expired`); a reader leaves out what is due (`due`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, update

from bridge.erp.call import Call
from bridge.erp.numbers import RESERVATION, number, row_id
from bridge.erp.posting import Balance, Holds, Leg, Place
from bridge.erp.reservation_states import MOVES, NEW_RESERVATION, Event, State, allowing, at
from bridge.erp.tables import reservation, reservation_line
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared


class DueLine(NamedTuple):
    """A line that still holds something although its reservation's time ran out."""

    reservation_id: int
    line_number: int
    sku: str
    warehouse: str
    reserved: int


_reservations, _lines = reservation.c, reservation_line.c

_DUE = ByKeys(
    "WITH asked (sku, warehouse, now) AS (VALUES {keys}) "
    "SELECT line.reservation_id, line.line_number, line.sku, line.warehouse, line.reserved FROM asked "
    "JOIN reservation_line AS line "
    "ON line.sku = asked.sku AND line.warehouse = asked.warehouse AND line.reserved > 0 "
    "JOIN reservation ON reservation.id = line.reservation_id AND reservation.expires_at <= asked.now",
    width=3,
)
_LOCKED = ByKeys(
    "SELECT id, created_at, state, expires_at FROM reservation WHERE id IN ({keys}) ORDER BY id{lock}",
    width=1,
)
_HELD = ByKeys(
    "SELECT reservation_id, line_number, sku, warehouse, reserved FROM reservation_line "
    "WHERE reservation_id IN ({keys}) ORDER BY reservation_id, position",
    width=1,
)
_STILL_HELD = ByKeys(
    "SELECT DISTINCT reservation_id FROM reservation_line WHERE reservation_id IN ({keys}) AND reserved > 0",
    width=1,
)
_EXPIRE = Prepared(
    update(reservation)
    .where(_reservations.id == bindparam("of_id"), _reservations.state == bindparam("old_state"))
    .values(state=bindparam("new_state"), changed_at=_reservations.expires_at),
    "new_state",
    "of_id",
    "old_state",
)
_MOVE = Prepared(
    update(reservation)
    .where(_reservations.id == bindparam("of_id"))
    .values(state=bindparam("new_state"), changed_at=bindparam("now")),
    "new_state",
    "now",
    "of_id",
)
_TAKE = Prepared(
    update(reservation_line)
    .where(_lines.reservation_id == bindparam("of_id"), _lines.line_number == bindparam("of_line"))
    .values(
        issued=_lines.issued + bindparam("issued_more"),
        released=_lines.released + bindparam("released_more"),
        reserved=_lines.reserved - bindparam("held_less"),
    ),
    "issued_more",
    "released_more",
    "held_less",
    "of_id",
    "of_line",
)


def due(session: Session, places: Iterable[Place], now: int) -> list[DueLine]:
    """The lines of these places whose time has run out by `now` and whose rows do not say so yet."""
    found = session.rows_for(_DUE, [(*place, now) for place in sorted(places)])
    # A key may have been asked for twice.
    return sorted({DueLine(*row) for row in found})


def give_back_expired(session: Session, balances: Mapping[Place, Balance], now: int) -> None:
    """Take what is due out of these locked balances, and write it to its lines; the balances are the caller's to write."""
    lines = due(session, [place for place, balance in balances.items() if balance.reserved], now)
    if not lines:
        return
    for line in lines:
        balances[line.sku, line.warehouse].reserved -= line.reserved
    give(session, [(line.reservation_id, line.line_number, line.reserved) for line in lines])
    old, new = NEW_RESERVATION, MOVES[NEW_RESERVATION, "expire"]
    session.run_many(_EXPIRE, [(new, one, old) for one in sorted({line.reservation_id for line in lines})])


def give(session: Session, parts: Sequence[tuple[int, int, int]]) -> None:
    """Give back parts of lines: (reservation's id, line number, how much). The caller lowers the balances."""
    session.run_many(_TAKE, [(0, part, part, owner, line) for owner, line, part in parts])


def lock(session: Session, ids: Iterable[int], call: Call, event: Event) -> None:
    """Lock these reservations, whose balances are locked already.

    Raises:
        the fault InvalidState: `event` is not allowed in the state that one of them is in.
    """
    now = stored(call.now)
    for one, created_at, state, expires_at in session.rows_for(_LOCKED, [(one,) for one in sorted(ids)]):
        stands: State = at(state, expires_at, now)
        if stands not in allowing(event):
            raise call.fault(
                "InvalidState",
                kind="reservation",
                identifier=number(RESERVATION, one, moment(created_at)),
                state=stands,
                allowed=list(allowing(event)),
            )


def holds_of(session: Session, planned: Sequence[Leg], call: Call) -> dict[tuple[str | None, Place], Holds]:
    """What the reservations named by the legs hold, locked, where the legs take from it.

    Raises:
        the fault InvalidState: one of them is no longer open.
    """
    named = {row_id(leg.reservation): leg.reservation for leg in planned if leg.reservation is not None}
    if not named:
        return {}
    lock(session, named, call, "issue")
    lines: dict[tuple[str | None, Place], dict[int, int]] = {}
    for owner, line, sku, warehouse, reserved in session.rows_for(_HELD, [(one,) for one in sorted(named)]):
        lines.setdefault((named[owner], (sku, warehouse)), {})[line] = reserved
    return {place: Holds(held) for place, held in lines.items()}


def write_taken(session: Session, holds: Mapping[tuple[str | None, Place], Holds], now: int) -> None:
    """Write what issues took from the lines, and what that makes of their reservations."""
    taken = [
        (row_id(name), line, part)
        for (name, _), one in holds.items()
        if name is not None
        for line, part in one.taken.items()
    ]
    session.run_many(_TAKE, [(part, 0, part, owner, line) for owner, line, part in taken])
    move(session, {owner for owner, _, _ in taken}, now, some="issue", last="fulfil")


def move(session: Session, ids: Iterable[int], now: int, *, some: Event, last: Event) -> dict[int, State]:
    """Move these locked, open reservations: `some` where a line still holds something, else `last`. The new states."""
    owners = sorted(ids)
    still = {one for (one,) in session.rows_for(_STILL_HELD, [(one,) for one in owners])}
    states = {one: MOVES[NEW_RESERVATION, some if one in still else last] for one in owners}
    session.run_many(_MOVE, [(state, now, one) for one, state in states.items()])
    return states
