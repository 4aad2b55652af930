"""Customers in the store: found, locked, written, and those that may be the same.

Two requests that would make one customer under two spellings share a match key (`duplicates.py`), and a request holds the lock of each of its
keys until its reply is stored. So the second looks when the first is there. On SQLite the write transaction is that lock, as there is one
at a time; on PostgreSQL they are advisory locks of the transaction, taken in one order, the code's among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, text, update

from bridge.erp.customers.content import Content
from bridge.erp.customers.duplicates import (
    CANDIDATE,
    Profile,
    compare,
    half_keys,
    match_key,
    match_keys,
    names_of,
    profile,
    similar,
    telling_keys,
)
from bridge.erp.customers.tables import customer, customer_match
from bridge.erp.documents import Json, unpacked, without_none
from bridge.store import Session
from bridge.store.statements import ByKeys, Prepared, insertion

MOST_HOLDERS = 200
"""Customers looked at for one match key: what more share, such as the telephone number 000000, tells nobody apart."""


class CustomerRow(NamedTuple):
    """A row of `customer`, without the id that the database gives."""

    code: str
    revision: int
    country: str
    external_reference: str | None
    blocked: int
    merged_into: str | None
    credit_grade: str | None
    credit_limit: int | None
    credit_currency: str | None
    details: str
    normal: str
    exchange_id: str
    created_at: int
    changed_at: int


class Found(NamedTuple):
    """A customer that is there."""

    id: int
    row: CustomerRow


class MatchRow(NamedTuple):
    """A row of `customer_match`."""

    match_key: int
    customer_id: int


_customers, _matches = customer.c, customer_match.c
_COLUMNS = [_customers[name] for name in CustomerRow._fields]
_WRITTEN = ("revision", *Content._fields, "normal", "exchange_id", "changed_at")

_LOCK = Prepared(
    text("SELECT pg_advisory_xact_lock(one) FROM unnest(CAST(:locks AS bigint[])) AS one"), "locks"
)
_INSERT = insertion(customer, CustomerRow, returning=_customers.id)
_UPDATE = Prepared(
    update(customer)
    .where(_customers.id == bindparam("of_id"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
    *(f"new_{name}" for name in _WRITTEN),
    "of_id",
)
_BY_CODE = Prepared(
    select(_customers.id, *_COLUMNS).where(_customers.code == bindparam("code")),
    "code",
)
_INSERT_MATCH = insertion(customer_match, MatchRow)
_FORGET_MATCHES = Prepared(delete(customer_match).where(_matches.customer_id == bindparam("of_id")), "of_id")
_HOLDERS = Prepared(
    text(
        f"SELECT customer_id FROM customer_match WHERE match_key = :match_key ORDER BY customer_id LIMIT {MOST_HOLDERS}"  # noqa: S608
    ),
    "match_key",
)
_COMPARED = ByKeys(
    "SELECT id, code, merged_into, details, normal FROM customer WHERE id IN ({keys})",
    width=1,
)


def lock(session: Session, keys: Iterable[int], codes: Iterable[str]) -> None:
    """Keep others from making or changing these customers, or any that may be the same, until the transaction ends."""
    if session.dialect == "postgresql":
        wanted = {*keys, *(match_key("code", code) for code in codes)}
        session.rows(_LOCK, (sorted(wanted),))


def by_code(session: Session, code: str) -> Found | None:
    """The customer with this code."""
    found = session.rows(_BY_CODE, (code,))
    return Found(found[0][0], CustomerRow(*found[0][1:])) if found else None


def insert(session: Session, row: CustomerRow, of: Profile) -> None:
    """A new customer, whose code nobody has: its lock is held."""
    ((new_id,),) = session.rows(_INSERT, row)
    _remember(session, new_id, of)


def replace(session: Session, found: Found, row: CustomerRow, of: Profile) -> None:
    """Another content for a customer that is there and locked."""
    session.run(_UPDATE, (*(getattr(row, name) for name in _WRITTEN), found.id))
    session.run(_FORGET_MATCHES, (found.id,))
    _remember(session, found.id, of)


def candidates(session: Session, code: str, merged_into: str | None, of: Profile) -> list[Json]:
    """Customers that may be the same as this one and are not yet said to be, the most alike first, as the contract's DuplicateCandidate.

    Args:
        code: this one's own, whether it is there already or not.
        merged_into: the customer that this one is said to be the same as.
    """
    told, halves = _holders(session, telling_keys(of)), _holders(session, half_keys(of))
    found = []
    for row in session.rows_for(_COMPARED, [(holder,) for holder in sorted(told | halves)]):
        holder, other, others_merge, details, normal_text = row
        if other in (code, merged_into) or others_merge == code:
            continue
        normal = unpacked(normal_text)
        if holder not in told and not similar(of.names, names_of(normal)):
            continue
        kept = unpacked(details)
        likeness = compare(of, profile(kept, normal))
        if likeness is None or likeness.score < CANDIDATE:
            continue
        found.append(
            without_none(
                {
                    "code": other,
                    "name": kept["name"],
                    "score": likeness.score,
                    "why": list(likeness.why),
                    "mergedInto": others_merge,
                }
            )
        )
    return sorted(found, key=lambda one: (-one["score"], one["code"]))


def _holders(session: Session, keys: Iterable[int]) -> set[int]:
    """Who has one of these match keys, as far as anybody looks."""
    return {holder for key in keys for (holder,) in session.rows(_HOLDERS, (key,))}


def _remember(session: Session, customer_id: int, of: Profile) -> None:
    session.run_many(_INSERT_MATCH, [MatchRow(key, customer_id) for key in sorted(match_keys(of))])
