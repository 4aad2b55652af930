"""Everything about a bridge that can be known before its first request, all at once: what `Bridge.check` raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bridge import upkeep
from bridge.access import certificates, doors
from bridge.access.permits import unknown_operations, unknown_requirements
from bridge.access.sight import Sight, unknown_services
from bridge.errors import BridgeError, SettingsError, StoreError
from bridge.fields.checks import secret_mistakes
from bridge.forwarding import handlers_of
from bridge.handlers import Service
from bridge.idempotency import key_paths
from bridge.partners.entity_partner import EntityPartner

if TYPE_CHECKING:
    from bridge.app import Bridge


def mistakes(bridge: Bridge, *, complete: bool) -> list[str]:
    """A sentence for each mistake, each once; as `Bridge.check` says."""
    found: list[str] = []
    for service in bridge.services.values():
        found += _of_service(bridge, service, complete=complete)
    found += _of_names(bridge)
    found += _of_access(bridge)
    found += _of_partners(bridge)
    found += _of_mappings(bridge)
    found += _of_store(bridge)
    found += _of_flows(bridge)
    if bridge.settings.reconcile and bridge.has_store and not found:
        found += bridge.reconciliations.mistakes()
    return list(dict.fromkeys(found))


def unanswered(service: Service) -> list[str]:
    """What is wrong with each operation that gets a Server fault: it cannot be hosted, or has no handler."""
    file = service.contract.file
    without = [
        f"{file}: {key} has no handler. Bind one: @service.operation({key!r})." for key in service.unbound
    ]
    return [*map(str, service.contract.problems), *without]


def _of_service(bridge: Bridge, service: Service, *, complete: bool) -> Iterator[str]:
    settings, name = bridge.settings, _name(service)
    try:
        service.contract.compile()
    except BridgeError as error:
        yield str(error)
    if complete or not service.handlers:
        yield from unanswered(service)
    yield from key_paths(service, settings)[1]
    yield from handlers_of(service, settings, has_store=bridge.has_store)[1]
    own = settings.services.get(name)
    if own is not None:
        yield from secret_mistakes(service.contract, own.secret, f"services.{name}.secret")
    yield from Sight(name, service.contract, settings.roles).mistakes


def _of_names(bridge: Bridge) -> Iterator[str]:
    """Services that settings name and that are not there."""
    known = {_name(service): service.contract for service in bridge.services.values()}
    for name in bridge.settings.services:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            yield f"[services.{name}] in the settings names no service. There are: {there}."
    yield from unknown_services(bridge.settings.roles, known)


def _of_access(bridge: Bridge) -> Iterator[str]:
    settings = bridge.settings
    operations = {_name(service): service.contract.operations for service in bridge.services.values()}
    if nobody := doors.nobody_gets_in(settings):
        yield nobody
    yield from unknown_operations(settings.roles, operations)
    yield from unknown_requirements(settings.callers, operations)
    if settings.callers:
        try:
            certificates.read(settings.callers)
            bridge.gatekeeper  # noqa: B018 - made at the first look: what callers must send is checked there
        except SettingsError as error:
            yield from error.mistakes
        except StoreError:
            pass  # `_of_store` says it


def _of_partners(bridge: Bridge) -> Iterator[str]:
    for name, settings in bridge.settings.partners.items():
        try:
            found = bridge.any_partner(name)
            if isinstance(found, EntityPartner):
                continue
            yield from secret_mistakes(found.contract, settings.secret, f"partners.{name}.secret")
        except BridgeError as error:
            yield f"partner {name}: {error}"


def _of_mappings(bridge: Bridge) -> Iterator[str]:
    """Every mapping in the folder beside the settings, proved against the shapes that it names."""
    for file in bridge.mappings.files():
        try:
            bridge.mappings.load(file.absolute())
        except SettingsError as error:
            yield from error.mistakes


def _of_store(bridge: Bridge) -> Iterator[str]:
    try:
        if bridge.settings.backup.folder is not None:
            upkeep.backup_rule(bridge.settings)
        if bridge.store is not None:
            bridge.store.check()
    except BridgeError as error:
        yield str(error)


def _of_flows(bridge: Bridge) -> Iterator[str]:
    if not bridge.settings.flows or not bridge.has_store:
        return
    try:
        yield from bridge.flows.mistakes()
        bridge.flows.schedules()
    except StoreError:
        pass  # `_of_store` says it
    except SettingsError as error:
        yield from error.mistakes


def _name(service: Service) -> str:
    """As settings name it: that in its address."""
    return service.path.removeprefix("/services/")
