from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from lxml import etree

from bridge.erp.reservation_states import (
    EVENTS,
    MOVES,
    NEW_RESERVATION,
    RESERVATION_STATES,
    Event,
    State,
    allowing,
    at,
)
from bridge.erp.tables import reservation

ROOT = Path(__file__).parents[3]


def test_the_states_are_those_of_the_contract_the_database_and_the_page() -> None:
    schema = etree.parse(ROOT / "xsd/erp/inventory-1.xsd")
    listed = schema.xpath("//*[@name='ReservationState']//*[local-name()='enumeration']/@value")
    (check,) = (one for one in reservation.constraints if one.name == "ck_reservation_state")
    assert list(RESERVATION_STATES) == listed == list(get_args(State))
    assert str(check.sqltext).split("'")[1::2] == listed  # type: ignore[attr-defined]
    page = (ROOT / "docs/contracts.md").read_text("utf-8")
    for state, meaning in RESERVATION_STATES.items():
        assert f"| `{state}` | {meaning} |" in page


def test_every_event_has_a_move_and_every_move_is_of_an_open_one() -> None:
    assert {event for _, event in MOVES} == set(EVENTS) == set(get_args(Event))
    assert {state for state, _ in MOVES} == {NEW_RESERVATION}
    assert all(allowing(event) == ("open",) for event in EVENTS)


@pytest.mark.parametrize(
    ("state", "expires_at", "stands"),
    [
        ("open", None, "open"),
        ("open", 101, "open"),
        ("open", 100, "expired"),
        ("open", 99, "expired"),
        ("fulfilled", 99, "fulfilled"),
        ("released", 99, "released"),
        ("expired", 99, "expired"),
    ],
)
def test_an_open_one_expires_in_its_instant(state: State, expires_at: int | None, stands: State) -> None:
    assert at(state, expires_at, 100) == stands
