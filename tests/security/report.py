"""What was tried and what happened, as lines for a terminal and as a page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.metadata import version

from lxml import etree

from tests.security.run import Result

_HEAD = """# Attacks

What is tried against the bridge at every release, what must happen and what did. This page is written by the program that tries it:

    make security                                   everything, over TLS, against a bridge of its own; writes this page
    python -m tests.security --only "entities"      some of it

Each row is sent to one and the same process, one after the other, in both SOAP versions and, where a parser decides, as UTF-8, UTF-16 with a BOM and UTF-16
without anything that says so. The bridge knows its callers. The attacker is one of them, with an API key and a certificate of its own, but where an attack is
about having none. After each attack an honest client asks for an order on a new connection and must get it, by API key, HTTP Basic, UsernameToken digest and
X.509 signature in turn; *next* is how long that took. *time* is the slowest try's. Whether a message that had to be refused stored an order is read in the database.
Replays at the same moment go to two processes on one store (SQLite; `tests/integration/store/test_nonces.py` shows the same on PostgreSQL).
*memory* is by how much the process had grown afterwards; what an allocator has once taken it rarely gives back, so the rows after a large one show less.
A row fails on an answer with another status, without a Fault, with a Fault that blames the bridge, with anything of the inside in it, or larger than 200 kB;
on more than 5 seconds where no waiting is meant; on more than 160 MB; and when an address that an attack names is called.
Time limits are shortened for it (headers, bodies and readers: 2 seconds), and one address may have 64 connections.

"""


def line(result: Result) -> str:
    """One attack in one line."""
    mark = "WRONG" if result.problems else "ok"
    return (
        f"{mark:<6}{result.attack.name[:60]:<62}{result.seconds:>7.3f} s {result.memory / 1e6:>+7.1f} MB"
        f" next {result.honest * 1e3:>5.0f} ms  {_happened(result, 100)}"
    )


def page(results: Sequence[Result]) -> str:
    """docs/attacks.md."""
    text = _HEAD
    tries = sum(result.tries for result in results)
    bad = sum(bool(result.problems) for result in results)
    libxml2 = ".".join(map(str, etree.LIBXML_VERSION))
    text += f"soapbridge {version('soapbridge')}, libxml2 {libxml2}: {len(results)} attacks, {tries} tries, {bad} not as they must be.\n"
    for theme, group in itertools.groupby(results, key=lambda result: result.attack.theme):
        text += f"\n## {theme}\n\n| attack | must | what happened | time | memory | next |\n|---|---|---|---|---|---|\n"
        for result in group:
            cells = (
                result.attack.name,
                result.attack.must,
                ("**WRONG** " if result.problems else "") + _happened(result, 200),
                f"{result.seconds:.2f} s",
                f"{max(0, result.memory) / 1e6:.0f} MB",
                f"{result.honest * 1e3:.0f} ms",
            )
            text += f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
    return text


def _happened(result: Result, most: int) -> str:
    told = "; ".join(result.seen)
    return told if len(told) <= most else told[: most - 1] + "…"
