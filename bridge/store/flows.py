"""Flows as the store has them: how far each has read, who runs it. What they mean is `bridge.sync`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Text,
    bindparam,
    case,
    cast,
    literal_column,
    null,
    select,
    update,
)

from bridge.store.clock import Clock, is_live, moment
from bridge.store.flow_problems import open_problems
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import Prepared, insertion
from bridge.store.sync_tables import flow_state


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


class _NewState(NamedTuple):
    flow: str
    full_number: int
    lease_no: int


_of_flow = bindparam("of_flow", type_=Text())
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


def clock(session: Session) -> int:
    """Now, by the clock that leases go by."""
    return int(session.execute(select(Clock())).scalar_one())
