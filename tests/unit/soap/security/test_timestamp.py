"""Timestamp and Created: which moments hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.security import WSU
from bridge.soap.security.timestamp import Freshness, check, read_moment, write, written

NOON = 1_772_452_800.0  # 2026-03-02T12:00:00Z
USUAL = Freshness(max_age=300, skew=60)


def stamp(*children: str) -> etree._Element:
    return etree.fromstring(f'<u:Timestamp xmlns:u="{WSU}">{"".join(children)}</u:Timestamp>')


def created(text: str) -> str:
    return f"<u:Created>{text}</u:Created>"


def expires(text: str) -> str:
    return f"<u:Expires>{text}</u:Expires>"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02T12:00:00", NOON),
        (" 2026-03-02T12:00:00.250Z ", NOON + 0.25),
        ("2026-03-02T20:00:00+08:00", NOON),
        ("2026-03-02T06:30:00.000000000-05:30", NOON),
    ],
)
def test_every_form_of_a_moment_is_read(text: str, moment: float) -> None:
    assert read_moment(stamp(created(text))[0]) == moment


@pytest.mark.parametrize(
    "text",
    ["", "2026-03-02", "12:00:00Z", "2026-13-02T12:00:00Z", "2026-03-02T24:30:00Z", "2026-03-02T12:00:00+99:00",
     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "２０２６-03-02T12:00:00Z", "2026-03-02T12:00:00Zx"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="Created"):
        check(stamp(created(text)), USUAL, NOON)


@given(st.floats(0, 4e9), st.floats(1, 86_400))
def test_what_is_written_holds_when_it_is_written(now: float, lifetime: float) -> None:
    assert check(etree.fromstring(write(now, lifetime, name="t")), USUAL, now) == pytest.approx(
        now, abs=0.002
    )


@pytest.mark.parametrize("seconds", [-300, 0, 60])
def test_a_timestamp_holds_from_the_skew_before_to_its_age_after(seconds: float) -> None:
    assert check(stamp(created(written(NOON + seconds))), USUAL, NOON) == NOON + seconds


@pytest.mark.parametrize("seconds", [-301, 61])
def test_outside_of_that_it_is_refused_as_expired(seconds: float) -> None:
    with pytest.raises(Refusal) as refused:
        check(stamp(created(written(NOON + seconds))), USUAL, NOON)
    assert refused.value.subcodes == (f"{{{WSU}}}MessageExpired",)


def test_expires_holds_for_the_skew_longer_and_no_more() -> None:
    made = created(written(NOON - 100))
    assert check(stamp(made, expires(written(NOON - 60))), USUAL, NOON)
    with pytest.raises(Refusal, match="held for 39 seconds"):
        check(stamp(made, expires(written(NOON - 61))), USUAL, NOON)


@pytest.mark.parametrize(
    ("children", "said"),
    [
        ([], "no Created"),
        ([expires("2026-03-02T12:00:00Z")], "no Created"),
        ([created("2026-03-02T12:00:00Z")] * 2, "more than once"),
        ([created("2026-03-02T12:00:00Z"), expires("2026-03-02T11:59:00Z")], "Expires"),
        ([created("2026-03-02T12:00:00Z"), "<u:Other/>"], "`Other`"),
        ([created("2026-03-02T12:<!-- -->00:00Z")], "Created"),
    ],
)
def test_a_timestamp_of_another_form_is_refused(children: list[str], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        check(stamp(*children), USUAL, NOON)


def test_what_was_made_is_remembered_until_no_process_would_take_it() -> None:
    made = NOON + USUAL.skew  # the sender's clock is ahead
    behind = (
        USUAL.forgotten_at(made) - USUAL.skew
    )  # the clock of a process that is behind, when others forget
    assert behind - made >= USUAL.max_age
