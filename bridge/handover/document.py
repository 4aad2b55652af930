"""A document of a few kinds of block, as Markdown and as HTML.

Text that comes from elsewhere (a contract, a setting) is plain: whatever it holds, it shows as it is in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TypeAlias

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")


@dataclass(frozen=True, slots=True)
class Code:
    """A short text of a program: a name, an address."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """An address to follow."""

    address: str


Span: TypeAlias = str | Code | Link
Text: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: Text


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A message or a command, as it is sent."""

    text: str
    kind: str = "xml"


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Listing


@dataclass(slots=True)
class Document:
    """`language` is BCP 47."""

    title: str
    language: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        self.blocks.extend(blocks)


def spans(text: str, /, **values: str) -> Text:
    """Words of ours, with `code` in backticks; `{name}` is filled in, and what is filled in stays plain or code."""
    parts = text.split("`")
    made = [
        Code(part.format(**values)) if place % 2 else part.format(**values)
        for place, part in enumerate(parts)
        if part
    ]
    return tuple(made)


# -- Markdown ------------------------------------------------------------------------------------


def as_markdown(document: Document) -> str:
    """CommonMark with tables, as GitHub, GitLab and most editors show it."""
    blocks = [f"# {_marked(document.title)}", *(_markdown(block) for block in document.blocks)]
    return "\n\n".join(blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_marked(text)}"
        case Paragraph(text):
            return _inline(text)
        case Bullets(items):
            return "\n".join(f"* {_inline(item)}" for item in items)
        case Table(columns, rows):
            lines = [columns, ["---"] * len(columns), *([_inline(cell) for cell in row] for row in rows)]
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)
        case Listing(text, kind):
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
            return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def _inline(text: Text) -> str:
    return "".join(_marked_span(span) for span in text)


def _marked_span(span: Span) -> str:
    if isinstance(span, Link):
        return f"<{span.address}>"
    if isinstance(span, Code):
        fence = "``" if "`" in span.text else "`"
        text = " ".join(span.text.split()).replace("|", "\\|")
        return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"
    return _marked(span)


def _marked(text: str) -> str:
    # Blanks at the ends part a text from the code beside it.
    return _MARKUP.sub(r"\\\1", re.sub(r"\s+", " ", text))


# -- HTML ----------------------------------------------------------------------------------------

STYLE = """
@page { size: A4; margin: 18mm 16mm }
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --raised: #f6f8fa; color-scheme: light }
body { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
       color: var(--ink); background: #fff; margin: 0 auto; max-width: 54rem; padding: 1.5rem 1.25rem 4rem }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem } h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
     border-top: 2px solid var(--ink) } h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem } h1, h2, h3 { break-after: avoid }
p { margin: .45rem 0 } ul { margin: .45rem 0; padding-left: 1.2rem } li { margin: .2rem 0 } a { color: #0550ae; overflow-wrap: anywhere }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace } code { overflow-wrap: anywhere }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 5px; padding: .6rem .75rem; white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 } th { font-size: .87rem; color: var(--soft); font-weight: 600 }
td, th { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line) }
td:first-child { min-width: 8.5rem } td:first-child code { white-space: nowrap } tr { break-inside: avoid }
@media print { body { padding: 0; font-size: 10pt } pre { font-size: 8pt } }
"""


def as_html(document: Document) -> str:
    """One page that needs nothing else; a browser prints it to PDF."""
    body = "\n".join(_html(block) for block in document.blocks)
    title = escape(document.title)
    return (
        f'<!doctype html>\n<html lang="{document.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_html_inline(text)}</p>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_html_inline(item)}</li>' for item in items)}</ul>"
        case Table(columns, rows):
            head = "".join(f"<th>{escape(column)}</th>" for column in columns)
            body = "".join(_html_row(row) for row in rows)
            return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        case Listing(text):
            return f"<pre>{escape(text.rstrip())}</pre>"


def _html_row(row: Sequence[Text]) -> str:
    return f"<tr>{''.join(f'<td>{_html_inline(cell)}</td>' for cell in row)}</tr>"


def _html_inline(text: Iterable[Span]) -> str:
    made = []
    for span in text:
        if isinstance(span, Link):
            made.append(f'<a href="{escape(span.address)}">{escape(span.address)}</a>')
        elif isinstance(span, Code):
            made.append(f"<code>{escape(span.text)}</code>")
        else:
            made.append(escape(span))
    return "".join(made)
