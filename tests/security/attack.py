"""What an attack is, and how it is judged."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.security.target import Seen, Target

INSIDE: Final = re.compile(
    rb"root:x?:|/home/|/work/|/usr/lib|Traceback|site-packages|\.py\b|lxml|libxml2|sqlalchemy|spyne",
    re.IGNORECASE,
)
"""What an outsider must never read."""
MOST: Final = 200_000
"""Bytes of the largest answer to any attack: a fault that lists as many violations as it may."""
SLOWEST: Final = 5.0
"""Seconds until an attack that needs no waiting has its answer, on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`run` makes it and gives what came back; `must` says in words what has to happen, `allowed` in statuses.

    `fault`: whether every answer with a status of 400 and above must hold a Fault that blames the sender.
    `lasts`: how long it may take, where waiting is a part of it.
    """

    theme: str
    name: str
    must: str
    allowed: tuple[int, ...]
    run: Callable[[Target], list[Seen]]
    fault: bool = True
    lasts: float = SLOWEST


def wrong(attack: Attack, seen: list[Seen]) -> list[str]:
    """Everything about the answers that must not be."""
    found = []
    if not seen:
        found.append("nothing was tried")
    for one in seen:
        if one.status not in attack.allowed:
            found.append(f"{one}: not among {', '.join(map(str, attack.allowed))}")
        if attack.fault and one.status >= 400:
            if one.fault is None:
                found.append(f"{one}: no Fault")
            elif one.status <= 500 and one.fault[0] in ("Server", "Receiver"):
                found.append(f"{one}: it blames the bridge")
        leak = INSIDE.search(one.body)
        if leak:
            found.append(f"it tells of the inside: {leak[0]!r}")
        if len(one.body) > MOST:
            found.append(f"it answers with {len(one.body)} bytes")
        if one.seconds > attack.lasts:
            found.append(f"it took {one.seconds:.1f} s")
    return list(dict.fromkeys(found))
