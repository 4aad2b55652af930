"""One time limit for everything that one act takes."""

from __future__ import annotations

import pytest

from bridge.errors import NotSent, Unavailable
from bridge.partners.http.bucket import Bucket
from bridge.partners.http.time_left import left, within


def test_a_step_has_its_own_time_or_what_is_left_of_the_whole() -> None:
    assert left(30) == 30
    with within(5):
        assert left(3) == 3
        assert 4 < left(30) <= 5
        with within(60):
            assert left(30) <= 5, "an inner limit gives no more than the outer one"
        with within(1):
            assert left(30) <= 1
        assert 4 < left(30) <= 5
    assert left(30) == 30


def test_when_nothing_is_left_nothing_is_sent() -> None:
    with within(0), pytest.raises(NotSent, match="before the request was sent"):
        left(30)


def test_the_limit_goes_when_what_is_inside_fails() -> None:
    with pytest.raises(ValueError, match="x"), within(0):
        raise ValueError("x")
    assert left(30) == 30


def test_nobody_waits_longer_for_a_place_than_is_left() -> None:
    bucket = Bucket(1, 60, patience=100)
    bucket.take()
    with within(1), pytest.raises(Unavailable) as caught:
        bucket.take()
    assert 50 < (caught.value.retry_after or 0) <= 60


def test_so_many_calls_in_any_stretch_of_time_and_none_while_shut() -> None:
    bucket = Bucket(2, 60, patience=0)
    bucket.take()
    bucket.take()
    with pytest.raises(Unavailable):
        bucket.take()
    free = Bucket(patience=0)
    for _ in range(100):
        free.take()
    free.shut(30)
    with pytest.raises(Unavailable) as caught:
        free.take()
    assert 29 < (caught.value.retry_after or 0) <= 30
