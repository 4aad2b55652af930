"""A record on its way: what comes out, where it came from, and what is said of one that does not go through."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import BridgeError, MappingError, SettingsError
from bridge.mapping import Mapping, converters, load, shape_of
from bridge.mapping.explaining import as_json, lines, row
from bridge.mapping.page import html, markdown
from bridge.partners import entities

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples" / "mappings"


def account(tmp_path: Path | None = None) -> Mapping:
    crm, erp = entities.read(SAMPLES / "crm.toml").entities, entities.read(SAMPLES / "erp.toml").entities
    return load(SAMPLES / "account.toml", source=crm["accounts"].shape, target=erp["customers"].shape)


def record(name: str = "account") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"), parse_float=Decimal)
    return found


def test_the_sample_account_becomes_a_customer() -> None:
    made = account()(record())
    assert made["GRADE"] == "A"
    assert made["NAME1"] == "Ningbo Haitong Stainless Fasteners and P"
    assert made["NAME2"] == "recision Parts Co., Ltd."
    assert made["REVENUE_CNY"] == Decimal("9751500.00")
    assert made["CONTACTS"] == [{"NAME": "Lin Mei", "EMAIL": "lin.mei@haitong.example"}]


def test_every_target_field_says_where_it_came_from() -> None:
    found = account().explain(record())
    rows = {one.target: row(one) for one in found.traces}
    assert rows["GRADE"][1:4] == ("'A'", "level = 'gold'", "lookup grades: 'A'")
    assert rows["GRADE"][4].endswith("samples/mappings/account.toml:17")
    assert rows["SOURCE"][1:4] == ("'CRM'", "constant", "")
    assert rows["CONTACTS[1]/NAME"][2] == "name = ' Lin Mei '"
    written = as_json(found)
    assert json.loads(json.dumps(written)) == written
    assert written["values"]["REVENUE_CNY"] == "9751500.00"


def test_everything_that_is_wrong_with_a_record_is_told_at_once() -> None:
    bad = record() | {
        "level": "platinum",
        "currency": "XYZ",
        "modified_at": "soon",
        "id": "A" * 21,
        "active": None,
    }
    del bad["name"]
    bad["contacts"] = [{"name": " ", "email": 3}]
    with pytest.raises(MappingError) as caught:
        account()(bad)
    file = SAMPLES / "account.toml"
    told = {one.target: str(one) for one in caught.value.mistakes}
    assert set(told) == {
        "CUSTNO",
        "NAME1",
        "GRADE",
        "REVENUE_CNY",
        "CHANGED",
        "CONTACTS[1]/NAME",
        "CONTACTS[1]/EMAIL",
    }
    assert told["GRADE"].startswith(
        f"{file}:17: GRADE from level: 'platinum' was found, expected a value of the lookup grades: gold, silver, bronze. Then: add a row"
    )
    assert "expected a currency of the rates month_end: CNY, EUR, USD; 'XYZ' is none" in told["REVENUE_CNY"]
    assert "'soon' was found, expected milliseconds since 1970" in told["CHANGED"]
    assert "expected at most 20 characters; these are 21" in told["CUSTNO"]
    assert "NAME1 from name: nothing was found, expected a value, which the target requires" in told["NAME1"]
    assert "3 was found, expected a text" in told["CONTACTS[1]/EMAIL"]
    assert caught.value.whose == "sender"
    assert caught.value.repeat == "useless"
    assert isinstance(caught.value, BridgeError)
    assert len(list(lines(list(caught.value.mistakes)))) == 2 * len(told)


def test_a_refused_field_is_traced_back_to_its_rule() -> None:
    from bridge.contract import load as load_contract
    from bridge.shipped import contracts

    purchasing = load_contract(contracts("erp")["purchasing"])
    mapping = load(
        SAMPLES / "order.toml", target=shape_of(purchasing, purchasing.operations["CreatePurchaseOrder"])
    )
    assert mapping.origin("order/line[2]/item/sku") == (("article",), f"{SAMPLES}/order.toml:31")
    assert mapping.origin("/order/line") == (("items",), f"{SAMPLES}/order.toml:27")
    assert mapping.origin("order/nothing") is None


def test_a_constant_is_an_object_of_its_own_in_each_result(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[fields]\na = { value = ["x"] }\nb = { from = "b", default = ["y"] }\n')
    mapping = load(file)
    first = mapping({})
    first["a"].append("changed")
    first["b"].append("changed")
    assert mapping({}) == {"a": ["x"], "b": ["y"]}
    mapping.explain({}).values["a"].append("changed")
    assert mapping.explain({}).values == {"a": ["x"], "b": ["y"]}


def test_decimals_of_the_file_are_exact(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[fields]\na = { value = 0.1 }\nb = { from = "b", factor = 0.1 }\n')
    made = load(file)({"b": 3})
    assert made == {"a": Decimal("0.1"), "b": Decimal("0.3")}
    assert isinstance(made["a"], Decimal)


# -- functions of users


def clean(value: str) -> str:
    return value.replace("GmbH", "").strip()


def test_functions_are_named_in_the_mapping_or_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("shout", f"{__name__}:shout", converters.GROUP)
    monkeypatch.setattr(converters, "entry_points", lambda **_: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda _: str.upper)
    file = tmp_path / "m.toml"
    file.write_text(
        '[fields]\na = { from = "a", do = [{ function = "clean" }, { function = "shout" }] }\n'
        f'[functions]\nclean = "{__name__}:clean"\n'
    )
    assert load(file)({"a": "Muster GmbH"}) == {"a": "MUSTER"}


def test_a_function_that_cannot_be_imported_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[fields]\na = "a"\n[functions]\nf = "json:nothing"\ng = "json"\nh = "json:__name__"\n')
    with pytest.raises(SettingsError) as caught:
        load(file)
    told = [one.removeprefix(f"{file}:") for one in caught.value.mistakes]
    assert told[0].startswith("4: functions.f json:nothing cannot be imported: AttributeError")
    assert told[1].startswith('5: functions.g must be like "module:name"')
    assert told[2] == "6: functions.h json:__name__ is no function"


# -- the page


def test_the_page_shows_every_field_with_rule_owner_and_both_languages() -> None:
    mapping = account()
    page = html(mapping)
    for text in (
        "<h1>Accounts of the CRM become customers of the ERP</h1>", "<h1>CRM 客户同步为 ERP 客户</h1>", "Direction 方向", "every five minutes",
        "Trigger 触发方式", "Owner 负责人", "<td>Finance</td>", "contacts/email", "<td>gold</td><td>A</td>", "7.8012", "length(name) &gt; 40",
        "1. active", "What may not fit 可能不符合", "contacts/main",
    ):  # fmt: skip
        assert text in page, text
    for path, _ in mapping.rules.each():
        assert f"<td>{'/'.join(path)}</td>" in page


def test_a_flow_knows_better_than_the_file_when_it_runs() -> None:
    page = markdown(account(), {"frequency": "nightly", "trigger": "cron 30 2 * * *"})
    assert "| Frequency 频率 | nightly |" in page
    assert r"cron 30 2 \* \* \*" in page
    assert "every five minutes" not in page


def test_what_a_file_says_is_only_text_on_the_page(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        '[mapping]\ntitle = "<script>alert(1)</script>"\n[fields]\n"a|b" = { from = "x", replace = { "<b>" = "**" }, note = "<img src=x>" }\n'
    )
    mapping = load(file)
    for page in (html(mapping), markdown(mapping)):
        assert "<script>" not in page
        assert "<img" not in page
        assert "<b>" not in page
    assert r"a\|b" in markdown(mapping)
    rows = [line for line in markdown(mapping).splitlines() if line.startswith("| a")]
    assert rows[0].replace(r"\|", "").count("|") == 8
