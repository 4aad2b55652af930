"""zeep as a driver (protocol: tests/interop/driver.py)."""

from __future__ import annotations

import json
import sys
from typing import Any

import zeep
from lxml import etree
from zeep.helpers import serialize_object


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message, ensure_ascii=False, default=_text), flush=True)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def given(value: Any) -> Any:
    """`_` is the text of an element with attributes."""
    if isinstance(value, list):
        return [given(one) for one in value]
    if isinstance(value, dict):
        return {"_value_1" if name == "_" else name: given(one) for name, one in value.items()}
    return value


def got(value: Any) -> Any:
    if isinstance(value, list):
        return [got(one) for one in value]
    if isinstance(value, dict):
        return {"_" if name == "_value_1" else name: got(one) for name, one in value.items()}
    return value


def main() -> None:
    start = json.loads(sys.stdin.readline())
    try:
        client = zeep.Client(start["wsdl"])
        (service,) = client.wsdl.services.values()
        wanted = "Soap12" if start["soap"] == "1.2" else "Soap11"
        name = next(
            name for name, port in service.ports.items() if type(port.binding).__name__ == f"{wanted}Binding"
        )
        port = client.bind(service.name, name)
    except Exception as error:
        say({"error": str(error)})
        return
    say({"version": zeep.__version__})
    for line in sys.stdin:
        call = json.loads(line)
        try:
            reply = port[call["operation"]](**given(call["request"]))
            say({"reply": got(serialize_object(reply, dict))})
        except zeep.exceptions.Fault as fault:
            detail = None if fault.detail is None else etree.tostring(fault.detail, encoding="unicode")
            say({"fault": {"code": fault.code, "reason": fault.message, "detail": detail}})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


main()
