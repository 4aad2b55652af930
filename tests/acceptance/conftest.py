"""Shared by the acceptance tests: one shipped bridge that runs for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.shipped_erp import ErpProcess


@pytest.fixture(scope="session")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpProcess]:
    """A shipped bridge in an empty folder; its store holds what earlier tests sent, so ids must be one's own."""
    with ErpProcess(tmp_path_factory.mktemp("erp")) as served:
        yield served
    assert "Traceback" not in served.log
