"""SetPrices and ListPrices.

A price is named by its list, item, break and first day: one that is there is replaced, any other is new. No two prices of one list, item
and break hold on the same day; whoever sets one that begins earlier than another ends has to say when the other ends, in the same request
if wanted. A price that is withdrawn stays, so that those who keep copies learn of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.erp.call import Call
from bridge.erp.catalog.events import tell_prices
from bridge.erp.catalog.prices import price_told
from bridge.erp.catalog.tables import price, price_list, standard_price_list
from bridge.erp.catalog.validity import Break, Place, Terms, broken_alone, overlaps
from bridge.erp.currencies import known_currency
from bridge.erp.documents import day_of, text_of, without_none
from bridge.erp.figures import PRICE_DIGITS, QUANTITY_DIGITS, scaled
from bridge.erp.instants import instant
from bridge.erp.paging import BadToken, position, token
from bridge.erp.references import MOST_REPORTED
from bridge.erp.tables import item
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, DialectName, Prepared, insertion

Reply = dict[str, Any]

PAGE = 100
"""Prices on a page whose size the caller does not say."""


class ListRow(NamedTuple):
    """A row of `price_list`."""

    code: str
    currency: str
    revision: int
    exchange_id: str
    created_at: int
    changed_at: int


class PriceRow(NamedTuple):
    """A row of `price`, without the id that the database gives."""

    price_list: str
    sku: str
    quantity_from: int
    valid_from: str
    valid_until: str | None
    unit_price: int
    withdrawn: int
    exchange_id: str
    created_at: int
    changed_at: int


_lists, _prices, _standard = price_list.c, price.c, standard_price_list.c

_INSERT_LIST = insertion(price_list, ListRow, unless_there=("code",))
_LOCKED_LIST = ByKeys(
    f"SELECT {', '.join(ListRow._fields)} FROM price_list WHERE code IN ({{keys}}){{lock}}",  # noqa: S608 - names of columns
    width=1,
)
_WRITE_LIST = Prepared(
    update(price_list)
    .where(_lists.code == bindparam("of_code"))
    .values(revision=bindparam("new_revision"), changed_at=bindparam("new_changed_at")),
    "new_revision",
    "new_changed_at",
    "of_code",
)
_UNITS = ByKeys(
    "SELECT catalog_item.sku, item.unit FROM catalog_item JOIN item ON item.sku = catalog_item.sku "
    "WHERE catalog_item.sku IN (VALUES {keys})",
    width=1,
)
_PRICES_OF = ByKeys(
    "SELECT sku, quantity_from, valid_from, valid_until, unit_price, withdrawn FROM price "
    "WHERE (price_list, sku) IN (VALUES {keys})",
    width=2,
)
_STANDARD = Prepared(
    select(_standard.price_list).where(_standard.currency == bindparam("currency")), "currency"
)
_NO_STANDARD = Prepared(
    delete(standard_price_list).where(
        _standard.currency == bindparam("currency"), _standard.price_list == bindparam("price_list")
    ),
    "currency",
    "price_list",
)


def _make_standard(dialect: DialectName) -> Executable:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Any = make(standard_price_list)
    made: Executable = statement.on_conflict_do_update(
        index_elements=["currency"], set_={"price_list": statement.excluded.price_list}
    )
    return made


def _write_price(dialect: DialectName) -> Executable:
    """INSERT of a price, or what it says now; the day it was first made stays."""
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Any = make(price)
    written = (*Terms._fields, "exchange_id", "changed_at")
    made: Executable = statement.on_conflict_do_update(
        index_elements=["price_list", *Place._fields],
        set_={name: statement.excluded[name] for name in written},
    )
    return made


_MAKE_STANDARD = Prepared(_make_standard, "currency", "price_list")
_WRITE_PRICE = Prepared(_write_price, *PriceRow._fields)


def set_prices(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Set all the prices or none.

    Faults: UnknownCurrency, NotFound (price list), RevisionMismatch, InvalidReference (currency of the list, item, unit), InvalidPeriod.
    """
    wanted = request.priceList
    known_currency(wanted.currency, "/SetPrices/priceList/currency", call)
    session = call.session
    call.reference = wanted.code
    found = _locked(request, call)
    units = _units(request.price, session, call)
    prices = [(_place(one), _terms(one)) for one in request.price]
    before = _prices_of(session, found.code, units)
    after = before | dict(prices)
    broken = broken_alone(prices, before)
    if not broken:
        positions = {place: index for index, (place, _) in enumerate(prices)}
        broken = overlaps({place: after[place] for place in _beside(after, positions)}, positions)
    _refuse(broken, request.price, units, call)

    changed = [(place, terms) for place, terms in prices if before.get(place) != terms]
    moved = _set_standard(session, wanted.standard, found)
    if not changed and not moved:
        return _set(found, 0)
    now = max(stored(call.now), found.changed_at + 1) if found.revision else stored(call.now)
    found = found._replace(revision=found.revision + 1, changed_at=now)
    session.run_many(
        _WRITE_PRICE,
        [PriceRow(found.code, *place, *terms, call.exchange_id, now, now) for place, terms in changed],
    )
    session.run(_WRITE_LIST, (found.revision, now, found.code))
    if tell is not None:
        for sku in sorted({place.sku for place, _ in changed}):
            of_item = {place: terms for place, terms in after.items() if place.sku == sku}
            tell_prices(tell, found, sku, units[sku], of_item, today=str(call.today))
    return _set(found, len(changed))


def list_prices(request: Any, call: Call) -> Reply:
    """One page. Faults: NotFound (of what is filtered by), InvalidPageToken."""
    since = None if request.changedSince is None else instant(request.changedSince)
    day = text_of(request.validOn)
    this_list = ("ListPrices", request.priceList, request.currency, request.sku, day, since)
    try:
        last = 0 if request.pageToken is None else position(request.pageToken, *this_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None
    _refuse_missing(request, call)
    size = request.pageSize or PAGE
    query = (
        select(price, _lists.currency, item.c.unit)
        .join(price_list, _lists.code == _prices.price_list)
        .join(item, item.c.sku == _prices.sku)
        .where(_prices.id > last, *_filters(request, day, since))
        .order_by(_prices.id)
        # One more than asked for tells whether there is another page.
        .limit(size + 1)
    )
    rows = call.reading.execute(query).all()
    reply: Reply = {"asOf": call.now, "price": [_entry(row) for row in rows[:size]]}
    if len(rows) > size:
        reply["nextPage"] = token(rows[size - 1].id, *this_list)
    return reply


# -- the list and what it has


def _locked(request: Any, call: Call) -> ListRow:
    """The list, which nobody else writes to until this transaction ends; one that was not there has revision 0.

    Faults: NotFound, RevisionMismatch, InvalidReference (currency).
    """
    wanted, session, now = request.priceList, call.session, stored(call.now)
    if request.revision is None:
        session.run(_INSERT_LIST, ListRow(wanted.code, wanted.currency, 0, call.exchange_id, now, now))
    rows = session.rows_for(_LOCKED_LIST, [(wanted.code,)])
    if not rows:
        raise call.fault("NotFound", missing=[{"kind": "priceList", "identifier": wanted.code}])
    found = ListRow(*rows[0])
    if request.revision not in (None, found.revision):
        raise call.fault(
            "RevisionMismatch",
            kind="priceList",
            identifier=found.code,
            given=request.revision,
            current=found.revision,
            changedAt=moment(found.changed_at),
        )
    if found.currency != wanted.currency:
        broken = {"kind": "priceList", "identifier": found.code, "reason": "mismatch"}
        raise call.fault("InvalidReference", reference=[broken | {"path": "/SetPrices/priceList/currency"}])
    return found


def _units(prices: Sequence[Any], session: Session, call: Call) -> dict[str, str]:
    """Stock unit by SKU of the items. Fault: InvalidReference, for items that the catalog has not, and other units."""
    rows = session.rows_for(_UNITS, [(sku,) for sku in sorted({one.sku for one in prices})])
    units: dict[str, str] = dict(rows)
    broken = []
    for index, one in enumerate(prices):
        path = _path(index, len(prices))
        if one.sku not in units:
            broken.append(("item", one.sku, "unknown", f"{path}/sku"))
        elif units[one.sku] != one.quantityFrom.unit:
            broken.append(("unit", one.quantityFrom.unit, "mismatch", f"{path}/quantityFrom/@unit"))
    if broken:
        names = ("kind", "identifier", "reason", "path")
        told = [dict(zip(names, one, strict=True)) for one in broken[:MOST_REPORTED]]
        raise call.fault("InvalidReference", reference=told)
    return units


def _prices_of(session: Session, code: str, skus: Iterator[str] | dict[str, str]) -> dict[Place, Terms]:
    rows = session.rows_for(_PRICES_OF, [(code, sku) for sku in skus])
    return {Place(*row[:3]): Terms(*row[3:]) for row in rows}


def _beside(prices: dict[Place, Terms], named: dict[Place, int]) -> list[Place]:
    """The prices of the items and breaks that are named: others cannot be in their way."""
    breaks = {place[:2] for place in named}
    return [place for place in prices if place[:2] in breaks]


def _set_standard(session: Session, wanted: bool | None, found: ListRow) -> bool:
    """Whether the list has become the standard one of its currency, or ceased to be it."""
    if wanted is None:
        return False
    rows = session.rows(_STANDARD, (found.currency,))
    if wanted is bool(rows and rows[0][0] == found.code):
        return False
    session.run(_MAKE_STANDARD if wanted else _NO_STANDARD, (found.currency, found.code))
    return True


# -- what was asked, and what is told


def _place(one: Any) -> Place:
    return Place(one.sku, scaled(one.quantityFrom.value, QUANTITY_DIGITS), str(one.validFrom))


def _terms(one: Any) -> Terms:
    return Terms(text_of(one.validUntil), scaled(one.unitPrice, PRICE_DIGITS), int(bool(one.withdrawn)))


def _refuse(broken: Sequence[Break], prices: Sequence[Any], units: dict[str, str], call: Call) -> None:
    if not broken:
        return
    told = []
    for one in sorted(broken, key=lambda one: one.position)[:MOST_REPORTED]:
        asked = prices[one.position]
        told.append(
            without_none(
                {
                    "reason": one.reason,
                    "sku": asked.sku,
                    "quantityFrom": {"value": asked.quantityFrom.value, "unit": units[asked.sku]},
                    "validFrom": asked.validFrom,
                    "validUntil": asked.validUntil,
                    "otherFrom": day_of(one.other and one.other.valid_from),
                    "otherUntil": day_of(one.other_until),
                    "path": _path(one.position, len(prices)),
                }
            )
        )
    raise call.fault("InvalidPeriod", period=told)


def _path(index: int, count: int) -> str:
    return f"/SetPrices/price[{index + 1}]" if count > 1 else "/SetPrices/price"


def _set(found: ListRow, changed: int) -> Reply:
    return {
        "priceList": found.code,
        "revision": found.revision,
        "changed": changed,
        "changedAt": moment(found.changed_at),
    }


def _filters(request: Any, day: str | None, since: int | None) -> Iterator[ColumnElement[bool]]:
    if request.priceList is not None:
        yield _prices.price_list == request.priceList
    if request.currency is not None:
        yield _lists.currency == request.currency
    if request.sku is not None:
        yield _prices.sku == request.sku
    if day is not None:
        yield _prices.valid_from <= day
        yield or_(_prices.valid_until.is_(None), _prices.valid_until >= day)
    if since is None:
        yield _prices.withdrawn == 0
    else:
        yield _prices.changed_at >= since


def _refuse_missing(request: Any, call: Call) -> None:
    """What is filtered by must be there: a mistyped code is no empty list. Fault: NotFound."""
    session, missing = call.reading, []
    code, sku = request.priceList, request.sku
    if code is not None and session.execute(select(_lists.code).where(_lists.code == code)).first() is None:
        missing.append({"kind": "priceList", "identifier": code})
    if sku is not None and not session.rows_for(_UNITS, [(sku,)]):
        missing.append({"kind": "item", "identifier": sku})
    if missing:
        raise call.fault("NotFound", missing=missing)


def _entry(row: Any) -> Reply:
    told = price_told(
        row.sku,
        row.quantity_from,
        row.unit,
        row.valid_from,
        row.valid_until,
        row.unit_price,
        row.currency,
    )
    if row.withdrawn:
        told["withdrawn"] = True
    return {
        "priceList": row.price_list,
        "currency": row.currency,
        "changedAt": moment(row.changed_at),
        "price": told,
    }
