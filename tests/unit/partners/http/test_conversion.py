"""Records in the forms of an API, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.errors import DeliveredUnreadable
from bridge.mapping.shapes import Field, Shape
from bridge.partners.http.conversion import Conversion, Forms

SHAPE = Shape(
    "orders",
    {
        "no": Field(name="no", kind="text"),
        "count": Field(name="count", kind="integer"),
        "amount": Field(name="amount", kind="decimal"),
        "paid": Field(name="paid", kind="boolean"),
        "due": Field(name="due", kind="date", zone="Asia/Shanghai"),
        "at": Field(name="at", kind="datetime", zone="Asia/Shanghai"),
        "tags": Field(name="tags", kind="text", repeats=True),
        "lines": Field(
            name="lines",
            kind="object",
            repeats=True,
            shape=Shape(
                "line",
                {"sku": Field(name="sku", kind="text"), "quantity": Field(name="quantity", kind="decimal")},
            ),
        ),
    },
)
VALUES: dict[str, Any] = {
    "no": "1",
    "count": 3,
    "amount": Decimal("12.50"),
    "paid": True,
    "due": date(2026, 3, 1),
    "at": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    "tags": ["a"],
    "lines": [{"sku": "S", "quantity": Decimal("1.5")}],
}


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        (Forms(), {"amount": Decimal("12.50"), "due": "2026-03-01", "at": "2026-03-01T16:30:00+08:00"}),
        (Forms(datetime="milliseconds", date="milliseconds", number="text"),
         {"amount": "12.50", "count": "3", "due": 1772294400000, "at": 1772353800000}),
        (Forms(datetime="seconds"), {"at": 1772353800}),
        (Forms(names={"no": "head/number"}), {"head": {"number": "1"}}),
    ],
)  # fmt: skip
def test_records_are_written_in_the_forms_of_the_api_and_read_back(
    forms: Forms, expected: dict[str, Any]
) -> None:
    conversion = Conversion(SHAPE, forms)
    written = conversion.write(VALUES)
    assert expected.items() <= written.items()
    assert conversion.read(written) == VALUES


def test_midnight_is_that_of_the_fields_zone() -> None:
    written = Conversion(SHAPE, Forms(date="milliseconds")).write({"due": date(2026, 3, 1)})
    moment = datetime.fromtimestamp(written["due"] / 1000, UTC)
    assert moment.astimezone(ZoneInfo("Asia/Shanghai")).hour == 0


def test_a_moment_without_a_zone_is_of_the_fields_zone() -> None:
    found = Conversion(SHAPE).read({"at": "2026-03-01 16:30:00"})["at"]
    assert found.utcoffset() == timedelta(hours=8)
    assert found == VALUES["at"]


def test_numbers_and_truths_that_come_as_texts_are_understood() -> None:
    found = Conversion(SHAPE).read({"no": 7, "count": "3", "amount": " 12.50 ", "paid": "false"})
    assert (found["no"], found["count"], found["amount"], found["paid"]) == ("7", 3, Decimal("12.50"), False)
    empty = Conversion(SHAPE).read({"count": "", "amount": "", "due": "", "at": "", "paid": ""})
    assert set(empty.values()) == {None}


def test_what_is_not_of_its_type_is_left_as_it_came() -> None:
    wrong = {
        "no": {"id": 1}, "count": "1.5", "amount": True, "paid": "perhaps", "due": "soon", "at": 5, "tags": "a", "lines": [3],
    }  # fmt: skip
    assert Conversion(SHAPE).read(wrong) == wrong
    huge = Conversion(SHAPE, Forms(datetime="milliseconds", date="milliseconds"))
    assert huge.read({"at": 10**30, "due": 10**30, "amount": "1e999999"})["at"] == 10**30


def test_nothing_is_written_as_the_api_wants_it() -> None:
    for nothing, expected in (("null", {"no": None}), ("omit", {}), ("empty", {"no": ""})):
        assert Conversion(SHAPE, Forms(nothing=nothing)).write({"no": None}) == expected  # type: ignore[arg-type]


def test_a_record_is_an_object() -> None:
    with pytest.raises(DeliveredUnreadable, match="a record is an object"):
        Conversion(SHAPE).read([])
