"""What a mapping did to a record, as text and as JSON: for `soapbridge map --explain`, problems of flows and tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from typing import Any

from bridge.mapping.running import Mistake, Run, Trace


def row(trace: Trace) -> tuple[str, str, str, str, str]:
    """Target field, its value, where that came from, what was done, and the rule's place."""
    came = ", ".join(f"{name} = {shown(value)}" for name, value in trace.sources) or trace.why
    done = "; ".join(f"{says}: {shown(value)}" for says, value in trace.steps)
    if trace.sources and trace.why:
        done = "; ".join(part for part in (done, trace.why) if part)
    return trace.target, shown(trace.value), came, done, trace.place


def as_json(run: Run) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "values": plain(run.values),
        "fields": [
            {
                "target": one.target,
                "value": plain(one.value),
                "sources": [{"path": name, "value": plain(value)} for name, value in one.sources],
                "steps": [{"step": says, "value": plain(value)} for says, value in one.steps],
                "why": one.why,
                "place": one.place,
            }
            for one in run.traces
        ],
        "mistakes": [of_mistake(one) for one in run.mistakes],
    }


def of_mistake(mistake: Mistake) -> dict[str, Any]:
    return {
        "target": mistake.target,
        "sources": list(mistake.sources),
        "found": plain(mistake.found),
        "expected": mistake.expected,
        "advice": mistake.advice,
        "place": mistake.place,
    }


def lines(mistakes: list[Mistake]) -> Iterator[str]:
    """Each with what to do below it."""
    for mistake in mistakes:
        source = f" from {', '.join(mistake.sources)}" if mistake.sources else ""
        found = "nothing was found" if mistake.found is None else f"{shown(mistake.found)} was found"
        yield f"{mistake.target}{source}: {found}, expected {mistake.expected}"
        yield f"  {mistake.place}" + (f": {mistake.advice}" if mistake.advice else "")


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals, dates and moments as texts in XML's form."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def shown(value: Any) -> str:
    """For people, short."""
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(plain(value))
    return text if len(text) <= 60 else f"{text[:57]}…"
