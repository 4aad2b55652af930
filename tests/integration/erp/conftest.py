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
    return _beside("erp_requests")


@pytest.fixture(scope="session")
def sales(erp: ModuleType) -> ModuleType:
    """The same for sales (sales_requests.py)."""
    return _beside("sales_requests")


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


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
