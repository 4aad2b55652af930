"""The messages that are measured: an order of 1, 20 or 200 lines, as clients send it."""

from __future__ import annotations

from pathlib import Path

CONTRACT = Path(__file__).parent / "orders-1.wsdl"
NAMESPACE = "urn:soapbridge:benchmark:orders:1"
SIZES = (1, 20, 200)
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"

_LINE = (
    "<o:line><o:sku>AB-1{n:03d}</o:sku><o:description>Deep groove ball bearing, sealed</o:description>"
    "<o:quantity>{n}.5</o:quantity><o:price>10.{n:03d}</o:price><o:due>2026-11-30</o:due></o:line>"
)


def order(operation: str, lines: int) -> bytes:
    """An envelope (SOAP 1.1, UTF-8) of `operation` with an order of that many lines."""
    body = "".join(_LINE.format(n=n) for n in range(1, lines + 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{SOAP}"><soap:Body>'
        f'<o:{operation} xmlns:o="{NAMESPACE}"><o:order><o:number>PO-000123</o:number>'
        f"<o:customer>Hangzhou Precision Bearings</o:customer><o:date>2026-11-22</o:date>"
        f"<o:currency>CNY</o:currency>{body}</o:order></o:{operation}></soap:Body></soap:Envelope>"
    ).encode()
