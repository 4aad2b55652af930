"""The generated function and the explained run give the same, whatever the record is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MappingError
from bridge.mapping import Mapping, load
from bridge.mapping.shapes import Field, Shape

FILE = """
[fields]
id = { from = "id", required = true }
plain = "a"
nested = "n/x"
"deep/er/still" = { from = "n/x", do = ["trim", "upper"] }
"deep/other" = { from = "b", default = "none" }
constant = { value = 7 }
chosen = [
    { when = "a = 'x' or n/x is set", value = "first" },
    { when = "b > 3", from = "b", do = ["text"] },
    { from = "a", do = ["collapse", { prefix = "p-" }] },
]
looked = { from = "yes", lookup = "letters" }
elsewhere = { from = "b", lookup = "rest" }
number = { from = "num", number = { point = ",", thousands = "." } }
weight = { from = "kg", unit = "t to kg" }
price = { from = "kg", do = [{ round = 2 }, { factor = "1.5" }] }
day = { from = "day", date = "DD.MM.YYYY" }
joined = { from = ["a", "n/x"], join = "-" }
kept = { from = "a", empty = "keep" }
nothing = { from = "c", absent = "null" }
null = { from = "a", do = ["trim", { cut = 4 }], absent = "null" }
nulls = [{ when = "a = 'x'", from = "c", absent = "null" }, { when = "a is set", from = "c" }]
all = { from = "rows/v", do = ["first"] }
cut = { from = "a", do = [{ cut = 3 }, { pad = { to = 5, with = "0" } }] }
yes = { from = "yes", boolean = { yes = ["x", "1"], no = "0" } }
money = { from = "kg", currency = { of = "cur", to = "CNY", rates = "r" } }

[lists."out/rows"]
each = "rows"
when = "v is set"
[lists."out/rows".fields]
n = "#"
v = { from = "v", do = ["trim"] }
top = "/a"
[lists."out/rows".lists.more]
each = "inner"
[lists."out/rows".lists.more.fields]
w = { from = "w", required = true }
up = "../v"

[lookups.letters]
rows = { x = "1", "1" = "2", "0" = "3" }
[lookups.rest]
rows = { "1" = "one", true = "yes" }
otherwise = "other"
[rates.r]
base = "CNY"
per_unit = { x = "7.5", EUR = 8 }
"""

VALUES = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "",
            " ",
            "x",
            "1",
            "1,5",
            "1.250,5",
            "1.25",
            " y  z ",
            "31.12.2025",
            "31.02.2025",
            "0",
            "CNY",
            "EUR",
            "long text",
        ]
    ),
    st.booleans(),
    st.integers(-5, 10),
    st.decimals(-10, 2000, places=3),
)
ANYTHING = st.one_of(VALUES, st.lists(VALUES, max_size=2), st.dictionaries(st.sampled_from("xvw"), VALUES))


def mostly(*values: Any) -> st.SearchStrategy[Any]:
    """What a rule takes, and now and then something else."""
    return st.one_of(*[st.sampled_from(values)] * 4, ANYTHING)


INNER = st.fixed_dictionaries({}, optional={"w": ANYTHING})
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={"v": ANYTHING, "inner": st.lists(INNER, max_size=2)}), max_size=3
)
RECORDS = st.fixed_dictionaries(
    {"id": st.one_of(st.just("R-1"), ANYTHING)},
    optional={
        "a": ANYTHING,
        "b": ANYTHING,
        "num": mostly("1", "1,5", "1.250,5", "-3", 7, Decimal("2.50")),
        "kg": mostly(1, Decimal("1.250"), Decimal(0), 12),
        "day": mostly("31.12.2025", " 01.02.2026"),
        "yes": mostly("x", "1", "0"),
        "cur": mostly("x", "CNY", "EUR"),
        "c": ANYTHING,
        "n": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"x": ANYTHING}), VALUES),
        "rows": st.one_of(ROWS, ANYTHING),
    },
)


def text(name: str, **options: Any) -> Field:
    return Field(name=name, kind="text", **options)


ROW = Shape("rows", {"n": Field(name="n", kind="integer", required=True), "v": text("v", longest=3, required=True),
                     "top": text("top"), "more": Field(name="more", kind="any", repeats=True)})  # fmt: skip
TARGET = Shape(
    "target",
    {
        "id": text("id", required=True, longest=5),
        "plain": text("plain", longest=4, shortest=1),
        "nested": text("nested", one_of=("x", "1")),
        "deep": Field(
            name="deep", kind="object",
            shape=Shape("deep", {"other": text("other", required=True), "er": Field(name="er", kind="any")}),
        ),
        "constant": Field(name="constant", kind="integer"),
        "number": Field(name="number", kind="decimal", most=Decimal(1000), fraction=1),
        "weight": Field(name="weight", kind="decimal", digits=5, fraction=0, least=Decimal(0)),
        "price": Field(name="price", kind="decimal", fraction=3),
        "day": Field(name="day", kind="date"),
        "out": Field(name="out", kind="object", required=True,
                     shape=Shape("out", {"rows": Field(name="rows", kind="object", repeats=True, required=True, shape=ROW)})),
        **{name: Field(name=name, kind="any") for name in
           ("chosen", "looked", "elsewhere", "joined", "kept", "nothing", "all", "cut", "yes", "null", "nulls", "money")},
    },
)  # fmt: skip


@pytest.fixture(scope="module", params=["unknown target", "target"])
def mapping(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    file = tmp_path_factory.mktemp("mappings") / "all.toml"
    file.write_text(FILE)
    if request.param == "unknown target":
        return load(file)
    relaxed = file.read_text().replace('plain = "a"', 'plain = { from = "a" }')
    # That the row may be empty and a value may be missing is for each record to show.
    relaxed = relaxed.replace('each = "rows"', 'each = "rows"\nrequired = true').replace(
        'v = { from = "v", do', 'v = { from = "v", required = true, do'
    )
    file.write_text(relaxed)
    return load(file, target=TARGET)


@given(record=RECORDS)
def test_the_function_gives_what_the_explained_run_gives(mapping: Mapping, record: dict[str, Any]) -> None:
    explained = mapping.explain(record)
    try:
        quick = mapping._of_dicts(record)
    except Exception:
        # It gave up; then the other one speaks.
        if explained.mistakes:
            with pytest.raises(MappingError):
                mapping(record)
        else:
            assert mapping(record) == explained.values
        return
    assert not explained.mistakes, [str(one) for one in explained.mistakes]
    assert quick == explained.values
    assert list(map(type, quick.values())) == [type(explained.values[name]) for name in quick]


def test_the_usual_record_is_done_by_the_function_alone(mapping: Mapping) -> None:
    rows = [{"v": " a "}, {"v": None}, {"v": "b", "inner": [{"w": "1"}]}]
    record = {"id": "R-1", "a": "x", "b": "1", "n": {"x": "x"}, "rows": rows}
    record |= {"num": "1.250,5", "kg": 2, "day": "31.12.2025", "yes": "x", "cur": "EUR"}
    if mapping.target is not None:
        del record["num"]
    made = mapping._of_dicts(record)
    assert made["out"] == {
        "rows": [
            {"n": 1, "v": "a", "top": "x"},
            {"n": 3, "v": "b", "top": "x", "more": [{"w": "1", "up": "b"}]},
        ]
    }
    assert made["elsewhere"] == "one"
    assert (made["weight"], made["price"], made["money"]) == (2000, 3, 16)


def test_objects_of_a_codec_go_through_like_dicts(tmp_path: Path) -> None:
    from bridge.contract import load as contract
    from bridge.shipped import contracts

    purchasing = contract(contracts("erp")["purchasing"])
    file = tmp_path / "get.toml"
    file.write_text('[fields]\n"a/no" = "orderNumber"\n"who" = { from = "requestId", default = "nobody" }\n')
    mapping = load(file)
    values = purchasing.codec.type("{urn:soapbridge:erp:purchasing:1}CancelPurchaseOrder")(orderNumber="PO-1")
    assert mapping._of_objects(SimpleNamespace(orderNumber="PO-1", requestId=None)) == {
        "a": {"no": "PO-1"},
        "who": "nobody",
    }
    assert mapping(values) == {"a": {"no": "PO-1"}, "who": "nobody"}
    assert mapping({"orderNumber": "PO-1"}) == mapping(values)


def test_a_decoded_order_with_its_lines_is_done_by_the_function_alone(tmp_path: Path) -> None:
    from lxml import etree

    from bridge.contract import load as contract
    from bridge.mapping import shape_of
    from bridge.shipped import contracts

    sample = Path(__file__).parents[3] / "samples/purchasing/CreatePurchaseOrder/good-1-line-soap11.xml"
    purchasing = contract(contracts("erp")["purchasing"])
    operation = purchasing.operations["CreatePurchaseOrder"]
    assert operation.input is not None
    order = purchasing.codec.decode(operation.input, etree.fromstring(sample.read_bytes())[-1][0])
    file = tmp_path / "order.toml"
    file.write_text(
        '[fields]\nno = "order/buyerReference"\nterms = "order/deliveryTerms/place"\n[lists.lines]\neach = "order/line"\n'
        '[lists.lines.fields]\nsku = "item/sku"\nquantity = "quantity/value"\nbuyer = "/order/buyer/code"\n'
    )
    mapping = load(file, source=shape_of(purchasing, operation))
    made = mapping._of_objects(order)
    assert made == mapping.explain(order).values
    assert made["lines"][0]["buyer"] == "CO-NB01"
