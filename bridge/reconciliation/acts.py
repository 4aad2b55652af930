"""What people and their programs do: run a rule, look at what it found, mend it or leave it.

ended = bridge.reconciliations.run("accounts")
for one in bridge.reconciliations.differences(ended.run):
    bridge.reconciliations.repair(one.id, who="mei", why="nightly")
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bridge.audit import Notes
from bridge.delivery.acts import Deliveries
from bridge.delivery.due import Cron
from bridge.delivery.schedules import Firing, Schedule
from bridge.errors import BridgeError, HandlerError, SettingsError
from bridge.mapping.shapes import Shape
from bridge.reconciliation import repair, report
from bridge.reconciliation.repair import NoProposal, Proposal
from bridge.reconciliation.rule import Maps, Rule, Systems, read
from bridge.reconciliation.run import Ended, Progress, Run
from bridge.settings import Settings
from bridge.settings.reconcile import Reconcile
from bridge.store import Store, Transaction
from bridge.store import differences as rows
from bridge.store.deliveries import Entries
from bridge.store.differences import DifferenceRow, DifferenceState, RunRow

log = logging.getLogger(__name__)

SCHEDULE = "reconcile "
"""What the names of rules' schedules begin with."""

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of one difference that was to be mended. `entry` is the document that does it; `says` is for people."""

    difference: int
    record_key: str
    done: bool
    says: str
    entry: str | None = None


class Reconciliations:
    """The reconciliations of a bridge. Made by `Bridge.reconciliations`.

    Args:
        partner: gives a partner of any kind.
        transaction: a transaction in which partners can `send`.
        mapping: loads a mapping's file, for records of this shape.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        partner: Systems,
        transaction: Callable[[], AbstractContextManager[Transaction]],
        deliveries: Deliveries,
        mapping: Callable[[Path, Shape], Maps],
        notes: Notes,
    ) -> None:
        self._store = store
        self._settings = settings
        self._partner = partner
        self._transaction = transaction
        self._deliveries = deliveries
        self._mapping = mapping
        self._notes = notes

    def rule(self, name: str) -> Rule:
        """The rule of this name. Raises SettingsError, with every mistake in it."""
        return read(self._settings, name, self._partner, self._mapping)

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the rules of the settings."""
        for name, options in self._settings.reconcile.items():
            try:
                self.rule(name)
                if options.cron:
                    self._cron(name, options)
            except SettingsError as error:
                yield from error.mistakes
            except BridgeError as error:
                yield f"reconcile.{name}: {error}"

    # -- run

    def run(self, name: str, progress: Progress = lambda _: None) -> Ended:
        """Run a rule now.

        Raises:
            SettingsError: there is no such rule, or it is wrong. PartnerError: a side could not be read.
            OutOfOrder: a side did not come in the order of its ids.
        """
        return Run(self._store, self.rule(name), settle=self._settle)(progress)

    def schedules(self) -> list[Schedule]:
        """What runs by the clock."""
        return [
            Schedule(SCHEDULE + name, self._cron(name, options), self._fired)
            for name, options in self._settings.reconcile.items()
            if options.cron
        ]

    def _cron(self, name: str, options: Reconcile) -> Cron:
        try:
            return Cron(options.cron, self._settings.contracts.zone)
        except ValueError as error:
            raise SettingsError(
                f"reconcile.{name}.cron: {error}.", advice='Write it like "30 2 * * *".'
            ) from None

    def _fired(self, firing: Firing) -> None:
        name = firing.name.removeprefix(SCHEDULE)
        ended = self.run(name)
        folder = self._settings.reconcile[name].report
        if folder is not None:
            self.write(ended.run, folder)
        if ended.outcome == "different":
            log.warning(
                "reconciliation %s: %d differences; soapbridge reconcile show %d",
                name,
                ended.figures.found,
                ended.run,
            )

    def write(self, run: int, folder: Path) -> list[Path]:
        """The report of a run as HTML and CSV, in this folder; the files."""
        row = self.run_of(run)
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{row.rule}-{row.started_at:%Y%m%d-%H%M%S}"
        made = [folder / f"{stem}.html", folder / f"{stem}.csv"]
        made[0].write_text(report.html(row, self.all_differences(run)), "utf-8")
        with made[1].open("w", encoding="utf-8-sig", newline="") as file:
            report.write_csv(file, row, self.all_differences(run))
        return made

    def _settle(self, rule: Rule) -> int:
        """End deliveries in doubt for the rule's target; how many."""
        writer, settled = rule.writer, 0
        doubtful = self._deliveries.list(
            partner=writer.name, states=("in_doubt",), needs_person=True, limit=10_000
        )
        for waiting in doubtful:
            entry = waiting.entry
            if entry.operation not in (rule.operation, rule.delete):
                continue
            try:
                source_id = entry.ordering_key.removeprefix(rule.ordering_key(""))
                ending = repair.ending(rule, entry.operation, source_id)
            except HandlerError:
                return settled  # a side cannot be asked for single records
            if ending is None:
                continue
            says = "has it as it was sent" if ending == "delivered" else "does not have it"
            done = self._deliveries.settle(
                Entries(ids=(entry.entry_id,)),
                ending,
                who=f"reconciliation {rule.name}",
                why=f"{rule.target.name} {says}",
            )
            settled += len(done.done)
        return settled

    # -- look

    def runs(self, name: str | None = None, *, limit: int = 20) -> list[RunRow]:
        """Runs, newest first."""
        with self._store.reading() as session:
            return rows.runs(session, rule=name, limit=limit)

    def run_of(self, run: int) -> RunRow:
        """Raises HandlerError where there is none."""
        with self._store.reading() as session:
            found = rows.run_of(session, run)
        if found is None:
            raise HandlerError(
                f"There is no run {run}.", advice="`soapbridge reconcile list` has their numbers."
            )
        return found

    def differences(
        self,
        run: int,
        *,
        states: Sequence[DifferenceState] = (),
        cause: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[DifferenceRow]:
        """What a run found. `after`: the next page, the id of the last one seen."""
        with self._store.reading() as session:
            return rows.differences(session, run, states=states, cause=cause, after=after, limit=limit)

    def all_differences(
        self, run: int, *, states: Sequence[DifferenceState] = (), cause: str | None = None
    ) -> Iterator[DifferenceRow]:
        """The same, page by page to the end."""
        after = 0
        while page := self.differences(run, states=states, cause=cause, after=after, limit=_PAGE):
            yield from page
            after = page[-1].id

    def difference(self, number: int) -> DifferenceRow:
        """Raises HandlerError where there is none."""
        with self._store.reading() as session:
            found = rows.difference_of(session, number)
        if found is None:
            raise HandlerError(
                f"There is no difference {number}.",
                advice="`soapbridge reconcile show RUN` has their numbers.",
            )
        return found

    def proposal(self, number: int) -> Proposal:
        """What would mend it, as it would be sent now. Raises NoProposal with what a person has to do."""
        difference = self.difference(number)
        return repair.proposal(self._rule_of(difference), difference)

    def _rule_of(self, difference: DifferenceRow) -> Rule:
        return self.rule(self.run_of(difference.reconciliation_id).rule)

    # -- act

    def repair(self, number: int, *, who: str, why: str) -> Mended:
        """Mend one difference: its message goes into the outbox, in the transaction that writes down who said so."""
        _require(who, why)
        difference = self.difference(number)
        return self._mend(self._rule_of(difference), difference, who, why)

    def repair_all(self, run: int, *, who: str, why: str, cause: str | None = None) -> list[Mended]:
        """Mend every open difference of a run, each by itself: what cannot be mended stays open and is told."""
        _require(who, why)
        rule = self.rule(self.run_of(run).rule)
        return [
            self._mend(rule, one, who, why)
            for one in self.all_differences(run, states=("open",), cause=cause)
        ]

    def _mend(self, rule: Rule, difference: DifferenceRow, who: str, why: str) -> Mended:
        def ended(says: str, entry: str | None = None) -> Mended:
            return Mended(
                difference=difference.id,
                record_key=difference.record_key,
                done=entry is not None,
                says=says,
                entry=entry,
            )

        if difference.state != "open":
            return ended(f"It was {difference.state} already.")
        try:
            made = repair.proposal(rule, difference)
            with self._transaction() as transaction:
                there = rows.difference_of(transaction.session, difference.id, lock=True)
                if there is None or there.state != "open":
                    return ended("Somebody else has decided about it meanwhile.")
                document = rule.writer.send(
                    made.operation,
                    made.values,
                    ordering_key=made.ordering_key,
                    reference=difference.record_key,
                )
                rows.decide(
                    transaction.session, difference.id, "repaired", who=who, why=why, repair=document.id
                )
        except BridgeError as error:
            return ended(str(error))
        self._notes.note(
            "difference_repaired",
            who=who,
            subject=str(difference.id),
            about={"rule": rule.name, "entry": document.id},
        )
        return ended(f"{made.operation} is on its way.", document.id)

    def dismiss(self, number: int, *, who: str, why: str) -> Mended:
        """Leave a difference as it is; who says so and why is kept."""
        _require(who, why)
        difference = self.difference(number)
        done = False
        with self._store.transaction() as transaction:
            there = rows.difference_of(transaction.session, number, lock=True)
            if there is not None and there.state == "open":
                rows.decide(transaction.session, number, "dismissed", who=who, why=why)
                done = True
        says = "It is left as it is." if done else "Somebody else has decided about it meanwhile."
        if done:
            self._notes.note("difference_dismissed", who=who, subject=str(difference.id))
        return Mended(difference=number, record_key=difference.record_key, done=done, says=says)


def _require(who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise HandlerError(
            "It is not said who does this, or why.", advice="Both are kept with what was done."
        )


__all__ = ["Mended", "NoProposal", "Proposal", "Reconciliations"]
