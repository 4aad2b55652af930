"""What people do by hand: look at deliveries, hold them back, let them go, send them again, give them up, settle them.

    bridge.deliveries.list(partner="backoffice", needs_person=True)
    bridge.deliveries.resend(Entries(cause="Refused NotFound"), who="mei", why="article created", dry_run=True)
    bridge.deliveries.release(OneKey("backoffice", "C-17"), who="mei", why="the first order is cancelled over there")

`by_hand` tells what may be done to an entry, `hands` does it; here it is done to many: in short transactions, each with
who and why. A dry run does the same and rolls it back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from bridge.delivery import gate
from bridge.delivery.by_hand import As
from bridge.delivery.deeds import (
    Deed,
    Deeds,
    OneKey,
    Report,
    Selection,
    WholePartner,
    Wish,
    entries_for,
    of_entry,
    wish,
)
from bridge.delivery.gate import GateState
from bridge.delivery.hands import BATCH, Hands, hurry
from bridge.delivery.policy import Answer
from bridge.delivery.sender import Document, Sender
from bridge.delivery.standing import Situation, Waiting, situation, why_it_waits
from bridge.delivery.timetable import Timetable
from bridge.errors import SettingsError
from bridge.settings import Partner, Settings
from bridge.store import Session, Store, Transaction, by_hand, deliveries, outbox
from bridge.store.by_hand import Act
from bridge.store.clock import SECOND
from bridge.store.deliveries import Entries, OutboxEntry

_TOLD: Final[dict[Answer, As]] = {"done": "delivered", "not_there": "not-sent"}


class _Undone(Exception):
    """Ends a dry run's transaction."""


class Deliveries:
    """The deliveries of a bridge, for people and their programs. Made by `Bridge.deliveries`.

    Args:
        sender: a partner by its name, for asking it; raises where there is none.
    """

    def __init__(
        self, store: Store, settings: Settings, sender: Callable[[str], Sender] | None = None
    ) -> None:
        lease = int(settings.delivery.lease * SECOND)
        self._store = store
        self._settings = settings
        self._partners: Mapping[str, Partner] = settings.partners
        self._patience = timedelta(seconds=max(2 * settings.delivery.sweep, 10.0))
        self._sender = sender
        self._hands = Hands(settings.partners, lease=lease)

    # -- look

    def list(
        self,
        *,
        partner: str | None = None,
        ordering_key: str | None = None,
        operation: str | None = None,
        states: Sequence[deliveries.State] = (),
        cause: str | None = None,
        reference: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        open: bool | None = None,  # noqa: A002 - what people call it
        needs_person: bool = False,
        before: int | None = None,
        limit: int = 50,
        oldest_first: bool = False,
    ) -> tuple[Waiting, ...]:
        """Entries that meet every condition given, newest first, each with why it waits where it does.

        Args:
            states: any of these. open: True only what is not settled, False only what is.
            since: put into the outbox at or after (with a zone). until: before.
            needs_person: what stays as it is until somebody acts.
            before: the next page: the `id` of the last entry seen.
        """
        wanted = Entries(
            partner=partner,
            ordering_key=ordering_key,
            operation=operation,
            states=tuple(states),
            cause=cause,
            reference=reference,
            since=since,
            until=until,
            open=open,
            needs_person=needs_person,
        )
        with self._store.reading() as session:
            found = deliveries.newest(session, wanted, before=before, limit=limit, oldest_first=oldest_first)
            keys = deliveries.keys_of(session, found)
            shut = _gates(session)
            now = deliveries.now(session)
            runs = deliveries.live_leases(session) > 0
        return tuple(
            Waiting(
                entry,
                why_it_waits(
                    entry,
                    keys.get((entry.partner, entry.ordering_key)),
                    shut.get(entry.partner),
                    closed_until=self._closed_until(entry.partner, now),
                    now=now,
                    patience=None if runs else self._patience,
                ),
            )
            for entry in found
        )

    def held_partners(self) -> tuple[GateState, ...]:
        """Partners for which nothing leaves before a person lets them go."""
        with self._store.reading() as session:
            return tuple(state for state in gate.states(session) if state.held_because is not None)

    def show(self, entry_id: str) -> Situation | None:
        """Everything about one entry but its payload; None where there is none of that id."""
        with self._store.reading() as session:
            entry = deliveries.show(session, entry_id)
            if entry is None:
                return None
            now = deliveries.now(session)
            runs = deliveries.live_leases(session) > 0
            return situation(
                entry,
                key=deliveries.key(session, entry.partner, entry.ordering_key),
                gate=_gates(session).get(entry.partner),
                attempts=deliveries.attempts(session, entry),
                acts=by_hand.acts(session, entry_id=entry_id, limit=100),
                neighbours=deliveries.neighbours(session, entry),
                partner=self._partners.get(entry.partner),
                closed_until=self._closed_until(entry.partner, now),
                now=now,
                patience=None if runs else self._patience,
            )

    def payload(self, entry_id: str) -> tuple[str | None, str] | None:
        """(SOAP headers, payload) as every attempt sends them, XML text; None where there is no such entry."""
        with self._store.reading() as session:
            return deliveries.payload(session, entry_id)

    def acts(
        self,
        *,
        entry_id: str | None = None,
        partner: str | None = None,
        ordering_key: str | None = None,
        who: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[Act, ...]:
        """What was done by hand, newest first. `before`: the next page, the `id` of the last act seen."""
        with self._store.reading() as session:
            return by_hand.acts(
                session,
                entry_id=entry_id,
                partner=partner,
                ordering_key=ordering_key,
                who=who,
                since=since,
                until=until,
                before=before,
                limit=limit,
            )

    # -- act

    def hold(self, selection: Selection, *, who: str, why: str, dry_run: bool = False) -> Report:
        """Do not send: an entry that waits, a key (what is put in meanwhile waits too), or a whole partner."""
        wanted = wish("hold", who, why, dry_run)
        if isinstance(selection, OneKey):
            return self._whole(wanted, selection, self._hands.hold_key)
        if isinstance(selection, WholePartner):
            self._known(selection.partner)
            return self._whole(wanted, selection, self._hands.hold_partner)
        return self._each(wanted, selection)

    def release(self, selection: Selection, *, who: str, why: str, dry_run: bool = False) -> Report:
        """Let go again: an entry that is held, or that waits for its next try; a key, with the entries that are held in it
        (one in doubt stands aside, where the partner would not know it again); or a partner, also from an open circuit."""
        wanted = wish("release", who, why, dry_run)
        if isinstance(selection, OneKey):
            return self._whole(wanted, selection, self._hands.release_key)
        if isinstance(selection, WholePartner):
            self._known(selection.partner)
            report = self._whole(wanted, selection, self._hands.release_partner)
            if report.done and not dry_run:
                self._hurry(selection.partner)
            return report
        return self._each(wanted, selection)

    def resend(
        self,
        selection: Selection,
        *,
        who: str,
        why: str,
        may_be_done_twice: bool = False,
        dry_run: bool = False,
    ) -> Report:
        """Send the same bytes again, under the same id: what was refused, has expired, is in doubt, or was delivered.

        Args:
            may_be_done_twice: do it also where the partner may have processed it and would not know it again.
        """
        wanted = wish("resend", who, why, dry_run)._replace(may_be_done_twice=may_be_done_twice)
        return self._each(wanted, selection)

    def expire(self, selection: Selection, *, who: str, why: str, dry_run: bool = False) -> Report:
        """Give up what has not been delivered; the rest of its key goes on."""
        return self._each(wish("expire", who, why, dry_run), selection)

    def settle(
        self, selection: Selection, became: As, *, who: str, why: str, dry_run: bool = False
    ) -> Report:
        """Say what became of deliveries in doubt. `not-sent`: the partner does not have it, so it is sent again."""
        return self._each(wish("settle", who, why, dry_run)._replace(settle_as=became), selection)

    def ask(self, selection: Selection, *, who: str, why: str, dry_run: bool = False) -> Report:
        """Have the partner say what became of deliveries in doubt, where a function is registered that asks it
        (`@partner.asks`). In a dry run nobody is asked."""
        wanted = wish("settle", who, why, dry_run)
        deeds: Deeds = []
        for entry in self._chosen(wanted, selection, deeds):
            deeds.append(self._ask(wanted, entry))
        return Report("ask", dry_run, tuple(deeds))

    # -- how it is done

    def _each(self, wanted: Wish, selection: Selection) -> Report:
        deeds: Deeds = []
        for batch in _batches(self._chosen(wanted, selection, deeds)):
            deeds += self._run(wanted, partial(self._hands.upon, wanted, batch))
        self._wake(wanted, deeds)
        return Report(wanted.verb, wanted.dry_run, tuple(deeds))

    def _whole(
        self,
        wanted: Wish,
        selection: OneKey | WholePartner,
        work: Callable[[Wish, Any, Session], Deeds],
    ) -> Report:
        deeds = self._run(wanted, partial(work, wanted, selection))
        self._wake(wanted, deeds)
        return Report(wanted.verb, wanted.dry_run, tuple(deeds))

    def _chosen(self, wanted: Wish, selection: Selection, deeds: Deeds) -> Iterator[OutboxEntry]:
        """The entries selected, oldest first; ids that are not there are told in `deeds`. What is put in meanwhile is not
        meant."""
        chosen = entries_for(wanted.verb, selection)
        if chosen.ids:
            for entry_id in chosen.ids:
                with self._store.reading() as session:
                    found = deliveries.show(session, entry_id)
                if found is not None:
                    yield found
                else:
                    says = "There is no such delivery."
                    deeds.append(Deed(done=False, partner=None, entry_id=entry_id, says=says))
            return
        with self._store.reading() as session:
            newest = deliveries.newest(session, chosen, limit=1)
        last, until = 0, newest[0].id if newest else 0
        while last < until:
            with self._store.reading() as session:
                page = deliveries.newest(session, chosen, before=last, limit=10 * BATCH, oldest_first=True)
            yield from (entry for entry in page if entry.id <= until)
            last = page[-1].id if page else until

    def _run(self, wanted: Wish, work: Callable[[Session], Deeds]) -> Deeds:
        """The deeds of one transaction, which is rolled back where the run is dry."""
        deeds: Deeds = []

        def once(transaction: Transaction) -> None:
            deeds[:] = work(transaction.session)
            if wanted.dry_run:
                raise _Undone

        with contextlib.suppress(_Undone), self._store.failing_plainly("what was asked for"):
            self._store.run(once)
        return deeds

    def _ask(self, wanted: Wish, entry: OutboxEntry) -> Deed:
        unable = ""
        if entry.state != "in_doubt":
            unable = f"It is {entry.state}, and not in doubt."
        sender = self._sender(entry.partner) if self._sender is not None and not unable else None
        if not unable and (sender is None or not sender.rules.can_ask):
            unable = f"{entry.partner} cannot be asked: no function is registered with @partner.asks."
        if unable or sender is None:
            return of_entry(entry, done=False, before=entry.state, says=unable)
        if wanted.dry_run:
            return of_entry(entry, done=True, before=entry.state, says="The partner is asked.")
        answer = sender.ask(self._document(entry))
        if answer == "unknown":
            return of_entry(entry, done=False, before=entry.state, says="The partner does not know.")
        why = f"{wanted.why} (asked: {answer.replace('_', ' ')})"
        told = wanted._replace(settle_as=_TOLD[answer], why=why)
        deeds = self._run(told, partial(self._told, told, entry))
        self._wake(told, deeds)
        return deeds[0]

    def _told(self, wanted: Wish, entry: OutboxEntry, session: Session) -> Deeds:
        """What the partner said, unless it was sent again while the partner was asked."""
        outbox.lock(session, entry.partner, entry.ordering_key)
        there = by_hand.by_ids(session, [entry.id]).get(entry.id)
        if there is None or there.attempts != entry.attempts:
            return [of_entry(entry, done=False, says="It was sent again while the partner was asked.")]
        return [self._hands.upon_one(wanted, there, session)]

    def _document(self, entry: OutboxEntry) -> Document:
        headers, payload = self.payload(entry.entry_id) or (None, "")
        return Document(
            entry.entry_id,
            entry.partner,
            entry.ordering_key,
            entry.operation,
            payload,
            headers,
            entry.reference,
        )

    def _hurry(self, partner: str) -> None:
        """Have the keys of a partner looked at now that were put off because nothing left for it."""
        after: str | None = ""
        while after is not None:
            after = self._store.run(partial(hurry, partner=partner, after=after))
        self._wake_runners({partner})

    def _wake(self, wanted: Wish, deeds: Iterable[Deed]) -> None:
        if not wanted.dry_run:
            self._wake_runners({deed.partner for deed in deeds if deed.done and deed.partner is not None})

    def _wake_runners(self, partners: set[str]) -> None:
        """Those of this process; PostgreSQL tells those of others with the commit, SQLite's see that the file changed."""
        for wake in self._store.wakers:
            for partner in partners:
                wake(partner)

    def _closed_until(self, partner: str, now: datetime) -> datetime | None:
        """When a partner takes deliveries again; None: it does now."""
        options = self._partners.get(partner)
        if options is None or not options.open:
            return None
        timetable = Timetable.of(options.open, self._settings.partner_zone(partner))
        opens = now if timetable is None else timetable.next_open(now)
        return None if opens == now else opens

    def _known(self, partner: str) -> None:
        """Raises SettingsError for a partner that neither the settings nor the outbox know: a slip, most likely."""
        if partner in self._partners:
            return
        with self._store.reading() as session:
            there = deliveries.partners(session)
        if partner not in there:
            names = ", ".join(sorted({*self._partners, *there})) or "none"
            raise SettingsError(f"There is no partner {partner}.", advice=f"There are: {names}.")


def _gates(session: Session) -> dict[str, GateState]:
    return {state.partner: state for state in gate.states(session)}


def _batches(entries: Iterator[OutboxEntry]) -> Iterator[list[OutboxEntry]]:
    batch: list[OutboxEntry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
