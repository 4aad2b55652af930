"""Payments, on both databases: where they go, and that nobody pays an invoice twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.receivables.open_items import open_amount
from bridge.store import Store
from tests.integration.erp.desk import Desk, invoice, payment, to


@pytest.fixture
def issue(desk: Desk) -> Callable[..., str]:
    def make(amount: object, **fields: Any) -> str:
        number: str = desk.do(
            "receivables", "CreateInvoice", invoice=invoice(("1", amount, None), **fields)
        ).invoiceNumber
        return number

    return make


def check_the_books(store: Store) -> None:
    """Every figure that is kept beside its parts is their sum."""
    queries = {
        "payments": "SELECT p.id FROM payment p LEFT JOIN payment_allocation a ON a.payment_id = p.id "
        "GROUP BY p.id, p.amount, p.allocated, p.on_account "
        "HAVING p.allocated <> COALESCE(SUM(a.amount), 0) OR p.amount <> p.allocated + p.on_account",
        "invoices": "SELECT i.id FROM invoice i LEFT JOIN payment_allocation a ON a.invoice_id = i.id "
        "GROUP BY i.id, i.paid, i.total, i.credited, i.open "
        "HAVING i.paid <> COALESCE(SUM(a.amount), 0) OR i.total <> i.paid + i.credited + i.open",
        "open": "SELECT c.customer FROM customer_account c LEFT JOIN invoice i "
        "ON i.customer = c.customer AND i.currency = c.currency "
        "GROUP BY c.customer, c.currency, c.open HAVING c.open <> COALESCE(SUM(i.open), 0)",
        "on account": "SELECT c.customer FROM customer_account c LEFT JOIN payment p "
        "ON p.customer = c.customer AND p.currency = c.currency "
        "GROUP BY c.customer, c.currency, c.on_account HAVING c.on_account <> COALESCE(SUM(p.on_account), 0)",
    }
    with store.reading() as session:
        wrong = {name: session.execute(text(query)).all() for name, query in queries.items()}
    assert not any(wrong.values()), wrong


def test_a_payment_goes_where_it_is_told_and_the_rest_stays_on_account(
    desk: Desk, issue: Callable[..., str]
) -> None:
    first, second = issue("100"), issue("30")
    made = desk.do(
        "receivables",
        "RecordPayment",
        payment=payment(
            "150", allocation=[to(first, "60.50"), to(second)], reference="BANK-1", method="bankTransfer"
        ),
    )
    assert (made.allocated.value, made.onAccount.value, made.revision) == (
        Decimal("90.50"),
        Decimal("59.50"),
        1,
    )
    assert [(one.invoiceNumber, one.amount.value, one.open.value, one.state) for one in made.allocation] == [
        (first, Decimal("60.50"), Decimal("39.50"), "partiallyPaid"),
        (second, 30, 0, "paid"),
    ]
    got = desk.do("receivables", "GetPayment", payment={"paymentNumber": made.paymentNumber})
    sent = got.payment
    assert (sent.customer, sent.amount.value, sent.reference, sent.method) == (
        "CU-1",
        150,
        "BANK-1",
        "bankTransfer",
    )
    assert [(one.invoiceNumber, one.amount) for one in sent.allocation] == [
        (first, Decimal("60.50")),
        (second, None),
    ]
    assert (got.createdAt, got.changedAt) == (made.recordedAt, made.recordedAt)
    invoices = [(one.invoiceNumber, one.amount.value) for one in got.invoice]
    assert invoices == [(first, Decimal("60.50")), (second, 30)]
    (told,) = desk.do("receivables", "GetInvoice", invoice={"invoiceNumber": first}).payment
    assert (told.paymentNumber, told.amount.value) == (made.paymentNumber, Decimal("60.50"))
    check_the_books(desk.store)
    with desk.store.reading() as session:
        assert open_amount(session, "CU-1", "EUR") == (130 - 150) * 10_000, "it has paid in advance"


def test_without_an_amount_an_invoice_gets_what_the_payment_has_left(
    desk: Desk, issue: Callable[..., str]
) -> None:
    first, second = issue("100"), issue("100")
    made = desk.do("receivables", "RecordPayment", payment=payment("120", allocation=[to(first), to(second)]))
    assert [one.amount.value for one in made.allocation] == [100, 20]
    assert made.onAccount.value == 0


def test_oldest_first_pays_what_is_due_first_after_what_is_named(
    desk: Desk, issue: Callable[..., str]
) -> None:
    late, soon, named = (issue("40", dueDate=date(2026, 5, day)) for day in (1, 9, 20))
    foreign = issue("40", currency="USD", dueDate=date(2026, 1, 1))
    made = desk.do(
        "receivables",
        "RecordPayment",
        payment=payment("90", allocation=[to(named)], oldestFirst=True),
    )
    assert [(one.invoiceNumber, one.amount.value) for one in made.allocation] == [
        (named, 40),
        (late, 40),
        (soon, 10),
    ]
    assert desk.do("receivables", "GetInvoice", invoice={"invoiceNumber": foreign}).paid.value == 0
    check_the_books(desk.store)


def test_what_is_on_account_is_put_to_invoices_later_on_the_basis_of_a_revision(
    desk: Desk, issue: Callable[..., str]
) -> None:
    made = desk.do("receivables", "RecordPayment", payment=payment("100"))
    assert (made.onAccount.value, made.allocation) == (100, [])
    number = issue("30")
    based = {"paymentNumber": made.paymentNumber, "revision": 1}
    now = desk.do("receivables", "AllocatePayment", **based, allocation=[to(number)])
    assert (now.revision, now.allocated.value, now.onAccount.value) == (2, 30, 70)
    issue("10")
    refusal = desk.refused("receivables", "AllocatePayment", **based, oldestFirst=True)
    assert (refusal.name, refusal.texts("current")) == ("RevisionMismatch", ["2"])
    again = desk.do("receivables", "AllocatePayment", **based | {"revision": 2}, oldestFirst=True)
    assert (again.revision, again.onAccount.value) == (3, 60)
    same = desk.do("receivables", "AllocatePayment", **based | {"revision": 3}, oldestFirst=True)
    assert (same.revision, same.allocation, same.changedAt) == (3, [], again.changedAt), "nothing was open"
    missing = desk.refused("receivables", "AllocatePayment", paymentNumber="PY-2019-000001", revision=1)
    assert (missing.name, missing.texts("kind")) == ("NotFound", ["payment"])
    check_the_books(desk.store)


def test_more_than_is_open_or_was_paid_is_refused_with_what_would_fit(
    desk: Desk, issue: Callable[..., str]
) -> None:
    first, second, third = issue("10"), issue("100"), issue("100")
    refusal = desk.refused(
        "receivables",
        "RecordPayment",
        payment=payment("50", allocation=[to(first, "11"), to(second, "30"), to(third, "21")]),
    )
    assert refusal.name == "InvalidAmount"
    assert refusal.texts("reason") == ["aboveOpen", "abovePayment"]
    assert refusal.texts("allowed") == ["10.00", "20.00"]
    assert refusal.texts("identifier") == [first, third]
    path = "/RecordPayment/payment/allocation"
    assert refusal.texts("path") == [f"{path}[1]/amount", f"{path}[3]/amount"]
    assert desk.do("receivables", "ListPayments").payment == [], "nothing of it was recorded"
    assert desk.count("SELECT COUNT(*) FROM customer_account WHERE on_account <> 0") == 0


def test_what_nobody_can_pay_is_refused(desk: Desk, issue: Callable[..., str]) -> None:
    number = issue("10")
    refusal = desk.refused(
        "receivables", "RecordPayment", payment=payment("1.005", allocation=[to(number, "0.001")])
    )
    assert (refusal.name, refusal.texts("reason")) == ("InvalidAmount", ["tooFine", "tooFine"])
    refusal = desk.refused("receivables", "RecordPayment", payment=payment("10.5", currency="JPY"))
    assert refusal.texts("reason") == ["tooFine"]
    refusal = desk.refused("receivables", "RecordPayment", payment=payment("10", currency="EUX"))
    assert (refusal.name, refusal.texts("path")) == (
        "UnknownCurrency",
        ["/RecordPayment/payment/amount/@currency"],
    )


def test_invoices_of_others_in_other_currencies_or_that_are_not_there_are_refused_together(
    desk: Desk, issue: Callable[..., str]
) -> None:
    named = [issue("10", customer="CU-2"), issue("10", currency="USD"), "IN-2026-999999"]
    refusal = desk.refused(
        "receivables", "RecordPayment", payment=payment("10", allocation=[to(one) for one in named])
    )
    assert (refusal.name, refusal.texts("identifier")) == ("InvalidReference", named)
    assert refusal.texts("reason") == ["mismatch", "mismatch", "unknown"]
    mine = issue("10")
    held = desk.do("receivables", "RecordPayment", payment=payment("10")).paymentNumber
    refusal = desk.refused(
        "receivables", "AllocatePayment", paymentNumber=held, revision=1, allocation=[to(mine), to(mine)]
    )
    assert (refusal.name, refusal.texts("reason")) == ("InvalidReference", ["repeated"])


def test_a_cancelled_invoice_is_not_paid(desk: Desk, issue: Callable[..., str]) -> None:
    number = issue("10")
    desk.do("receivables", "CancelInvoice", invoiceNumber=number, reason={"value": "x"})
    refusal = desk.refused("receivables", "RecordPayment", payment=payment("10", allocation=[to(number)]))
    assert (refusal.name, refusal.texts("state")) == ("InvalidState", ["cancelled"])
    made = desk.do("receivables", "RecordPayment", payment=payment("10", oldestFirst=True))
    assert made.onAccount.value == 10


def test_a_request_id_records_one_payment_for_good(desk: Desk) -> None:
    made = desk.do("receivables", "RecordPayment", requestId="p-1", payment=payment("5"))
    refusal = desk.refused("receivables", "RecordPayment", requestId="p-1", payment=payment("6"))
    assert (refusal.name, refusal.texts("requestId")) == ("KeyReused", ["p-1"])
    found = desk.do("receivables", "GetPayment", payment={"requestId": "p-1"})
    assert found.paymentNumber == made.paymentNumber
    check_the_books(desk.store)
    refusal = desk.refused("receivables", "GetPayment", payment={"requestId": "p-2"})
    assert (refusal.name, refusal.texts("kind")) == ("NotFound", ["request"])


def test_more_than_can_be_kept_on_account_is_refused(desk: Desk) -> None:
    desk.do("receivables", "RecordPayment", payment=payment("99999999999999"))
    assert desk.refused("receivables", "RecordPayment", payment=payment("1")).name == "LimitExceeded"


def test_payments_are_listed_by_customer_currency_day_and_what_is_on_account(
    desk: Desk, issue: Callable[..., str]
) -> None:
    issue("5")
    made = [
        desk.do("receivables", "RecordPayment", payment=payment("5", **fields)).paymentNumber
        for fields in (
            {"oldestFirst": True},
            {"customer": "CU-2", "receivedOn": date(2026, 4, 1)},
            {"currency": "USD"},
        )
    ]

    def listed(**filters: object) -> list[int]:
        return [
            made.index(one.paymentNumber) for one in desk.do("receivables", "ListPayments", **filters).payment
        ]

    assert listed() == [0, 1, 2]
    assert listed(customer="CU-1") == [0, 2]
    assert listed(currency="EUR") == [0, 1]
    assert listed(receivedFrom=date(2026, 3, 21)) == [1]
    assert listed(receivedTo=date(2026, 3, 20)) == [0, 2]
    assert listed(onAccount=True) == [1, 2]
    page = desk.do("receivables", "ListPayments", pageSize=2)
    assert len(page.payment) == 2
    rest = desk.do("receivables", "ListPayments", pageSize=2, pageToken=page.nextPage)
    assert ([one.paymentNumber for one in rest.payment], rest.nextPage) == ([made[2]], None)
    since = rest.asOf
    issue("1", customer="CU-2")
    desk.do("receivables", "AllocatePayment", paymentNumber=made[1], revision=1, oldestFirst=True)
    assert listed(changedSince=since) == [1]


# -- what holds whatever happens


def test_eight_that_pay_one_invoice_at_once_pay_it_once(desk: Desk, issue: Callable[..., str]) -> None:
    number = issue("100")
    together = threading.Barrier(8)
    answers: list[str] = []

    def pay(named: bool) -> None:
        together.wait()
        asked = {"allocation": [to(number, "30")]} if named else {"oldestFirst": True}
        answer = desk.ask("receivables", "RecordPayment", {"payment": payment("30", **asked)})
        answers.append(answer.fault_name or "recorded")

    threads = [threading.Thread(target=pay, args=(bool(one % 2),)) for one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert set(answers) <= {"recorded", "InvalidAmount"}
    got = desk.do("receivables", "GetInvoice", invoice={"invoiceNumber": number})
    assert (got.state, got.paid.value, got.open.value) == ("paid", 100, 0)
    check_the_books(desk.store)


def test_paying_allocating_and_cancelling_at_once_keep_the_books_right(
    desk: Desk, issue: Callable[..., str]
) -> None:
    numbers = [issue("50") for _ in range(6)]
    held = desk.do("receivables", "RecordPayment", payment=payment("500")).paymentNumber
    failures: list[str] = []

    def work(which: int) -> None:
        for turn in range(4):
            if which == 0:
                values: dict[str, Any] = {"payment": payment("35", oldestFirst=True)}
                operation = "RecordPayment"
            elif which == 1:
                values = {"paymentNumber": held, "revision": turn + 1, "allocation": [to(numbers[turn], "5")]}
                operation = "AllocatePayment"
            else:
                values = {"invoiceNumber": numbers[turn + 1], "reason": {"value": "x"}}
                operation = "CancelInvoice"
            answer = desk.ask("receivables", operation, values)
            if answer.status == 500 and answer.fault_name is None:
                failures.append(answer.reply.decode())

    threads = [threading.Thread(target=work, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    check_the_books(desk.store)
    assert desk.count("SELECT COUNT(*) FROM credit_note") == 4


def test_the_database_itself_refuses_figures_that_do_not_add_up(
    desk: Desk, issue: Callable[..., str]
) -> None:
    number, gone = issue("10"), issue("1")
    desk.do("receivables", "RecordPayment", payment=payment("7", allocation=[to(number, "5")]))
    desk.do("receivables", "CancelInvoice", invoiceNumber=gone, reason={"value": "x"})
    for statement in (
        "UPDATE payment SET allocated = allocated + 1",
        "UPDATE invoice SET paid = paid + 1",
        "UPDATE invoice SET paid = total + 1, open = -1 - credited",
        "UPDATE customer_account SET open = -1",
        "UPDATE payment_allocation SET amount = 1",
        "DELETE FROM payment_allocation",
        "DELETE FROM invoice_line",
        "DELETE FROM credit_note",
    ):
        with (
            pytest.raises(DBAPIError, match=r"CHECK|check constraint|append-only"),
            desk.store.transaction() as transaction,
        ):
            transaction.session.execute(text(statement))
    check_the_books(desk.store)
