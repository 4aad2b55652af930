"""Two-way flows under any order of edits, runs and deliveries: nothing is lost, nothing goes to and fro for ever."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from bridge.errors import NotSent, Refused
from bridge.store.runners import open_partners
from bridge.store.sync_tables import flow_link
from tests.integration.sync.conftest import ACCOUNTS
from tests.integration.sync.partners import FORTH, Company

RECORDS = ("A-1", "A-2", "A-3")
FIELDS = ("name", "phone", "tax")
VALUES = ("x", "y", "z")
FLOW = dataclasses.replace(ACCOUNTS, direction="two-way", changes_only=True, batch=2)


class TwoWay(RuleBasedStateMachine):
    """People edit both sides while the flow runs and documents are delivered, or not.

    `edits` has what each side made of a field since both agreed last: one that a single side has changed must end as it made it.
    """

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "bridge.sqlite"
        file.write_bytes(self.template.read_bytes())
        self.company = Company(f"sqlite:///{file}", Path(self.folder.name), {"accounts": FLOW})
        self.edits: dict[tuple[str, str], dict[str, str]] = {}

    def teardown(self) -> None:
        self._settle()
        self.company.close()
        self.folder.cleanup()

    @initialize(count=st.integers(0, 3))
    def some_are_there(self, count: int) -> None:
        for name in RECORDS[:count]:
            self.company.crm.edit("accounts", name, no=name, name="x")
        self._settle()

    @rule(name=st.sampled_from(RECORDS), field=st.sampled_from(FIELDS), value=st.sampled_from(VALUES))
    def the_crm_is_edited(self, name: str, field: str, value: str) -> None:
        is_new = name not in self.company.crm.rows.get("accounts", {})
        if is_new:
            self._edit_crm(name, "name", "x")
        self._edit_crm(name, field, value)

    def _edit_crm(self, name: str, field: str, value: str) -> None:
        self._note("crm", name, field, value, self.company.crm.of("accounts", name).get(field))
        self.company.crm.edit("accounts", name, **{"no": name, field: value})

    @rule(name=st.sampled_from(RECORDS), field=st.sampled_from(FIELDS), value=st.sampled_from(VALUES))
    def the_erp_is_edited(self, name: str, field: str, value: str) -> None:
        if name not in self.company.erp.rows.get("customers", {}):
            self._edit_erp(name, "name", "x")
        self._edit_erp(name, field, value)

    def _edit_erp(self, name: str, field: str, value: str) -> None:
        there = FORTH[field]
        self._note("erp", name, field, value, self.company.erp.of("customers", name).get(there))
        self.company.erp.edit("customers", name, **{"code": name, there: value})

    def _note(self, side: str, name: str, field: str, value: str, before: str | None) -> None:
        if value != before:
            self.edits.setdefault((name, field), {})[side] = value

    @rule()
    def the_flow_runs(self) -> None:
        assert self.company.bridge.flows.run("accounts").outcome == "done"

    @rule()
    def documents_are_delivered(self) -> None:
        self.company.deliver()

    @precondition(lambda self: self.company.crm.rows)
    @rule()
    def a_full_resync_runs(self) -> None:
        assert self.company.bridge.flows.run("accounts", full=True).outcome == "done"

    @rule()
    def a_write_is_refused(self) -> None:
        self.company.erp.errors = [Refused("Not today.")]

    @rule()
    def a_partner_is_not_reached(self) -> None:
        self.company.crm.errors = [NotSent("Nobody listens.")]

    @rule()
    def everything_settles(self) -> None:
        self._settle()

    @invariant()
    def no_record_is_linked_twice(self) -> None:
        with self.company.store.reading() as session:
            found = session.execute(select(flow_link.c.source_id, flow_link.c.target_id)).all()
        assert all(here in (there, None) or there is None for here, there in found)

    def _settle(self) -> None:
        company = self.company
        company.erp.errors, company.crm.errors = [], []
        for _ in range(4):
            company.sync(times=2)
            self._deliver_all()
            for problem in company.bridge.flows.problems():
                assert problem.stage == "refused", problem
                company.bridge.flows.retry(problem.id, who="mei", why="it is mended")
            self._deliver_all()
        company.sync(times=3)
        self._deliver_all()
        before = len(company.crm.writes) + len(company.erp.writes)
        company.sync(times=3)
        self._deliver_all()
        assert len(company.crm.writes) + len(company.erp.writes) == before, "it goes to and fro"
        assert company.bridge.flows.problems() == []
        self._require_agreement()

    def _deliver_all(self) -> None:
        until = time.monotonic() + 20
        while True:
            self.company.deliver()
            with self.company.store.reading() as session:
                if not open_partners(session):
                    return
            assert time.monotonic() < until
            time.sleep(0.005)

    def _require_agreement(self) -> None:
        crm, erp = self.company.crm, self.company.erp
        assert set(crm.rows.get("accounts", {})) == set(erp.rows.get("customers", {}))
        for name in crm.rows.get("accounts", {}):
            here, there = crm.of("accounts", name), erp.of("customers", name)
            for field, other in FORTH.items():
                assert here.get(field) == there.get(other), (name, field)
        for (name, field), made in self.edits.items():
            assert crm.of("accounts", name).get(field) in made.values(), (name, field, "was lost")
        self.edits.clear()


@pytest.fixture(autouse=True)
def template(migrated_sqlite: Path) -> None:
    TwoWay.template = migrated_sqlite


def test_two_way_flows_lose_nothing_and_come_to_rest() -> None:
    run_state_machine_as_test(
        TwoWay,
        settings=settings(
            max_examples=6,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
