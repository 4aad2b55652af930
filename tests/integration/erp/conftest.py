from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.integration.erp.desk import Desk


@pytest.fixture(scope="session")
def erp() -> ModuleType:
    """Makers of requests and shorthands for the handlers (erp_requests.py)."""
    spec = importlib.util.spec_from_file_location("erp_requests", Path(__file__).with_name("erp_requests.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def postgresql_url(emptied_postgresql_url: str) -> str:
    return emptied_postgresql_url


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    """The shipped ERP, asked by envelopes; once on each database."""
    made = Desk(store_url)
    yield made
    made.close()


@pytest.fixture
def told_desk(store_url: str) -> Iterator[Desk]:
    """The same, which tells a CRM what happens."""
    made = Desk(store_url, told=True)
    yield made
    made.close()
