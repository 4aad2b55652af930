"""What becomes of each record that was read: known, an echo, waiting, alike over there, sent, deleted, or a problem.

In two steps. `draft` and what it needs from the other partner happen before any transaction; `decide` is given the link as it stands
under its lock. Nothing here writes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from bridge.errors import BridgeError
from bridge.partners.partner import Query, Record
from bridge.store.cipher import fresh_name
from bridge.store.flow_links import SOURCE_AGAIN, TARGET_AGAIN, LinkRow
from bridge.store.flow_problems import NewProblem, Side
from bridge.sync import problems
from bridge.sync.compare import Merged, Winner, as_text, differing, digest, from_text, merge, plainly, same
from bridge.sync.flow import Flow, Way

log = logging.getLogger(__name__)

Became = Literal["known", "echo", "waits", "same", "send", "delete", "problem"]
BOUNCES: Final = 3
"""So often the same goes to and fro before a person is told."""

BIT: Final[Mapping[Side, int]] = {"source": SOURCE_AGAIN, "target": TARGET_AGAIN}


@dataclass(slots=True)
class Draft:
    """A record with what is known about it before the transaction."""

    record: Record
    link: LinkRow | None
    force: bool = False
    prefer: Side | None = None
    revision: int | None = None
    """That of the link when a second look at it was begun; None where this is no second look."""
    hash: bytes | None = None
    became: Became | None = None
    mapped: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None
    there: Record | None = None
    problem: NewProblem | None = None
    adopts: LinkRow | None = None
    """A link that waits for the id of this very record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done about a record. `link` is the row to be written, None: none is; `values` are sent, by the way's operation or
    by `operation`."""

    became: Became
    record: Record
    link: LinkRow | None = None
    values: Mapping[str, Any] | None = None
    operation: str = ""
    last: Mapping[str, Any] | None = None
    """What `values` are to be held against, for people: what was sent last, or what is there."""
    problem: NewProblem | None = None


def hash_of(link: LinkRow, side: Side) -> bytes | None:
    return link.source_hash if side == "source" else link.target_hash


def id_of(link: LinkRow, side: Side) -> str | None:
    return link.source_id if side == "source" else link.target_id


def known_of(link: LinkRow, side: Side) -> dict[str, Any] | None:
    return from_text(link.source_known if side == "source" else link.target_known)


def draft(flow: Flow, way: Way, record: Record, link: LinkRow | None, **options: Any) -> Draft:
    """What can be said of a record without asking anybody."""
    made = Draft(record, link, **options)
    if record.deleted:
        goes = way.kind == "there" and flow.options.deletes and link is not None
        made.became = "delete" if goes else "known"
        if goes and link is not None and link.entry_id is not None:
            if link.source_hash is None and link.state == "moving":
                made.became = "known"  # that it is gone is on its way
            elif flow.looks_there:
                made.became = "waits"
        return made
    try:
        made.hash = digest(record.values, without=(way.entity.changed,))
    except TypeError as error:
        made.became, made.problem = "problem", problems.unreadable(way, record, error)
        return made
    if link is not None and not made.force and made.hash == hash_of(link, way.reads):
        made.became = "known"
    elif link is not None and link.entry_id is not None and flow.looks_there:
        made.became = (
            "waits"  # one document of a record at a time: what the other side has is not known before
        )
    elif not _is_echo(flow, way, made):
        _map(flow, way, made)
    return made


def _is_echo(flow: Flow, way: Way, made: Draft) -> bool:
    """Whether the record is what both sides know, with what this bridge itself wrote into it."""
    if made.link is None or made.force or not flow.two_way:
        return False
    known = known_of(made.link, way.reads)
    if known is None or any(name != way.entity.changed for name in differing(made.record.values, known)):
        return False
    made.became = "echo"
    return True


def _map(flow: Flow, way: Way, made: Draft) -> None:
    try:
        made.mapped = dict(way.make(made.record.values))
    except BridgeError as error:
        made.became, made.problem = "problem", problems.unmappable(way, made.record, error)
        return
    except Exception as error:  # noqa: BLE001 - a mapping is a user's code
        log.warning("flow %s: the mapping failed: %s", flow.name, type(error).__name__)
        made.became, made.problem = "problem", problems.unmappable(way, made.record, error)
        return
    if made.link is not None:
        _keep_id(way, made, made.link)
    if made.link is not None and flow.looks_there:
        known = known_of(made.link, way.reads)
        if known is not None:
            try:
                made.before = way.make(known)
            except Exception:  # noqa: BLE001 - of an older form; then everything counts as changed
                made.before = None


def _keep_id(way: Way, made: Draft, link: LinkRow) -> None:
    """The link knows which record it is, whatever the mapping makes of the id: it may have been matched, or named over there."""
    name = id_of(link, way.writes)
    if name is None or way.there is None or made.mapped is None or str(made.mapped.get(way.there.id)) == name:
        return
    field = way.there.shape.fields.get(way.there.id)
    value: Any = int(name) if field is not None and field.kind == "integer" else name
    made.mapped = {**made.mapped, way.there.id: value}


def look_there(flow: Flow, way: Way, drafts: list[Draft]) -> None:
    """Ask the writer what it has now, in as few requests as can be. Raises as `fetch` does; nothing is lost then."""
    if not flow.looks_there and not flow.options.match:
        return
    if way.there is None:
        return
    moving = [one for one in drafts if one.became is None]
    wanted: dict[str, list[Draft]] = {}
    for one in moving:
        name = id_of(one.link, way.writes) if one.link is not None else None
        name = name or way.id_there(one.mapped or {})
        if name is not None and (flow.looks_there or one.link is None):
            wanted.setdefault(name, []).append(one)
    ids = list(wanted)
    for start in range(0, len(ids), flow.options.batch):
        some = tuple(ids[start : start + flow.options.batch])
        after = None
        while True:
            page = way.writer.fetch(way.there.name, Query(ids=some, limit=flow.options.batch, after=after))
            for found in page.records:
                for one in wanted.get(found.id, ()):
                    one.there = None if found.deleted else found
            after = page.next
            if after is None:
                break
    if flow.options.match and way.kind == "there":
        for one in moving:
            if one.link is None and one.there is None:
                _match(flow, way, one)


def _match(flow: Flow, way: Way, made: Draft) -> None:
    """Look for a record over there that is this one under another id."""
    assert made.mapped is not None
    assert way.there is not None
    where = {name: made.mapped.get(name) for name in flow.options.match}
    if any(value in (None, "") for value in where.values()):
        return
    page = way.writer.fetch(way.there.name, Query(where=where, limit=5))
    found = [one for one in page.records if not one.deleted]
    if len(found) > 1:
        made.became = "problem"
        made.problem = problems.several(way, made.record, flow.options.match, [one.id for one in found])
    elif found:
        made.there = found[0]
        made.mapped = {**made.mapped, way.there.id: found[0].values.get(way.there.id, found[0].id)}


def decide(flow: Flow, way: Way, made: Draft, owner: str | None) -> Decision:
    """What is to be done, with the link as it stands.

    Args:
        owner: which other record of this side the record over there belongs to already.
    """
    record, link = made.record, made.link
    if made.became == "waits":
        link = link if link is not None else _new_link(way, record)
        return Decision(became="waits", record=record, link=link._replace(again=link.again | BIT[way.reads]))
    if made.became == "problem":
        return Decision(became="problem", record=record, problem=made.problem)
    if made.became == "known":
        return Decision(became="known", record=record, link=_looked_at(made, way))
    if made.became == "echo":
        assert link is not None
        return Decision(
            became="echo", record=record, link=_looked_at(made, way) or _with_hash(link, way, made.hash)
        )
    if made.became == "delete":
        return _delete(flow, way, made)
    if owner is not None:
        problem = problems.taken(way, record, _id_there(way, made) or "?", owner)
        return Decision(became="problem", record=record, problem=problem)
    return _move(flow, way, made)


def _looked_at(made: Draft, way: Way) -> LinkRow | None:
    """The link without its wish for a second look, where this was one; None: it stays as it is."""
    link = made.link
    if link is None or made.revision is None:
        return None
    cleared = link._replace(again=link.again & ~BIT[way.reads])
    return _with_hash(cleared, way, made.hash) if made.hash is not None else cleared


def _with_hash(link: LinkRow, way: Way, value: bytes | None) -> LinkRow:
    return link._replace(source_hash=value) if way.reads == "source" else link._replace(target_hash=value)


def _id_there(way: Way, made: Draft) -> str | None:
    found = id_of(made.link, way.writes) if made.link is not None else None
    if found is None and made.there is not None:
        found = made.there.id
    return found or way.id_there(made.mapped or {})


def _winner(flow: Flow, way: Way, made: Draft) -> Winner:
    if made.prefer is not None:
        return "ours" if made.prefer == way.reads else "theirs"
    rule = flow.options.conflict
    if rule == "owner":
        return way.owner_wins
    if rule == "newest" and made.there is not None:
        here, there = made.record.changed_at, made.there.changed_at
        if here is not None and there is not None and here != there:
            return "ours" if here > there else "theirs"
    return "nobody"


def _move(flow: Flow, way: Way, made: Draft) -> Decision:
    record, mapped = made.record, made.mapped
    assert mapped is not None
    link = made.link if made.link is not None else _new_link(way, record)
    link = _looked_at(made, way) or link
    there = None if made.there is None else made.there.values
    # What was never moved and is there all the same: every field that differs was changed by both.
    known = known_of(link, way.writes) if flow.looks_there else from_text(link.sent)
    merged = merge(
        mapped,
        made.before,
        there,
        known if known is not None or there is None else {},
        is_theirs=way.is_theirs,
        winner=_winner(flow, way, made),
    )
    if merged.open:
        return _conflict(way, made, link, merged.open)
    link = _with_hash(_named(link, way, made), way, made.hash)
    last = there if there is not None else from_text(link.sent)
    if _is_there(made, link, merged.values, there, flow):
        state = "moved" if link.entry_id is None else link.state
        known_now = _both_known(link, way, record, merged.ours) if flow.looks_there else link
        if flow.two_way and there is not None and _has_moved(way, there, known_now):
            known_now = _looked_at_again(known_now, way)
        sent = link.sent if there is None else as_text(plainly(merged.values))
        return Decision(became="same", record=record, link=known_now._replace(state=state, sent=sent))
    if not made.force and flow.two_way:
        link = _counted(link, way, merged.ours)
        if link.bounces >= BOUNCES:
            problem = problems.bouncing(way, record, list(merged.ours))
            kept = link._replace(state="conflict", bounces=0)
            return Decision(became="problem", record=record, link=kept if link.id else None, problem=problem)
    link = link._replace(
        state="moving",
        sent=as_text(plainly(merged.ours if flow.looks_there else merged.values)),
        read=as_text(plainly(record.values)) if flow.looks_there else None,
    )
    if there is None or way.update is None or not flow.options.changes_only:
        return Decision(became="send", record=record, link=link, values=merged.values, last=last)
    values = _changes(way, merged, there)
    return Decision(became="send", record=record, link=link, values=values, last=last, operation=way.update)


def _counted(link: LinkRow, way: Way, ours: Mapping[str, Any]) -> LinkRow:
    """With what is sent now remembered, and how often it was the same again."""
    now = digest(plainly(ours))
    last = link.there_hash if way.kind == "there" else link.back_hash
    link = link._replace(bounces=link.bounces + 1 if now == last else 0)
    return link._replace(there_hash=now) if way.kind == "there" else link._replace(back_hash=now)


def _changes(way: Way, merged: Merged, there: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is to be there only what is not, with the id."""
    assert way.there is not None
    return {
        name: value
        for name, value in merged.values.items()
        if name == way.there.id or (name in merged.ours and not same(value, there.get(name)))
    }


def _is_there(
    made: Draft, link: LinkRow, values: Mapping[str, Any], there: Mapping[str, Any] | None, flow: Flow
) -> bool:
    """Whether the other side has all of it already."""
    if there is not None:
        return all(same(value, there.get(name)) for name, value in values.items())
    if flow.looks_there or made.force or link.sent is None or link.state == "failed":
        return False
    return not differing(plainly(values), from_text(link.sent) or {})


def _both_known(link: LinkRow, way: Way, record: Record, ours: Mapping[str, Any]) -> LinkRow:
    """Both sides know the record, and what is alike over there. What was changed there has still to come back."""
    here = as_text(record.values)
    over = as_text({**(known_of(link, way.writes) or {}), **ours})
    if way.reads == "source":
        return link._replace(source_known=here, target_known=over)
    return link._replace(target_known=here, source_known=over)


def _has_moved(way: Way, there: Mapping[str, Any], link: LinkRow) -> bool:
    changed = way.there.changed if way.there is not None else ""
    return any(name != changed for name in differing(there, known_of(link, way.writes) or {}))


def _looked_at_again(link: LinkRow, way: Way) -> LinkRow:
    """What stays as it is over there may have been decided about before this was: it is looked at once more, from there."""
    link = link._replace(again=link.again | BIT[way.writes])
    return link._replace(target_hash=None) if way.writes == "target" else link._replace(source_hash=None)


def _conflict(way: Way, made: Draft, link: LinkRow, fields: tuple[str, ...]) -> Decision:
    assert made.mapped is not None
    assert made.there is not None
    of: tuple[Side, str] = (way.reads, made.record.id)
    if link.source_id is not None:
        of = ("source", link.source_id)
    elif way.writes == "source":
        of = ("source", made.there.id)
    problem = problems.conflicting(way, made.record, fields, made.mapped, made.there.values, of)
    kept = None
    if link.id:
        kept = _with_hash(link._replace(state="conflict"), way, made.hash)
    return Decision(became="problem", record=made.record, link=kept, problem=problem)


def _delete(flow: Flow, way: Way, made: Draft) -> Decision:
    link = made.link
    assert link is not None
    name = link.target_id
    entity = way.writer.entities[flow.options.deletes.rpartition(".")[0]]
    if name is None:
        return Decision(became="known", record=made.record)
    values = {entity.id: name}
    last = from_text(link.sent)
    kept = link._replace(state="moving", source_hash=None)
    return Decision(
        became="delete",
        record=made.record,
        link=kept,
        values=values,
        last=last,
        operation=flow.options.deletes,
    )


def _new_link(way: Way, record: Record) -> LinkRow:
    return LinkRow(
        id=0,
        name=fresh_name(),
        flow=way.flow,
        source_id=record.id if way.reads == "source" else None,
        target_id=record.id if way.reads == "target" else None,
        revision=0,
        state="moving",
        source_hash=None,
        target_hash=None,
        there_hash=None,
        back_hash=None,
        bounces=0,
        entry_id=None,
        again=0,
        seen=0,
        changed_at=0,
        source_known=None,
        target_known=None,
        sent=None,
        read=None,
    )


def _named(link: LinkRow, way: Way, made: Draft) -> LinkRow:
    """With the id that the record has over there, where that is known."""
    found = _id_there(way, made)
    if found is None or id_of(link, way.writes) is not None:
        return link
    return link._replace(target_id=found) if way.writes == "target" else link._replace(source_id=found)
