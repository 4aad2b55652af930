"""The hand-over sheet says all that a partner needs, nothing that is not so, and no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from lxml import etree

from bridge import shipped
from bridge.app import Bridge
from bridge.cli.bridges import shipped_bridge
from bridge.contract import Contract
from bridge.errors import InvalidMessage
from bridge.handover import LANGUAGES, Language, as_html, as_markdown, sheet_of
from bridge.handover.document import Code, Document, Link, Listing, Paragraph, Table, spans
from bridge.handover.words import FAULT_TODO, WORDS
from bridge.settings import (
    Caller,
    Contracts,
    Data,
    Erp,
    Idempotency,
    Role,
    Server,
    Service,
    Settings,
    Store,
    Tls,
)

CONTRACTS = Path(__file__).parents[2] / "contracts"
ADDRESS = "https://bridge.example/erp"
SECRETS = ("hunter2", "/very/secret/folder", "db.internal", "key-of-ours.pem", "WH-HIDDEN")

each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(
        data=Data(folder=Path("/very/secret/folder")),
        server=Server(contact="Ms Example, +49 40 555 0100", threads=3, waiting=5),
        store=Store(url="postgresql+psycopg://bridge:hunter2@db.internal/erp"),
        tls=Tls(
            certificate=Path("/very/secret/folder/c.pem"),
            key=Path("/very/secret/folder/key-of-ours.pem"),
            client_ca=Path("/very/secret/folder/ca.pem"),
        ),
        idempotency=Idempotency(keep=12.5),
        contracts=Contracts(zone="Asia/Shanghai"),
        erp=Erp(warehouses=("WH-HIDDEN",)),
    )


@pytest.fixture(scope="module")
def bridge(settings: Settings) -> Bridge:
    return shipped_bridge(settings, store=False)


def sheet(bridge: Bridge, language: Language = "en", **more: Any) -> Document:
    return sheet_of(list(bridge.services.values()), bridge.settings, ADDRESS, language=language, **more)


def contracts(bridge: Bridge) -> dict[str, Contract]:
    return {service.name: service.contract for service in bridge.services.values()}


def samples(document: Document) -> Iterator[etree._Element]:
    for block in document.blocks:
        if isinstance(block, Listing) and block.kind == "xml":
            yield etree.fromstring(block.text)


def payload(sample: etree._Element) -> etree._Element:
    if etree.QName(sample).localname != "Envelope":
        return sample
    (found,) = sample.iterfind("{*}Body/*")
    return found


@each_language
def test_every_operation_and_fault_of_every_contract_is_in_it(bridge: Bridge, language: Language) -> None:
    text = as_markdown(sheet(bridge, language))
    for name, contract in contracts(bridge).items():
        assert f"{ADDRESS}/services/{name}>" in text
        assert f"{ADDRESS}/services/{name}?wsdl>" in text
        for operation in contract.operations.values():
            assert f"### {operation.name}" in text
            assert f"| `{operation.name}` |" in text
            assert min(operation.soap_actions) in text
            for fault in operation.faults:
                assert f"| `{fault}` |" in text
    assert set(shipped.contracts("erp")) == set(contracts(bridge))


@each_language
def test_its_samples_are_what_the_contract_admits(bridge: Bridge, language: Language) -> None:
    known = {
        element: contract
        for contract in contracts(bridge).values()
        for operation in contract.operations.values()
        for element in (operation.input, operation.output, *operation.faults.values())
        if element is not None
    }
    seen = set()
    for sample in samples(sheet(bridge, language)):
        found = payload(sample)
        detail = found.find("detail/*")
        found = found if detail is None else detail
        seen.add(found.tag)
        if found.tag in known:
            source = etree.tostring(found)
            known[found.tag].guard.check(
                str(found.tag), found, source=source, error=InvalidMessage, what="sample"
            )
    operations = [one for contract in contracts(bridge).values() for one in contract.operations.values()]
    assert {one.input for one in operations} | {one.output for one in operations} <= seen
    assert "{urn:soapbridge:violations:1}violations" in seen


@each_language
def test_it_holds_nothing_of_the_settings_but_what_is_meant_for_a_partner(
    bridge: Bridge, language: Language
) -> None:
    for text in (as_markdown(sheet(bridge, language)), as_html(sheet(bridge, language))):
        assert not [secret for secret in SECRETS if secret in text]


def test_it_says_what_the_settings_say(bridge: Bridge) -> None:
    text = as_markdown(sheet(bridge))
    for told in (
        "Ms Example, +49 40 555 0100",
        "12.5 days",
        "Asia/Shanghai is meant",
        "above 3 at once they wait, above 5 more",
        "A client certificate is required",
        "--cert client.pem",
        "* HTTPS.",
        "10 MB",
    ):
        assert told in text
    assert "Ask Bob" in as_markdown(sheet(bridge, contact="Ask Bob"))


def test_it_tells_a_caller_how_to_say_who_it_is_what_it_may_do_and_how_much(settings: Settings) -> None:
    crm = Caller(
        roles=("buyer",),
        requires=("timestamp",),
        requires_for={"purchasing.CreatePurchaseOrder": "signature"},
        signed_headers=("MessageID",),
        signed_replies=True,
        rate=2.5,
        in_flight=4,
    )
    roles = {"buyer": Role(operations=("purchasing.CreatePurchaseOrder",))}
    known = replace(settings, callers={"crm": crm, "rival": Caller(rate=77.7)}, roles=roles)
    bridge = shipped_bridge(known, store=False)
    text = as_markdown(sheet(bridge, caller="crm"))
    for told in (
        "# How to call purchasing\n",
        "`X-API-Key`",
        "-H 'X-API-Key: …'",
        "the name `crm`",
        "hold for 300 seconds",
        "Security header: timestamp.",
        "`purchasing.CreatePurchaseOrder` must carry in addition: signature.",
        "there is a signature: MessageID.",
        "faults too, are signed",
        "| Requests a second | 2.5; more get 429 |",
        "at the same time | 4 |",
        "HTTP 401",
    ):
        assert told in text
    for nothing in ("GetPurchaseOrder", "rival", "77.7", "No user name"):
        assert nothing not in text
    everybody = as_markdown(sheet(bridge))
    assert "GetPurchaseOrder" in everybody
    assert "the name `your name here`" in everybody
    assert "2.5; more" not in everybody


def test_where_nobody_has_to_be_known_it_asks_for_no_key(settings: Settings) -> None:
    text = as_markdown(sheet(shipped_bridge(Settings(), store=False)))
    assert "No user name, password or token is asked for" in text
    assert "X-API-Key" not in text


def test_a_bridge_without_a_store_promises_no_first_answer(bridge: Bridge) -> None:
    kept, not_kept = as_markdown(sheet(bridge)), as_markdown(sheet(bridge, remembers=False))
    assert "| Request id | `requestId` in the payload |" in kept
    assert "12.5 days" not in not_kept
    assert "Request id |" not in not_kept
    assert "a repeat is done again" in not_kept


def test_the_request_id_is_where_the_payload_has_it(bridge: Bridge) -> None:
    text = as_markdown(sheet(bridge))
    read = text.partition("### GetPurchaseOrder")[2].partition("###")[0]
    placed = text.partition("### CreatePurchaseOrder")[2].partition("###")[0]
    assert "`requestId` in the payload" in placed
    assert "none in the payload" in read


def test_it_is_the_same_every_time(bridge: Bridge, settings: Settings) -> None:
    again = shipped_bridge(settings, store=False)
    assert as_html(sheet(bridge)) == as_html(sheet(again))
    assert as_markdown(sheet(bridge, "zh")) == as_markdown(sheet(again, "zh"))


def test_one_service_alone_is_its_only_subject(bridge: Bridge) -> None:
    service = bridge.services["/services/inventory"]
    text = as_markdown(sheet_of([service], bridge.settings, ADDRESS))
    assert text.startswith("# How to call inventory\n")
    assert "CreatePurchaseOrder" not in text


def test_only_operations_with_a_handler_are_offered() -> None:
    bridge = Bridge(store=False)
    stock = bridge.serve(shipped.contracts("erp")["inventory"])
    stock.operation("GetStock")(lambda request, call: None)
    text = as_markdown(sheet(bridge))
    assert "### GetStock" in text
    assert "UpdateStock" not in text
    assert "InsufficientStock" not in text


@pytest.mark.parametrize(
    "name",
    ["one-way", "rpc-literal", "headers", "faults", "any-type-alone", "awkward-names", "empty", "binary"],
)
def test_it_is_made_for_any_contract(name: str) -> None:
    bridge = Bridge(store=False)
    service = bridge.serve(CONTRACTS / f"{name}.wsdl")
    for key, operation in service.contract.operations.items():
        if operation.problem is None:
            service.operation(key)(lambda request, call: None)
    made = sheet(bridge, "zh")
    text = as_markdown(made)
    assert service.handlers
    assert all(f"### {key}" in text.replace("\\", "") for key in service.handlers)
    assert list(samples(made))


def test_in_html_it_shows_all_that_markdown_does_and_no_markup_of_a_contract(bridge: Bridge) -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.add(tag)

    reader = Reader()
    reader.feed(as_html(sheet(bridge, contact="<script>alert(1)</script> & co")))
    assert "script" not in reader.tags
    assert {"table", "pre", "code", "h2"} <= reader.tags
    assert 'lang="zh"' in as_html(sheet(bridge, "zh"))


# -- words and document ----------------------------------------------------------------------------------------


def test_every_language_has_the_same_words_with_the_same_places_to_fill() -> None:
    def places(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name)

    english = {name: places(text) for name, text in WORDS["en"].items()}
    for language in LANGUAGES:
        assert {name: places(text) for name, text in WORDS[language].items()} == english
        assert FAULT_TODO[language].keys() == FAULT_TODO["en"].keys()
        assert all(text.count("`") % 2 == 0 for text in WORDS[language].values())


def test_every_word_is_used() -> None:
    source = (Path(shipped.__file__).parents[1] / "handover/sheet.py").read_text("utf-8")
    used = set(re.findall(r'"(\w+)"', source))
    ways = {f"{name}_{way}" for name in used for way in ("means", "repeat")}
    ways |= {"security_client_required", "security_client_optional"}
    assert set(WORDS["en"]) <= used | ways


def test_every_fault_that_has_advice_is_one_of_the_shared() -> None:
    root = etree.parse(shipped.XSD / "common" / "faults-1.xsd").getroot()
    names = {one.get("name") for one in root.iterfind("{http://www.w3.org/2001/XMLSchema}element")}
    assert set(FAULT_TODO["en"]) <= names


def test_text_from_elsewhere_shows_as_it_is() -> None:
    hostile = "a|b *c* _d_ `e` <f> [g](h) # i\nj \\"
    made = Document("t", "en", [Table(("x",), (((hostile,), (Code("p|q `r`"),)),)), Paragraph((hostile,))])
    markdown, html = as_markdown(made), as_html(made)
    assert "a\\|b \\*c\\* \\_d\\_ \\`e\\` \\<f\\> \\[g\\](h) \\# i j \\\\" in markdown
    assert "`` p\\|q `r` ``" in markdown
    assert "a|b *c* _d_ `e` &lt;f&gt; [g](h) # i\nj \\" in html


def test_a_listing_with_fences_in_it_gets_a_longer_fence() -> None:
    text = as_markdown(Document("t", "en", [Listing("<a>\n```\n</a>")]))
    assert "````xml\n<a>\n```\n</a>\n````" in text


def test_what_is_filled_in_is_text_and_never_markup() -> None:
    assert spans("see `{path}` now: {who}", path="a/b", who="`x`") == ("see ", Code("a/b"), " now: `x`")
    assert as_html(Document("t", "en", [Paragraph((Link("http://x/?a=1&b=2"),))])).count("&amp;b=2") == 2


# -- the command ---------------------------------------------------------------------------------------------


def test_the_command_writes_what_the_file_name_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from bridge.cli import app

    monkeypatch.chdir(tmp_path)
    Path("bridge.toml").write_text('[server]\npublic_url = "https://b.example"\n', "utf-8")
    for file, start in (("sheet.html", "<!doctype html>"), ("sheet.md", "# How to call purchasing")):
        done = CliRunner().invoke(app, ["handover", "--service", "purchasing", "-o", file])
        assert done.exit_code == 0, done.output
        assert Path(file).read_text("utf-8").startswith(start)
        assert "https://b.example/services/purchasing" in Path(file).read_text("utf-8")
        assert "names nobody to ask" in done.stderr
        assert "public_url" not in done.stderr
    printed = CliRunner().invoke(app, ["handover", "--language", "zh", "--contact", "张三"])
    assert re.match(r"# [\w、]*inventory、purchasing[\w、]* 接口对接说明\n", printed.stdout)
    assert "张三" in printed.stdout


def test_the_sheet_of_a_bridge_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from bridge.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    wsdl = shipped.contracts("erp")["inventory"]
    Path("own_desk.py").write_text(
        "from bridge import Bridge\n"
        "bridge = Bridge.load(store=False)\n"
        f"stock = bridge.serve({str(wsdl)!r})\n"
        "@stock.operation('GetStock')\n"
        "def get_stock(request, call): ...\n",
        "utf-8",
    )
    done = CliRunner().invoke(app, ["handover", "own_desk:bridge"])
    assert done.exit_code == 0, done.output
    assert "### GetStock" in done.stdout
    assert "left out: " in done.stderr
    assert "UpdateStock has no handler" in done.stderr
    assert "a repeat is done again" in done.stdout


def test_a_service_that_is_not_there_is_named_with_those_that_are(bridge: Bridge) -> None:
    from bridge.cli.handover import _chosen
    from bridge.errors import SettingsError

    with pytest.raises(SettingsError, match=r"no service marketing.*inventory, purchasing"):
        _chosen(bridge, ["purchasing", "marketing"])
    with pytest.raises(SettingsError, match="serves no contract"):
        _chosen(Bridge(replace(bridge.settings), store=False), [])


def test_each_service_is_named_beside_its_zone_where_they_differ(settings: Settings) -> None:
    names = list(shipped_bridge(settings, store=False).services)
    first, *others = [name.removeprefix("/services/") for name in names]
    bridge = shipped_bridge(replace(settings, services={first: Service(zone="America/Lima")}), store=False)
    text = as_markdown(sheet(bridge))
    assert f"America/Lima ({first})" in text
    assert f"Asia/Shanghai ({', '.join(others)})" in text
