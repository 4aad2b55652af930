"""ReserveStock, ReleaseStock and GetReservation.

A reservation is a document of its own, `SR-2026-000123`. Its lines hold stock in the balances until an issue that
names it takes it, it is given back, or its time runs out. Each line remembers what was wanted, granted, issued and
released, so that what became of a promise can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from bridge.erp.call import Call, sees, sender
from bridge.erp.documents import note_of
from bridge.erp.figures import QUANTITY_DIGITS, quantity, scaled
from bridge.erp.holds import give, lock, move
from bridge.erp.instants import instant
from bridge.erp.inventory.reserving import grant
from bridge.erp.ledger import lock_balances, refuse, write_balances
from bridge.erp.numbers import RESERVATION, number, row_id
from bridge.erp.posting import Leg, Shortage
from bridge.erp.references import (
    MOST_LETTERS,
    MOST_REPORTED,
    References,
    Rules,
    known_units,
    known_warehouses,
)
from bridge.erp.reservation_states import NEW_RESERVATION, State, at
from bridge.erp.tables import reservation, reservation_line, reservation_release
from bridge.erp.telling import Tell, levels_of
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]


class ReservationRow(NamedTuple):
    """A row of `reservation`, without the id that the database gives."""

    partner: str
    request_id: str
    state: State
    reference: str
    expires_at: int | None
    note: str | None
    note_language: str | None
    exchange_id: str
    created_at: int
    changed_at: int


class LineRow(NamedTuple):
    """A row of `reservation_line`."""

    reservation_id: int
    line_number: int
    position: int
    sku: str
    warehouse: str
    wanted: int
    granted: int
    issued: int
    released: int
    reserved: int


class ReleaseRow(NamedTuple):
    """A row of `reservation_release`, without the id that the database gives."""

    reservation_id: int
    partner: str
    request_id: str
    reason: str
    note: str | None
    note_language: str | None
    exchange_id: str
    released_at: int


_reservations, _lines, _releases = reservation.c, reservation_line.c, reservation_release.c
_RESERVATION = (_reservations.id, *(_reservations[name] for name in ReservationRow._fields))

_INSERT = insertion(
    reservation, ReservationRow, returning=_reservations.id, unless_there=("partner", "request_id")
)
_INSERT_LINE = insertion(reservation_line, LineRow)
_INSERT_RELEASE = insertion(
    reservation_release, ReleaseRow, returning=_releases.id, unless_there=("partner", "request_id")
)
_BY_ID = Prepared(select(*_RESERVATION).where(_reservations.id == bindparam("id")), "id")
_BY_REQUEST = Prepared(
    select(*_RESERVATION).where(
        _reservations.partner == bindparam("partner"), _reservations.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_RELEASED_AT = Prepared(
    select(_releases.released_at).where(
        _releases.partner == bindparam("partner"), _releases.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_LINES_OF = Prepared(
    select(*(_lines[name] for name in LineRow._fields))
    .where(_lines.reservation_id == bindparam("reservation_id"))
    .order_by(_lines.position),
    "reservation_id",
)


def reserve_stock(request: Any, call: Call, rules: Rules, tell: Tell | None = None) -> Reply:
    """Hold stock for a reference: all of it or, where `partial`, what there is.

    Faults: KeyReused, InvalidReference, InsufficientStock, LimitExceeded.
    """
    session = call.session
    wanted = list(_wanted(request.line))
    row = _new_row(request, call)
    reservation_id = _insert(session, row, call)
    references = References(session, wanted, call, rules)
    levels = levels_of(tell)
    places = {leg.place for leg in wanted}
    balances = lock_balances(session, places, references.warehouses, call.now, levels)
    grants = grant(wanted, balances, partial=bool(request.partial))
    if not request.partial or not any(grants.granted):
        refuse(grants.shortages, (), call)
    refuse((), grants.overflows, call)
    write_balances(session, balances)
    lines = [
        LineRow(
            reservation_id,
            line.lineNumber,
            position,
            leg.sku,
            leg.warehouse,
            -leg.quantity,
            granted,
            0,
            0,
            granted,
        )
        for position, (line, leg, granted) in enumerate(
            zip(request.line, wanted, grants.granted, strict=True), 1
        )
    ]
    session.run_many(_INSERT_LINE, lines)
    if levels is not None:
        levels.tell(call)
    call.reference = _number(reservation_id, row)
    return {
        "reservationNumber": call.reference,
        "state": row.state,
        "createdAt": moment(row.created_at),
        "complete": all(line.granted == line.wanted for line in lines),
        "line": [
            {"lineNumber": line.line_number, "reserved": _figure(line.reserved, leg.unit)}
            for line, leg in zip(lines, wanted, strict=True)
        ],
    }


def release_stock(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Give back what a reservation holds, all of it or some lines.

    Faults: KeyReused, NotFound, InvalidReference, InvalidState, InsufficientStock.
    """
    session = call.session
    reservation_id, row = _find(session, call, request.reservationNumber)
    call.reference = _number(reservation_id, row)
    lines = _lines_of(session, reservation_id)
    places = {(line.sku, line.warehouse) for line in lines}
    levels = levels_of(tell)
    warehouses = known_warehouses(session, (code for _, code in places))
    balances = lock_balances(session, places, warehouses, call.now, levels)
    lock(session, [reservation_id], call, "reduce")
    # Not before: on PostgreSQL its foreign key holds the reservation's row, which comes after the balances.
    _record(session, reservation_id, request, call)
    # Anew: an issue may have taken from them until the balances were locked.
    lines = _lines_of(session, reservation_id)
    units = known_units(session, (line.sku for line in lines))
    parts = _parts(request.line, lines, units, call)
    for line, part in parts:
        balances[line.sku, line.warehouse].reserved -= part
    give(session, [(reservation_id, line.line_number, part) for line, part in parts])
    state = move(session, [reservation_id], stored(call.now), some="reduce", last="release")
    write_balances(session, balances)
    if levels is not None:
        levels.tell(call)
    return {
        "reservationNumber": call.reference,
        "state": state[reservation_id],
        "changedAt": call.now,
        "line": [
            {
                "lineNumber": line.line_number,
                "released": _figure(part, units[line.sku]),
                "reserved": _figure(line.reserved - part, units[line.sku]),
            }
            for line, part in sorted(parts)
        ],
    }


def get_reservation(request: Any, call: Call) -> Reply:
    """The reservation as it stands. Fault: NotFound."""
    wanted, session = request.reservation, call.reading
    reservation_id, row = _find(session, call, wanted.reservationNumber, wanted.requestId)
    state = at(row.state, row.expires_at, stored(call.now))
    lines = _lines_of(session, reservation_id)
    if state == "expired":  # its rows may not say so yet
        lines = [line._replace(released=line.released + line.reserved, reserved=0) for line in lines]
    units = known_units(session, (line.sku for line in lines))
    call.reference = _number(reservation_id, row)
    reply: Reply = {
        "reservationNumber": call.reference,
        "state": state,
        "reference": row.reference,
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at if state == row.state else row.expires_at or row.changed_at),
        "line": [_line(line, units[line.sku]) for line in lines],
    }
    if row.expires_at is not None:
        reply["expiresAt"] = moment(row.expires_at)
    if row.note is not None:
        reply["note"] = note_of(row.note, row.note_language)
    return reply


# -- from the request


def _wanted(lines: Sequence[Any]) -> Iterable[Leg]:
    """Lines to reserve as the legs of the issues they are promised for."""
    for position, line in enumerate(lines, 1):
        path = f"/ReserveStock/line[{position}]" if len(lines) > 1 else "/ReserveStock/line"
        amount = scaled(line.quantity.value, QUANTITY_DIGITS)
        yield Leg(
            position,
            "issue",
            None,
            line.sku,
            line.warehouse,
            -amount,
            line.quantity.unit,
            path,
            "warehouse",
        )


def _new_row(request: Any, call: Call) -> ReservationRow:
    now = stored(call.now)
    expires_at = None if request.expiresAt is None else instant(request.expiresAt)
    if expires_at is not None and expires_at <= now:
        given = str(request.expiresAt)[:MOST_LETTERS]
        _refuse_reference(call, [_broken("reservation", given, "mismatch", "/ReserveStock/expiresAt")])
    note = request.note
    return ReservationRow(
        sender(call),
        request.requestId,
        NEW_RESERVATION,
        request.reference,
        expires_at,
        None if note is None else note.value,
        None if note is None else note.language,
        call.exchange_id,
        now,
        now,
    )


def _insert(session: Session, row: ReservationRow, call: Call) -> int:
    made = session.rows(_INSERT, row)
    if not made:
        ((_, *first),) = session.rows(_BY_REQUEST, (row.partner, row.request_id))
        raise call.fault(
            "KeyReused", requestId=row.request_id, firstUsedAt=moment(ReservationRow(*first).created_at)
        )
    reservation_id: int = made[0][0]
    return reservation_id


def _record(session: Session, reservation_id: int, request: Any, call: Call) -> None:
    note = request.note
    row = ReleaseRow(
        reservation_id,
        sender(call),
        request.requestId,
        request.reason,
        None if note is None else note.value,
        None if note is None else note.language,
        call.exchange_id,
        stored(call.now),
    )
    if not session.rows(_INSERT_RELEASE, row):
        ((released_at,),) = session.rows(_RELEASED_AT, (row.partner, row.request_id))
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(released_at))


def _parts(
    named: Sequence[Any], lines: Sequence[LineRow], units: dict[str, str], call: Call
) -> list[tuple[LineRow, int]]:
    """(line, how much of it is given back); every line that holds something where none is named.

    Raises:
        the fault InvalidReference: a line that is not there, or a unit that is not the item's.
        the fault InsufficientStock: a line holds less.
    """
    if not named:
        return [(line, line.reserved) for line in lines if line.reserved]
    by_number = {line.line_number: line for line in lines}
    parts: list[tuple[LineRow, int]] = []
    broken: list[dict[str, str]] = []
    short: list[Shortage] = []
    for position, one in enumerate(named, 1):
        path = f"/ReleaseStock/line[{position}]" if len(named) > 1 else "/ReleaseStock/line"
        line, given = by_number.get(one.lineNumber), one.quantity
        if line is None:
            broken.append(
                _broken("reservation", f"{call.reference}/{one.lineNumber}", "unknown", f"{path}/lineNumber")
            )
        elif given is not None and given.unit != units[line.sku]:
            broken.append(_broken("unit", given.unit, "mismatch", f"{path}/quantity/@unit"))
        else:
            part = line.reserved if given is None else scaled(given.value, QUANTITY_DIGITS)
            parts.append((line, part))
            if part > line.reserved:
                short.append(Shortage(_leg_of(line, units[line.sku], path), line.reserved, part))
    _refuse_reference(call, broken)
    refuse(short, (), call)
    return parts


def _leg_of(line: LineRow, unit: str, path: str) -> Leg:
    return Leg(0, "issue", None, line.sku, line.warehouse, 0, unit, path, "")


def _broken(kind: str, identifier: str, reason: str, path: str) -> dict[str, str]:
    return {"kind": kind, "identifier": identifier, "reason": reason, "path": path}


def _refuse_reference(call: Call, broken: Sequence[dict[str, str]]) -> None:
    if broken:
        raise call.fault("InvalidReference", reference=list(broken[:MOST_REPORTED]))


# -- from the rows


def _find(
    session: Session, call: Call, named: str | None, request_id: str | None = None
) -> tuple[int, ReservationRow]:
    """(id, row) by number or by the request id of its sender. Fault: NotFound."""
    if named is not None:
        rows = session.rows(_BY_ID, (row_id(named),))
        # Another year with the same digits is another number, and nobody's.
        made = [(row[0], ReservationRow(*row[1:])) for row in rows]
        rows = [(one, *row) for one, row in made if _number(one, row) == named and sees(call, row.partner)]
        missing = {"kind": "reservation", "identifier": named}
    else:
        rows = session.rows(_BY_REQUEST, (sender(call), request_id))
        missing = {"kind": "request", "identifier": request_id or ""}
    if not rows:
        raise call.fault("NotFound", missing=[missing])
    return rows[0][0], ReservationRow(*rows[0][1:])


def _lines_of(session: Session, reservation_id: int) -> list[LineRow]:
    return [LineRow(*row) for row in session.rows(_LINES_OF, (reservation_id,))]


def _line(line: LineRow, unit: str) -> dict[str, Any]:
    return {
        "lineNumber": line.line_number,
        "sku": line.sku,
        "warehouse": line.warehouse,
        "quantity": _figure(line.wanted, unit),
        "granted": _figure(line.granted, unit),
        "issued": _figure(line.issued, unit),
        "released": _figure(line.released, unit),
        "reserved": _figure(line.reserved, unit),
    }


def _figure(amount: int, unit: str) -> dict[str, Any]:
    return {"value": quantity(amount), "unit": unit}


def _number(reservation_id: int, row: ReservationRow) -> str:
    return number(RESERVATION, reservation_id, moment(row.created_at))
