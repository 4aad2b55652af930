"""Lines of a TOML file: every key is found where it stands."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.mapping.lines import Lines

TEXT = '''# a comment with [brackets] = and "quotes"
top = 1
[mapping]
title = { en = "a # b", zh = "二" }   # behind
long = """
one
[not.a.section]
"""
[fields]
"a/b" = "x"
c.d = 'it''s'
LOCKED = [
    { when = "active", value = "N" },   # first
    # a remark between
    { value = "Y", do = ["trim", { cut = 40 }] },
]
dates = 2025-12-31T10:00:00Z
[lists."order/line"]
each = "items"
[lists."order/line".fields]
"item/sku" = "article"
[[tables]]
one = 1
[[tables]]
two = 2
'''.replace("'it''s'", "'its'")


def test_keys_sections_and_elements_are_where_they_stand() -> None:
    lines = Lines(TEXT)
    assert {
        path: lines.of(path)
        for path in [
            ("top",),
            ("mapping", "title", "zh"),
            ("mapping", "long"),
            ("fields",),
            ("fields", "a/b"),
            ("fields", "c", "d"),
            ("fields", "LOCKED"),
            ("fields", "LOCKED", 0, "when"),
            ("fields", "LOCKED", 1),
            ("fields", "LOCKED", 1, "do", 1, "cut"),
            ("fields", "dates"),
            ("lists", "order/line"),
            ("lists", "order/line", "fields", "item/sku"),
            ("tables", 1, "two"),
        ]
    } == {
        ("top",): 2,
        ("mapping", "title", "zh"): 4,
        ("mapping", "long"): 5,
        ("fields",): 9,
        ("fields", "a/b"): 10,
        ("fields", "c", "d"): 11,
        ("fields", "LOCKED"): 12,
        ("fields", "LOCKED", 0, "when"): 13,
        ("fields", "LOCKED", 1): 15,
        ("fields", "LOCKED", 1, "do", 1, "cut"): 15,
        ("fields", "dates"): 17,
        ("lists", "order/line"): 18,
        ("lists", "order/line", "fields", "item/sku"): 21,
        ("tables", 1, "two"): 25,
    }


def test_what_hides_has_the_line_of_what_is_around_it() -> None:
    lines = Lines(TEXT)
    assert lines.of(("fields", "a/b", "nowhere")) == 10
    assert lines.of(("nowhere",)) == 1
    assert Lines("").of(("fields",)) == 1


PIECES = st.text(alphabet="ab=[]{}\"'\\#., \n二", max_size=40)


@given(PIECES)
def test_whatever_tomllib_reads_has_lines(text: str) -> None:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = Lines(text)
    for path in paths(table):
        assert 1 <= lines.of(path) <= text.count("\n") + 1


@given(
    st.dictionaries(
        st.text(alphabet='a"\\\t #=.二', min_size=1),
        st.text(alphabet='x"\\#=[]{}\n,', max_size=9),
        min_size=1,
    )
)
def test_each_key_of_a_section_has_its_own_line(table: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
        return f'"{escaped}"'

    text = "[fields]\n" + "".join(
        f"{quoted(name)} = {{ from = {quoted(value)} }}\n" for name, value in table.items()
    )
    assert tomllib.loads(text) == {"fields": {name: {"from": value} for name, value in table.items()}}
    lines = Lines(text)
    assert [lines.of(("fields", name, "from")) for name in table] == list(range(2, len(table) + 2))


def paths(table: Any, around: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = []
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for name, value in items:
        found += [(*around, name), *paths(value, (*around, name))]
    return found
