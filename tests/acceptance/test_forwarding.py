"""docs/forwarding.md as a reader types it, called by zeep, with a mock in the place of the back office."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zeep
from zeep.transports import Transport

from bridge.mock import Mock
from bridge.settings import load
from tests.acceptance.shipped_erp import ROOT, ErpProcess

PAGE = (ROOT / "docs/forwarding.md").read_text(encoding="utf-8")
CONTRACTS = ROOT / "tests/integration/forwarding"


@pytest.fixture
def backoffice() -> Iterator[Mock]:
    with Mock(CONTRACTS / "backoffice-1.wsdl") as mock:
        yield mock


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(timeout=20, operation_timeout=20)
    yield made
    made.session.close()


def block(language: str, holding: str) -> str:
    found: str = next(
        text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if holding in text
    )
    return found


def project(folder: Path, endpoint: str, *, more: str = "") -> Path:
    settings, changed = re.subn(
        r'endpoint = ".*"', f'endpoint = "{endpoint}"', block("toml", "[partners.backoffice]")
    )
    assert changed == 1
    (folder / "bridge.toml").write_text(settings + more, encoding="utf-8")
    (folder / "service.py").write_text(block("python", "shop.forward"), encoding="utf-8")
    for name in ("shop-1.wsdl", "backoffice-1.wsdl"):
        shutil.copy(CONTRACTS / name, folder)
    return folder


def client(shop: ErpProcess, transport: Transport) -> Any:
    return zeep.Client(f"{shop.url('shop')}?wsdl", transport=transport).service


def test_zeep_cancels_an_order_through_the_bridge_and_a_reminder_is_stored(
    tmp_path: Path, backoffice: Mock, transport: Transport
) -> None:
    first = {"Document": "O-1", "Cause": "late"}
    backoffice.expect("CancelSalesOrder").matching(values=first).reply({"State": "cancelled"})
    backoffice.expect("CancelSalesOrder").fault("NotFound", {"Number": "O-2", "Why": "never seen"})
    with ErpProcess(project(tmp_path, backoffice.url), "service:bridge") as shop:
        service = client(shop, transport)
        for _ in range(2):
            assert service.CancelOrder(Order={"Number": "O-1"}, Reason="late").Accepted is True
        assert len(backoffice.received) == 1
        with pytest.raises(zeep.exceptions.Fault) as caught:
            service.CancelOrder(Order={"Number": "O-2"})
        assert caught.value.detail.findtext(".//{*}Why") == "never seen"
        service.Remind(Number="O-3")
    assert len(backoffice.received) == 2
    with closing(sqlite3.connect(tmp_path / "data/bridge.sqlite")) as store:
        rows = store.execute("SELECT partner, operation, state FROM outbox").fetchall()
    assert rows == [("backoffice", "CancelSalesOrder", "waiting")]


def test_the_setting_on_the_page_is_one(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/", more=block("toml", "[services.shop]"))
    assert load(tmp_path / "bridge.toml").services["shop"].forward == {"CancelOrder": "durable"}
