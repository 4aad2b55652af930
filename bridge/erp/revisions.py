"""What an order was before each change: written once, when it is replaced, and read by its revision.

Revision n held from the moment n - 1 was replaced until it was itself; the one that holds is in the order's own tables.
"""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Integer, Table, bindparam, insert, select

from bridge.store import Session
from bridge.store.statements import Prepared

Header = TypeVar("Header", bound=NamedTuple)
Line = TypeVar("Line", bound=NamedTuple)


class Revision(NamedTuple, Generic[Header, Line]):
    """An order as one revision has it; `made_at` as it is stored."""

    number: int
    header: Header
    lines: list[Line]
    made_at: int


class Revisions(Generic[Header, Line]):
    """The revisions of the orders of one table.

    Args:
        orders, lines: the tables with what holds.
        old, old_lines: the tables with what held, by `order_id` and `revision`.
        header, line: what is said of an order and of a line: columns of both tables.
    """

    def __init__(
        self,
        orders: Table,
        lines: Table,
        old: Table,
        old_lines: Table,
        header: type[Header],
        line: type[Line],
    ) -> None:
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

    def keep(self, order_id: int, revision: int, session: Session, *, at: int) -> None:
        """Write down what the order is, before it becomes something else at the moment `at`."""
        session.run(self._keep_header, (at, order_id))
        session.run(self._keep_lines, (revision, order_id))

    def made_at(self, order_id: int, revision: int, session: Session, *, created_at: int) -> int:
        """When the order became this revision of its own."""
        if revision == 1:
            return created_at
        ((made_at,),) = session.rows(self._replaced_at, (order_id, revision - 1))
        return int(made_at)

    def content(self, order_id: int, revision: int, session: Session) -> tuple[Header, list[Line]]:
        """What the order was at an earlier revision of its own."""
        asked = (order_id, revision)
        header = self._header(*session.rows(self._header_of, asked)[0])
        return header, [self._line(*row) for row in session.rows(self._lines_of, asked)]
