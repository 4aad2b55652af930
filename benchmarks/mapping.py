"""A CRM's order of 20 lines becomes the values of a purchase order: by a mapping, and by a Python function that somebody wrote by hand.

Both rename, trim, look up units, read dates and numbers with a comma, and give the same. The hand-written one checks nothing; the mapping
has been proved against both shapes and looks at what may not fit. CPU time of the best of several rounds, in turn. Explained is what `soapbridge map --explain` shows, and what a
record with a mistake costs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.measure import Budget, cpu_microseconds
from bridge import contract as contracts
from bridge.mapping import Mapping, load, shape_of
from bridge.partners import entities
from bridge.shipped import contracts as shipped_contracts

SAMPLES = Path(__file__).parents[1] / "samples" / "mappings"
BUDGET = 3.0
LINES = 20
UNITS = {"pc": "H87", "kg": "KGM", "t": "KGM"}
INCOTERMS = {"works": "EXW", "board": "FOB", "port": "CIF"}


def record(lines: int = LINES) -> dict[str, Any]:
    """An order as the CRM gives it."""
    return {
        "number": "CRM-2025-00417",
        "ordered_on": "30.12.2025",
        "currency": "cny ",
        "wanted_on": "15.01.2026",
        "ship_to": "WH-NB1",
        "incoterm": "board",
        "incoterm_place": "Ningbo",
        "vendor": {"code": "SUP-20417", "name": "Zhejiang Yongxin Bearings Co., Ltd."},
        "items": [
            {
                "article": f"BRG-62{number:02}-2RS",
                "text": f"Deep groove ball bearing  62{number:02}-2RS",
                "quantity": f"1.{number:03},5",
                "unit": "kg" if number % 2 else "pc",
                "price": Decimal("3.85") + number,
            }
            for number in range(lines)
        ],
    }


def by_hand(order: dict[str, Any]) -> dict[str, Any]:
    """The same as samples/mappings/order.toml."""
    made: dict[str, Any] = {
        "buyerReference": order["number"],
        "orderDate": _date(order["ordered_on"]),
        "currency": order["currency"].strip().upper(),
        "buyer": {"code": "CO-NB01", "name": "Ningbo Haitong Trading Co., Ltd."},
        "supplier": {"code": order["vendor"]["code"], "name": order["vendor"]["name"][:200]},
        "shipTo": {"warehouse": order["ship_to"]},
        "line": [],
    }
    if order.get("wanted_on"):
        made["requestedDelivery"] = _date(order["wanted_on"])
    if order.get("incoterm") and order.get("incoterm_place"):
        made["deliveryTerms"] = {"incoterm": INCOTERMS[order["incoterm"]], "place": order["incoterm_place"]}
    for number, item in enumerate(order["items"], 1):
        quantity = Decimal(item["quantity"].replace(".", "").replace(",", "."))
        price = item["price"]
        if item["unit"] == "t":
            quantity, price = quantity * 1000, round(price / 1000, 6)
        line = {
            "lineNumber": number,
            "item": {"sku": item["article"]},
            "quantity": {"value": quantity, "unit": UNITS[item["unit"]]},
            "unitPrice": price,
        }
        if item.get("text"):
            line["item"]["description"] = " ".join(item["text"].split())[:200]
        made["line"].append(line)
    return {"requestId": f"crm-{order['number']}", "order": made}


def _date(text: str) -> date:
    return date(int(text[6:]), int(text[3:5]), int(text[:2]))


def mapping() -> Mapping:
    crm = entities.read(SAMPLES / "crm.toml")
    purchasing = contracts.load(shipped_contracts("erp")["purchasing"])
    return load(
        SAMPLES / "order.toml",
        source=crm.entities["orders"].shape,
        target=shape_of(purchasing, purchasing.operations["CreatePurchaseOrder"]),
    )


def run() -> tuple[list[str], list[Budget]]:
    ours, order = mapping(), record()
    if ours(order) != by_hand(order):
        raise RuntimeError("the mapping and the function do not give the same")
    contenders: dict[str, Callable[[], object]] = {
        "by hand": lambda: by_hand(order),
        "the mapping": lambda: ours(order),
        "the mapping, explained": lambda: ours.explain(order),
    }
    taken = cpu_microseconds(contenders, seconds=1.0)
    lines = [
        "| | CPU µs | × by hand |",
        "|---|---|---|",
        *(f"| {name} | {figure:.0f} | {figure / taken['by hand']:.1f} |" for name, figure in taken.items()),
    ]
    ratio = taken["the mapping"] / taken["by hand"]
    return lines, [Budget(f"mapping an order of {LINES} lines, of a function by hand", ratio, BUDGET)]
