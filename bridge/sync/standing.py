"""A flow as it stands, for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bridge.settings import Flow as Options
from bridge.store import Store
from bridge.store import flow_problems as problem_rows
from bridge.store import flows as rows
from bridge.store.clock import SECOND, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A flow as it stands, for people. `lag` are the seconds since the beginning of the last run that came to its end: what
    was changed before has been moved, or is a problem. None where none did."""

    name: str
    source: str
    target: str
    direction: str
    trigger: str
    watermark: datetime | None
    back_watermark: datetime | None
    lag: float | None
    running: str | None
    paused: str | None
    last_began: datetime | None
    last_ended: datetime | None
    outcome: str | None
    reason: str | None
    problems: int
    mistakes: tuple[str, ...]


def standing(store: Store, name: str, options: Options, *, lease: int, mistakes: Iterable[str]) -> Standing:
    """A flow as the settings and the store have it; `lease` in microseconds."""
    with store.reading() as session:
        state = rows.state(session, name)
        problems = problem_rows.open_problems(session).get(name, 0)
    is_running = state is not None and state.is_leased(lease)
    by_hand = None if state is None else state.paused_because
    return Standing(
        name=name,
        source=options.source,
        target=f"{options.target} {options.operation}",
        direction=options.direction,
        trigger=_trigger(options),
        watermark=_moment(None if state is None else state.watermark),
        back_watermark=_moment(None if state is None else state.back_watermark),
        lag=_lag(state),
        running=state.lease_owner if is_running and state is not None else None,
        paused="paused in the settings" if options.paused else by_hand,
        last_began=_moment(None if state is None else state.began_at),
        last_ended=_moment(None if state is None else state.ended_at),
        outcome=None if state is None else state.outcome,
        reason=None if state is None else state.reason,
        problems=problems,
        mistakes=tuple(mistakes),
    )


def _trigger(options: Options) -> str:
    clock = f"cron {options.cron}" if options.cron else f"every {options.every:g} s" if options.every else ""
    if options.trigger == "schedule":
        return clock or "schedule"
    return f"{options.trigger}, {clock}" if clock else str(options.trigger)


def _lag(state: rows.StateRow | None) -> float | None:
    if state is None or state.caught_up_at is None:
        return None
    return max(0.0, (state.now - state.caught_up_at) / SECOND)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
