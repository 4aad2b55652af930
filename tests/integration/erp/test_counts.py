from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.inventory.counts import CountLineRow, CountRow
from bridge.erp.tables import stock_count, stock_count_line
from bridge.store import Store

A, B = "WH-A", "WH-B"
EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)
NINE, TEN = EIGHT + timedelta(hours=1), EIGHT + timedelta(hours=2)


def test_differences_are_posted_as_adjustments(erp: ModuleType, store: Store) -> None:
    erp.update(
        store, erp.receipt("S", A, "10"), erp.receipt("T", A, "10"), erp.receipt("S", B, "10"), now=EIGHT
    )
    reply = erp.count(
        store,
        erp.counted("S", A, "7.5", note=erp.Given(value="two crushed", language="en")),
        erp.counted("T", A, "10"),
        erp.counted("S", B, "11"),
        reference="SHEET-4",
        postingDate=date(2026, 3, 1),
        now=NINE,
    )
    assert reply["countNumber"] == "SC-2026-000001"
    assert reply["documentNumber"].startswith("SM-2026-")
    assert [
        (
            one["sku"],
            one["warehouse"],
            one["book"]["value"],
            one["counted"]["value"],
            one["direction"],
            one["quantity"]["value"],
            one["onHand"]["value"],
        )
        for one in reply["difference"]
    ] == [
        ("S", A, 10, Decimal("7.5"), "decrease", Decimal("2.5"), Decimal("7.5")),
        ("S", B, 10, 11, "increase", 1, 11),
    ]
    assert erp.stock(store, "S", "T") == {("S", A): Decimal("7.5"), ("S", B): 11, ("T", A): 10}
    posted = erp.all_movements(store, documentNumber=reply["documentNumber"], oldestFirst=True)
    assert [(one["kind"], one["reason"], one["direction"]) for one in posted] == [
        ("adjustment", "count", "decrease"),
        ("adjustment", "count", "increase"),
    ]
    assert posted[0]["note"] == {"value": "two crushed", "language": "en"}
    assert {(one["reference"], one["postingDate"]) for one in posted} == {("SHEET-4", date(2026, 3, 1))}


def test_a_count_that_finds_the_books_right_posts_nothing_and_is_kept(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    reply = erp.count(store, erp.counted("S", A, "10"))
    assert reply["difference"] == []
    assert "documentNumber" not in reply
    with store.reading() as session:
        kept = session.execute(text("SELECT sku, warehouse, counted, book FROM stock_count_line")).all()
        documents = session.execute(text("SELECT count(*) FROM stock_document")).scalar()
    assert [tuple(row) for row in kept] == [("S", A, 10_000_000, 10_000_000)]
    assert documents == 1
    with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
        transaction.session.execute(text("UPDATE stock_count_line SET counted = 0"))


def test_what_moved_after_the_count_stays(erp: ModuleType, store: Store) -> None:
    """Counted 9 of 10 at nine; 4 left and 1 came before the count was sent at ten: 6 are there, not 9."""
    erp.update(store, erp.receipt("S", A, "10"), now=EIGHT)
    erp.update(store, erp.issue("S", A, "4"), erp.receipt("S", A, "1"), now=NINE + timedelta(microseconds=1))
    reply = erp.count(store, erp.counted("S", A, "9"), countedAt=NINE, now=TEN)
    (difference,) = reply["difference"]
    assert (difference["book"]["value"], difference["onHand"]["value"]) == (10, 6)
    assert (difference["direction"], difference["quantity"]["value"]) == ("decrease", 1)
    assert erp.stock(store, "S") == {("S", A): 6}


def test_what_moved_before_or_in_the_instant_of_the_count_was_counted(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), now=EIGHT)
    erp.update(store, erp.issue("S", A, "4"), now=NINE)
    assert erp.count(store, erp.counted("S", A, "6"), countedAt=NINE, now=TEN)["difference"] == []


def test_each_line_has_a_time_of_its_own_or_that_of_the_count(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), erp.receipt("S", B, "10"), now=EIGHT)
    erp.update(store, erp.issue("S", A, "1"), erp.issue("S", B, "1"), now=NINE)
    reply = erp.count(
        store,
        erp.counted("S", A, "10"),
        erp.counted("S", B, "9", countedAt=TEN),
        countedAt=EIGHT,
        now=TEN,
    )
    assert reply["difference"] == []


def test_many_lines_of_the_same_time_are_each_compared_with_their_own_movements(
    erp: ModuleType, store: Store
) -> None:
    skus = [f"S-{number}" for number in range(70)]
    erp.update(store, *(erp.receipt(sku, A, "10") for sku in skus), now=EIGHT)
    for _ in range(2):
        erp.update(store, *(erp.issue(sku, A, "1") for sku in skus), now=NINE)
    reply = erp.count(store, *(erp.counted(sku, A, "10") for sku in skus[:69]), countedAt=EIGHT, now=TEN)
    assert reply["difference"] == []
    assert set(erp.stock(store, *skus).values()) == {8}


def test_a_clock_may_be_a_little_ahead_and_no_more(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), now=EIGHT)
    ahead = NINE + timedelta(minutes=5)
    assert erp.count(store, erp.counted("S", A, "10"), countedAt=ahead, now=NINE)["difference"] == []
    with pytest.raises(erp.Fault) as caught:
        erp.count(
            store,
            erp.counted("S", A, "10"),
            erp.counted("S", B, "10", countedAt=TEN),
            countedAt=ahead + timedelta(microseconds=1),
            now=NINE,
        )
    assert caught.value.name == "InvalidReference"
    assert [(one["kind"], one["reason"], one["path"]) for one in caught.value.fields["reference"]] == [
        ("stockCount", "mismatch", "/CountStock/countedAt"),
        ("stockCount", "mismatch", "/CountStock/line[2]/countedAt"),
    ]


def test_what_is_counted_must_be_known(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10", unit="KGM"))
    with pytest.raises(erp.Fault) as caught:
        erp.count(
            store,
            erp.counted("NONE", A, "1"),
            erp.counted("S", "WH-X", "1", unit="KGM"),
            erp.counted("S", A, "1", unit="H87"),
        )
    assert [(one["kind"], one["path"]) for one in caught.value.fields["reference"]] == [
        ("item", "/CountStock/line[1]/sku"),
        ("warehouse", "/CountStock/line[2]/warehouse"),
        ("unit", "/CountStock/line[3]/counted/@unit"),
    ]


def test_an_item_may_be_found_where_it_never_was(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), erp.receipt("T", B, "10"))
    erp.count(store, erp.counted("S", B, "2"), erp.counted("T", A, "0"))
    assert erp.stock(store, "S") == {("S", A): 10, ("S", B): 2}


def test_a_count_below_what_is_reserved_waits_for_a_decision(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    number = erp.reserve(store, erp.wanted(1, "S", A, "8"))["reservationNumber"]
    with pytest.raises(erp.Fault) as caught:
        erp.count(store, erp.counted("S", A, "7"))
    assert caught.value.name == "InsufficientStock"
    (shortage,) = caught.value.fields["shortage"]
    assert (shortage["available"]["value"], shortage["wanted"]["value"], shortage["path"]) == (
        2,
        3,
        "/CountStock/line",
    )
    assert erp.stock(store, "S") == {("S", A): 10}
    erp.release(store, number, (1, "1"))
    erp.count(store, erp.counted("S", A, "7"))
    assert erp.levels(store, "S")["S", A] == (7, 7, 0)


@pytest.mark.parametrize("found", ["10", "9"])
def test_a_request_id_makes_one_count(erp: ModuleType, store: Store, found: str) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    erp.count(store, erp.counted("S", A, found), request="c-1")
    with pytest.raises(erp.Fault, match="KeyReused"):
        erp.count(store, erp.counted("S", A, found), request="c-1")
    assert erp.stock(store, "S") == {("S", A): Decimal(found)}


def test_counts_among_movements_at_once_lose_none_of_them(erp: ModuleType, store: Store) -> None:
    """Everybody counts what was there at the beginning; whatever moves meanwhile must be there at the end."""
    erp.update(store, erp.receipt("S", A, "100"), erp.receipt("T", A, "100"), now=EIGHT)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(4):
                if number % 2:
                    erp.update(store, erp.issue("S", A, "1"), erp.receipt("T", A, "1"))
                else:
                    erp.count(store, erp.counted("S", A, "90"), erp.counted("T", A, "110"), countedAt=NINE)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    # However many counts came, the books were wrong once: by 10 at nine o'clock.
    with store.reading() as session:
        corrections = session.execute(
            text("SELECT sku, quantity FROM stock_movement WHERE reason = 'count' ORDER BY sku")
        ).all()
    assert [tuple(row) for row in corrections] == [("S", -10_000_000), ("T", 10_000_000)]
    assert erp.stock(store, "S", "T") == {("S", A): 90 - 16, ("T", A): 110 + 16}


def test_the_same_count_again_finds_the_books_right(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), now=EIGHT)
    erp.count(store, erp.counted("S", A, "9"), countedAt=NINE, now=TEN)
    erp.update(store, erp.issue("S", A, "2"), now=TEN + timedelta(minutes=1))
    for found, difference in (("9", 0), ("8.5", Decimal("0.5"))):
        reply = erp.count(store, erp.counted("S", A, found), countedAt=NINE, now=TEN + timedelta(minutes=2))
        assert sum(one["quantity"]["value"] for one in reply["difference"]) == difference
    assert erp.stock(store, "S") == {("S", A): Decimal("6.5")}


def test_what_was_counted_later_is_not_corrected_by_an_older_count(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), erp.receipt("T", A, "10"), now=EIGHT)
    later = erp.count(store, erp.counted("S", A, "9"), countedAt=NINE, now=TEN)["countNumber"]
    with pytest.raises(erp.Fault) as caught:
        erp.count(
            store,
            erp.counted("T", A, "4"),
            erp.counted("S", A, "7"),
            countedAt=NINE - timedelta(microseconds=1),
            now=TEN,
        )
    assert caught.value.name == "InvalidReference"
    assert caught.value.fields["reference"] == [
        {
            "kind": "stockCount",
            "identifier": later,
            "reason": "mismatch",
            "path": "/CountStock/line[2]",
        }
    ]
    assert erp.stock(store, "S", "T") == {("S", A): 9, ("T", A): 10}


def test_rows_have_the_columns_of_their_tables_in_order() -> None:
    assert ("id", *CountRow._fields) == tuple(stock_count.columns.keys())
    assert CountLineRow._fields == tuple(stock_count_line.columns.keys())
