"""Story 3: records move from partner to partner by themselves, by schedule, event or request (docs/flows.md).

    bridge.flows.run("accounts")                                what was changed since the last run
    bridge.flows.take("crm", "accounts", records)               inside a transaction: somebody told of these
    bridge.flows.request("accounts", ["A-1", "A-2"])            these, now
    bridge.flows.problems()                                     what could not go through, and why

The order of a run is at the head of `running.py`.

    flow.py        a flow as it is declared, and what is wrong with one
    running.py     a run: read page by page, look, keep
    deciding.py    what becomes of each record
    compare.py     pure: what has changed, and what is sent of it
    keeping.py     one transaction: documents, links, problems
    settling.py    what became of what was sent
    problems.py    what is said of a record that could not go through
    mending.py     what people do about those
    standing.py    a flow as it stands, for people
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from bridge.delivery.due import Cron, Every, Rule
from bridge.delivery.hands import Hands
from bridge.delivery.schedules import Firing, Schedule
from bridge.errors import HandlerError, SettingsError
from bridge.handlers import writing
from bridge.ids import process
from bridge.partners.partner import Record
from bridge.store import Session, Store
from bridge.store import flow_links as link_rows
from bridge.store import flow_problems as problem_rows
from bridge.store import flows as rows
from bridge.store.clock import SECOND
from bridge.store.flow_problems import ProblemRow, Side, Stage
from bridge.sync.deciding import draft
from bridge.sync.flow import AnyPartner, Flow, Make, MakeOf, Reader, Way
from bridge.sync.keeping import Kept, inside, keep
from bridge.sync.mending import Mending, move
from bridge.sync.running import Change, Outcome, Report, Run, dry_run, fetch
from bridge.sync.settling import Collector
from bridge.sync.standing import Standing, standing

if TYPE_CHECKING:
    from bridge.audit import Notes
    from bridge.settings import Flow as Options
    from bridge.settings import Settings

NAME: Final = "flows"
"""Of the schedule that looks after what was sent; those of flows are `flow NAME`."""

LOOK_SECONDS: Final = 60.0

__all__ = ["Change", "Flows", "Outcome", "Report", "Standing"]


class Flows:
    """The flows of a bridge. Used by several threads.

    Args:
        partner: gives a partner by its name.
        load: loads a mapping's file.
        notes: where what people do is written down.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        partner: Callable[[str], AnyPartner],
        load: MakeOf,
        notes: Notes,
    ) -> None:
        self._store = store
        self._settings = settings
        self._notes = notes
        self._functions: dict[tuple[str, Literal["there", "back"]], Make] = {}
        self._reader = Reader(settings.flows, partner, load, self._functions)
        self._made: dict[str, tuple[Flow, Collector]] = {}
        self._lease = int(settings.delivery.lease * SECOND)
        self._mending = Mending(store, self.flow, self.run, notes)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{process()}"

    @property
    def names(self) -> tuple[str, ...]:
        """Those that the settings have."""
        return tuple(self._settings.flows)

    def maps(self, name: str, *, back: bool = False) -> Callable[[Make], Make]:
        """Decorator: the function is a flow's mapping, instead of a file. It gets a record's values, and raises BridgeError for one
        that it cannot map."""

        def declare(function: Make) -> Make:
            self._functions[name, "back" if back else "there"] = function
            self._made.pop(name, None)
            return function

        return declare

    def flow(self, name: str) -> Flow:
        """A flow, put together at the first look.

        Raises:
            SettingsError: there is none of that name, or with every mistake in it.
        """
        return self._whole(name)[0]

    def mistakes(self) -> list[str]:
        """A sentence for each mistake in any flow."""
        return [mistake for name in self.names for mistake in self._reader.mistakes(name)]

    # -- move

    def run(
        self,
        name: str,
        *,
        full: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[Report], object] = lambda _: None,
    ) -> Report:
        """Move what was changed since the last run; with `full` look at every record, and find those that are gone.

        Raises:
            SettingsError: as `flow`. StoreError: the store cannot be used; the next run goes on where this one was.
        """
        flow, collector = self._whole(name)
        run = Run(
            self._store,
            flow,
            collector,
            owner=self._owner,
            lease=self._lease,
            stopping=stopping,
            progress=progress,
        )
        return run(full=full)

    def dry_run(self, name: str, *, full: bool = False, show: Callable[[Change], object]) -> Report:
        """What `run` would do: nothing is written or sent. Each record that would be is shown."""
        return dry_run(self._store, self.flow(name), full=full, show=show)

    def take(self, partner: str, entity: str, records: Iterable[Record | Mapping[str, Any]]) -> Report:
        """Move records that somebody told of, in the caller's transaction: a handler's, or `with bridge.transaction():`. Every
        flow of that partner's entity whose trigger is event takes them. One that is paused, or that looks at the other side first, remembers
        which they are, and reads them a little later.

        Args:
            records: whole records, or their values.

        Raises:
            HandlerError: there is no transaction; the flow is paused and its source cannot be asked again later.
        """
        transaction, _ = writing()
        report = Report(f"{partner}.{entity}")
        for name, options in self._settings.flows.items():
            if options.trigger != "event":
                continue
            flow = self.flow(name)
            for way in filter(None, (flow.forth, flow.back)):
                if (way.reader.name, way.entity.name) == (partner, entity):
                    found = [_record(way, one) for one in records]
                    with inside(transaction) as session:
                        report.add(self._take(session, flow, way, found), len(found))
        return report

    def _take(self, session: Session, flow: Flow, way: Way, records: Sequence[Record]) -> Kept:
        state = rows.state(session, flow.name)
        paused = flow.options.paused or (state is not None and state.paused_because is not None)
        if paused and way.only_tells:
            raise HandlerError(
                f"The flow {flow.name} is paused, and {way.reader.name} cannot be asked again later.",
                advice="Repeat it when the flow goes on.",
            )
        # What the other side has may not be asked for inside a transaction.
        later = not way.only_tells and (paused or flow.looks_there or bool(flow.options.match))
        links = link_rows.links_of(session, flow.name, way.reads, [one.id for one in records], lock=True)
        made = []
        for one in {record.id: record for record in records}.values():
            taken = draft(flow, way, one, links.get(one.id))
            if taken.became is None and later:
                taken.became = "waits"
            made.append(taken)
        return keep(session, flow, way, made)

    def request(self, name: str, ids: Sequence[str], *, force: bool = False) -> Report:
        """Move these records of the source, as they are now.

        Args:
            force: also those that are known, and were sent just so.

        Raises:
            PartnerError: the source cannot be asked. SettingsError: as `flow`.
        """
        flow, report = self.flow(name), Report(name)
        records = fetch(flow.forth, ids, flow.options.batch)
        for start in range(0, len(records), flow.options.batch):
            some = records[start : start + flow.options.batch]
            report.add(move(self._store, flow, flow.forth, some, force=force), len(some))
        return report

    def look_after(self, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Note what became of what was sent, and look again at records that waited for it: of every flow, and none stops another."""
        failed = []
        for name in self.names:
            try:
                flow, collector = self._whole(name)
                collector.collect()
                if flow.options.trigger != "schedule" and self._waits(name):
                    self.run(name, stopping=stopping)
            except SettingsError as error:
                failed.append(f"{name}: {error}")
        if failed:
            raise SettingsError(f"Flows that cannot run: {'; '.join(failed)}")

    def _waits(self, name: str) -> bool:
        with self._store.reading() as session:
            return bool(link_rows.waiting_links(session, name, after=0, limit=1))

    # -- look

    def standing(self, name: str) -> Standing:
        """A flow as it stands. Raises SettingsError: there is none of that name."""
        options = self._settings.flows.get(name)
        if options is None:
            raise self._reader.unknown(name)
        return standing(self._store, name, options, lease=self._lease, mistakes=self._reader.mistakes(name))

    def problems(
        self,
        *,
        flow: str | None = None,
        stage: Stage | None = None,
        record_id: str | None = None,
        everything: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[ProblemRow]:
        """Records that could not go through, the newest first; with `everything` also those that did since, or were dismissed."""
        with self._store.reading() as session:
            return problem_rows.problems(
                session,
                flow=flow,
                stage=stage,
                record_id=record_id,
                everything=everything,
                before=before,
                limit=limit,
            )

    def problem(self, number: int) -> ProblemRow:
        """
        Raises:
            SettingsError: there is none of that number.
        """
        return self._mending.problem(number)

    # -- by hand

    def pause(self, name: str, *, who: str, why: str) -> bool:
        """Have a flow stand still, in every process; False where it does already. A page that is being moved is finished."""
        return self._set_pause(name, f"{who}: {why}", who=who, why=why)

    def resume(self, name: str, *, who: str, why: str) -> bool:
        """Let it go on where it stopped; False where it was not paused by hand."""
        return self._set_pause(name, None, who=who, why=why)

    def _set_pause(self, name: str, because: str | None, *, who: str, why: str) -> bool:
        self.flow(name)
        _require_why(who, why)

        def work(session: Session) -> bool:
            state = rows.lock_state(session, name)
            if (state.paused_because is None) == (because is None):
                return False
            rows.set_state(session, name, paused_because=because)
            return True

        done = self._store.run(lambda transaction: work(transaction.session))
        if done:
            self._notes.note(
                "flow_paused" if because else "flow_resumed", who=who, subject=name, about={"why": why}
            )
        return done

    def retry(self, number: int, *, who: str, why: str, prefer: Side | None = None) -> Report:
        """Try a problem's record again as it is now. Raises as `Mending.retry`.

        Args:
            prefer: whose values go, where both sides changed it.
        """
        _require_why(who, why)
        return self._mending.retry(number, who=who, why=why, prefer=prefer)

    def dismiss(self, number: int, *, who: str, why: str) -> None:
        """Leave a record as it is on both sides: it goes again when it is changed. Raises as `Mending.dismiss`."""
        _require_why(who, why)
        self._mending.dismiss(number, who=who, why=why)

    # -- by the clock

    def schedules(self) -> list[Schedule]:
        """What runs by the clock: each flow that has one, and the look at what was sent.

        Raises:
            SettingsError: a `cron` cannot be read.
        """
        found = [
            Schedule(f"flow {name}", self._rule(name, options), self._by_clock(name))
            for name, options in self._settings.flows.items()
            if options.cron or options.every
        ]
        if self._settings.flows:
            look = Every(LOOK_SECONDS)
            found.append(
                Schedule(NAME, look, lambda firing: self.look_after(stopping=lambda: firing.is_stopping))
            )
        return found

    def _rule(self, name: str, options: Options) -> Rule:
        if options.every:
            return Every(options.every)
        try:
            return Cron(options.cron, self._settings.contracts.zone)
        except ValueError as error:
            raise SettingsError.of([f"flows.{name}.cron: {error}"]) from None

    def _by_clock(self, name: str) -> Callable[[Firing], None]:
        def work(firing: Firing) -> None:
            report = self.run(name, stopping=lambda: firing.is_stopping)
            if report.outcome == "failed":
                raise HandlerError(report.reason, advice=f"soapbridge flows show {name}")

        return work

    def _whole(self, name: str) -> tuple[Flow, Collector]:
        made = self._made.get(name)
        if made is None:
            flow = self._reader.read(name)
            hands = Hands(self._settings.partners, lease=self._lease)
            made = self._made.setdefault(name, (flow, Collector(self._store, flow, lambda: hands)))
        return made


def _record(way: Way, given: Record | Mapping[str, Any]) -> Record:
    if isinstance(given, Record):
        return given
    name = given.get(way.entity.id)
    if name in (None, ""):
        raise HandlerError(
            f"A record of {way.reader.name}.{way.entity.name} was given without its id.",
            advice=f"Its id is in {way.entity.id}.",
        )
    changed = given.get(way.entity.changed) if way.entity.changed else None
    return Record(str(name), given, changed if isinstance(changed, datetime) else None)


def _require_why(who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise SettingsError(
            "What people do by hand is written down, and it was not said who does it, or why.",
            advice="Give both: --who and --why, or who= and why=.",
        )
