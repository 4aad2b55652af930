"""mypy reads the stubs: of every construct, the shipped contracts and ten published ones; and finds what handlers do wrong.

All in one run, because mypy is slow; the runs after the first take a second.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.contract import load
from bridge.contract.stubs import Stub

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("SOAPBRIDGE_CORPUS") or ROOT.parent / "shared" / "wsdl-corpus")
TEN = (
    "cxf-inherit", "cmis-1.1", "eet-cz", "fedex-locations-v9", "image-view", "nav-svarut", "ns-t-list-parameter",
    "paypal", "sap-byd-manageidentifiedstocksin", "zeep-recursive",
)  # fmt: skip

SETTINGS = """
[mypy]
strict = True
"""

HEAD = """
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bridge import Bridge, Call

if TYPE_CHECKING:
    from stubs import of_inventory_1 as types

bridge = Bridge.load()
stock: types.InventoryService = bridge.serve("wsdl/inventory-1.wsdl")


class Partner:
    def call(
        self,
        operation: str,
        values: Any = None,
        *,
        headers: Mapping[str, Any] | None = None,
        deadline: float | None = None,
    ) -> Any: ...

    def ping(self, *, deadline: float | None = None) -> object: ...


"""

RIGHT = (
    HEAD
    + """
partner: types.InventoryPartner = Partner()


@stock.operation("GetStock")
def get_stock(request: types.GetStock, call: Call) -> types.GetStockResponseDict:
    if "A" in request.sku:
        raise stock.fault("NotFound", missing=[{"kind": "item", "identifier": "A"}])
    level = stock.types.Balance(value=1, unit="KGM")
    rows: list[types.StockLevelDict] = [
        {"sku": sku, "warehouse": "M", "onHand": level, "reserved": {"value": 2, "unit": "H87"}, "available": level}
        for sku in request.sku
    ]
    return {"asOf": call.now, "stock": rows}


@stock.operation("UpdateStock")
def update_stock(request: types.UpdateStock, call: Call) -> types.UpdateStockResponse | types.UpdateStockResponseDict:
    for movement in request.movement:
        if movement.receipt is not None and movement.quantity.value > Decimal(3):
            return stock.types.UpdateStockResponse(documentNumber="SM", postedAt=call.now, movementCount=1)
    return {"documentNumber": "SM", "postedAt": datetime.now(), "movementCount": len(request.movement)}


balance: Decimal = partner.call("GetStock", {"sku": ["A"]}).stock[0].onHand.value
"""
)

WRONG = (
    HEAD
    + """
@stock.operation("GetStok")  # wrong: No overload variant of "operation"
def misspelt_operation(request: types.GetStock, call: Call) -> types.GetStockResponseDict:
    raise NotImplementedError


@stock.operation("UpdateStock")  # wrong: Value of type variable "UpdateStockHandler"
def of_another_operation(request: types.GetStock, call: Call) -> types.GetStockResponseDict:
    raise NotImplementedError


@stock.operation("GetStock")
def get_stock(request: types.GetStock, call: Call) -> types.GetStockResponseDict:
    print(request.skus)  # wrong: "GetStock" has no attribute "skus"; maybe "sku"?
    print(request.sku + 1)  # wrong: "__add__" of "list"
    if request.warehouse:
        return {"asof": call.now}  # wrong: Extra key "asof"
    if request.sku:
        return {"asOf": "today", "stock": []}  # wrong: (expression has type "str", TypedDict item "asOf"
    raise stock.fault("NotFound", mising=[])  # wrong: No overload variant of "fault"


def pound(movement: types.StockMovement) -> types.QuantityDict:
    if movement.receipt.reason:  # wrong: Item "None" of "Receipt | None" has no attribute "reason"
        return {"value": 1.5, "unit": "KGM"}  # wrong: (expression has type "float", TypedDict item "value"
    return {"value": 1, "unit": "pound"}  # wrong: TypedDict item "unit"


stock.types.Quantity(value=1)  # wrong: Missing named argument "unit"
"""
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy --strict says of all stubs, of a service that is right and of one that is wrong."""
    folder = tmp_path_factory.mktemp("typing")
    contracts = [*(ROOT / "wsdl").glob("*/*.wsdl"), *(ROOT / "tests/contracts").glob("*.wsdl")]
    contracts += [next((CORPUS / name).glob("*.wsdl")) for name in TEN if (CORPUS / name).is_dir()]
    (folder / "stubs").mkdir()
    catalog = CORPUS / "_standard"
    for wsdl in contracts:
        contract = load(wsdl, catalog=catalog if catalog.is_dir() else None)
        name = "of_" + re.sub(r"\W", "_", wsdl.stem)
        (folder / "stubs" / f"{name}.pyi").write_text(
            Stub(contract, made_by="the test").text(), encoding="utf-8"
        )
    names = sorted(path.stem for path in (folder / "stubs").iterdir())
    (folder / "every.py").write_text("".join(f"import stubs.{name}\n" for name in names))
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    (folder / "mypy.ini").write_text(SETTINGS)
    return mypy(folder, "every.py", "right.py", "wrong.py")


def mypy(folder: Path, *what: str) -> str:
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", *what]
    kept = {"PYTHONPATH": str(ROOT), "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache" / "typing")}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | kept, capture_output=True, text=True, timeout=300, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_stubs_of_every_contract_and_a_service_that_is_right_pass(said: str) -> None:
    assert [line for line in said.splitlines() if not line.startswith("wrong.py:")] == []


def test_each_mistake_is_found_in_its_line(said: str) -> None:
    found: dict[int, str] = {}
    for match in re.finditer(r"^wrong\.py:(\d+): error: (.*)", said, re.MULTILINE):
        found[int(match[1])] = f"{found.get(int(match[1]), '')} {match[2]}"
    expected = {
        number: line.partition("# wrong: ")[2]
        for number, line in enumerate(WRONG.splitlines(), 1)
        if "# wrong: " in line
    }
    assert set(found) >= set(expected)
    assert set(found) - set(expected) == set(), {
        number: found[number] for number in set(found) - set(expected)
    }
    unsaid = {
        number: (words, found[number]) for number, words in expected.items() if words not in found[number]
    }
    assert unsaid == {}
