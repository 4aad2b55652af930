"""The rules by which an order is approved without a person, or waits for one: facts in, findings out. Pure.

Each rule finds one thing and says it with its figures. An order is approved when no finding asks for a person. What cannot be compared
asks for one: a limit in another currency is not a limit of nothing. What is not asked for, or whose module is not there, is skipped, and
the decision says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from bridge.erp.figures import PRICE_DIGITS, money, plain, quantity

if TYPE_CHECKING:
    from bridge.erp.customers.credit import Credit
    from bridge.erp.references import Rules

Rule = Literal["credit", "grade", "overdue", "total", "discount", "freeOfCharge", "availability"]
Result = Literal["passed", "exceeded", "notComparable", "skipped"]
Outcome = Literal["approved", "waiting"]

_FOR_A_PERSON: Final = ("exceeded", "notComparable")
_MOST_LINES: Final = 10
"""Lines that one explanation names."""


class Finding(NamedTuple):
    """What one rule found. `explanation` is for people, in English."""

    rule: Rule
    result: Result
    explanation: str


class PricedLine(NamedTuple):
    """A line's prices, scaled; `listed` is the catalog's, None where it has none in this unit and currency."""

    line_number: int
    unit_price: int
    listed: int | None


class ShortLine(NamedTuple):
    """A line that cannot be delivered by the day it is wanted. Quantities are scaled."""

    line_number: int
    wanted: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when an order is judged. Amounts are scaled, in the order's currency.

    Args:
        modules: those that could be asked.
        credit: None where the customer is unknown, or `customers` was not asked.
        open_items: what the customer owes; 0 where `receivables` was not asked.
        overdue: whether any of it is overdue.
        open_orders: what approved orders, without this one, will come to.
        other_currencies: those of the customer's approved orders that are in another one.
    """

    total: int
    currency: str
    lines: Sequence[PricedLine]
    modules: Sequence[str]
    credit: Credit | None = None
    open_items: int = 0
    overdue: bool = False
    open_orders: int = 0
    other_currencies: Sequence[str] = ()
    short: Sequence[ShortLine] = ()


def judge(facts: Facts, rules: Rules) -> list[Finding]:
    """What every rule finds, in the order of the contract."""
    return [Finding(rule, *find(facts, rules)) for rule, find in _RULES.items()]


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """What the findings come to."""
    return "waiting" if any(one.result in _FOR_A_PERSON for one in findings) else "approved"


def reason_of(findings: Sequence[Finding]) -> str:
    """Why, in one sentence or two, for people."""
    asking = [one for one in findings if one.result in _FOR_A_PERSON]
    if asking:
        return "A person must decide. " + " ".join(one.explanation for one in asking)
    passed = [one.rule for one in findings if one.result == "passed"]
    skipped = [one.rule for one in findings if one.result == "skipped"]
    return f"Approved by the rules: {_listed(passed)}." + (
        f" Not checked: {_listed(skipped)}." if skipped else ""
    )


Found = tuple[Result, str]


def _credit(facts: Facts, _rules: Rules) -> Found:
    if "customers" not in facts.modules:
        return "skipped", "No credit was checked: the module customers is off."
    if facts.credit is None:
        return "notComparable", "The customer is not known, so that nobody has granted it credit."
    limit, currency = facts.credit.limit, facts.currency
    if limit is None:
        return "notComparable", "No credit limit is set for the customer."
    if limit.currency != currency:
        return "notComparable", f"The credit limit is in {limit.currency}, the order in {currency}."
    if facts.other_currencies:
        others = ", ".join(facts.other_currencies)
        return "notComparable", f"The customer has open orders in {others} beside the limit in {currency}."
    used = facts.open_items + facts.open_orders
    left = limit.amount - used - facts.total
    items = f"open items {_money(facts.open_items, facts)}"
    if "receivables" not in facts.modules:
        items = "open items not counted, as the module receivables is off"
    sums = (
        f"credit limit {_money(limit.amount, facts)}, {items}, open orders {_money(facts.open_orders, facts)}, "
        f"this order {_money(facts.total, facts)}"
    )
    if left < 0:
        return "exceeded", f"The credit limit is exceeded by {_money(-left, facts)} {currency}: {sums}."
    return "passed", f"{_money(left, facts)} {currency} of the credit limit are left: {sums}."


def _grade(facts: Facts, rules: Rules) -> Found:
    if not rules.approved_grades:
        return "skipped", "The settings name no grades."
    if "customers" not in facts.modules:
        return "skipped", "No grade was checked: the module customers is off."
    grade = None if facts.credit is None else facts.credit.grade
    approved = ", ".join(rules.approved_grades)
    if grade is None:
        return "notComparable", f"The customer has no credit grade; approved by rule are {approved}."
    if grade not in rules.approved_grades:
        return "exceeded", f"The customer's credit grade is {grade}; approved by rule are {approved}."
    return "passed", f"The customer's credit grade is {grade}."


def _overdue(facts: Facts, rules: Rules) -> Found:
    if not rules.overdue_to_person:
        return "skipped", "The settings do not ask for it."
    if "receivables" not in facts.modules:
        return "skipped", "No invoices were checked: the module receivables is off."
    if facts.overdue:
        return "exceeded", "The customer has overdue invoices."
    return "passed", "Nothing is overdue."


def _total(facts: Facts, rules: Rules) -> Found:
    if not rules.approval_limits:
        return "skipped", "The settings name no limit."
    limit = rules.approval_limits.get(facts.currency)
    if limit is None:
        return "notComparable", f"The settings name no limit in {facts.currency}."
    sums = f"{_money(facts.total, facts)} {facts.currency}; approved by rule are {_money(limit, facts)}"
    if facts.total > limit:
        return "exceeded", f"The total is {sums}."
    return "passed", f"The total is {sums}."


def _discount(facts: Facts, rules: Rules) -> Found:
    limit = rules.discount_limit
    if limit >= 100:
        return "skipped", "The settings name no limit."
    if "catalog" not in facts.modules:
        return "skipped", "No list prices were checked: the module catalog is off."
    unlisted = [str(line.line_number) for line in facts.lines if line.listed is None]
    if unlisted:
        return "notComparable", f"There is no list price for {_of_lines(unlisted)}."
    # By way of its text: 0.1 percent is a tenth, not the nearest binary fraction.
    share = 1 - Decimal(str(limit)) / 100
    low = [
        f"{line.line_number} ({plain(line.unit_price, PRICE_DIGITS):f} instead of {plain(line.listed, PRICE_DIGITS):f})"
        for line in facts.lines
        if line.listed is not None and line.unit_price < line.listed * share
    ]
    if low:
        return "exceeded", f"More than {limit:g} percent below the list price: {_of_lines(low)}."
    return "passed", f"No line is more than {limit:g} percent below its list price."


def _free_of_charge(facts: Facts, _rules: Rules) -> Found:
    free = [str(line.line_number) for line in facts.lines if line.unit_price == 0]
    if free:
        return "exceeded", f"Free of charge: {_of_lines(free)}."
    return "passed", "Every line has a price."


def _availability(facts: Facts, rules: Rules) -> Found:
    if not rules.available_only:
        return "skipped", "The settings do not ask for it."
    if "catalog" not in facts.modules:
        return "skipped", "No stock was checked: the module catalog is off."
    short = [
        f"{line.line_number} ({quantity(line.wanted):f} wanted, {quantity(line.available):f} can be promised)"
        for line in facts.short
    ]
    if short:
        return "exceeded", f"Not there by the day it is wanted: {_of_lines(short)}."
    return "passed", "Everything can be promised for the day it is wanted."


_RULES: Final[dict[Rule, Callable[[Facts, Rules], Found]]] = {
    "credit": _credit,
    "grade": _grade,
    "overdue": _overdue,
    "total": _total,
    "discount": _discount,
    "freeOfCharge": _free_of_charge,
    "availability": _availability,
}


def _money(number: int, facts: Facts) -> str:
    return f"{money(number, facts.currency):f}"


def _listed(rules: Sequence[str]) -> str:
    return ", ".join(_words(rules)) or "none"


def _words(rules: Iterable[str]) -> Iterator[str]:
    for rule in rules:
        yield "free of charge" if rule == "freeOfCharge" else rule


def _of_lines(lines: Sequence[str]) -> str:
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f"line {', '.join(lines[:_MOST_LINES])}{more}"
