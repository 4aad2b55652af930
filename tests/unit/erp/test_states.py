from __future__ import annotations

import itertools
from pathlib import Path
from typing import get_args

import pytest
from lxml import etree

from bridge.erp.state_page import PAGES, as_markdown
from bridge.erp.states import (
    EVENTS,
    MOVES,
    NEW_PURCHASE_ORDER,
    PURCHASE_ORDER_STATES,
    Event,
    NoMove,
    State,
    after,
    allowing,
)
from bridge.erp.tables import purchase_order

ROOT = Path(__file__).parents[3]


def test_the_page_about_order_states_is_drawn_from_the_table() -> None:
    assert (ROOT / "docs/order-states.md").read_text("utf-8") == as_markdown(PAGES["purchasing"]), (
        "run `make docs`"
    )


def test_the_states_are_those_of_the_contract_and_of_the_database() -> None:
    schema = etree.parse(ROOT / "xsd/erp/purchasing-1.xsd")
    listed = schema.xpath("//*[@name='PurchaseOrderState']//*[local-name()='enumeration']/@value")
    (check,) = (one for one in purchase_order.constraints if one.name == "ck_purchase_order_state")
    assert list(PURCHASE_ORDER_STATES) == listed == list(get_args(State))
    assert all(f"'{state}'" in str(check.sqltext) for state in listed)  # type: ignore[attr-defined]
    assert str(check.sqltext).count("'") == 2 * len(listed)  # type: ignore[attr-defined]


def test_every_event_has_a_move_and_every_move_a_known_event() -> None:
    assert {event for _, event in MOVES} == set(EVENTS) == set(get_args(Event))


def test_every_state_is_reached_from_a_new_order() -> None:
    reached: set[State] = {NEW_PURCHASE_ORDER}
    for _ in PURCHASE_ORDER_STATES:
        reached |= {to for (state, _), to in MOVES.items() if state in reached}
    assert reached == set(PURCHASE_ORDER_STATES)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(PURCHASE_ORDER_STATES, EVENTS)))
def test_a_move_is_made_or_refused_with_the_states_that_allow_it(state: State, event: Event) -> None:
    if (state, event) in MOVES:
        assert after(state, event) == MOVES[state, event]
        assert state in allowing(event)
        return
    with pytest.raises(NoMove) as caught:
        after(state, event)
    assert caught.value.allowed == allowing(event)
    assert state not in caught.value.allowed


def test_what_has_arrived_is_never_called_off() -> None:
    for state in ("partiallyReceived", "received", "closed", "cancelled"):
        with pytest.raises(NoMove):
            after(state, "cancel")


def test_finished_orders_stay_finished() -> None:
    for state in ("closed", "cancelled"):
        assert not [event for source, event in MOVES if source == state]


def test_a_change_takes_a_confirmation_back() -> None:
    assert after("confirmed", "change") == "open"
