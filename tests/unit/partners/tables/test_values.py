"""Values between records and columns, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.mapping.shapes import Field, Shape
from bridge.partners.sql.columns import Found, changes, misfit
from bridge.partners.sql.values import Column, Loader, Unfit, dumping, from_json, moment_text, to_json


def column(kind: Any, family: Any, *, scaled: bool = False, **options: Any) -> Column:
    return Column(Field(name="x", kind=kind, **options), "x", Found("x", family.upper(), family), scaled)


def loaded(given: list[Any], made: Column, dialect: Any = "sqlite") -> list[Any]:
    return [row[0] for row in Loader([made], dialect).load([(one,) for one in given])]


def test_amounts_keep_every_digit_and_their_scale_both_ways() -> None:
    scaled = column("decimal", "integer", scaled=True, fraction=2)
    assert [str(one) for one in loaded([1250, None, -1], scaled)] == ["12.50", "None", "-0.01"]
    assert dumping(scaled, "sqlite")(Decimal("12.5")) == 1250
    with pytest.raises(Unfit, match="more than 2 digits"):
        dumping(scaled, "sqlite")(Decimal("12.505"))
    plain = column("decimal", "text")
    assert str(loaded(["99999999999999999999.10"], plain)[0]) == "99999999999999999999.10"
    assert dumping(plain, "sqlite")(Decimal("1E+3")) == "1000"


@pytest.mark.parametrize("value", [1.5, "12,50", "NaN?"])
def test_what_is_no_exact_amount_is_told_and_not_guessed(value: Any) -> None:
    with pytest.raises(Unfit, match="x holds what is no decimal"):
        loaded([value], column("decimal", "text"))


def test_flags_are_0_and_1_in_numbers_or_bits_and_nothing_else() -> None:
    assert loaded([0, 1, None], column("boolean", "integer"), "mysql") == [False, True, None]
    assert loaded([b"\0", b"\1"], column("boolean", "bit"), "mysql") == [False, True]
    with pytest.raises(Unfit):
        loaded([2], column("boolean", "integer"), "mysql")


def test_a_moment_without_a_zone_is_in_the_zone_of_its_field() -> None:
    local = column("datetime", "datetime", zone="Asia/Shanghai")
    (found,) = loaded([datetime(2026, 3, 1, 8)], local, "mysql")
    assert found == datetime(2026, 3, 1, 0, tzinfo=UTC)
    assert dumping(local, "mysql")(datetime(2026, 3, 1, 0, tzinfo=UTC)) == datetime(2026, 3, 1, 8)
    with pytest.raises(Unfit):
        loaded(["0000-00-00 00:00:00"], local, "mysql")


def test_texts_of_moments_have_the_order_of_the_moments() -> None:
    moments = [
        datetime(2026, 3, 1, 0, 0, 0, 1, UTC),
        datetime(2026, 3, 1, 0, tzinfo=UTC),
        datetime(999, 1, 1, tzinfo=UTC),
    ]
    assert sorted(map(moment_text, moments)) == [moment_text(one) for one in sorted(moments)]


def test_objects_and_lists_come_back_from_json_as_they_were() -> None:
    fields = {
        "sku": Field(name="sku", kind="text"),
        "quantity": Field(name="quantity", kind="decimal"),
        "due": Field(name="due", kind="date"),
        "seen": Field(name="seen", kind="datetime", zone="Asia/Shanghai"),
    }
    lines = Field(name="lines", kind="object", repeats=True, shape=Shape("line", fields))
    values = [
        {
            "sku": "S",
            "quantity": Decimal("1.50"),
            "due": date(2026, 3, 1),
            "seen": datetime(2026, 3, 1, tzinfo=UTC),
        }
    ]
    assert from_json(lines, to_json(values)) == values
    with pytest.raises(Unfit, match="lines is no list"):
        from_json(lines, {"sku": "S"})


def test_rows_that_want_nothing_done_are_given_on_as_they_are() -> None:
    rows: list[tuple[Any, ...]] = [("A-1", 5)]
    assert Loader([column("text", "text"), column("integer", "integer")], "postgresql").load(rows) is rows


def test_floats_are_refused_by_the_column_and_amounts_of_sqlite_by_its_affinity() -> None:
    amount = Field(name="x", kind="decimal", fraction=2)
    assert "loses cents" in (misfit(amount, Found("x", "DOUBLE", "float"), "mysql", scaled=False) or "")
    assert "make it TEXT" in (
        misfit(amount, Found("x", "DECIMAL(18, 2)", "float"), "sqlite", scaled=False) or ""
    )
    assert misfit(amount, Found("x", "NUMERIC(18, 2)", "decimal"), "postgresql", scaled=False) is None
    assert "no integer" in (misfit(amount, Found("x", "TEXT", "text"), "sqlite", scaled=True) or "")


def test_what_has_changed_is_named_and_what_is_new_does_not_matter() -> None:
    before = {"a": "TEXT", "b": "TEXT NOT NULL"}
    assert changes(before, {"a": "TEXT", "b": "TEXT", "c": "TEXT"}) == [
        "the column b is TEXT now and was TEXT NOT NULL"
    ]
    assert changes(before, {"b": "TEXT NOT NULL"}) == ["the column a has vanished (it was TEXT)"]
