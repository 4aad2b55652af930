"""One ordering key drained: its entries are sent to the partner one after the other, in their order.

    take      lock the key's row; go away unless it is due and free; take its lease
    choose    the entry whose turn it is; what another process left behind is in doubt
    begin     write down the attempt, and commit: only then may a byte leave
    send      (the partner's business; no transaction is open)
    settle    lock the key's row; write down what became of it, and decide (`policy`); choose and begin the next: one transaction
    leave     give the lease back; the key is idle, active from a later moment on, or held

Whoever settles must still hold the lease it began with, by owner and number. If it does not, somebody took the key over and
found the entry in doubt: then what was learnt is written down all the same, and ends the doubt if nobody has sent it since.

A commit that may or may not have been done (`CommitInDoubt`) is looked for before it is done again: ids of exchanges are given
out before the transaction, so that each can be recognised.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Protocol

from bridge.delivery import points, policy
from bridge.delivery.by_hand import BY_HAND
from bridge.delivery.policy import Again, Answer, Ask, Course, Decision, End
from bridge.delivery.sender import Delivery, Document, Sender
from bridge.delivery.states import SETTLED, State
from bridge.errors import CommitInDoubt
from bridge.ids import new_exchange_id
from bridge.store import Session, Store, Transaction, flow_links, outbox
from bridge.store.clock import SECOND
from bridge.store.journal import is_recorded, record
from bridge.store.outbox import KeyRow, OpenEntry

log = logging.getLogger(__name__)

LOST: Final = "The process that sent it ended before an answer was written down."

_chance = random.SystemRandom().random


class Gate(Protocol):
    """Whether anything may leave for a partner now (`bridge.delivery.gate`)."""

    def admit(self, session: Session, now: int, *, new: bool) -> int | None:
        """None: now. Else when to look again. `new`: the key has no lease yet."""
        ...

    def note(self, session: Session, now: int, delivery: Delivery) -> None:
        """What became of an attempt."""
        ...

    def reached(self, session: Session, now: int, *, reached: bool) -> None:
        """Whether the partner was there when it was asked."""
        ...

    def hold(self, session: Session, now: int, because: str) -> None:
        """Let nothing leave until a person says so."""
        ...


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt that is written down: the next thing to do is to send."""

    entry: OpenEntry
    exchange_id: str
    lease_no: int


@dataclass(frozen=True, slots=True)
class Asking:
    """The partner is to be asked what became of an entry."""

    entry: OpenEntry
    lease_no: int


Step = Sending | Asking
"""What to do outside of any transaction, while the lease is held."""


class _Work(Protocol):
    def __call__(self, transaction: Transaction, *, again: bool) -> Step | None: ...


class _Turn(NamedTuple):
    """A transaction in which the locked key is ours. `fresh`: its lease has still to be taken. `exchange_id` is for the
    next attempt, should there be one. `held`: why a person has held the key since it was taken."""

    session: Session
    ordering_key: str
    now: int
    lease_no: int
    fresh: bool
    exchange_id: str
    held: str | None = None


class Drain:
    """Drains the keys of one partner; used by several threads, one key by one thread at a time.

    Args:
        owner: this process among all that share the store, never used again by another.
        lease: microseconds. An attempt takes less than half of it.
        stopping: tells that no further attempt is to be begun.
        crowded: tells that others wait for this thread; what was begun is settled, and the key left for its next turn.
    """

    def __init__(
        self,
        store: Store,
        sender: Sender,
        gate: Gate,
        *,
        owner: str,
        lease: int,
        stopping: Callable[[], bool],
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._sender = sender
        self._gate = gate
        self._owner = owner
        self._lease = lease
        self._stopping = stopping
        self._crowded = crowded

    def __call__(self, ordering_key: str) -> bool:
        """Send what is open of a key, until there is nothing to do, somebody else has it, or it is not to be gone on with now.
        Whether anything was begun.

        Raises as the store does; what was under way is then in doubt when the lease has run out.
        """
        step = self._take(ordering_key)
        begun = step is not None
        while step is not None:
            if isinstance(step, Sending):
                points.reached("taken")
                delivery = self._deliver(ordering_key, step)
                points.reached("sent")
                step = self._settle(ordering_key, step, delivery)
            else:
                answer = self._sender.ask(self._document(ordering_key, step.entry))
                step = self._settle_question(ordering_key, step, answer)
        points.reached("left")
        return begun

    # -- take

    def _take(self, ordering_key: str) -> Step | None:
        exchange_id = new_exchange_id()

        def work(transaction: Transaction, *, again: bool) -> Step | None:
            session = transaction.session
            row = outbox.lock(session, self._sender.name, ordering_key)
            if row is None:
                return None
            if (
                again
                and self._is_ours(row)
                and (begun := self._begun(session, ordering_key, exchange_id, row))
            ):
                return begun
            if row.state != "active" or row.due_at > row.now or self._is_leased(row):
                return None
            turn = _Turn(session, ordering_key, row.now, row.lease_no + 1, True, exchange_id)
            return self._choose(turn)

        return self._insist(work)

    def _is_ours(self, row: KeyRow) -> bool:
        return row.lease_owner == self._owner

    def _is_leased(self, row: KeyRow) -> bool:
        """By another process, and not lapsed."""
        # One of our own was left by a drain that failed: there is one drain for a key.
        return not self._is_ours(row) and row.is_leased(self._lease)

    def _begun(self, session: Session, ordering_key: str, exchange_id: str, row: KeyRow) -> Sending | None:
        """The attempt that an earlier commit began after all: nothing of it was sent yet."""
        entry = outbox.next_open(session, self._sender.name, ordering_key)
        if entry is None or entry.state != "sending":
            return None
        if outbox.last_attempt(session, entry.id) != (exchange_id, None):
            return None
        return Sending(entry, exchange_id, row.lease_no)

    # -- choose and begin

    def _choose(self, turn: _Turn) -> Step | None:
        """The next step of a key, written down; None when it was left."""
        if turn.held is not None:
            self._leave(turn, "held")
            return None
        while True:
            entry = outbox.next_open(turn.session, self._sender.name, turn.ordering_key)
            if entry is None:
                self._leave(turn, "idle")
                return None
            if entry.state == "held":
                self._leave(turn, "held", because=f"{entry.operation} {entry.entry_id} is held.")
                return None
            if entry.state == "sending":
                if self._take_over(turn, entry):
                    continue
                return None
            sends = entry.state == "waiting" or self._sender.rules.keeps_id
            if not sends and not self._may_ask(entry):
                person = policy.Person(self._sender.rules.after_doubt)
                if self._apply(turn, entry, person, entry.cause, entry.reason):
                    continue
                return None
            enough = self._stopping() or (not turn.fresh and self._crowded())
            later = turn.now if enough else self._gate.admit(turn.session, turn.now, new=turn.fresh)
            if later is not None:
                self._leave(turn, "active", due_at=later)
                return None
            return self._begin(turn, entry) if sends else self._begin_question(turn, entry)

    def _may_ask(self, entry: OpenEntry) -> bool:
        rules = self._sender.rules
        return rules.can_ask and entry.asked < rules.asks

    def _take_over(self, turn: _Turn, entry: OpenEntry) -> bool:
        """Another process died while it sent this, or sends it still: nobody knows. Whether the key goes on."""
        attempt = outbox.last_attempt(turn.session, entry.id)
        if attempt is not None:
            outbox.end_attempt(
                turn.session, entry.id, attempt[0], outcome="InDoubt", reason=LOST, now=turn.now
            )
        decision = policy.in_doubt(_course(entry, turn.now), self._sender.rules, chance=_chance())
        return self._apply(turn, entry, decision, "InDoubt lost", LOST)

    def _begin(self, turn: _Turn, entry: OpenEntry) -> Sending:
        self._keep_lease(turn)
        outbox.begin_attempt(
            turn.session,
            entry,
            exchange_id=turn.exchange_id,
            owner=self._owner,
            decision=_why(entry),
            now=turn.now,
        )
        begun = entry._replace(state="sending", attempts=entry.attempts + 1, tries=entry.tries + 1)
        return Sending(begun, turn.exchange_id, turn.lease_no)

    def _begin_question(self, turn: _Turn, entry: OpenEntry) -> Asking:
        self._keep_lease(turn)
        asked = entry._replace(asked=entry.asked + 1)
        self._set(turn, asked, "in_doubt", entry.cause, entry.reason)
        return Asking(asked, turn.lease_no)

    def _keep_lease(self, turn: _Turn) -> None:
        partner, ordering_key = self._sender.name, turn.ordering_key
        if turn.fresh:
            outbox.take_lease(turn.session, partner, ordering_key, owner=self._owner, length=self._lease)
        else:
            outbox.renew_lease(turn.session, partner, ordering_key, length=self._lease)

    def _leave(
        self, turn: _Turn, state: str, *, due_at: int = outbox.AT_ONCE, because: str | None = None
    ) -> None:
        if turn.held is not None:
            state, because = "held", turn.held
        outbox.leave_key(
            turn.session, self._sender.name, turn.ordering_key, state, due_at=due_at, because=because
        )

    # -- send

    def _deliver(self, ordering_key: str, step: Sending) -> Delivery:
        try:
            return self._sender.deliver(
                self._document(ordering_key, step.entry), exchange_id=step.exchange_id
            )
        except Exception as error:
            about = {"exchange": step.exchange_id}
            log.exception("exchange %s: delivery failed in our own code", step.exchange_id, extra=about)
            reason = f"A mistake of ours while it was sent: {type(error).__name__}."
            return Delivery(outcome="InDoubt", cause="InDoubt ours", reason=reason)

    def _document(self, ordering_key: str, entry: OpenEntry) -> Document:
        return Document(
            entry.entry_id,
            self._sender.name,
            ordering_key,
            entry.operation,
            entry.payload,
            entry.headers,
            entry.reference,
        )

    # -- settle

    def _settle(self, ordering_key: str, step: Sending, delivery: Delivery) -> Step | None:
        exchange_id = new_exchange_id()

        def work(transaction: Transaction, *, again: bool) -> Step | None:
            session = transaction.session
            row = outbox.lock(session, self._sender.name, ordering_key)
            if row is None:
                return None
            ours = self._is_ours(row) and row.lease_no == step.lease_no
            if again and self._is_written(session, step, delivery, ours=ours):
                return self._begun(session, ordering_key, exchange_id, row) if ours else None
            outbox.end_attempt(
                session,
                step.entry.id,
                step.exchange_id,
                outcome=delivery.outcome,
                reason=delivery.reason,
                now=row.now,
            )
            if delivery.record is not None:
                record(session, delivery.record)
            if delivery.made is not None:
                flow_links.note_made(session, step.entry.entry_id, delivery.made)
            self._gate.note(session, row.now, delivery)
            turn = _Turn(session, ordering_key, row.now, row.lease_no, False, exchange_id, row.held_because)
            if not ours:
                self._settle_late(turn, step, delivery, row)
                return None
            decision = self._decide(turn, step.entry, delivery)
            goes_on = self._apply(turn, step.entry, decision, delivery.cause, delivery.reason)
            next_step = self._choose(turn) if goes_on else None
            points.reached("settling")
            return next_step

        next_step = self._insist(work)
        points.reached("settled")
        return next_step

    def _is_written(self, session: Session, step: Sending, delivery: Delivery, *, ours: bool) -> bool:
        """Whether an earlier commit has settled this attempt after all. Once the lease is lost, who took the key over may
        have ended the attempt as well, without its answer: then the journal tells."""
        if ours:
            return outbox.last_attempt(session, step.entry.id) != (step.exchange_id, None)
        return delivery.record is not None and is_recorded(session, step.exchange_id)

    def _decide(self, turn: _Turn, entry: OpenEntry, delivery: Delivery) -> Decision:
        return policy.after_attempt(
            delivery.outcome,
            _course(entry, turn.now),
            self._sender.rules,
            chance=_chance(),
            retry_after=delivery.retry_after,
        )

    def _settle_late(self, turn: _Turn, step: Sending, delivery: Delivery, row: KeyRow) -> None:
        """The lease was lost. What is known now ends the doubt, where it is still there and nothing was sent since."""
        session, entry = turn.session, step.entry
        last = outbox.last_attempt(session, entry.id)
        if outbox.state_of(session, entry.id) != "in_doubt" or last is None or last[0] != step.exchange_id:
            return
        decision = self._decide(turn, entry, delivery)
        if isinstance(decision, End):
            self._set(turn, entry, decision.state, delivery.cause, delivery.reason)
            goes_on, due_at = decision.then == "continue", turn.now
        elif isinstance(decision, Again) and not decision.in_doubt:  # nothing was done, for certain
            self._set(turn, entry, "waiting", delivery.cause, delivery.reason)
            goes_on, due_at = True, turn.now + int(decision.after * SECOND)
        else:
            return  # nothing that its new owner does not decide itself
        because = row.held_because or ""
        held_for_it = row.state == "held" and entry.entry_id in because and not because.startswith(BY_HAND)
        if held_for_it and goes_on:
            self._leave(turn._replace(held=None), "active", due_at=due_at)
            outbox.notify(session, self._sender.name)

    def _settle_question(self, ordering_key: str, step: Asking, answer: Answer) -> Step | None:
        exchange_id = new_exchange_id()

        def work(transaction: Transaction, *, again: bool) -> Step | None:
            session = transaction.session
            row = outbox.lock(session, self._sender.name, ordering_key)
            if row is None or not self._is_ours(row) or row.lease_no != step.lease_no:
                return None
            if again and (begun := self._begun(session, ordering_key, exchange_id, row)):
                return begun
            turn = _Turn(session, ordering_key, row.now, row.lease_no, False, exchange_id, row.held_because)
            if answer != "unknown":
                self._gate.reached(session, row.now, reached=True)
            if outbox.state_of(session, step.entry.id) != "in_doubt":
                return self._choose(turn)  # settled meanwhile: by a late answer, or by hand
            decision = policy.after_asking(
                answer, _course(step.entry, turn.now), self._sender.rules, chance=_chance()
            )
            cause, reason = _asked(answer, step.entry)
            if self._apply(turn, step.entry, decision, cause, reason):
                return self._choose(turn)
            return None

        return self._insist(work)

    # -- what a decision means

    def _apply(
        self, turn: _Turn, entry: OpenEntry, decision: Decision, cause: str | None, reason: str | None
    ) -> bool:
        """Write a decision down. Whether the key goes on with its next entry; if not, it was left."""
        if isinstance(decision, End):
            self._set(turn, entry, decision.state, cause, reason)
            if decision.then == "continue":
                return True
            self._leave(turn, "held", because=_because(entry, decision.state, reason))
            return False
        if isinstance(decision, Again | Ask):
            in_doubt = isinstance(decision, Ask) or decision.in_doubt
            self._set(turn, entry, "in_doubt" if in_doubt else "waiting", cause, reason)
            if isinstance(decision, Again) and decision.hold_partner:
                self._gate.hold(turn.session, turn.now, reason or "The partner does not let us in.")
            self._leave(turn, "active", due_at=turn.now + int(decision.after * SECOND))
            return False
        aside = decision.then == "continue"
        self._set(turn, entry, "in_doubt", cause, reason, aside=aside)
        if not aside:
            self._leave(turn, "held", because=_because(entry, "in doubt", reason))
        return aside

    def _set(
        self,
        turn: _Turn,
        entry: OpenEntry,
        state: State,
        cause: str | None,
        reason: str | None,
        *,
        aside: bool = False,
    ) -> None:
        outbox.set_state(
            turn.session,
            entry.id,
            state,
            now=turn.now,
            settled=state in SETTLED,
            asked=entry.asked,
            cause=cause,
            reason=reason,
            aside=aside,
        )

    def _insist(self, work: _Work) -> Step | None:
        """Run `work` in a transaction until it is known to be committed; it is told whether that may have happened already.

        While the store cannot be used it is tried again, for two leases: by then others have the key. Raises as the store
        does after that.
        """
        until = time.monotonic() + 2 * self._lease / SECOND
        pause, again = 0.05, False
        while True:
            try:
                return self._store.run(partial(work, again=again))
            except Exception as error:
                again = again or isinstance(error, CommitInDoubt)
                patient = time.monotonic() + pause < until and not (self._stopping() and pause > 1)
                if not patient or not self._store.has_failed(error):
                    raise
                log.warning("the store failed, and is tried again in %.1f s: %s", pause, type(error).__name__)
                time.sleep(pause)
                pause = min(2 * pause, 2.0)


def _course(entry: OpenEntry, now: int) -> Course:
    """Its age is never below zero, whatever the clock does."""
    return Course(tries=entry.tries, asked=entry.asked, age=max(0, now - entry.since) / SECOND)


def _why(entry: OpenEntry) -> str:
    """Why this attempt may be made; kept with it."""
    if entry.attempts == 0:
        return "first"
    if entry.state == "in_doubt":
        return "in doubt, and the partner keeps our id"
    if entry.tries == 0:
        return "by hand"
    return f"after {entry.cause}"


def _because(entry: OpenEntry, became: str, reason: str | None) -> str:
    return f"{entry.operation} {entry.entry_id} {'is' if became == 'in doubt' else 'was'} {became}. {reason or ''}".strip()


def _asked(answer: Answer, entry: OpenEntry) -> tuple[str | None, str | None]:
    """Cause and reason after the partner was asked."""
    if answer == "done":
        return None, "The partner was asked, and has it."
    if answer == "not_there":
        return "NotThere", "The partner was asked, and does not have it."
    return entry.cause, entry.reason
