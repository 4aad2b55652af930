"""Suppliers, and what orders ask of them, on both databases."""

from __future__ import annotations

import threading
from types import ModuleType

import pytest

from bridge.erp.shipped import Rules
from bridge.erp.suppliers import SupplierRow
from bridge.erp.tables import supplier
from bridge.store import Store

KNOWN_ONLY = Rules(known_suppliers_only=True)


def blocked(erp: ModuleType, code: str = "SUP-1") -> object:
    return erp.supplier(code, blocked=erp.Given(reason=erp.Given(value="不合格", language="zh")))


def test_a_supplier_is_read_back_as_it_was_sent(erp: ModuleType, store: Store) -> None:
    wanted = erp.supplier(
        taxNumber="DE123456789",
        otherName=["Supplier Ltd", "供应商"],
        address=erp.Given(street=["Kai 1"], city="Hamburg", country="DE"),
        contact=[erp.Given(name="Sales", phone="+49 40 5550"), erp.Given(name="Quality")],
        currency="EUR",
        paymentTerms=erp.Given(method="bankTransfer", netDays=30),
        blocked=erp.Given(reason=erp.Given(value="不合格", language="zh")),
    )
    made = erp.upsert(store, wanted)
    got = erp.read_supplier(store, "SUP-1")
    assert made == {"code": "SUP-1", "revision": 1, "changedAt": got["changedAt"]}
    assert got["createdAt"] == got["changedAt"]
    assert got["supplier"] == {
        "code": "SUP-1",
        "name": "Supplier",
        "taxNumber": "DE123456789",
        "otherName": ["Supplier Ltd", "供应商"],
        "address": {"street": ["Kai 1"], "city": "Hamburg", "country": "DE"},
        "contact": [{"name": "Sales", "phone": "+49 40 5550"}, {"name": "Quality"}],
        "currency": "EUR",
        "paymentTerms": {"method": "bankTransfer", "netDays": 30},
        "blocked": {"reason": {"value": "不合格", "language": "zh"}},
    }


def test_a_change_replaces_everything_and_counts_the_revision(erp: ModuleType, store: Store) -> None:
    first = erp.upsert(store, erp.supplier(taxNumber="DE123456789"))
    second = erp.upsert(store, erp.supplier(name="New name"))
    got = erp.read_supplier(store, "SUP-1")
    assert second["revision"] == got["revision"] == 2
    assert got["supplier"] == {"code": "SUP-1", "name": "New name"}
    assert got["createdAt"] == first["changedAt"]
    assert got["changedAt"] == second["changedAt"] > first["changedAt"]


def test_the_same_content_again_is_no_change(erp: ModuleType, store: Store) -> None:
    first = erp.upsert(store, erp.supplier())
    assert erp.upsert(store, erp.supplier()) == first


def test_a_change_of_another_revision_is_told_which_one_is_there(erp: ModuleType, store: Store) -> None:
    erp.upsert(store, erp.supplier())
    changed = erp.upsert(store, erp.supplier(name="Two"), revision=1)
    with pytest.raises(erp.Fault) as caught:
        erp.upsert(store, erp.supplier(name="Three"), revision=1)
    assert caught.value.name == "RevisionMismatch"
    assert caught.value.fields == {
        "kind": "supplier",
        "identifier": "SUP-1",
        "given": 1,
        "current": 2,
        "changedAt": changed["changedAt"],
    }
    assert erp.read_supplier(store, "SUP-1")["supplier"]["name"] == "Two"


def test_a_supplier_that_is_not_there_is_not_found_nor_changed_by_revision(
    erp: ModuleType, store: Store
) -> None:
    missing = {"missing": [{"kind": "supplier", "identifier": "SUP-9"}]}
    with pytest.raises(erp.Fault) as caught:
        erp.read_supplier(store, "SUP-9")
    assert caught.value.fields == missing
    with pytest.raises(erp.Fault) as caught:
        erp.upsert(store, erp.supplier("SUP-9"), revision=1)
    assert caught.value.fields == missing


def test_eight_that_make_one_supplier_known_at_once_make_one(erp: ModuleType, store: Store) -> None:
    revisions: list[int] = []
    together = threading.Barrier(8)

    def upsert(name: str) -> None:
        together.wait()
        revisions.append(erp.upsert(store, erp.supplier(name=name))["revision"])

    threads = [threading.Thread(target=upsert, args=(f"Name {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(revisions) == list(range(1, 9))


def test_an_order_may_name_any_supplier_unless_the_settings_say_otherwise(
    erp: ModuleType, store: Store
) -> None:
    number = erp.create(store, erp.order(("1", "1")))["orderNumber"]
    unknown = {
        "reference": [
            {
                "kind": "supplier",
                "identifier": "SUP-1",
                "reason": "unknown",
                "path": "/CreatePurchaseOrder/order/supplier/code",
            }
        ]
    }
    with pytest.raises(erp.Fault) as caught:
        erp.create(store, erp.order(("1", "1")), rules=KNOWN_ONLY, request="r-1")
    assert caught.value.fields == unknown
    with pytest.raises(erp.Fault, match="NotFound"):
        erp.get_order(store, requestId="r-1")
    with pytest.raises(erp.Fault, match="InvalidReference"):
        erp.change(store, number, 1, erp.order(("2", "1")), rules=KNOWN_ONLY)
    erp.upsert(store, erp.supplier())
    erp.create(store, erp.order(("1", "1")), rules=KNOWN_ONLY)
    erp.change(store, number, 1, erp.order(("2", "1")), rules=KNOWN_ONLY)


@pytest.mark.parametrize("rules", [Rules(), KNOWN_ONLY], ids=["any supplier", "known only"])
def test_a_blocked_supplier_gets_no_order_and_no_change_but_may_deliver(
    erp: ModuleType, store: Store, rules: Rules
) -> None:
    erp.upsert(store, erp.supplier())
    number = erp.create(store, erp.order(("1", "1")), rules=rules)["orderNumber"]
    erp.upsert(store, blocked(erp))
    for act, operation in (
        (lambda: erp.create(store, erp.order(("1", "1")), rules=rules), "CreatePurchaseOrder"),
        (lambda: erp.change(store, number, 1, erp.order(("2", "1")), rules=rules), "ChangePurchaseOrder"),
    ):
        with pytest.raises(erp.Fault) as caught:
            act()
        (reference,) = caught.value.fields["reference"]
        assert (reference["reason"], reference["path"]) == ("blocked", f"/{operation}/order/supplier/code")
    assert erp.receive(store, number, erp.arrived(10, "1"), rules=rules)["state"] == "received"
    erp.upsert(store, erp.supplier())
    erp.create(store, erp.order(("1", "1")), rules=rules)


def test_a_row_has_the_columns_of_its_table_in_order() -> None:
    assert SupplierRow._fields == tuple(supplier.columns.keys())
