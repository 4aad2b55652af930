"""How a key is written down: a field of a section with its default, unit and help beside it."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WssReference = Literal["token", "issuer_serial", "key_identifier", "thumbprint", "certificate"]
WSS_REFERENCE_HELP = (
    "How a signature names its certificate: the whole of it as a BinarySecurityToken, by issuer and serial number, by "
    "SubjectKeyIdentifier, by SHA-1 thumbprint, or the whole of it in the signature's own KeyInfo."
)


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; ValueError where there is none. UTC needs no database of zones."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; write one like Asia/Shanghai (on Debian the package tzdata has them)"
        ) from None


def setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    secret: bool = False,
    shown_default: str = "",
) -> Any:
    """A field of a section. `text` is its help: what it does, and what happens at the edges.

    `least` and `most` are inclusive, in `unit`. `shown_default` describes a default that is worked out.
    """
    meta = {
        "help": text,
        "unit": unit,
        "least": least,
        "most": most,
        "secret": secret,
        "shown": shown_default,
    }
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=meta)
    return field(default=default, metadata=meta)
