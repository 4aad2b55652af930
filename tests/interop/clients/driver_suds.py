"""suds (suds-community) as a driver (protocol: tests/interop/driver.py)."""

from __future__ import annotations

import json
import sys
from typing import Any

import suds
from suds.client import Client
from suds.sudsobject import Object, Property


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message, ensure_ascii=False, default=str), flush=True)


def given(value: Any) -> Any:
    """`_` is the text of an element with attributes: suds calls them `value` and `_attribute`."""
    if isinstance(value, list):
        return [given(one) for one in value]
    if isinstance(value, dict):
        if "_" in value:
            made = Property(value["_"])
            for name, one in value.items():
                if name != "_":
                    setattr(made, f"_{name}", one)
            return made
        return {name: given(one) for name, one in value.items()}
    return value


def got(value: Any) -> Any:
    if isinstance(value, list):
        return [got(one) for one in value]
    if isinstance(value, Object):
        fields = {name: got(one) for name, one in suds.sudsobject.items(value)}
        if "value" in fields and all(name == "value" or name.startswith("_") for name in fields):
            return {"_" if name == "value" else name[1:]: one for name, one in fields.items()}
        return fields
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def main() -> None:
    start = json.loads(sys.stdin.readline())
    try:
        client = Client(start["wsdl"], cache=None, timeout=20)
        port = next(port.name for port in client.wsdl.services[0].ports if start["soap"] in _versions(port))
    except StopIteration:
        say({"error": f"suds finds no port for SOAP {start['soap']}"})
        return
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
        return
    say({"version": suds.__version__})
    for line in sys.stdin:
        call = json.loads(line)
        try:
            reply = client.service[port][call["operation"]](**given(call["request"]))
            say({"reply": got(reply)})
        except suds.WebFault as fault:
            found = fault.fault
            say(
                {
                    "fault": {
                        "code": str(getattr(found, "faultcode", "")),
                        "reason": str(getattr(found, "faultstring", "")),
                        "detail": got(getattr(found, "detail", None)),
                    }
                }
            )
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


def _versions(port: Any) -> str:
    return "1.2" if port.name.endswith("12") else "1.1"


main()
