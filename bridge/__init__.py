"""soapbridge: contract-first SOAP between systems, every message validated, every refusal explained.

    from bridge import Bridge

What users write their services with is here; it is imported when it is first asked for, so that
`import bridge.contract` brings neither Spyne nor a database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.app import Bridge as Bridge
    from bridge.contract.codec.values import NIL as NIL
    from bridge.contract.codec.values import Element as Element
    from bridge.contract.codec.values import TypedValue as TypedValue
    from bridge.errors import BridgeError as BridgeError
    from bridge.handlers import Call as Call
    from bridge.handlers import DeclaredFault as DeclaredFault
    from bridge.handlers import Service as Service

_HOMES = {
    "NIL": "bridge.contract.codec.values",
    "Bridge": "bridge.app",
    "BridgeError": "bridge.errors",
    "Call": "bridge.handlers",
    "DeclaredFault": "bridge.handlers",
    "Element": "bridge.contract.codec.values",
    "Service": "bridge.handlers",
    "TypedValue": "bridge.contract.codec.values",
}

__all__ = ["NIL", "Bridge", "BridgeError", "Call", "DeclaredFault", "Element", "Service", "TypedValue"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'bridge' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
