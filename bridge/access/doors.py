"""Which doors stand open: who is answered without credentials, and what an operator should know about the rest.

Each door has a name of its own and a row in the checklist of docs/security.md.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.access import certificates
from bridge.access.permits import ALL, ANONYMOUS
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.settings import Settings
    from bridge.store.credentials import CredentialRow

_SOON = timedelta(days=30)
_MANY = 256
"""Addresses of a public network that a setting may name without being asked about it."""


def is_exposed(settings: Settings) -> bool:
    """Whether others than this machine's own programs come in: by the address it listens on, or through a proxy that settings
    tell of."""
    server = settings.server
    return not is_loopback(server.host) or bool(server.public_url or server.trusted_proxies)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def admits_anonymous(settings: Settings) -> bool:
    """Whether a request without credentials is answered."""
    if settings.access.anonymous == "auto":
        return not is_exposed(settings) and not settings.callers
    return settings.access.anonymous == "yes"


_FORWARDING = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO",
               "HTTP_X_REAL_IP")  # fmt: skip
_HERE = frozenset({None, "127.0.0.1", "::1", "::ffff:127.0.0.1"})
"""None: a program that calls the application itself, without a server."""
_ORIGIN_HERE = re.compile(
    r"https?://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE
)


def comes_from_here(environ: Mapping[str, Any]) -> bool:
    """Whether a request comes from this machine, and straight: settings may not tell of every proxy, nor of the address that
    another WSGI server listens on. Nor is a page in a browser here one of this machine's programs: its name may have been made to
    mean this machine, but with every POST the browser says where the page is from."""
    address = environ.get("REMOTE_ADDR")
    if address not in _HERE and not is_loopback(address or ""):
        return False
    if not environ.keys().isdisjoint(_FORWARDING):
        return False
    return "HTTP_ORIGIN" not in environ or _ORIGIN_HERE.fullmatch(environ["HTTP_ORIGIN"]) is not None


def needs_credentials(settings: Settings) -> bool:
    """Whether a request has to say who it is from."""
    return not admits_anonymous(settings)


def needs_gatekeeper(settings: Settings) -> bool:
    """Whether it matters who a request is from: callers are known, or what may be asked for without credentials is not everything."""
    return bool(settings.callers) or not admits_anonymous(settings) or ANONYMOUS in settings.roles


def nobody_gets_in(settings: Settings) -> str:
    """Why no request could be answered; empty where one can."""
    if settings.callers or admits_anonymous(settings):
        return ""
    if settings.access.anonymous == "no":
        reason = 'access.anonymous is "no"'
    elif not is_loopback(settings.server.host):
        reason = f"the bridge listens on {settings.server.host}, for others than this machine"
    else:
        reason = "server.public_url or server.trusted_proxies tell of a proxy, for others than this machine"
    return (
        f"Nobody could get in: {reason}, and the settings name no callers. Name one ([callers.NAME] with its roles, then "
        f"soapbridge credentials add NAME; docs/access.md), or answer everybody: "
        f'access.anonymous = "yes".'
    )


NAMES = (
    "anonymous",
    "pages",
    "wide-network",
    "readable-line",
    "every-operation",
    "nothing-allowed",
    "no-way-in",
    "unknown-caller",
    "certificate-ends",
    "readable-store",
    "no-trail",
    "no-checkpoints",
    "no-backup",
)
"""Every door, in the order of the checklist."""


@dataclass(frozen=True, slots=True)
class Door:
    """One that stands open: its name, one of NAMES, and a sentence for people."""

    name: str
    says: str


def open_doors(settings: Settings, kept: Sequence[CredentialRow], now: datetime) -> list[Door]:
    """What an operator should know about who gets in. `kept` are the credentials of the store that were not revoked."""
    return [*_to_anybody(settings), *_on_the_way(settings), *_of_callers(settings, kept, now)]


def unprotected(settings: Settings) -> list[Door]:
    """What is not set to protect what a bridge keeps that others reach; nothing where only this machine does."""
    return list(_of_what_is_kept(settings)) if is_exposed(settings) else []


def _to_anybody(settings: Settings) -> Iterator[Door]:
    where = settings.server.public_url or settings.server.host
    if admits_anonymous(settings) and is_exposed(settings):
        what = "all operations" if ANONYMOUS not in settings.roles else f"what [roles.{ANONYMOUS}] names"
        yield Door(
            "anonymous",
            f'access.anonymous is "yes": anybody who reaches {where} may ask for {what} without credentials.',
        )
    if settings.access.pages == "everybody" and is_exposed(settings) and settings.callers:
        yield Door(
            "pages", f'access.pages is "everybody": anybody who reaches {where} may read the contracts.'
        )
    for path, networks in (
        ("metrics.allow", settings.metrics.allow),
        ("server.trusted_proxies", settings.server.trusted_proxies),
    ):
        for one in networks:
            network = ipaddress.ip_network(one, strict=False)
            if network.num_addresses > _MANY and not network.is_private and not network.is_loopback:
                yield Door(
                    "wide-network", f"{path} names {one}, which is a large part of the public network."
                )


def _on_the_way(settings: Settings) -> Iterator[Door]:
    server = settings.server
    if server.public_url.startswith("http:"):
        yield Door(
            "readable-line",
            f"server.public_url is {server.public_url}: API keys and passwords can be read on the way.",
        )
    elif settings.tls.certificate is None and not is_loopback(server.host) and not server.public_url:
        yield Door(
            "readable-line",
            f"The bridge listens on {server.host} without TLS: API keys and passwords can be read on the way. Set tls.certificate "
            "and tls.key, or listen on 127.0.0.1 behind a proxy that does TLS and name its address in server.public_url.",
        )


def _of_callers(settings: Settings, kept: Sequence[CredentialRow], now: datetime) -> Iterator[Door]:
    able = {one.caller for one in kept if one.state(now) == "valid"}
    for name, caller in settings.callers.items():
        roles = [settings.roles[role] for role in caller.roles if role in settings.roles]
        operations = [one for role in roles for one in role.operations]
        if ALL in operations:
            yield Door(
                "every-operation",
                f"{name} may ask for every operation there is, and for those still to come: a role of it names {ALL}.",
            )
        if not operations:
            yield Door(
                "nothing-allowed", f"{name} may ask for nothing: give callers.{name} roles with operations."
            )
        if name not in able and not caller.certificates:
            yield Door(
                "no-way-in",
                f"{name} cannot get in: soapbridge credentials add {name}, or name its certificates.",
            )
    for name in sorted(able - settings.callers.keys()):
        yield Door(
            "unknown-caller",
            f"There are credentials of {name}, whom the settings do not know: they let nobody in. Revoke them.",
        )
    try:
        known = certificates.read(settings.callers).values()
    except SettingsError:
        return  # a mistake, not a warning
    for one in known:
        if one.until < now + _SOON:
            word = "is over since" if one.until < now else "is over on"
            yield Door(
                "certificate-ends",
                f"A certificate of {one.caller} {word} {one.until:%Y-%m-%d}; name its successor beside it.",
            )


def _of_what_is_kept(settings: Settings) -> Iterator[Door]:
    if settings.at_rest.key_file is None and not settings.at_rest.key_command:
        yield Door(
            "readable-store",
            "Messages are kept as they are: whoever has a copy of the store can read them. Make a key (soapbridge keys new FILE) "
            "and name it in at_rest.key_file.",
        )
    if not settings.audit.enabled:
        yield Door("no-trail", "audit.enabled is off: nobody can tell later who did what.")
    elif settings.audit.checkpoints is None:
        yield Door(
            "no-checkpoints",
            "audit.checkpoints names no file: that the end of the audit trail was cut off would not be found. Name one on another machine.",
        )
    if settings.backup.folder is None:
        yield Door("no-backup", "backup.folder is not set: no backups are made by the clock.")
