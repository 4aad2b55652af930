"""What became of documents that a flow sent: a delivered one completes its link, a refused or expired one is a problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.delivery.deeds import OneKey, Wish
from bridge.delivery.hands import Hands
from bridge.store import Session, Store, outbox
from bridge.store import flow_links as link_rows
from bridge.store import flow_problems as problem_rows
from bridge.store import flows as rows
from bridge.store.flow_links import LinkRow, SettledRow
from bridge.store.flow_problems import Side
from bridge.sync import points, problems
from bridge.sync.compare import as_text, from_text
from bridge.sync.deciding import id_of
from bridge.sync.flow import Flow

BATCH: Final = 500
BATCHES: Final = 40
"""Documents on their way that are looked at in one go are so many batches: those after them the next time."""

_DONE: Final = ("delivered", "unreadable", None)
"""None: removed from the outbox long after it was settled."""


class Collector:
    """Looks from time to time what became of a flow's documents. One for each flow and process: it remembers where it stopped."""

    def __init__(self, store: Store, flow: Flow, hands: Callable[[], Hands]) -> None:
        self._store = store
        self._flow = flow
        self._hands = hands
        self._after = ""

    def collect(self) -> tuple[int, int]:
        """(delivered, problems) that were noted now."""
        done = failed = 0
        for _ in range(BATCHES):
            with self._store.reading() as session:
                found = link_rows.sent_after(session, self._flow.name, self._after, limit=BATCH)
            settled = [one for one in found if one.state in (*_DONE, "refused", "expired")]
            if settled:
                noted = self._store.run(lambda transaction: self._note(transaction.session, settled))  # noqa: B023
                points.reached("collected")
                done, failed = done + noted[0], failed + noted[1]
            self._after = found[-1].entry_id if len(found) == BATCH else ""
            if not self._after:
                break
        return done, failed

    def _note(self, session: Session, settled: list[SettledRow]) -> tuple[int, int]:
        done = 0
        for one in settled:
            if not link_rows.forget_sent(session, one.entry_id):
                continue  # another process has noted it
            link = link_rows.link(session, one.link_id)
            if one.state in _DONE:
                done += 1
                if link is not None:
                    self._delivered(session, one, link)
            else:
                self._failed(session, one, link)
        points.reached("collecting")
        return done, len(settled) - done

    def _delivered(self, session: Session, one: SettledRow, link: LinkRow) -> None:
        flow = self._flow
        way = flow.back if one.kind == "back" and flow.back is not None else flow.forth
        name = id_of(link, way.reads)
        if name is not None:
            problem_rows.solve(session, flow.name, way.reads, [name])
        if one.kind == "delete":
            if link.entry_id == one.entry_id:
                link_rows.delete_link(session, link.id)
            return
        if link.entry_id != one.entry_id:
            return
        link = self._named(session, one, link)._replace(entry_id=None, state="moved")
        if flow.looks_there:
            link = _agreed(link, there=one.kind == "there")
        link_rows.put_link(session, link)

    def _named(self, session: Session, one: SettledRow, link: LinkRow) -> LinkRow:
        """With the id that the partner gave to what it made."""
        side: Side = "source" if one.kind == "back" else "target"
        if one.made is None or id_of(link, side) is not None:
            return link
        if link_rows.links_of(session, self._flow.name, side, [one.made]):
            return link
        return link._replace(source_id=one.made) if side == "source" else link._replace(target_id=one.made)

    def _failed(self, session: Session, one: SettledRow, link: LinkRow | None) -> None:
        flow = self._flow
        way = flow.back if one.kind == "back" and flow.back is not None else flow.forth
        name = None if link is None else id_of(link, way.reads)
        if link is not None and link.entry_id == one.entry_id:
            link_rows.put_link(session, link._replace(entry_id=None, state="failed"))
        assert one.state is not None
        kept = None if link is None else link.read or link.sent
        problem = problems.undelivered(
            way, name or "?", one.state, one.reason or one.cause, one.entry_id, kept
        )
        problem_rows.put_problem(session, flow.name, problem, rows.clock(session))
        self._let_go(session, one)

    def _let_go(self, session: Session, one: SettledRow) -> None:
        """The document is in the queue of problems now: what is sent of its record after it must not wait behind it."""
        if one.partner is None or one.ordering_key is None:
            return
        row = outbox.lock(session, one.partner, one.ordering_key)
        if row is None or row.state != "held" or one.entry_id not in (row.held_because or ""):
            return
        wish = Wish("release", f"flow {self._flow.name}", f"{one.entry_id} is a problem of the flow")
        self._hands().release_key(wish, OneKey(one.partner, one.ordering_key), session)


def _agreed(link: LinkRow, *, there: bool) -> LinkRow:
    """Both sides now know what was read, and what was written is known over there until it is read again."""
    written = from_text(link.target_known if there else link.source_known) or {}
    written |= from_text(link.sent) or {}
    if there:
        return link._replace(
            source_known=link.read, target_known=as_text(written), target_hash=None, read=None
        )
    return link._replace(target_known=link.read, source_known=as_text(written), source_hash=None, read=None)
