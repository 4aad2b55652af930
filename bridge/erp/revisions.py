"""What an order was before each change: written once, when it is replaced, and read by its revision.

Revision n held from the moment n - 1 was replaced until it was itself; the one that holds is in the order's own tables.
"""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Integer, Table, bindparam, insert, select

from bridge.erp.call import Call
from bridge.erp.orders import Order, OrderRow, changed_at, not_found
from bridge.erp.references import MOST_LETTERS
from bridge.store import Session
from bridge.store.statements import Prepared

Header = TypeVar("Header", bound=NamedTuple)
Line = TypeVar("Line", bound=NamedTuple)


class RevisedRow(OrderRow, Protocol):
    """What is read here of an order's row."""

    @property
    def created_at(self) -> int: ...


Held_co = TypeVar("Held_co", bound=NamedTuple, covariant=True)


class Revised(Order, Protocol[Held_co]):
    """An order that has revisions."""

    @property
    def id(self) -> int: ...
    @property
    def row(self) -> RevisedRow: ...
    @property
    def header(self) -> Held_co: ...


class Revision(NamedTuple, Generic[Header, Line]):
    """An order as one revision has it; `made_at` as it is stored."""

    number: int
    header: Header
    lines: list[Line]
    made_at: int


class Revisions(Generic[Header, Line]):
    """The revisions of the orders of one table.

    Args:
        kind: the contract's BusinessKind, for faults.
        orders, lines: the tables with what holds.
        old, old_lines: the tables with what held, by `order_id` and `revision`.
        header, line: what is said of an order and of a line: columns of both tables.
    """

    def __init__(
        self,
        kind: str,
        orders: Table,
        lines: Table,
        old: Table,
        old_lines: Table,
        header: type[Header],
        line: type[Line],
    ) -> None:
        self._kind = kind
        self._header: type[Any] = header
        self._line: type[Any] = line
        of_header, of_line = list(header._fields), list(line._fields)
        is_revision = (old.c.order_id == bindparam("order_id"), old.c.revision == bindparam("revision"))
        self._keep_header = Prepared(
            insert(old).from_select(
                ["order_id", "revision", *of_header, "exchange_id", "replaced_at"],
                select(
                    orders.c.id,
                    orders.c.revision,
                    *(orders.c[name] for name in of_header),
                    orders.c.exchange_id,
                    bindparam("replaced_at", type_=old.c.replaced_at.type),
                ).where(orders.c.id == bindparam("order_id")),
            ),
            "replaced_at",
            "order_id",
        )
        self._keep_lines = Prepared(
            insert(old_lines).from_select(
                ["order_id", "revision", *of_line],
                select(
                    lines.c.order_id,
                    bindparam("revision", type_=Integer()),
                    *(lines.c[name] for name in of_line),
                ).where(lines.c.order_id == bindparam("order_id")),
            ),
            "revision",
            "order_id",
        )
        self._current_lines = Prepared(
            select(*(lines.c[name] for name in of_line))
            .where(lines.c.order_id == bindparam("order_id"))
            .order_by(lines.c.position),
            "order_id",
        )
        self._header_of = Prepared(
            select(*(old.c[name] for name in of_header)).where(*is_revision), "order_id", "revision"
        )
        self._replaced_at = Prepared(select(old.c.replaced_at).where(*is_revision), "order_id", "revision")
        self._lines_of = Prepared(
            select(*(old_lines.c[name] for name in of_line))
            .where(
                old_lines.c.order_id == bindparam("order_id"), old_lines.c.revision == bindparam("revision")
            )
            .order_by(old_lines.c.position),
            "order_id",
            "revision",
        )

    def keep(self, found: Revised[Header], call: Call) -> None:
        """Write down what the order is, before it becomes something else."""
        session = call.session
        session.run(self._keep_header, (changed_at(found, call), found.id))
        session.run(self._keep_lines, (found.row.revision, found.id))

    def revision_of(
        self, found: Revised[Header], wanted: int | None, session: Session, call: Call
    ) -> Revision[Header, Line]:
        """The order as this revision has it; where none is named, as it stands, changed when it was last moved.

        Raises:
            the fault NotFound: it never had such a revision.
        """
        row, current = found.row, found.row.revision
        if wanted is None:
            return Revision(current, found.header, self.lines_of(session, found.id), row.changed_at)
        if wanted > current:
            raise not_found(call, self._kind, f"{found.number} revision {wanted}"[:MOST_LETTERS])
        made_at = row.created_at
        if wanted > 1:
            ((made_at,),) = session.rows(self._replaced_at, (found.id, wanted - 1))
        if wanted == current:
            return Revision(current, found.header, self.lines_of(session, found.id), made_at)
        asked = (found.id, wanted)
        header = self._header(*session.rows(self._header_of, asked)[0])
        return Revision(
            wanted, header, [self._line(*one) for one in session.rows(self._lines_of, asked)], made_at
        )

    def lines_of(self, session: Session, order_id: int) -> list[Line]:
        """The order's lines, as the caller's document had them."""
        return [self._line(*row) for row in session.rows(self._current_lines, (order_id,))]
