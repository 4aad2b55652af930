"""What people do by hand, on both databases: each act once, written down, and the key goes on or waits as it should."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from bridge.delivery import gate as gates
from bridge.delivery.accept import accept
from bridge.delivery.acts import Deliveries
from bridge.delivery.deeds import OneKey, Report, WholePartner
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Document
from bridge.errors import SettingsError, StoreError
from bridge.settings import Delivery, Partner, Settings
from bridge.store import Session, Store, by_hand
from bridge.store.clock import SECOND
from bridge.store.deliveries import Entries
from bridge.store.outbox import NewEntry

from .conftest import LEASE, Outbox, ScriptedPartner

MEI: dict[str, str] = {"who": "mei", "why": "seen at the desk"}


@pytest.fixture
def make(store: Store, partner: ScriptedPartner) -> Callable[..., Deliveries]:
    def make(**options: Any) -> Deliveries:
        settings = Settings(
            partners={"erp": Partner(wsdl="erp.wsdl", **options)}, delivery=Delivery(lease=LEASE / SECOND)
        )
        return Deliveries(store, settings, lambda _: partner)

    return make


@pytest.fixture
def desk(make: Callable[..., Deliveries]) -> Deliveries:
    return make()


def became(report: Report) -> list[tuple[str | None, str | None]]:
    return [(deed.before, deed.after) for deed in report.done]


def said(report: Report) -> str:
    (deed,) = report.left
    return deed.says


# hold and release


def test_a_database_that_goes_away_is_told_of_plainly(
    store: Store, box: Outbox, desk: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(session: Session, _: Any) -> None:
        if store.dialect == "postgresql":
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise sqlite3.OperationalError("disk I/O error")

    (a,) = box.put("a")
    monkeypatch.setattr(by_hand, "record", lost)
    with pytest.raises(StoreError, match="could not be used: what was asked for was not done"):
        desk.hold(a, **MEI)
    assert box.key().state == "active"


def test_an_entry_that_is_held_is_not_sent_and_its_key_waits(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    _, b, _ = box.put("a", "b", "c")
    assert became(desk.hold(b, **MEI)) == [("waiting", "held")]
    drain("K")
    assert partner.sent == ["a"]
    assert box.key().state == "held"
    assert b in (box.key().held_because or "")
    assert became(desk.release(b, **MEI)) == [("held", "waiting")]
    assert box.key().state == "active"
    drain("K")
    assert partner.sent == ["a", "b", "c"]


def test_holding_the_first_of_a_key_holds_the_key_at_once(box: Outbox, desk: Deliveries) -> None:
    (a,) = box.put("a")
    desk.hold(a, **MEI)
    assert (box.key().state, box.key().held_because) == ("held", f"{a} is held.")


def test_a_key_is_held_with_what_is_put_in_later(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("a")
    assert became(desk.hold(OneKey("erp", "K"), **MEI)) == [("active", "held")]
    box.put("b")
    drain("K")
    assert partner.sent == []
    assert box.key().held_because == "Held by hand by mei: seen at the desk"
    assert became(desk.release(OneKey("erp", "K"), **MEI)) == [("held", "active")]
    drain("K")
    assert partner.sent == ["a", "b"]


def test_a_key_that_is_held_while_it_is_drained_stops_after_what_is_being_sent(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("a", "b")
    partner.before = lambda _: desk.hold(OneKey("erp", "K"), **MEI)
    drain("K")
    assert partner.sent == ["a"]
    assert (box.key().state, box.key().lease_owner) == ("held", None)
    assert box.states() == ["delivered", "waiting"]


def test_a_key_that_is_held_while_it_is_drained_stays_held_when_the_attempt_failed(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("a")
    partner.script = ["Unavailable"]
    partner.before = lambda _: desk.hold(OneKey("erp", "K"), **MEI)
    drain("K")
    assert (box.key().state, box.states()) == ("held", ["waiting"])
    assert box.key().held_because == "Held by hand by mei: seen at the desk"


def test_an_idle_key_can_be_held_and_let_go(box: Outbox, drain: Drain, desk: Deliveries) -> None:
    box.put("a")
    drain("K")
    assert became(desk.hold(OneKey("erp", "K"), **MEI)) == [("idle", "held")]
    assert became(desk.release(OneKey("erp", "K"), **MEI)) == [("held", "idle")]


def test_releasing_a_key_lets_go_what_is_held_in_it(box: Outbox, desk: Deliveries) -> None:
    a, b = box.put("a", "b")
    desk.hold([a, b], **MEI)
    report = desk.release(OneKey("erp", "K"), **MEI)
    assert became(report) == [("held", "active"), ("held", "waiting"), ("held", "waiting")]
    assert box.states() == ["waiting", "waiting"]


def test_a_key_held_by_a_refusal_goes_on_with_the_next_when_it_is_released(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("a", "b")
    partner.script = ["Refused"]
    drain("K")
    assert box.key().state == "held"
    desk.release(OneKey("erp", "K"), **MEI)
    drain("K")
    assert (partner.sent, box.states()) == (["a", "b"], ["refused", "delivered"])


def test_releasing_a_key_sets_aside_what_is_in_doubt(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    box.put("a", "b")
    partner.script = ["InDoubt"]
    drain("K")
    report = desk.release(OneKey("erp", "K"), **MEI)
    assert "stays in doubt" in report.done[1].says
    drain("K")
    assert (partner.sent, box.states()) == (["a", "b"], ["in_doubt", "delivered"])
    assert box.key().state == "idle"


def test_an_entry_that_waits_for_its_next_try_is_sent_at_once(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    partner.script = ["Unavailable"]
    drain("K")
    drain("K")
    assert partner.sent == ["a"]
    assert became(desk.release(a, **MEI)) == [("waiting", "waiting")]
    drain("K")
    assert partner.sent == ["a", "a"]
    assert box.attempts()[1][1] == "by hand"


def test_one_that_is_due_anyway_or_behind_another_is_not_released(box: Outbox, desk: Deliveries) -> None:
    a, b = box.put("a", "b")
    assert "due at once" in said(desk.release(a, **MEI))
    assert "before it" in said(desk.release(b, **MEI))


def test_a_partner_is_held_and_let_go(box: Outbox, store: Store, desk: Deliveries) -> None:
    box.put("a")
    assert became(desk.hold(WholePartner("erp"), **MEI)) == [("not held", "held")]
    assert "Held by hand by mei" in said(desk.hold(WholePartner("erp"), **MEI))
    with store.reading() as session:
        (state,) = gates.states(session)
    assert state.held_because == "Held by hand by mei: seen at the desk"
    assert "partner held" in desk.list()[0].because
    assert became(desk.release(WholePartner("erp"), **MEI)) == [("held", "not held")]
    assert "Nothing holds it back" in said(desk.release(WholePartner("erp"), **MEI))


def test_a_partner_that_is_let_go_gets_at_once_what_was_put_off(
    box: Outbox, store: Store, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    partner.rules = Rules(first_delay=600, max_delay=600)
    with store.transaction() as transaction:
        for number in range(250):
            entry = NewEntry(f"E-{number}", "erp", f"K-{number}", "Put", "x")
            accept(store, transaction, entry)
    tried = range(0, 250, 5)
    for number in tried:
        partner.script = ["Unavailable"]
        drain(f"K-{number}")
    desk.hold(WholePartner("erp"), **MEI)
    put_off = [box.key(f"K-{number}").due_at for number in tried]
    desk.release(WholePartner("erp"), **MEI)
    let_go = [box.key(f"K-{number}").due_at for number in tried]
    assert all(after < before for before, after in zip(put_off, let_go, strict=True))


def test_a_partner_nobody_knows_is_a_slip(desk: Deliveries) -> None:
    with pytest.raises(SettingsError, match="There are: erp"):
        desk.hold(WholePartner("epr"), **MEI)


# resend


@pytest.mark.parametrize("outcome", ["Refused", "Unpresentable"])
def test_the_same_bytes_are_sent_again_before_the_rest_of_the_key(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, outcome: Any
) -> None:
    a, _ = box.put("a", "b")
    partner.script = [outcome]
    drain("K")
    assert became(desk.resend(a, **MEI)) == [("refused", "waiting")]
    entry = box.entries()[0]
    assert (entry.tries, entry.settled_at, entry.cause) == (0, None, None)
    drain("K")
    assert (partner.sent, box.states()) == (["a", "a", "b"], ["delivered"] * 2)


@pytest.mark.parametrize("outcome", ["Delivered", "DeliveredUnreadable", "InDoubt"])
def test_what_may_have_been_done_is_sent_again_only_where_that_is_confirmed(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, outcome: Any
) -> None:
    (a,) = box.put("a")
    partner.script = [outcome]
    drain("K")
    report = desk.resend(a, **MEI)
    assert report.left[0].risky
    assert partner.sent == ["a"]
    assert "may be done twice" in desk.resend(a, may_be_done_twice=True, **MEI).done[0].says
    drain("K")
    assert partner.sent == ["a", "a"]
    assert box.states() == ["delivered"]


def test_a_partner_that_keeps_our_id_may_get_anything_again(
    box: Outbox, drain: Drain, make: Callable[..., Deliveries]
) -> None:
    (a,) = box.put("a")
    drain("K")
    assert became(make(keeps_id=True).resend(a, **MEI)) == [("delivered", "waiting")]


def test_an_expired_entry_that_was_in_doubt_once_may_have_been_done(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    partner.script = ["InDoubt"]
    drain("K")
    desk.expire(a, **MEI)
    assert desk.resend(a, **MEI).left[0].risky


def test_a_key_held_by_hand_stays_held_whatever_is_sent_again(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    partner.script = ["Refused"]
    drain("K")
    desk.hold(OneKey("erp", "K"), who="mei", why=f"{a} is wrong")
    desk.resend(a, **MEI)
    assert (box.states(), box.key().state) == (["waiting"], "held")


def test_all_that_failed_for_one_cause_is_sent_again(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    for number in range(230):
        box.put(str(number), key=f"K-{number}")
        partner.script = ["Refused"] if number % 2 == 0 else ["Unpresentable"]
        drain(f"K-{number}")
    tried = desk.resend(Entries(cause="Refused"), dry_run=True, **MEI)
    assert len(tried.done) == 115
    assert desk.acts() == ()
    assert len(desk.list(states=["refused"], limit=1000)) == 230
    done = desk.resend(Entries(cause="Refused"), **MEI)
    assert [deed.entry_id for deed in done.done] == [deed.entry_id for deed in tried.done]
    assert len(desk.list(states=["refused"], limit=1000)) == 115
    assert len(desk.acts(limit=1000)) == 115
    assert desk.resend(Entries(cause="Refused"), **MEI).deeds == ()


# expire


def test_what_is_given_up_lets_the_key_go_on(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    a, _ = box.put("a", "b")
    partner.script = ["InDoubt"]
    drain("K")
    assert box.key().state == "held"
    report = desk.expire(a, **MEI)
    assert "all the same" in report.done[0].says
    drain("K")
    assert (partner.sent, box.states()) == (["a", "b"], ["expired", "delivered"])
    assert box.entries()[0].reason == "mei: seen at the desk"


def test_giving_up_the_next_one_does_not_let_go_of_a_key_that_a_refusal_holds(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    _, b, _ = box.put("a", "b", "c")
    partner.script = ["Refused"]
    drain("K")
    desk.expire(b, **MEI)
    assert (box.states(), box.key().state) == (["refused", "expired", "waiting"], "held")


def test_giving_up_all_of_a_key_leaves_it_idle(box: Outbox, desk: Deliveries) -> None:
    box.put("a", "b")
    assert len(desk.expire(OneKey("erp", "K"), **MEI).done) == 2
    assert box.key().state == "idle"


def test_an_entry_that_never_failed_and_is_given_up_has_a_cause_of_its_own(
    box: Outbox, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    desk.expire(a, **MEI)
    assert box.entries()[0].cause == "By hand"


# settle and ask


@pytest.mark.parametrize(
    ("as_", "state", "sent"),
    [
        ("delivered", "delivered", ["a", "b"]),
        ("refused", "refused", ["a", "b"]),
        ("expired", "expired", ["a", "b"]),
        ("not-sent", "delivered", ["a", "a", "b"]),
    ],
)
def test_a_person_says_what_became_of_one_in_doubt(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, as_: Any, state: str, sent: Any
) -> None:
    a, _ = box.put("a", "b")
    partner.script = ["InDoubt"]
    drain("K")
    assert len(desk.settle(a, as_, **MEI).done) == 1
    drain("K")
    assert (partner.sent, box.states()) == (sent, [state, "delivered"])


def test_one_that_stands_aside_is_settled_without_touching_its_key(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    a, _ = box.put("a", "b")
    partner.script = ["InDoubt"]
    partner.rules = Rules(after_doubt="continue")
    drain("K")
    desk.settle(a, "delivered", **MEI)
    assert (box.states(), box.key().state) == (["delivered", "delivered"], "idle")


def test_what_is_not_in_doubt_is_not_settled(box: Outbox, desk: Deliveries) -> None:
    (a,) = box.put("a")
    assert "not in doubt" in said(desk.settle(a, "delivered", **MEI))


@pytest.mark.parametrize(("answer", "state"), [("done", "delivered"), ("not_there", "waiting")])
def test_the_partner_is_asked(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, answer: Any, state: str
) -> None:
    (a,) = box.put("a")
    partner.script = ["InDoubt"]
    drain("K")
    partner.rules, partner.answers = Rules(can_ask=True), [answer]
    assert desk.ask(a, dry_run=True, **MEI).done
    assert partner.asked == []
    assert became(desk.ask(a, **MEI)) == [("in_doubt", state)]
    assert (partner.asked, box.states()) == (["a"], [state])
    assert "asked" in desk.acts()[0].why


def test_a_partner_that_does_not_know_leaves_it_in_doubt(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")
    partner.script = ["InDoubt"]
    drain("K")
    assert "cannot be asked" in said(desk.ask(a, **MEI))
    partner.rules, partner.answers = Rules(can_ask=True), ["unknown"]
    assert "does not know" in said(desk.ask(a, **MEI))
    assert box.states() == ["in_doubt"]


def test_what_is_sent_again_while_the_partner_is_asked_is_not_settled_by_its_answer(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    (a,) = box.put("a")
    partner.script = ["InDoubt", "InDoubt"]
    drain("K")
    partner.rules = Rules(can_ask=True)

    def ask(document: Document) -> str:
        desk.resend(document.id, may_be_done_twice=True, **MEI)
        drain("K")
        return "not_there"

    monkeypatch.setattr(partner, "ask", ask)
    assert "sent again" in said(desk.ask(a, **MEI))
    assert (partner.sent, box.states()) == (["a", "a"], ["in_doubt"])


# what is being sent


@pytest.mark.parametrize("verb", ["hold", "release", "resend", "expire"])
def test_what_is_being_sent_cannot_be_acted_upon(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries, verb: str
) -> None:
    (a,) = box.put("a")
    reports: list[Report] = []
    partner.before = lambda _: reports.append(getattr(desk, verb)(a, **MEI))
    drain("K")
    assert "being sent by one" in said(reports[0])
    assert "Try again" in said(reports[0])
    assert box.states() == ["delivered"]
    assert desk.acts() == ()


def test_what_a_dead_process_was_sending_can_be_settled_and_that_process_is_fenced_off(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    (a,) = box.put("a")

    def dies(_: Document) -> None:
        box.lapse()
        assert "died" in said(desk.hold(a, **MEI))
        assert became(desk.settle(a, "delivered", **MEI)) == [("sending", "delivered")]

    partner.before, partner.script = dies, ["Refused"]
    drain("K")
    assert (box.states(), box.key().state) == (["delivered"], "idle")


def test_the_entries_behind_one_that_is_being_sent_can_be_acted_upon(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Deliveries
) -> None:
    _, b, _ = box.put("a", "b", "c")
    partner.before = lambda document: document.payload == "a" and desk.expire(b, **MEI)
    drain("K")
    assert (partner.sent, box.states()) == (["a", "c"], ["delivered", "expired", "delivered"])


# written down, once


def test_each_act_is_written_down_with_who_and_why(box: Outbox, desk: Deliveries) -> None:
    (a,) = box.put("a")
    desk.hold(a, who="mei", why="wrong price")
    desk.release(a, who="tom", why="price is right")
    desk.hold(OneKey("erp", "K"), who="mei", why="counting")
    assert [(act.who, act.verb, act.entry_id, act.before, act.after) for act in desk.acts()] == [
        ("mei", "hold", None, "active", "held"),
        ("tom", "release", a, "held", "waiting"),
        ("mei", "hold", a, "waiting", "held"),
    ]
    assert [act.why for act in desk.acts(entry_id=a)] == ["price is right", "wrong price"]


@pytest.mark.parametrize("missing", ["who", "why"])
def test_who_and_why_are_asked_for(desk: Deliveries, missing: str) -> None:
    with pytest.raises(SettingsError, match="written down"):
        desk.hold("x", **(MEI | {missing: " "}))


def test_a_dry_run_does_nothing_and_tells_what_would_be_done(box: Outbox, desk: Deliveries) -> None:
    a, b = box.put("a", "b")
    before = (box.entries(), box.key())
    report = desk.hold([a, b, "nobody"], dry_run=True, **MEI)
    assert became(report) == [("waiting", "held")] * 2
    assert "no such delivery" in said(report)
    assert (box.entries(), box.key(), desk.acts()) == (*before, ())


def test_two_who_release_the_same_entry_at_once_do_it_once(box: Outbox, desk: Deliveries) -> None:
    (a,) = box.put("a")
    for _ in range(5):
        desk.hold(a, **MEI)
        together = threading.Barrier(2)

        def release(who: str, together: threading.Barrier = together) -> Report:
            together.wait(10)
            return desk.release(a, who=who, why="at once")

        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(release, ["mei", "tom"]))
        (late,) = [deed for report in reports for deed in report.left]
        (first,) = [act for act in desk.acts(entry_id=a, limit=1) if act.verb == "release"]
        assert late.too_late
        assert first.who in late.says
    assert len([act for act in desk.acts(entry_id=a) if act.verb == "release"]) == 5


def test_acts_upon_many_keys_and_those_who_put_into_them_do_not_wait_for_each_other(
    box: Outbox, desk: Deliveries
) -> None:
    for number in range(40):
        box.put("x", key=f"K-{number:02}")

    def put() -> None:
        for number in range(40):
            box.put("y", key=f"K-{number:02}")

    with ThreadPoolExecutor(3) as pool:
        holding = pool.submit(desk.hold, Entries(partner="erp"), **MEI)
        putting = pool.submit(put)
        expiring = pool.submit(desk.expire, Entries(partner="erp", states=("held",)), **MEI)
        for future in (holding, putting, expiring):
            future.result(30)
    assert {entry.entry.state for entry in desk.list(limit=1000)} <= {"waiting", "held", "expired"}
