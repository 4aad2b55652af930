"""Acts by hand upon entries, keys and partners, each inside one transaction of the caller's.

Whatever is changed, its key is locked first, by primary key alone; keys in the order of (partner, ordering_key), then the
partner's gate. What was done is written down in the same transaction, with who and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Final

from bridge.delivery.by_hand import (
    BY_HAND,
    Change,
    FirstInKey,
    KeyStanding,
    Obstacle,
    Standing,
    judge,
    key_after,
)
from bridge.delivery.deeds import Deed, OneKey, WholePartner, Wish, clock, of_entry, of_key
from bridge.delivery.states import SETTLED
from bridge.settings import Partner
from bridge.store import Session, Transaction, by_hand, deliveries, gates, outbox
from bridge.store.by_hand import NewAct
from bridge.store.clock import moment, stored
from bridge.store.deliveries import OutboxEntry
from bridge.store.outbox import KeyRow

BATCH: Final = 100
"""Entries or keys changed in one transaction: others wait for it."""


class Hands:
    """Args:
    partners: their settings, by name.
    lease: microseconds.
    """

    def __init__(self, partners: Mapping[str, Partner], *, lease: int) -> None:
        self._partners = partners
        self._lease = lease

    # -- entries

    def upon(self, wish: Wish, entries: list[OutboxEntry], session: Session) -> list[Deed]:
        """One act upon several entries, as they are once their keys are locked."""
        in_order = sorted(entries, key=lambda entry: (entry.partner, entry.ordering_key, entry.seq))
        for pair, _ in groupby(in_order, lambda entry: (entry.partner, entry.ordering_key)):
            outbox.lock(session, *pair)
        there = by_hand.by_ids(session, [entry.id for entry in entries])
        return [
            self.upon_one(wish, there[entry.id], session)
            if entry.id in there
            else of_entry(entry, done=False, says="It was removed meanwhile.")
            for entry in in_order
        ]

    def upon_one(self, wish: Wish, entry: OutboxEntry, session: Session) -> Deed:
        """One act upon one entry, read after its key was locked."""
        partner, name = entry.partner, entry.ordering_key
        row = outbox.lock(session, partner, name)  # an act upon a neighbour may have changed it
        assert row is not None
        lost = entry.state == "sending"
        if lost and (unable := self._why_not_now(wish, row)):
            return of_entry(entry, done=False, before=entry.state, says=unable)
        first = _first(session, entry)
        standing = Standing(
            state="in_doubt" if lost else entry.state,
            aside=entry.aside,
            first=first is not None and first.entry_id == entry.entry_id,
            key_state=row.state,
            due=row.due_at <= row.now or row.is_leased(self._lease),
            may_be_done=wish.verb == "resend" and by_hand.may_have_been_done(session, entry.id),
            keeps_id=self._keeps_id(partner),
        )
        judged = judge(
            wish.verb, standing, settle_as=wish.settle_as, may_be_done_twice=wish.may_be_done_twice
        )
        if isinstance(judged, Obstacle):
            return _not_done(entry, judged, session)
        if lost:
            by_hand.fence(session, partner, name)
        _change(wish, entry, judged, row, session)
        if not row.is_leased(self._lease):
            _move_key(entry, row, first, session, at_once=wish.verb == "release")
        _record(wish, entry, row, judged.after, session)
        outbox.notify(session, partner)
        return of_entry(entry, done=True, before=entry.state, after=judged.after, says=judged.warning)

    def _why_not_now(self, wish: Wish, row: KeyRow) -> str:
        """Why an entry that is being sent, as far as is known, cannot be acted upon; "" where it can, as one in doubt."""
        if row.is_leased(self._lease):
            assert row.lease_until is not None
            return (
                f"It is being sent by {row.lease_owner}. Try again when that has ended; it counts as in doubt after "
                f"{clock(moment(row.lease_until))} if the process has died."
            )
        if wish.verb in ("hold", "release"):
            return "The process that sent it has died: the next runner finds it in doubt. Settle it, or resend it."
        return ""

    # -- keys

    def hold_key(self, wish: Wish, key: OneKey, session: Session) -> list[Deed]:
        """Nothing of the key leaves, also what is put in later."""
        row = outbox.lock(session, *key)
        if row is None:
            return [_no_key(key)]
        because = row.held_because or ""
        if because.startswith(BY_HAND):
            return [of_key(key, done=False, before=row.state, says=because, too_late=True)]
        because = f"{BY_HAND} by {wish.who}: {wish.why}"
        by_hand.set_key(session, *key, "held", due_at=row.due_at, because=because)
        _record_key(wish, key, row, "held", session)
        says = "What is being sent just now is finished." if row.is_leased(self._lease) else ""
        return [of_key(key, done=True, before=row.state, after="held", says=says)]

    def release_key(self, wish: Wish, key: OneKey, session: Session) -> list[Deed]:
        """The key goes on, with what is held in it."""
        row = outbox.lock(session, *key)
        if row is None:
            return [_no_key(key)]
        if row.state != "held":
            return [of_key(key, done=False, before=row.state, says="It is not held.", too_late=True)]
        freed = [
            deed
            for entry in by_hand.held_in(session, *key)
            if (deed := self._free(wish, entry, row, session)) is not None
        ]
        is_empty = deliveries.first(session, *key) is None and not row.is_leased(self._lease)
        after = "idle" if is_empty else "active"
        by_hand.set_key(session, *key, after, due_at=row.now)
        _record_key(wish, key, row, after, session)
        outbox.notify(session, key.partner)
        return [of_key(key, done=True, before=row.state, after=after), *freed]

    def _free(self, wish: Wish, entry: OutboxEntry, row: KeyRow, session: Session) -> Deed | None:
        """What its key's release makes of an entry that is held or in doubt; None: nothing."""
        if entry.state == "held":
            by_hand.send_again(session, entry.id, now=row.now, cause=entry.cause, reason=entry.reason)
            _record(wish, entry, row, "waiting", session)
            return of_entry(entry, done=True, before="held", after="waiting")
        if self._keeps_id(entry.partner):
            return None  # it is sent again: the partner would know it
        by_hand.set_aside(session, entry.id, now=row.now)
        _record(wish, entry, row, "in_doubt", session)
        says = "It stays in doubt, and the rest of its key goes ahead of it."
        return of_entry(entry, done=True, before="in_doubt", after="in_doubt", says=says)

    # -- partners

    def hold_partner(self, wish: Wish, chosen: WholePartner, session: Session) -> list[Deed]:
        """Nothing leaves for the partner."""
        now = stored(deliveries.now(session))
        because = f"{BY_HAND} by {wish.who}: {wish.why}"
        if gates.hold(session, chosen.partner, because, now=now):
            return [_partner_deed(wish, chosen, "not held", "held", now, session)]
        says = gates.read(session, chosen.partner).held_because or ""
        return [Deed(done=False, partner=chosen.partner, before="held", says=says, too_late=True)]

    def release_partner(self, wish: Wish, chosen: WholePartner, session: Session) -> list[Deed]:
        """The partner is no longer held; an open circuit lets one try."""
        now = stored(deliveries.now(session))
        before = "held" if gates.lock(session, chosen.partner).held_because is not None else "circuit open"
        if gates.release(session, chosen.partner, now=now):
            outbox.notify(session, chosen.partner)
            after = "not held" if before == "held" else "one tries"
            return [_partner_deed(wish, chosen, before, after, now, session)]
        says = "Nothing holds it back."
        return [Deed(done=False, partner=chosen.partner, before="not held", says=says, too_late=True)]

    def _keeps_id(self, partner: str) -> bool:
        options = self._partners.get(partner)
        return options is not None and options.keeps_id


def _change(wish: Wish, entry: OutboxEntry, change: Change, row: KeyRow, session: Session) -> None:
    if change.afresh:
        # What was tried before is in its attempts; while it has still to be tried again, the list shows why.
        kept = entry.state in ("waiting", "held")
        cause, reason = (entry.cause, entry.reason) if kept else (None, None)
        by_hand.send_again(session, entry.id, now=row.now, cause=cause, reason=reason)
        return
    if change.after == entry.state:
        return
    settled = change.after in SETTLED
    cause, reason = entry.cause, entry.reason
    if settled:
        cause = None if change.after == "delivered" else cause or "By hand"
        reason = f"{wish.who}: {wish.why}"
    outbox.set_state(
        session,
        entry.id,
        change.after,
        now=row.now,
        settled=settled,
        asked=entry.asked,
        cause=cause,
        reason=reason,
    )


def _move_key(
    entry: OutboxEntry, row: KeyRow, before: FirstInKey | None, session: Session, *, at_once: bool
) -> None:
    pair = (entry.partner, entry.ordering_key)
    key = KeyStanding(row.state, row.held_because)
    change = key_after(key, entry.entry_id, before=before, first=_first(session, entry), at_once=at_once)
    if change is not None:
        by_hand.set_key(session, *pair, change.state, due_at=row.now, because=change.because)


def _first(session: Session, entry: OutboxEntry) -> FirstInKey | None:
    first = deliveries.first(session, entry.partner, entry.ordering_key)
    return None if first is None else FirstInKey(first.entry_id, first.state)


def _not_done(entry: OutboxEntry, obstacle: Obstacle, session: Session) -> Deed:
    says = f"{obstacle.because} {obstacle.advice}".strip()
    if obstacle.done and (last := by_hand.last_act(session, entry.entry_id)) is not None:
        who, verb, at = last
        says = f"{says} The last to act upon it was {who} ({verb}, {clock(at)})."
    return of_entry(
        entry, done=False, before=entry.state, says=says, too_late=obstacle.done, risky=obstacle.risky
    )


def _record(wish: Wish, entry: OutboxEntry, row: KeyRow, after: str, session: Session) -> None:
    done = NewAct(
        row.now,
        wish.who,
        wish.why,
        wish.verb,
        entry.partner,
        entry.ordering_key,
        entry.entry_id,
        entry.exchange_id,
        entry.state,
        after,
    )
    by_hand.record(session, done)


def _record_key(wish: Wish, key: OneKey, row: KeyRow, after: str, session: Session) -> None:
    done = NewAct(row.now, wish.who, wish.why, wish.verb, *key, before=row.state, after=after)
    by_hand.record(session, done)


def _partner_deed(
    wish: Wish, chosen: WholePartner, before: str, after: str, now: int, session: Session
) -> Deed:
    done = NewAct(now, wish.who, wish.why, wish.verb, chosen.partner, before=before, after=after)
    by_hand.record(session, done)
    return Deed(done=True, partner=chosen.partner, before=before, after=after)


def _no_key(key: OneKey) -> Deed:
    return of_key(key, done=False, says=f"{key.partner} has no ordering key {key.ordering_key}.")


def hurry(transaction: Transaction, *, partner: str, after: str) -> str | None:
    """A batch of keys made due; the last of them, None where there are no more."""
    session = transaction.session
    now = stored(deliveries.now(session))
    names = by_hand.waiting_keys(session, partner, after=after, now=now, most=BATCH)
    for name in sorted(names):  # as producers lock them, whatever order the database has them in
        row = outbox.lock(session, partner, name)
        if row is not None and row.state == "active":
            by_hand.set_key(session, partner, name, "active", due_at=min(row.due_at, now))
    if names:
        outbox.notify(session, partner)
    return names[-1] if len(names) == BATCH else None
