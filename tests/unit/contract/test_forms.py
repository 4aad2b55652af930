from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.contract.codec.simple import scalar
from bridge.contract.model import Facets, SimpleType


def written(builtin: str, pattern: str, value: Any, **facets: Any) -> str:
    steps = (Facets(patterns=(pattern,)), *((Facets(**facets),) if facets else ()))
    return scalar(SimpleType(name=None, builtin=builtin, steps=steps)).encode(value)


@pytest.mark.parametrize(("builtin", "pattern", "value", "text"), [
    ("integer", "[0-9]{6}", 42, "000042"), ("int", "-[0-9]{3}", -7, "-007"), ("long", r"\+[0-9]+", 5, "+5"),
    ("unsignedByte", "0[0-9]+", 5, "05"), ("integer", "[0-9]{1,3}", 42, "42"), ("decimal", r"[0-9]+\.[0-9]{2}", Decimal("10.5"), "10.50"),
    ("decimal", r"[0-9]+\.[0-9]{2}", Decimal(5), "5.00"), ("decimal", r"[0-9]+\.[0-9]{2}", Decimal("1.5000"), "1.50"),
    ("decimal", "[0-9]+", Decimal("7.00"), "7"), ("decimal", r"[0-9]{4}\.[0-9]", Decimal("7.5"), "0007.5"),
    ("boolean", "[01]", True, "1"), ("boolean", "[01]", False, "0"), ("double", "[0-9]+", 1000.0, "1000"), ("hexBinary", "[0-9a-f]*", b"\xab", "ab"),
    ("dateTime", r".*\.[0-9]{3}Z", datetime(2024, 1, 1, microsecond=500000, tzinfo=UTC), "2024-01-01T00:00:00.500Z"),
    ("dateTime", r".*\.[0-9]{3}Z", datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00.000Z"),
    ("dateTime", r".*\+00:00", datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
    ("time", r"[0-9:]{8}", datetime(2024, 1, 1, 5).time(), "05:00:00"),
])  # fmt: skip
def test_a_value_takes_the_form_its_pattern_asks_for(
    builtin: str, pattern: str, value: Any, text: str
) -> None:
    assert written(builtin, pattern, value) == text


@pytest.mark.parametrize(("builtin", "pattern", "value", "text"), [
    ("integer", "[0-9]{3}", 12345, "12345"), ("decimal", r"[0-9]\.[0-9]", Decimal("1.25"), "1.25"), ("boolean", "yes", True, "true"),
    ("dateTime", ".*Z", datetime(2024, 1, 1), "2024-01-01T00:00:00"),
])  # fmt: skip
def test_no_form_of_another_value_is_tried(builtin: str, pattern: str, value: Any, text: str) -> None:
    assert written(builtin, pattern, value) == text


@pytest.mark.parametrize(("builtin", "pattern", "value"), [
    ("integer", "[0-9]+", 5), ("decimal", r"-?[0-9]+(\.[0-9]+)?", Decimal(5)), ("dateTime", r"[0-9:T.\-]+(Z|[+\-][0-9][0-9]:[0-9][0-9])", datetime.now(UTC)),
])  # fmt: skip
def test_a_pattern_that_admits_the_usual_forms_costs_nothing(builtin: str, pattern: str, value: Any) -> None:
    def encode_of(*steps: Facets) -> Callable[[Any], str]:
        return scalar(SimpleType(name=None, builtin=builtin, steps=steps)).encode

    assert encode_of(Facets(patterns=(pattern,))) is encode_of()


def test_a_form_is_judged_by_the_patterns_alone() -> None:
    assert written("integer", "[0-9]{6}", 42, max_inclusive="10") == "000042"
