"""A vendor-sized contract: 300 operations, 1.5 MB, extension, choice and imports. Time to the first answer.

The first answer: load the WSDL, compile its schemas, bind one operation, answer one request, validated both ways.
zeep's figure is its load alone. CPU of a new process, imports not counted, the best of several.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Budget

OPERATIONS = 300
FILES = 3
ROUNDS = 5

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
from pathlib import Path
import bridge.contract.codec, bridge.contract.guard, bridge.host.root
from bridge.app import Bridge
from bridge.contract import load
from bridge.store.cache import FileCache
from benchmarks.in_process import caller
began = time.process_time()
bridge = Bridge(store=False)
service = bridge.serve(load(sys.argv[1], cache=FileCache(Path(sys.argv[2]))))
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


def _seconds(program: str, *arguments: Path) -> float:
    """CPU seconds that a new process measured; its imports do not count, neither zeep's nor ours."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def run() -> tuple[list[str], list[Budget]]:
    zeep, cold, warm = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "contract"
        place.mkdir()
        wsdl = write(place)
        size = sum(path.stat().st_size for path in place.iterdir())
        for number in range(ROUNDS):
            # Of its own for each round: the first process fills it, and its time counts that; the second finds it full.
            cache = Path(folder) / f"cache-{number}"
            zeep.append(_seconds(_ZEEP, wsdl))
            cold.append(_seconds(_OURS, wsdl, cache))
            warm.append(_seconds(_OURS, wsdl, cache))
    lines = [
        f"| 300 operations, {size / 1e6:.2f} MB | CPU ms | of zeep's |",
        "|---|---|---|",
        *(
            f"| {name} | {min(times) * 1000:.0f} | {min(times) / min(zeep):.2f} |"
            for name, times in (
                ("zeep loads it", zeep),
                ("our first answer, nothing cached (and the cache filled)", cold),
                ("our first answer, out of the cache, in another process", warm),
            )
        ),
    ]
    return lines, [
        Budget("300 operations, first answer, nothing cached, of zeep's load", min(cold) / min(zeep), 1.5),
        Budget(
            "300 operations, first answer from a warm cache, of zeep's load", min(warm) / min(zeep), 1 / 3
        ),
    ]


if __name__ == "__main__":
    rows, budgets = run()
    print(*rows, *(budget.row() for budget in budgets), sep="\n")
