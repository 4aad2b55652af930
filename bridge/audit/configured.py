"""What is set differently than when a process of this host last began to serve."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from bridge.audit.keys import SigningKey
from bridge.settings import Settings, keys_of, shown


def change(settings: Settings, before: Mapping[str, Any] | None, key: SigningKey) -> dict[str, object] | None:
    """What an entry tells: all that is set, and the keys whose value is another one; None where there are none.

    What only a command line says is left out: it is another one for each process. Of secrets there is a mark that is another one
    for another value, and that nobody without the key can try values against.
    """
    now = {
        one.path: _shown(settings, one, key)
        for one in keys_of(settings)
        if settings.sources.get(one.path, "default") not in ("default", "command line")
    }
    if before is None:
        return {"settings": now}
    then = before.get("settings", {})
    changed = sorted(path for path in {*now, *then} if now.get(path) != then.get(path))
    return {"settings": now, "changed": changed} if changed else None


def _shown(settings: Settings, one: Any, key: SigningKey) -> str:
    value = settings.value(one)
    text = shown(one, value)
    if not one.secret or not value:
        return text
    # An Ed25519 signature is the same for the same text.
    mark = sha256(key.sign(f"soapbridge setting\n{one.path}\n{value}".encode())).hexdigest()[:12]
    return f"{text} ({mark})"
