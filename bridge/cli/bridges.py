"""The bridge that a command is about: a user's MODULE:BRIDGE, or the shipped ERP."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.errors import SettingsError
from bridge.settings import FILE_VARIABLE, Settings, load, override

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.store import Store

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODULE:BRIDGE]", help="Your bridge: `service:bridge` is the name bridge in ./service.py."
    ),
]


def open_bridge(
    target: str | None, config: str | None, command_line: Mapping[str, Any] | None = None
) -> Bridge:
    """The bridge named, with what the command line sets. Without a target the shipped ERP.

    `config` reaches a user's module as SOAPBRIDGE_CONFIG, which `Bridge.load()` reads; a file named there wins.

    Raises:
        SettingsError: the target is not there, or settings are wrong.
    """
    if target is None:
        return shipped_bridge(load(config, command_line=command_line))
    if config is not None:
        os.environ[FILE_VARIABLE] = os.path.abspath(config)  # noqa: PTH100 - an environment holds text
    bridge = _import(target)
    bridge.settings = override(bridge.settings, command_line or {})
    return bridge


def shipped_bridge(settings: Settings, *, store: bool = True) -> Bridge:
    """The shipped ERP: every contract of wsdl/erp, answered by bridge/erp."""
    from bridge.app import Bridge
    from bridge.erp import shipped
    from bridge.shipped import contracts

    bridge = Bridge(settings, store=store)
    services = {
        name: bridge.serve(path, idempotency_key="requestId") for name, path in contracts("erp").items()
    }
    rules = shipped.Rules(warehouses=settings.erp.warehouses, negative_stock=settings.erp.negative_stock)
    shipped.bind(services["purchasing"], services["inventory"], rules)
    return bridge


def apply_shipped_rules(bridge: Bridge) -> None:
    """Bring the shipped ERP's tables in line with its settings; once, before requests are answered."""
    from bridge.erp import shipped

    if bridge.store is not None:
        erp = bridge.settings.erp
        shipped.apply_rules(
            bridge.store, shipped.Rules(warehouses=erp.warehouses, negative_stock=erp.negative_stock)
        )


@contextmanager
def open_store(config: str | None) -> Iterator[Store]:
    """The store that the settings name, whose schema must be there and fit."""
    from bridge.store import Store

    store = Store(load(config).store_url)
    try:
        store.check()
        yield store
    finally:
        store.close()


def _import(target: str) -> Bridge:
    from bridge.app import Bridge

    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise SettingsError(
                f"There is no module {error.name}.",
                advice=f"Run the command in the folder of {module_name.replace('.', '/')}.py.",
            ) from None
        raise
    found = getattr(module, name or "bridge", None)
    if not isinstance(found, Bridge):
        bridges = [key for key, value in vars(module).items() if isinstance(value, Bridge)]
        hint = f"Its bridges: {', '.join(bridges)}." if bridges else "Make one: bridge = Bridge.load()."
        raise SettingsError(f"{module_name} has no bridge named {name or 'bridge'}.", advice=hint)
    return found
