"""Which doors stand open: who is answered without credentials, and what an operator should know about the rest."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.settings import Settings


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


def needs_gatekeeper(settings: Settings) -> bool:
    """Whether anybody has to be known."""
    return bool(settings.callers) or not admits_anonymous(settings)


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
