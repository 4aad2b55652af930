from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


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
