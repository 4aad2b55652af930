"""GetCustomer and FindCustomers: read as they were sent, found in whatever spelling, or by when they were changed.

A list is read in the order in which the customers were first stored, which nothing changes, so that pages neither repeat nor skip any. One that is
changed while the pages are read is changed after `asOf` of the first, and comes with the next question for changes since then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, false, select

from bridge.erp.call import Call
from bridge.erp.customers.cleansing import email, phone, tax_number
from bridge.erp.customers.content import customer_of
from bridge.erp.customers.duplicates import match_key, name_key, tax_key
from bridge.erp.customers.names import name
from bridge.erp.customers.rows import CustomerRow, by_code
from bridge.erp.customers.tables import customer, customer_match
from bridge.erp.documents import unpacked
from bridge.erp.instants import instant
from bridge.erp.paging import BadToken, position, token
from bridge.store.clock import moment

Reply = dict[str, Any]

PAGE = 100
"""Customers on a page whose size the caller does not say."""

_ANY_COUNTRY = "ZZ"
"""No country's code: numbers are then read by their international form only."""
_FILTERS = (
    "name",
    "taxNumber",
    "email",
    "phone",
    "country",
    "externalReference",
    "blocked",
    "merged",
)

_customers, _matches = customer.c, customer_match.c
_COLUMNS = [_customers[name] for name in CustomerRow._fields]


def get_customer(request: Any, call: Call) -> Reply:
    """The customer as it stands. Fault: NotFound."""
    found = by_code(call.reading, request.code)
    if found is None:
        raise call.fault("NotFound", missing=[{"kind": "customer", "identifier": request.code}])
    call.reference = found.row.code
    return _record(found.row)


def find_customers(request: Any, call: Call) -> Reply:
    """One page. Fault: InvalidPageToken."""
    since = None if request.changedSince is None else instant(request.changedSince)
    this_list = ("FindCustomers", *(getattr(request, name) for name in _FILTERS), since)
    try:
        last = 0 if request.pageToken is None else position(request.pageToken, *this_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None

    wanted = [_customers.id > last, *_like(request), *_as_is(request)]
    if since is not None:
        wanted.append(_customers.changed_at >= since)
    size = request.pageSize or PAGE
    # One more than asked for tells whether there is another page.
    query = select(_customers.id, *_COLUMNS).where(*wanted).order_by(_customers.id).limit(size + 1)
    rows = call.reading.execute(query).all()
    reply: Reply = {"asOf": call.now, "found": [_record(CustomerRow(*row[1:])) for row in rows[:size]]}
    if len(rows) > size:
        reply["nextPage"] = token(rows[size - 1].id, *this_list)
    return reply


def _as_is(request: Any) -> list[ColumnElement[bool]]:
    """Conditions on what is kept as it was sent."""
    wanted: list[ColumnElement[bool]] = []
    if request.country is not None:
        wanted.append(_customers.country == request.country)
    if request.externalReference is not None:
        wanted.append(_customers.external_reference == request.externalReference)
    if request.blocked is not None:
        wanted.append(_customers.blocked == int(request.blocked))
    if request.merged is not None:
        wanted.append(
            _customers.merged_into.is_not(None) if request.merged else _customers.merged_into.is_(None)
        )
    return wanted


def _like(request: Any) -> list[ColumnElement[bool]]:
    """Conditions on the normal form. What has none is nobody's."""
    country = request.country or _ANY_COUNTRY
    keys: list[int | None] = []
    if request.name is not None:
        matched = name(request.name).matched
        keys.append(name_key(matched) if matched else None)
    if request.taxNumber is not None:
        tax = tax_number(request.taxNumber, country)
        keys.append(None if tax is None else tax_key(tax.number, tax.country))
    if request.email is not None:
        address = email(request.email)
        keys.append(None if address is None else match_key("email", address))
    if request.phone is not None:
        number = phone(request.phone, country)
        keys.append(None if number is None else match_key("phone", number))
    return [false() if key is None else _has(key) for key in keys]


def _has(key: int) -> ColumnElement[bool]:
    return exists().where(_matches.match_key == key, _matches.customer_id == _customers.id)


def _record(row: CustomerRow) -> Reply:
    return {
        "revision": row.revision,
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at),
        "customer": customer_of(row.details),
        "normalForm": unpacked(row.normal),
    }
