"""Records of a SOAP partner, read with the shipped contract's ListPurchaseOrders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bridge import contract as contracts
from bridge.contract import Contract
from bridge.errors import DeliveredUnreadable, HandlerError, SettingsError
from bridge.partners import entities
from bridge.partners.partner import Query
from bridge.partners.soap.reading import Reading
from bridge.shipped import contracts as shipped

NS = "urn:soapbridge:erp:purchasing:1"
FILE = """\
[entities.orders]
operation = "ListPurchaseOrders"
records = "order"
id = "orderNumber"
changed = "changedAt"
since = "changedSince"
page = "pageToken"
next = "nextPage"
limit = "pageSize"
request = { state = ["open"] }
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return contracts.load(shipped()["purchasing"])


class Answers:
    """Gives pages of orders with these numbers; `asked` are the requests."""

    def __init__(self, contract: Contract, *pages: list[str]) -> None:
        self.contract = contract
        self.pages = pages
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, operation: str, request: Mapping[str, Any]) -> Any:
        found = self.contract.operations[operation]
        assert found.input is not None
        assert found.output is not None
        self.contract.codec.encode(found.input, request)  # fits the contract
        self.asked.append(request)
        number = int(request.get("pageToken", "page-0").removeprefix("page-"))
        orders = "".join(
            f"<order><orderNumber>{one}</orderNumber><state>open</state><revision>1</revision><orderDate>2026-02-25</orderDate>"
            "<supplier>SUP-1</supplier>"
            f'<total currency="EUR">{amount}.50</total>'
            "<createdAt>2026-02-25T08:00:00Z</createdAt><changedAt>2026-02-26T08:00:00Z</changedAt></order>"
            for amount, one in enumerate(self.pages[number])
        )
        more = f"<nextPage>page-{number + 1}</nextPage>" if number + 1 < len(self.pages) else ""
        reply = f'<ListPurchaseOrdersResponse xmlns="{NS}"><asOf>2026-02-26T08:00:00Z</asOf>{orders}{more}</ListPurchaseOrdersResponse>'
        return self.contract.codec.decode(found.output, etree.fromstring(reply))


def reading(folder: Path, contract: Contract, text: str = FILE, *pages: list[str]) -> tuple[Reading, Answers]:
    file = folder / "erp.toml"
    file.write_text(text, "utf-8")
    answers = Answers(contract, *pages)
    return Reading(contract, entities.read(file, with_fields=False), answers), answers


def test_a_page_is_asked_for_as_the_file_says(tmp_path: Path, contract: Contract) -> None:
    found, answers = reading(tmp_path, contract, FILE, ["PO-2"], ["PO-1"])
    since = datetime(2026, 2, 1, tzinfo=UTC)
    page = found.fetch("orders", Query(since=since, limit=50))
    assert answers.asked == [{"state": ["open"], "changedSince": since, "pageSize": 50}]
    (record,) = page.records
    assert (record.id, record.changed_at) == ("PO-2", datetime(2026, 2, 26, 8, tzinfo=UTC))
    assert record.values["total"] == {"value": Decimal("0.50"), "currency": "EUR"}
    assert page.next == "page-1"
    assert [one.id for one in found.fetch("orders", Query(after=page.next)).records] == ["PO-1"]


def test_a_scan_goes_through_all_pages_by_id(tmp_path: Path, contract: Contract) -> None:
    found, _ = reading(tmp_path, contract, FILE, ["PO-3", "PO-1"], ["PO-2"])
    assert [row for batch in found.scan("orders", ["state"], Query()) for row in batch] == [
        ("PO-1", "open"),
        ("PO-2", "open"),
        ("PO-3", "open"),
    ]
    by_state = found.scan("orders", ["orderNumber"], Query(by="state"))
    assert [row for batch in by_state for row in batch] == [
        ("open", "PO-3"),
        ("open", "PO-1"),
        ("open", "PO-2"),
    ]


def test_totals_count_all_pages(tmp_path: Path, contract: Contract) -> None:
    found, _ = reading(tmp_path, contract, FILE, ["PO-3", "PO-1"], ["PO-2"])
    assert found.totals("orders", Query(), {}).count == 3


def test_fields_are_those_of_the_contract(tmp_path: Path, contract: Contract) -> None:
    found, _ = reading(tmp_path, contract)
    total = found.entities["orders"].shape.find("total/value")
    assert total is not None
    assert total.kind == "decimal"


def test_what_the_operation_cannot_be_asked_is_said(tmp_path: Path, contract: Contract) -> None:
    found, answers = reading(tmp_path, contract, FILE, [])
    with pytest.raises(HandlerError, match=r"cannot be asked for until.*`until` at .*erp\.toml:1"):
        found.fetch("orders", Query(until=datetime(2026, 2, 1, tzinfo=UTC)))
    with pytest.raises(HandlerError, match="in the order of their changes"):
        found.fetch("orders", Query(order="changed"))
    with pytest.raises(HandlerError, match=r"no entity order\. It has orders"):
        found.fetch("order", Query())
    assert answers.asked == []


def test_a_page_that_names_itself_as_the_next_ends_the_reading(tmp_path: Path, contract: Contract) -> None:
    found, answers = reading(tmp_path, contract, FILE, ["PO-1"], ["PO-2"], ["PO-3"])
    forward = answers.__class__.__call__

    def stuck(operation: str, request: Mapping[str, Any]) -> Any:
        reply = forward(answers, operation, request)
        reply.nextPage = "page-1"
        return reply

    found = Reading(contract, entities.read(tmp_path / "erp.toml", with_fields=False), stuck)
    with pytest.raises(DeliveredUnreadable, match="names itself as the next"):
        list(found.pages("orders", Query()))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (('"ListPurchaseOrders"', '"ListOrders"'), r"erp\.toml:2: entities\.orders\.operation must name what lists them, one of Cr"),
        (('records = "order"', 'records = "orders"'), r"erp\.toml:3: entities\.orders\.records must say where the records stand"),
        (('"orderNumber"', '"number"'), r"erp\.toml:4: entities\.orders\.id names 'number', which a record does not have"),
        (('"changedSince"', '"since"'), r"erp\.toml:6: entities\.orders\.since names 'since', which ListPurchaseOrders does not have"),
        (('next = "nextPage"\n', ""), r"erp\.toml:7: entities\.orders\.page and next go together"),
        (("limit =", "size ="), r"erp\.toml:9: entities\.orders\.size is not known"),
    ],
)  # fmt: skip
def test_where_file_and_contract_do_not_meet_is_told(
    tmp_path: Path, contract: Contract, changed: tuple[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        reading(tmp_path, contract, FILE.replace(*changed))
