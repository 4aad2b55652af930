"""A run of a flow: what was changed at its source goes to its target, and back where it goes both ways.

The order of a run, written once:

    take      the flow's lease: two processes never run it at once
    collect   what became of documents sent before (`settling`): links are completed, what was refused is a problem
    again     records that were changed while a document of theirs was on its way
    read      a page changed since the watermark, minus the overlap; in a full resync all, by id
    draft     known by its hash? our own echo? else mapped (`deciding`)
    look      what the other side has of these records now, where both may change them
    keep      one transaction (`keeping`): merged and decided with the links locked, documents to the outbox, links, problems, and the
              watermark; from here on the page is moved, whatever dies
    deletes   after a full resync: records that were moved and are gone
    leave     the lease is given back, with what became of the run

`read` to `keep` are repeated page by page, so that memory is bounded by a page. Nothing is sent here: delivery does that.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal

from bridge.errors import BridgeError, StoreError
from bridge.partners.partner import Page, Query, Record, Rejection
from bridge.store import Session, Store, Transaction
from bridge.store import flow_links as link_rows
from bridge.store import flow_problems as problem_rows
from bridge.store import flows as rows
from bridge.store.clock import moment, stored
from bridge.store.flow_problems import NewProblem
from bridge.store.flows import StateRow
from bridge.sync import points, problems
from bridge.sync.compare import differing, from_text, plainly, same
from bridge.sync.deciding import BIT, Decision, Draft, look_there
from bridge.sync.flow import Flow, Way
from bridge.sync.keeping import Kept, again, decisions, drafts_of, inside, keep, owners
from bridge.sync.settling import Collector

log = logging.getLogger(__name__)

Outcome = Literal["done", "failed", "paused", "busy", "stopped", "waiting"]
"""busy: another process runs it. stopped: it was asked to end, or its lease was lost. waiting: for the ids that documents on their way
bring."""

_NAMELESS: Final = 1000


@dataclass(slots=True)
class Report:
    """How far a run came. `counts` are records by what became of them: known, echo, waits, same, send, delete, problem."""

    flow: str
    outcome: Outcome = "done"
    reason: str = ""
    read: int = 0
    delivered: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, kept: Kept, read: int) -> None:
        self.read += read
        self.counts += kept.counts
        self.problems = [*self.problems, *(one.explanation for one in kept.problems.values())][:20]


@dataclass(frozen=True, slots=True)
class Change:
    """What a dry run shows of a record: what would be done, and by field (what was, what would be)."""

    way: str
    record_id: str
    became: str
    fields: dict[str, tuple[Any, Any]]
    explanation: str = ""


class _Fenced(Exception):
    pass


class _Waiting(Exception):
    pass


class Run:
    """One run of a flow in this process.

    Args:
        owner: names this process among all. lease: in microseconds.
        stopping: whether the process is asked to end.
        progress: told after every page.
    """

    def __init__(
        self,
        store: Store,
        flow: Flow,
        collector: Collector,
        *,
        owner: str,
        lease: int,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[Report], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._flow = flow
        self._collector = collector
        self._owner = owner
        self._lease = lease
        self._lease_no = 0
        self._stopping = stopping
        self._progress = progress
        self.report = Report(flow.name)

    def __call__(self, *, full: bool = False) -> Report:
        """Raises as the store does; then the lease lapses, and the next run goes on where this one was."""
        report = self.report
        refused = self._store.run(lambda transaction: self._take(transaction.session))
        if refused is not None:
            report.outcome = refused
            return report
        points.reached("begun")
        try:
            self._pass(full=full)
        except _Fenced:
            report.outcome, report.reason = "stopped", "Its lease was lost to another process."
            return report
        self._store.run(lambda transaction: self._leave(transaction.session))
        points.reached("ended")
        return report

    def _pass(self, *, full: bool) -> None:
        report = self.report
        report.delivered, failed = self._collector.collect()
        report.counts["problem"] += failed
        ways = [way for way in (self._flow.forth, self._flow.back) if way is not None]
        # What stops one way does not stop the other.
        for way in ways:
            with self._noting(way):
                self._look_again(way)
                if full and way.kind == "there" and (way.entity.changed or way.is_queue):
                    self._read_all(way)
                self._read(way)

    @contextmanager
    def _noting(self, way: Way) -> Iterator[None]:
        """A page that cannot be read or looked after is a problem of the flow, not an end of the process."""
        report = self.report
        try:
            yield
        except (_Fenced, StoreError):
            raise
        except _Waiting:
            report.outcome = "waiting"
            report.reason = "New records wait for the ids of documents that are on their way."
        except Exception as error:
            if self._store.has_failed(error):
                raise
            if not isinstance(error, BridgeError):
                log.exception("flow %s failed", self._flow.name)
            self._note(problems.unreadable_page(way, error))

    # -- the lease

    def _take(self, session: Session) -> Outcome | None:
        state = rows.lock_state(session, self._flow.name)
        if state.paused_because is not None or self._flow.options.paused:
            return "paused"
        if state.is_leased(self._lease):
            return "busy"
        rows.take_lease(session, self._flow.name, owner=self._owner, length=self._lease)
        self._lease_no = state.lease_no + 1
        return None

    def _require_lease(self, session: Session) -> StateRow:
        state = rows.lock_state(session, self._flow.name)
        if state.lease_no != self._lease_no or state.lease_owner != self._owner:
            raise _Fenced
        rows.renew_lease(session, self._flow.name, length=self._lease)
        return state

    def _leave(self, session: Session) -> None:
        try:
            self._require_lease(session)
        except _Fenced:
            return
        report = self.report
        rows.leave(session, self._flow.name, outcome=report.outcome, reason=report.reason[:2000] or None)
        if report.outcome == "done":
            problem_rows.solve(session, self._flow.name, "source", [""])
            problem_rows.solve(session, self._flow.name, "target", [""])

    def _note(self, problem: NewProblem) -> None:
        self.report.outcome, self.report.reason = "failed", problem.explanation
        self.report.counts["problem"] += 1
        self.report.problems.append(problem.explanation)
        self._store.run(
            lambda transaction: problem_rows.put_problem(
                transaction.session, self._flow.name, problem, rows.clock(transaction.session)
            )
        )

    # -- pages

    def _read(self, way: Way) -> None:
        """What was changed since the watermark, in the order of the changes; of staging tables what was left there."""
        if way.is_queue:
            self._read_queue(way)
            return
        if not way.entity.changed:
            self._read_all(way)
            return
        query = self._since(way)
        for page in self._pages(way, query):
            self._page(way, page.records, partial(self._mark, way=way, records=page.records))

    def _read_queue(self, way: Way) -> None:
        """Rows that the partner left: claimed, and acknowledged after the commit. A crash between the two brings them again."""
        while not self._stopping():
            claims = way.reader.claim(way.entity.name, limit=self._flow.options.batch)
            if not claims:
                return
            points.reached("fetched")
            records = [
                one.record._replace(deleted=one.record.deleted or one.verb == "delete") for one in claims
            ]
            kept = self._page(way, records)
            rejected = [
                Rejection(one.seq, problem.stage, f"{problem.explanation} {problem.repair}")
                for one in claims
                if (problem := kept.problems.get(one.record.id)) is not None
            ]
            done = [one.seq for one in claims if one.record.id not in kept.problems]
            way.reader.acknowledge(way.entity.name, done=done, rejected=rejected)

    def _since(self, way: Way) -> Query:
        with self._store.reading() as session:
            state = rows.state(session, self._flow.name)
        options = self._flow.options
        assert state is not None
        mark = state.watermark if way.kind == "there" else state.back_watermark
        since = None
        if mark is not None:
            # One in the future was read before the clock was set back.
            since = moment(min(mark, state.now)) - timedelta(seconds=options.overlap)
        deleted = bool(options.deletes) and way.kind == "there"
        return Query(since=since, limit=options.batch, order="changed", deleted=deleted)

    def _mark(self, session: Session, state: StateRow, *, way: Way, records: Sequence[Record]) -> None:
        """Move the watermark to the last change seen, never into the future: a record dated next year must not hide this year's."""
        moments = [stored(one.changed_at) for one in records if one.changed_at is not None]
        if not moments:
            return
        name = "watermark" if way.kind == "there" else "back_watermark"
        before = getattr(state, name)
        mark = min(max(moments), state.now)
        if before is not None:
            mark = max(mark, min(before, state.now))
        rows.set_state(session, self._flow.name, **{name: mark})

    def _read_all(self, way: Way) -> None:
        """Everything, by id; one that was broken off goes on after its last page."""
        forth = way.kind == "there"
        state = self._store.run(lambda transaction: self._begin_full(transaction.session, forth=forth))
        number = state.full_number if forth and self._flow.options.deletes else 0
        after = state.full_after if forth else None
        for page in self._pages(way, Query(limit=self._flow.options.batch, after=after)):

            def note(session: Session, _: StateRow, following: str | None = page.next) -> None:
                if forth:
                    rows.set_state(session, self._flow.name, full_after=following)

            self._page(way, page.records, note, seen=number)
        if number and not self._stopping():
            self._delete_unseen(way, number)

    def _begin_full(self, session: Session, *, forth: bool) -> StateRow:
        state = self._require_lease(session)
        if forth and state.full_after is None:
            rows.set_state(session, self._flow.name, full_number=state.full_number + 1)
            state = state._replace(full_number=state.full_number + 1)
        return state

    def _pages(self, way: Way, query: Query) -> Iterator[Page]:
        while True:
            if self._stopping():
                self.report.outcome = "stopped"
                return
            page: Page = way.reader.fetch(way.entity.name, query)
            points.reached("fetched")
            yield page
            if page.next is None:
                return
            query = replace(query, after=page.next)

    def _page(
        self,
        way: Way,
        records: Sequence[Record],
        note: Callable[[Session, StateRow], object] = lambda *_: None,
        *,
        seen: int = 0,
    ) -> Kept:
        kept = again(lambda: self._try_page(way, records, note, seen))
        points.reached("kept")
        self.report.add(kept, len(records))
        self._progress(self.report)
        return kept

    def _try_page(
        self, way: Way, records: Sequence[Record], note: Callable[[Session, StateRow], object], seen: int
    ) -> Kept:
        with self._store.reading() as session:
            drafts = drafts_of(session, self._flow, way, records)
            self._claim(session, way, drafts)
        look_there(self._flow, way, drafts)
        return self._store.run(partial(self._keep, way=way, drafts=drafts, note=note, seen=seen))

    def _keep(
        self,
        transaction: Transaction,
        *,
        way: Way,
        drafts: Sequence[Draft],
        note: Callable[[Session, StateRow], object] | None,
        seen: int,
    ) -> Kept:
        with inside(transaction) as session:
            state = self._require_lease(session)
            kept = keep(session, self._flow, way, drafts, seen=seen)
            if note is not None:
                note(session, state)
            points.reached("keeping")
            return kept

    def _claim(self, session: Session, way: Way, drafts: Sequence[Draft]) -> None:
        """New records that this flow itself made and whose ids are not known yet: told by what was written.

        Raises:
            _Waiting: one may be such a record, and cannot be told.
        """
        fresh = [one for one in drafts if one.link is None and one.became is None]
        if not self._flow.two_way or not fresh:
            return
        nameless = link_rows.nameless(session, self._flow.name, way.reads, limit=_NAMELESS)
        written = [(link, from_text(link.sent) or {}) for link in nameless]
        for one in fresh:
            if not nameless:
                return
            found = next((link for link, sent in written if _is_of(one.record, sent)), None)
            if found is None:
                raise _Waiting
            written = [(link, sent) for link, sent in written if link.id != found.id]
            one.adopts = found

    # -- second looks and deletes

    def _look_again(self, way: Way) -> None:
        """Records that were changed while a document of theirs was on its way."""
        after, batch = 0, self._flow.options.batch
        while not self._stopping():
            with self._store.reading() as session:
                found = link_rows.waiting_links(session, self._flow.name, after=after, limit=batch)
            ids = {
                name: one.revision
                for one in found
                if one.again & BIT[way.reads]
                and (name := one.source_id if way.reads == "source" else one.target_id)
            }
            if ids:
                self._again(way, ids)
            if len(found) < batch:
                return
            after = found[-1].id

    def _again(self, way: Way, ids: dict[str, int]) -> None:
        records = self.fetch(way, list(ids))
        gone = [Record(name, {}, deleted=True) for name in ids if name not in {one.id for one in records}]

        def work() -> Kept:
            with self._store.reading() as session:
                drafts = drafts_of(session, self._flow, way, [*records, *gone])
            for one in drafts:
                one.revision = ids[one.record.id]
            look_there(self._flow, way, drafts)
            return self._store.run(partial(self._keep, way=way, drafts=drafts, note=None, seen=0))

        self.report.add(again(work), len(ids))

    def fetch(self, way: Way, ids: Sequence[str]) -> list[Record]:
        """Records by their ids, as they are now."""
        return fetch(way, ids, self._flow.options.batch)

    def _delete_unseen(self, way: Way, number: int) -> None:
        """Records that were moved and that the resync has not seen; each is asked for once more before anything is deleted."""
        most, gone, after = self._flow.options.most_deletes, list[str](), 0
        while True:
            with self._store.reading() as session:
                found = link_rows.unseen(
                    session, self._flow.name, number, after=after, limit=self._flow.options.batch
                )
            if found:
                there = {one.id for one in self.fetch(way, [name for _, name in found]) if not one.deleted}
                gone += [name for _, name in found if name not in there]
                after = found[-1][0]
            if len(found) < self._flow.options.batch or len(gone) > most:
                break
        if len(gone) > most:
            problem = problems.many_gone(way, len(gone), most)
            self._note(problem)
            return
        for start in range(0, len(gone), self._flow.options.batch):
            some = [Record(name, {}, deleted=True) for name in gone[start : start + self._flow.options.batch]]
            self._page(way, some)


def fetch(way: Way, ids: Sequence[str], batch: int) -> list[Record]:
    """Records by their ids, as they are now; those that are not there are left out. Raises as `fetch` of a partner."""
    found: list[Record] = []
    for start in range(0, len(ids), batch):
        query: Query | None = Query(ids=tuple(ids[start : start + batch]), limit=batch)
        while query is not None:
            page: Page = way.reader.fetch(way.entity.name, query)
            found += page.records
            query = None if page.next is None else replace(query, after=page.next)
    return found


def dry_run(store: Store, flow: Flow, *, full: bool, show: Callable[[Change], object]) -> Report:
    """What a run would do, without doing it: each record that would be sent, deleted or be a problem is shown."""
    report = Report(flow.name)
    with store.reading() as session:
        state = rows.state(session, flow.name)
    for way in filter(None, (flow.forth, flow.back)):
        query = Query(limit=flow.options.batch)
        if way.entity.changed and not full:
            mark = None if state is None else state.watermark if way.kind == "there" else state.back_watermark
            if mark is not None and state is not None:
                since = moment(min(mark, state.now)) - timedelta(seconds=flow.options.overlap)
                query = Query(
                    since=since, limit=flow.options.batch, order="changed", deleted=bool(flow.options.deletes)
                )
            else:
                query = Query(limit=flow.options.batch, order="changed")
        while True:
            page: Page = way.reader.fetch(way.entity.name, query)
            with store.reading() as session:
                drafts = drafts_of(session, flow, way, page.records)
            look_there(flow, way, drafts)
            with store.reading() as session:
                taken = owners(session, flow, way, drafts, lock=False)
            for made in decisions(flow, way, drafts, taken):
                report.counts[made.became] += 1
                if made.became in ("send", "delete", "problem"):
                    show(_change(way, made))
            report.read += len(page.records)
            if page.next is None:
                break
            query = replace(query, after=page.next)
    return report


def _change(way: Way, made: Decision) -> Change:
    if made.problem is not None:
        return Change(
            way.kind, made.record.id, "problem", {}, f"{made.problem.explanation} {made.problem.repair}"
        )
    values, last = plainly(made.values or {}), plainly(made.last or {})
    names = [name for name in differing(values, last) if name in values]
    return Change(
        way.kind, made.record.id, made.became, {name: (last.get(name), values.get(name)) for name in names}
    )


def _is_of(record: Record, sent: dict[str, Any]) -> bool:
    return all(same(plainly(record.values.get(name)), value) for name, value in sent.items())
