"""Items and prices, on both databases."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from typing import Any

from bridge.erp.catalog.prices import price_of
from tests.integration.erp.desk import Desk, item, pieces, price, price_list


def upsert(desk: Desk, sku: str = "BRG-1", revision: int | None = None, **fields: Any) -> Any:
    based = {} if revision is None else {"revision": revision}
    return desk.do("catalog", "UpsertItem", item=item(sku, **fields), **based)


def set_prices(
    desk: Desk, *prices: dict[str, Any], code: str = "STD", currency: str = "EUR", **fields: Any
) -> Any:
    standard = {} if "standard" not in fields else {"standard": fields.pop("standard")}
    return desk.do(
        "catalog", "SetPrices", priceList=price_list(code, currency, **standard), price=list(prices), **fields
    )


def refused_prices(desk: Desk, *prices: dict[str, Any], currency: str = "EUR", **fields: Any) -> Any:
    return desk.refused(
        "catalog", "SetPrices", priceList=price_list(currency=currency), price=list(prices), **fields
    )


def cost(desk: Desk, quantity: object, on: str = "2026-03-01", **fields: Any) -> Any:
    return desk.do(
        "catalog",
        "GetPrice",
        **{
            "sku": "BRG-1",
            "currency": "EUR",
            "quantity": pieces(quantity),
            "on": date.fromisoformat(on),
            **fields,
        },
    )


# -- items


def test_an_item_is_read_back_as_it_was_sent_by_number_and_by_bar_code(desk: Desk) -> None:
    words = [{"value": "Kugellager", "language": "de"}, {"value": "滚珠轴承", "language": "zh-CN"}]
    made = upsert(desk, description=words, gtin="4006381333931", hsCode="848210", originCountry="CN")
    assert (made.sku, made.revision) == ("BRG-1", 1)
    for by in ({"sku": "BRG-1"}, {"gtin": "4006381333931"}):
        got = desk.do("catalog", "GetItem", item=by)
        assert (got.revision, got.createdAt, got.changedAt) == (1, made.changedAt, made.changedAt)
        told = got.item
        assert [(one.value, one.language) for one in told.description] == [
            ("Kugellager", "de"),
            ("滚珠轴承", "zh-CN"),
        ]
        assert (told.sku, told.unit, told.status) == ("BRG-1", "H87", "active")
        assert (told.gtin, told.hsCode, told.originCountry) == ("4006381333931", "848210", "CN")
    refusal = desk.refused("catalog", "GetItem", item={"sku": "NO-SUCH"})
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["NO-SUCH"])


def test_a_change_counts_the_revision_and_the_same_again_does_not(desk: Desk) -> None:
    first = upsert(desk)
    assert upsert(desk).changedAt == first.changedAt
    assert upsert(desk, status="phasingOut").revision == 2
    refusal = desk.refused("catalog", "UpsertItem", item=item(), revision=1)
    assert (refusal.name, refusal.texts("current")) == ("RevisionMismatch", ["2"])
    refusal = desk.refused("catalog", "UpsertItem", item=item("OTHER"), revision=1)
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["OTHER"])
    assert upsert(desk, revision=2).revision == 3


def test_catalog_and_stock_count_an_item_in_one_unit_whichever_came_first(desk: Desk) -> None:
    receipt = {"receipt": {"warehouse": "WH-A", "reason": "purchase"}}
    moved = {"sku": "STOCK-1", "quantity": pieces(1, "KGM"), **receipt}
    desk.do("inventory", "UpdateStock", movement=[moved])
    refusal = desk.refused("catalog", "UpsertItem", item=item("STOCK-1"))
    assert (refusal.name, refusal.texts("path")) == ("InvalidReference", ["/UpsertItem/item/unit"])
    upsert(desk, "STOCK-1", unit="KGM")
    upsert(desk, "NEW-1", unit="MTR")
    wrong = {"sku": "NEW-1", "quantity": pieces(1), **receipt}
    refusal = desk.refused("inventory", "UpdateStock", movement=[wrong])
    assert (refusal.name, refusal.texts("identifier")) == ("InvalidReference", ["H87"])


def test_a_bar_code_is_right_and_of_one_item(desk: Desk) -> None:
    upsert(desk, gtin="4006381333931")
    refusal = desk.refused("catalog", "UpsertItem", item=item("B", gtin="4006381333932"))
    assert (refusal.name, refusal.texts("reason")) == ("InvalidReference", ["mismatch"])
    refusal = desk.refused("catalog", "UpsertItem", item=item("B", gtin="4006381333931"))
    assert (refusal.texts("identifier"), refusal.texts("reason")) == (["BRG-1"], ["repeated"])
    refusal = desk.refused("catalog", "GetItem", item={"sku": "B"})
    assert refusal.name == "NotFound", "nothing of it was stored"
    upsert(desk)
    upsert(desk, "B", gtin="4006381333931")
    assert desk.do("catalog", "GetItem", item={"gtin": "4006381333931"}).item.sku == "B"


def test_an_item_is_described_once_in_a_language(desk: Desk) -> None:
    words = [{"value": "Bearing", "language": one} for one in ("en", "de", "EN")]
    refusal = desk.refused("catalog", "UpsertItem", item=item(description=words))
    assert refusal.name == "InvalidReference"
    assert refusal.texts("path") == ["/UpsertItem/item/description[3]/@language"]


def test_items_are_listed_page_by_page_by_status_and_by_change(desk: Desk) -> None:
    for number, status in enumerate(("active", "discontinued", "active"), 1):
        upsert(desk, f"S-{number}", status=status)

    def listed(**filters: Any) -> list[str]:
        return [one.item.sku for one in desk.do("catalog", "ListItems", **filters).item]

    assert listed() == ["S-1", "S-2", "S-3"]
    assert listed(status=["discontinued"]) == ["S-2"]
    page = desk.do("catalog", "ListItems", pageSize=2)
    assert listed(pageSize=2, pageToken=page.nextPage) == ["S-3"]
    upsert(desk, "S-1", hsCode="848210")
    assert listed(changedSince=page.asOf) == ["S-1"]
    refusal = desk.refused("catalog", "ListItems", status=["active"], pageToken=page.nextPage)
    assert (refusal.name, refusal.texts("reason")) == ("InvalidPageToken", ["otherList"])


# -- prices


def test_the_largest_break_counts_that_holds_on_the_day(desk: Desk) -> None:
    upsert(desk)
    made = set_prices(
        desk,
        price("10"),
        price("9", "2026-01-01", "2026-02-28", at=100),
        price("8.5", "2026-03-01", "2026-12-31", at=100),
        price("7.123456", at=1000),
        standard=True,
    )
    assert (made.priceList, made.revision, made.changed) == ("STD", 1, 4)
    for quantity, on, expected in (
        (99, "2026-03-01", "10"),
        (100, "2026-02-28", "9"),
        (100, "2026-03-01", "8.5"),
        (150, "2027-01-01", "10"),
        (2000, "2027-01-01", "7.123456"),
    ):
        assert cost(desk, quantity, on).price.unitPrice == Decimal(expected), (quantity, on)
    told = cost(desk, "100.5")
    assert (told.priceList, told.currency, told.on) == ("STD", "EUR", date(2026, 3, 1))
    assert (told.price.quantityFrom.value, told.price.validFrom) == (100, date(2026, 3, 1))
    assert (told.price.validUntil, told.amount.value) == (date(2026, 12, 31), Decimal("854.25"))


def test_a_list_that_is_named_goes_before_the_standard_list_of_the_currency(desk: Desk) -> None:
    upsert(desk)
    set_prices(desk, price("10"), price("8", at=100), standard=True)
    set_prices(desk, price("9.90", "2026-02-01", "2026-02-28"), code="KEY")
    set_prices(desk, price("12"), code="USD-1", currency="USD", standard=True)
    assert cost(desk, 100, "2026-02-10").priceList == "STD"
    assert cost(desk, 100, "2026-02-10", priceList="KEY").price.unitPrice == Decimal("9.90")
    assert cost(desk, 100, "2026-03-01", priceList="KEY").priceList == "STD"
    assert cost(desk, 1, currency="USD").priceList == "USD-1"
    set_prices(desk, price("9.90", "2026-02-01", "2026-02-28"), code="KEY", standard=True)
    assert cost(desk, 1, "2026-02-10").priceList == "KEY", "a new standard list takes the place of the old"
    set_prices(desk, price("9.90", "2026-02-01", "2026-02-28"), code="KEY", standard=False)
    refusal = desk.refused(
        "catalog", "GetPrice", sku="BRG-1", currency="EUR", quantity=pieces(1), on=date(2026, 2, 10)
    )
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["EUR"])


def test_a_price_that_would_hold_beside_another_is_refused_and_may_end_it_in_the_same_request(
    desk: Desk,
) -> None:
    upsert(desk)
    set_prices(desk, price("10", "2026-01-01"))
    refusal = refused_prices(desk, price("5", at=50), price("11", "2026-05-01"))
    assert (refusal.name, refusal.texts("reason")) == ("InvalidPeriod", ["overlap"])
    assert refusal.texts("path") == ["/SetPrices/price[2]"]
    assert (refusal.texts("otherFrom"), refusal.texts("otherUntil")) == (["2026-01-01"], [])
    assert len(desk.do("catalog", "ListPrices").price) == 1, "nothing of it was stored"
    made = set_prices(desk, price("10", "2026-01-01", "2026-04-30"), price("11", "2026-05-01"), standard=True)
    assert (made.revision, made.changed) == (2, 2)
    assert [cost(desk, 1, on).price.unitPrice for on in ("2026-04-30", "2026-05-01")] == [10, 11]


def test_prices_that_cannot_be_are_told_one_by_one(desk: Desk) -> None:
    upsert(desk)
    refusal = refused_prices(
        desk,
        price("1", "2026-05-01", "2026-04-30"),
        price("1", "2026-06-01", at=5),
        price("2", "2026-06-01", at=5),
        price("1", "2026-07-01", at=9, withdrawn=True),
    )
    assert refusal.texts("reason") == ["endsBeforeItBegins", "repeated", "nothingToWithdraw"]
    refusal = refused_prices(desk, price("1", sku="NO-SUCH"), price("1", quantityFrom=pieces(1, "KGM")))
    assert (refusal.name, refusal.texts("kind")) == ("InvalidReference", ["item", "unit"])
    assert refused_prices(desk, price("1"), currency="EUX").name == "UnknownCurrency"
    assert refused_prices(desk, price("1"), revision=1).name == "NotFound"
    set_prices(desk, price("1"))
    refusal = refused_prices(desk, price("1"), currency="USD")
    assert (refusal.name, refusal.texts("kind")) == ("InvalidReference", ["priceList"])
    assert refused_prices(desk, price("2"), revision=7).name == "RevisionMismatch"


def test_a_withdrawn_price_holds_on_no_day_and_stays_where_changes_are_listed(desk: Desk) -> None:
    upsert(desk)
    set_prices(desk, price("10"), standard=True)
    since = desk.do("catalog", "ListPrices").asOf
    assert set_prices(desk, price("10", withdrawn=True)).changed == 1
    assert set_prices(desk, price("10", withdrawn=True)).changed == 0
    assert desk.do("catalog", "ListPrices").price == []
    (told,) = desk.do("catalog", "ListPrices", changedSince=since).price
    assert told.price.withdrawn is True
    refusal = desk.refused("catalog", "GetPrice", sku="BRG-1", currency="EUR", quantity=pieces(1))
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["STD"])
    assert set_prices(desk, price("11", "2026-02-01")).changed == 1, "it is in nobody's way"


def test_what_is_no_longer_sold_has_no_price(desk: Desk) -> None:
    upsert(desk)
    set_prices(desk, price("10"), standard=True)
    upsert(desk, status="discontinued")
    refusal = desk.refused("catalog", "GetPrice", sku="BRG-1", currency="EUR", quantity=pieces(1))
    assert (refusal.name, refusal.texts("state")) == ("InvalidState", ["discontinued"])
    with desk.store.reading() as session:
        asked = {"currency": "EUR", "quantity": 1_000_000, "on": date(2026, 3, 1)}
        assert price_of(session, "BRG-1", **asked) is None
    upsert(desk, status="phasingOut")
    with desk.store.reading() as session:
        found = price_of(session, "BRG-1", **asked, price_list="NO-SUCH")
        assert found is not None
        assert (found.price_list, found.unit_price) == ("STD", 10_000_000)
        assert price_of(session, "BRG-1", **asked | {"quantity": 999_999}) is None, "below the least break"


def test_a_price_is_asked_for_in_the_items_unit_and_a_lists_currency(desk: Desk) -> None:
    upsert(desk)
    set_prices(desk, price("10"))
    asked = {"sku": "BRG-1", "currency": "USD", "quantity": pieces(1, "KGM"), "priceList": "STD"}
    refusal = desk.refused("catalog", "GetPrice", **asked)
    assert (refusal.name, refusal.texts("kind")) == ("InvalidReference", ["unit", "priceList"])
    refusal = desk.refused("catalog", "GetPrice", **asked | {"priceList": "NO-SUCH"})
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["NO-SUCH"])


def test_prices_are_listed_by_list_currency_item_and_day(desk: Desk) -> None:
    upsert(desk)
    upsert(desk, "B")
    set_prices(desk, price("1", "2026-01-01", "2026-01-31"), price("2", "2026-02-01"), price("3", sku="B"))
    set_prices(desk, price("4"), code="USD-1", currency="USD")

    def listed(**filters: Any) -> list[int]:
        return [int(one.price.unitPrice) for one in desk.do("catalog", "ListPrices", **filters).price]

    assert listed() == [1, 2, 3, 4]
    assert listed(priceList="STD") == [1, 2, 3]
    assert listed(currency="USD") == [4]
    assert listed(sku="BRG-1") == [1, 2, 4]
    assert listed(validOn=date(2026, 1, 31)) == [1, 3, 4]
    page = desk.do("catalog", "ListPrices", pageSize=3)
    assert listed(pageSize=3, pageToken=page.nextPage) == [4]
    refusal = desk.refused("catalog", "ListPrices", priceList="NO-SUCH", sku="NO-ITEM")
    assert (refusal.name, refusal.texts("kind")) == ("NotFound", ["priceList", "item"])


def test_two_that_set_prices_for_the_same_days_at_once_do_not_both_get_their_way(desk: Desk) -> None:
    upsert(desk)
    together = threading.Barrier(4)
    answers: list[str] = []

    def send(number: int) -> None:
        together.wait()
        values = {
            "priceList": price_list(standard=True),
            "price": [price(number, f"2026-0{number}-01")],
        }
        answers.append(desk.ask("catalog", "SetPrices", values).fault_name or "set")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["InvalidPeriod"] * 3 + ["set"]
    assert desk.count("SELECT COUNT(*) FROM price") == desk.count("SELECT revision FROM price_list") == 1


def test_one_bar_code_that_four_items_want_at_once_is_given_to_one(desk: Desk) -> None:
    together = threading.Barrier(4)
    answers: list[str] = []

    def send(number: int) -> None:
        together.wait()
        values = {"item": item(f"S-{number}", gtin="4006381333931")}
        answers.append(desk.ask("catalog", "UpsertItem", values).fault_name or "stored")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["InvalidReference"] * 3 + ["stored"]
