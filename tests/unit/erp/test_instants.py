from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bridge.contract.codec.values import XsdDateTime
from bridge.erp.instants import instant
from bridge.store.clock import moment, stored

EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (EIGHT, EIGHT),
        (EIGHT.astimezone(timezone(timedelta(hours=8))), EIGHT),
        (XsdDateTime("2026-03-01T24:00:00Z"), datetime(2026, 3, 2, tzinfo=UTC)),
        (XsdDateTime("2026-03-02T08:00:00.0000009Z"), EIGHT),
        (XsdDateTime("12026-03-02T08:00:00Z"), LAST),
        (XsdDateTime("-0044-03-15T12:00:00Z"), FIRST),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), FIRST),
        (XsdDateTime("9999-12-31T24:00:00-14:00"), LAST),
    ],
    ids=str,
)
def test_every_point_in_time_is_one_that_can_be_kept(given: object, kept: datetime) -> None:
    assert instant(given) == stored(kept)
    assert moment(instant(given)) == kept
