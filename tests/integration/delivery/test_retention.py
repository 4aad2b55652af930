"""What is removed and what never is, on both databases; the room it leaves is used again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from bridge.delivery import retention
from bridge.settings import Retention, Settings
from bridge.store import Store, differences, notifications, outbox
from bridge.store import retention as rows
from bridge.store import schedules as firings
from bridge.store.clock import SECOND, host_clock
from bridge.store.differences import NewDifference
from bridge.store.outbox import NewEntry
from bridge.store.reconciliation_tables import difference, reconciliation
from bridge.store.tables import act, attempt, firing, idempotency, journal, metadata, ordering_key
from bridge.store.tables import outbox as entries

DAY = 86_400 * SECOND
SETTINGS = Settings(
    retention=Retention(journal=10, delivered=10, undelivered=20, firings=10, notifications=10)
)


def days_ago(days: float) -> int:
    return host_clock() - int(days * DAY)


def journaled(exchange_id: str, at: int, size: int = 10) -> dict[str, Any]:
    return {
        "exchange_id": exchange_id,
        "direction": "in",
        "received_at": at,
        "duration": 1,
        "verdict": "accepted",
        "violation_count": 0,
        "request": os.urandom(size),  # no database makes it smaller,
    }


def delivered(entry_id: str, at: int) -> dict[str, Any]:
    """A delivered entry of a key of its own."""
    numbers = dict.fromkeys(("aside", "attempts", "tries", "asked"), 0)
    times = dict.fromkeys(("created_at", "since", "changed_at", "settled_at"), at)
    names = {"entry_id": entry_id, "partner": "erp", "ordering_key": entry_id, "operation": "Op"}
    return {**names, **numbers, **times, "seq": 1, "state": "delivered", "payload": os.urandom(2000).hex()}


def put(store: Store, entry_id: str, key: str, state: str, at: int) -> None:
    """An entry as delivery leaves it in this state, with one attempt."""
    with store.transaction() as transaction:
        session = transaction.session
        outbox.put(session, NewEntry(entry_id, "erp", key, "Op", "<x/>", exchange_id=f"in-{entry_id}"))
        settled = None if state in ("waiting", "sending", "in_doubt", "held") else at
        mine = entries.c.entry_id == entry_id
        session.execute(
            update(entries)
            .where(mine)
            .values(state=state, settled_at=settled, created_at=at, since=at, changed_at=at, attempts=1)
        )
        number = session.execute(select(entries.c.id).where(mine)).scalar_one()
        session.execute(
            insert(attempt).values(
                outbox_id=number,
                number=1,
                exchange_id=f"out-{entry_id}",
                owner="o",
                decision="first",
                started_at=at,
            )
        )
        session.execute(insert(journal), [journaled(f"in-{entry_id}", at), journaled(f"out-{entry_id}", at)])
        if settled is not None:
            idle = ordering_key.c.ordering_key == key
            session.execute(update(ordering_key).where(idle).values(state="idle"))


def claim(store: Store, request_id: str, state: str, at: int) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(
            insert(idempotency).values(
                partner="",
                contract="c",
                operation="o",
                idempotency_key=request_id,
                payload_hash=b"h",
                state=state,
                exchange_id=f"x-{request_id}",
                created_at=at,
            )
        )
        transaction.session.execute(insert(journal), [journaled(f"x-{request_id}", at)])


def values(store: Store, column: Any) -> set[Any]:
    with store.reading() as session:
        return set(session.execute(select(column)).scalars())


def remove(store: Store, settings: Settings = SETTINGS) -> Mapping[str, int]:
    """By hand, to the end; what was counted before is what was removed."""
    counted = retention.count(store, settings)
    before = values(store, ordering_key.c.ordering_key)
    removed = retention.remove(store, settings, seconds=None, pause=0)
    keys = counted.pop("ordering keys")
    assert counted == removed | dict.fromkeys(counted.keys() - removed.keys(), 0)
    assert len(before) - len(values(store, ordering_key.c.ordering_key)) == keys
    return removed


def test_what_has_ended_goes_when_its_time_is_over_and_what_is_open_never(store: Store) -> None:
    for state in ("delivered", "refused", "unreadable", "expired", "waiting", "sending", "in_doubt", "held"):
        for age in (5, 15, 25):
            put(store, f"{state}-{age}", f"{state}-{age}", state, days_ago(age))
    removed = remove(store)
    left = values(store, entries.c.entry_id)
    open_ones = {
        f"{state}-{age}" for state in ("waiting", "sending", "in_doubt", "held") for age in (5, 15, 25)
    }
    undelivered = {f"{state}-{age}" for state in ("refused", "unreadable", "expired") for age in (5, 15)}
    assert left == open_ones | undelivered | {"delivered-5"}
    assert (removed["delivered"], removed["undelivered"]) == (2, 3)
    assert values(store, attempt.c.exchange_id) == {f"out-{one}" for one in left}
    assert values(store, ordering_key.c.ordering_key) == left
    # The journal of what is open stays with it, whatever its age; else ten days' worth.
    kept = open_ones | {f"{state}-5" for state in ("delivered", "refused", "unreadable", "expired")}
    assert values(store, journal.c.exchange_id) == {f"{way}-{one}" for one in kept for way in ("in", "out")}


def test_a_request_that_nobody_has_answered_stays_with_its_journal(store: Store) -> None:
    for state in ("answered", "running", "in_doubt"):
        claim(store, state, state, days_ago(40))
    claim(store, "new", "answered", days_ago(1))
    assert remove(store)["answers"] == 1
    assert values(store, idempotency.c.idempotency_key) == {"running", "in_doubt", "new"}
    assert values(store, journal.c.exchange_id) == {"x-running", "x-in_doubt", "x-new"}


def test_the_last_firing_of_a_schedule_and_one_that_runs_stay(store: Store) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        for name, age, ended, lease in (
            ("yearly", 400, True, None),
            ("yearly", 35, True, None),
            ("daily", 35, True, None),
            ("daily", 34, False, days_ago(33)),  # lost
            ("daily", 33, False, days_ago(-1)),  # runs, for long
            ("daily", 1, True, None),
        ):
            at = days_ago(age)
            session.execute(
                insert(firing).values(
                    schedule=name,
                    due_at=at,
                    owner="o",
                    started_at=at,
                    ended_at=at + 1 if ended else None,
                    outcome="done" if ended else None,
                    lease_until=lease,
                )
            )
    assert remove(store)["firings"] == 3
    with store.reading() as session:
        left = session.execute(select(firing.c.schedule, firing.c.outcome).order_by(firing.c.id)).all()
    assert [tuple(row) for row in left] == [("yearly", "done"), ("daily", None), ("daily", "done")]


def test_what_a_partner_told_is_forgotten_when_it_tells_it_no_more(store: Store) -> None:
    with store.transaction() as transaction:
        for name, age in (("old", 15), ("new", 5)):
            assert notifications.take(transaction.session, "sf", name, days_ago(age))
    assert remove(store)["notifications"] == 1
    with store.transaction() as transaction:
        assert notifications.take(transaction.session, "sf", "old", days_ago(0))
        assert not notifications.take(transaction.session, "sf", "new", days_ago(0))


def test_reconciliations_go_with_what_they_found_but_the_last_of_each_rule(store: Store) -> None:
    with store.transaction() as transaction:
        session = transaction.session
        for rule, age in (("orders", 40), ("orders", 30), ("orders", 5), ("stock", 40)):
            values_of = {"rule": rule, "source": "crm.a", "target": "erp.a", "started_at": days_ago(age)}
            row = insert(reconciliation).values(**values_of).returning(reconciliation.c.id)
            found = NewDifference("missing", "never sent", f"{rule}-{age}", "1", None, None, "{}")
            differences.put(session, session.execute(row).scalar_one(), [found] * 3)
    removed = remove(store)
    assert (removed["reconciliations"], removed["differences"]) == (2, 6)
    assert values(store, difference.c.record_key) == {"orders-5", "stock-40"}


def test_zero_keeps_for_ever(store: Store) -> None:
    put(store, "old", "old", "delivered", days_ago(5000))
    put(store, "lost", "lost", "refused", days_ago(5000))
    for_ever = Settings(
        retention=Retention(journal=0, delivered=0, undelivered=0, firings=0, notifications=0)
    )
    assert remove(store, for_ever) == {"answers": 0}
    assert values(store, entries.c.entry_id) == {"old", "lost"}


def test_what_people_did_is_never_removed(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(
            insert(act).values(at=days_ago(5000), who="ann", why="asked them", verb="settle")
        )
    remove(store)
    assert values(store, act.c.who) == {"ann"}


def test_a_key_stays_while_it_has_entries_and_begins_again_after(store: Store) -> None:
    put(store, "first", "customer", "delivered", days_ago(15))
    put(store, "second", "customer", "delivered", days_ago(5))
    remove(store)
    with store.transaction() as transaction:
        assert outbox.put(transaction.session, NewEntry("third", "erp", "customer", "Op", "<x/>")) == 3
    for name in ("second", "third"):
        with store.transaction() as transaction:
            transaction.session.execute(
                update(entries)
                .where(entries.c.entry_id == name)
                .values(state="delivered", settled_at=days_ago(15))
            )
            transaction.session.execute(update(ordering_key).values(state="idle"))
    remove(store)
    assert values(store, ordering_key.c.ordering_key) == set()
    with store.transaction() as transaction:
        assert outbox.put(transaction.session, NewEntry("fourth", "erp", "customer", "Op", "<x/>")) == 1


def test_a_key_that_somebody_puts_to_at_that_moment_stays(store: Store) -> None:
    if store.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    put(store, "old", "customer", "delivered", days_ago(15))
    put(store, "other", "elsewhere", "delivered", days_ago(15))
    with store.transaction() as transaction:
        outbox.put(transaction.session, NewEntry("new", "erp", "customer", "Op", "<x/>"))
        # Nobody waits: the entries of that key go another time.
        assert retention.remove(store, SETTINGS, seconds=None, pause=0)["delivered"] == 1
    assert remove(store)["delivered"] == 1
    assert values(store, entries.c.entry_id) == {"new"}
    with store.reading() as session:
        key = session.execute(select(ordering_key.c.state, ordering_key.c.next_seq)).one()
    assert tuple(key) == ("active", 3)


def test_an_entry_that_somebody_sends_again_after_it_was_chosen_stays(store: Store) -> None:
    put(store, "old", "customer", "refused", days_ago(25))
    kind = rows.Entries(days_ago(20), delivered=False)
    reading = store.reading

    def chosen_then_sent_again() -> Any:
        with store.transaction() as transaction:
            transaction.session.execute(update(entries).values(state="waiting", settled_at=None))
            transaction.session.execute(update(ordering_key).values(state="active"))

    class Between:
        """The store, with somebody who acts between the choice and the removal."""

        def reading(self) -> Any:
            return reading()

        def transaction(self) -> Any:
            chosen_then_sent_again()
            return store.transaction()

    assert kind.remove(Between()) == 0  # type: ignore[arg-type]
    assert values(store, entries.c.entry_id) == {"old"}
    assert values(store, ordering_key.c.state) == {"active"}


def test_it_is_done_in_short_transactions_with_pauses_and_ends_after_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.transaction() as transaction:
        old = [journaled(f"x-{number}", days_ago(15) + number) for number in range(1200)]
        transaction.session.execute(insert(journal), old)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert retention.remove(store, SETTINGS, seconds=0)["journal"] == 0
    stop = iter([False] * 2 + [True] * 20)
    kind = rows.Journal(days_ago(10))
    assert kind.remove(store) == rows.ROWS
    assert retention.remove(store, SETTINGS, seconds=None, pause=0.5, stopping=lambda: next(stop)) is not None
    assert retention.remove(store, SETTINGS, seconds=None, pause=0.25)["journal"] > 0
    assert 0.25 in pauses
    assert values(store, journal.c.id) == set()


def test_few_large_messages_fill_a_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BYTES", 1000)
    with store.transaction() as transaction:
        transaction.session.execute(
            insert(journal), [journaled(f"x-{number}", days_ago(15), size=400) for number in range(7)]
        )
    kind = rows.Journal(days_ago(10))
    assert [kind.remove(store) for _ in range(4)] == [3, 3, 1, 0]


def test_others_write_while_it_removes(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(
            insert(journal), [journaled(f"old-{number}", days_ago(15)) for number in range(3000)]
        )
    done = threading.Event()
    written = 0

    def clean() -> None:
        retention.remove(store, SETTINGS, seconds=None, pause=0.01)
        done.set()

    thread = threading.Thread(target=clean)
    thread.start()
    while not done.is_set():
        with store.transaction() as transaction:
            transaction.session.execute(insert(journal), [journaled(f"new-{written}", host_clock())])
        written += 1
    thread.join(20)
    with store.reading() as session:
        assert session.execute(select(func.count(journal.c.id))).scalar_one() == written
    assert written > 1


def test_the_room_of_what_was_removed_is_used_again(store: Store) -> None:
    def fill(turn: int) -> None:
        at = days_ago(15)
        names = [f"{turn}-{number}" for number in range(100)]
        with store.transaction() as transaction:
            session = transaction.session
            session.execute(
                insert(ordering_key),
                [
                    {
                        "partner": "erp",
                        "ordering_key": one,
                        "next_seq": 2,
                        "state": "idle",
                        "due_at": 0,
                        "lease_no": 1,
                    }
                    for one in names
                ],
            )
            session.execute(insert(entries), [delivered(one, at) for one in names])
            session.execute(insert(journal), [journaled(f"x-{one}", at, size=15_000) for one in names])

    sizes = []
    for turn in range(5):
        fill(turn)
        sizes.append(size(store))
        remove(store)
        vacuum(store)
    assert sizes[0] > 1_500_000
    # SQLite begins each turn with the pages of the last; PostgreSQL's tables may have some of both.
    assert max(sizes[1:]) <= sizes[0] * (1.02 if store.dialect == "sqlite" else 1.3), sizes


def size(store: Store) -> int:
    """Of all tables and their indexes."""
    with store.reading() as session:
        if store.dialect == "sqlite":
            pages, page = (
                session.execute(text(f"PRAGMA {one}")).scalar_one() for one in ("page_count", "page_size")
            )
            return int(pages * page)
        relations = [f"pg_total_relation_size('{name}')" for name in metadata.tables]
        return int(session.execute(text(f"SELECT {' + '.join(relations)}")).scalar_one())


def vacuum(store: Store) -> None:
    """What autovacuum does by itself in service."""
    if store.dialect == "sqlite":
        return
    engine = store._database._engine  # type: ignore[attr-defined]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("journal", "outbox", "attempt", "ordering_key"):
            connection.execute(text(f"VACUUM {name}"))


def test_it_is_a_schedule_that_says_what_went(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    put(store, "old", "old", "delivered", days_ago(15))
    made = retention.schedule(store, replace(SETTINGS))
    assert (made.name, made.rule.text) == ("retention", "every 300 s")
    with caplog.at_level("INFO"):
        from bridge.delivery.schedules import Scheduler

        ended = Scheduler(store, [made], owner="test").run_by_hand("retention", who="ann", why="disk")
    assert ended.outcome == "done"
    assert "no longer kept: 1 delivered, 2 journal" in caplog.text
    with store.reading() as session:
        assert firings.last_firings(session, lease=SECOND)["retention"].standing == "done"


def test_a_clock_that_jumped_removes_nothing_for_a_day() -> None:
    steady = retention.SteadyClock()
    year = 365 * DAY
    assert steady.trusts(0, 1000.0)
    assert steady.trusts(300 * SECOND, 1300.0)
    assert not steady.trusts(year, 1600.0)
    assert not steady.trusts(year + 3600 * SECOND, 5200.0)
    assert steady.trusts(6000 * SECOND, 7000.0)  # set right again
    assert not steady.trusts(year, 7300.0)
    assert steady.trusts(year + 90_000 * SECOND, 7300.0 + 90_000)  # nobody has said anything
    assert steady.trusts(year + 90_300 * SECOND, 7600.0 + 90_000)
