"""The bridge: settings, store and the services it answers. What a user's module makes and `soapbridge serve` runs.

bridge = Bridge.load("bridge.toml")
orders = bridge.serve("wsdl/shop/orders-1.wsdl")

@orders.operation("SubmitOrder")
def submit_order(order, call): ...

bridge.check()
application = bridge.wsgi()
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from bridge import contract as contracts
from bridge import settings as settings_
from bridge.contract import Contract
from bridge.errors import BridgeError, HandlerError, SettingsError
from bridge.handlers import Service
from bridge.idempotency import key_paths
from bridge.inbound import Inbound
from bridge.settings import Settings
from bridge.store import Store
from bridge.store.cache import FileCache

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Bridge:
    """Services that share settings and a store.

    Args:
        settings: everything that can be set; defaults where none are given.
        store: False runs without one: nothing is journaled, handlers have no session, and nothing is cached.
    """

    def __init__(self, settings: Settings | None = None, *, store: bool = True) -> None:
        self.settings = settings if settings is not None else Settings()
        self.services: dict[str, Service] = {}
        """By path, in the order they were added."""
        self._with_store = store

    @classmethod
    def load(cls, file: str | os.PathLike[str] | None = None, *, store: bool = True) -> Bridge:
        """A bridge with the settings of `file` (bridge.toml), the environment and the defaults.

        Raises:
            SettingsError: with every mistake found.
        """
        return cls(settings_.load(file), store=store)

    @cached_property
    def store(self) -> Store | None:
        """The store, made at the first look; None when the bridge runs without. Its first use connects."""
        if not self._with_store:
            return None
        url = self.settings.store_url
        if url.startswith("sqlite:"):
            self.settings.data.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(url, wait=self.settings.store.wait, pool=self.settings.server.threads + 4)
        store.prepare()
        return store

    @cached_property
    def cache(self) -> FileCache | None:
        """Where contracts keep what loading worked out; None when the settings say so, or nothing is to be kept."""
        folder = self.settings.cache_folder
        return FileCache(folder) if self._with_store and folder is not None else None

    def serve(self, wsdl: str | os.PathLike[str] | Contract, *, idempotency_key: str = "") -> Service:
        """Answers the contract of `wsdl`. Bind its operations with `@service.operation(NAME)`.

        Args:
            idempotency_key: where requests carry the id that tells a repeat from a new request, for every operation
                whose payload has it: `requestId`, `order/Number`, `order/@id`. `[services.NAME]` in the settings goes
                before, and names single operations.

        Raises:
            ContractError: the WSDL cannot be read.
            HandlerError: another contract has the same address: name and major are those of its file.
        """
        if isinstance(wsdl, Contract):
            contract = wsdl
        else:
            options = self.settings.contracts
            contract = contracts.load(
                wsdl, catalog=options.catalog or None, remote=options.remote, cache=self.cache
            )
        service = Service(contract, idempotency_key=idempotency_key)
        other = self.services.get(service.path)
        if other is not None:
            raise HandlerError(
                f"{contract.file} and {other.contract.file} are both served at {service.path}.",
                advice="Give one of the files another name, or another number (`name-2.wsdl`).",
            )
        self.services[service.path] = service
        return service

    def check(self, *, complete: bool = True) -> None:
        """Everything that can be known before the first request, all at once.

        Args:
            complete: operations that cannot be answered are mistakes too. Without it, only a service none of
                whose operations can be: a vendor's contract may be larger than what is needed of it.

        Raises:
            SettingsError: with every mistake: schemas that do not compile, operations without a handler or that
                cannot be hosted, a store that cannot be used.
        """
        mistakes: list[str] = []
        for service in self.services.values():
            try:
                service.contract.compile()
            except BridgeError as error:
                mistakes.append(str(error))
            if complete or not service.handlers:
                mistakes += _unanswered(service)
            mistakes += key_paths(service, self.settings)[1]
        mistakes += self._unknown_services()
        try:
            if self.store is not None:
                self.store.check()
        except BridgeError as error:
            mistakes.append(str(error))
        if mistakes:
            mistakes = list(dict.fromkeys(mistakes))
            count = "One mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            lines = "".join(f"\n- {mistake}" for mistake in mistakes)
            raise SettingsError(f"{count}:{lines}", mistakes=mistakes)

    def _unknown_services(self) -> list[str]:
        known = {service.path.removeprefix("/services/") for service in self.services.values()}
        return [
            f"[services.{name}] in the settings names no service. There are: {', '.join(sorted(known)) or 'none'}."
            for name in self.settings.services
            if name not in known
        ]

    def unanswered(self) -> list[str]:
        """What is wrong with each operation that gets a Server fault: it cannot be hosted, or has no handler."""
        return [reason for service in self.services.values() for reason in _unanswered(service)]

    def inbound(self, service: Service) -> Inbound:
        """The stages of one service, with this bridge's settings and store."""
        return Inbound(service, self.settings, self.store)

    def wsgi(self) -> WsgiApplication:
        """All services as one WSGI application, for any WSGI server. What was bound until now is served.

        Raises:
            ContractError: a contract's schemas do not compile at all.
            StoreError: the store cannot be used.
        """
        from bridge.host.root import Root

        return Root(self)


def _unanswered(service: Service) -> list[str]:
    file = service.contract.file
    without = [
        f"{file}: {key} has no handler. Bind one: @service.operation({key!r})." for key in service.unbound
    ]
    return [*map(str, service.contract.problems), *without]
