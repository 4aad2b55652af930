"""What is proved before the first record: every gap between two shapes, with the rule's line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.contract import load as load_contract
from bridge.errors import MappingError, SettingsError
from bridge.mapping import Mapping, load, shape_of
from bridge.mapping.shapes import Field, Kind, Shape
from bridge.partners import entities
from bridge.shipped import contracts

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples" / "mappings"


def field(name: str, kind: Kind = "text", **options: Any) -> Field:
    return Field(name=name, kind=kind, **options)


def shape(name: str, *fields: Field) -> Shape:
    return Shape(name, {one.name: one for one in fields})


LINE = shape("lines", field("sku", required=True), field("quantity", "decimal"))
SOURCE = shape(
    "orders",
    field("id", required=True, longest=20),
    field("name", longest=200),
    field("level", required=True, one_of=("gold", "silver", "bronze")),
    field("state", one_of=("open", "closed")),
    field("total", "decimal", required=True, digits=9, fraction=2),
    field("count", "integer", least=Decimal(0), most=Decimal(99)),
    field("day", "date"),
    field("at", "datetime"),
    field("tags", repeats=True),
    field("vendor", "object", shape=shape("vendor", field("code", required=True))),
    field("lines", "object", repeats=True, shape=LINE, required=True),
    field("more", "object", repeats=True, shape=LINE),
)
ROWS = shape("rows", field("item", required=True), field("amount", "decimal", fraction=3))


def target(*fields: Field) -> Shape:
    return shape("customers", *fields)


def made(tmp_path: Path, text: str, *fields: Field, source: Shape | None = SOURCE) -> Mapping:
    file = tmp_path / "m.toml"
    file.write_text(text)
    return load(file, source=source, target=target(*fields))


def mistakes(tmp_path: Path, text: str, *fields: Field) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        made(tmp_path, text, *fields)
    return [one.removeprefix(f"{tmp_path}/m.toml:") for one in caught.value.mistakes]


@pytest.mark.parametrize(
    ("rule", "wanted", "told"),
    [
        ('"idd"', field("t"), "idd: orders has no field idd in the source; did you mean id?"),
        ('"vendor/kode"', field("t"), "vendor/kode: vendor has no field kode in the source; did you mean code?"),
        ('"name/x"', field("t"), "name/x: name is no object in the source"),
        ('"name"', field("t", required=True), "t is required there, and name may give nothing here: give a default"),
        ('{ from = "vendor/code" }', field("t", required=True), "t is required there, and vendor/code may give nothing here"),
        ('"total"', field("t"), "t is a text there, and a number here: `text` or `number_text` makes one"),
        ('"id"', field("t", "decimal"), "t is a number there, and a text here: `number` makes one of a text"),
        ('"id"', field("t", "date"), "t is a date there, and a text here: `date` makes one of a text, `day` of a moment"),
        ('"total"', field("t", "integer"), "t is a whole number there, and a number here: `integer` makes one"),
        ('"tags"', field("t"), "t is one value there, and a list here: `join`, `first`, `last` or `sum` makes one"),
        ('"id"', field("t", repeats=True), "t is a list there, and one value here: `split` makes a list"),
        ('"lines/sku"', field("t"), "t is one value there, and a list here"),
        ('{ from = "day", upper = true }', field("t"), "t: upper takes text, and gets date"),
        ('{ from = "level", lookup = "two" }', field("t"), "t: lookup two has nothing for bronze, which level may be"),
        ('{ from = "state", lookup = "two" }', field("t"), "t: lookup two has nothing for open, closed"),
        ('"level"', field("t", one_of=("gold", "silver")), "t would be bronze, and is only gold, silver there"),
        ('{ from = "level", lookup = "all" }', field("t", one_of=("A", "B")), "t would be C, and is only A, B there"),
        ('{ from = "state", boolean = { yes = "open", no = "shut" } }', field("t", "boolean"), "has nothing for closed, which state may be"),
        ('{ value = "Z" }', field("t", one_of=("A",)), "t: the constant 'Z' does not fit: expected one of A"),
        ('{ value = 3 }', field("t"), "t: the constant 3 does not fit: expected a text"),
        ('{ from = "name", default = "none" }', field("t", longest=3), "t: the default 'none' does not fit: expected at most 3 characters"),
        ('{ from = "name", when = "level = \'iron\'" }', field("t"), "level is never iron, only gold, silver, bronze"),
        ('{ from = "id", when = "leval = \'gold\'" }', field("t"), "leval: orders has no field leval in the source; did you mean level?"),
        ('{ from = "id", when = "state is set" }', field("t", required=True), "t is required there, and id may give nothing here"),
        ('{ from = "total", currency = { of = "curr", to = "CNY", rates = "r" } }', field("t", "decimal"), "curr: orders has no field curr"),
        ('"vendor"', field("t", "object", shape=LINE), "t is an object there: map its fields (sku, quantity"),
        ('{ from = ["id", "name"] }', field("t"), "t is one value there, and a list here"),
    ],
)  # fmt: skip
def test_a_gap_is_a_mistake_with_its_line(tmp_path: Path, rule: str, wanted: Field, told: str) -> None:
    tables = '[lookups.two]\nrows = { gold = "A", silver = "B" }\n[lookups.all]\nrows = { gold = "A", silver = "B", bronze = "C" }\n'
    tables += '[rates.r]\nbase = "CNY"\nper_unit = {}\n'
    found = mistakes(tmp_path, f"[fields]\nt = {rule}\n{tables}", wanted)
    assert len(found) == 1, found
    assert found[0].startswith("2: ")
    assert told in found[0]


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ('{ from = "name", default = "none" }', field("t", required=True, longest=200)),
        ('{ from = "name", required = true }', field("t", required=True, longest=200)),
        ('[{ when = "state is set", from = "state", required = true }, { value = "none" }]', field("t", required=True)),
        ('{ from = "total", do = [{ round = 0 }, "integer"] }', field("t", "integer")),
        ('"count"', field("t", "decimal", digits=2, fraction=0)),
        ('{ from = "tags", join = "," }', field("t")),
        ('{ from = "lines/quantity", do = ["sum"] }', field("t", "decimal")),
        ('{ from = ["id", "name"], do = ["first", { cut = 9 }] }', field("t", longest=9)),
        ('"tags"', field("t", repeats=True)),
        ('{ from = "id", split = { by = "," } }', field("t", repeats=True)),
        ('{ from = "level", lookup = "all" }', field("t", one_of=("A", "B", "C"), required=True)),
        ('{ from = "level", lookup = "rest" }', field("t", one_of=("A", "Z"))),
        ('{ from = "at", day = "Asia/Shanghai" }', field("t", "date")),
        ('{ from = "id", date = "YYYYMMDD" }', field("t", "date")),
        ('{ from = "name", do = ["upper", { cut = 5 }] }', field("t", longest=5)),
        ('{ from = "total", factor = 2 }', field("t", "decimal", fraction=2)),
        ('{ from = "vendor" }', field("t", "any")),
    ],
)  # fmt: skip
def test_what_meets_is_proved_without_doubts(tmp_path: Path, rule: str, wanted: Field) -> None:
    tables = '[lookups.rest]\nrows = { gold = "A" }\notherwise = "Z"\n[lookups.all]\nrows = { gold = "A", silver = "B", bronze = "C" }\n'
    assert made(tmp_path, f"[fields]\nt = {rule}\n{tables}", wanted).proof.doubts == []


@pytest.mark.parametrize(
    ("rule", "wanted", "told", "record", "expected"),
    [
        ('"name"', field("t", longest=5), "t may have 5 characters there, and up to 200 here: `cut` makes them fit",
         {"name": "abcdef"}, "'abcdef' was found, expected at most 5 characters; these are 6"),
        ('"id"', field("t", shortest=3), "t must have 3 characters there, and may have fewer here", {"id": "ab"}, "expected at least 3 characters"),
        ('"name"', field("t", one_of=("A",)), "t is one of A there, and any text here: a lookup makes them sure", {"name": "B"}, "expected one of A"),
        ('"total"', field("t", "decimal", fraction=1), "t has 1 digits behind the point there, and up to 2 here",
         {"total": Decimal("1.25")}, "expected at most 1 digits behind the point"),
        ('"total"', field("t", "decimal", digits=5, fraction=2), "t has 5 digits there, and up to 9 here", {"total": Decimal("12345.6")}, "at most 5 digits"),
        ('"total"', field("t", "decimal", most=Decimal(100)), "t is at most 100 there, and may be anything here", {"total": 101}, "expected at most 100"),
        ('"count"', field("t", "integer", least=Decimal(1)), "t is at least 1 there, and may be 0 here", {"count": 0}, "expected at least 1"),
        ('{ from = "name", lookup = "two" }', field("t"), "t: name may be anything, and lookup two knows 2 values: others are refused",
         {"name": "iron"}, "expected a value of the lookup two: gold, silver"),
    ],
)  # fmt: skip
def test_what_mostly_fits_is_named_and_looked_at_in_each_record(
    tmp_path: Path, rule: str, wanted: Field, told: str, record: dict[str, Any], expected: str
) -> None:
    mapping = made(
        tmp_path, f'[fields]\nt = {rule}\n[lookups.two]\nrows = {{ gold = "A", silver = "B" }}\n', wanted
    )
    assert any(told in one for one in mapping.proof.doubts), mapping.proof.doubts
    with pytest.raises(MappingError) as caught:
        mapping(record)
    (mistake,) = caught.value.mistakes
    assert expected in str(mistake)
    assert mistake.place == f"{tmp_path}/m.toml:2"
    assert mistake.target == "t"


def test_a_value_with_zeros_at_its_end_fits_all_the_same(tmp_path: Path) -> None:
    mapping = made(tmp_path, '[fields]\nt = "total"\n', field("t", "decimal", fraction=1))
    assert mapping({"total": Decimal("1.500")}) == {"t": Decimal("1.500")}


def test_required_fields_that_no_rule_fills_are_all_named(tmp_path: Path) -> None:
    inner = shape("address", field("city", required=True), field("street"))
    found = mistakes(
        tmp_path,
        '[mapping]\n[fields]\n"address/street" = "name"\n',
        field("no", required=True),
        field("level", required=True, one_of=("A", "B")),
        field("address", "object", shape=inner),
        field("other", "object", shape=inner),
    )
    assert found == [
        "1: no is required there, and no rule fills it; it is a text",
        "1: level is required there, and no rule fills it; it is one of A, B",
        "1: address/city is required there, and no rule fills it; it is a text",
    ]


def test_lists_are_proved_element_by_element(tmp_path: Path) -> None:
    text = """[fields]
[lists.rows]
each = "lines"
[lists.rows.fields]
item = "sku"
amount = "quantty"
no = "#"
"""
    found = mistakes(tmp_path, text, field("rows", "object", repeats=True, required=True, shape=ROWS))
    assert found == [
        "6: quantty: lines has no field quantty in the source; did you mean quantity?",
        "7: rows/no: rows has no field no there; there are item, amount",
    ]


def test_a_required_list_whose_source_may_be_empty_is_a_mistake(tmp_path: Path) -> None:
    text = '[lists.rows]\neach = "more"\n[lists.rows.fields]\nitem = "sku"\n'
    rows = field("rows", "object", repeats=True, required=True, shape=ROWS)
    assert mistakes(tmp_path, text, rows) == [
        "1: rows is required there, and more may be empty here: write required = true where a record without it is to be refused"
    ]
    required = made(tmp_path, text.replace('each = "more"', 'each = "more"\nrequired = true'), rows)
    with pytest.raises(MappingError, match="rows from more: nothing was found, expected at least one"):
        required({"more": []})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[fields]\n"rows/item" = "id"\n', '2: rows/item: rows is a list there: write [lists."rows"]'),
        ('[lists.no]\neach = "lines"\n[lists.no.fields]\nx = "sku"\n', "1: no is no list of objects there"),
        ('[fields]\n"no/x" = "id"\n', "2: no/x: no is a text there, and has no fields"),
        ('[fields]\nnoo = "id"\n', "2: noo: customers has no field noo there; did you mean no?"),
        ('[lists.rows]\neach = "tags"\n[lists.rows.fields]\nitem = "sku"\n', "4: sku: the elements are text and have no fields: \".\" is the element"),
    ],
)  # fmt: skip
def test_objects_and_lists_must_be_what_they_are_there(tmp_path: Path, text: str, told: str) -> None:
    found = mistakes(tmp_path, text, field("no"), field("rows", "object", repeats=True, shape=ROWS))
    assert any(told in one for one in found), found


def test_of_a_choice_one_must_be_filled_and_only_one(tmp_path: Path) -> None:
    purchasing = load_contract(contracts("erp")["purchasing"])
    target = shape_of(purchasing, purchasing.operations["CreatePurchaseOrder"])
    source = entities.read(SAMPLES / "crm.toml").entities["orders"].shape
    warehouse = '"order/shipTo/warehouse" = "ship_to"\n'
    address = """"order/shipTo/address/street" = { from = "ship_to", split = { by = "," }, required = true }
"order/shipTo/address/city" = "ship_to"
"order/shipTo/address/country" = { value = "CN" }
"""
    text = (SAMPLES / "order.toml").read_text()
    assert warehouse in text

    def proved(instead: str) -> list[str]:
        file = tmp_path / "order.toml"
        file.write_text(text.replace(warehouse, instead))
        try:
            load(file, source=source, target=target)
        except SettingsError as error:
            return [one.partition(": ")[2] for one in error.mistakes]
        return []

    assert proved(warehouse) == []
    assert proved(address) == []
    assert proved("") == ["order/shipTo is required there, and no rule fills it"]
    assert proved(warehouse + address) == [
        "order/shipTo may have only one of warehouse or address there, and rules fill warehouse and address"
    ]


def test_source_fields_that_nobody_reads_are_named(tmp_path: Path) -> None:
    mapping = made(tmp_path, '[fields]\nt = "id"\nn = "vendor/code"\n', field("t"), field("n"))
    assert mapping.proof.unused == [
        "name", "level", "state", "total", "count", "day", "at", "tags", "lines/sku", "lines/quantity", "more/sku", "more/quantity",
    ]  # fmt: skip


def test_fields_of_one_condition_stand_and_fall_together(tmp_path: Path) -> None:
    terms = shape("terms", field("code", required=True), field("place", required=True))
    both = '[fields]\n"terms/code" = { from = "name", when = "name is set and state is set" }\n'
    both += '"terms/place" = { from = "state", when = "name is set and state is set" }\n'
    assert made(tmp_path, both, field("terms", "object", shape=terms)).proof.mistakes == []
    apart = both.replace('"state", when = "name is set and state is set"', '"state"')
    found = mistakes(tmp_path, apart, field("terms", "object", shape=terms))
    assert [one.partition(" is required")[0] for one in found] == ["2: terms/code", "3: terms/place"]
