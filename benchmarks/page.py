"""The results as text: for the terminal, and as docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from lxml import etree

from benchmarks.measure import Budget

LIBRARIES = ("lxml", "spyne", "zeep", "uvicorn", "httptools", "uvloop", "SQLAlchemy", "psycopg")


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's tables (`lines`, Markdown) and budgets; `about` says what was measured and how."""

    title: str
    about: str
    lines: Sequence[str]
    budgets: Sequence[Budget]


def budget_table(budgets: Sequence[Budget]) -> list[str]:
    """Nothing where there are none."""
    if not budgets:
        return []
    return ["| budget | measured | bound | |", "|---|---|---|---|", *(budget.row() for budget in budgets)]


def verdict(results: Sequence[Result]) -> str:
    """One sentence: how many budgets were kept, and which were not."""
    return _verdict("\n".join(budget.row() for result in results for budget in result.budgets))


_ROW = re.compile(
    r"^\| (.+) \| (\S+ .+) \| (at (?:most|least) \S+) \| (kept|\*\*missed\*\*) \|$", re.MULTILINE
)


def _verdict(text: str) -> str:
    """The same of all rows of budgets in a text."""
    rows = _ROW.findall(text)
    missed = [row for row in rows if row[3] != "kept"]
    if not missed:
        return f"All {len(rows)} budgets were kept."
    names = "".join(f"\n- {name}: {value}, {wanted}" for name, value, wanted, _ in missed)
    return f"{len(rows) - len(missed)} of {len(rows)} budgets were kept. Missed:\n{names}"


def machine() -> str:
    """What was measured on, in words that tell no secrets."""
    libraries = []
    for name in LIBRARIES:
        try:
            libraries.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    libxml2 = ".".join(map(str, etree.LIBXML_VERSION))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}, libxml2 {libxml2}, "
        f"SQLite {sqlite3.sqlite_version}, {', '.join(libraries)}."
    )


def render(results: Sequence[Result]) -> str:
    """docs/benchmarks.md."""
    head = _HEAD.format(machine=machine(), verdict=verdict(results))
    return "\n\n".join(part.strip() for part in (head, *map(_section, results), _REMARKS)) + "\n"


def _section(result: Result) -> str:
    parts = [f"## {result.title}", result.about.strip(), "\n".join(result.lines)]
    if result.budgets:
        parts.append("\n".join(budget_table(result.budgets)))
    return "\n\n".join(parts)


def renewed(page: str, results: Sequence[Result]) -> str:
    """docs/benchmarks.md with these sections anew, the others as they were.

    Raises:
        ValueError: it has no such section.
    """
    for result in results:
        start = page.index(f"\n## {result.title}\n") + 1
        end = page.index("\n## ", start)
        page = f"{page[:start]}{_section(result)}\n{page[end:]}"
    start = page.index("\n\n", page.index("\nMeasured on ")) + 2
    return f"{page[:start]}{_verdict(page)}\n{page[page.index(chr(10) + '## ', start) :]}"


def put(text: str, name: str, lines: Sequence[str]) -> str:
    """A page with these lines between its marks `<!-- NAME -->` and `<!-- /NAME -->`."""
    before, _, rest = text.partition(f"<!-- {name} -->\n")
    _, mark, after = rest.partition(f"<!-- /{name} -->")
    if not mark:
        raise ValueError(f"the page has no marks for {name}")
    return "\n".join([f"{before}<!-- {name} -->", *lines, f"{mark}{after}"])


_HEAD = """\
# Benchmarks

Written by `make bench ARGS=--write`; do not edit. What counts are ratios within one run, in CPU time: they hardly move
with the machine, while microseconds and requests per second do. The programs are in `benchmarks/`.

Measured on {machine}

{verdict}
"""

_REMARKS = """\
## Remarks

- The order that is measured (`benchmarks/orders-1.wsdl`) is plain: strings, decimals, dates, three patterns. Contracts
  with deep extension, substitution or wildcards cost more to decode; the shipped purchase order, which has seven
  levels and attributes, is what "Durable" measures.
- The smallest request is the hardest: parse and validation of one line take so little that everything a message needs
  once (HTTP, headers, exchange id, dispatch) weighs as much as they do.
- The hand-written floor leaves out what a caller notices only when something is wrong: validation of replies, limits
  while the body arrives in odd encodings, faults that explain, exchange ids. It is a mark, not an alternative.
- One worker is one process, and Python runs one thread of it at a time: a second core wants a second process
  (`server.workers`, with PostgreSQL).
- A durable request that comes alone pays for a commit and a sync of its own, and for what a process loses while it
  waits for the disk: without any store, sleeping as long after each request makes the next one a quarter dearer. Under
  load the requests that wait share a sync, so that a busy server spends less on each than an idle one.
- Client and server share one machine, and the network is its loopback: latency ("Three modes") is that of programs and disks alone.
"""
