"""UpsertItem, GetItem and ListItems: what is sold, as customers and customs know it.

Stock has a row of its own for every item, with its unit and nothing else; whichever comes first, the catalog or goods, makes it, and
the other has to name the same unit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from bridge.erp.call import Call
from bridge.erp.catalog.tables import catalog_gtin, catalog_item
from bridge.erp.documents import Json, given, note, packed, unpacked
from bridge.erp.instants import instant
from bridge.erp.paging import BadToken, position, token
from bridge.erp.references import ItemRow, known_units
from bridge.erp.tables import item
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

Reply = dict[str, Any]

PAGE = 100
"""Items on a page whose size the caller does not say."""


class CatalogRow(NamedTuple):
    """A row of `catalog_item`, without the id that the database gives."""

    sku: str
    revision: int
    status: str
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


class GtinRow(NamedTuple):
    """A row of `catalog_gtin`."""

    gtin: str
    sku: str


_items, _gtins = catalog_item.c, catalog_gtin.c
_WRITTEN = ("revision", "status", "details", "exchange_id", "changed_at")

_INSERT_STOCK_ITEM = insertion(item, ItemRow, unless_there=("sku",))
_INSERT = insertion(catalog_item, CatalogRow, returning=_items.id, unless_there=("sku",))
_UPDATE = Prepared(
    update(catalog_item)
    .where(_items.sku == bindparam("of_sku"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
    *(f"new_{name}" for name in _WRITTEN),
    "of_sku",
)
_LOCKED = ByKeys(
    f"SELECT {', '.join(CatalogRow._fields)} FROM catalog_item WHERE sku IN ({{keys}}){{lock}}",  # noqa: S608 - names of columns
    width=1,
)
_INSERT_GTIN = insertion(catalog_gtin, GtinRow, unless_there=("gtin",))
_OWNER = Prepared(select(_gtins.sku).where(_gtins.gtin == bindparam("gtin")), "gtin")
_GIVE_UP_OTHERS = Prepared(
    delete(catalog_gtin).where(_gtins.sku == bindparam("sku"), _gtins.gtin != bindparam("gtin")),
    "sku",
    "gtin",
)
_WHOLE = (
    _items.id,
    *(_items[name] for name in CatalogRow._fields),
    item.c.unit,
)


def upsert_item(request: Any, call: Call) -> Reply:
    """Store the item, new or in place of what was there. Faults: NotFound, RevisionMismatch, InvalidReference (unit, GTIN)."""
    wanted, session, now = request.item, call.session, stored(call.now)
    _refuse_wrong_gtin(wanted.gtin, call)
    _refuse_repeated_language(wanted, call)
    call.reference = wanted.sku
    row = CatalogRow(wanted.sku, 1, wanted.status, packed(_details(wanted)), call.exchange_id, now, now)
    if request.revision is None:
        _know_unit(wanted, now, session, call)
        if session.rows(_INSERT, row):
            _claim_gtin(wanted, session, call)
            return _stored(row)
    rows = session.rows_for(_LOCKED, [(wanted.sku,)])
    if not rows:
        raise call.fault("NotFound", missing=[{"kind": "item", "identifier": wanted.sku}])
    if request.revision is not None:
        _know_unit(wanted, now, session, call)
    return _replace(CatalogRow(*rows[0]), row, request, call)


def get_item(request: Any, call: Call) -> Reply:
    """The item as it stands. Fault: NotFound."""
    wanted, session = request.item, call.reading
    query = select(*_WHOLE).join(item, item.c.sku == _items.sku)
    if wanted.sku is not None:
        identifier = wanted.sku
        query = query.where(_items.sku == wanted.sku)
    else:
        identifier = wanted.gtin
        query = query.join(catalog_gtin, _gtins.sku == _items.sku).where(_gtins.gtin == wanted.gtin)
    row = session.execute(query).first()
    if row is None:
        raise call.fault("NotFound", missing=[{"kind": "item", "identifier": identifier}])
    call.reference = row.sku
    return _entry(row)


def list_items(request: Any, call: Call) -> Reply:
    """One page, in the order in which the catalog came to know them, which nothing changes. Fault: InvalidPageToken."""
    statuses = sorted(set(request.status))
    since = None if request.changedSince is None else instant(request.changedSince)
    this_list = ("ListItems", statuses, since)
    try:
        last = 0 if request.pageToken is None else position(request.pageToken, *this_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None
    query = select(*_WHOLE).join(item, item.c.sku == _items.sku).where(_items.id > last)
    if statuses:
        query = query.where(_items.status.in_(statuses))
    if since is not None:
        query = query.where(_items.changed_at >= since)
    size = request.pageSize or PAGE
    # One more than asked for tells whether there is another page.
    rows = call.reading.execute(query.order_by(_items.id).limit(size + 1)).all()
    reply: Reply = {"asOf": call.now, "item": [_entry(row) for row in rows[:size]]}
    if len(rows) > size:
        reply["nextPage"] = token(rows[size - 1].id, *this_list)
    return reply


def is_gtin(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (GS1 General Specifications, section 7.9)."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0


def _refuse_wrong_gtin(gtin: str | None, call: Call) -> None:
    if gtin is not None and not is_gtin(gtin):
        raise _broken("item", gtin, "mismatch", "/UpsertItem/item/gtin", call)


def _refuse_repeated_language(wanted: Any, call: Call) -> None:
    # Tags of languages mean the same in small letters and large (BCP 47, section 2.1.1).
    seen: set[str] = set()
    for index, one in enumerate(wanted.description, 1):
        language = one.language.lower()
        if language in seen:
            path = f"/UpsertItem/item/description[{index}]/@language"
            raise _broken("item", wanted.sku, "repeated", path, call)
        seen.add(language)


def _know_unit(wanted: Any, now: int, session: Session, call: Call) -> None:
    """Make the item known to stock. Fault: InvalidReference, where stock counts it in another unit."""
    session.run(_INSERT_STOCK_ITEM, ItemRow(wanted.sku, wanted.unit, now))
    if known_units(session, [wanted.sku])[wanted.sku] != wanted.unit:
        raise _broken("unit", wanted.unit, "mismatch", "/UpsertItem/item/unit", call)


def _claim_gtin(wanted: Any, session: Session, call: Call) -> None:
    """Fault: InvalidReference, where another item has the code."""
    session.run(_GIVE_UP_OTHERS, (wanted.sku, wanted.gtin or ""))
    if wanted.gtin is None:
        return
    session.run(_INSERT_GTIN, GtinRow(wanted.gtin, wanted.sku))
    ((owner,),) = session.rows(_OWNER, (wanted.gtin,))
    if owner != wanted.sku:
        raise _broken("item", owner, "repeated", "/UpsertItem/item/gtin", call)


def _replace(there: CatalogRow, row: CatalogRow, request: Any, call: Call) -> Reply:
    if request.revision not in (None, there.revision):
        raise call.fault(
            "RevisionMismatch",
            kind="item",
            identifier=there.sku,
            given=request.revision,
            current=there.revision,
            changedAt=moment(there.changed_at),
        )
    if (row.details, row.status) == (there.details, there.status):
        return _stored(there)
    _claim_gtin(request.item, call.session, call)
    changed = row._replace(
        revision=there.revision + 1,
        created_at=there.created_at,
        # Later than the one before, also where an earlier request waited for this row.
        changed_at=max(row.changed_at, there.changed_at + 1),
    )
    call.session.run(_UPDATE, (*(getattr(changed, name) for name in _WRITTEN), changed.sku))
    return _stored(changed)


def _stored(row: CatalogRow) -> Reply:
    return {"sku": row.sku, "revision": row.revision, "changedAt": moment(row.changed_at)}


def _details(wanted: Any) -> Json:
    details: Json = {"description": [note(one) for one in wanted.description]}
    return details | given(wanted, "gtin", "hsCode", "originCountry")


def _entry(row: Any) -> Reply:
    return {
        "revision": row.revision,
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at),
        "item": {"sku": row.sku, "unit": row.unit, "status": row.status, **unpacked(row.details)},
    }


def _broken(kind: str, identifier: str, reason: str, path: str, call: Call) -> Exception:
    return call.fault(
        "InvalidReference",
        reference=[{"kind": kind, "identifier": identifier, "reason": reason, "path": path}],
    )
