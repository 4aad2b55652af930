"""Records of flows that could not go through, as statements. What they mean is `bridge.sync`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    func,
    literal_column,
    select,
    update,
)

from bridge.store.cipher import fresh_name, open_text, place, seal_text
from bridge.store.clock import Clock, moment
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.sync_tables import flow_problem

Side = Literal["source", "target"]
Stage = Literal["read", "map", "validate", "conflict", "duplicate", "refused"]
STAGES: Final[tuple[Stage, ...]] = ("read", "map", "validate", "conflict", "duplicate", "refused")


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
        statement = statement.where(
            flow_problem.c.state == literal_column("'open'")
        )  # as the partial index says it
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


def has_problems(session: Session, flow: str) -> bool:
    statement = (
        select(flow_problem.c.id)
        .where(flow_problem.c.flow == flow, flow_problem.c.state == literal_column("'open'"))
        .limit(1)
    )
    return session.execute(statement).first() is not None


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
