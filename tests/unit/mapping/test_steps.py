"""Steps: what each makes of a value, what it refuses, and that those with a way back come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge.mapping.converters import ALONE, NAMES, Tools, function_step
from bridge.mapping.steps import Facts, Step, Unfit
from bridge.mapping.tables import Lookup, rates_of

TOOLS = Tools(
    lookups={
        "grades": Lookup("grades", {"gold": "A", "silver": "B", "12.5": 3}, None, "m.toml:1"),
        "rest": Lookup("rest", {"gold": "A"}, "Z", "m.toml:2"),
    },
    rates={
        "r": rates_of(
            "r", {"base": "CNY", "per_unit": {"EUR": "7.8012", "JPY": "0.0465", "USD": 7}}, "m.toml:3"
        )
    },
    units={"box": ("pieces", Decimal(24))},
)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def step(name: str, given: Any = True) -> Step:
    return TOOLS.step(name, given)


@pytest.mark.parametrize(
    ("name", "given", "value", "expected"),
    [
        ("trim", True, "  a b ", "a b"),
        ("collapse", True, " a \t b ", "a b"),
        ("no_spaces", True, " 9133 02\u3000 ", "913302"),
        ("upper", True, "ab", "AB"),
        ("lower", True, "AB", "ab"),
        ("half_width", True, "ＡＢ１２　ｃ", "AB12 c"),
        ("cut", 3, "abcdef", "abc"),
        ("cut", 3, "ab cd", "ab"),
        ("part_from", 3, "abc def", "def"),
        ("keep", "+0123456789", "+86 (574) 1", "+865741"),
        ("without", "-/", "a-b/c", "abc"),
        ("replace", {"Strasse": "Str.", "Platz": "Pl."}, "Hauptstrasse, Strasse", "Hauptstrasse, Str."),
        ("prefix", "crm-", "7", "crm-7"),
        ("without_prefix", "crm-", "crm-7", "7"),
        ("pad", {"to": 5, "with": "0"}, "42", "00042"),
        ("unpad", "0", "00042", "42"),
        ("unpad", "0", "000", "0"),
        ("split", {"by": "-", "part": 2}, "a - b-c", "b"),
        ("split", {"by": "-", "part": -1}, "a-b-c", "c"),
        ("split", {"by": "-", "part": 9}, "a-b", None),
        ("split", {"by": ","}, "a, b,,c", ["a", "b", "c"]),
        ("join", ", ", ["a", None, "", "b"], "a, b"),
        ("first", True, [None, "a", "b"], "a"),
        ("last", True, ["a", "b", ""], "b"),
        ("count", True, ["a", None], 1),
        ("sum", True, [Decimal("1.5"), 2], Decimal("3.5")),
        ("text", True, Decimal("1E+3"), "1000"),
        ("text", True, True, "true"),
        ("text", True, date(2025, 1, 2), "2025-01-02"),
        ("number", True, " -12.50", Decimal("-12.50")),
        ("number", {"point": ",", "thousands": "."}, "1.234.567,8", Decimal("1234567.8")),
        ("number", True, 5, Decimal(5)),
        ("number_text", True, Decimal("1E+3"), "1000"),
        ("number_text", {"fraction": 2, "point": ",", "thousands": "."}, Decimal("1234567.005"), "1.234.567,01"),
        ("integer", True, Decimal("12.0"), 12),
        ("integer", True, "12", 12),
        ("round", 2, Decimal("2.345"), Decimal("2.35")),
        ("round", {"to": 2, "how": "half_even"}, Decimal("2.345"), Decimal("2.34")),
        ("factor", "0.001", Decimal(13250), Decimal("13.25")),
        ("unit", "t to kg", Decimal("2.5"), Decimal(2500)),
        ("unit", "lb to kg", 1, Decimal("0.45359237")),
        ("unit", "box to dozen", 2, Decimal(4)),
        ("boolean", {"yes": ["Y", "1"], "no": "N"}, "1", True),
        ("boolean", {"yes": "1", "no": "0"}, 0, False),
        ("boolean_text", {"yes": "Y", "no": "N"}, False, "N"),
        ("date", "DD.MM.YYYY", " 31.12.2025", date(2025, 12, 31)),
        ("date_text", "YYYYMMDD", date(2025, 1, 2), "20250102"),
        ("moment", "milliseconds", 1767143700123, datetime(2025, 12, 31, 1, 15, 0, 123000, tzinfo=UTC)),
        ("moment", "seconds", "0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("moment", {"form": "YYYY-MM-DD HH:mm", "zone": "Asia/Shanghai"}, "2025-12-31 08:00", datetime(2025, 12, 31, tzinfo=UTC)),
        ("moment_text", "milliseconds", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), 1000),
        ("moment_text", {"form": "DD/MM/YYYY HH:mm:ss.SSS", "zone": "Asia/Shanghai"}, datetime(2025, 12, 31, 20, 0, 0, 7000, tzinfo=UTC), "01/01/2026 04:00:00.007"),
        ("zone", "Asia/Shanghai", datetime(2025, 12, 31, 20, tzinfo=UTC), datetime(2026, 1, 1, 4, tzinfo=SHANGHAI)),
        ("day", "Asia/Shanghai", datetime(2025, 12, 31, 20, tzinfo=UTC), date(2026, 1, 1)),
        ("start_of_day", "Asia/Shanghai", date(2026, 1, 1), datetime(2025, 12, 31, 16, tzinfo=UTC)),
        ("lookup", "grades", "gold", "A"),
        ("lookup", "grades", Decimal("12.50"), 3),
        ("lookup", "rest", "iron", "Z"),
        ("currency", {"from": "EUR", "to": "CNY", "rates": "r"}, Decimal("100"), Decimal("780.12")),
        ("currency", {"from": "EUR", "to": "JPY", "rates": "r", "fraction": 0}, 1, Decimal(168)),
        ("currency", {"from": "CNY", "to": "CNY", "rates": "r"}, Decimal("1.005"), Decimal("1.005")),
    ],
)  # fmt: skip
def test_what_a_step_makes_of_a_value(name: str, given: Any, value: Any, expected: Any) -> None:
    made = step(name, given).run(value)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "value", "expected"),
    [
        ("trim", True, 7, "a text"),
        ("cut", 3, 7, "a text"),
        ("without_prefix", "crm-", "7", "a text that begins with 'crm-'"),
        ("number", True, "1,5", "a number like -1250.5"),
        ("number", {"point": ",", "thousands": "."}, "1.20", "a number like -1.250,5"),
        ("number", True, "1e5", "a number like -1250.5"),
        ("number", True, "٣", "a number like -1250.5"),
        ("number", True, True, "a number like -1250.5"),
        ("number_text", True, 1.5, "a number"),
        ("round", 2, "2", "a number"),
        ("round", 2, Decimal("NaN"), "a number"),
        ("integer", True, Decimal("12.5"), "a whole number"),
        ("integer", True, "twelve", "a whole number"),
        ("integer", True, "Infinity", "a whole number"),
        ("boolean", {"yes": "Y", "no": "N"}, "y", "one of Y, N"),
        ("boolean_text", {"yes": "Y", "no": "N"}, 1, "true or false"),
        ("date", "DD.MM.YYYY", "2025-12-31", "a date like DD.MM.YYYY"),
        ("date", "DD.MM.YYYY", "31.02.2025", "a day that there is, like DD.MM.YYYY"),
        ("date_text", "YYYYMMDD", datetime(2025, 1, 1, tzinfo=UTC), "a date"),
        ("moment", "milliseconds", "soon", "milliseconds since 1970"),
        ("moment", "milliseconds", 10**30, "milliseconds since 1970"),
        ("moment", "milliseconds", True, "milliseconds since 1970"),
        ("moment", {"form": "YYYY-MM-DD HH:mm", "zone": "Europe/Berlin"}, "2025-03-30 02:30", "a moment that there is in Europe/Berlin"),
        ("moment", {"form": "YYYY-MM-DD HH:mm", "zone": "Europe/Berlin"}, datetime(2025, 1, 1), "a moment with a zone"),
        ("zone", "UTC", datetime(2025, 1, 1), "a moment with a zone"),
        ("lookup", "grades", "iron", "a value of the lookup grades: gold, silver, 12.5"),
        ("lookup", "rest", ["gold"], "one value"),
        ("sum", True, ["x"], "a number"),
    ],
)  # fmt: skip
def test_what_a_step_refuses_says_what_was_expected(name: str, given: Any, value: Any, expected: str) -> None:
    with pytest.raises(Unfit) as caught:
        step(name, given).run(value)
    assert caught.value.expected == expected


def test_an_unknown_currency_names_the_rates_and_where_they_are() -> None:
    with pytest.raises(Unfit) as caught:
        step("currency", {"of": "c", "to": "CNY", "rates": "r"}).run(Decimal(1), "XYZ")
    assert caught.value.expected == "a currency of the rates r: CNY, EUR, JPY, USD; 'XYZ' is none"
    assert caught.value.advice == "add its rate at m.toml:3, or correct the currency in the record"


def test_every_step_is_told_what_it_is_by_its_name() -> None:
    for name in set(NAMES) - ALONE:
        with pytest.raises(ValueError, match=f"^{name} "):
            step(name, object())


def test_a_users_function_may_refuse_fail_or_give_nothing() -> None:
    def picky(value: str) -> str | None:
        if value == "bad":
            raise ValueError("a name without digits")
        return None if value == "none" else {"a": value}[value]

    made = function_step("picky", picky)
    assert made.run("a") == "a"
    assert made.run("none") is None
    with pytest.raises(Unfit, match=r"^a name without digits$"):
        made.run("bad")
    with pytest.raises(Unfit, match="it failed with KeyError: 'b'"):
        made.run("b")


# -- those with a way back

TEXTS = st.text("abcB 0-é,", min_size=1, max_size=12)
FEW = settings(max_examples=40)
EXACT = st.decimals(-(10**9), 10**9, places=4)
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 30))

BACK_AND_FORTH: list[tuple[str, Any, st.SearchStrategy[Any]]] = [
    ("prefix", "crm-", TEXTS),
    ("pad", {"to": 9, "with": "0"}, st.integers(0, 10**10).map(str)),
    ("number_text", {"point": ","}, EXACT),
    ("boolean_text", {"yes": "Y", "no": "N"}, st.booleans()),
    ("date_text", "DD.MM.YYYY", DAYS),
    ("moment_text", "milliseconds", MOMENTS.map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000))),
    ("moment_text", "seconds", MOMENTS.map(lambda one: one.replace(microsecond=0))),
    ("start_of_day", "Asia/Shanghai", st.dates(date(1995, 1, 1), date(2100, 1, 1))),
    ("unit", "t to kg", EXACT),
    ("unit", "dozen to pc", EXACT),
    ("factor", "0.125", EXACT),
    ("lookup", "grades", st.sampled_from(["gold", "silver", "12.5"])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given_", "values"), BACK_AND_FORTH, ids=lambda one: str(one)[:20])
@FEW
@given(data=st.data())
def test_a_step_with_a_way_back_comes_back(
    name: str, given_: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    there = step(name, given_)
    assert there.back is not None
    assert there.back().run(there.run(value)) == value


@FEW
@given(
    MOMENTS, st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
)
def test_a_moment_written_in_a_zone_is_read_as_the_same_unless_clocks_were_put_back(
    moment: datetime, zone: str
) -> None:
    moment = moment.replace(microsecond=0)
    there = step("moment_text", {"form": "YYYY-MM-DD HH:mm:ss", "zone": zone})
    assert there.back is not None
    again = there.back().run(there.run(moment))
    local = moment.astimezone(ZoneInfo(zone))
    # In the hour that there is twice the first is meant.
    assert again == moment or (local.fold == 1 and moment - again <= timedelta(hours=1))


@pytest.mark.parametrize("given_", ["7", "3", "0.7"])
def test_a_factor_whose_inverse_does_not_end_has_no_way_back(given_: str) -> None:
    assert step("factor", given_).back is None


# -- what is known before there is a value

FACTED: list[tuple[str, Any, st.SearchStrategy[str]]] = [
    (name, given_, TEXTS)
    for name, given_ in [
        ("trim", True), ("collapse", True), ("no_spaces", True), ("cut", 5), ("part_from", 2), ("prefix", "ab"), ("without", "ab"),
        ("keep", "abc "), ("pad", {"to": 4, "with": "0"}), ("unpad", "0"), ("split", {"by": "a", "part": 1}),
    ]
]  # fmt: skip


@pytest.mark.parametrize(("name", "given_", "values"), FACTED, ids=lambda one: str(one)[:20])
@FEW
@given(data=st.data())
def test_lengths_that_are_known_hold(
    name: str, given_: Any, values: st.SearchStrategy[str], data: st.DataObject
) -> None:
    value = data.draw(values)
    made = step(name, given_).run(value)
    known = step(name, given_).after(Facts(kind="text", shortest=len(value), longest=len(value)))
    assume(made)  # an empty text counts as none
    assert known.longest is None or len(made) <= known.longest
    assert known.shortest is None or len(made) >= known.shortest


@FEW
@given(value=st.text("aßİ¼ﬁé１", max_size=8))
def test_upper_and_lower_promise_no_length_that_they_do_not_keep(value: str) -> None:
    for name in ("upper", "lower", "half_width"):
        made = step(name).run(value)
        known = step(name).after(Facts(kind="text", shortest=len(value), longest=len(value)))
        assert known.longest is None or len(made) <= known.longest


@pytest.mark.parametrize(
    ("name", "given_"),
    [("round", 1), ("round", 0), ("factor", "2.5"), ("factor", "0.01"), ("unit", "kg to t")],
)
@FEW
@given(value=EXACT)
def test_bounds_and_digits_that_are_known_hold(name: str, given_: Any, value: Decimal) -> None:
    made = step(name, given_).run(value)
    known = step(name, given_).after(Facts(kind="decimal", fraction=4, least=value, most=value))
    assert known.least is not None
    assert known.most is not None
    assert known.least <= made <= known.most
    behind = max(0, -int(made.normalize().as_tuple().exponent))
    assert known.fraction is not None
    assert behind <= known.fraction
