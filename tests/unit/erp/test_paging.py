from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.erp.paging import MOST, BadToken, position, token

filters = st.lists(st.none() | st.text(max_size=20) | st.integers(), max_size=4)


@given(where=st.integers(0, MOST), of_list=filters)
@example(where=0, of_list=[])
@example(where=MOST, of_list=["ListPurchaseOrders"])
def test_a_token_leads_to_where_it_was_made(where: int, of_list: list[object]) -> None:
    made = token(where, *of_list)
    assert position(made, *of_list) == where
    assert set(made) <= set(string.ascii_letters + string.digits + "-_")
    assert len(made) <= 200


@given(where=st.integers(0, MOST), one=filters, other=filters)
def test_a_token_of_another_list_is_told_apart(where: int, one: list[object], other: list[object]) -> None:
    if one != other:
        with pytest.raises(BadToken) as caught:
            position(token(where, *one), *other)
        assert caught.value.reason == "otherList"


@given(where=st.integers(0, MOST), at=st.integers(0, 27), letter=st.sampled_from(string.ascii_letters))
def test_a_token_with_a_changed_letter_leads_nowhere(where: int, at: int, letter: str) -> None:
    made = token(where, "L")
    changed = made[:at] + letter + made[at + 1 :]
    if changed != made:
        with pytest.raises(BadToken):
            position(changed, "L")


@given(where=st.integers(MOST + 1, 2**64 - 1))
def test_a_position_that_no_row_can_have_is_unreadable(where: int) -> None:
    """Who knows how tokens are made could make one; no database has such a number."""
    with pytest.raises(BadToken) as caught:
        position(token(where, "L"), "L")
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("text", ["", "x", "0000", "A" * 28, "A" * 200, "æ", "====", "a b"])
def test_what_is_no_token_is_unreadable(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        position(text, "L")
    assert caught.value.reason == "unreadable"
