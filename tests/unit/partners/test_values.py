from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import Unpresentable
from bridge.mapping.shapes import Field, Shape
from bridge.partners.entities import Entity
from bridge.partners.values import fitting, misfits

SHAPE = Shape(
    "accounts",
    {
        "no": Field(name="no", kind="text", required=True, longest=5),
        "level": Field(name="level", kind="text", one_of=("A", "B")),
        "credit": Field(name="credit", kind="decimal", digits=5, fraction=2, least=Decimal(0)),
        "count": Field(name="count", kind="integer"),
        "active": Field(name="active", kind="boolean"),
        "since": Field(name="since", kind="date"),
        "changed": Field(name="changed", kind="datetime"),
        "line": Field(
            name="line",
            kind="object",
            repeats=True,
            shape=Shape("line", {"sku": Field(name="sku", kind="text", required=True)}),
        ),
    },
)
ENTITY = Entity(name="accounts", id="no", shape=SHAPE, place="crm.toml:1")
GOOD: dict[str, Any] = {
    "no": "A-1",
    "level": "A",
    "credit": Decimal("999.50"),
    "count": 3,
    "active": True,
    "since": date(2026, 1, 1),
    "changed": datetime(2026, 1, 1, tzinfo=UTC),
    "line": [{"sku": "S"}],
}


def test_values_that_fit_are_taken_as_they_are() -> None:
    assert fitting(ENTITY, GOOD, whole=True) == GOOD
    assert fitting(ENTITY, {**GOOD, "level": None}, whole=True)["level"] is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"no": None}, "accounts/no: is required and missing"),
        ({"no": "A-1234"}, "accounts/no: has 6 characters, 5 are the most"),
        ({"nr": "A-1"}, "accounts/nr: there is no such field"),
        ({"level": "C"}, "accounts/level: 'C' is none of A, B"),
        ({"credit": 1.5}, "accounts/credit: a decimal number is expected, not 1.5"),
        ({"credit": Decimal("NaN")}, "accounts/credit: a decimal number is expected, not Decimal('NaN')"),
        (
            {"credit": Decimal("1.005")},
            "accounts/credit: 1.005 has 3 digits behind the point, 2 are the most",
        ),
        ({"credit": Decimal(100000)}, "accounts/credit: 100000 has too many digits, 5 are the most"),
        ({"credit": Decimal(-1)}, "accounts/credit: -1 is less than 0"),
        ({"count": True}, "accounts/count: a whole number is expected, not True"),
        ({"active": 1}, "accounts/active: true or false is expected, not 1"),
        ({"since": datetime(2026, 1, 1, tzinfo=UTC)}, "accounts/since: a date is expected, not"),
        ({"changed": datetime(2026, 1, 1)}, "accounts/changed: a moment with its zone is expected, not"),
        ({"line": {"sku": "S"}}, "accounts/line: is a list, not dict"),
        ({"line": ["S"]}, "accounts/line[1]: is an object, not str"),
        ({"line": [{"sku": "S"}, {}]}, "accounts/line[2]/sku: is required and missing"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(wrong: dict[str, Any], told: str) -> None:
    (mistake,) = misfits(SHAPE, {**GOOD, **wrong})
    assert mistake.startswith(told)
    with pytest.raises(Unpresentable, match="Nothing was accepted"):
        fitting(ENTITY, {**GOOD, **wrong}, whole=True)


def test_an_update_needs_its_id_and_no_more() -> None:
    assert fitting(ENTITY, {"no": "A-1"}, whole=False) == {"no": "A-1"}
    with pytest.raises(Unpresentable, match="accounts/no: names the record and is missing"):
        fitting(ENTITY, {"level": "A"}, whole=False)


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(Unpresentable, match="values are a dict by field, not list"):
        fitting(ENTITY, [GOOD], whole=True)
