"""Whether what settings say of callers and roles fits together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.settings.keys import Settings

_NAME = re.compile(r"[\w.@-]{1,100}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def unfit(settings: Settings, place: Callable[[str], str]) -> Iterator[str]:
    """A sentence for each mistake. `place` tells where a key was set."""
    for name, caller in settings.callers.items():
        path = f"callers.{name}"
        if not _NAME.fullmatch(name):
            yield f"{place(f'{path}.roles')}: {path}: a caller's name is letters, digits, dots, dashes, underscores and @"
        for role in caller.roles:
            if role not in settings.roles:
                near = get_close_matches(role, settings.roles, n=1)
                guess = f"; did you mean {near[0]}?" if near else f": add [roles.{role}]"
                yield f"{place(f'{path}.roles')}: {path}.roles: there is no role {role}{guess}"
    header = settings.server.client_certificate_header
    if header:
        path = "server.client_certificate_header"
        if not _HEADER.fullmatch(header):
            yield f"{place(path)}: {path}: {header!r} is no name of a header"
        if not settings.server.trusted_proxies:
            yield f"{place(path)}: {path} is believed from trusted proxies only: set server.trusted_proxies too"
