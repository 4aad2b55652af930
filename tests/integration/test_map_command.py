"""`soapbridge map`: samples as users type them, from JSON and from XML; what is wrong ends it with 1."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import commands
from bridge.errors import SettingsError

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "mappings"
ORDER = ROOT / "samples" / "purchasing" / "CreatePurchaseOrder" / "good-1-line-soap11.xml"
FROM_XML = """[mapping]
source = "purchasing#CreatePurchaseOrder"
[fields]
NUMBER = "order/buyerReference"
BUYER = "order/buyer/code"
[lists.LINES]
each = "order/line"
[lists.LINES.fields]
SKU = "item/sku"
QTY = "quantity/value"
"""


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLES, tmp_path / "mappings")


def run(*words: str, status: int = 0, stdin: bytes | None = None) -> str:
    done = CliRunner().invoke(commands("map"), ["map", *words], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


def test_a_record_goes_through_and_its_values_are_json() -> None:
    made = json.loads(run("mappings/account.toml", "mappings/account.json"))
    assert made["GRADE"] == "A"
    assert made["REVENUE_CNY"] == "9751500.00"
    order = json.loads(run("mappings/order.toml", "mappings/order.json"))
    assert [line["quantity"] for line in order["order"]["line"]] == [
        {"value": "1200", "unit": "H87"},
        {"value": "2500", "unit": "KGM"},
    ]


def test_explained_every_field_has_its_source_and_the_rule_as_the_file_was_typed() -> None:
    text = run("mappings/account.toml", "mappings/account.json", "--explain")
    (line,) = [line for line in text.splitlines() if line.startswith("GRADE")]
    assert line.split() == [
        "GRADE",
        "'A'",
        "level",
        "=",
        "'gold'",
        "lookup",
        "grades:",
        "'A'",
        "mappings/account.toml:17",
    ]


def test_programs_get_values_fields_and_mistakes() -> None:
    good = json.loads(run("mappings/account.toml", "mappings/account.json", "--json"))
    assert good["ok"] is True
    assert good["values"]["COUNTRY"] == "CN"
    bad = json.loads(Path("mappings/account.json").read_text()) | {"level": "iron"}
    made = json.loads(run("mappings/account.toml", "-", "--json", status=1, stdin=json.dumps(bad).encode()))
    assert made["ok"] is False
    assert [one["target"] for one in made["mistakes"]] == ["GRADE"]
    assert made["mistakes"][0]["found"] == "iron"
    assert made["mistakes"][0]["place"] == "mappings/account.toml:17"


def test_a_record_that_does_not_go_through_ends_with_1_and_what_to_do() -> None:
    bad = json.loads(Path("mappings/order.json").read_text()) | {"ordered_on": "2025-12-30"}
    text = run("mappings/order.toml", "-", status=1, stdin=json.dumps(bad).encode())
    assert "order/orderDate from ordered_on: '2025-12-30' was found, expected a date like DD.MM.YYYY" in text
    assert "mappings/order.toml:16" in text
    assert "1 value could not go through" in text


def test_what_the_targets_contract_refuses_is_said_too() -> None:
    bad = json.loads(Path("mappings/order.json").read_text()) | {"ship_to": "wh nb"}
    text = run("mappings/order.toml", "-", status=1, stdin=json.dumps(bad).encode())
    assert "the target's contract: /CreatePurchaseOrder/order/shipTo/warehouse" in text


def test_an_envelope_and_a_payload_are_read_by_the_sources_contract() -> None:
    Path("from-xml.toml").write_text(FROM_XML)
    made = json.loads(run("from-xml.toml", str(ORDER)))
    assert made["BUYER"] == "CO-NB01"
    assert len(made["LINES"]) == 1
    import lxml.etree as etree

    payload = etree.tostring(etree.fromstring(ORDER.read_bytes())[-1][0])
    assert json.loads(run("from-xml.toml", "-", stdin=payload)) == made


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (("mappings/account.toml", "-"), b"<a/>", "the mapping names no WSDL that it belongs to"),
        (("mappings/account.toml", "-"), b"{", "is neither JSON nor XML"),
        (("mappings/account.toml", "-"), b"[1]", "is no record"),
        (("mappings/account.toml", "gone.json"), None, "gone.json cannot be read"),
        (("from-xml.toml", "-"), b"<a/>", "has <a>, and the mapping takes <{urn:soapbridge:erp:purchasing:1}CreatePurchaseOrder>"),
        (("mappings/gone.toml", "--check"), None, "There is no mapping mappings/gone.toml"),
        (("mappings/account.toml",), None, "There is nothing to do"),
        (("mappings/account.toml", "--page", "page.pdf"), None, "page.pdf is no page"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(words: tuple[str, ...], stdin: bytes | None, told: str) -> None:
    Path("from-xml.toml").write_text(FROM_XML)
    with pytest.raises(SettingsError) as caught:
        run(*words, stdin=stdin)
    assert told in str(caught.value)


def test_the_check_proves_and_names_what_may_not_fit() -> None:
    text = run("mappings/account.toml", "--check")
    assert "mappings/account.toml:26: REVENUE_CNY has 17 digits there, and any number here" in text
    assert "mappings/account.toml: not carried over: contacts/main" in text
    assert "Proved: 15 rules" in text
    found: dict[str, Any] = json.loads(run("mappings/account.toml", "--check", "--json"))
    assert found["not_carried_over"] == ["contacts/main"]


def test_a_mapping_with_mistakes_ends_with_1_and_all_of_them() -> None:
    file = Path("mappings/account.toml")
    file.write_text(file.read_text().replace('"level"', '"levl"').replace("CUSTNO", "CUSTOMER"))
    text = run("mappings/account.toml", "--check", status=1)
    assert (
        "mappings/account.toml:17: levl: accounts has no field levl in the source; did you mean level?"
        in text
    )
    assert "mappings/account.toml:14: CUSTOMER: customers has no field CUSTOMER there" in text
    assert "3 mistakes in mappings/account.toml" in text
    assert len(json.loads(run("mappings/account.toml", "--check", "--json", status=1))["mistakes"]) == 3


def test_pages_are_written_for_people() -> None:
    assert "Written: page.html" in run("mappings/order.toml", "--page", "page.html")
    assert "Purchasing" in Path("page.html").read_text("utf-8")
    run("mappings/order.toml", "--page", "page.md")
    assert "| Trigger 触发方式 | event |" in Path("page.md").read_text("utf-8")
