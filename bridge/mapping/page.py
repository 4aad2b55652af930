"""A mapping for people who decide about it: which field comes from where, by which rule, when, and who owns it.

HTML to be opened from a file, with nothing to be fetched, or Markdown. Headings in English and Chinese, as the people on both sides read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

from bridge.mapping.rules import ListRule, Path, Way
from bridge.mapping.shapes import Field

if TYPE_CHECKING:
    from bridge.mapping import Mapping as Mapped

_FACTS: Final = {
    "source": "From 来源",
    "target": "To 目标",
    "direction": "Direction 方向",
    "frequency": "Frequency 频率",
    "trigger": "Trigger 触发方式",
    "owner": "Owner 负责人",
    "two_way": "Both ways 双向",
    "file": "File 文件",
}
_FIELDS: Final = (
    "Target field 目标字段",
    "From 来源字段",
    "How 转换规则",
    "When 条件",
    "Owner 负责人",
    "Must 必填",
    "Note 说明",
)
_STYLE: Final = """
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c1f23 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #d5d9de }
th { background: #f2f4f6 } td:first-child { font-family: ui-monospace, monospace } small { color: #59616b }
@media print { body { margin: 0; max-width: none } }
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, a table below it, and what is said before the table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    titles: Sequence[str]
    parts: Sequence[Part] = field(default_factory=tuple)


def html(mapping: Mapped, facts: Mapping[str, str] | None = None) -> str:
    """One file, without anything from elsewhere.

    Args:
        facts: what a flow knows better than the file: direction, frequency, trigger, owner.
    """
    page = _page(mapping, facts or {})
    body = "".join(f"<h1>{escape(title)}</h1>\n" for title in page.titles)
    for part in page.parts:
        body += f"<h2>{escape(part.title)}</h2>\n"
        if part.text:
            body += f"<p>{escape(part.text)}</p>\n"
        head = "".join(f"<th>{escape(one)}</th>" for one in part.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell).replace(chr(10), '<br>')}</td>" for cell in row) + "</tr>\n"
            for row in part.rows
        )
        if part.rows:
            body += f"<table>\n<tr>{head}</tr>\n{rows}</table>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{escape(page.titles[0])}</title><style>{_STYLE}</style></head>\n<body>\n{body}</body>\n</html>\n"
    )


def markdown(mapping: Mapped, facts: Mapping[str, str] | None = None) -> str:
    """The same as Markdown, for a repository or a wiki."""
    page = _page(mapping, facts or {})
    lines = ["# " + " · ".join(map(_cell, page.titles)), ""]
    for part in page.parts:
        lines += [f"## {part.title}", ""]
        if part.text:
            lines += [_cell(part.text), ""]
        if part.rows:
            lines.append(_row(part.columns))
            lines.append("|" + "---|" * len(part.columns))
            lines += [_row(row) for row in part.rows]
            lines.append("")
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """As text, whatever signs are in it."""
    plain = escape(text, quote=False)
    for sign in "\\`*_[]|#":
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("\n", "<br>")


def _page(mapping: Mapped, facts: Mapping[str, str]) -> Page:
    rules = mapping.rules
    titles = [rules.title[language] for language in ("en", "zh") if language in rules.title]
    titles += [title for language, title in rules.title.items() if language not in ("en", "zh")]
    known = {
        "source": rules.source or (mapping.source.name if mapping.source else ""),
        "target": rules.target or (mapping.target.name if mapping.target else ""),
        **rules.facts,
        "two_way": "yes 是" if rules.two_way else "no 否",
        "file": rules.file.name,
        **facts,
    }
    parts = [
        Part(
            "What 概述",
            ("", ""),
            [(heading, known[name]) for name, heading in _FACTS.items() if known.get(name)],
        ),
        Part("Fields 字段", _FIELDS, list(_rows(mapping, known.get("owner", "")))),
    ]
    for lookup in rules.lookups.values():
        rows = [(one, str(result)) for one, result in lookup.rows.items()]
        rest = "" if lookup.otherwise is None else f"Everything else 其他: {lookup.otherwise}"
        parts.append(Part(f"Lookup 对照表 {lookup.name}", ("Value 值", "Becomes 变为"), rows, rest))
    for rates in rules.rates.values():
        of_rates = [(code, f"{rate:f}") for code, rate in rates.per_unit.items()]
        parts.append(Part(f"Rates 汇率 {rates.name}", ("Currency 币种", f"in {rates.base}"), of_rates))
    if mapping.proof.doubts:
        told = [(one.partition(": ")[2],) for one in mapping.proof.doubts]
        text = "Looked at in each record; one that does not fit is not sent. 逐条检查，不符合的记录不会发送。"
        parts.append(Part("What may not fit 可能不符合", ("Field 字段",), told, text))
    if mapping.proof.unused:
        parts.append(
            Part(
                "Not carried over 不传递的字段",
                ("Source field 来源字段",),
                [(one,) for one in mapping.proof.unused],
            )
        )
    return Page(titles or [rules.file.stem], parts)


def _rows(mapping: Mapped, owner: str) -> Iterable[tuple[str, ...]]:
    prefixes: dict[tuple[str, ...], str] = {}
    for path, rule in mapping.rules.each():
        around = next(
            (prefixes[path[:end]] for end in range(len(path) - 1, 0, -1) if path[:end] in prefixes), ""
        )
        target = None if mapping.target is None else mapping.target.find("/".join(path))
        must = "yes 是" if target is not None and target.required else ""
        if isinstance(rule, ListRule):
            prefixes[path] = source = _full(rule.each, around)
            yield "/".join(path), source, "for each 逐项", _asked(rule), owner, must, _notes(target, "")
            continue
        many = len(rule.ways) > 1
        yield (
            "/".join(path),
            "\n".join(_numbered(many, (_sources(way, around) for way in rule.ways))),
            "\n".join(_numbered(many, map(_how, rule.ways))),
            "\n".join(_numbered(many, (_asked(way) for way in rule.ways))),
            rule.owner or owner,
            must,
            _notes(target, rule.note),
        )


def _numbered(many: bool, texts: Iterable[str]) -> list[str]:
    return [f"{number}. {text or '–'}" if many else text for number, text in enumerate(texts, 1)]


def _full(path: Path, around: str) -> str:
    if path.names == ("#",):
        return "position 序号"
    return (
        f"{around}/{path.text}"
        if around and not path.text.startswith(("/", "../"))
        else path.text.lstrip("/")
    )


def _sources(way: Way, around: str) -> str:
    return ", ".join(_full(path, around) for path in way.sources)


def _how(way: Way) -> str:
    if not way.sources:
        return f"always 固定值: {_value(way.constant)}"
    said = [step.says for step in way.steps]
    if way.default is not None:
        said.append(f"default 默认值: {_value(way.default)}")
    return "; ".join(said) or "as it is 原样"


def _asked(rule: Way | ListRule) -> str:
    return "" if rule.when is None else rule.when.condition.text


def _value(value: Any) -> str:
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)


def _notes(target: Field | None, note: str) -> str:
    texts = [note] if note else []
    if target is not None:
        texts += [text for language in ("en", "zh") if (text := target.documentation.get(language))]
        texts += [text for language, text in target.documentation.items() if language not in ("en", "zh")]
    return "\n".join(dict.fromkeys(" ".join(text.split()) for text in texts))
