"""What was decided about records, kept in one transaction: documents in the outbox, links, problems; and who decides again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bridge.errors import BridgeError, StoreError
from bridge.handlers import current_transaction
from bridge.partners.partner import Record
from bridge.store import Session, Transaction
from bridge.store import flow_links as link_rows
from bridge.store import flow_problems as problem_rows
from bridge.store import flows as rows
from bridge.store.flow_links import LinkRow
from bridge.store.flow_problems import NewProblem, Side
from bridge.sync import problems
from bridge.sync.deciding import BIT, Decision, Draft, decide, draft, id_of
from bridge.sync.flow import Flow, Way


class Stale(Exception):
    """A link was changed between the look at it and the transaction."""


@contextmanager
def inside(transaction: Transaction) -> Iterator[Session]:
    """What partners `send` in this block belongs to the transaction."""
    token = current_transaction.set(transaction)
    try:
        yield transaction.session
    finally:
        current_transaction.reset(token)


@dataclass(slots=True)
class Kept:
    """How many records became what, and the problems among them, by the records' ids."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[str, NewProblem] = field(default_factory=dict)


def drafts_of(
    session: Session, flow: Flow, way: Way, records: Sequence[Record], *, lock: bool = False
) -> list[Draft]:
    """Drafts of records, each id once: the last one stands."""
    last = {record.id: record for record in records}
    links = link_rows.links_of(session, flow.name, way.reads, list(last), lock=lock)
    return [draft(flow, way, record, links.get(record.id)) for record in last.values()]


def owners(
    session: Session, flow: Flow, way: Way, drafts: Sequence[Draft], *, lock: bool
) -> dict[str, LinkRow]:
    """The links that the records over there have already, by their ids there."""
    ids = {
        name
        for one in drafts
        if one.became is None
        and (name := (one.there.id if one.there is not None else way.id_there(one.mapped or {}))) is not None
    }
    return link_rows.links_of(session, flow.name, way.writes, sorted(ids), lock=lock) if ids else {}


def decisions(flow: Flow, way: Way, drafts: Sequence[Draft], taken: dict[str, LinkRow]) -> Iterator[Decision]:
    """What is to be done about each, in their order. Two of one page that would become the same record are seen too."""
    of_page: dict[str, str] = {}
    for one in drafts:
        if one.adopts is not None:
            yield adopted(way, one, one.adopts)
            continue
        name = None
        if one.became is None:
            name = one.there.id if one.there is not None else way.id_there(one.mapped or {})
        found = None if name is None else taken.get(name)
        if found is not None and one.link is None and id_of(found, way.reads) is None:
            yield adopted(
                way, one, found
            )  # made by what this flow sent back, and seen before its answer was noted
            continue
        owner = _owner(way, one, name, taken, of_page)
        made = decide(flow, way, one, owner)
        if name is not None and made.link is not None and made.became in ("send", "same"):
            of_page.setdefault(name, one.record.id)
        yield made


def adopted(way: Way, one: Draft, link: LinkRow) -> Decision:
    """The record is the one that this link waits for: it gets its id, and is looked at when that document has its ending."""
    link = link._replace(again=link.again | BIT[way.reads])
    link = (
        link._replace(source_id=one.record.id)
        if way.reads == "source"
        else link._replace(target_id=one.record.id)
    )
    return Decision(became="echo", record=one.record, link=link)


def _owner(
    way: Way, one: Draft, name: str | None, taken: dict[str, LinkRow], of_page: dict[str, str]
) -> str | None:
    """Which other record the one over there belongs to."""
    if name is None or (one.link is not None and id_of(one.link, way.writes) == name):
        return None
    link = taken.get(name)
    if link is None:
        other = of_page.get(name)
        return other if other != one.record.id else None
    if one.link is not None and link.id == one.link.id:
        return None
    return id_of(link, way.reads) or "another record"


def keep(session: Session, flow: Flow, way: Way, drafts: Sequence[Draft], *, seen: int = 0) -> Kept:
    """Decide with the links locked, and write.

    Raises:
        Stale: somebody else decided about one of the records meanwhile. Nothing may be committed then.
    """
    ids = [one.record.id for one in drafts]
    now = link_rows.links_of(session, flow.name, way.reads, ids, lock=True)
    for one in drafts:
        link = now.get(one.record.id)
        if (one.link and one.link.revision) != (link and link.revision):
            raise Stale
        if one.revision is not None and link is not None and link.revision != one.revision:
            one.revision = None  # it was changed again since it was read: it is looked at once more
        one.link = link
        if one.adopts is not None:
            one.adopts = link_rows.link(session, one.adopts.id)
            if one.adopts is None or id_of(one.adopts, way.reads) is not None:
                raise Stale
    taken = owners(session, flow, way, drafts, lock=True)
    moment = rows.clock(session)
    kept, healed = Kept(), []
    for made in decisions(flow, way, drafts, taken):
        became = _write(session, flow, way, made, moment, seen, kept)
        kept.counts[became] += 1
        if became in ("send", "same", "delete"):
            healed.append(made.record.id)
    if healed and problem_rows.has_problems(session, flow.name):
        _heal(session, flow, way, healed, drafts)
    if seen:
        link_rows.see(session, [link.id for link in now.values()], seen)
    return kept


def _write(session: Session, flow: Flow, way: Way, made: Decision, moment: int, seen: int, kept: Kept) -> str:
    link = made.link
    if made.became == "problem":
        assert made.problem is not None
        kept.problems[made.record.id] = made.problem
        problem_rows.put_problem(session, flow.name, made.problem, moment)
        if link is not None:
            link_rows.put_link(session, link)
        return "problem"
    if made.became == "waits":
        assert link is not None
        if link.id:
            link_rows.mark_again(session, [link.id], way.reads)
        else:
            link_rows.put_link(session, link._replace(changed_at=moment))
        return "waits"
    if link is None:
        return made.became
    if made.became not in ("send", "delete"):
        link_rows.put_link(session, link._replace(seen=max(seen, link.seen), changed_at=moment))
        return made.became
    entry_id = _send(way, made)
    if not isinstance(entry_id, str):
        problem = problems.unfit(way, made.record, entry_id)
        kept.problems[made.record.id] = problem
        problem_rows.put_problem(session, flow.name, problem, moment)
        return "problem"
    number = link_rows.put_link(
        session, link._replace(entry_id=entry_id, seen=max(seen, link.seen), changed_at=moment)
    )
    kind = "delete" if made.became == "delete" else way.kind
    link_rows.put_sent(session, entry_id, flow.name, number, kind)
    return made.became


def _send(way: Way, made: Decision) -> str | Exception:
    """The entry's id, or why it cannot be sent."""
    try:
        document = way.writer.send(
            made.operation or way.operation,
            dict(made.values or {}),
            ordering_key=way.ordering_key(made.record.id),
            reference=made.record.id,
        )
    except StoreError:
        raise
    except (BridgeError, TypeError, ValueError) as error:
        return error
    return str(document.id)


def _heal(session: Session, flow: Flow, way: Way, ids: Sequence[str], drafts: Sequence[Draft]) -> None:
    """What goes now is no problem any more; what was refused is one until it is delivered."""
    problem_rows.solve(session, flow.name, way.reads, ids, but=("refused",))
    other: Side = way.writes
    wanted = set(ids)
    there = [
        name
        for one in drafts
        if one.record.id in wanted and one.link is not None and (name := id_of(one.link, other)) is not None
    ]
    problem_rows.solve(
        session, flow.name, other, there, but=("refused", "map", "validate", "read", "duplicate")
    )


def again(work: Callable[[], Kept], *, times: int = 5) -> Kept:
    """Do work until nobody has decided meanwhile. Raises Stale after so many times."""
    for _ in range(times - 1):
        try:
            return work()
        except Stale:
            continue
    return work()
