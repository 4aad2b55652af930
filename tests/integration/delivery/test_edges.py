"""What goes wrong at the edges of a transaction, of a text, and of a key that a person has taken in hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, select
from sqlalchemy.orm import registry

from bridge.delivery.accept import accept
from bridge.delivery.by_hand import BY_HAND
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Delivery
from bridge.store import Store, by_hand, outbox
from bridge.store.outbox import NewEntry
from bridge.store.tables import attempt

from .conftest import MakeDrain, OpenGate, Outbox, ScriptedPartner

mapper = registry()


@mapper.mapped
class Note:
    """A row of a handler's own."""

    __table__ = Table("note", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False))

    def __init__(self, number: int) -> None:
        self.id = number


@pytest.fixture
def notes(store: Store) -> Any:
    with store.transaction() as transaction:
        Note.__table__.create(transaction.session.connection())  # type: ignore[attr-defined]
    yield
    with store.transaction() as transaction:
        Note.__table__.drop(transaction.session.connection())  # type: ignore[attr-defined]


@pytest.mark.usefixtures("notes")
def test_what_a_handler_has_added_is_written_before_the_keys_are_locked(store: Store) -> None:
    order: list[str] = []
    event.listen(Note, "after_insert", lambda *_: order.append("row"))
    with store.transaction() as transaction:
        transaction.session.add(Note(1))
        transaction.before_commit(("erp", "K"), lambda session: order.append("key"))
    assert order == ["row", "key"]


@pytest.mark.usefixtures("notes")
def test_a_document_sent_while_rows_are_flushed_is_put_with_them(store: Store, box: Outbox) -> None:
    with store.transaction() as transaction:

        def hook(session: Any, *_: Any) -> None:
            accept(store, transaction, NewEntry("E-1", "erp", "K", "Put", "a"))

        event.listen(transaction.session, "after_flush", hook)
        transaction.session.add(Note(1))
    assert box.states() == ["waiting"]


@pytest.mark.usefixtures("notes")
def test_a_document_of_a_savepoint_that_was_rolled_back_is_never_sent(store: Store, box: Outbox) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        accept(store, transaction, NewEntry("E-1", "erp", "K", "Put", "before"))
        undone = session.begin_nested()
        session.add(Note(1))
        accept(store, transaction, NewEntry("E-2", "erp", "K", "Put", "inside"))
        with session.begin_nested():
            accept(store, transaction, NewEntry("E-3", "erp", "K", "Put", "deeper"))
        undone.rollback()
        with session.begin_nested():
            accept(store, transaction, NewEntry("E-4", "erp", "K", "Put", "kept"))
    assert [entry.payload for entry in box.entries()] == ["before", "kept"]


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize("writes", [True, False])
def test_a_handlers_own_rollback_takes_its_documents_along(store: Store, box: Outbox, writes: bool) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        if writes:
            session.add(Note(1))
        accept(store, transaction, NewEntry("E-1", "erp", "K", "Put", "a"))
        session.rollback()
    assert box.entries() == []
    with store.reading() as reading:
        assert reading.execute(select(Note.__table__)).all() == []  # type: ignore[attr-defined]


@pytest.mark.usefixtures("notes")
def test_a_handlers_own_commit_keeps_its_documents_whatever_it_rolls_back_later(
    store: Store, box: Outbox
) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        session.add(Note(1))
        accept(store, transaction, NewEntry("E-1", "erp", "K", "Put", "a"))
        session.commit()
        session.add(Note(2))
        accept(store, transaction, NewEntry("E-2", "erp", "K", "Put", "b"))
        session.rollback()
    assert [entry.payload for entry in box.entries()] == ["a"]


STRANGE = "said \0 and \ud800"


def test_a_reason_that_no_database_takes_settles_all_the_same(
    box: Outbox, partner: ScriptedPartner, drain: Drain
) -> None:
    partner.script = [Delivery(outcome="Refused", cause=f"Refused {STRANGE}", reason=STRANGE)]
    box.put("a")
    drain("K")
    (entry,) = box.entries()
    assert (entry.state, entry.cause, entry.reason) == (
        "refused",
        "Refused said \ufffd and ?",
        "said \ufffd and ?",
    )
    assert "said" in (box.key().held_because or "")
    with box.store.reading() as session:
        assert session.execute(select(attempt.c.reason)).scalar_one() == "said \ufffd and ?"


def test_a_late_answer_leaves_a_key_alone_that_a_person_holds(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain
) -> None:
    """The person's reason may well name the entry."""
    (entry_id,) = box.put("a")
    partner.rules = Rules(after_doubt="hold")
    second = make_drain("two")

    def meanwhile(_: Any) -> None:
        partner.before = None
        box.lapse()
        second("K")
        with box.store.transaction() as transaction:
            session = transaction.session
            outbox.lock(session, "erp", "K")
            because = f"{BY_HAND} by ann: {entry_id} was sent to the wrong customer"
            by_hand.set_key(session, "erp", "K", "held", due_at=0, because=because)

    partner.before = meanwhile
    make_drain("one")("K")
    assert box.states() == ["delivered"]
    assert box.key().state == "held"


@pytest.mark.parametrize(("answer", "noted"), [("done", True), ("not_there", True), ("unknown", False)])
def test_a_partner_that_answers_a_question_was_reached(
    box: Outbox, partner: ScriptedPartner, gate: OpenGate, drain: Drain, answer: Any, noted: bool
) -> None:
    partner.rules, partner.script, partner.answers = Rules(can_ask=True), ["InDoubt"], [answer]
    box.put("a")
    drain("K")
    box.make_due()
    drain("K")
    assert ("reached" in gate.noted) is noted
