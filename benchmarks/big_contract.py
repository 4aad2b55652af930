"""A vendor-sized contract: 300 operations, 1.5 MB, extension, choice and imports. Time to the first answer.

The first answer: load the WSDL, compile its schemas, bind one operation, answer one request, validated both ways.
zeep's figure is its load alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Budget

OPERATIONS = 300
FILES = 3

_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


def write(folder: Path) -> Path:
    """Writes the WSDL and the schemas it imports; returns the WSDL."""
    schemas = []
    for number in range(FILES):
        name = f"part-{number}.xsd"
        operations = range(number, OPERATIONS, FILES)
        types = "".join(_types(index) for index in operations)
        imported = "" if number == 0 else '<xs:import namespace="urn:big:0" schemaLocation="part-0.xsd"/>'
        base = _BASE if number == 0 else ""
        (folder / name).write_text(
            f'<xs:schema {_XS} targetNamespace="urn:big:{number}" xmlns:b="urn:big:0" xmlns:t="urn:big:{number}" '
            f'elementFormDefault="qualified">{imported}{base}{types}</xs:schema>'
        )
        schemas.append(f'<xs:import namespace="urn:big:{number}" schemaLocation="{name}"/>')
    wsdl = folder / "big-1.wsdl"
    wsdl.write_text(_wsdl("".join(schemas)))
    return wsdl


_BASE = (
    '<xs:complexType name="Base"><xs:sequence><xs:element name="id" type="xs:token"/>'
    '<xs:element name="changed" type="xs:dateTime" minOccurs="0"/></xs:sequence></xs:complexType>'
)


_ROWS = 4
"""Types that hang below each operation's own."""


def _fields(prefix: str, count: int) -> str:
    kinds = ("string", "decimal", "date", "int", "boolean", "token")
    words = "A field of the vendor's, documented as vendors document fields."
    return "".join(
        f'<xs:element name="{prefix}{i}" type="xs:{kinds[i % len(kinds)]}" minOccurs="0"><xs:annotation>'
        f"<xs:documentation>{words}</xs:documentation></xs:annotation></xs:element>"
        for i in range(count)
    )


def _types(index: int) -> str:
    rows = "".join(
        f'<xs:complexType name="Row{index}_{row}"><xs:sequence>{_fields("cell", 3)}</xs:sequence></xs:complexType>'
        for row in range(_ROWS)
    )
    children = "".join(
        f'<xs:element name="child{row}" type="t:Row{index}_{row}" minOccurs="0" maxOccurs="unbounded"/>'
        for row in range(_ROWS)
    )
    payloads = "".join(
        f'<xs:element name="{name}"><xs:complexType><xs:sequence><xs:element name="{part}" type="t:Type{index}"/>'
        "</xs:sequence></xs:complexType></xs:element>"
        for name, part in ((f"Op{index}", "in"), (f"Op{index}Response", "out"))
    )
    return (
        f'{rows}<xs:complexType name="Type{index}"><xs:complexContent><xs:extension base="b:Base"><xs:sequence>'
        f'{_fields("field", 6)}<xs:choice><xs:element name="left" type="xs:string"/>'
        f'<xs:element name="right" type="xs:int"/></xs:choice>{children}'
        f"</xs:sequence></xs:extension></xs:complexContent></xs:complexType>{payloads}"
    )


def _wsdl(imports: str) -> str:
    messages, operations, bindings = [], [], []
    for index in range(OPERATIONS):
        space = f"s{index % FILES}"
        messages.append(
            f'<message name="Op{index}"><part name="p" element="{space}:Op{index}"/></message>'
            f'<message name="Op{index}Response"><part name="p" element="{space}:Op{index}Response"/></message>'
        )
        operations.append(
            f'<operation name="Op{index}"><input message="tns:Op{index}"/><output message="tns:Op{index}Response"/></operation>'
        )
        bindings.append(
            f'<operation name="Op{index}"><soap:operation soapAction="urn:big/Op{index}"/>'
            '<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>'
        )
    spaces = " ".join(f'xmlns:s{n}="urn:big:{n}"' for n in range(FILES))
    return (
        f'<definitions name="Big" targetNamespace="urn:big" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:big" '
        f'{_XS} {spaces} xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"><types><xs:schema>{imports}</xs:schema></types>'
        f'{"".join(messages)}<portType name="Big">{"".join(operations)}</portType>'
        '<binding name="Big" type="tns:Big"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
        f'{"".join(bindings)}</binding><service name="Big"><port name="Big" binding="tns:Big">'
        '<soap:address location="http://127.0.0.1:8080/services/big"/></port></service></definitions>'
    )


_OURS = """
import sys, time
import bridge.host.root
from bridge.app import Bridge
from benchmarks.in_process import caller
began = time.process_time()
bridge = Bridge(store=False)
service = bridge.serve(sys.argv[1])
@service.operation("Op7")
def answer(request, call):
    return {"out": getattr(request, "in_")}
body = (b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><t:Op7 xmlns:t="urn:big:1" xmlns:b="urn:big:0">'
        b'<t:in><b:id>1</b:id><t:left>x</t:left></t:in></t:Op7></s:Body></s:Envelope>')
caller(bridge.wsgi(), "/services/big", body)
print(time.process_time() - began)
"""

_ZEEP = """
import sys, time
import zeep
began = time.process_time()
zeep.Client(sys.argv[1])
print(time.process_time() - began)
"""


def _seconds(program: str, wsdl: Path) -> float:
    times = []
    for _ in range(3):
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program, str(wsdl)], capture_output=True, text=True, check=True
        )
        times.append(float(done.stdout.split()[-1]))
    return min(times)


def run() -> tuple[list[str], list[Budget]]:
    with tempfile.TemporaryDirectory() as folder:
        wsdl = write(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        zeep, ours = _seconds(_ZEEP, wsdl), _seconds(_OURS, wsdl)
    lines = [
        f"{OPERATIONS} operations, {size / 1e6:.2f} MB: zeep loads in {zeep:.2f} s of CPU; "
        f"our first answer, nothing cached, comes after {ours:.2f} s.",
    ]
    return lines, [
        Budget("300 operations, first answer, nothing cached, of zeep's load", ours / zeep, 1 / 3),
    ]


if __name__ == "__main__":
    began = time.perf_counter()
    print(*run(), sep="\n")  # noqa: T201
