"""Mappings by file where documents are sent, and where a bridge is checked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge
from bridge.contract.codec.as_json import read
from bridge.errors import MappingError, SettingsError, Unpresentable
from bridge.mapping import Asked
from bridge.partners.entities import read as read_entities
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.mappings import Mappings
from bridge.partners.partner import Query

SAMPLES = Path(__file__).parents[3] / "samples" / "mappings"
SETTINGS = """
[store]
url = "sqlite:///{folder}/bridge.sqlite"
[data]
folder = "{folder}/data"
[partners.backoffice]
wsdl = "purchasing"
endpoint = "http://127.0.0.1:9/purchasing"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with settings and the sample mappings."""
    (tmp_path / "bridge.toml").write_text(SETTINGS.format(folder=tmp_path))
    shutil.copytree(SAMPLES, tmp_path / "mappings")
    for partner_file in ("crm.toml", "erp.toml"):
        (tmp_path / "partners").mkdir(exist_ok=True)
        shutil.move(tmp_path / "mappings" / partner_file, tmp_path / "partners" / partner_file)
    for file in ("account.toml", "order.toml"):
        mapping = tmp_path / "mappings" / file
        mapping.write_text(
            mapping.read_text()
            .replace('"crm.toml#', '"../partners/crm.toml#')
            .replace('"erp.toml#', '"../partners/erp.toml#')
        )
    return tmp_path


@pytest.fixture
def bridge(project: Path) -> Iterator[Bridge]:
    made = Bridge.load(project / "bridge.toml")
    yield made
    assert made.store is not None
    made.store.close()


def order() -> dict[str, Any]:
    values: dict[str, Any] = read((SAMPLES / "order.json").read_bytes())
    return values


def test_a_document_is_sent_by_a_mapping_in_a_file_from_the_folder_of_the_settings(bridge: Bridge) -> None:
    backoffice = bridge.partner("backoffice")
    with bridge.transaction():
        document = backoffice.send(
            "CreatePurchaseOrder", order(), mapping="mappings/order.toml", ordering_key="CRM-2025-00417"
        )
    assert "crm-CRM-2025-00417" in document.payload
    assert "BRG-6204-2RS" in document.payload
    assert "2500" in document.payload


def test_what_does_not_go_through_is_not_accepted_and_says_why(bridge: Bridge) -> None:
    backoffice = bridge.partner("backoffice")
    bad = order()
    bad["items"][1]["unit"] = "barrel"
    with bridge.transaction(), pytest.raises(MappingError) as caught:
        backoffice.send("CreatePurchaseOrder", bad, mapping="mappings/order.toml")
    (mistake,) = caught.value.mistakes
    assert mistake.target == "order/line[2]/quantity/unit"
    assert mistake.found == "barrel"
    assert Path(mistake.place.rpartition(":")[0]).name == "order.toml"


def test_what_the_contract_refuses_behind_the_mapping_names_a_field_whose_rule_can_be_found(
    bridge: Bridge,
) -> None:
    backoffice = bridge.partner("backoffice")
    bad = order() | {"ship_to": "wh nb"}
    with bridge.transaction(), pytest.raises(Unpresentable) as caught:
        backoffice.send("CreatePurchaseOrder", bad, mapping="mappings/order.toml")
    (violation,) = caught.value.violations
    origin = bridge.mappings.load("mappings/order.toml").origin(
        violation.path.removeprefix("/CreatePurchaseOrder/")
    )
    assert origin is not None
    assert origin[0] == ("ship_to",)
    assert origin[1].endswith("mappings/order.toml:22")


def test_a_function_and_a_mapping_do_as_well(bridge: Bridge) -> None:
    backoffice = bridge.partner("backoffice")
    mapping = bridge.mappings.load("mappings/order.toml")
    with bridge.transaction():
        by_function = backoffice.send("CreatePurchaseOrder", order(), mapping=lambda values: mapping(values))
        by_mapping = backoffice.send("CreatePurchaseOrder", order(), mapping=mapping)
    assert by_function.payload == by_mapping.payload


def test_a_mapping_is_proved_against_the_operation_that_is_sent(bridge: Bridge) -> None:
    with bridge.transaction(), pytest.raises(SettingsError) as caught:
        bridge.partner("backoffice").send("CancelPurchaseOrder", order(), mapping="mappings/order.toml")
    assert any("orderNumber is required there, and no rule fills it" in one for one in caught.value.mistakes)


def test_the_check_proves_every_mapping_beside_the_settings(project: Path, bridge: Bridge) -> None:
    bridge.check()
    file = project / "mappings" / "account.toml"
    file.write_text(
        file.read_text().replace('CUSTNO = "id"', 'CUSTNO = "idd"').replace('value = "CRM"', 'value = "MRC"')
    )
    (project / "mappings" / "lost.toml").write_text(
        '[mapping]\nsource = "crn#accounts"\ntarget = "backoffice#GetPurchaseOder"\n[fields]\na = "b"\n'
    )
    again = Bridge(bridge.settings)
    with pytest.raises(SettingsError) as caught:
        again.check()
    told = [one.removeprefix(f"{project}/mappings/") for one in caught.value.mistakes]
    assert told[:2] == [
        "account.toml:14: idd: accounts has no field idd in the source; did you mean id?",
        "account.toml:28: SOURCE: the constant 'MRC' does not fit: expected one of CRM, ERP",
    ]
    assert told[2].startswith(
        "lost.toml:1: source = 'crn#accounts': There is no partner and no shipped contract crn"
    )
    assert told[3] == (
        "lost.toml:1: target = 'backoffice#GetPurchaseOder': purchasing has no operation GetPurchaseOder; did you mean "
        "GetPurchaseOrder?"
    )
    assert len(told) == 4


# -- partners of other kinds


@dataclass
class Written:
    entries: list[Any]


class Rows:
    """A backend that has two levels and takes nothing."""

    can_find = False

    def scan(self, entity: Any, fields: list[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        assert entity.name == "levels"
        assert fields == ["crm", "erp"]
        yield [("1", "gold", "A"), ("2", "silver", "B")]
        yield [("3", "bronze", "C"), ("4", None, "D")]

    def address(self) -> str:
        return "memory"


def erp(folder: Path, accepted: Written, mappings: Mappings) -> EntityPartner:
    from bridge.settings import Partner as Options

    described = read_entities(folder / "erp.toml").entities
    return EntityPartner(
        "erp", Options(), described, Rows(), accept=accepted.entries.append, mappings=mappings
    )  # type: ignore[arg-type]


def test_a_partner_of_another_kind_takes_mappings_too_and_has_rows_for_lookups(tmp_path: Path) -> None:
    (tmp_path / "erp.toml").write_text(
        '[entities.levels]\nid = "id"\n[entities.levels.fields]\nid = "text"\ncrm = "text"\nerp = "text"\n'
        '[entities.customers]\nid = "no"\n[entities.customers.fields]\nno = { type = "text", required = true }\n'
        'grade = { type = "text", one_of = ["A", "B", "C"] }\nlimit = "decimal"\n'
    )
    (tmp_path / "customer.toml").write_text(
        '[mapping]\ntarget = "erp#customers"\n[fields]\nno = { from = "id", required = true }\ngrade = { from = "level", lookup = "levels" }\n'
        'limit = { from = "limit", default = 0 }\n'
        '[lookups.levels]\npartner = "erp"\nentity = "levels"\nfrom = "crm"\nto = "erp"\n'
    )
    accepted = Written([])
    partners: dict[str, Any] = {}
    mappings = Mappings(tmp_path, ["erp"], partners.__getitem__)
    partners["erp"] = erp(tmp_path, accepted, mappings)

    partners["erp"].send(
        "customers.upsert", {"id": "7", "level": "bronze", "limit": Decimal("1.5")}, mapping="customer.toml"
    )
    assert '"grade":"C"' in accepted.entries[0].payload
    assert mappings.load("customer.toml")({"id": "8"}) == {"no": "8", "limit": 0}
    with pytest.raises(MappingError, match="a value of the lookup levels: gold, silver, bronze"):
        partners["erp"].send("customers.upsert", {"id": "7", "level": "iron"}, mapping="customer.toml")
    with pytest.raises(SettingsError, match=r"There is no partner epr in the settings; did you mean erp\?"):
        list(mappings.rows(Asked("epr", "levels", "crm", "erp")))
