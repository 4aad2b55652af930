"""Every cell of the table of decisions."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.policy import (
    JITTER,
    Again,
    Answer,
    Ask,
    Course,
    Decision,
    End,
    Outcome,
    Person,
    Rules,
    Then,
    after_asking,
    after_attempt,
    backoff,
)
from bridge.errors import PartnerError

YOUNG = Course(tries=1, asked=0, age=0.0)
OLD = Course(tries=9, asked=0, age=1000.0)
AGE = 1000.0
"""The greatest age in these tests."""

THENS: tuple[Then, ...] = get_args(Then)


def rules(
    *, keeps_id: bool = False, can_ask: bool = False, failure: Then = "hold", doubt: Then = "hold"
) -> Rules:
    return Rules(
        keeps_id=keeps_id,
        can_ask=can_ask,
        asks=2,
        first_delay=1.0,
        max_delay=60.0,
        max_age=AGE,
        after_failure=failure,
        after_doubt=doubt,
    )


def decide(outcome: Outcome, course: Course, given: Rules, **more: float) -> Decision:
    return after_attempt(outcome, course, given, chance=0.0, **more)


ALL_RULES = [
    rules(keeps_id=keeps, can_ask=ask, failure=failure, doubt=doubt)
    for keeps, ask, failure, doubt in product((False, True), (False, True), THENS, THENS)
]


def test_the_outcomes_are_those_of_a_call_and_delivered() -> None:
    assert {kind.__name__ for kind in PartnerError.__subclasses__()} | {"Delivered"} == set(get_args(Outcome))


@pytest.mark.parametrize("given", ALL_RULES)
@pytest.mark.parametrize("course", [YOUNG, OLD])
class TestEveryCell:
    def test_delivered_ends_and_the_key_goes_on(self, given: Rules, course: Course) -> None:
        assert decide("Delivered", course, given) == End("delivered", "continue")

    def test_delivered_and_unreadable_ends_and_the_key_goes_on(self, given: Rules, course: Course) -> None:
        assert decide("DeliveredUnreadable", course, given) == End("unreadable", "continue")

    @pytest.mark.parametrize("outcome", ["Refused", "Unpresentable"])
    def test_a_verdict_ends_it_and_the_setting_decides_about_the_key(
        self, given: Rules, course: Course, outcome: Outcome
    ) -> None:
        assert decide(outcome, course, given) == End("refused", given.after_failure)

    @pytest.mark.parametrize("outcome", ["NotSent", "Unavailable"])
    def test_what_was_not_done_is_tried_again_until_it_is_too_old(
        self, given: Rules, course: Course, outcome: Outcome
    ) -> None:
        expected = Again(1.0) if course is YOUNG else End("expired", given.after_failure)
        assert decide(outcome, course, given) == expected

    def test_a_partner_that_does_not_let_us_in_is_left_until_a_person_says_so(
        self, given: Rules, course: Course
    ) -> None:
        assert decide("Unauthorised", course, given) == Again(0.0, hold_partner=True)

    def test_in_doubt_is_sent_again_asked_about_or_left_to_a_person(
        self, given: Rules, course: Course
    ) -> None:
        found = decide("InDoubt", course, given)
        if given.keeps_id:
            expected: Decision = Again(1.0, in_doubt=True) if course is YOUNG else Person(given.after_doubt)
        else:
            expected = Ask(1.0) if given.can_ask else Person(given.after_doubt)
        assert found == expected

    @pytest.mark.parametrize("answer", get_args(Answer))
    def test_an_answer_to_asking_ends_it_or_has_it_sent_or_asked_again(
        self, given: Rules, course: Course, answer: Answer
    ) -> None:
        found = after_asking(answer, course, given, chance=0.0)
        if answer == "done":
            assert found == End("delivered", "continue")
        elif answer == "not_there":
            assert found == decide("NotSent", course, given)
        else:
            assert found == decide("InDoubt", course, given)


def test_a_partner_is_asked_no_more_often_than_is_set() -> None:
    given = rules(can_ask=True)
    asked = [after_asking("unknown", Course(tries=1, asked=n, age=0), given, chance=0.0) for n in (1, 2, 3)]
    assert asked == [Ask(2.0), Person("hold"), Person("hold")]


def test_what_the_partner_asked_for_goes_before_our_own_wait_within_bounds() -> None:
    assert decide("Unavailable", YOUNG, rules(), retry_after=30.0) == Again(30.0)
    assert decide("Unavailable", YOUNG, rules(), retry_after=0.0) == Again(1.0)
    assert decide("Unavailable", YOUNG, rules(), retry_after=1e9) == Again(600.0)


@given(tries=st.integers(-5, 10**6), chance=st.floats(0, 1))
def test_waits_grow_and_stay_within_bounds(tries: int, chance: float) -> None:
    given = rules()
    wait = backoff(tries, given, chance=chance)
    assert 1.0 <= wait <= 60.0 * (1 + JITTER)
    assert wait <= backoff(tries + 1, given, chance=1.0)


def test_waits_double() -> None:
    assert [backoff(tries, rules(), chance=0.0) for tries in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
