"""RecordPayment, AllocatePayment and GetPayment.

A payment is the sum of what is put to invoices and what stays on account, always: the database CHECKs it. Two payments of one invoice
meet at the customer's account, and the second sees what the first has left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bridge.erp.call import Call, sender
from bridge.erp.currencies import is_payable, known_currency
from bridge.erp.documents import Json, day_of, given, note, packed, unpacked, without_none
from bridge.erp.figures import LARGEST, MONEY_DIGITS, plain, scaled
from bridge.erp.receivables.allocating import Plan, Wanted, plan
from bridge.erp.receivables.content import amount_of
from bridge.erp.receivables.events import tell_payment
from bridge.erp.receivables.rows import (
    INSERT_PAYMENT,
    Account,
    Invoice,
    Payment,
    PaymentRow,
    amounts_of_payment,
    invoice_by_number,
    invoices_by_id,
    later,
    lock_account,
    not_found,
    open_invoices,
    pay,
    payment_by_number,
    payment_by_request,
    put,
    write_account,
)
from bridge.erp.references import MOST_REPORTED
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment, stored

Reply = dict[str, Any]


def record_payment(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Record a payment and put it to invoices.

    Faults: UnknownCurrency, InvalidAmount, InvalidReference (invoice), InvalidState (invoice), LimitExceeded, KeyReused.
    """
    paid, path = request.payment, "/RecordPayment/payment"
    currency = paid.amount.currency
    known_currency(currency, f"{path}/amount/@currency", call)
    whole = (paid.amount.value, None, f"{path}/amount")
    _refuse_too_fine([whole, *_amounts(paid.allocation, path)], currency, call)
    session = call.session
    account = lock_account(session, paid.customer, currency)
    amount, now = scaled(paid.amount.value, MONEY_DIGITS), stored(call.now)
    row = PaymentRow(
        sender(call),
        request.requestId,
        1,
        paid.customer,
        currency,
        str(paid.receivedOn),
        paid.reference,
        amount,
        0,
        amount,
        packed(_details(paid)),
        call.exchange_id,
        now,
        now,
    )
    made = session.rows(INSERT_PAYMENT, row)
    if not made:
        first = payment_by_request(session, row.partner, row.request_id)
        assert first is not None
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(first.row.created_at))
    if amount > LARGEST - account.on_account:
        raise call.fault(
            "LimitExceeded",
            limit="documentTotal",
            allowed=plain(LARGEST - account.on_account, MONEY_DIGITS),
            actual=plain(amount, MONEY_DIGITS),
            path=f"{path}/amount",
        )
    account.on_account += amount
    new = Payment(made[0][0], row)
    recorded, done = _allocate(new, paid, path, account, call, at=now, revision=1)
    _tell(tell, recorded, account, session)
    write_account(session, account)
    call.reference = recorded.number
    return _figures(recorded) | {"allocation": done, "recordedAt": moment(now)}


def allocate_payment(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Put what is on account of a payment to invoices.

    Faults: NotFound, RevisionMismatch, InvalidAmount, InvalidReference (invoice), InvalidState (invoice).
    """
    session = call.session
    seen = payment_by_number(session, call, request.paymentNumber)
    if seen is None:
        raise not_found(call, "payment", request.paymentNumber)
    path = "/AllocatePayment"
    _refuse_too_fine(_amounts(request.allocation, path), seen.row.currency, call)
    account = lock_account(session, seen.row.customer, seen.row.currency)
    found = payment_by_number(session, call, request.paymentNumber)
    assert found is not None
    if request.revision != found.row.revision:
        raise call.fault(
            "RevisionMismatch",
            kind="payment",
            identifier=found.number,
            given=request.revision,
            current=found.row.revision,
            changedAt=moment(found.row.changed_at),
        )
    at = later(found.row.changed_at, call)
    changed, done = _allocate(found, request, path, account, call, at=at, revision=found.row.revision + 1)
    if changed is not found:
        _tell(tell, changed, account, session)
        write_account(session, account)
    call.reference = found.number
    return _figures(changed) | {"allocation": done, "changedAt": moment(changed.row.changed_at)}


def get_payment(request: Any, call: Call) -> Reply:
    """The payment as it was sent, and where it is now. Fault: NotFound."""
    wanted, session = request.payment, call.reading
    if wanted.paymentNumber is not None:
        found = payment_by_number(session, call, wanted.paymentNumber)
        missing = ("payment", wanted.paymentNumber)
    else:
        found = payment_by_request(session, sender(call), wanted.requestId)
        missing = ("request", wanted.requestId)
    if found is None:
        raise not_found(call, *missing)
    call.reference = found.number
    row = found.row
    return _figures(found) | {
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at),
        "payment": without_none(
            {
                "customer": row.customer,
                "amount": amount_of(row.amount, row.currency),
                "receivedOn": day_of(row.received_on),
                "reference": row.reference,
                **_sent(row.details),
            }
        ),
        "invoice": [
            {"invoiceNumber": one.number, "amount": amount_of(amount, row.currency)}
            for one, amount in _invoices(found, session)
        ],
    }


# -- to which invoices


def _allocate(
    found: Payment, request: Any, path: str, account: Account, call: Call, *, at: int, revision: int
) -> tuple[Payment, list[Reply]]:
    """Put what is on account of the payment to what `request` (with `allocation` and `oldestFirst`) names. The payment as it is
    then, itself where nothing was put anywhere, and what was done."""
    session = call.session
    named = _named(request.allocation, path, account, call)
    others = open_invoices(session, account) if request.oldestFirst else []
    invoices = {one.id: one for one in [*others, *named]}
    wanted = [
        Wanted(one.id, None if asked.amount is None else scaled(asked.amount, MONEY_DIGITS))
        for one, asked in zip(named, request.allocation, strict=True)
    ]
    is_open = {one.id: one.row.open for one in invoices.values()}
    # Who sees only its own documents pays only its own.
    mine = [one.id for one in others if not call.own_only or one.row.partner == sender(call)]
    made = plan(found.row.on_account, wanted, is_open, mine)
    _refuse_misfits(made, request.allocation, account.currency, path, call)
    if not made.put:
        return found, []
    changed = put(session, found, made.put, call, at=at, revision=revision)
    paid = {one: pay(session, invoices[one], amount, call) for one, amount in made.put.items()}
    moved = sum(made.put.values())
    account.open -= moved
    account.on_account -= moved
    return changed, [_done(paid[one], amount) for one, amount in made.put.items()]


def _named(allocations: Sequence[Any], path: str, account: Account, call: Call) -> list[Invoice]:
    """The invoices that are named, as they are now. Faults: InvalidReference, InvalidState."""
    found: list[Invoice] = []
    broken: list[dict[str, str]] = []
    for index, asked in enumerate(allocations):
        one = invoice_by_number(call.session, call, asked.invoiceNumber)
        if one is None:
            reason = "unknown"
        elif (one.row.customer, one.row.currency) != (account.customer, account.currency):
            reason = "mismatch"
        elif one.id in {other.id for other in found}:
            reason = "repeated"
        else:
            found.append(one)
            continue
        place = f"{_path(path, index, len(allocations))}/invoiceNumber"
        broken.append({"kind": "invoice", "identifier": asked.invoiceNumber, "reason": reason, "path": place})
    if broken:
        raise call.fault("InvalidReference", reference=broken[:MOST_REPORTED])
    cancelled = next((one for one in found if one.state == "cancelled"), None)
    if cancelled is not None:
        raise call.fault(
            "InvalidState",
            kind="invoice",
            identifier=cancelled.number,
            state=cancelled.state,
            allowed=["open", "partiallyPaid"],
        )
    return found


def _refuse_too_fine(amounts: Sequence[tuple[Any, str | None, str]], currency: str, call: Call) -> None:
    """Fault: InvalidAmount, for amounts (each with its invoice and its path) that nobody can pay in this currency."""
    broken = [
        without_none(
            {
                "reason": "tooFine",
                "given": _as_sent(amount, currency),
                "identifier": identifier,
                "path": path,
            }
        )
        for amount, identifier, path in amounts
        if not is_payable(scaled(amount, MONEY_DIGITS), currency)
    ]
    if broken:
        raise call.fault("InvalidAmount", amount=broken[:MOST_REPORTED])


def _amounts(allocations: Sequence[Any], path: str) -> list[tuple[Any, str | None, str]]:
    return [
        (asked.amount, asked.invoiceNumber, f"{_path(path, index, len(allocations))}/amount")
        for index, asked in enumerate(allocations)
        if asked.amount is not None
    ]


def _refuse_misfits(made: Plan, allocations: Sequence[Any], currency: str, path: str, call: Call) -> None:
    if made.misfits:
        raise call.fault(
            "InvalidAmount",
            amount=[
                {
                    "reason": one.reason,
                    "given": _as_sent(allocations[one.position].amount, currency),
                    "allowed": amount_of(one.allowed, currency),
                    "identifier": allocations[one.position].invoiceNumber,
                    "path": f"{_path(path, one.position, len(allocations))}/amount",
                }
                for one in made.misfits[:MOST_REPORTED]
            ],
        )


def _path(path: str, index: int, count: int) -> str:
    return f"{path}/allocation[{index + 1}]" if count > 1 else f"{path}/allocation"


# -- what is told


def _invoices(found: Payment, session: Session) -> list[tuple[Invoice, int]]:
    """What the payment is put to now."""
    amounts: Mapping[int, int] = amounts_of_payment(session, found.id)
    invoices = invoices_by_id(session, amounts)
    return [(invoices[one], amount) for one, amount in amounts.items()]


def _tell(tell: Tell | None, found: Payment, account: Account, session: Session) -> None:
    if tell is None:
        account.next_sequence()
    else:
        tell_payment(tell, found, account, _invoices(found, session))


def _figures(found: Payment) -> Reply:
    row = found.row
    return {
        "paymentNumber": found.number,
        "revision": row.revision,
        "allocated": amount_of(row.allocated, row.currency),
        "onAccount": amount_of(row.on_account, row.currency),
    }


def _done(invoice: Invoice, amount: int) -> Reply:
    currency = invoice.row.currency
    return {
        "invoiceNumber": invoice.number,
        "amount": amount_of(amount, currency),
        "open": amount_of(invoice.row.open, currency),
        "state": invoice.state,
    }


def _as_sent(amount: Any, currency: str) -> Json:
    return {"value": amount, "currency": currency}


def _details(paid: Any) -> Json:
    """What else was sent, read whole and never searched."""
    details = given(paid, "method", "oldestFirst")
    if paid.allocation:
        details["allocation"] = [_asked(one) for one in paid.allocation]
    if paid.note is not None:
        details["note"] = note(paid.note)
    return details


def _asked(allocation: Any) -> Json:
    # As text: JSON has no decimals.
    amount = None if allocation.amount is None else str(allocation.amount)
    return without_none({"invoiceNumber": allocation.invoiceNumber, "amount": amount})


def _sent(details: str) -> Json:
    """What `_details` kept, as the contract's elements."""
    sent = unpacked(details)
    for allocation in sent.get("allocation", ()):
        if "amount" in allocation:
            allocation["amount"] = Decimal(allocation["amount"])
    return sent
