"""The report of a run: a page for people (HTML), and every difference as a row (CSV)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from typing import IO, Any

from bridge.reconciliation.causes import CAUSES, Cause
from bridge.store.differences import DifferenceRow, RunRow

MOST_SHOWN = 2000
"""Differences on a page; the CSV has all."""

EXPLAINED: dict[Cause, tuple[str, str]] = {
    "never sent": ("never sent", "未发送"),
    "on the way": ("on the way", "传送中"),
    "refused": ("refused by the target", "被目标系统拒绝"),
    "in doubt": ("in doubt: sent, and no answer", "结果未知"),
    "changed here": ("changed at the source since", "源系统已更改"),
    "changed there": ("changed at the target", "目标系统已更改"),
    "duplicate": ("there twice", "重复记录"),
    "mapping": ("the mapping, or the target, makes it different", "映射差异"),
}
"""What each cause means, in English and Chinese."""

KINDS = {
    "missing": "missing at the target",
    "extra": "only at the target",
    "fields": "not the same",
    "duplicate": "twice",
}

_HEADINGS = (
    "difference", "key", "kind", "cause", "field", "source value", "target value", "source id", "target id", "state",
    "delivery", "exchange", "repair", "decided by", "why",
)  # fmt: skip

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.2rem; padding: .6rem 1rem; border-radius: .4rem; margin: 1rem 0; }
.same { background: #1a7f3722; border-left: .4rem solid #1a7f37; } .different { background: #bf870022; border-left: .4rem solid #bf8700; }
.failed { background: #cf222e22; border-left: .4rem solid #cf222e; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } tr.unequal td { font-weight: 600; }
code { font-size: .9em; } .muted { opacity: .7; } @media print { body { margin: 0; max-width: none; } }
"""


def html(run: RunRow, found: Iterable[DifferenceRow]) -> str:
    """The whole page; it needs nothing from elsewhere."""
    rows = iter(found)
    shown = list(islice(rows, MOST_SHOWN))
    more = sum(1 for _ in rows)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(run.rule)}: {escape(verdict(run))}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(run.rule)}</h1>",
        f'<p class="muted">{escape(run.source)} → {escape(run.target)} · {escape(_window(run))} · {run.started_at:%Y-%m-%d %H:%M} UTC</p>',
        f'<p class="verdict {run.outcome or "failed"}">{escape(verdict(run))}</p>',
        *_figures(run),
        *_causes(run),
        *_differences(shown, more),
        "</body></html>",
    ]
    return "\n".join(parts)


def verdict(run: RunRow) -> str:
    """One sentence that says how it ended."""
    if run.outcome is None:
        return "It has not ended. 尚未结束。"
    if run.outcome == "failed":
        return f"It could not be done: {run.reason} 未能完成。"
    if run.outcome == "same":
        return "Both sides hold the same figures. 双方数据一致。"
    count = sum(run.figures.get("causes", {}).values())
    if count:
        return f"{count} {'record differs' if count == 1 else 'records differ'}. {count} 条记录不一致。"
    return "The records are the same, and what the sides add up is not. 记录一致，合计不一致。"


def _window(run: RunRow) -> str:
    return "everything" if run.first_day is None else f"{run.first_day} to {run.last_day}"


def _figures(run: RunRow) -> Iterator[str]:
    figures = run.figures
    yield '<h2>Figures 数据</h2><table><tr><th></th><th class="number">source</th><th class="number">target</th></tr>'
    lines = [("records compared", figures.get("source", 0), figures.get("target", 0))]
    if totals := figures.get("totals"):
        lines.append(("records as each side counts", *totals))
    lines += [(name, one, other) for name, (one, other) in figures.get("sums", {}).items()]
    for name, one, other in lines:
        mark = "" if str(one) == str(other) else ' class="unequal"'
        yield f'<tr{mark}><td>{escape(str(name))}</td><td class="number">{_number(one)}</td><td class="number">{_number(other)}</td></tr>'
    yield "</table>"
    if figures.get("passing"):
        yield f'<p class="muted">{figures["passing"]} differed while they were on their way, or changed while they were read.</p>'
    if figures.get("settled"):
        yield f'<p class="muted">{figures["settled"]} deliveries in doubt were ended.</p>'


def _causes(run: RunRow) -> Iterator[str]:
    causes = run.figures.get("causes", {})
    if not causes:
        return
    yield '<h2>Why 原因</h2><table><tr><th>cause</th><th class="number">records</th></tr>'
    for cause in CAUSES:
        if cause in causes:
            english, chinese = EXPLAINED[cause]
            yield f'<tr><td>{escape(english)} {chinese}</td><td class="number">{causes[cause]}</td></tr>'
    yield "</table>"
    if run.figures.get("unkept"):
        yield f'<p class="muted">{run.figures["unkept"]} more were counted and not kept (most).</p>'


def _differences(shown: list[DifferenceRow], more: int) -> Iterator[str]:
    if not shown:
        return
    yield "<h2>Records 记录</h2><table><tr><th>no.</th><th>key</th><th>what</th><th>cause</th><th>field</th><th>source</th><th>target</th><th>state</th></tr>"
    for one in shown:
        for first, (name, here, there) in enumerate(_fields(one)):
            head = f"<td>{one.id}</td><td><code>{escape(one.record_key)}</code></td><td>{KINDS[one.kind]}</td><td>{one.cause}</td>"
            yield (
                f"<tr>{'<td></td>' * 4 if first else head}<td>{escape(name)}</td><td>{escape(here)}</td><td>{escape(there)}</td>"
                f"<td>{'' if first else one.state}</td></tr>"
            )
    yield "</table>"
    if more:
        yield f'<p class="muted">{more} more are in the CSV file.</p>'


def write_csv(file: IO[str], run: RunRow, found: Iterable[DifferenceRow]) -> None:
    """A row for each field that differs; what spreadsheets would run as a formula is written as text."""
    writer = csv.writer(file)
    writer.writerow(_HEADINGS)
    for one in found:
        for name, here, there in _fields(one):
            writer.writerow(
                _harmless(value)
                for value in (
                    one.id, one.record_key, one.kind, one.cause, name, here, there, one.source_id, one.target_id, one.state,
                    one.delivery, one.content.get("exchange"), one.repair, one.decided_by, one.decided_why,
                )
            )  # fmt: skip


def _fields(one: DifferenceRow) -> list[tuple[str, str, str]]:
    """(field, source value, target value) of each field that differs; one line where a record is not there."""
    source, target = one.content.get("source", []), one.content.get("target", [])
    if one.kind != "fields":
        return [("", _records(source), _records(target))]
    here, there = source[0], target[0]
    return [
        (pair["source"], shown(here.get(pair["source"])), shown(there.get(pair["target"])))
        for pair in one.content.get("differing", [])
    ]


def _records(found: list[dict[str, Any]]) -> str:
    return "; ".join(str(one.get("id")) for one in found)


def shown(value: Any) -> str:
    """A value as people read it, of what `json_text` keeps."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if str(name).startswith("$"):
            return str(inner)
    return "–" if value is None else str(value)


def _number(value: object) -> str:
    text = str(value)
    whole, point, fraction = text.partition(".")
    return f"{int(whole):,}{point}{fraction}" if whole.lstrip("-").isdigit() else escape(text)


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()
