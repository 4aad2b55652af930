"""The shipped purchasing and suppliers through the whole bridge: envelopes in, envelopes out, on both databases."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bridge.cli.bridges import apply_shipped_rules, shipped_bridge
from bridge.settings import Data, Erp, Settings
from bridge.settings import Store as StoreSettings

SOAP = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml"),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml"),
}
ORDER = """
<order xmlns:t="urn:soapbridge:common:types:1"><orderDate>2026-03-02</orderDate><currency>EUR</currency>
<buyer><t:code>CO-NB01</t:code><t:name>青禾</t:name></buyer>
<supplier><t:code>SUP-20417</t:code><t:name>Musterhafen</t:name></supplier>
<shipTo><warehouse>WH-NB1</warehouse></shipTo>
<line><lineNumber>10</lineNumber><item><t:sku>BRG-6204</t:sku></item>
<quantity unit="H87">10</quantity><unitPrice>1.86</unitPrice></line></order>
"""


class ShippedErp:
    """A bridge with the shipped contracts, called without a socket."""

    def __init__(self, url: str, folder: Path, **rules: Any) -> None:
        self.bridge = shipped_bridge(
            Settings(store=StoreSettings(url=url), data=Data(folder=folder), erp=Erp(**rules))
        )
        apply_shipped_rules(self.bridge)
        self.application = self.bridge.wsgi()

    def call(
        self, operation: str, content: str, *, contract: str = "purchasing", version: str = "1.1"
    ) -> etree._Element:
        """The Body's child of the answer."""
        namespace, content_type = SOAP[version]
        body = (
            f'<s:Envelope xmlns:s="{namespace}"><s:Body><{operation} xmlns="urn:soapbridge:erp:{contract}:1">'
            f"{content}</{operation}></s:Body></s:Envelope>"
        ).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/services/{contract}",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
        }
        answer = b"".join(self.application(environ, lambda status, headers: None))
        (payload,) = etree.fromstring(answer).find(f"{{{namespace}}}Body")
        return payload

    def create(self, request_id: str) -> str:
        made = self.call("CreatePurchaseOrder", f"<requestId>{request_id}</requestId>{ORDER}")
        return text(made, "orderNumber")


@pytest.fixture
def start(store_url: str, tmp_path: Path) -> Iterator[Callable[..., ShippedErp]]:
    started: list[ShippedErp] = []

    def one(**rules: Any) -> ShippedErp:
        started.append(ShippedErp(store_url, tmp_path, **rules))
        return started[-1]

    yield one
    for erp in started:
        erp.bridge.store.close()  # type: ignore[union-attr]


def text(payload: etree._Element, name: str) -> str:
    found = payload.find(f".//{{*}}{name}")
    assert found is not None, etree.tostring(payload)
    return str(found.text)


def fault(payload: etree._Element) -> str:
    """Name of the declared fault."""
    (name,) = {
        etree.QName(one).localname for one in payload.iterfind("{*}Detail/{urn:soapbridge:common:faults:1}*")
    } or {etree.QName(one).localname for one in payload.iterfind("detail/{urn:soapbridge:common:faults:1}*")}
    return name


def canonical(payload: etree._Element) -> bytes:
    return etree.tostring(payload, method="c14n", exclusive=True)


def test_the_element_that_was_read_is_the_element_that_is_sent(start: Callable[..., ShippedErp]) -> None:
    erp = start()
    number = erp.create("w-1")
    named = f"<purchaseOrder><orderNumber>{number}</orderNumber></purchaseOrder>"
    read = erp.call("GetPurchaseOrder", named)
    order = copy.deepcopy(read.find("{*}order"))
    order.find(".//{*}quantity").text = "25"
    sent = etree.tostring(order, encoding="unicode")
    changed = erp.call(
        "ChangePurchaseOrder",
        f"<requestId>w-2</requestId><orderNumber>{number}</orderNumber><revision>1</revision>{sent}",
    )
    assert text(changed, "revision") == "2"
    assert text(changed, "total") == "46.50"
    again = erp.call("GetPurchaseOrder", named)
    assert canonical(again.find("{*}order")) == canonical(order)
    assert text(erp.call("GetPurchaseOrder", f"{named}<revision>1</revision>"), "quantity") == "10"


def test_a_change_and_a_receipt_sent_twice_are_done_once_and_answered_alike(
    start: Callable[..., ShippedErp],
) -> None:
    erp = start()
    number = erp.create("w-1")
    change = f"<requestId>w-2</requestId><orderNumber>{number}</orderNumber><revision>1</revision>{ORDER}"
    receipt = (
        f"<requestId>w-3</requestId><orderNumber>{number}</orderNumber>"
        '<line><lineNumber>10</lineNumber><quantity unit="H87">4</quantity></line>'
    )
    for operation, content in (("ChangePurchaseOrder", change), ("ReceiveGoods", receipt)):
        first = erp.call(operation, content)
        assert canonical(erp.call(operation, content, version="1.2")) == canonical(first)
    read = erp.call("GetPurchaseOrder", f"<purchaseOrder><orderNumber>{number}</orderNumber></purchaseOrder>")
    assert text(read, "revision") == "2"
    assert text(read, "state") == "partiallyReceived"
    (received,) = read.iterfind("{*}received")
    assert text(received, "quantity") == "4"
    # The order was changed since, and its first request still has its first answer.
    assert erp.create("w-1") == number
    assert fault(erp.call("ReceiveGoods", receipt.replace(">4<", ">5<"))) == "KeyReused"


def test_a_page_leads_to_the_next(start: Callable[..., ShippedErp]) -> None:
    erp = start()
    numbers = [erp.create(f"w-{n}") for n in range(3)]
    found: list[str] = []
    token = ""
    for version in ("1.1", "1.2", "1.1"):
        page = erp.call("ListPurchaseOrders", f"<pageSize>1</pageSize>{token}", version=version)
        found += [str(one.text) for one in page.iterfind("{*}order/{*}orderNumber")]
        following = page.find("{*}nextPage")
        token = "" if following is None else f"<pageToken>{following.text}</pageToken>"
    assert found == numbers
    assert token == ""


def test_the_settings_say_what_may_come_in_and_from_whom(start: Callable[..., ShippedErp]) -> None:
    erp = start()
    number = erp.create("w-1")
    receipt = (
        f"<requestId>ID</requestId><orderNumber>{number}</orderNumber>"
        '<line><lineNumber>10</lineNumber><quantity unit="H87">11</quantity></line>'
    )
    assert fault(erp.call("ReceiveGoods", receipt.replace("ID", "w-2"))) == "OverDelivery"
    strict = start(over_delivery=10.0, known_suppliers_only=True)
    assert text(strict.call("ReceiveGoods", receipt.replace("ID", "w-3")), "state") == "received"

    order = f"<requestId>w-4</requestId>{ORDER}"
    assert fault(strict.call("CreatePurchaseOrder", order)) == "InvalidReference"
    supplier = "<supplier><code>SUP-20417</code><name>Musterhafen</name></supplier>"
    strict.call("UpsertSupplier", f"<requestId>w-5</requestId>{supplier}", contract="suppliers")
    assert text(strict.call("CreatePurchaseOrder", order.replace("w-4", "w-6")), "state") == "open"
    blocked = supplier.replace(
        "</supplier>", '<blocked><reason language="en">Quality</reason></blocked></supplier>'
    )
    reply = erp.call("UpsertSupplier", f"<requestId>w-7</requestId>{blocked}", contract="suppliers")
    assert text(reply, "revision") == "2"
    assert (
        text(erp.call("GetSupplier", "<code>SUP-20417</code>", contract="suppliers"), "reason") == "Quality"
    )
    refused = erp.call("CreatePurchaseOrder", order.replace("w-4", "w-8"))
    assert fault(refused) == "InvalidReference"
    assert text(refused, "reason") == "blocked"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_faults_of_an_order_carry_what_their_contract_says(
    start: Callable[..., ShippedErp], version: str
) -> None:
    erp = start()
    number = erp.create("w-1")
    head = f"<requestId>ID</requestId><orderNumber>{number}</orderNumber>"

    def refused(operation: str, request_id: str, content: str) -> etree._Element:
        return erp.call(operation, head.replace("ID", request_id) + content, version=version)

    mismatch = refused("ChangePurchaseOrder", "w-2", f"<revision>9</revision>{ORDER}")
    assert (fault(mismatch), text(mismatch, "current")) == ("RevisionMismatch", "1")
    line = '<line><lineNumber>10</lineNumber><quantity unit="H87">QTY</quantity></line>'
    over = refused("ReceiveGoods", "w-3", line.replace("QTY", "12"))
    assert (fault(over), text(over, "open"), text(over, "delivered")) == ("OverDelivery", "10", "12")
    refused("ReceiveGoods", "w-4", line.replace("QTY", "6"))
    below = refused("ChangePurchaseOrder", "w-5", f"<revision>1</revision>{ORDER.replace('>10</q', '>5</q')}")
    assert (fault(below), text(below, "received"), text(below, "wanted")) == ("BelowReceived", "6", "5")
    state = refused("CancelPurchaseOrder", "w-6", "<reason>Too late</reason>")
    assert (fault(state), text(state, "state")) == ("InvalidState", "partiallyReceived")
    assert [one.text for one in state.iter("{*}allowed")] == ["open", "confirmed"]
