from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.erp.customers.credit import Credit, Money
from bridge.erp.references import Rules
from bridge.erp.sales.judging import (
    Facts,
    Finding,
    PricedLine,
    Result,
    Rule,
    ShortLine,
    judge,
    outcome_of,
    reason_of,
)
from bridge.shipped import XSD

EVERY = ("customers", "receivables", "catalog")
GOOD = Credit("A", Money(1_000_0000, "EUR"), blocked=False, name="Customer Ltd")
FACTS = Facts(
    total=100_0000,
    currency="EUR",
    lines=[PricedLine(10, 10_000000, 10_000000)],
    modules=EVERY,
    credit=GOOD,
)
STRICT = Rules(
    approval_limits={"EUR": 100_0000}, approved_grades=("A",), discount_limit=10.0, available_only=True
)


def found(rule: Rule, facts: Facts, rules: Rules = STRICT) -> Finding:
    (one,) = (finding for finding in judge(facts, rules) if finding.rule == rule)
    return one


def test_what_every_rule_passes_is_approved() -> None:
    findings = judge(FACTS, STRICT)
    assert {one.result for one in findings} == {"passed"}
    assert outcome_of(findings) == "approved"
    assert reason_of(findings) == (
        "Approved by the rules: credit, grade, overdue, total, discount, free of charge, availability."
    )


def test_rules_and_results_are_those_of_the_contract() -> None:
    schema = etree.parse(XSD / "erp" / "sales-1.xsd")
    assert schema.xpath("//*[@name='Rule']//@value") == [one.rule for one in judge(FACTS, STRICT)]
    assert schema.xpath("//*[@name='Rule']//@value") == list(get_args(Rule))
    assert schema.xpath("//*[@name='FindingResult']//@value") == list(get_args(Result))


def test_one_finding_that_asks_for_a_person_is_enough_and_gives_the_reason() -> None:
    findings = judge(replace(FACTS, overdue=True, total=100_0001), STRICT)
    assert outcome_of(findings) == "waiting"
    assert reason_of(findings) == (
        "A person must decide. The customer has overdue invoices. "
        "The total is 100.0001 EUR; approved by rule are 100.00."
    )


@given(
    limit=st.integers(0, 10**18),
    owed=st.integers(-(10**17), 10**17),
    open_orders=st.integers(0, 10**17),
    total=st.integers(0, 10**17),
)
def test_credit_is_exact_to_the_last_digit(limit: int, owed: int, open_orders: int, total: int) -> None:
    credit = GOOD._replace(limit=Money(limit, "EUR"))
    facts = replace(FACTS, credit=credit, open_items=owed, open_orders=open_orders, total=total)
    wanted = "passed" if limit - owed - open_orders - total >= 0 else "exceeded"
    assert found("credit", facts).result == wanted


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"credit": None}, "not known"),
        ({"credit": GOOD._replace(limit=None)}, "No credit limit"),
        ({"credit": GOOD._replace(limit=Money(10**17, "CNY"))}, "limit is in CNY, the order in EUR"),
        ({"other_currencies": ["CNY", "USD"]}, "open orders in CNY, USD"),
    ],
)
def test_credit_that_cannot_be_compared_asks_for_a_person_and_says_why(
    changed: dict[str, Any], words: str
) -> None:
    result, explanation = found("credit", replace(FACTS, **changed))[1:]
    assert result == "notComparable"
    assert words in explanation


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("customers", {"credit", "grade"}),
        ("receivables", {"overdue"}),
        ("catalog", {"discount", "availability"}),
    ],
)
def test_without_a_module_its_rules_are_skipped_and_name_it(module: str, rules: set[str]) -> None:
    facts = replace(FACTS, modules=[one for one in EVERY if one != module])
    skipped = [one for one in judge(facts, STRICT) if one.result == "skipped"]
    assert {one.rule for one in skipped} == rules
    assert all(f"the module {module} is off" in one.explanation for one in skipped)


def test_rules_that_the_settings_do_not_ask_for_are_skipped() -> None:
    findings = judge(FACTS, Rules(overdue_to_person=False))
    assert {one.rule for one in findings if one.result == "skipped"} == {
        "grade",
        "overdue",
        "total",
        "discount",
        "availability",
    }


def test_a_customer_without_a_grade_has_none_of_those_that_are_approved() -> None:
    assert found("grade", replace(FACTS, credit=None)).result == "notComparable"
    assert found("grade", replace(FACTS, credit=GOOD._replace(grade=None))).result == "notComparable"
    assert found("grade", replace(FACTS, credit=GOOD._replace(grade="B"))).result == "exceeded"


@pytest.mark.parametrize(
    ("unit_price", "listed", "percent", "result"),
    [
        (9_000000, 10_000000, 10.0, "passed"),
        (8_999999, 10_000000, 10.0, "exceeded"),
        (11_000000, 10_000000, 0.0, "passed"),
        (9_990000, 10_000000, 0.1, "passed"),
        (9_989999, 10_000000, 0.1, "exceeded"),
        (1, 0, 10.0, "passed"),
        (10_000000, None, 10.0, "notComparable"),
    ],
)
def test_a_discount_is_measured_line_by_line(
    unit_price: int, listed: int | None, percent: float, result: str
) -> None:
    facts = replace(FACTS, lines=[*FACTS.lines, PricedLine(20, unit_price, listed)])
    finding = found("discount", facts, replace(STRICT, discount_limit=percent))
    assert finding.result == result
    assert ("line 20" in finding.explanation) == (result != "passed")


def test_a_total_in_a_currency_without_a_limit_cannot_be_compared() -> None:
    assert found("total", replace(FACTS, currency="JPY")).result == "notComparable"


def test_lines_are_named_and_many_of_them_are_counted() -> None:
    facts = replace(FACTS, lines=[PricedLine(number, 0, 1) for number in range(1, 15)])
    assert (
        found("freeOfCharge", facts).explanation
        == "Free of charge: line 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more."
    )


def test_what_cannot_be_promised_says_how_much_can() -> None:
    facts = replace(FACTS, short=[ShortLine(10, 5_500000, 0)])
    assert "10 (5.5 wanted, 0 can be promised)" in found("availability", facts).explanation


def test_a_reason_is_never_longer_than_a_note_may_be() -> None:
    huge = 10**18 - 1
    facts = replace(
        FACTS,
        total=huge,
        lines=[PricedLine(99990 + number, 0, huge) for number in range(10)],
        short=[ShortLine(99990 + number, huge, huge - 1) for number in range(10)],
        credit=GOOD._replace(grade="D", limit=Money(0, "EUR")),
        open_items=huge,
        open_orders=huge,
        overdue=True,
    )
    findings = judge(facts, STRICT)
    assert all(one.result == "exceeded" for one in findings)
    assert len(reason_of(findings)) < 2000
    assert Decimal(huge) > 0
