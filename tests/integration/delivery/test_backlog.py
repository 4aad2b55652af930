"""How much stands in the outbox, as figures tell it, on both databases."""

from __future__ import annotations

import pytest

from bridge.delivery import gate as gates_of_partners
from bridge.delivery.circuit import Rules
from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions
from bridge.ops.probe import StoreProbe
from bridge.store import Store, backlog
from bridge.store.backlog import Backlog
from bridge.store.clock import SECOND
from bridge.store.tables import outbox

from .conftest import LEASE, Outbox, ScriptedPartner

NOTHING = {"waiting": 0, "sending": 0, "in_doubt": 0, "held": 0}


def found(store: Store, *partners: str) -> dict[str, Backlog]:
    return {one.partner: one for one in store.backlog(partners)}


def drained(store: Store, box: Outbox, *script: str) -> None:
    """Three documents of a key that a partner gets, answers as the script says."""
    partner = ScriptedPartner(script=list(script))  # type: ignore[arg-type]
    options = GateOptions(circuit=Rules(failures=1), lease=LEASE)
    box.put("a", "b", "c")
    Drain(store, partner, Gate("erp", options), owner="one", lease=LEASE, stopping=lambda: False)("K")


def test_a_partner_to_whom_nothing_was_ever_sent_has_nothing_open(store: Store) -> None:
    assert store.backlog() == []
    assert store.backlog(["erp"]) == [Backlog("erp", NOTHING, 0, "closed", False)]


def test_what_is_delivered_is_not_open(store: Store, box: Outbox) -> None:
    drained(store, box)
    assert found(store) == {"erp": Backlog("erp", NOTHING, 0, "closed", False)}
    ages = StoreProbe(store).state().unsettled
    assert ages == {"request": 0.0, "delivery": 0.0, "delivery_in_doubt": 0.0, "delivery_held": 0.0}


def test_entries_are_told_by_state_with_keys_that_are_held(store: Store, box: Outbox) -> None:
    drained(store, box, "Delivered", "InDoubt")
    box.put("a", key="later", partner="crm")
    told = found(store, "crm")
    assert told["erp"] == Backlog("erp", NOTHING | {"in_doubt": 1, "waiting": 1}, 1, "closed", False)
    assert told["crm"].entries == NOTHING | {"waiting": 1}


def test_a_circuit_that_is_open_and_a_partner_that_is_held_are_told(store: Store, box: Outbox) -> None:
    drained(store, box, "NotSent")
    with store.transaction() as transaction:
        gates_of_partners.hold(transaction.session, "erp", 0, "because")
    told = found(store)["erp"]
    assert (told.circuit, told.is_held) == ("open", True)


def test_the_oldest_is_told_by_kind(store: Store, box: Outbox) -> None:
    drained(store, box, "InDoubt")
    with store.transaction() as transaction:
        for payload, minutes in (("a", 10), ("b", 20)):
            put = outbox.update().where(outbox.c.payload == payload)
            transaction.session.execute(put.values(created_at=outbox.c.created_at - minutes * 60 * SECOND))
        transaction.session.execute(
            outbox.update().where(outbox.c.payload == "c").values(state="held", created_at=0)
        )
    ages = StoreProbe(store, ["erp"]).state()
    assert ages.unsettled["delivery_in_doubt"] == pytest.approx(600, abs=60)
    assert ages.unsettled["delivery"] == ages.unsettled["delivery_held"] > 10**9
    assert ages.backlog[0].entries == NOTHING | {"in_doubt": 1, "held": 1, "waiting": 1}


def test_counting_stops_where_a_figure_tells_enough(
    store: Store, box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.put("a", "b", "c")
    assert found(store, "erp")["erp"].entries["waiting"] == 3
    text = backlog._OPEN_OF.text(store.dialect)
    assert text.count("100000") == 1
    monkeypatch.setattr(
        backlog, "_OPEN_OF", replace_text(backlog._OPEN_OF, store, text.replace("100000", "2"))
    )
    assert found(store, "erp")["erp"].entries["waiting"] == 2


def replace_text(prepared: object, store: Store, text: str) -> object:
    from bridge.store.statements import Prepared

    made = Prepared(lambda dialect: pytest.fail("compiled"))
    made._texts[store.dialect] = text
    return made


STATEMENTS = [
    ("ix_outbox_open", backlog._OPEN_OF, ("erp",)),
    ("ix_outbox_not_delivered", backlog._FIRST["waiting"], ()),
    ("ix_outbox_not_delivered", backlog._FEW_BY_STATE["in_doubt"], ()),
    ("ix_ordering_key_held", backlog._HELD_KEYS, ()),
]


def test_figures_go_by_the_indexes_of_what_is_open(store: Store) -> None:
    explain = "EXPLAIN QUERY PLAN " if store.dialect == "sqlite" else "EXPLAIN "
    with store.transaction() as transaction:
        connection = transaction.session.connection()
        if store.dialect == "postgresql":  # which looks at how much there is
            connection.exec_driver_sql(
                "INSERT INTO ordering_key (partner, ordering_key, next_seq, state, due_at, lease_no) "
                "SELECT 'erp', n::text, 1, 'idle', 0, 0 FROM generate_series(1, 5000) n"
            )
            connection.exec_driver_sql(
                "INSERT INTO outbox (entry_id, partner, ordering_key, seq, operation, state, aside, attempts, tries, asked, "
                "created_at, since, changed_at, settled_at, payload) SELECT n::text, 'erp', n::text, 1, 'Put', 'delivered', "
                "0, 1, 1, 0, 0, 0, 0, 1, 'a' FROM generate_series(1, 5000) n"
            )
            connection.exec_driver_sql("ANALYZE")
        for index, prepared, parameters in STATEMENTS:
            plan = connection.exec_driver_sql(explain + prepared.text(store.dialect), parameters)
            assert index in str(plan.all())
        transaction.rollback()
