"""Companies whose CRM and ERP are in memory, on each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.settings import Flow
from tests.integration.sync.partners import Company

ACCOUNTS = Flow(source="crm.accounts", target="erp", operation="customers.upsert", trigger="request")

MakeCompany = Callable[..., Company]


@pytest.fixture
def company_of(store_url: str, tmp_path: Path) -> Iterator[MakeCompany]:
    """Makes a company with these flows, by name; closed after the test."""
    made: list[Company] = []

    def make(flows: Any = None, **options: Any) -> Company:
        made.append(Company(store_url, tmp_path, flows or {"accounts": ACCOUNTS}, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def company(company_of: MakeCompany) -> Company:
    """One flow, one way: accounts of the CRM are customers of the ERP."""
    return company_of()
