"""Links of flows, and documents of theirs that are on their way, as statements. What they mean is `bridge.sync`.

Whoever decides about a link has its row locked; many are locked in the order of their numbers. Functions take the session of the
transaction they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    SmallInteger,
    Text,
    bindparam,
    cast,
    literal_column,
    select,
    update,
)

from bridge.store.cipher import open_text, place, seal_text
from bridge.store.clock import Clock
from bridge.store.flow_problems import Side
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import ByKeys, Prepared, insertion
from bridge.store.sync_tables import flow_link, flow_sent
from bridge.store.tables import outbox

Kind = Literal["there", "back", "delete"]
LinkState = Literal["moving", "moved", "failed", "conflict"]
SOURCE_AGAIN: Final = 1
TARGET_AGAIN: Final = 2


class LinkRow(NamedTuple):
    """A link, its contents open. `id` is 0 for one that is still to be written."""

    id: int
    name: str
    flow: str
    source_id: str | None
    target_id: str | None
    revision: int
    state: LinkState
    source_hash: bytes | None
    target_hash: bytes | None
    there_hash: bytes | None
    back_hash: bytes | None
    bounces: int
    entry_id: str | None
    again: int
    seen: int
    changed_at: int
    source_known: str | None
    target_known: str | None
    sent: str | None
    read: str | None


class SettledRow(NamedTuple):
    """A flow's document that has its ending; `state` is None where the outbox no longer has it."""

    entry_id: str
    link_id: int
    kind: Kind
    made: str | None
    partner: str | None
    ordering_key: str | None
    state: str | None
    cause: str | None
    reason: str | None


class _NewLink(NamedTuple):
    name: str
    flow: str
    source_id: str | None
    target_id: str | None
    revision: int
    state: str
    source_hash: bytes | None
    target_hash: bytes | None
    there_hash: bytes | None
    back_hash: bytes | None
    bounces: int
    entry_id: str | None
    again: int
    seen: int
    changed_at: int
    source_known: str | None
    target_known: str | None
    sent: str | None
    read: str | None


class _NewSent(NamedTuple):
    entry_id: str
    flow: str
    link_id: int
    kind: str


_CONTENTS: Final = ("source_known", "target_known", "sent", "read")
_LINK_NAMES: Final = ", ".join(LinkRow._fields)
_of_link = bindparam("of_link", type_=BigInteger())


def _by(column: str, *, lock: bool) -> ByKeys:
    # Found by the index first, then locked in the order of their numbers: of `(flow, id) IN (VALUES …)` SQLite reads the whole table.
    wanted = "(VALUES {keys}) AS wanted"
    found = f"SELECT link.id FROM {wanted} CROSS JOIN flow_link AS link WHERE link.flow = column1 AND link.{column} = column2"  # noqa: S608
    end = "{lock}" if lock else ""
    return ByKeys(
        f"SELECT {_LINK_NAMES} FROM flow_link WHERE id IN ({found}) ORDER BY id{end}",  # noqa: S608
        width=2,
    )


_BY_RECORD: Final = {
    (side, lock): _by(f"{side}_id", lock=lock) for side in ("source", "target") for lock in (False, True)
}
_BY_ID = Prepared(
    select(*(flow_link.c[name] for name in LinkRow._fields))
    .where(flow_link.c.id == _of_link)
    .with_for_update(),
    "of_link",
)
_NEW_LINK = insertion(flow_link, _NewLink, returning=flow_link.c.id)
_SET_NAMES: Final = (
    "source_id",
    "target_id",
    "state",
    "source_hash",
    "target_hash",
    "there_hash",
    "back_hash",
    "bounces",
    "entry_id",
    "again",
    "seen",
    *_CONTENTS,
)
_TYPES: Final[Mapping[str, Any]] = {
    "again": SmallInteger(),
    "bounces": SmallInteger(),
    "seen": BigInteger(),
    **dict.fromkeys(("source_hash", "target_hash", "there_hash", "back_hash"), LargeBinary()),
}
_SET_LINK = Prepared(
    update(flow_link)
    .where(flow_link.c.id == _of_link)
    .values(
        revision=flow_link.c.revision + literal_column("1"),
        changed_at=Clock(),
        **{name: bindparam(f"new_{name}", type_=_TYPES.get(name, Text())) for name in _SET_NAMES},
    ),
    # In the table's order, as SQLAlchemy writes them.
    *(f"new_{column.name}" for column in flow_link.columns if column.name in _SET_NAMES),
    "of_link",
)
_SET_ORDER: Final = tuple(column.name for column in flow_link.columns if column.name in _SET_NAMES)
_DELETE_LINK = Prepared(flow_link.delete().where(flow_link.c.id == _of_link), "of_link")
_SEE = Prepared(
    update(flow_link)
    .where(flow_link.c.id == _of_link)
    .values(seen=bindparam("new_seen", type_=BigInteger())),
    "new_seen",
    "of_link",
)
_AGAIN = Prepared(
    update(flow_link)
    .where(flow_link.c.id == _of_link)
    .values(
        revision=flow_link.c.revision + literal_column("1"),
        again=flow_link.c.again.op("|")(cast(bindparam("more", type_=SmallInteger()), SmallInteger)),
    ),
    "more",
    "of_link",
)
_NEW_SENT = insertion(flow_sent, _NewSent)
_MADE = Prepared(
    update(flow_sent)
    .where(flow_sent.c.entry_id == bindparam("of_entry", type_=Text()))
    .values(made=bindparam("new_made", type_=Text())),
    "new_made",
    "of_entry",
)
_FORGET_SENT = Prepared(
    flow_sent.delete().where(flow_sent.c.entry_id == bindparam("of_entry", type_=Text())), "of_entry"
)


def links_of(
    session: Session, flow: str, side: Side, ids: Sequence[str], *, lock: bool = False
) -> dict[str, LinkRow]:
    """The links of these records of one side, by their ids there; with `lock` until the end of the transaction."""
    column = LinkRow._fields.index(f"{side}_id")
    rows = session.rows_for(_BY_RECORD[side, lock], [(flow, one) for one in ids])
    return {row[column]: _opened(session, LinkRow(*row)) for row in rows}


def link(session: Session, link_id: int) -> LinkRow | None:
    """A link by its number, locked."""
    rows = session.rows(_BY_ID, (link_id,))
    return _opened(session, LinkRow(*rows[0])) if rows else None


def put_link(session: Session, row: LinkRow) -> int:
    """Write a link, a new one where its number is 0; its number."""
    sealed = _sealed(session, row)
    if row.id == 0:
        made = session.rows(_NEW_LINK, _NewLink(*sealed[1:]))
        return int(made[0][0])
    session.run(_SET_LINK, (*(getattr(sealed, name) for name in _SET_ORDER), row.id))
    return row.id


def delete_link(session: Session, link_id: int) -> None:
    session.run(_DELETE_LINK, (link_id,))


def see(session: Session, link_ids: Iterable[int], number: int) -> None:
    """Say that a full resync has seen these."""
    session.run_many(_SEE, [(number, link_id) for link_id in link_ids])


def mark_again(session: Session, link_ids: Iterable[int], side: Side) -> None:
    """Say that a side of these has still to be looked at."""
    bit = SOURCE_AGAIN if side == "source" else TARGET_AGAIN
    session.run_many(_AGAIN, [(bit, link_id) for link_id in link_ids])


class AgainRow(NamedTuple):
    """A link with a side that has still to be looked at."""

    id: int
    revision: int
    again: int
    source_id: str | None
    target_id: str | None


def waiting_links(session: Session, flow: str, *, after: int, limit: int) -> list[AgainRow]:
    """Links with a side to be looked at again and nothing on its way."""
    statement = (
        select(*(flow_link.c[name] for name in AgainRow._fields))
        .where(
            flow_link.c.flow == flow,
            flow_link.c.again != literal_column("0"),  # as the partial index says it
            flow_link.c.id > after,
            flow_link.c.entry_id.is_(None),
        )
        .order_by(flow_link.c.id)
        .limit(limit)
    )
    return [AgainRow(*row) for row in session.execute(statement)]


def unseen(session: Session, flow: str, number: int, *, after: int, limit: int) -> list[tuple[int, str]]:
    """(number, source id) of links that the full resync of that number has not seen, in the order of their numbers."""
    statement = (
        select(flow_link.c.id, flow_link.c.source_id)
        .where(
            flow_link.c.flow == flow,
            flow_link.c.seen < number,
            flow_link.c.id > after,
            flow_link.c.source_id.is_not(None),
        )
        .order_by(flow_link.c.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def _sealed(session: Session, row: LinkRow) -> LinkRow:
    return _changed(session, row, seal_text)


def _opened(session: Session, row: LinkRow) -> LinkRow:
    return _changed(session, row, open_text)


def _changed(session: Session, row: LinkRow, change: Callable[..., str | None]) -> LinkRow:
    if session.cipher is None:
        return row
    contents: dict[str, Any] = {
        name: change(session.cipher, getattr(row, name), place("flow_link", name, row.name))
        for name in _CONTENTS
    }
    return row._replace(**contents)


def put_sent(session: Session, entry_id: str, flow: str, link_id: int, kind: Kind) -> None:
    """Remember that this document of the outbox is a flow's."""
    session.run(_NEW_SENT, _NewSent(entry_id, flow, link_id, kind))


def note_made(session: Session, entry_id: str, made: str) -> None:
    """The id that the partner gave to what it made of a document; nothing where that is no flow's."""
    session.run(_MADE, (storable(made), entry_id))


def forget_sent(session: Session, entry_id: str) -> bool:
    """Its end is noted; False where it was before."""
    return session.run(_FORGET_SENT, (entry_id,)) > 0


def sent_after(session: Session, flow: str, after: str, *, limit: int) -> list[SettledRow]:
    """A flow's documents whose end was not noted, by their ids, whatever has become of them."""
    statement = (
        select(
            flow_sent.c.entry_id,
            flow_sent.c.link_id,
            flow_sent.c.kind,
            flow_sent.c.made,
            outbox.c.partner,
            outbox.c.ordering_key,
            outbox.c.state,
            outbox.c.cause,
            outbox.c.reason,
        )
        .select_from(flow_sent.outerjoin(outbox, outbox.c.entry_id == flow_sent.c.entry_id))
        .where(flow_sent.c.flow == flow, flow_sent.c.entry_id > after)
        .order_by(flow_sent.c.entry_id)
        .limit(limit)
    )
    return [SettledRow(*row) for row in session.execute(statement)]


def nameless(session: Session, flow: str, side: Side, *, limit: int) -> list[LinkRow]:
    """Links on their way to that side, whose record there has no id yet."""
    statement = (
        select(*(flow_link.c[name] for name in LinkRow._fields))
        .where(
            flow_link.c.flow == flow, flow_link.c[f"{side}_id"].is_(None), flow_link.c.entry_id.is_not(None)
        )
        .limit(limit)
    )
    return [_opened(session, LinkRow(*row)) for row in session.execute(statement)]
