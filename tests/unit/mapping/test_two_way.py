"""A mapping turned round: what goes there comes back, and what cannot is told before it starts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import SettingsError
from bridge.mapping import Mapping, load
from bridge.mapping.shapes import Field, Kind, Shape

FILE = """[mapping]
two_way = true
source = "crm#accounts"
target = "erp#customers"
[fields]
no = { from = "id", prefix = "crm-" }
grade = { from = "level", lookup = "grades" }
weight = { from = "kg", unit = "kg to t" }
founded = { from = "since", date = "DD.MM.YYYY" }
at = { from = "changed", moment = "milliseconds" }
name = { from = "name", do = ["collapse", "upper"] }
open = { from = "active", boolean = { yes = "Y", no = "N" } }
"limit/amount" = { from = "credit", number = { point = "," } }
tags = "labels"
here = { value = "CRM" }
[lists.people]
each = "contacts"
[lists.people.fields]
pos = "#"
mail = { from = "email", lower = true }
[lookups.grades]
rows = { gold = "A", silver = "B" }
"""


def field(name: str, kind: Kind = "text", **options: object) -> Field:
    return Field(name=name, kind=kind, **options)  # type: ignore[arg-type]


SOURCE = Shape(
    "accounts",
    {
        one.name: one
        for one in (
            field("id", required=True, longest=10),
            field("level", one_of=("gold", "silver")),
            field("kg", "decimal", fraction=3),
            field("since"),
            field("changed", "integer", least=Decimal(0), most=Decimal(4 * 10**12)),
            field("name", longest=50),
            field("active", one_of=("Y", "N")),
            field("credit"),
            field("labels", repeats=True),
            field("contacts", "object", repeats=True, shape=Shape("contacts", {"email": field("email")})),
        )
    },
)


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    file = tmp_path_factory.mktemp("two") / "accounts.toml"
    file.write_text(FILE)
    return load(file, source=SOURCE)


def test_the_way_back_writes_what_the_way_there_read(mapping: Mapping) -> None:
    there = {
        "no": "crm-7", "grade": "B", "weight": Decimal("1.2"), "founded": date(2001, 2, 3), "name": "NING BO",
        "at": datetime(2025, 12, 31, tzinfo=UTC), "open": False, "limit": {"amount": Decimal("1250.50")}, "tags": ["a"],
        "here": "CRM", "people": [{"pos": 1, "mail": "a@b.example"}],
    }  # fmt: skip
    assert mapping.turned()(there) == {
        "id": "7", "level": "silver", "kg": 1200, "since": "03.02.2001", "name": "NING BO", "changed": 1767139200000,
        "active": "N", "credit": "1250,50", "labels": ["a"], "contacts": [{"email": "a@b.example"}],
    }  # fmt: skip


TEXTS = st.text("abZ -,.é", min_size=1, max_size=10)
RECORDS = st.fixed_dictionaries(
    {"id": TEXTS},
    optional={
        "level": st.sampled_from(["gold", "silver"]),
        "kg": st.decimals(0, 10**6, places=3),
        "since": st.dates().map(lambda day: f"{day:%d.%m}.{day.year:04}"),
        "changed": st.integers(0, 4 * 10**12),
        "active": st.sampled_from("YN"),
        "credit": st.decimals(-(10**6), 10**6, places=2).map(lambda one: f"{one:f}".replace(".", ",")),
        "labels": st.lists(TEXTS, min_size=1, max_size=3),
    },
)


@settings(max_examples=60)
@given(record=RECORDS)
def test_whatever_goes_there_comes_back_as_it_was(mapping: Mapping, record: dict[str, object]) -> None:
    assert mapping.turned()(mapping(record)) == record


@settings(max_examples=40)
@given(name=TEXTS, mails=st.lists(TEXTS, max_size=2))
def test_what_is_cleaned_on_the_way_stays_as_it_is_from_then_on(
    mapping: Mapping, name: str, mails: list[str]
) -> None:
    there = mapping({"id": "1", "name": name, "contacts": [{"email": mail} for mail in mails]})
    back = mapping.turned()(there)
    assert mapping(back) == there
    assert mapping.turned()(mapping(back)) == back


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('{ from = "name", cut = 5 }', "t goes both ways, and cut 5 cannot be turned round"),
        ('{ from = "kg", round = 1 }', "t goes both ways, and round to 1 digits, half_up cannot be turned round"),
        ('{ from = "kg", factor = 7 }', "t goes both ways, and factor 7 cannot be turned round"),
        ('{ from = "level", lookup = "same" }', "t goes both ways, and lookup same has a result that stands twice, or an `otherwise`"),
        ('{ from = "name", when = "level is set" }', "nothing says on the way back which condition held"),
        ('[{ when = "level is set", value = "x" }, { value = "y" }]', "nothing says on the way back which condition held"),
        ('{ from = ["id", "name"], join = "-" }', "t goes both ways, and has several sources"),
        ('{ from = "since", date = "DD.MM.YYYY HH:mm" }', "date like DD.MM.YYYY HH:mm cannot be turned round"),
        # What only trying it out shows:
        ('{ from = "active", boolean = { yes = ["Y", "1"], no = "N" } }', None),
        ('{ from = "moment", moment_text = { form = "YYYY-MM-DD", zone = "UTC" } }', "came back as datetime"),
        ('{ from = "digits", pad = { to = 5, with = "0" } }', "came back as"),
        ('{ from = "labels", join = "," }', "came back as"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_go_both_ways_is_a_mistake(tmp_path: Path, rule: str, told: str | None) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        f'[mapping]\ntwo_way = true\n[fields]\nt = {rule}\n[lookups.same]\nrows = {{ gold = "A", silver = "A" }}\n'
    )
    source = Shape(
        "more",
        {
            **SOURCE.fields,
            "moment": field("moment", "datetime"),
            "digits": field("digits", one_of=("007", "7")),
        },
    )
    if told is None:
        load(file, source=source)  # the source never has 1
        return
    with pytest.raises(SettingsError) as caught:
        load(file, source=source)
    assert all(one.startswith(f"{file}:4: ") for one in caught.value.mistakes)
    assert told in caught.value.mistakes[0]


def test_a_boolean_with_two_words_for_yes_comes_back_as_the_first(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        '[mapping]\ntwo_way = true\n[fields]\nt = { from = "x", boolean = { yes = ["Y", "1"], no = "N" } }\n'
    )
    with pytest.raises(SettingsError, match="t goes both ways, and '1' came back as 'Y'"):
        load(file)


def test_types_must_meet_on_the_way_back_too(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        '[mapping]\ntwo_way = true\n[fields]\nt = { from = "kg", number_text = true }\nu = "level"\n'
    )
    there = Shape("there", {"t": field("t"), "u": field("u", one_of=("gold", "silver", "iron"))})
    with pytest.raises(SettingsError) as caught:
        load(file, source=SOURCE, target=there)
    assert [one.removeprefix(f"{file}:") for one in caught.value.mistakes] == [
        "5: on the way back, level would be iron, and is only gold, silver there"
    ]


def test_a_mapping_of_one_way_has_no_way_back(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[fields]\nt = "x"\n')
    with pytest.raises(SettingsError, match=r"goes one way\. Say two_way = true"):
        load(file).turned()
