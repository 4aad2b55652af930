"""What can be set: every key is a field of a section, with its default, unit and help beside it.

The loader, the command `soapbridge settings`, docs/settings.md and the commented bridge.toml are made from these fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bridge.settings.fields import zone_of
from bridge.settings.flow import Flow
from bridge.settings.partner import Partner
from bridge.settings.reconcile import Reconcile
from bridge.settings.sections import (
    Contracts,
    Data,
    Delivery,
    Erp,
    Idempotency,
    Journal,
    Log,
    Metrics,
    Retention,
    Server,
    Service,
    Store,
    Tls,
)
from bridge.settings.security import Access, AtRest, Audit, Backup, Caller, Role, Wss
from bridge.soap.limits import Limits

ENVIRONMENT_PREFIX = "SOAPBRIDGE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was set, checked. `sources` tells where each value came from, by key (`server.port`).

    Sections that come once for each name (`callers`, `roles`, `services`, `partners`, `flows`) are mappings by that name.
    """

    data: Data = field(default_factory=Data)
    server: Server = field(default_factory=Server)
    limits: Limits = field(default_factory=Limits)
    tls: Tls = field(default_factory=Tls)
    store: Store = field(default_factory=Store)
    journal: Journal = field(default_factory=Journal)
    idempotency: Idempotency = field(default_factory=Idempotency)
    delivery: Delivery = field(default_factory=Delivery)
    retention: Retention = field(default_factory=Retention)
    contracts: Contracts = field(default_factory=Contracts)
    erp: Erp = field(default_factory=Erp)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    access: Access = field(default_factory=Access)
    wss: Wss = field(default_factory=Wss)
    at_rest: AtRest = field(default_factory=AtRest)
    audit: Audit = field(default_factory=Audit)
    backup: Backup = field(default_factory=Backup)
    callers: Mapping[str, Caller] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    partners: Mapping[str, Partner] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)
    reconcile: Mapping[str, Reconcile] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL, worked out from the data folder where none was set."""
        return self.store.url or f"sqlite:///{(self.data.folder / 'bridge.sqlite').absolute()}"

    @property
    def cache_folder(self) -> Path | None:
        """Where contracts are cached; None where they are not."""
        return self.data.folder / "cache" if self.contracts.cache else None

    def zone(self, service: str) -> tzinfo:
        """The zone of dates and times without one in a contract that we answer, by its name."""
        own = self.services.get(service)
        return zone_of(own.zone if own is not None and own.zone else self.contracts.zone)

    def partner_zone(self, partner: str) -> tzinfo:
        """The zone of a partner's hours (`open`), by its name."""
        own = self.partners.get(partner)
        return zone_of(own.zone if own is not None and own.zone else self.contracts.zone)

    def value(self, key: Key) -> Any:
        """What this key is set to."""
        group, _, name = key.section.partition(".")
        section = getattr(self, group)
        return getattr(section[name] if name else section, key.name)


SECTIONS: Mapping[str, type] = {
    "data": Data,
    "server": Server,
    "limits": Limits,
    "tls": Tls,
    "store": Store,
    "journal": Journal,
    "idempotency": Idempotency,
    "delivery": Delivery,
    "retention": Retention,
    "contracts": Contracts,
    "erp": Erp,
    "log": Log,
    "metrics": Metrics,
    "access": Access,
    "wss": Wss,
    "at_rest": AtRest,
    "audit": Audit,
    "backup": Backup,
}

NAMED_SECTIONS: Mapping[str, type] = {
    "callers": Caller,
    "roles": Role,
    "services": Service,
    "partners": Partner,
    "flows": Flow,
    "reconcile": Reconcile,
}
"""Sections that come once for each name: `[services.orders]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that can be set, as the loader and the documentation see it."""

    section: str
    name: str
    type: Any
    default: Any
    help: str
    unit: str
    least: float | None
    most: float | None
    secret: bool
    shown: str

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        return re.sub(r"[^A-Z0-9]", "_", f"{ENVIRONMENT_PREFIX}{self.section}_{self.name}".upper())

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.type) if get_origin(self.type) is Literal else ()


def keys() -> Iterator[Key]:
    """Every key of the sections that come once, in the order of the documentation."""
    for section, cls in SECTIONS.items():
        yield from _keys_of(section, cls)


def named_keys(group: str, name: str = "NAME") -> Iterator[Key]:
    """The keys of one section among several of a kind: `[services.orders]`."""
    return _keys_of(f"{group}.{name}", NAMED_SECTIONS[group])


def keys_of(settings: Settings) -> Iterator[Key]:
    """Every key that these settings have a value for: those of named sections as often as there are names."""
    yield from keys()
    for group in NAMED_SECTIONS:
        for name in getattr(settings, group):
            yield from named_keys(group, name)


def _keys_of(section: str, cls: type) -> Iterator[Key]:
    types = get_type_hints(cls)
    for one in dataclasses.fields(cls):
        default = {} if one.default is dataclasses.MISSING else one.default
        yield Key(section=section, name=one.name, type=types[one.name], default=default, **one.metadata)


def shown(key: Key, value: Any) -> str:
    """A value as people may see it: of a secret URL the password is hidden, any other secret altogether."""
    if key.secret and value:
        text = str(value)
        return re.sub(r"(://[^:/@]*:).*@", r"\1***@", text) if "://" in text else "***"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
