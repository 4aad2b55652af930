"""What a run asks the store stays cheap however many links there are: no statement reads a table of flows from end to end."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import Refused
from bridge.store import sqlite as store_sqlite
from tests.integration.sync.conftest import ACCOUNTS
from tests.integration.sync.partners import Company

TABLES = ("flow_link", "flow_sent", "flow_problem")


def test_no_statement_reads_a_whole_table(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bridge.sqlite"
    shutil.copyfile(migrated_sqlite, file)
    seen: set[str] = set()
    connect = sqlite3.connect

    def traced(*given: object, **options: object) -> sqlite3.Connection:
        connection = connect(*given, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(seen.add)
        return connection  # type: ignore[no-any-return]

    monkeypatch.setattr(store_sqlite.sqlite3, "connect", traced)
    flow = dataclasses.replace(ACCOUNTS, direction="two-way", deletes="customers.delete", batch=2)
    company = Company(f"sqlite:///{file}", tmp_path, {"accounts": flow})
    for number in range(5):
        company.crm.edit("accounts", f"A-{number}", no=f"A-{number}", name="North")
    company.crm.edit("accounts", "A-9", no="A-9", name="South", level="Z")
    company.erp.errors = [Refused("No.")]
    company.sync()
    company.crm.edit("accounts", "A-1", phone="1")
    company.bridge.flows.run("accounts")
    company.erp.edit("customers", "A-1", telephone="2")
    company.sync(times=2)
    del company.crm.rows["accounts"]["A-2"]
    company.sync(full=True)
    company.bridge.flows.look_after()
    company.bridge.flows.standing("accounts")
    for problem in company.bridge.flows.problems(flow="accounts"):
        company.bridge.flows.retry(problem.id, who="mei", why="try")
    company.close()
    asked = [one for one in seen if re.search(rf"\b({'|'.join(TABLES)})\b", one) and not one.startswith("--")]
    assert len(asked) > 30
    with closing(connect(file)) as connection:
        connection.create_function("soapbridge_clock", 0, lambda: 0)
        for statement in asked:
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                # An index that holds only what is open is as short as the list of what waits.
                whole = re.match(
                    rf"SCAN ({'|'.join(TABLES)})(?! USING (COVERING )?INDEX (uq_flow_problem_open|ix_flow_link_again))",
                    row[3],
                )
                assert whole is None, f"{row[3]}: {statement}"
