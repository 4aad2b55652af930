"""Flows as the store has them: how far each has read, links, documents on their way, problems. What they mean is `bridge.sync`.

Whoever decides about a link has its row locked; many are locked in the order of their numbers. Functions take the session of the
transaction they belong to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    SmallInteger,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    update,
)

from bridge.store.cipher import open_text, place, seal_text
from bridge.store.clock import Clock, is_live, moment
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import ByKeys, Prepared, insertion
from bridge.store.sync_tables import flow_link, flow_problem, flow_sent, flow_state
from bridge.store.tables import outbox

Side = Literal["source", "target"]
Kind = Literal["there", "back", "delete"]
LinkState = Literal["moving", "moved", "failed", "conflict"]
Stage = Literal["read", "map", "validate", "conflict", "duplicate", "refused"]
STAGES: Final[tuple[Stage, ...]] = ("read", "map", "validate", "conflict", "duplicate", "refused")
SOURCE_AGAIN: Final = 1
TARGET_AGAIN: Final = 2


class StateRow(NamedTuple):
    """A flow as it stands. `now` is the database's clock."""

    flow: str
    watermark: int | None
    back_watermark: int | None
    full_number: int
    full_after: str | None
    paused_because: str | None
    lease_owner: str | None
    lease_no: int
    lease_until: int | None
    began_at: int | None
    ended_at: int | None
    caught_up_at: int | None
    outcome: str | None
    reason: str | None
    now: int

    def is_leased(self, length: int) -> bool:
        """Whether a process runs it, by leases of that length in microseconds."""
        return is_live(self.lease_until, self.now, length)


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


class NewProblem(NamedTuple):
    """What is to be said of a record that could not go through; `record` is JSON."""

    side: Side
    record_id: str
    stage: Stage
    explanation: str
    repair: str
    record: str | None
    entry_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRow:
    """A record that could not go through, for people."""

    id: int
    flow: str
    side: Side
    record_id: str
    stage: Stage
    state: Literal["open", "solved", "dismissed"]
    times: int
    first_at: datetime
    last_at: datetime
    settled_at: datetime | None
    entry_id: str | None
    who: str | None
    why: str | None
    explanation: str
    repair: str
    record: str | None


class _NewState(NamedTuple):
    flow: str
    full_number: int
    lease_no: int


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
_of_flow = bindparam("of_flow", type_=Text())
_of_link = bindparam("of_link", type_=BigInteger())

_STATE = Prepared(
    select(*(flow_state.c[name] for name in StateRow._fields[:-1]), Clock()).where(
        flow_state.c.flow == _of_flow
    ),
    "of_flow",
)
_LOCK_STATE = Prepared(
    select(flow_state.c.flow).where(flow_state.c.flow == _of_flow).with_for_update(), "of_flow"
)
_NEW_STATE = insertion(flow_state, _NewState, unless_there=("flow",))
_TAKE = Prepared(
    update(flow_state)
    .where(flow_state.c.flow == _of_flow)
    .values(
        lease_owner=bindparam("of_owner"),
        lease_no=flow_state.c.lease_no + literal_column("1"),
        lease_until=Clock() + cast(bindparam("of_length"), BigInteger),
        began_at=Clock(),
    ),
    "of_owner",
    "of_length",
    "of_flow",
)
_RENEW = Prepared(
    update(flow_state)
    .where(flow_state.c.flow == _of_flow)
    .values(lease_until=Clock() + cast(bindparam("of_length"), BigInteger)),
    "of_length",
    "of_flow",
)
_well = bindparam("of_outcome", type_=Text()) == literal_column("'done'")
_LEAVE = Prepared(
    update(flow_state)
    .where(flow_state.c.flow == _of_flow)
    .values(
        lease_owner=null(),
        lease_until=null(),
        ended_at=Clock(),
        caught_up_at=case((_well, flow_state.c.began_at), else_=flow_state.c.caught_up_at),
        outcome=bindparam("new_outcome"),
        reason=bindparam("new_reason"),
    ),
    "of_outcome",
    "new_outcome",
    "new_reason",
    "of_flow",
)


def _by(column: str, *, lock: bool) -> ByKeys:
    end = "{lock}" if lock else ""
    return ByKeys(
        f"SELECT {_LINK_NAMES} FROM flow_link WHERE (flow, {column}) IN (VALUES {{keys}}) ORDER BY id{end}",  # noqa: S608
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


def fresh_name() -> str:
    """What tells a row's sealed contents from those of another."""
    return os.urandom(8).hex()


# -- how far a flow has come


def state(session: Session, flow: str) -> StateRow | None:
    """A flow as it stands; None for one that never ran."""
    rows = session.rows(_STATE, (flow,))
    return StateRow(*rows[0]) if rows else None


def lock_state(session: Session, flow: str) -> StateRow:
    """A flow's row, made where there is none, locked until the end of the transaction."""
    if not session.rows(_LOCK_STATE, (flow,)):
        session.run(_NEW_STATE, _NewState(flow, 0, 0))
        session.rows(_LOCK_STATE, (flow,))
    found = state(session, flow)
    assert found is not None
    return found


def take_lease(session: Session, flow: str, *, owner: str, length: int) -> None:
    """Take the lease of a locked flow for `length` microseconds; counts its number up by one."""
    session.run(_TAKE, (owner, length, flow))


def renew_lease(session: Session, flow: str, *, length: int) -> None:
    """Lengthen the lease of a locked flow."""
    session.run(_RENEW, (length, flow))


def leave(session: Session, flow: str, *, outcome: str, reason: str | None) -> None:
    """Give the lease of a locked flow back, and say what became of the run."""
    session.run(_LEAVE, (outcome, outcome, reason and storable(reason), flow))


def set_state(session: Session, flow: str, **values: Any) -> None:
    """Watermarks, cursor, number of the full resync, pause of a locked flow."""
    session.execute(update(flow_state).where(flow_state.c.flow == flow).values(values))


# -- links


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
            flow_link.c.again != 0,
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


# -- documents on their way


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


# -- problems


def put_problem(session: Session, flow: str, problem: NewProblem, now: int) -> None:
    """Keep a problem; where the record has an open one, this takes its place."""
    found = session.execute(
        select(flow_problem.c.id, flow_problem.c.name).where(_open(flow, problem.side, [problem.record_id]))
    ).first()
    name = fresh_name() if found is None else found.name
    contents = {
        column: seal_text(session.cipher, text and storable(text), place("flow_problem", column, name))
        for column, text in (
            ("explanation", problem.explanation),
            ("repair", problem.repair),
            ("record", problem.record),
        )
    }
    values = {"stage": problem.stage, "last_at": now, "entry_id": problem.entry_id, **contents}
    if found is not None:
        session.execute(
            update(flow_problem)
            .where(flow_problem.c.id == found.id)
            .values(times=flow_problem.c.times + 1, **values)
        )
        return
    session.execute(
        flow_problem.insert().values(
            name=name,
            flow=flow,
            side=problem.side,
            record_id=problem.record_id,
            state="open",
            times=1,
            first_at=now,
            **values,
        )
    )


def solve(
    session: Session, flow: str, side: Side, record_ids: Sequence[str], *, but: Sequence[Stage] = ()
) -> int:
    """The open problems of these records are none any more; how many there were."""
    if not record_ids:
        return 0
    condition = _open(flow, side, record_ids) & flow_problem.c.stage.not_in(but)
    done = session.execute(update(flow_problem).where(condition).values(state="solved", settled_at=Clock()))
    return int(done.rowcount)  # type: ignore[attr-defined]


def settle_problem(session: Session, number: int, became: str, *, who: str, why: str) -> bool:
    """Say what a person made of an open problem; False where it is open no more."""
    done = session.execute(
        update(flow_problem)
        .where(flow_problem.c.id == number, flow_problem.c.state == "open")
        .values(state=became, settled_at=Clock(), who=storable(who), why=storable(why))
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def problem(session: Session, number: int) -> ProblemRow | None:
    row = session.execute(select(flow_problem).where(flow_problem.c.id == number)).first()
    return None if row is None else _problem(session, row)


def problems(
    session: Session,
    *,
    flow: str | None = None,
    stage: Stage | None = None,
    record_id: str | None = None,
    everything: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[ProblemRow]:
    """Open problems, or with `everything` all of them, the newest first."""
    statement = select(flow_problem).order_by(flow_problem.c.id.desc()).limit(limit)
    if not everything:
        statement = statement.where(flow_problem.c.state == "open")
    for column, wanted in (("flow", flow), ("stage", stage), ("record_id", record_id)):
        if wanted is not None:
            statement = statement.where(flow_problem.c[column] == wanted)
    if before is not None:
        statement = statement.where(flow_problem.c.id < before)
    return [_problem(session, row) for row in session.execute(statement)]


def open_problems(session: Session) -> dict[str, int]:
    """How many are open, by flow."""
    statement = (
        select(flow_problem.c.flow, func.count())
        .where(flow_problem.c.state == literal_column("'open'"))
        .group_by(flow_problem.c.flow)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


class FlowFigures(NamedTuple):
    """A flow in figures: since when it has caught up, None where it never did, and its open problems."""

    flow: str
    caught_up: datetime | None
    problems: int


def figures(session: Session) -> list[FlowFigures]:
    """Of every flow that ever ran."""
    counts = open_problems(session)
    found = session.execute(select(flow_state.c.flow, flow_state.c.caught_up_at)).all()
    return [
        FlowFigures(
            row.flow, None if row.caught_up_at is None else moment(row.caught_up_at), counts.get(row.flow, 0)
        )
        for row in found
    ]


def has_problems(session: Session, flow: str) -> bool:
    statement = (
        select(flow_problem.c.id)
        .where(flow_problem.c.flow == flow, flow_problem.c.state == literal_column("'open'"))
        .limit(1)
    )
    return session.execute(statement).first() is not None


def clock(session: Session) -> int:
    """Now, by the clock that leases go by."""
    return int(session.execute(select(Clock())).scalar_one())


def _open(flow: str, side: Side, record_ids: Sequence[str]) -> Any:
    return (
        (flow_problem.c.state == literal_column("'open'"))
        & (flow_problem.c.flow == flow)
        & (flow_problem.c.side == side)
        & flow_problem.c.record_id.in_(record_ids)
    )


def _problem(session: Session, row: Any) -> ProblemRow:
    values = dict(row._mapping)
    name = values.pop("name")
    for column in ("explanation", "repair", "record"):
        values[column] = open_text(session.cipher, values[column], place("flow_problem", column, name))
    for column in ("first_at", "last_at", "settled_at"):
        values[column] = None if values[column] is None else moment(values[column])
    return ProblemRow(**values)
