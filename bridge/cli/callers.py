"""`soapbridge callers`: who may call, what for, and with what."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from bridge.cli.credentials import WORDS, issuing
from bridge.cli.output import AsJson, ConfigFile, finish, say, table


def callers(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Who may call, what for, and with what: `[callers.NAME]` of the settings and the credentials in the store."""
    now = datetime.now(UTC)
    with issuing(config) as issued:
        settings = issued.settings
        valid = [one for one in issued.of() if one.state(now) == "valid"]
    content: list[dict[str, Any]] = []
    for name, caller in settings.callers.items():
        operations = [
            one for role in caller.roles if role in settings.roles for one in settings.roles[role].operations
        ]
        content.append(
            {
                "name": name,
                "kind": caller.kind,
                "roles": list(caller.roles),
                "operations": list(dict.fromkeys(operations)),
                "credentials": dict(Counter(one.kind for one in valid if one.caller == name)),
                "certificates": len(caller.certificates),
            }
        )
    lacking = [one["name"] for one in content if not one["credentials"] and not one["certificates"]]
    if content and not as_json:
        table(
            ("name", "kind", "roles", "may ask for", "gets in with"),
            (
                (
                    one["name"],
                    one["kind"],
                    ", ".join(one["roles"]) or "none",
                    ", ".join(one["operations"]) or "nothing",
                    _means(one["credentials"], one["certificates"]),
                )
                for one in content
            ),
        )
        say()
    if not content:
        next_step = (
            'There are none. Add to bridge.toml: [callers.NAME] with roles = ["…"]; docs/access.md shows how.'
        )
    elif lacking:
        next_step = f"{', '.join(lacking)} cannot get in yet: soapbridge credentials add {lacking[0]}"
    else:
        next_step = "What each has: soapbridge credentials list"
    finish(next_step, as_json=as_json, content={"callers": content})


def _means(credentials: dict[str, int], certificates: int) -> str:
    means = [f"{count} {WORDS[kind]}{'s' if count > 1 else ''}" for kind, count in credentials.items()]
    if certificates:
        means.append(f"{certificates} certificate{'' if certificates == 1 else 's'}")
    return ", ".join(means) or "nothing"
