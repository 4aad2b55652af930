"""One key drained, on both databases: what becomes of each outcome, and of whoever dies in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.delivery import points
from bridge.delivery.accept import accept
from bridge.delivery.drain import LOST, Drain
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Delivery
from bridge.errors import CommitInDoubt, StoreError
from bridge.store import Store
from bridge.store.outbox import NewEntry
from bridge.store.session import Transaction
from bridge.store.tables import ordering_key

from .conftest import MakeDrain, OpenGate, Outbox, ScriptedPartner


class Killed(BaseException):
    """In the place of kill -9: nothing of ours catches it."""


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends the drain when it passes a point."""

    def die(name: str) -> None:
        def observer(point: str) -> None:
            if point == name:
                points.observers.clear()
                raise Killed

        points.observers.append(observer)

    yield die
    points.observers.clear()


def test_documents_of_a_key_are_sent_in_their_order_each_once(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    box.put("a", "b")
    box.put("c")
    drain("K")
    assert partner.sent == ["a", "b", "c"]
    assert box.states() == ["delivered"] * 3
    key = box.key()
    assert (key.state, key.lease_owner, key.lease_no) == ("idle", None, 1)
    assert box.attempts() == [(1, "first", "Delivered")] * 3


def test_a_key_that_is_idle_wakes_for_the_next_document(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    box.put("a")
    drain("K")
    box.put("b")
    assert box.key().state == "active"
    drain("K")
    assert partner.sent == ["a", "b"]
    assert box.key().lease_no == 2


def test_documents_that_come_while_a_key_is_drained_are_sent_in_the_same_go(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    box.put("a")
    partner.before = lambda document: box.put("b") if document.payload == "a" else None
    drain("K")
    assert partner.sent == ["a", "b"]


def test_what_was_rolled_back_is_never_sent(
    store: Store, box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    transaction = store.transaction()
    accept(store, transaction, NewEntry("E-1", "erp", "K", "Put", "a"))
    transaction.rollback()
    transaction.commit()
    drain("K")
    assert partner.sent == []
    assert box.entries() == []


def test_a_document_that_did_not_leave_is_tried_again_later_and_the_others_wait(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.script = ["NotSent"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["waiting", "waiting"]
    assert box.entries()[0].cause == "NotSent"
    assert box.key().state == "active"
    drain("K")
    assert partner.sent == ["a"], "it is not due yet"
    box.make_due()
    drain("K")
    assert partner.sent == ["a", "a", "b"]
    assert box.attempts() == [
        (1, "first", "NotSent"),
        (2, "after NotSent", "Delivered"),
        (1, "first", "Delivered"),
    ]


def test_a_partner_that_says_when_is_tried_then(box: Outbox, partner: ScriptedPartner, drain: Drain) -> None:
    partner.script = [Delivery(outcome="Unavailable", cause="Unavailable 503", retry_after=100)]
    before = box.put("a") and box.key().due_at
    drain("K")
    assert 99e6 <= box.key().due_at - before <= 140e6


def test_a_document_too_old_to_be_tried_again_is_given_up_and_the_key_held(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(max_age=0.0)
    partner.script = ["NotSent"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["expired", "waiting"]
    assert box.key().state == "held"
    assert "expired" in (box.key().held_because or "")


@pytest.mark.parametrize("outcome", ["Refused", "Unpresentable"])
def test_what_is_refused_holds_its_key_and_says_why(
    box: Outbox, partner: ScriptedPartner, drain: Drain, outcome: Any
) -> None:
    partner.script = [outcome]
    (entry_id, _) = box.put("a", "b")
    drain("K")
    assert box.states() == ["refused", "waiting"]
    assert box.key().state == "held"
    assert box.key().held_because == f"Put {entry_id} was refused. It was {outcome}."
    drain("K")
    assert partner.sent == ["a"], "a held key is left alone"


def test_what_is_refused_lets_its_key_go_on_where_the_partner_is_set_so(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(after_failure="continue")
    partner.script = ["Refused"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["refused", "delivered"]
    assert box.key().state == "idle"


def test_what_was_done_and_cannot_be_read_is_over_and_its_key_goes_on(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.script = ["DeliveredUnreadable"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["unreadable", "delivered"]


def test_a_partner_that_does_not_let_us_in_is_held_and_the_document_waits(
    box: Outbox, partner: ScriptedPartner, gate: OpenGate, drain: Drain
) -> None:
    partner.script = ["Unauthorised"]
    box.put("a")
    drain("K")
    assert gate.held == "It was Unauthorised."
    assert box.states() == ["waiting"]
    assert box.key().state == "active"


def test_a_document_in_doubt_waits_for_a_person_and_so_does_its_key(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.script = ["InDoubt"]
    box.put("a", "b")
    drain("K")
    box.make_due()
    drain("K")
    assert partner.sent == ["a"]
    assert box.states() == ["in_doubt", "waiting"]
    assert box.key().state == "held"


def test_a_document_in_doubt_stands_aside_where_the_partner_is_set_so(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(after_doubt="continue")
    partner.script = ["InDoubt"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["in_doubt", "delivered"]
    assert box.entries()[0].aside == 1
    assert box.key().state == "idle"


def test_a_document_in_doubt_is_sent_again_where_the_partner_keeps_our_id(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(keeps_id=True)
    partner.script = ["InDoubt"]
    box.put("a", "b")
    drain("K")
    assert box.states() == ["in_doubt", "waiting"]
    assert box.key().state == "active"
    box.make_due()
    drain("K")
    assert partner.sent == ["a", "a", "b"]
    assert box.attempts()[1] == (2, "in doubt, and the partner keeps our id", "Delivered")


@pytest.mark.parametrize(
    ("answer", "sent", "states"),
    [
        ("done", ["a", "b"], ["delivered", "delivered"]),
        ("not_there", ["a"], ["waiting", "waiting"]),
        ("unknown", ["a"], ["in_doubt", "waiting"]),
    ],
)
def test_a_partner_that_can_be_asked_is_asked_what_became_of_it(
    box: Outbox, partner: ScriptedPartner, drain: Drain, answer: Any, sent: list[str], states: list[str]
) -> None:
    partner.rules = Rules(can_ask=True)
    partner.script = ["InDoubt"]
    partner.answers = [answer]
    box.put("a", "b")
    drain("K")
    assert partner.asked == []
    box.make_due()
    drain("K")
    assert partner.asked == ["a"]
    assert partner.sent == sent
    assert box.states() == states


def test_what_the_partner_says_is_not_there_is_sent_again_and_says_so(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(can_ask=True)
    partner.script, partner.answers = ["InDoubt"], ["not_there"]
    box.put("a")
    for _ in range(3):
        drain("K")
        box.make_due()
    assert box.attempts()[1] == (2, "after NotThere", "Delivered")


def test_a_partner_is_asked_as_often_as_is_set_and_then_a_person(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = Rules(can_ask=True, asks=2)
    partner.script, partner.answers = ["InDoubt"], ["unknown", "unknown"]
    box.put("a")
    for _ in range(4):
        drain("K")
        box.make_due()
    assert partner.asked == ["a", "a"]
    assert box.key().state == "held"


def test_our_own_mistake_while_sending_leaves_the_document_in_doubt(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.script = [ValueError("x")]
    box.put("a")
    drain("K")
    assert box.states() == ["in_doubt"]
    assert box.entries()[0].cause == "InDoubt ours"


def test_nothing_is_sent_while_the_gate_is_closed(
    box: Outbox, partner: ScriptedPartner, gate: OpenGate, drain: Drain
) -> None:
    gate.closed_for = 60
    box.put("a")
    before = box.key().due_at
    drain("K")
    assert partner.sent == []
    assert box.key().state == "active"
    assert box.key().due_at >= before + 60e6


def test_no_attempt_is_begun_while_stopping_and_the_lease_is_given_back(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    box.put("a", "b")
    stop = make_drain(stopping=lambda: bool(partner.sent))
    stop("K")
    assert partner.sent == ["a"]
    assert box.states() == ["delivered", "waiting"]
    assert box.key().lease_owner is None
    make_drain("another")("K")
    assert partner.sent == ["a", "b"]


def test_a_key_that_another_process_drains_is_left_alone(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    box.put("a")
    partner.before = lambda document: make_drain("another")("K")
    make_drain("one")("K")
    assert partner.sent == ["a"]


def test_a_lease_of_a_clock_that_was_set_back_is_not_waited_for(
    store: Store, box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain, die_at: Any
) -> None:
    box.put("a")
    die_at("taken")
    with pytest.raises(Killed):
        make_drain("dead")("K")
    with store.transaction() as transaction:
        far = box.key().due_at + 3_600_000_000 + box.key().lease_until  # type: ignore[operator]
        transaction.session.execute(ordering_key.update().values(lease_until=far))
    make_drain("next")("K")
    assert box.key().lease_owner is None


@pytest.mark.parametrize("point", ["taken", "sent"])
def test_who_takes_over_from_a_dead_process_finds_its_document_in_doubt(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain, die_at: Any, point: str
) -> None:
    box.put("a", "b")
    die_at(point)
    with pytest.raises(Killed):
        make_drain("dead")("K")
    make_drain("next")("K")
    assert box.states() == ["sending", "waiting"], "its lease is still running"
    box.lapse()
    make_drain("next")("K")
    assert box.states() == ["in_doubt", "waiting"]
    assert box.entries()[0].reason == LOST
    assert box.attempts() == [(1, "first", "InDoubt")]
    assert box.key().state == "held"


def test_a_process_that_dies_before_its_settling_is_committed_leaves_the_document_in_doubt(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain, die_at: Any
) -> None:
    box.put("a")
    die_at("settling")
    with pytest.raises(Killed):
        make_drain("dead")("K")
    box.lapse()
    make_drain("next")("K")
    assert box.states() == ["in_doubt"]


def test_a_process_that_dies_after_settling_leaves_the_next_document_in_doubt_and_no_other(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain, die_at: Any
) -> None:
    box.put("a", "b")
    die_at("settled")
    with pytest.raises(Killed):
        make_drain("dead")("K")
    box.lapse()
    make_drain("next")("K")
    assert box.states() == ["delivered", "in_doubt"]
    assert partner.sent == ["a"]


def test_an_answer_that_comes_after_the_key_was_taken_over_ends_the_doubt(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    def meanwhile(document: object) -> None:
        box.lapse()
        make_drain("next")("K")
        assert box.states() == ["in_doubt", "waiting"]

    box.put("a", "b")
    partner.before = lambda document: None if len(partner.sent) > 1 else meanwhile(document)
    make_drain("slow")("K")
    assert box.states() == ["delivered", "waiting"]
    assert box.attempts() == [(1, "first", "Delivered")]
    assert box.key().state == "active", "it was held for this document alone"
    make_drain("next")("K")
    assert partner.sent == ["a", "b"]


def test_a_late_word_that_nothing_was_done_has_the_document_sent_again(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    def meanwhile(document: object) -> None:
        box.lapse()
        make_drain("next")("K")
        assert box.states() == ["in_doubt"]

    box.put("a")
    partner.script = ["NotSent"]
    partner.before = lambda document: None if len(partner.sent) > 1 else meanwhile(document)
    make_drain("slow")("K")
    assert box.states() == ["waiting"]
    assert box.key().state == "active"
    box.make_due()
    make_drain("next")("K")
    assert box.attempts() == [(1, "first", "NotSent"), (2, "after NotSent", "Delivered")]


def test_an_answer_is_kept_although_its_commit_failed_and_the_key_was_taken_over_meanwhile(
    monkeypatch: pytest.MonkeyPatch, box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    box.put("a")
    commits = FailingCommits(monkeypatch)
    commits.plan = ["", "not done"]
    monkeypatch.setattr("bridge.delivery.drain.time.sleep", lambda _: taken_over())

    def taken_over() -> None:
        if box.states() == ["sending"]:
            box.lapse()
            make_drain("next")("K")
            assert box.states() == ["in_doubt"]

    make_drain("slow")("K")
    assert box.states() == ["delivered"]
    assert box.attempts() == [(1, "first", "Delivered")]


def test_a_late_answer_changes_nothing_once_the_document_was_sent_again(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    partner.rules = Rules(keeps_id=True)
    partner.script = ["Delivered", "Refused"]

    def meanwhile(document: object) -> None:
        if len(partner.sent) == 1:
            box.lapse()
            make_drain("next")("K")
            box.make_due()
            make_drain("next")("K")

    box.put("a")
    partner.before = meanwhile
    make_drain("slow")("K")
    assert box.states() == ["delivered"]
    assert [outcome for _, _, outcome in box.attempts()] == ["Refused", "Delivered"]


class FailingCommits:
    """Makes commits end as they may when a database breaks: done or not, nobody was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plan: list[str] = []
        commit = Transaction.commit

        def failing(transaction: Transaction) -> None:
            how = self.plan.pop(0) if self.plan and transaction.is_open else ""
            if how == "not done":
                transaction.rollback()
                raise CommitInDoubt("The connection broke.")
            commit(transaction)
            if how == "done":
                raise CommitInDoubt("The connection broke.")

        monkeypatch.setattr(Transaction, "commit", failing)


@pytest.mark.parametrize(
    "plan", [["done"], ["not done"], ["", "done"], ["", "not done"], ["done", "not done"]]
)
def test_a_commit_that_nobody_knows_of_neither_loses_nor_repeats_a_document(
    monkeypatch: pytest.MonkeyPatch, box: Outbox, partner: ScriptedPartner, drain: Drain, plan: list[str]
) -> None:
    box.put("a", "b")
    FailingCommits(monkeypatch).plan = plan
    drain("K")
    assert partner.sent == ["a", "b"]
    assert box.states() == ["delivered", "delivered"]
    assert box.key().state == "idle"


def test_a_store_that_fails_for_a_while_is_waited_for_with_the_answer_in_hand(
    monkeypatch: pytest.MonkeyPatch, store: Store, box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    box.put("a")
    run, failures = store.run, [StoreError("gone"), StoreError("gone")]

    def failing(work: Any) -> Any:
        if partner.sent and failures:
            raise failures.pop()
        return run(work)

    monkeypatch.setattr(store, "run", failing)
    drain("K")
    assert not failures
    assert box.states() == ["delivered"]


def test_what_failed_alike_has_the_same_cause_and_success_has_none(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.rules = replace(partner.rules, after_failure="continue")
    partner.script = [Delivery(outcome="Refused", cause="Refused NotFound", reason="No such order.")]
    box.put("a", "b")
    drain("K")
    assert [entry.cause for entry in box.entries()] == ["Refused NotFound", None]
