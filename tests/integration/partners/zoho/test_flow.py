"""Accounts go from one Zoho CRM to another through the bridge, while tokens end, answers are lost and credits are spent; both then hold
the same figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bridge import Bridge
from bridge.settings import load
from bridge.testing.served import CUT, Said
from bridge.testing.zoho import ZohoCrm

COUNT = 40
CRM = """
[partner]
accounts = "{url}"
[entities.accounts]
module = "Accounts"
id = "no"
changed = "updated"
names = {{ no = "Account_No", name = "Account_Name", credit = "Credit_Limit", currency = "Currency", updated = "Modified_Time" }}
[entities.accounts.fields]
no = "text"
name = "text"
credit = "decimal"
currency = "text"
updated = "datetime"
"""
PARTNER = """
[partners.{name}]
kind = "zoho"
entities = "{name}.toml"
client_id = "{zoho.client_id}"
client_secret = "{zoho.client_secret}"
refresh_token = "{zoho.refresh_token}"
first_delay = 0.05
max_delay = 0.2
circuit_failures = 0
"""
RULES = """
[flows.accounts]
source = "here"
target = "there"
operation = "accounts.upsert"
every = 300
[reconcile.accounts]
flow = "accounts"
fields = { name = "name", credit = "credit" }
amounts = { credit = "credit" }
currency = "currency=currency"
grace = 0
"""


@pytest.fixture
def sides() -> Iterator[tuple[ZohoCrm, ZohoCrm]]:
    with ZohoCrm() as here, ZohoCrm() as there:
        for one in (here, there):
            one.module("Accounts", mandatory=["Account_Name"], unique=["Account_No"])
        yield here, there


@pytest.fixture
def bridge(sides: tuple[ZohoCrm, ZohoCrm], tmp_path: Path) -> Iterator[Bridge]:
    text = f'[data]\nfolder = "{tmp_path}"\n'
    for name, zoho in zip(("here", "there"), sides, strict=True):
        (tmp_path / f"{name}.toml").write_text(CRM.format(url=zoho.url), "utf-8")
        text += PARTNER.format(name=name, zoho=zoho)
    (tmp_path / "bridge.toml").write_text(text + RULES.replace('"here"', '"here.accounts"'), "utf-8")
    bridge = Bridge(load(tmp_path / "bridge.toml"))
    yield bridge
    for partner in bridge.partners.values():
        partner.close()
    assert bridge.store is not None
    bridge.store.close()


def undelivered(bridge: Bridge) -> list[str]:
    return [one.entry.state for one in bridge.deliveries.list() if one.entry.state != "delivered"]


def deliver(bridge: Bridge) -> None:
    """Until nothing is left to be sent."""
    background = bridge.background()
    for one in background:
        one.start()
    try:
        until = time.monotonic() + 60
        while undelivered(bridge) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        for one in background:
            one.stop(5)
    assert undelivered(bridge) == []


def test_both_hold_the_same_figures_whatever_went_wrong_on_the_way(
    bridge: Bridge, sides: tuple[ZohoCrm, ZohoCrm]
) -> None:
    here, there = sides
    for number in range(COUNT):
        values = {"Account_No": f"A-{number}", "Account_Name": f"Account {number}", "Credit_Limit": Decimal("0.10") + number, "Currency": ("EUR", "CNY")[number % 2]}  # fmt: skip
        here.put("Accounts", values, at=here.now - timedelta(seconds=COUNT - number))
    bridge.check()
    here.goes_wrong(Said(401, {"code": "INVALID_TOKEN", "message": "x", "status": "error"}), when="/coql")
    assert bridge.flows.run("accounts").read == COUNT

    there.goes_wrong(CUT, when="/upsert", after=True, times=2)
    there.goes_wrong(CUT, when="/upsert", times=2)
    there.goes_wrong(
        Said(429, {"code": "LIMIT_EXCEEDED", "message": "x", "status": "error"}, {"Retry-After": "1"}),
        when="/upsert",
    )
    there.goes_wrong(Said(401, {"code": "INVALID_TOKEN", "message": "x", "status": "error"}), when="/upsert")
    deliver(bridge)
    assert len(there.modules["Accounts"].rows) == COUNT
    assert (len(here.granted), len(there.granted)) == (2, 2)

    assert bridge.reconciliations.run("accounts").outcome == "same"
    row = next(row for row in there.modules["Accounts"].rows.values() if row["Account_No"] == "A-7")
    later = there.now + timedelta(minutes=5)
    there.put("Accounts", {"id": row["id"], "Credit_Limit": Decimal("7.11")}, at=later)
    ended = bridge.reconciliations.run("accounts")
    assert (ended.outcome, ended.figures.causes) == ("different", {"changed there": 1})
