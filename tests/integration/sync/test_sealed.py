"""What flows keep of records is encrypted where the store is, and people see it all the same."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

from sqlalchemy import text

from tests.integration.sync.conftest import ACCOUNTS, MakeCompany

SECRET = "Cinnabar"


def test_links_and_problems_keep_nothing_in_plain_text(company_of: MakeCompany, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(range(32))).decode(), "utf-8")
    key.chmod(0o600)
    flow = dataclasses.replace(ACCOUNTS, direction="two-way")
    company = company_of({"accounts": flow}, key_file=key)
    company.crm.edit("accounts", "A-1", name=f"{SECRET} Ltd", level="A")
    company.crm.edit("accounts", "A-2", name=SECRET, level=SECRET)
    company.sync(times=3)
    kept = []
    with company.store.reading() as session:
        for table in ("flow_link", "flow_problem", "flow_state", "flow_sent"):
            kept += [str(row) for row in session.execute(text(f"SELECT * FROM {table}"))]
    assert kept
    assert SECRET not in "".join(kept)
    (problem,) = company.bridge.flows.problems()
    assert SECRET in problem.explanation
    assert SECRET in (problem.record or "")
    company.erp.edit("customers", "A-1", telephone="7")
    company.sync(times=3)
    assert company.crm.of("accounts", "A-1")["phone"] == "7"
