"""A Zoho CRM with accounts and deals over real HTTP, and the partner that reads and writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.settings import Partner
from bridge.soap.limits import Limits
from bridge.store import Store
from bridge.testing.zoho import ZohoCrm

FILE = """
[partner]
accounts = "{url}"
{more}
[entities.accounts]
module = "Accounts"
id = "no"
changed = "updated"
names = {{ no = "Account_No", name = "Account_Name", revenue = "Annual_Revenue", currency = "Currency", since = "Customer_Since", updated = "Modified_Time", owner = "Owner/id" }}
{accounts}
[entities.accounts.fields]
no = "text"
name = {{ type = "text", required = true }}
revenue = "decimal"
currency = "text"
since = "date"
updated = "datetime"
owner = "text"
[entities.deals]
module = "Deals"
id = "id"
changed = "Modified_Time"
{deals}
[entities.deals.fields]
id = "text"
Deal_Name = "text"
Modified_Time = "datetime"
{fields}
"""


@pytest.fixture
def zoho() -> Iterator[ZohoCrm]:
    with ZohoCrm() as zoho:
        zoho.module(
            "Accounts", mandatory=["Account_Name"], unique=["Account_No"], types={"Account_Name": str}
        )
        zoho.module("Deals", mandatory=["Deal_Name"])
        yield zoho


Making = Callable[..., EntityPartner]


@pytest.fixture
def making(zoho: ZohoCrm, tmp_path: Path) -> Iterator[Making]:
    """Makes the partner; `more`, `accounts`, `deals` and `fields` (of deals) go into its file."""
    made: list[EntityPartner] = []

    def make(
        *,
        store: Store | None = None,
        more: str = "",
        accounts: str = "",
        deals: str = "",
        fields: str = "",
        **settings: Any,
    ) -> EntityPartner:
        path = tmp_path / f"crm{len(made)}.toml"
        path.write_text(
            FILE.format(url=zoho.url, more=more, accounts=accounts, deals=deals, fields=fields), "utf-8"
        )
        described = entities.read(path)
        options = Partner(
            kind="zoho",
            entities=path,
            client_id=zoho.client_id,
            client_secret=zoho.client_secret,
            refresh_token=zoho.refresh_token,
        )
        options = replace(options, **settings)
        setting = kinds.Setting("crm", options, described, Limits(), lambda: store)
        made.append(EntityPartner("crm", options, described.entities, kinds.backend(setting)))
        return made[-1]

    yield make
    for one in made:
        one.close()
