"""The statements that docs/staging.md gives to a partner, run as they stand there."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from bridge.delivery.sender import Document
from bridge.partners.staging.ddl import statements

PAGE = (Path(__file__).parents[4] / "docs" / "staging.md").read_text("utf-8")
FILE = next(
    block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[entities.accounts]" in block
)
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def block(beginning: str) -> list[str]:
    (found,) = [one for one in BLOCKS if one.startswith(beginning)]
    lines = [line for line in found.splitlines() if not line.startswith("--")]
    return [one.strip() for one in "\n".join(lines).split(";") if one.strip()]


@pytest.fixture
def crm(theirs, partner_of):
    partner = partner_of("staging", theirs, FILE)
    theirs.run(*statements(partner.backend.layouts, theirs.dialect, partner.backend.database.quoted))
    return partner


def write(crm, number: int) -> None:
    values = {"account_no": f"A-{number}", "name": "Example", "credit": Decimal("12.50")}
    document = Document(f"d-{number}", "crm", "A", "accounts.upsert", "{}")
    crm.backend.write(crm.entity("accounts"), "upsert", values, document)


def test_what_the_page_inserts_is_claimed_and_what_it_deletes_is_done(crm, theirs) -> None:
    theirs.run(*block("INSERT"))
    (claim,) = crm.claim("accounts")
    assert (claim.record.id, claim.record.values["credit"], claim.message_id) == (
        "A-1",
        Decimal(1250),
        "crm-4711",
    )
    crm.acknowledge("accounts", done=[claim.seq])
    theirs.run(*block("DELETE"))
    assert theirs.rows("SELECT COUNT(*) FROM crm_accounts_inbox") == [(0,)]


def test_the_partner_claims_acknowledges_and_rejects_as_the_page_says(served, partner_of) -> None:
    crm = partner_of("staging", served, FILE)
    served.run(*statements(crm.backend.layouts, served.dialect, crm.backend.database.quoted))
    write(crm, 1)
    write(crm, 2)
    engine = create_engine(served.url)
    with engine.begin() as connection:
        *_, found = [connection.exec_driver_sql(one) for one in block(f"-- {served.dialect}: claim")]
        assert sorted(tuple(row)[1:] for row in found) == [
            ("upsert", "A-1", "Example", Decimal("12.50")),
            ("upsert", "A-2", "Example", Decimal("12.50")),
        ]
    engine.dispose()
    _, outbox = crm.backend.standing()
    assert (outbox.new, outbox.claimed) == (0, 2)
    served.run(*block("-- acknowledge"))
    served.run(*[one.replace("seq = 1", "seq = 2") for one in block("-- reject")])
    _, outbox = crm.backend.standing()
    assert (outbox.claimed, outbox.rejected, outbox.examples[0].reason) == (0, 1, "credit")
