from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.partners import entities

GOOD = """\
[partner]
base_url = "https://crm.example/api"

[entities.accounts]
id = "account_no"
changed = "updated_at"
path = "/accounts"

[entities.accounts.fields]
account_no = "text"
name = { type = "text", required = true, longest = 200, note = "Legal name." }
level = { type = "text", one_of = ["A", "B"] }
credit = { type = "decimal", digits = 18, fraction = 2, least = 0 }
updated_at = { type = "datetime", zone = "Asia/Shanghai" }
tags = { type = "list", of = "text" }
lines = { type = "list", fields = { sku = "text", quantity = "decimal" } }
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "crm.toml"
    file.write_text(text, "utf-8")
    return file


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        entities.read(write(folder, text))
    return [mistake.replace(f"{folder}/", "") for mistake in raised.value.mistakes]


def test_a_file_says_what_a_partner_has(tmp_path: Path) -> None:
    found = entities.read(write(tmp_path, GOOD))
    assert found.options == {"base_url": "https://crm.example/api"}
    accounts = found.entities["accounts"]
    assert (accounts.id, accounts.changed, accounts.options) == (
        "account_no",
        "updated_at",
        {"path": "/accounts"},
    )
    assert accounts.place.endswith("crm.toml:4")
    name = accounts.shape.fields["name"]
    assert (name.kind, name.required, name.longest, name.documentation) == (
        "text",
        True,
        200,
        {"en": "Legal name."},
    )
    assert name.place.endswith("crm.toml:11")
    assert accounts.shape.fields["level"].one_of == ("A", "B")
    assert accounts.shape.fields["updated_at"].zone == "Asia/Shanghai"
    tags, lines = accounts.shape.fields["tags"], accounts.shape.fields["lines"]
    assert (tags.kind, tags.repeats, lines.kind, lines.repeats) == ("text", True, "object", True)
    quantity = accounts.shape.find("lines/quantity")
    assert quantity is not None
    assert quantity.kind == "decimal"
    assert accounts.shape.find("lines/price") is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (('id = "account_no"', 'id = "acount_no"'), ["crm.toml:5: entities.accounts.id must name a field of it, not 'acount_no'; did you mean account_no?"]),
        (('id = "account_no"\n', ""), ["crm.toml:4: entities.accounts.id must name a field of it, not None; there are account_no, name, level, credit, updated_at, tags, lines"]),
        (('account_no = "text"', 'account_no = "string"'), ["crm.toml:10: entities.accounts.fields.account_no: there is no type 'string'; there are text, integer, decimal, boolean, date, datetime, object, list, any"]),
        (("required = true", 'required = "yes"'), ["crm.toml:11: entities.accounts.fields.name: required cannot be 'yes'"]),
        (("longest", "longst"), ["crm.toml:11: entities.accounts.fields.name has no key longst; did you mean longest?"]),
        (("Asia/Shanghai", "Asia/Shangai"), ['crm.toml:14: entities.accounts.fields.updated_at: there is no time zone \'Asia/Shangai\'; write it like "Asia/Shanghai"']),
        (('of = "text"', 'of = "list"'), ["crm.toml:15: entities.accounts.fields.tags: a list of 'list' is not known; give its fields, or of = \"text\""]),
        (("[partner]", "[partners]"), ["crm.toml:1: there is no section [partners]; there are [partner] and [entities.NAME]"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, changed: tuple[str, str], expected: list[str]
) -> None:
    assert mistakes(tmp_path, GOOD.replace(*changed)) == expected


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("required = true", "required = 1").replace('changed = "updated_at"', 'changed = "x"')
    assert len(mistakes(tmp_path, text)) == 2


def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no partner's file .*none\.toml"):
        entities.read(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"crm\.toml: Expected"):
        entities.read(write(tmp_path, "[partner"))


def test_fields_are_those_of_the_contract_where_there_is_one(tmp_path: Path) -> None:
    text = '[entities.orders]\nid = "orderNumber"\noperation = "ListPurchaseOrders"\n'
    found = entities.read(write(tmp_path, text), with_fields=False)
    assert found.entities["orders"].options == {"operation": "ListPurchaseOrders"}
    with pytest.raises(SettingsError, match=r"crm\.toml:6: the fields of orders are those of the contract"):
        entities.read(write(tmp_path, f'{text}\n[entities.orders.fields]\nx = "text"\n'), with_fields=False)
