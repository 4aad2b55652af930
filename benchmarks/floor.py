"""The floor: what an expert would write by hand for this one contract, and nothing more.

lxml parses, XMLSchema validates, plain code decodes and writes the reply. No reply validation, no faults, no journal:
a mark to measure the distance from, not something to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from lxml import etree

from benchmarks.messages import CONTRACT, NAMESPACE, SOAP
from bridge.contract import load

XML = "text/xml; charset=utf-8"


@dataclass(slots=True)
class Line:
    sku: str
    description: str | None
    quantity: Decimal
    price: Decimal
    due: date


@dataclass(slots=True)
class Order:
    number: str
    customer: str
    date: date
    currency: str
    lines: list[Line]


@cache
def schema() -> etree.XMLSchema:
    return load(CONTRACT).bundle.compile()


def parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def decode(element: Any) -> Order:
    number, customer, day, currency, *lines = element
    return Order(
        number.text,
        customer.text,
        date.fromisoformat(day.text),
        currency.text,
        [_line(line) for line in lines],
    )


def _line(element: Any) -> Line:
    children = list(element)
    description = None
    if len(children) == 5:
        sku, described, quantity, price, due = children
        description = described.text
    else:
        sku, quantity, price, due = children
    return Line(
        sku.text, description, Decimal(quantity.text), Decimal(price.text), date.fromisoformat(due.text)
    )


_REPLY = (
    f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body><o:SubmitOrderResponse xmlns:o="{NAMESPACE}">'
    "<o:accepted>{}</o:accepted><o:tracking>{}</o:tracking></o:SubmitOrderResponse></soap:Body></soap:Envelope>"
)


def application() -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The same request as a WSGI application."""
    compiled, reader = schema(), parser()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        payload = etree.fromstring(body, reader)[0][0]
        if not compiled.validate(payload):
            start_response("500 Internal Server Error", [("Content-Type", XML)])
            return [b""]
        order = decode(payload[0])
        reply = _REPLY.format("true", f"T-{order.number}-{len(order.lines)}").encode()
        start_response("200 OK", [("Content-Type", XML), ("Content-Length", str(len(reply)))])
        return [reply]

    return answer
