"""Orders in the store, whoever buys: finding and locking one, and what every handler that writes one asks first.

Purchase orders and sales orders differ in what they say and in their states; that a number is made of a row, that two writers take turns,
that a change is based on a revision, is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Table, bindparam, select

from bridge.erp.call import Call, sees
from bridge.erp.figures import LARGEST, MONEY_DIGITS, plain
from bridge.erp.moves import Event, Moves, NoMove, State
from bridge.erp.numbers import row_id
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared


class OrderRow(Protocol):
    """What is read here of an order's row."""

    @property
    def partner(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def changed_at(self) -> int: ...


class Order(Protocol):
    """An order as it is stored, without its lines."""

    @property
    def row(self) -> OrderRow: ...
    @property
    def number(self) -> str: ...


AnyOrder = TypeVar("AnyOrder", bound=Order)


class CancellationRow(NamedTuple):
    """A row of a table of cancellations."""

    order_id: int
    reason: str
    reason_language: str | None
    exchange_id: str
    cancelled_at: int


class Finder(Generic[AnyOrder]):
    """Finds and locks the orders of one table.

    Args:
        kind: the contract's BusinessKind, for faults.
        row: a NamedTuple of the table's columns but its id.
        make: an order of its id and its row.
    """

    def __init__(
        self, table: Table, kind: str, row: type[NamedTuple], make: Callable[[int, Any], AnyOrder]
    ) -> None:
        columns = table.c
        wanted = [columns.id, *(columns[name] for name in row._fields)]
        self._kind = kind
        self._row: Callable[..., Any] = row
        self._make = make
        self._by_id = Prepared(select(*wanted).where(columns.id == bindparam("id")), "id")
        self._by_request = Prepared(
            select(*wanted).where(
                columns.partner == bindparam("partner"), columns.request_id == bindparam("request_id")
            ),
            "partner",
            "request_id",
        )
        names = ", ".join(column.name for column in wanted)
        self._locked = ByKeys(
            f"SELECT {names} FROM {table.name} WHERE id IN ({{keys}}){{lock}}",  # noqa: S608 - names of columns and tables
            width=1,
        )

    def by_number(self, call: Call, order_number: str) -> AnyOrder | None:
        """The order of this number, where the caller may see it; another year with the same digits is another number, and
        nobody's."""
        return self._named(call, call.reading.rows(self._by_id, (row_id(order_number),)), order_number)

    def by_request(self, session: Session, partner: str, request_id: str) -> AnyOrder | None:
        """The order that this sender's request made."""
        rows = session.rows(self._by_request, (partner, request_id))
        return self._order(rows[0]) if rows else None

    def locked(self, call: Call, order_number: str) -> AnyOrder:
        """The order, which nobody else changes until this transaction ends; its state may be judged only now.

        Raises:
            the fault NotFound.
        """
        # SQLite has one writer at a time; PostgreSQL locks the row, before any balance or account is locked.
        rows = call.session.rows_for(self._locked, [(row_id(order_number),)])
        found = self._named(call, rows, order_number)
        if found is None:
            raise not_found(call, self._kind, order_number)
        call.reference = found.number
        return found

    def _named(self, call: Call, rows: list[tuple[Any, ...]], order_number: str) -> AnyOrder | None:
        found = self._order(rows[0]) if rows else None
        if found is None or found.number != order_number or not sees(call, found.row.partner):
            return None
        return found

    def _order(self, row: tuple[Any, ...]) -> AnyOrder:
        return self._make(row[0], self._row(*row[1:]))


def moved(
    moves: Moves[State, Event], kind: str, order_number: str, state: State, event: Event, call: Call
) -> State:
    """The state that the event leads to.

    Raises:
        the fault InvalidState: with the states that would have allowed it.
    """
    try:
        return moves.after(state, event)
    except NoMove as error:
        raise call.fault(
            "InvalidState",
            kind=kind,
            identifier=order_number,
            state=error.state,
            allowed=list(error.allowed),
        ) from None


def same_revision(kind: str, found: Order, given: int | None, call: Call) -> None:
    """Refuse a request that is based on another revision than the one that is there.

    Raises:
        the fault RevisionMismatch.
    """
    if given is not None and given != found.row.revision:
        raise call.fault(
            "RevisionMismatch",
            kind=kind,
            identifier=found.number,
            given=given,
            current=found.row.revision,
            changedAt=moment(found.row.changed_at),
        )


def changed_at(found: Order, call: Call) -> int:
    """The time of what this request does to the order, as it is stored: later than all that was done before, also where
    an earlier request waited for this one, or a clock was set back."""
    return max(stored(call.now), found.row.changed_at + 1)


def total_fits(total: int, path: str, call: Call) -> None:
    """Refuse a total that cannot be kept.

    Raises:
        the fault LimitExceeded.
    """
    if total > LARGEST:
        raise call.fault(
            "LimitExceeded",
            limit="documentTotal",
            allowed=plain(LARGEST, MONEY_DIGITS),
            actual=plain(total, MONEY_DIGITS),
            path=path,
        )


def line_path(operation: str, index: int, count: int, *, inside: str = "") -> str:
    """Where the line `index` (from 0) of `count` stands in a request, for faults."""
    return f"/{operation}{inside}/line[{index + 1}]" if count > 1 else f"/{operation}{inside}/line"


def broken(kind: str, identifier: str, reason: str, path: str) -> dict[str, str]:
    """A reference of the fault InvalidReference."""
    return {"kind": kind, "identifier": identifier, "reason": reason, "path": path}


def not_found(call: Call, kind: str, identifier: str) -> Exception:
    """The fault NotFound, to be raised."""
    return call.fault("NotFound", missing=[{"kind": kind, "identifier": identifier}])
