"""Invoices and credit notes, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bridge.erp.receivables.open_items import open_amount, overdue
from tests.integration.erp.desk import Desk, invoice, payment, to


def figures(reply: object) -> tuple[Decimal, ...]:
    return tuple(getattr(reply, name).value for name in ("net", "tax", "total"))


def test_an_invoice_is_computed_and_read_back_as_it_was_sent(desk: Desk) -> None:
    sent = invoice(
        ("3", "33.335", "19"),
        ("1", "10", "19"),
        ("2", "5", None),
        orderReference="SO-2026-000001",
        customerReference="PO 77/3",
        paymentTerms={"method": "bankTransfer", "netDays": 30},
        note=[{"value": "Ware bleibt Eigentum", "language": "de"}],
    )
    made = desk.do("receivables", "CreateInvoice", invoice=sent)
    # 3 × 33.335 = 100.005 is 100.01; 19 % of 110.01 is 20.9019.
    assert figures(made) == (Decimal("120.01"), Decimal("20.90"), Decimal("140.91"))
    assert (made.state, made.dueDate) == ("open", date(2026, 4, 1))
    got = desk.do("receivables", "GetInvoice", invoice={"invoiceNumber": made.invoiceNumber})
    assert figures(got) == figures(made)
    assert [(one.rate, one.net.value, one.tax.value) for one in got.taxOfRate] == [
        (0, 10, 0),
        (19, Decimal("110.01"), Decimal("20.90")),
    ]
    assert (got.paid.value, got.open.value, got.payment, got.cancellation) == (
        0,
        Decimal("140.91"),
        [],
        None,
    )
    assert got.changedAt == got.createdAt == made.createdAt
    again = got.invoice
    assert (again.orderReference, again.customerReference, again.dueDate) == (
        "SO-2026-000001",
        "PO 77/3",
        None,
    )
    assert again.paymentTerms.netDays == 30
    assert [(one.value, one.language) for one in again.note] == [("Ware bleibt Eigentum", "de")]
    assert [(one.lineNumber, one.item.sku, one.unitPrice, one.taxRate) for one in again.line] == [
        (10, "S-1", Decimal("33.335"), 19),
        (20, "S-2", 10, 19),
        (30, "S-3", 5, None),
    ]


@pytest.mark.parametrize(
    ("currency", "unit_price", "expected"),
    [
        ("JPY", "100.5", (101, 10, 111)),
        ("KWD", "1.0005", (Decimal("1.001"), Decimal("0.100"), Decimal("1.101"))),
    ],
)
def test_figures_are_rounded_to_what_the_currency_is_paid_in(
    desk: Desk, currency: str, unit_price: str, expected: tuple[Decimal, ...]
) -> None:
    made = desk.do(
        "receivables", "CreateInvoice", invoice=invoice(("1", unit_price, "10"), currency=currency)
    )
    assert figures(made) == expected


def test_the_day_it_is_due_is_the_callers_before_that_of_the_terms(desk: Desk) -> None:
    terms = {"method": "bankTransfer", "netDays": 30}
    for fields, due in (
        ({}, date(2026, 3, 2)),
        ({"paymentTerms": terms}, date(2026, 4, 1)),
        ({"paymentTerms": terms, "dueDate": date(2026, 3, 15)}, date(2026, 3, 15)),
        ({"paymentTerms": terms, "invoiceDate": date(9999, 12, 30)}, date.max),
    ):
        made = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "1", None), **fields))
        assert made.dueDate == due


def test_an_invoice_over_nothing_is_paid(desk: Desk) -> None:
    made = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "0", "19")))
    assert made.state == "paid"
    assert desk.do("receivables", "ListOpenItems").item == []


def test_a_request_id_issues_one_invoice_for_good(desk: Desk) -> None:
    made = desk.do("receivables", "CreateInvoice", requestId="r-1", invoice=invoice(("1", "1", None)))
    refusal = desk.refused("receivables", "CreateInvoice", requestId="r-1", invoice=invoice(("2", "1", None)))
    assert (refusal.name, refusal.texts("requestId")) == ("KeyReused", ["r-1"])
    found = desk.do("receivables", "GetInvoice", invoice={"requestId": "r-1"})
    assert found.invoiceNumber == made.invoiceNumber
    assert desk.count("SELECT SUM(open) FROM customer_account") == 1_0000


def test_a_currency_that_is_none_is_refused(desk: Desk) -> None:
    refusal = desk.refused("receivables", "CreateInvoice", invoice=invoice(("1", "1", None), currency="EUX"))
    assert refusal.name == "UnknownCurrency"
    assert refusal.texts("currency") == ["EUX"]
    assert refusal.texts("path") == ["/CreateInvoice/invoice/currency"]


def test_more_than_can_be_kept_is_refused(desk: Desk) -> None:
    huge = ("999999999", "99999", None)
    desk.do("receivables", "CreateInvoice", invoice=invoice(huge))
    refusal = desk.refused("receivables", "CreateInvoice", invoice=invoice(huge))
    assert refusal.name == "LimitExceeded", "what the customer owes has more digits than can be kept"
    refusal = desk.refused("receivables", "CreateInvoice", invoice=invoice(("999999999", "999999999", None)))
    assert refusal.name == "LimitExceeded"


@pytest.mark.parametrize(
    "number", ["IN-2026-999999", "IN-2019-000001", "IN-2026-99999999999"], ids=["no row", "year", "large"]
)
def test_an_invoice_that_is_not_there_is_not_found(desk: Desk, number: str) -> None:
    desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "1", None)))
    for operation, values in (
        ("GetInvoice", {"invoice": {"invoiceNumber": number}}),
        ("CancelInvoice", {"invoiceNumber": number, "reason": {"value": "x"}}),
    ):
        refusal = desk.refused("receivables", operation, **values)
        assert (refusal.name, refusal.texts("identifier")) == ("NotFound", [number])


# -- cancelled


def test_a_cancelled_invoice_owes_nothing_and_its_money_is_on_account_again(desk: Desk) -> None:
    number = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "100", None))).invoiceNumber
    other = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "50", None))).invoiceNumber
    paid = desk.do(
        "receivables", "RecordPayment", payment=payment("70", allocation=[to(number, "60"), to(other)])
    )
    gone = desk.do(
        "receivables",
        "CancelInvoice",
        invoiceNumber=number,
        reason={"value": "wrong price", "language": "en"},
    )
    assert (gone.state, gone.credited.value, gone.onAccount.value) == ("cancelled", 100, 60)
    got = desk.do("receivables", "GetInvoice", invoice={"invoiceNumber": number})
    assert (got.state, got.paid.value, got.open.value, got.payment) == ("cancelled", 0, 0, [])
    assert got.cancellation.creditNoteNumber == gone.creditNoteNumber
    assert (got.cancellation.reason.value, got.cancellation.cancelledAt) == ("wrong price", got.changedAt)
    now = desk.do("receivables", "GetPayment", payment={"paymentNumber": paid.paymentNumber})
    assert (now.allocated.value, now.onAccount.value, now.revision) == (10, 60, 2)
    assert [(one.invoiceNumber, one.amount.value) for one in now.invoice] == [(other, 10)]
    assert [one.invoiceNumber for one in desk.do("receivables", "ListOpenItems").item] == [other]
    with desk.store.reading() as session:
        assert open_amount(session, "CU-1", "EUR") == (50 - 10 - 60) * 10_000


def test_an_invoice_is_cancelled_once(desk: Desk) -> None:
    number = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "1", None))).invoiceNumber
    desk.do("receivables", "CancelInvoice", invoiceNumber=number, reason={"value": "x"})
    refusal = desk.refused("receivables", "CancelInvoice", invoiceNumber=number, reason={"value": "x"})
    assert (refusal.name, refusal.texts("state")) == ("InvalidState", ["cancelled"])
    assert refusal.texts("allowed") == ["open", "partiallyPaid", "paid"]
    assert desk.count("SELECT COUNT(*) FROM credit_note") == 1


# -- what is open


def test_open_items_are_filtered_by_customer_currency_and_what_is_overdue(desk: Desk) -> None:
    today = desk.do("receivables", "ListOpenItems").asOf.date()
    late, next_month = today - timedelta(days=40), today + timedelta(days=30)
    issued = [
        desk.do(
            "receivables",
            "CreateInvoice",
            invoice=invoice(("1", "10", None), customer=customer, currency=currency, dueDate=due),
        ).invoiceNumber
        for customer, currency, due in (
            ("CU-1", "EUR", late),
            ("CU-1", "USD", next_month),
            ("CU-2", "EUR", next_month),
            ("CU-2", "EUR", late),
        )
    ]

    def listed(**filters: object) -> list[int]:
        return [
            issued.index(one.invoiceNumber) for one in desk.do("receivables", "ListOpenItems", **filters).item
        ]

    assert listed() == [0, 1, 2, 3]
    assert listed(customer="CU-1") == [0, 1]
    assert listed(currency="EUR") == [0, 2, 3]
    assert listed(overdue=True) == [0, 3]
    assert listed(overdue=False, customer="CU-2") == [2, 3]
    days = [one.daysOverdue for one in desk.do("receivables", "ListOpenItems").item]
    # The day of the business may be another one than that of UTC.
    assert all(abs(found - expected) <= 1 for found, expected in zip(days, (40, 0, 0, 40), strict=True))
    with desk.store.reading() as session:
        assert [overdue(session, one, today) for one in ("CU-1", "CU-2", "CU-3")] == [True, True, False]
        assert not overdue(session, "CU-1", late), "on the last day it is still in time"
        assert open_amount(session, "CU-1", "USD") == 10_0000
        assert open_amount(session, "CU-9", "USD") == 0


def test_open_items_come_in_pages_and_a_token_is_of_its_list(desk: Desk) -> None:
    issued = [
        desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "1", None))).invoiceNumber
        for _ in range(5)
    ]
    seen, page = [], desk.do("receivables", "ListOpenItems", pageSize=2)
    token = page.nextPage
    while page.nextPage is not None:
        seen += [one.invoiceNumber for one in page.item]
        # One that is settled meanwhile shifts nothing.
        desk.do("receivables", "RecordPayment", payment=payment("1", allocation=[to(seen[0])]))
        page = desk.do("receivables", "ListOpenItems", pageSize=2, pageToken=page.nextPage)
        desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "1", None), customer="CU-7"))
    seen += [one.invoiceNumber for one in page.item]
    assert seen[:5] == issued
    refusal = desk.refused("receivables", "ListOpenItems", customer="CU-1", pageToken=token)
    assert (refusal.name, refusal.texts("reason")) == ("InvalidPageToken", ["otherList"])


def test_who_keeps_a_copy_learns_that_nothing_is_open_any_more(desk: Desk) -> None:
    number = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "5", None))).invoiceNumber
    since = desk.do("receivables", "ListOpenItems").asOf
    assert desk.do("receivables", "ListOpenItems", changedSince=since).item == []
    desk.do("receivables", "RecordPayment", payment=payment("5", allocation=[to(number)]))
    (told,) = desk.do("receivables", "ListOpenItems", changedSince=since).item
    assert (told.invoiceNumber, told.state, told.open.value) == (number, "paid", 0)
    assert desk.do("receivables", "ListOpenItems").item == []
