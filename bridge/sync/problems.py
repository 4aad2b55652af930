"""What is said of a record that could not go through: why, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.errors import BridgeError, PartnerError, SettingsError, Unauthorised
from bridge.partners.partner import Record
from bridge.store.flow_problems import NewProblem, Side
from bridge.sync.compare import as_text, plainly
from bridge.sync.flow import Way

RETRY = "soapbridge flows retry NUMBER"
_MOST_FIELDS = 10


def unreadable_page(way: Way, error: Exception) -> NewProblem:
    """A page could not be read: of the flow, not of a record."""
    said = str(error) if isinstance(error, BridgeError) else f"{type(error).__name__}: {error}"
    advice = error.advice if isinstance(error, BridgeError) else ""
    if isinstance(error, Unauthorised):
        repair = f"Give the partner {error.partner or way.reader.name} valid credentials; the next run reads on from where this one stopped."
    elif isinstance(error, SettingsError):
        repair = f"{advice or 'Correct what is declared.'} The next run reads on from where this one stopped."
    elif isinstance(error, PartnerError):
        repair = "Nothing, where it passes: the next run reads on from where this one stopped."
    else:
        repair = "This is a mistake in the bridge or in a plug-in: the log has its trace. The next run tries again."
    asked = f"{way.reader.name}.{way.entity.name}"
    if isinstance(error, PartnerError) and error.partner not in ("", way.reader.name):
        asked = f"{error.partner}, which has to be looked at first,"
    explanation = f"{asked} could not be read: {said}"
    return NewProblem(way.reads, "", "read", explanation[:4000], repair, None)


def unreadable(way: Way, record: Record, error: Exception) -> NewProblem:
    return _of(way.reads, record, "read", f"The record cannot be kept: {error}.", _in_file(way))


def unmappable(way: Way, record: Record, error: Exception) -> NewProblem:
    """The mapping has no value for it: a level that is not in its table, an unknown currency."""
    if isinstance(error, BridgeError):
        mended = f"Correct the record in {way.reader.name}, or the mapping; a changed record goes by itself, else {RETRY}."
        return _of(way.reads, record, "map", str(error), f"{error.advice} {mended}".strip())
    explanation = f"The mapping failed: {type(error).__name__}: {error}"
    return _of(
        way.reads, record, "map", explanation, f"Correct the mapping, which has a mistake; then {RETRY}."
    )


def unfit(way: Way, record: Record, error: Exception) -> NewProblem:
    """What the mapping made breaks the target's shape or contract."""
    said = str(error) if isinstance(error, BridgeError) else f"{type(error).__name__}: {error}"
    mended = f"Correct the record in {way.reader.name}, or the mapping; a changed record goes by itself, else {RETRY}."
    return _of(way.reads, record, "validate", f"{way.writer.name} would not take it: {said}", mended)


def conflicting(
    way: Way,
    record: Record,
    fields: Sequence[str],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    of: tuple[Side, str],
) -> NewProblem:
    """Both sides changed it since it was moved, and the rule says to ask."""
    sides = [(way.reader.name, ours), (way.writer.name, theirs)]
    if way.reads == "target":
        sides.reverse()
    shown = "; ".join(
        f"{name}: " + ", ".join(f"{_short(values.get(name))} ({partner})" for partner, values in sides)
        for name in fields[:_MOST_FIELDS]
    )
    more = "" if len(fields) <= _MOST_FIELDS else f"; and {len(fields) - _MOST_FIELDS} more"
    explanation = f"Both sides changed it since it was moved last: {shown}{more}."
    repair = f"Say whose values go: {RETRY} --prefer source (or target). To leave both as they are: soapbridge flows dismiss NUMBER."
    side, record_id = of
    return NewProblem(side, record_id, "conflict", explanation, repair, _kept(record))


def bouncing(way: Way, record: Record, fields: Sequence[str]) -> NewProblem:
    """Each side changes what the other writes into its own form, and back."""
    explanation = (
        f"{way.reader.name} and {way.writer.name} change each other's form of {', '.join(fields[:_MOST_FIELDS])} again and again: the same "
        "was sent several times, each time after it had come back changed."
    )
    repair = f"Let one side own these fields (source_owns, target_owns), or have the mappings bring them into one form; then {RETRY}."
    return _of(way.reads, record, "conflict", explanation, repair)


def taken(way: Way, record: Record, id_there: str, other: str) -> NewProblem:
    """Two records would become one."""
    explanation = f"It would become {id_there} of {way.writer.name}, which {other} of {way.reader.name} is already: two records of the same."
    repair = f"Merge the two in {way.reader.name}, or give them different ids; then {RETRY}."
    return _of(way.reads, record, "duplicate", explanation, repair)


def several(way: Way, record: Record, fields: Sequence[str], found: Sequence[str]) -> NewProblem:
    """More than one record over there could be it."""
    explanation = f"{way.writer.name} has several with the same {', '.join(fields)}: {', '.join(found)}."
    repair = f"Merge them in {way.writer.name}, then {RETRY}."
    return _of(way.reads, record, "duplicate", explanation, repair)


def undelivered(
    way: Way, record_id: str, state: str, reason: str | None, entry_id: str, record: str | None
) -> NewProblem:
    """The partner refused it, or it was not got through in time."""
    became = "was refused" if state == "refused" else "has expired"
    explanation = f"{way.operation} at {way.writer.name} {became}. {reason or ''}".strip()
    if state == "refused":
        repair = f"Correct the record in {way.reader.name} or the cause over there; a changed record goes by itself, else {RETRY}."
    else:
        repair = f"See that {way.writer.name} can be reached; then {RETRY}."
    shown = f"The message: soapbridge deliveries show {entry_id}."
    return NewProblem(way.reads, record_id, "refused", explanation, f"{repair} {shown}", record, entry_id)


def many_gone(way: Way, missing: int, most: int) -> NewProblem:
    """More records are gone than may be at once."""
    explanation = (
        f"{missing} records that were moved are no longer in {way.reader.name}.{way.entity.name}, {most} are the most that a resync deletes: "
        "nothing was deleted."
    )
    repair = (
        f"See whether {way.reader.name} shows all it has. If they are gone, set flows.{way.flow}.most_deletes to {missing} or more and "
        f"run: soapbridge flows run {way.flow} --full."
    )
    return NewProblem(way.reads, "", "read", explanation, repair, None)


def _of(side: Side, record: Record, stage: Any, explanation: str, repair: str) -> NewProblem:
    return NewProblem(side, record.id, stage, explanation[:4000], repair, _kept(record))


def _kept(record: Record) -> str | None:
    return as_text(plainly(record.values))


def _in_file(way: Way) -> str:
    return f"See the types of its fields at {way.entity.place or way.entity.name}; then {RETRY}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
