"""Whatever people do in whatever order: entries move only as `states.MOVES` allows, no open entry is forgotten in an idle key, and
in the end everything can be brought to its ending."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delivery.acts import Deliveries
from bridge.delivery.deeds import OneKey, Report
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Rules
from bridge.delivery.states import MOVES, OPEN, State
from bridge.settings import Delivery, Partner, Settings
from bridge.store import Store
from bridge.store.clock import SECOND

from .conftest import LEASE, OpenGate, Outbox, ScriptedPartner

WHO: dict[str, str] = {"who": "mei", "why": "any"}
KEYS = itertools.count()

verbs = st.sampled_from(["hold", "release", "resend", "expire"])
ends = st.sampled_from(["delivered", "refused", "expired", "not-sent"])
outcomes = st.sampled_from(
    ["Delivered", "Refused", "NotSent", "InDoubt", "DeliveredUnreadable", "Unavailable", "died"]
)
steps = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 2)),
    st.tuples(st.just("drain"), st.lists(outcomes, max_size=3)),
    st.tuples(verbs, st.integers(0, 4)),
    st.tuples(verbs, st.integers(0, 4)),
    st.tuples(st.just("settle"), st.tuples(st.integers(0, 4), ends)),
    st.tuples(st.sampled_from(["hold key", "release key", "make due"]), st.none()),
)


class Died(BaseException):
    """In the place of kill -9."""


class World:
    def __init__(self, store: Store, keeps_id: bool, then: Any) -> None:
        self.store, self.box, self.key = store, Outbox(store), f"K-{next(KEYS)}"
        self.partner = ScriptedPartner(
            rules=Rules(keeps_id=keeps_id, after_failure=then, after_doubt=then, first_delay=60)
        )
        options = Partner(wsdl="x.wsdl", keeps_id=keeps_id)
        self.desk = Deliveries(
            store, Settings(partners={"erp": options}, delivery=Delivery(lease=LEASE / SECOND))
        )
        self.ids: list[str] = []

    def drain(self, script: list[Any]) -> None:
        def dies(_: object) -> None:
            if self.partner.script and self.partner.script[0] == "died":
                self.partner.script.pop(0)
                raise Died

        self.partner.script, self.partner.before = [*script], dies
        owner = f"drain-{next(KEYS)}"
        try:
            Drain(self.store, self.partner, OpenGate(), owner=owner, lease=LEASE, stopping=lambda: False)(
                self.key
            )
        except Died:
            self.box.lapse(self.key)

    def do(self, what: str, with_: Any) -> None:
        desk, key = self.desk, OneKey("erp", self.key)
        match what:
            case "put":
                self.ids += self.box.put(*(["x"] * with_), key=self.key)
            case "drain":
                self.drain(with_)
            case "make due" if self.ids:
                self.box.make_due(self.key)
            case "hold key":
                self.check(desk.hold(key, **WHO))
            case "release key":
                self.check(desk.release(key, **WHO))
            case "settle" if with_[0] < len(self.ids):
                self.check(desk.settle(self.ids[with_[0]], with_[1], **WHO))
            case "resend" if with_ < len(self.ids):
                self.check(desk.resend(self.ids[with_], may_be_done_twice=True, **WHO))
            case "hold" | "release" | "expire" if with_ < len(self.ids):
                self.check(getattr(desk, what)(self.ids[with_], **WHO))

    def check(self, report: Report) -> None:
        for deed in report.done:
            if deed.entry_id is not None:
                assert deed.before is not None
                assert deed.after is not None
                # What a dead process was sending is in doubt by then.
                before: Any = "in_doubt" if deed.before == "sending" else deed.before
                assert deed.after == before or deed.after in MOVES[before]

    def check_key(self) -> None:
        if not self.ids:
            return
        entries, key = self.box.entries(self.key), self.box.key(self.key)
        if any(entry.state in OPEN and not entry.aside for entry in entries):
            assert key.state != "idle"
        if not any(entry.state in OPEN for entry in entries):
            assert key.state in ("idle", "held")
        for entry in entries:
            assert (entry.settled_at is None) == (entry.state in OPEN)

    def bring_to_an_end(self) -> None:
        for _ in range(2):
            self.desk.release(OneKey("erp", self.key), **WHO)
            self.box.make_due(self.key)
            self.drain([])
            for entry_id in self.ids:
                self.check(self.desk.settle(entry_id, "delivered", **WHO))
        states: set[State | str] = set(self.box.states(self.key))
        assert not states & OPEN
        assert self.box.key(self.key).state == "idle"


@pytest.mark.parametrize("keeps_id", [False, True])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(then=st.sampled_from(["hold", "continue"]), done=st.lists(steps, min_size=1, max_size=14))
def test_any_sequence_of_acts_leaves_what_can_be_brought_to_an_end(
    store: Store, keeps_id: bool, then: str, done: list[tuple[str, Any]]
) -> None:
    world = World(store, keeps_id, then)
    world.do("put", 1)
    for what, with_ in done:
        world.do(what, with_)
        world.check_key()
    world.bring_to_an_end()
