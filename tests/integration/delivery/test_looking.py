"""What people see of deliveries: lists by every condition, why something waits, everything about one; and by which index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from bridge.delivery.acts import Deliveries
from bridge.delivery.deeds import OneKey
from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Delivery
from bridge.settings import Partner, Settings
from bridge.store import Store, deliveries
from bridge.store.clock import moment
from bridge.store.deliveries import Entries

from .conftest import MakeDrain, Outbox, ScriptedPartner

WHO: dict[str, str] = {"who": "mei", "why": "looked at"}


@pytest.fixture
def desk(store: Store) -> Deliveries:
    return Deliveries(store, Settings(partners={"erp": Partner(wsdl="erp.wsdl")}))


def ids(found: Any) -> list[str]:
    return [waiting.entry.entry_id for waiting in found]


def because(desk: Deliveries, entry_id: str) -> str:
    found = desk.show(entry_id)
    assert found is not None
    (listed,) = [one for one in desk.list(limit=1000) if one.entry.entry_id == entry_id]
    assert listed.because == found.because
    return found.because


def test_lists_are_newest_first_and_go_on_where_a_page_ended(box: Outbox, desk: Deliveries) -> None:
    put = box.put(*"abcde")
    page = desk.list(limit=2)
    assert ids(page) == [put[4], put[3]]
    assert ids(desk.list(limit=2, before=page[-1].entry.id)) == [put[2], put[1]]
    page = desk.list(limit=2, oldest_first=True)
    assert ids(page) == [put[0], put[1]]
    assert ids(desk.list(limit=2, oldest_first=True, before=page[-1].entry.id)) == [put[2], put[3]]


def test_each_condition_leaves_what_meets_it(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a", key="A")
    (b,) = box.put("b", key="B")
    (c,) = box.put("c", key="A", partner="crm")
    partner.script = ["Refused"]
    drain("A")
    at = desk.list()[0].entry.created_at
    for conditions, found in (
        ({"partner": "erp"}, [b, a]),
        ({"partner": "nobody"}, []),
        ({"ordering_key": "A"}, [c, a]),
        ({"ordering_key": "A", "partner": "crm"}, [c]),
        ({"states": ["refused"]}, [a]),
        ({"states": ["waiting", "refused"]}, [c, b, a]),
        ({"cause": "Refused"}, [a]),
        ({"operation": "Put"}, [c, b, a]),
        ({"operation": "Get"}, []),
        ({"reference": "PO-1"}, []),
        ({"open": True}, [c, b]),
        ({"open": False}, [a]),
        ({"since": at}, [c]),
        ({"until": at}, [b, a]),
        ({"until": at + timedelta(seconds=1)}, [c, b, a]),
    ):
        assert ids(desk.list(**conditions)) == found, conditions


def test_what_needs_a_person_is_what_stays_as_it_is(
    box: Outbox, partner: ScriptedPartner, make_drain: MakeDrain, desk: Deliveries
) -> None:
    drain = make_drain()
    box.put("refused", "waits for a person", key="A")
    (held, _) = box.put("held", "behind", key="B")
    partner.script = ["Refused"]
    drain("A")
    desk.hold(held, **WHO)
    partner.rules, partner.script = Rules(after_doubt="continue"), ["InDoubt"]
    (doubtful,) = box.put("in doubt", key="C")
    drain("C")
    partner.script = ["Unavailable"]
    box.put("tried again by itself", key="D")
    drain("D")
    found = desk.list(needs_person=True)
    assert len(found) == 3
    assert {doubtful, held} < set(ids(found))
    assert [one.because.partition(":")[0] for one in found] == [
        "in doubt",
        "held by hand",
        "its key is held",
    ]


def test_a_document_that_keeps_its_key_needs_a_person_though_nothing_waits_behind_it_yet(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("fine", key="A")
    (refused,) = box.put("refused", key="A")
    box.put("fine too", key="B")
    partner.script = ["Delivered", "Refused"]
    drain("A")
    drain("B")
    (found,) = desk.list(needs_person=True)
    assert found == (found.entry, "its key is held: what comes after it waits")
    assert found.entry.entry_id == refused
    assert ids(desk.list(needs_person=True, open=True)) == []
    (behind,) = box.put("behind", key="A")
    assert ids(desk.list(needs_person=True)) == [behind]
    desk.release(OneKey("erp", "A"), **WHO)
    assert desk.list(needs_person=True) == ()


def test_it_is_told_why_something_waits(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, store: Store
) -> None:
    a, b = box.put("a", "b")
    assert because(desk, a) == "due"
    assert because(desk, b) == f"behind {a} (waiting) in its key"
    partner.script = [Delivery(outcome="Unavailable", reason="It is busy.")]
    drain("K")
    assert because(desk, a).startswith("not due before 2")
    assert because(desk, a).endswith("UTC: It is busy.")
    box.make_due()
    gate = Gate("erp", GateOptions())
    with store.transaction() as transaction:
        now = deliveries.now(transaction.session)
        for _ in range(5):
            failed = Delivery(outcome="NotSent", reason="Nobody listens.")
            gate.note(transaction.session, int(now.timestamp() * 1e6), failed)
    assert because(desk, a).startswith("circuit open until 2")
    assert "Nobody listens." in because(desk, a)
    desk.hold(OneKey("erp", "K"), **WHO)
    assert because(desk, a) == "its key is held: Held by hand by mei: looked at"


def test_a_partner_that_is_closed_now_is_told_with_when_it_opens(box: Outbox, store: Store) -> None:
    (a,) = box.put("a")
    with store.reading() as session:
        yesterday = f"{deliveries.now(session) - timedelta(days=1):%a}"
    options = Partner(wsdl="erp.wsdl", open=(f"{yesterday} 00:00-00:01",))
    desk = Deliveries(store, Settings(partners={"erp": options}))
    assert because(desk, a).startswith("the partner takes no deliveries before 2")


def test_it_is_told_that_nobody_seems_to_deliver(box: Outbox, desk: Deliveries, store: Store) -> None:
    (a,) = box.put("a")
    with store.transaction() as transaction:
        long_ago = "UPDATE ordering_key SET due_at = 1000000"
        transaction.session.execute(text(long_ago))
        transaction.session.execute(text("UPDATE outbox SET changed_at = 1000000"))
    assert because(desk, a) == "due, and no runner seems to run"
    found = desk.show(a)
    assert found is not None
    assert "soapbridge worker" in found.next


def test_what_is_being_sent_is_told_with_who_sends_it(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    seen: list[str] = []
    partner.before = lambda _: seen.append(because(desk, a))
    drain("K")
    assert seen == ["being sent by one"]


def test_everything_about_one(box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries) -> None:
    a, b, c = box.put("a", "b", "c")
    partner.script = ["Delivered", Delivery(outcome="Refused", cause="Refused NotFound", reason="No A-1.")]
    drain("K")
    found = desk.show(b)
    assert found is not None
    assert (found.entry.state, found.entry.cause, found.entry.reason) == (
        "refused",
        "Refused NotFound",
        "No A-1.",
    )
    (attempt,) = found.attempts
    assert (attempt.decision, attempt.outcome, attempt.owner) == ("first", "Refused", "one")
    assert [one.entry_id for one in found.neighbours] == [a, c]
    assert found.key is not None
    assert found.key.state == "held"
    commands = [command.text for command in found.commands]
    assert commands == [
        f"soapbridge deliveries resend {b} --why …",
        "soapbridge deliveries release --partner erp --key K --why …",
    ]
    assert desk.payload(b) == (None, "b")
    desk.resend(b, **WHO)
    found = desk.show(b)
    assert found is not None
    assert [(act.who, act.verb) for act in found.acts] == [("mei", "resend")]
    assert desk.show("nobody") is None
    assert desk.payload("nobody") is None


PLANS: tuple[tuple[Entries, str], ...] = (
    (Entries(open=True), "ix_outbox_open"),
    (Entries(needs_person=True), "INTEGER PRIMARY KEY (rowid=?)"),  # of those that stand still
    (Entries(partner="erp", open=True), "ix_outbox_open"),
    (Entries(states=("refused",)), "ix_outbox_not_delivered"),
    (Entries(states=("refused", "expired")), "ix_outbox_not_delivered"),
    (Entries(cause="Refused"), "ix_outbox_not_delivered"),
    (Entries(reference="PO-1"), "ix_outbox_reference"),
    (Entries(partner="erp", ordering_key="K"), "partner=? AND ordering_key=?"),
    (Entries(ordering_key="K"), "partner=? AND ordering_key=?"),
    (Entries(ids=("x",)), "entry_id=?"),
    (Entries(since=moment(1), until=moment(2)), "ix_outbox_created_at"),
    (Entries(), "SCAN outbox"),  # by number, which ends after the first page
)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("wanted", "by"), PLANS)
def test_no_list_reads_a_million_settled_entries(box: Outbox, store: Store, wanted: Entries, by: str) -> None:
    box.put("a")
    with store.transaction() as transaction:
        session = transaction.session
        statement = deliveries.listing(session, wanted, before=None, limit=20, oldest_first=False)
        sql = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {sql}".replace(":", r"\:")))]
    assert by in plan[0], plan
    assert not any(
        step.startswith("SCAN") and " USING INDEX ix_" not in step and step != by for step in plan
    ), plan
    assert not (by == "SCAN outbox" and any("TEMP B-TREE" in step for step in plan)), plan


def test_the_newest_of_a_partner_with_many_entries_are_not_sorted_out_of_all(
    box: Outbox, store: Store, desk: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = box.put(*"abcd")
    expected: Callable[[], list[str]] = lambda: ids(desk.list(partner="erp", limit=2))  # noqa: E731
    assert expected() == [put[3], put[2]]
    monkeypatch.setattr(deliveries, "_MANY", 3)
    assert expected() == [put[3], put[2]]
    if store.dialect == "sqlite":
        with store.reading() as session:
            wanted = Entries(partner="erp")
            statement = deliveries.listing(session, wanted, before=None, limit=2, oldest_first=False)
            sql = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
        assert plan == ["SCAN outbox"]
