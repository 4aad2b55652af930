from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import ModuleType

import pytest

from bridge.erp.purchasing.content import Header, Line
from bridge.erp.purchasing.rows import LineRow, OrderRow
from bridge.erp.tables import purchase_order, purchase_order_line
from bridge.store import Store


def test_an_order_is_read_back_as_it_was_sent(erp: ModuleType, store: Store) -> None:
    wanted = erp.order(
        ("2.5", "10.00"),
        ("0.000001", "999999999.999999"),
        buyerReference="B-1",
        requestedDelivery=date(2026, 4, 1),
        deliveryTerms=erp.Given(incoterm="FOB", place="Hamburg"),
        paymentTerms=erp.Given(method="letterOfCredit", netDays=30),
    )
    wanted.line[1].note = erp.Given(value="小心轻放", language="zh")
    made = erp.create(store, wanted, request="r-1")
    got = erp.get_order(store, orderNumber=made["orderNumber"])
    assert got["total"] == made["total"] == {"value": Decimal("1025.00"), "currency": "EUR"}
    assert (got["state"], got["revision"], got["createdAt"]) == ("open", 1, made["createdAt"])
    assert got["order"] == {
        "buyerReference": "B-1",
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "buyer": {"code": "CO-NB01", "name": "Buyer"},
        "supplier": {
            "code": "SUP-1",
            "name": "Supplier",
            "address": {"street": ["Kai 1", "Hof"], "city": "Hamburg", "country": "DE"},
            "contact": {"name": "Sales", "phone": "+49 40 5550"},
        },
        "shipTo": {"warehouse": "WH-NB1"},
        "requestedDelivery": date(2026, 4, 1),
        "deliveryTerms": {"incoterm": "FOB", "place": "Hamburg"},
        "paymentTerms": {"method": "letterOfCredit", "netDays": 30},
        "note": [{"value": "urgent", "language": "en"}],
        "line": [
            {
                "lineNumber": 10,
                "item": {"sku": "SKU-10", "description": "A thing"},
                "quantity": {"value": Decimal("2.5"), "unit": "H87"},
                "unitPrice": Decimal("10.00"),
            },
            {
                "lineNumber": 20,
                "item": {"sku": "SKU-20", "description": "A thing"},
                "quantity": {"value": Decimal("0.000001"), "unit": "H87"},
                "unitPrice": Decimal("999999999.999999"),
                "note": {"value": "小心轻放", "language": "zh"},
            },
        ],
    }


def test_lines_come_back_in_the_order_in_which_they_were_sent(erp: ModuleType, store: Store) -> None:
    wanted = erp.order()
    wanted.line = [erp.line(number, "1", "1") for number in (30, 5, 20)]
    made = erp.create(store, wanted)
    got = erp.get_order(store, orderNumber=made["orderNumber"])
    assert [line["lineNumber"] for line in got["order"]["line"]] == [30, 5, 20]


def test_an_order_is_found_by_the_request_that_made_it(erp: ModuleType, store: Store) -> None:
    made = erp.create(store, erp.order(("1", "1")), request="r-7", partner="crm")
    assert erp.get_order(store, requestId="r-7", partner="crm")["orderNumber"] == made["orderNumber"]
    with pytest.raises(erp.Fault) as caught:
        erp.get_order(store, requestId="r-7", partner="another")
    assert caught.value.fields == {"missing": [{"kind": "request", "identifier": "r-7"}]}


def test_a_number_that_differs_in_its_year_is_not_found(erp: ModuleType, store: Store) -> None:
    made = erp.create(store, erp.order(("1", "1")))["orderNumber"]
    with pytest.raises(erp.Fault) as caught:
        erp.get_order(store, orderNumber="PO-1999" + made[7:])
    assert caught.value.name == "NotFound"


def test_the_same_request_again_gets_the_first_answer_and_makes_no_order(
    erp: ModuleType, store: Store
) -> None:
    first = erp.create(store, erp.order(("1", "1")), request="r-1")
    assert erp.create(store, erp.order(("1", "1")), request="r-1") == first
    assert erp.create(store, erp.order(("1", "1")), request="r-2")["orderNumber"] != first["orderNumber"]


@pytest.mark.parametrize("change", ["header", "line", "fewer lines"])
def test_a_request_id_used_for_another_order_is_refused(erp: ModuleType, store: Store, change: str) -> None:
    first = erp.create(store, erp.order(("1", "1"), ("2", "1")), request="r-1")
    other = erp.order(("1", "1"), ("2", "1"))
    if change == "header":
        other.supplier.name = "Another"
    elif change == "line":
        other.line[1].quantity.value = Decimal("3")
    else:
        other.line.pop()
    with pytest.raises(erp.Fault) as caught:
        erp.create(store, other, request="r-1")
    assert caught.value.name == "KeyReused"
    assert caught.value.fields == {"requestId": "r-1", "firstUsedAt": first["createdAt"]}


def test_the_same_request_id_of_two_partners_makes_two_orders(erp: ModuleType, store: Store) -> None:
    one = erp.create(store, erp.order(("1", "1")), request="r-1", partner="crm")
    two = erp.create(store, erp.order(("1", "2")), request="r-1", partner="shop")
    assert one["orderNumber"] != two["orderNumber"]


def test_a_total_too_large_to_keep_is_refused_and_nothing_is_stored(erp: ModuleType, store: Store) -> None:
    with pytest.raises(erp.Fault) as caught:
        erp.create(store, erp.order(("999999999", "999999999")), request="r-1")
    assert caught.value.name == "LimitExceeded"
    assert caught.value.fields["actual"] == Decimal("999999998000000001")
    with pytest.raises(erp.Fault, match="NotFound"):
        erp.get_order(store, requestId="r-1")


def test_rows_have_the_columns_of_their_tables_in_order() -> None:
    # A tuple is bound by position: a field in the wrong place would be stored without complaint.
    assert ("id", *OrderRow._fields) == tuple(purchase_order.columns.keys())
    assert LineRow._fields == tuple(purchase_order_line.columns.keys())
    assert LineRow._fields == ("order_id", *Line._fields)
    first = OrderRow._fields.index("buyer_reference")
    assert Header._fields == OrderRow._fields[first : first + len(Header._fields)]
