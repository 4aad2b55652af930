"""Suppliers: what UpsertSupplier and GetSupplier do (wsdl/erp/suppliers-1.wsdl), and what orders ask of a supplier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select, update

from bridge.erp.call import Call
from bridge.erp.documents import Json, address, contact, given, note, packed, unpacked
from bridge.erp.references import Rules
from bridge.erp.tables import supplier
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

if TYPE_CHECKING:
    from bridge.erp.telling import Tell

Reply = dict[str, Any]


class SupplierRow(NamedTuple):
    """A row of `supplier`."""

    code: str
    revision: int
    blocked: int
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


_suppliers = supplier.c
_WRITTEN = ("revision", "blocked", "details", "exchange_id", "changed_at")

_INSERT = insertion(supplier, SupplierRow, returning=_suppliers.code, unless_there=("code",))
_UPDATE = Prepared(
    update(supplier)
    .where(_suppliers.code == bindparam("of_code"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
    *(f"new_{name}" for name in _WRITTEN),
    "of_code",
)
_BY_CODE = Prepared(
    select(*(_suppliers[name] for name in SupplierRow._fields)).where(_suppliers.code == bindparam("code")),
    "code",
)
_LOCKED = ByKeys(
    f"SELECT {', '.join(SupplierRow._fields)} FROM supplier WHERE code IN ({{keys}}){{lock}}",  # noqa: S608 - names of columns
    width=1,
)
_BLOCKED = Prepared(select(_suppliers.blocked).where(_suppliers.code == bindparam("code")), "code")


def handlers(_rules: Rules, _tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/suppliers-1.wsdl."""
    return {"UpsertSupplier": upsert_supplier, "GetSupplier": get_supplier}


def upsert_supplier(request: Any, call: Call) -> Reply:
    """Store the supplier, new or in place of what was there. Faults: NotFound, RevisionMismatch."""
    wanted = request.supplier
    now = stored(call.now)
    row = SupplierRow(
        wanted.code,
        1,
        int(wanted.blocked is not None),
        packed(_details(wanted)),
        call.exchange_id,
        now,
        now,
    )
    call.reference = wanted.code
    if request.revision is None and call.session.rows(_INSERT, row):
        return _stored(row)
    found = call.session.rows_for(_LOCKED, [(wanted.code,)])
    if not found:
        raise call.fault("NotFound", missing=[{"kind": "supplier", "identifier": wanted.code}])
    return _replace(SupplierRow(*found[0]), row, request.revision, call)


def get_supplier(request: Any, call: Call) -> Reply:
    """The supplier as it stands. Fault: NotFound."""
    found = call.reading.rows(_BY_CODE, (request.code,))
    if not found:
        raise call.fault("NotFound", missing=[{"kind": "supplier", "identifier": request.code}])
    row = SupplierRow(*found[0])
    call.reference = row.code
    return {
        "revision": row.revision,
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at),
        "supplier": unpacked(row.details),
    }


def broken_supplier(session: Session, code: str, path: str, rules: Rules) -> list[dict[str, str]]:
    """Why an order may not name this supplier, as the references of an InvalidReference fault; empty where it may."""
    found = session.rows(_BLOCKED, (code,))
    if found and found[0][0]:
        reason = "blocked"
    elif not found and rules.known_suppliers_only:
        reason = "unknown"
    else:
        return []
    return [{"kind": "supplier", "identifier": code, "reason": reason, "path": path}]


def _replace(there: SupplierRow, row: SupplierRow, based_on: int | None, call: Call) -> Reply:
    if based_on is not None and based_on != there.revision:
        raise call.fault(
            "RevisionMismatch",
            kind="supplier",
            identifier=there.code,
            given=based_on,
            current=there.revision,
            changedAt=moment(there.changed_at),
        )
    if row.details == there.details:
        return _stored(there)
    changed = row._replace(
        revision=there.revision + 1,
        created_at=there.created_at,
        # Later than the one before, also where an earlier request waited for this row.
        changed_at=max(row.changed_at, there.changed_at + 1),
    )
    call.session.run(_UPDATE, (*(getattr(changed, name) for name in _WRITTEN), changed.code))
    return _stored(changed)


def _stored(row: SupplierRow) -> Reply:
    return {"code": row.code, "revision": row.revision, "changedAt": moment(row.changed_at)}


def _details(wanted: Any) -> Json:
    details = given(wanted, "code", "name", "taxNumber", "currency")
    if wanted.otherName:
        details["otherName"] = list(wanted.otherName)
    if wanted.address is not None:
        details["address"] = address(wanted.address)
    if wanted.contact:
        details["contact"] = [contact(one) for one in wanted.contact]
    if wanted.paymentTerms is not None:
        details["paymentTerms"] = given(wanted.paymentTerms, "method", "netDays")
    if wanted.blocked is not None:
        details["blocked"] = {"reason": note(wanted.blocked.reason)}
    return details
