"""The bridge that a command is about: a user's MODULE:BRIDGE, or the shipped ERP."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.errors import SettingsError
from bridge.settings import FILE_VARIABLE, Settings, load, override

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.erp.shipped import Rules, Tell
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
    """The shipped ERP: the contracts of wsdl/erp that `erp.modules` names, answered by bridge/erp.

    Raises:
        SettingsError: `erp.modules` names one that is not there.
    """
    from bridge.app import Bridge
    from bridge.erp import shipped
    from bridge.shipped import contracts

    bridge = Bridge(settings, store=store)
    _require_modules(settings)
    wsdls = contracts("erp")
    services = {
        name: bridge.serve(wsdls[name], idempotency_key="requestId")
        for name in shipped.MODULES
        if name in settings.erp.modules
    }
    shipped.bind(services, _rules(settings), _tell(bridge))
    return bridge


def _require_modules(settings: Settings) -> None:
    from bridge.erp.shipped import MODULES

    unknown = [name for name in settings.erp.modules if name not in MODULES]
    if unknown:
        place = settings.sources.get("erp.modules", "erp.modules")
        raise SettingsError.of(
            [
                f"{place}: erp.modules: there is no module {name}; there are {', '.join(MODULES)}"
                for name in unknown
            ]
        )


EVENTS = (
    "PurchaseOrderStatusChanged",
    "GoodsReceived",
    "StockLevelChanged",
    "PriceChanged",
    "InvoiceIssued",
    "PaymentRecorded",
    "SalesOrderStatusChanged",
)
"""What can be told. A partner is told those that its contract has: one that was made for an earlier version is told as before."""


def _tell(bridge: Bridge) -> Tell | None:
    """Puts events into the outbox for the partner that the settings name; None where they name none.

    Raises:
        SettingsError: there is no such partner, or its contract has none of the events.
    """
    name = bridge.settings.erp.events_to
    if not name or not bridge.has_store:
        return None
    partner = bridge.partner(name)
    wanted = {event for event in EVENTS if event in partner.target.operations}
    if not wanted:
        raise SettingsError(
            f"erp.events_to names the partner {name}, whose contract has no operation {' or '.join(EVENTS)}.",
            advice=f'Give it the contract of the events: wsdl = "events" under [partners.{name}].',
        )

    def tell(event_name: str, event: Any, ordering_key: str) -> None:
        if event_name in wanted:
            partner.send(event_name, event, ordering_key=ordering_key, reference=ordering_key)

    return tell


def apply_shipped_rules(bridge: Bridge) -> None:
    """Bring the shipped ERP's tables in line with its settings; once, before requests are answered."""
    from bridge.erp import shipped

    if bridge.store is not None:
        shipped.apply_rules(bridge.store, _rules(bridge.settings))


def _rules(settings: Settings) -> Rules:
    from bridge.erp.shipped import Rules

    erp = settings.erp
    return Rules(
        modules=erp.modules,
        warehouses=erp.warehouses,
        negative_stock=erp.negative_stock,
        over_delivery=erp.over_delivery,
        known_suppliers_only=erp.known_suppliers_only,
        approval_limits=_approval_limits(settings),
        approved_grades=erp.approved_grades,
        overdue_to_person=erp.overdue_to_person,
        discount_limit=erp.discount_limit,
        available_only=erp.available_only,
    )


def _approval_limits(settings: Settings) -> dict[str, int]:
    """Scaled amounts by currency.

    Raises:
        SettingsError: one is no currency, or no amount.
    """
    from bridge.erp.currencies import CURRENCIES
    from bridge.erp.figures import MONEY_DIGITS, scaled

    limits: dict[str, int] = {}
    wrong = []
    for currency, text in settings.erp.approval_limits.items():
        try:
            limits[currency] = scaled(Decimal(text), MONEY_DIGITS)
        except (ArithmeticError, ValueError):
            wrong.append(f"{currency} = {text!r}: must be an amount like 50000 or 99.50")
            continue
        if currency not in CURRENCIES:
            wrong.append(f"{currency}: there is no such currency")
        elif limits[currency] < 0:
            wrong.append(f"{currency} = {text!r}: must not be below zero")
    if wrong:
        place = settings.sources.get("erp.approval_limits", "erp.approval_limits")
        raise SettingsError.of([f"{place}: erp.approval_limits: {one}" for one in wrong])
    return limits


@contextmanager
def open_store(config: str | None, *, sealed: bool = True) -> Iterator[Store]:
    """The store that the settings name, whose schema must be there and fit; with `sealed` it opens what is encrypted."""
    from bridge.atrest import protect
    from bridge.audit import follow
    from bridge.store import Store

    settings = load(config)
    store = Store(settings.store_url)
    try:
        store.check()
        if sealed:
            protect(store, settings.at_rest)
        follow(store, settings)
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
