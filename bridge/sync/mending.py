"""What people do about records that could not go through: try them again, or leave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bridge.errors import SettingsError
from bridge.partners.partner import Record
from bridge.store import Session, Store, Transaction
from bridge.store import flow_links as link_rows
from bridge.store import flow_problems as problem_rows
from bridge.store.flow_problems import ProblemRow, Side
from bridge.sync.compare import as_text, digest, from_text
from bridge.sync.deciding import draft, id_of, look_there
from bridge.sync.flow import Flow, Way
from bridge.sync.keeping import Kept, again, inside, keep
from bridge.sync.running import Report, fetch

if TYPE_CHECKING:
    from bridge.audit import Notes


def move(
    store: Store,
    flow: Flow,
    way: Way,
    records: Sequence[Record],
    *,
    force: bool = False,
    prefer: Side | None = None,
) -> Kept:
    """Move these records now, beside whatever run there is: their links are locked meanwhile.

    Args:
        force: also those that are known, and were sent just so.
        prefer: whose values go, where both sides changed one.
    """

    def work() -> Kept:
        with store.reading() as session:
            links = link_rows.links_of(session, flow.name, way.reads, [one.id for one in records])
        drafts = [draft(flow, way, one, links.get(one.id), force=force, prefer=prefer) for one in records]
        look_there(flow, way, drafts)

        def write(transaction: Transaction) -> Kept:
            with inside(transaction) as session:
                return keep(session, flow, way, drafts)

        return store.run(write)

    return again(work)


class Mending:
    """Args:
    flow: gives a flow by its name. run: runs one.
    notes: where what people do is written down.
    """

    def __init__(
        self, store: Store, flow: Callable[[str], Flow], run: Callable[[str], Report], notes: Notes
    ) -> None:
        self._store = store
        self._flow = flow
        self._run = run
        self._notes = notes

    def problem(self, number: int) -> ProblemRow:
        """
        Raises:
            SettingsError: there is none of that number.
        """
        with self._store.reading() as session:
            found = problem_rows.problem(session, number)
        if found is None:
            raise SettingsError(
                f"There is no problem {number}.", advice="soapbridge flows problems lists them."
            )
        return found

    def retry(self, number: int, *, who: str, why: str, prefer: Side | None = None) -> Report:
        """Try a problem's record again as it is now; of a whole page, run the flow.

        Raises:
            SettingsError: there is no such problem, or it is open no more.
            PartnerError: the record cannot be read.
        """
        found = self._open(number)
        flow = self._flow(found.flow)
        way = flow.way(found.side)
        if way is None:
            raise SettingsError(
                f"{found.flow} goes one way now; nothing comes back of it.", advice="Dismiss the problem."
            )
        self._note("flow_problem_retried", found, who=who, why=why)
        if not found.record_id:
            return self._run(found.flow)
        report = Report(found.flow)
        records = self._read_again(way, found)
        kept = move(self._store, flow, way, records, force=True, prefer=prefer)
        report.add(kept, len(records))
        # What was refused is a problem until it is delivered.
        if not kept.problems and not kept.counts["waits"] and found.stage != "refused":
            self._settle(found, "solved", who=who, why=why)
        return report

    def _read_again(self, way: Way, found: ProblemRow) -> list[Record]:
        """The record as it is now. As it was kept, where it is not shown any more: a row rejected in a staging table, a source that only
        tells."""
        if (way.is_queue or way.only_tells) and (kept := from_text(found.record)) is not None:
            return [Record(found.record_id, kept)]
        return fetch(way, [found.record_id], 1) or [Record(found.record_id, {}, deleted=True)]

    def dismiss(self, number: int, *, who: str, why: str) -> None:
        """Leave a record as it is on both sides.

        Raises:
            SettingsError: there is no such problem, or it is open no more.
            PartnerError: after a conflict both sides are read, so that they count as known.
        """
        found = self._open(number)
        if found.stage == "conflict":
            self._agree(found)
        self._settle(found, "dismissed", who=who, why=why)
        self._note("flow_problem_dismissed", found, who=who, why=why)

    def _agree(self, found: ProblemRow) -> None:
        """Both sides stay as they are: what each has now is known."""
        flow = self._flow(found.flow)
        ways = [way for way in (flow.forth, flow.back) if way is not None]
        with self._store.reading() as session:
            link = link_rows.links_of(session, flow.name, found.side, [found.record_id]).get(found.record_id)
        if link is None:
            return
        now: dict[Side, Record] = {}
        for way in ways:
            name = id_of(link, way.reads)
            if name is not None and (records := fetch(way, [name], 1)):
                now[way.reads] = records[0]

        def work(session: Session) -> None:
            row = link_rows.link(session, link.id)
            if row is None:
                return
            for way in ways:
                one = now.get(way.reads)
                if one is not None:
                    value = digest(one.values, without=(way.entity.changed,))
                    fields: dict[str, Any] = {
                        f"{way.reads}_hash": value,
                        f"{way.reads}_known": as_text(one.values),
                    }
                    row = row._replace(state="moved", **fields)
            link_rows.put_link(session, row)

        self._store.run(lambda transaction: work(transaction.session))

    def _open(self, number: int) -> ProblemRow:
        found = self.problem(number)
        if found.state != "open":
            raise SettingsError(
                f"The problem {number} is {found.state}.", advice="There is nothing to be done."
            )
        return found

    def _settle(self, found: ProblemRow, became: str, *, who: str, why: str) -> None:
        self._store.run(
            lambda transaction: problem_rows.settle_problem(
                transaction.session, found.id, became, who=who, why=why
            )
        )

    def _note(self, event: str, found: ProblemRow, *, who: str, why: str) -> None:
        about = {"problem": found.id, "stage": found.stage, "why": why}
        self._notes.note(event, who=who, subject=f"{found.flow} {found.record_id}".strip(), about=about)
