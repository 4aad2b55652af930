"""A mapping file with mistakes: all of them at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.mapping import Asked, load


def mistakes(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "m.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    return [one.removeprefix(f"{file}:") for one in caught.value.mistakes]


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """[maping]
[mapping]
title = 3
tow_way = true
[fields]
a = 7
b = { form = "x" }
c = { from = "x", trimm = true }
d = { from = "x", do = ["trim", { cut = "many" }, { lookup = "grade" }] }
e = { from = "x", trim = true, cut = 3 }
f = { value = 1, from = "x" }
g = [
    { from = "x" },
    { from = "y" },
]
h = { from = "x", when = "x = open" }
i = "#"
j = "../x"
"k//l" = "x"
m = { from = "x", required = "yes" }
n = { from = "x", date = "DD.MM" }
o = { from = "x", unit = "kg to m" }
p = { from = "x", unit = "kilo to g" }
q = { from = "x", zone = "Asia/Shangai" }
r = { from = "x", function = "clean" }
[lookups.grades]
rows = { A = "1" }
otherwis = "2"
[lookups.none]
[lookups.far]
csv = "nowhere.csv"
from = "a"
to = "b"
[rates.r]
base = "CNY"
per_unit = { EUR = "much" }
[units]
box = "12 things"
[functions]
f = "no.such.module:f"
[lists.x]
[lists.y]
each = "items"
""",
    )
    by_line: dict[int, str] = {}
    for one in found:
        number, _, what = one.partition(": ")
        by_line[int(number)] = by_line.get(int(number), "") + what
    expected = {
        1: "there is no key maping in a mapping; did you mean mapping?",
        3: "title must be a text",
        4: "there is no key tow_way in mapping; did you mean two_way?",
        6: 'a must be a source ("order_no")',
        7: "b: there is no form; did you mean from?",
        8: "c: there is no trimm; did you mean trim?",
        9: "cut must be a number of characters: cut = 40, not 'many'",
        10: "e has several steps (trim, cut): write them in their order",
        11: "f needs either from (a source) or value (a constant)",
        14: "g: this is never reached",
        16: "the condition 'x = open': a value is expected, not open",
        17: "'#' is no path: there is no list around it",
        18: "'../x' is no path: there is no list around it",
        19: "'k//l' is no path",
        20: "required must be true or false, not 'yes'",
        21: "n: date 'DD.MM' must have",
        22: "o: unit kg measures mass, and m length",
        23: "p: unit there is no unit 'kilo'",
        24: "there is no time zone 'Asia/Shangai'",
        25: "r: function 'clean' is not known",
        28: "a lookup has no otherwis; did you mean otherwise?",
        29: "lookups.none needs its rows from one place",
        30: "nowhere.csv cannot be read",
        34: "rates.r the rate of EUR must be a number",
        38: 'units.box must be like "12 pc"',
        40: "functions.f no.such.module:f cannot be imported",
        41: 'the list x needs each = "…"',
        42: "the list y has no rules: write [lists.y.fields]",
    }
    assert {line: told for line, told in expected.items() if told not in by_line.get(line, "")} == {}
    assert set(by_line) == set(expected)
    # The lookup is told by its name where it is used, with the nearest.
    assert "d: lookup must name one of this file, not 'grade'; did you mean grades?" in by_line[9]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[fields\n", " Expected"),
        ("", "1: the mapping has no rules"),
        ("[fields]\na = {}\n", "2: a needs either from"),
        ("[fields]\na = []\n", "2: a has no way to a value"),
        ('[fields]\n"a" = "x"\n"a/b" = "y"\n', "3: a/b and a are both written: one is inside the other"),
        ('[fields]\n"a/b" = "x"\n[lists."a/b"]\neach="y"\n[lists."a/b".fields]\nc="d"\n', "3: a/b is written twice"),
        ('[fields]\na = { value = { b = 1 } }\n', "2: a: value cannot be a table"),
        ('[fields]\na = { from = "x", lookup = "l" }\n[lookups.l]\nrows = {}\n', "3: lookups.l needs rows like"),
        ('[fields]\na = { from = "x", cut = 0 }\n', "2: a: cut must be at least 1 character"),
        ('[fields]\na = { from = "x", do = [{ cut = 1, pad = 2 }] }\n', "2: a: a step is a word"),
        ('[mapping]\nabsent = "nil"\n[fields]\na = "x"\n', "2: absent is one of leave_out, null, not 'nil'"),
        ('[fields]\na = { from = "x", empty = "drop" }\n', "2: empty is one of absent, keep, not 'drop'"),
        ('[fields]\na = { from = "x", do = ["cut"] }\n', "2: a: cut needs to be told more"),
        ('[fields]\na = { from = "x", currency = { of = "c", to = "CNY", rates = "r" } }\n[rates.r]\nbase = "EUR"\nper_unit = {}\n', "2: a: currency the rates r have no CNY"),
        ('[fields]\na = "x"\n[lookups.l]\npartner = "erp"\nentity = "e"\nfrom = "a"\nto = "b"\n', "3: lookups.l has its rows with the partner erp"),
    ],
)  # fmt: skip
def test_a_single_mistake(tmp_path: Path, text: str, told: str) -> None:
    found = mistakes(tmp_path, text)
    assert any(told in one for one in found), found


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no mapping .*gone\.toml"):
        load(tmp_path / "gone.toml")


def test_rows_of_a_lookup_come_from_csv_with_either_separator(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("﻿level;grade;note\ngold;A;x\n silver ; B ;\n", "utf-8")
    file = tmp_path / "m.toml"
    file.write_text(
        '[fields]\ng = { from = "l", lookup = "g" }\n[lookups.g]\ncsv = "g.csv"\nfrom = "level"\nto = "grade"\n'
    )
    assert load(file)({"l": "silver"}) == {"g": "B"}


@pytest.mark.parametrize(
    ("content", "told"),
    [("level\ngold\n", "has no column 'grade'; it has level"), ("level,grade\na,1\na,2\n", "'a' stands twice"), ("level,grade\n", "has no rows")],
)  # fmt: skip
def test_a_csv_file_that_is_no_lookup_is_a_mistake(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "g.csv").write_text(content)
    found = mistakes(tmp_path, '[fields]\na="b"\n[lookups.g]\ncsv="g.csv"\nfrom="level"\nto="grade"\n')
    assert told in found[0]


def test_rows_of_a_lookup_come_from_whoever_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        '[fields]\ng = { from = "l", lookup = "g" }\n[lookups.g]\npartner = "erp"\nentity = "reps"\nfrom = "user"\nto = "no"\n'
    )
    asked: list[Asked] = []

    def rows(one: Asked) -> list[tuple[object, object]]:
        asked.append(one)
        return [("mei", 7), (12, 8)]

    mapping = load(file, rows=rows)
    assert asked == [Asked("erp", "reps", "user", "no")]
    assert (mapping({"l": "mei"}), mapping({"l": 12})) == ({"g": 7}, {"g": 8})

    def unreachable(_: Asked) -> list[tuple[object, object]]:
        raise OSError("nobody listens")

    with pytest.raises(
        SettingsError, match=r"m\.toml:3: lookups\.g cannot be read from erp\.reps: nobody listens"
    ):
        load(file, rows=unreachable)
