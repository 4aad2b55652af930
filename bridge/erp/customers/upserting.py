"""UpsertCustomer: cleansed, compared with those that are there, then stored.

Only what is new is refused for looking like another: a customer that is there may be changed into whatever people know it to be, and the
reply says whom it looks like now. Somebody who has looked says so by naming the codes that were looked at, not by a mere yes: what
came in between was not looked at.
"""

from __future__ import annotations

from typing import Any

from bridge.erp.call import Call
from bridge.erp.customers.cleansing import normal_form
from bridge.erp.customers.content import content, details_of
from bridge.erp.customers.duplicates import Profile, match_keys, profile
from bridge.erp.customers.rows import CustomerRow, Found, by_code, candidates, insert, lock, replace
from bridge.erp.documents import Json, packed
from bridge.store.clock import moment, stored

Reply = dict[str, Any]

MOST_CANDIDATES = 50
"""In a fault or a reply, as the contract says."""


def upsert_customer(request: Any, call: Call) -> Reply:
    """Store the customer, new or in place of what was there.

    Faults: NotFound, RevisionMismatch, InvalidReference (mergedInto), DuplicateCandidates.
    """
    wanted = request.customer
    call.reference = wanted.code
    details = details_of(wanted)
    normal = normal_form(details)
    of = profile(details, normal)
    now = stored(call.now)
    row = CustomerRow(wanted.code, 1, *content(wanted, details), packed(normal), call.exchange_id, now, now)
    lock(call.session, match_keys(of), (one for one in (row.code, row.merged_into) if one is not None))
    there = by_code(call.session, row.code)
    _check_revision(there, row.code, request.revision, call)
    _check_merge(row, call)
    alike = candidates(call.session, row.code, row.merged_into, of)
    if there is None:
        unseen = [one for one in alike if one["code"] not in request.acceptDuplicates]
        if unseen:
            raise call.fault("DuplicateCandidates", candidate=unseen[:MOST_CANDIDATES])
        insert(call.session, row, of)
    else:
        row = _replaced(there, row, of, call)
    return _stored(row, normal, alike)


def _check_revision(there: Found | None, code: str, based_on: int | None, call: Call) -> None:
    if based_on is None:
        return
    if there is None:
        raise call.fault("NotFound", missing=[{"kind": "customer", "identifier": code}])
    if based_on != there.row.revision:
        raise call.fault(
            "RevisionMismatch",
            kind="customer",
            identifier=code,
            given=based_on,
            current=there.row.revision,
            changedAt=moment(there.row.changed_at),
        )


def _check_merge(row: CustomerRow, call: Call) -> None:
    """A customer is merged into another that stays: known, and not merged itself when this is said. So merges never go round."""
    if row.merged_into is None:
        return
    target = by_code(call.session, row.merged_into)
    if row.merged_into == row.code:
        reason = "repeated"
    elif target is None:
        reason = "unknown"
    elif target.row.merged_into is not None:
        reason = "mismatch"
    else:
        return
    broken = {
        "kind": "customer",
        "identifier": row.merged_into,
        "reason": reason,
        "path": "/UpsertCustomer/customer/mergedInto",
    }
    raise call.fault("InvalidReference", reference=[broken])


def _replaced(there: Found, row: CustomerRow, of: Profile, call: Call) -> CustomerRow:
    """The row as it is now; the same content is no change."""
    if row.details == there.row.details:
        return there.row
    changed = row._replace(
        revision=there.row.revision + 1,
        created_at=there.row.created_at,
        # Later than the one before, also where an earlier request waited for this one.
        changed_at=max(row.changed_at, there.row.changed_at + 1),
    )
    replace(call.session, there, changed, of)
    return changed


def _stored(row: CustomerRow, normal: Json, alike: list[Json]) -> Reply:
    return {
        "code": row.code,
        "revision": row.revision,
        "changedAt": moment(row.changed_at),
        "normalForm": normal,
        "candidate": alike[:MOST_CANDIDATES],
    }
