from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.contract.codec.values import XsdDateTime
from bridge.erp.inventory.reservations import LineRow, ReleaseRow, ReservationRow
from bridge.erp.shipped import Rules, apply_rules
from bridge.erp.tables import reservation, reservation_line, reservation_release
from bridge.store import Store

A, B = "WH-A", "WH-B"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


def lines_of(erp: ModuleType, store: Store, number: str, **more: Any) -> dict[int, tuple[int, ...]]:
    """(granted, issued, released, reserved) by line number."""
    reply = erp.reservation(store, reservationNumber=number, **more)
    return {
        line["lineNumber"]: tuple(
            line[name]["value"] for name in ("granted", "issued", "released", "reserved")
        )
        for line in reply["line"]
    }


def check_the_holds(store: Store) -> None:
    """Every balance's reserved is the sum of what its lines hold."""
    with store.reading() as session:
        wrong = session.execute(
            text(
                "SELECT b.sku, b.warehouse, b.reserved, coalesce(sum(l.reserved), 0) FROM stock_balance b "
                "LEFT JOIN reservation_line l ON l.sku = b.sku AND l.warehouse = b.warehouse "
                "GROUP BY b.sku, b.warehouse, b.reserved HAVING b.reserved <> coalesce(sum(l.reserved), 0)"
            )
        ).all()
    assert not wrong


def test_what_is_reserved_is_on_hand_and_not_available(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    reply = erp.reserve(store, erp.wanted(10, "S", A, "4"), erp.wanted(20, "S", A, "1.5"))
    assert reply["reservationNumber"].startswith("SR-")
    assert (reply["state"], reply["complete"]) == ("open", True)
    assert [(one["lineNumber"], one["reserved"]["value"]) for one in reply["line"]] == [
        (10, 4),
        (20, Decimal("1.5")),
    ]
    assert erp.levels(store, "S") == {("S", A): (10, Decimal("5.5"), Decimal("4.5"))}


def test_reserved_goods_are_for_nobody_else(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    erp.reserve(store, erp.wanted(1, "S", A, "8"))
    for movement in (
        erp.issue("S", A, "3"),
        erp.transfer("S", A, B, "3"),
        erp.adjustment("S", A, "decrease", "3"),
    ):
        with pytest.raises(erp.Fault) as caught:
            erp.update(store, movement)
        (shortage,) = caught.value.fields["shortage"]
        assert (shortage["available"]["value"], shortage["wanted"]["value"]) == (2, 3)
    erp.update(store, erp.issue("S", A, "2"))


def test_all_lines_are_reserved_or_none(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"), erp.receipt("T", A, "1"))
    with pytest.raises(erp.Fault) as caught:
        erp.reserve(
            store,
            erp.wanted(1, "S", A, "6"),
            erp.wanted(2, "S", A, "6"),
            erp.wanted(3, "S", A, "7"),
            erp.wanted(4, "T", A, "2"),
        )
    assert caught.value.name == "InsufficientStock"
    assert [
        (one["sku"], one["available"]["value"], one["wanted"]["value"], one["path"])
        for one in caught.value.fields["shortage"]
    ] == [("S", 4, 6, "/ReserveStock/line[2]"), ("T", 1, 2, "/ReserveStock/line[4]")]
    assert erp.levels(store, "S")["S", A] == (10, 0, 10)


def test_a_partial_reservation_gets_what_there_is_line_by_line(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    reply = erp.reserve(
        store,
        erp.wanted(1, "S", A, "6"),
        erp.wanted(2, "S", A, "6"),
        erp.wanted(3, "S", A, "6"),
        partial=True,
    )
    assert reply["complete"] is False
    assert [one["reserved"]["value"] for one in reply["line"]] == [6, 4, 0]
    assert erp.levels(store, "S")["S", A] == (10, 10, 0)
    with pytest.raises(erp.Fault, match="InsufficientStock"):
        erp.reserve(store, erp.wanted(1, "S", A, "1"), partial=True)
    check_the_holds(store)


def test_what_is_reserved_must_be_known(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10", unit="KGM"))
    with pytest.raises(erp.Fault) as caught:
        erp.reserve(
            store,
            erp.wanted(1, "NONE", A, "1"),
            erp.wanted(2, "S", "WH-X", "1", unit="KGM"),
            erp.wanted(3, "S", A, "1", unit="H87"),
        )
    assert caught.value.name == "InvalidReference"
    assert [(one["kind"], one["reason"], one["path"]) for one in caught.value.fields["reference"]] == [
        ("item", "unknown", "/ReserveStock/line[1]/sku"),
        ("warehouse", "unknown", "/ReserveStock/line[2]/warehouse"),
        ("unit", "mismatch", "/ReserveStock/line[3]/quantity/@unit"),
    ]


def test_a_warehouse_that_may_be_negative_promises_what_it_does_not_have(
    erp: ModuleType, store: Store
) -> None:
    rules = Rules(negative_stock=(B,))
    apply_rules(store, rules)
    erp.update(store, erp.receipt("S", A, "1"), rules=rules)
    number = erp.reserve(store, erp.wanted(1, "S", B, "5"), rules=rules)["reservationNumber"]
    assert erp.levels(store, "S")["S", B] == (0, 5, -5)
    erp.update(store, erp.issue("S", B, "5", reservation=number), rules=rules)
    assert erp.levels(store, "S")["S", B] == (-5, 0, -5)


def test_figures_that_could_not_be_told_are_refused(erp: ModuleType, store: Store) -> None:
    rules = Rules(negative_stock=(A,))
    apply_rules(store, rules)
    most = "999999999.999999"
    erp.update(store, *[erp.receipt("S", A, most) for _ in range(3)], rules=rules)
    erp.reserve(store, *(erp.wanted(number, "S", A, most) for number in range(1, 1001)), rules=rules)
    with pytest.raises(erp.Fault) as caught:
        erp.reserve(store, erp.wanted(1, "S", A, most), rules=rules)
    assert (caught.value.name, caught.value.fields["limit"]) == ("LimitExceeded", "stockBalance")
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, *[erp.issue("S", A, most) for _ in range(4)], rules=rules)
    assert caught.value.name == "LimitExceeded"


class TestIssues:
    def test_an_issue_takes_what_its_reservation_holds(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"), erp.wanted(2, "S", A, "6"))[
            "reservationNumber"
        ]
        erp.update(store, erp.issue("S", A, "5", reservation=number))
        assert lines_of(erp, store, number) == {1: (4, 4, 0, 0), 2: (6, 1, 0, 5)}
        assert erp.levels(store, "S")["S", A] == (5, 5, 0)
        assert erp.reservation(store, reservationNumber=number)["state"] == "open"
        erp.update(store, erp.issue("S", A, "5", reservation=number))
        assert erp.reservation(store, reservationNumber=number)["state"] == "fulfilled"
        assert erp.levels(store, "S")["S", A] == (0, 0, 0)
        check_the_holds(store)

    def test_what_goes_beyond_it_is_taken_from_what_is_available(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        mine = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        erp.reserve(store, erp.wanted(1, "S", A, "3"))
        with pytest.raises(erp.Fault) as caught:
            erp.update(store, erp.issue("S", A, "8", reservation=mine))
        (shortage,) = caught.value.fields["shortage"]
        assert (shortage["available"]["value"], shortage["wanted"]["value"]) == (7, 8)
        assert lines_of(erp, store, mine) == {1: (4, 0, 0, 4)}
        erp.update(store, erp.issue("S", A, "7", reservation=mine))
        assert lines_of(erp, store, mine) == {1: (4, 4, 0, 0)}
        assert erp.levels(store, "S")["S", A] == (3, 3, 0)

    def test_two_issues_of_one_request_share_it(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), erp.receipt("S", B, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "10"), erp.wanted(2, "S", B, "1"))[
            "reservationNumber"
        ]
        erp.update(
            store,
            erp.issue("S", A, "3", reservation=number),
            erp.issue("S", A, "3", reservation=number),
            erp.issue("S", B, "1", reservation=number),
        )
        assert lines_of(erp, store, number) == {1: (10, 6, 0, 4), 2: (1, 1, 0, 0)}

    def test_it_must_exist_and_hold_this_item_here(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), erp.receipt("S", B, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        with pytest.raises(erp.Fault) as caught:
            erp.update(
                store,
                erp.issue("S", B, "1", reservation=number),
                erp.issue("S", A, "1", reservation="SR-2019-000001"),
                erp.issue("S", A, "1", reservation="SR-2026-999999999999"),
            )
        assert caught.value.name == "InvalidReference"
        assert [(one["kind"], one["reason"], one["path"]) for one in caught.value.fields["reference"]] == [
            ("reservation", "mismatch", "/UpdateStock/movement[1]/issue/reservationNumber"),
            ("reservation", "unknown", "/UpdateStock/movement[2]/issue/reservationNumber"),
            ("reservation", "unknown", "/UpdateStock/movement[3]/issue/reservationNumber"),
        ]

    def test_one_that_holds_nothing_any_more_is_refused(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        erp.release(store, number)
        with pytest.raises(erp.Fault) as caught:
            erp.update(store, erp.issue("S", A, "1", reservation=number))
        assert caught.value.name == "InvalidState"
        assert caught.value.fields == {
            "kind": "reservation",
            "identifier": number,
            "state": "released",
            "allowed": ["open"],
        }
        assert erp.stock(store, "S") == {("S", A): 10}


class TestReleases:
    def test_a_whole_reservation_is_given_back(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), erp.receipt("T", B, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"), erp.wanted(2, "T", B, "3"))[
            "reservationNumber"
        ]
        erp.update(store, erp.issue("S", A, "1", reservation=number))
        reply = erp.release(store, number)
        assert (reply["reservationNumber"], reply["state"]) == (number, "released")
        assert [
            (one["lineNumber"], one["released"]["value"], one["reserved"]["value"]) for one in reply["line"]
        ] == [(1, 3, 0), (2, 3, 0)]
        assert lines_of(erp, store, number) == {1: (4, 1, 3, 0), 2: (3, 0, 3, 0)}
        assert erp.levels(store, "S", "T") == {("S", A): (9, 0, 9), ("T", B): (10, 0, 10)}
        check_the_holds(store)

    def test_lines_are_given_back_whole_or_in_part(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(
            store, erp.wanted(7, "S", A, "4"), erp.wanted(3, "S", A, "3"), erp.wanted(5, "S", A, "1")
        )["reservationNumber"]
        reply = erp.release(store, number, (7, "1.5"), (3, None))
        assert reply["state"] == "open"
        assert [
            (one["lineNumber"], one["released"]["value"], one["reserved"]["value"]) for one in reply["line"]
        ] == [(3, 3, 0), (7, Decimal("1.5"), Decimal("2.5"))]
        assert erp.levels(store, "S")["S", A] == (10, Decimal("3.5"), Decimal("6.5"))
        assert erp.release(store, number)["state"] == "released"

    def test_more_than_a_line_holds_cannot_be_given_back(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"), erp.wanted(2, "S", A, "3"))[
            "reservationNumber"
        ]
        with pytest.raises(erp.Fault) as caught:
            erp.release(store, number, (1, "1"), (2, "3.1"))
        assert caught.value.name == "InsufficientStock"
        (shortage,) = caught.value.fields["shortage"]
        assert (shortage["available"]["value"], shortage["path"]) == (3, "/ReleaseStock/line[2]")
        assert erp.levels(store, "S")["S", A] == (10, 7, 3)

    def test_lines_and_units_must_be_those_of_the_reservation(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        with pytest.raises(erp.Fault) as caught:
            erp.release(store, number, (9, None), (1, "1"), unit="KGM")
        assert [
            (one["kind"], one["identifier"], one["reason"], one["path"])
            for one in caught.value.fields["reference"]
        ] == [
            ("reservation", f"{number}/9", "unknown", "/ReleaseStock/line[1]/lineNumber"),
            ("unit", "KGM", "mismatch", "/ReleaseStock/line[2]/quantity/@unit"),
        ]

    def test_what_is_over_cannot_be_given_back_again(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        erp.update(store, erp.issue("S", A, "4", reservation=number))
        with pytest.raises(erp.Fault) as caught:
            erp.release(store, number)
        assert (caught.value.name, caught.value.fields["state"]) == ("InvalidState", "fulfilled")

    def test_a_number_that_nobody_has_is_not_found(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        other_year = "SR-2019" + number[7:]
        with pytest.raises(erp.Fault) as caught:
            erp.release(store, other_year)
        assert caught.value.name == "NotFound"
        assert caught.value.fields["missing"] == [{"kind": "reservation", "identifier": other_year}]

    def test_why_it_was_given_back_is_kept_for_good(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
        erp.release(store, number, (1, "1"), note=erp.Given(value="cut in half", language="en"))
        with store.reading() as session:
            kept = session.execute(text("SELECT reason, note, note_language FROM reservation_release")).all()
        assert [tuple(row) for row in kept] == [("cancelled", "cut in half", "en")]
        with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
            transaction.session.execute(text("DELETE FROM reservation_release"))


class TestTime:
    def test_a_reservation_whose_time_ran_out_holds_nothing(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), now=NOW)
        number = erp.reserve(store, erp.wanted(1, "S", A, "8"), expiresAt=LATER, now=NOW)["reservationNumber"]
        just_before = LATER - timedelta(microseconds=1)
        assert erp.levels(store, "S", now=just_before)["S", A] == (10, 8, 2)
        assert erp.levels(store, "S", now=LATER)["S", A] == (10, 0, 10)
        assert erp.reservation(store, reservationNumber=number, now=just_before)["state"] == "open"
        expired = erp.reservation(store, reservationNumber=number, now=LATER + timedelta(days=1))
        assert (expired["state"], expired["changedAt"], expired["expiresAt"]) == ("expired", LATER, LATER)
        assert lines_of(erp, store, number, now=LATER) == {1: (8, 0, 8, 0)}

    def test_what_it_held_is_free_for_whoever_writes_next(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), erp.receipt("T", B, "10"), now=NOW)
        number = erp.reserve(
            store, erp.wanted(1, "S", A, "8"), erp.wanted(2, "T", B, "8"), expiresAt=LATER, now=NOW
        )["reservationNumber"]
        erp.update(store, erp.issue("S", A, "9"), now=LATER)
        assert erp.levels(store, "S", "T", now=LATER) == {("S", A): (1, 0, 1), ("T", B): (10, 0, 10)}
        check_the_holds(store)
        erp.reserve(store, erp.wanted(1, "T", B, "9"), now=LATER)
        assert erp.levels(store, "T", now=LATER)["T", B] == (10, 9, 1)
        assert lines_of(erp, store, number) == {1: (8, 0, 8, 0), 2: (8, 0, 8, 0)}
        check_the_holds(store)

    def test_nothing_is_taken_from_it_or_given_back_of_it(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"), now=NOW)
        number = erp.reserve(store, erp.wanted(1, "S", A, "8"), expiresAt=LATER, now=NOW)["reservationNumber"]
        for act in (
            lambda: erp.update(store, erp.issue("S", A, "1", reservation=number), now=LATER),
            lambda: erp.release(store, number, now=LATER),
        ):
            with pytest.raises(erp.Fault) as caught:
                act()
            assert (caught.value.name, caught.value.fields["state"]) == ("InvalidState", "expired")

    @pytest.mark.parametrize("when", [NOW, NOW - timedelta(days=1), XsdDateTime("2026-03-01T24:00:00Z")])
    def test_it_must_lie_ahead(self, erp: ModuleType, store: Store, when: object) -> None:
        erp.update(store, erp.receipt("S", A, "10"), now=NOW)
        with pytest.raises(erp.Fault) as caught:
            erp.reserve(store, erp.wanted(1, "S", A, "8"), expiresAt=when, now=NOW)
        (broken,) = caught.value.fields["reference"]
        assert (broken["kind"], broken["reason"]) == ("reservation", "mismatch")
        assert broken["path"] == "/ReserveStock/expiresAt"

    def test_one_far_beyond_the_calendar_is_kept_as_long_as_it_goes(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(
            store, erp.wanted(1, "S", A, "8"), expiresAt=XsdDateTime("12026-01-01T00:00:00Z")
        )
        assert erp.reservation(store, reservationNumber=number["reservationNumber"])["expiresAt"].year == 9999


class TestReading:
    def test_the_whole_reservation_is_given_back(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "3", unit="KGM"))
        made = erp.reserve(
            store,
            erp.wanted(10, "S", A, "4.25", unit="KGM"),
            reference="SO-77",
            partial=True,
            expiresAt=LATER,
            note=erp.Given(value="call first", language=None),
            now=NOW,
        )
        reply = erp.reservation(store, reservationNumber=made["reservationNumber"], now=NOW)

        def figure(value: str) -> dict[str, Any]:
            return {"value": Decimal(value), "unit": "KGM"}

        assert reply == {
            "reservationNumber": made["reservationNumber"],
            "state": "open",
            "reference": "SO-77",
            "createdAt": NOW,
            "changedAt": NOW,
            "expiresAt": LATER,
            "line": [
                {
                    "lineNumber": 10,
                    "sku": "S",
                    "warehouse": A,
                    "quantity": figure("4.25"),
                    "granted": figure("3"),
                    "issued": figure("0"),
                    "released": figure("0"),
                    "reserved": figure("3"),
                }
            ],
            "note": {"value": "call first"},
        }

    def test_it_is_found_by_the_request_of_its_own_sender(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "10"))
        made = erp.reserve(store, erp.wanted(1, "S", A, "1"), request="r-1", partner="shop")
        found = erp.reservation(store, requestId="r-1", partner="shop")
        assert found["reservationNumber"] == made["reservationNumber"]
        with pytest.raises(erp.Fault) as caught:
            erp.reservation(store, requestId="r-1", partner="other")
        assert caught.value.fields["missing"] == [{"kind": "request", "identifier": "r-1"}]

    @pytest.mark.parametrize("act", ["reserve", "release"])
    def test_a_request_id_is_used_once(self, erp: ModuleType, store: Store, act: str) -> None:
        """Also where no record of the first answer is left: nothing is held or given back twice."""
        erp.update(store, erp.receipt("S", A, "10"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "4"), request="r-1")["reservationNumber"]
        erp.release(store, number, (1, "1"), request="r-1")
        again = {
            "reserve": lambda: erp.reserve(store, erp.wanted(1, "S", A, "4"), request="r-1"),
            "release": lambda: erp.release(store, number, (1, "1"), request="r-1"),
        }
        with pytest.raises(erp.Fault) as caught:
            again[act]()
        assert caught.value.name == "KeyReused"
        assert caught.value.fields["firstUsedAt"] is not None
        assert erp.levels(store, "S")["S", A] == (10, 3, 7)


class TestAtOnce:
    @staticmethod
    def together(work: Any, count: int = 16) -> list[BaseException]:
        errors: list[BaseException] = []
        start = threading.Barrier(count)

        def run(number: int) -> None:
            try:
                start.wait(30)
                work(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return errors

    def test_sixteen_that_want_the_last_units_get_no_more_than_there_is(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.update(store, erp.receipt("S", A, "20"), erp.receipt("T", A, "20"))
        got: list[str] = []

        def want(number: int) -> None:
            for turn in range(3):
                lines = [erp.wanted(1, "S", A, "1"), erp.wanted(2, "T", A, "1")]
                if (number + turn) % 2:
                    lines.reverse()
                try:
                    got.append(erp.reserve(store, *lines)["reservationNumber"])
                except erp.Fault as fault:
                    assert fault.name == "InsufficientStock"  # noqa: PT017 - any other is collected

        assert not self.together(want)
        assert len(got) == len(set(got)) == 20
        assert erp.levels(store, "S", "T") == {("S", A): (20, 20, 0), ("T", A): (20, 20, 0)}
        check_the_holds(store)

    def test_issues_and_releases_of_one_reservation_part_it_between_them(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.update(store, erp.receipt("S", A, "40"), erp.receipt("T", B, "40"))
        number = erp.reserve(store, erp.wanted(1, "S", A, "24"), erp.wanted(2, "T", B, "24"))[
            "reservationNumber"
        ]

        def take(one: int) -> None:
            for sku, place, line in (("S", A, 1), ("T", B, 2)):
                if one % 2:
                    erp.update(store, erp.issue(sku, place, "2", reservation=number))
                else:
                    erp.release(store, number, (line, "1"))

        assert not self.together(take, 16)
        assert lines_of(erp, store, number) == {1: (24, 16, 8, 0), 2: (24, 16, 8, 0)}
        assert erp.reservation(store, reservationNumber=number)["state"] in {"fulfilled", "released"}
        assert erp.levels(store, "S", "T") == {("S", A): (24, 0, 24), ("T", B): (24, 0, 24)}
        check_the_holds(store)

    def test_expired_ones_are_given_back_once(self, erp: ModuleType, store: Store) -> None:
        erp.update(store, erp.receipt("S", A, "16"), erp.receipt("T", B, "16"), now=NOW)
        for _ in range(8):
            erp.reserve(
                store, erp.wanted(1, "S", A, "2"), erp.wanted(2, "T", B, "2"), expiresAt=LATER, now=NOW
            )

        def take(number: int) -> None:
            sku, place = ("S", A) if number % 2 else ("T", B)
            erp.update(store, erp.issue(sku, place, "2"), now=LATER)

        assert not self.together(take)
        assert erp.levels(store, "S", "T", now=LATER) == {("S", A): (0, 0, 0), ("T", B): (0, 0, 0)}
        check_the_holds(store)


def test_rows_have_the_columns_of_their_tables_in_order() -> None:
    assert ("id", *ReservationRow._fields) == tuple(reservation.columns.keys())
    assert LineRow._fields == tuple(reservation_line.columns.keys())
    assert ("id", *ReleaseRow._fields) == tuple(reservation_release.columns.keys())
