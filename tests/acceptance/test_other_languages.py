"""PHP's SoapClient and Node's soap, knowing nothing but ?wsdl, do business over both ports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.acceptance.shipped_erp import ROOT, VIOLATIONS, Answer, ErpProcess

CLIENTS = Path(__file__).parent / "clients"
TOLD = [
    "/CreatePurchaseOrder/order/currency",
    "/CreatePurchaseOrder/order/line/item/sku",
    "/CreatePurchaseOrder/order/line/quantity",
]

pytestmark = pytest.mark.parametrize("version", ["1.1", "1.2"])


def run(*command: object, cwd: Path) -> dict[str, Any]:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def php() -> str:
    """The interpreter, or why it cannot be used."""
    found = shutil.which("php")
    if found is None:
        pytest.skip("php is not installed (Debian: apt-get install php-cli php-soap)")
    modules = subprocess.run([found, "-m"], capture_output=True, text=True, timeout=20, check=True).stdout
    if "soap" not in modules.lower().split():
        pytest.skip("php has no soap extension (Debian: apt-get install php-soap)")
    return found


def node() -> str:
    """The interpreter, or why it cannot be used."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed (Debian: apt-get install nodejs npm)")
    if not (ROOT / "node_modules" / "soap").is_dir():
        pytest.skip("Node's soap is not installed (npm install --no-save --prefix . soap@1; .ci/run does it)")
    return found


@pytest.mark.php
def test_a_php_program_does_business(erp: ErpProcess, version: str) -> None:
    own = f"PHP-{uuid.uuid4().hex[:12].upper()}"
    script = CLIENTS / "buyer.php"
    got = run(php(), script, *wsdls(erp), version, own, cwd=erp.folder)
    assert got["placed"]["total"] == {"_": "4.65", "currency": "EUR"}
    assert_business(got, own, content="_")

    missing, bad = got["missing"], got["bad"]
    assert missing["code"].endswith("Client" if version == "1.1" else "Sender")
    assert missing["detail"]["NotFound"]["missing"]["identifier"] == f"{own}-none"
    assert bad["status"] == ("500" if version == "1.1" else "400")
    assert [one["path"] for one in bad["detail"]["violations"]["violation"]] == TOLD
    assert_reply(bad, version)


@pytest.mark.node
def test_a_node_program_does_business(erp: ErpProcess, version: str) -> None:
    own = f"NODE-{uuid.uuid4().hex[:12].upper()}"
    script = CLIENTS / "buyer.js"
    got = run(node(), script, *wsdls(erp), version, own, cwd=ROOT)
    assert got["placed"]["total"] == {"$value": "4.65", "attributes": {"currency": "EUR"}}
    assert_business(got, own, content="$value")

    missing, bad = got["missing"], got["bad"]
    detail = "detail" if version == "1.1" else "Detail"
    assert missing["fault"][detail]["NotFound"]["missing"]["identifier"] == f"{own}-none"
    assert bad["status"] == (500 if version == "1.1" else 400)
    assert [one["path"] for one in bad["fault"][detail]["violations"]["violation"]] == TOLD
    assert_reply(bad, version)


def wsdls(erp: ErpProcess) -> list[str]:
    return [f"{erp.url(name)}?wsdl" for name in ("purchasing", "inventory")]


def assert_business(got: dict[str, Any], own: str, *, content: str) -> None:
    """`content` is what the client calls the text of an element that has attributes."""
    assert re.fullmatch(r"PO-\d{4}-\d{6}", got["placed"]["orderNumber"])
    assert got["read"]["orderNumber"] == got["placed"]["orderNumber"]
    assert got["read"]["order"]["buyer"]["name"] == "青禾样例进出口有限公司"
    (line,) = got["read"]["order"]["line"]
    assert line["item"]["sku"] == "BRG-6204-2RS"
    assert line["quantity"][content] == "2.5"
    assert str(got["posted"]["movementCount"]) == "1"
    (level,) = got["stock"]["stock"]
    assert (level["sku"], level["available"][content]) == (own, "7.5")


def assert_reply(refused: dict[str, Any], version: str) -> None:
    """What the client's trace shows is a fault of the version it speaks, with our detail in it."""
    fault = Answer(0, {}, refused["reply"].encode()).fault
    assert fault is not None
    assert fault.version == version
    assert fault.paths == TOLD
    assert etree.QName(fault.detail[0]).namespace == VIOLATIONS
