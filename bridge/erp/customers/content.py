"""The contract's Customer as it is kept, and back. Pure.

It is kept as it was sent, figures included: a limit of 100.50 comes back as 100.50.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from bridge.erp.documents import Json, address, given, note, packed, unpacked
from bridge.erp.figures import MONEY_DIGITS, scaled


class Content(NamedTuple):
    """What a request says of a customer: columns of `customer`, in the table's order."""

    country: str
    external_reference: str | None
    blocked: int
    merged_into: str | None
    credit_grade: str | None
    credit_limit: int | None
    credit_currency: str | None
    details: str


def content(wanted: Any, details: Json) -> Content:
    """The columns of a decoded Customer, whose `details_of` are these.

    Raises:
        ValueError: a credit limit has more digits than fit; the contract's schema admits none.
    """
    credit = wanted.credit
    limit = None if credit is None else credit.limit
    return Content(
        wanted.country,
        wanted.externalReference,
        int(wanted.blocked is not None),
        wanted.mergedInto,
        None if credit is None else credit.grade,
        None if limit is None else scaled(limit.value, MONEY_DIGITS),
        None if limit is None else limit.currency,
        packed(details),
    )


def details_of(wanted: Any) -> Json:
    """A decoded Customer with the contract's names, without what is absent."""
    details = given(
        wanted,
        "code",
        "name",
        "country",
        "taxNumber",
        "email",
        "phone",
        "currency",
        "externalReference",
        "mergedInto",
    )
    if wanted.otherName:
        details["otherName"] = list(wanted.otherName)
    if wanted.address:
        details["address"] = [_address(one) for one in wanted.address]
    if wanted.contact:
        details["contact"] = [given(one, "name", "role", "phone", "email") for one in wanted.contact]
    if wanted.paymentTerms is not None:
        details["paymentTerms"] = given(wanted.paymentTerms, "method", "netDays")
    if wanted.credit is not None:
        details["credit"] = _credit(wanted.credit)
    if wanted.blocked is not None:
        details["blocked"] = {"reason": note(wanted.blocked.reason)}
    return details


def customer_of(details: str) -> Json:
    """The contract's Customer, of what `content` kept."""
    customer = unpacked(details)
    limit = customer.get("credit", {}).get("limit")
    if limit is not None:
        limit["value"] = Decimal(limit["value"])
    return customer


def _address(wanted: Any) -> Json:
    return {**given(wanted, "number"), "use": list(wanted.use), "address": address(wanted.address)}


def _credit(wanted: Any) -> Json:
    kept = given(wanted, "grade")
    if wanted.limit is not None:
        kept["limit"] = {"value": str(wanted.limit.value), "currency": wanted.limit.currency}
    return kept
