"""The shipped ERP as one thing: its handlers bound to the services of its contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bridge.erp import catalog, customers, inventory, purchasing, receivables, sales, suppliers
from bridge.erp.references import Rules, apply_rules
from bridge.erp.telling import Tell

__all__ = ["Rules", "Tell", "apply_rules", "bind", "handlers"]

Handler = Callable[[Any, Any], Any]


class Service(Protocol):
    """What `Bridge.serve` returns, as far as it is needed here."""

    def operation(self, name: str, /) -> Callable[[Handler], object]: ...


MODULES: Mapping[str, Callable[[Rules, Tell | None], Mapping[str, Handler]]] = {
    "inventory": inventory.handlers,
    "purchasing": purchasing.handlers,
    "suppliers": suppliers.handlers,
    "customers": customers.handlers,
    "catalog": catalog.handlers,
    "sales": sales.handlers,
    "receivables": receivables.handlers,
}
"""What makes the handlers of each module, which has the name of its contract; in the order in which they are served and shown. First what can
be tried without anything before it."""


def handlers(rules: Rules, tell: Tell | None = None) -> Mapping[str, Mapping[str, Handler]]:
    """What answers each operation, by contract and operation, of the modules that `rules` name."""
    return {name: make(rules, tell) for name, make in MODULES.items() if name in rules.modules}


def bind(
    services: Mapping[str, Service],
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> None:
    """Bind a handler to every operation of the modules that `rules` name. `rules` go to `apply_rules` too, once at start.

    Args:
        services: the service of each shipped contract, by the contract's name.
        tell: has what happened told to a CRM; None: nobody is told.
    """
    for contract, operations in handlers(rules, tell).items():
        for name, handler in operations.items():
            services[contract].operation(name)(handler)
