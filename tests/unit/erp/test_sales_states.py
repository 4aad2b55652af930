from __future__ import annotations

import itertools
from pathlib import Path
from typing import get_args

import pytest
from lxml import etree

from bridge.erp.moves import NoMove
from bridge.erp.sales.states import OPEN, PROMISED, SALES_ORDER, Event, State
from bridge.erp.sales.tables import sales_order
from bridge.erp.state_page import PAGES, as_markdown

ROOT = Path(__file__).parents[3]


def test_the_page_is_drawn_from_the_table() -> None:
    assert (ROOT / "docs/sales-states.md").read_text("utf-8") == as_markdown(PAGES["sales"]), (
        "run `make docs`"
    )


def test_the_states_are_those_of_the_contract_and_of_the_database() -> None:
    schema = etree.parse(ROOT / "xsd/erp/sales-1.xsd")
    listed = schema.xpath("//*[@name='SalesOrderState']//*[local-name()='enumeration']/@value")
    (check,) = (one for one in sales_order.constraints if one.name == "ck_sales_order_state")
    assert list(SALES_ORDER.states) == listed == list(get_args(State))
    assert all(f"'{state}'" in str(check.sqltext) for state in listed)  # type: ignore[attr-defined]
    assert str(check.sqltext).count("'") == 2 * len(listed)  # type: ignore[attr-defined]


def test_every_event_has_a_move_and_every_state_is_reached() -> None:
    assert {event for _, event in SALES_ORDER.moves} == set(SALES_ORDER.events) == set(get_args(Event))
    reached: set[State] = {SALES_ORDER.new}
    for _ in SALES_ORDER.states:
        reached |= {to for (state, _), to in SALES_ORDER.moves.items() if state in reached}
    assert reached == set(SALES_ORDER.states)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(SALES_ORDER.states, SALES_ORDER.events)))
def test_a_move_is_made_or_refused_with_the_states_that_allow_it(state: State, event: Event) -> None:
    if (state, event) in SALES_ORDER.moves:
        assert SALES_ORDER.after(state, event) == SALES_ORDER.moves[state, event]
        return
    with pytest.raises(NoMove) as caught:
        SALES_ORDER.after(state, event)
    assert caught.value.allowed == SALES_ORDER.allowing(event)
    assert state not in caught.value.allowed


def test_a_change_is_judged_again_whatever_was_decided() -> None:
    assert {to for (_, event), to in SALES_ORDER.moves.items() if event == "change"} == {"waiting"}


def test_only_what_is_open_is_promised_and_only_what_is_approved() -> None:
    assert set(PROMISED) == set(OPEN) - {"waiting"}
    for state in set(SALES_ORDER.states) - set(OPEN):
        assert "approve" not in {event for source, event in SALES_ORDER.moves if source == state}


def test_what_has_gone_out_is_never_called_off_nor_changed() -> None:
    for state, event in itertools.product(("partiallyDelivered", "completed"), ("cancel", "change")):
        assert (state, event) not in SALES_ORDER.moves
