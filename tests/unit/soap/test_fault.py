from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import bridge
from bridge.errors import DecodeError, InvalidReply, InvalidRequest, Refusal, StoreBusy, StoreError
from bridge.soap.detail import VIOLATIONS_NS, refusal_detail, violations_detail
from bridge.soap.envelope import NAMESPACES
from bridge.soap.fault import Fault, declared_fault, fault_bytes, from_error, http_headers, http_status
from bridge.soap.media import Version
from bridge.soap.reason import Reason
from bridge.soap.refusals import REASONS, refuse

VERSIONS: tuple[Version, ...] = ("1.1", "1.2")
EXCHANGE = "01JEXCHANGE"
S12 = f"{{{NAMESPACES['1.2']}}}"
V = f"{{{VIOLATIONS_NS}}}"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
SCHEMA = etree.XMLSchema(
    etree.parse(Path(bridge.__file__).parent.parent / "xsd" / "common" / "violations-1.xsd")
)


@dataclass(frozen=True)
class Words:
    language: str
    text: str


@dataclass(frozen=True)
class Breach:
    kind: str = "pattern"
    path: str = "/o/line[2]/@unit"
    offset: int | None = 17
    line: int | None = 3
    found: str = "<x>"
    expected: str = "a unit"
    messages: dict[str, str] = field(default_factory=lambda: {"en": "No unit.", "zh": "没有单位。"})
    documentation: tuple[Words, ...] = (Words("en", "The unit."), Words("", "Einheit"))


def invalid(
    error: type[InvalidRequest | InvalidReply] = InvalidRequest, count: int = 1, truncated: bool = False
) -> InvalidRequest | InvalidReply:
    return error("breaks its contract", [Breach()] * count, truncated=truncated)  # type: ignore[list-item]


def fault_of(version: Version, fault: Fault) -> etree._Element:
    root = etree.fromstring(fault_bytes(version, fault))
    found = root.find(f"{{{NAMESPACES[version]}}}Body/{{{NAMESPACES[version]}}}Fault")
    assert found is not None
    return found


def simple(**changes: object) -> Fault:
    given: dict[str, object] = {
        "code": "Client",
        "reasons": {"en": "No.", "zh": "不。"},
        "exchange_id": EXCHANGE,
    }
    return Fault(**{**given, **changes})  # type: ignore[arg-type]


# -- form ---------------------------------------------------------------------------------------------------


def test_rule_3_the_children_of_a_1_1_fault_have_no_namespace_and_stand_in_order() -> None:
    fault = fault_of("1.1", simple(role="urn:us", detail="<d/>"))
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "faultactor", "detail"]


def test_rule_3_there_is_no_empty_faultactor() -> None:
    assert fault_of("1.1", simple()).find("faultactor") is None


@pytest.mark.parametrize(
    ("code", "in_11", "in_12", "status_12"),
    [
        ("Client", "Client", "Sender", 400),
        ("Server", "Server", "Receiver", 500),
        ("MustUnderstand", "MustUnderstand", "MustUnderstand", 500),
        ("VersionMismatch", "VersionMismatch", "VersionMismatch", 500),
        ("DataEncodingUnknown", "Client", "DataEncodingUnknown", 500),
    ],
)
def test_rule_1_3_and_6_codes_and_http_statuses(code: str, in_11: str, in_12: str, status_12: int) -> None:
    fault = simple(code=code)
    assert fault_of("1.1", fault).findtext("faultcode") == f"soap:{in_11}"
    assert fault_of("1.2", fault).findtext(f"{S12}Code/{S12}Value") == f"soap:{in_12}"
    assert http_status("1.1", fault) == 500
    assert http_status("1.2", fault) == status_12


def test_rule_1_a_refusal_of_http_keeps_its_own_status_and_headers() -> None:
    fault = from_error(refuse("method", method="PUT", headers=(("Allow", "GET, POST"),)), EXCHANGE)
    assert http_status("1.1", fault) == http_status("1.2", fault) == 405
    assert ("Allow", "GET, POST") in http_headers("1.1", fault)


def test_rule_6_faults_too_have_the_media_type_of_their_version() -> None:
    assert ("Content-Type", "application/soap+xml; charset=utf-8") in http_headers("1.2", simple())
    assert ("Content-Type", "text/xml; charset=utf-8") in http_headers("1.1", simple())
    assert ("X-Exchange-Id", EXCHANGE) in http_headers("1.1", simple())


def test_rule_7_the_children_of_a_1_2_fault_stand_in_order_and_its_one_text_has_its_language() -> None:
    fault = fault_of("1.2", simple(role="urn:us", detail="<d/>"))
    assert [child.tag for child in fault] == [f"{S12}{name}" for name in ("Code", "Reason", "Role", "Detail")]
    assert [text.get(XML_LANG) for text in fault.iter(f"{S12}Text")] == ["en"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("", "No."),
        ("zh", "不。"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "不。"),
        ("fr, ZH-Hant;q=0.5", "不。"),
        ("fr", "No."),
        ("en-GB, zh", "No."),
        ("*", "No."),
        (",;,", "No."),
    ],
)
def test_the_reason_is_told_in_the_language_asked_for_where_there_is_one(
    version: Version, wanted: str, text: str
) -> None:
    root = etree.fromstring(fault_bytes(version, simple(), language=wanted))
    (told,) = [*root.iter("faultstring"), *root.iter(f"{S12}Text")]
    assert (told.text or "").startswith(text)


def test_rule_7_subcodes_nest_with_bound_prefixes_and_1_1_sends_the_most_special() -> None:
    fault = simple(subcodes=("{urn:a}General", "{urn:b}Special"))
    value = fault_of("1.1", fault).find("faultcode")
    assert value is not None
    assert (value.text, value.nsmap["q"]) == ("q:Special", "urn:b")
    values = list(fault_of("1.2", fault).iter(f"{S12}Value"))
    assert [value.text for value in values] == ["soap:Sender", "q:General", "q:Special"]
    assert [value.nsmap.get("q") for value in values] == [None, "urn:a", "urn:b"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", ["MustUnderstand", "VersionMismatch"])
def test_rule_2_a_fault_about_a_header_has_no_detail(version: Version, code: str) -> None:
    fault = simple(code=code, detail="<d/>")
    assert b"<d/>" not in fault_bytes(version, fault)
    assert EXCHANGE.encode() in fault_bytes(version, fault)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("spoken", [("1.2", "1.1"), ("1.2",), ("1.1",)])
def test_rule_9_a_version_mismatch_lists_the_versions_spoken(
    version: Version, spoken: tuple[Version, ...]
) -> None:
    root = etree.fromstring(fault_bytes(version, simple(code="VersionMismatch", spoken=spoken)))
    header = root.find(f"{{{NAMESPACES[version]}}}Header")
    assert header is not None
    supported = header.findall(f"{S12}Upgrade/{S12}SupportedEnvelope")
    assert [one.get("qname") for one in supported] == ["q:Envelope"] * len(spoken)
    assert [one.nsmap["q"] for one in supported] == [NAMESPACES[one] for one in spoken]


def test_rule_9_a_1_2_must_understand_fault_names_what_was_not_understood() -> None:
    fault = simple(code="MustUnderstand", not_understood=("{urn:h}a", "{urn:'&}b", "c"))
    root = etree.fromstring(fault_bytes("1.2", fault))
    blocks = root.findall(f"{S12}Header/{S12}NotUnderstood")
    assert [block.get("qname") for block in blocks] == ["q:a", "q:b", "c"]
    assert [block.nsmap.get("q") for block in blocks] == ["urn:h", "urn:'&", None]
    assert b"NotUnderstood" not in fault_bytes("1.1", fault)


def test_further_header_blocks_go_along() -> None:
    root = etree.fromstring(fault_bytes("1.2", simple(code="VersionMismatch"), "<h xmlns='urn:h'/>"))
    header = root.find(f"{S12}Header")
    assert header is not None
    assert [block.tag for block in header] == [f"{S12}Upgrade", "{urn:h}h"]


def test_a_declared_fault_has_the_contracts_element_alone_in_its_detail() -> None:
    fault = declared_fault("Not found.", '<NotFound xmlns="urn:f">x</NotFound>', EXCHANGE)
    detail = fault_of("1.1", fault).find("detail")
    assert detail is not None
    assert [child.tag for child in detail] == ["{urn:f}NotFound"]
    assert fault_of("1.1", fault).findtext("faultstring") == f"Not found. [exchange {EXCHANGE}]"


# -- what it tells --------------------------------------------------------------------------------------------


def values_of(reason: Reason) -> set[str]:
    """The names of the values that its texts are filled with."""
    texts = (reason.english, reason.english_advice, reason.chinese, reason.chinese_advice)
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


ERRORS: list[BaseException] = [
    *(refuse(key, **dict.fromkeys(values_of(reason), "X")) for key, reason in REASONS.items()),
    refuse("addressing_repeated", header="To", subcodes=["{urn:a}A"]),
    Refusal("Written by somebody else."),
    invalid(),
    invalid(InvalidReply),
    DecodeError("No number.", path="/o"),
    StoreBusy("locked: /var/lib/secret"),
    StoreError("cannot open /var/lib/secret"),
    ValueError("secret of another client"),
    KeyboardInterrupt(),
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_fault_is_well_formed_carries_the_exchange_id_and_a_valid_detail(
    version: Version, error: BaseException
) -> None:
    fault = from_error(error, EXCHANGE)
    body = fault_bytes(version, fault)
    assert EXCHANGE.encode() in body
    assert b"secret" not in body
    for element in fault_of(version, fault).iter(f"{V}violations", f"{V}refusal"):
        SCHEMA.assertValid(etree.fromstring(etree.tostring(element)))
        assert element.get("exchange") == EXCHANGE
        assert {text.get(XML_LANG) for text in element.iter(f"{V}message")} >= {"en"}


@pytest.mark.parametrize(
    ("error", "code", "whose", "repeat"),
    [
        (refuse("doctype"), "Client", "sender", "useless"),
        (refuse("busy"), "Server", "receiver", "safe"),
        (refuse("slow_body"), "Client", "sender", "safe"),
        (DecodeError("No."), "Client", "sender", "useless"),
        (invalid(InvalidReply), "Server", "receiver", "useless"),
        (StoreBusy("x"), "Server", "receiver", "safe"),
        (RuntimeError("x"), "Server", "receiver", "unknown"),
    ],
)
def test_a_fault_says_whose_it_is_and_whether_to_repeat(
    error: BaseException, code: str, whose: str, repeat: str
) -> None:
    fault = from_error(error, EXCHANGE)
    refusal = etree.fromstring(fault.detail)
    assert fault.code == code
    assert (refusal.get("whose"), refusal.get("repeat")) == (whose, repeat)


def test_a_broken_contract_lists_every_violation_with_the_authors_words() -> None:
    fault = from_error(invalid(count=2), EXCHANGE)
    detail = etree.fromstring(fault.detail)
    assert (detail.get("total"), detail.get("truncated")) == ("2", "false")
    first = detail[0]
    assert first.get("kind") == "pattern"
    assert [(child.tag.removeprefix(V), child.get(XML_LANG), child.text) for child in first] == [
        ("path", None, "/o/line[2]/@unit"),
        ("offset", None, "17"),
        ("line", None, "3"),
        ("found", None, "<x>"),
        ("expected", None, "a unit"),
        ("message", "en", "No unit."),
        ("message", "zh", "没有单位。"),
        ("documentation", "en", "The unit."),
        ("documentation", None, "Einheit"),
    ]
    assert "2 places" in fault.reasons["en"]
    assert "/o/line[2]/@unit: No unit." in fault.reasons["en"]


def test_only_so_many_violations_are_listed_and_the_fault_says_so() -> None:
    detail = etree.fromstring(violations_detail([Breach()] * 150, EXCHANGE))
    assert (len(detail), detail.get("total"), detail.get("truncated")) == (100, "150", "true")
    assert "at least 1 places" in from_error(invalid(truncated=True), EXCHANGE).reasons["en"]


def test_unknown_places_are_left_out() -> None:
    detail = violations_detail([Breach(offset=None, line=None, documentation=())], EXCHANGE)
    SCHEMA.assertValid(etree.fromstring(detail))
    assert "offset" not in detail


# -- hostile text -----------------------------------------------------------------------------------------------

ANY = st.text(st.characters(codec=None), max_size=50)


@settings(deadline=None)
@given(ANY, ANY, st.sampled_from(VERSIONS))
def test_rule_13_whatever_is_quoted_the_fault_stays_well_formed(
    text: str, other: str, version: Version
) -> None:
    breach = Breach(path=text, found=other, expected=text, messages={"en": text}, kind=other)
    for fault in (
        Fault(code="Client", reasons={"en": text, "zh": other}, exchange_id=EXCHANGE, role=text),
        from_error(InvalidRequest("x", [breach]), EXCHANGE),  # type: ignore[list-item]
        from_error(Refusal(text, advice=other), EXCHANGE),
        from_error(refuse("media_type", found=text), EXCHANGE),
        declared_fault(
            text, refusal_detail({"en": (text, other)}, text, whose="sender", repeat="safe"), EXCHANGE
        ),
    ):
        fault_of(version, fault)


def test_rule_13_an_echo_is_bounded() -> None:
    long = "x" * 1_000_000
    breach = Breach(
        path=long, found=long, expected=long, messages={"en": long}, documentation=(Words("en", long),)
    )
    for error in (
        InvalidRequest("x", [breach]),  # type: ignore[list-item]
        Refusal(long, advice="a"),
        DecodeError(long),
        refuse("media_type", found=long),
    ):
        assert len(fault_bytes("1.2", from_error(error, EXCHANGE))) < 8000


# -- the schema of the detail -----------------------------------------------------------------------------------


def test_every_element_and_attribute_of_the_detail_is_documented_in_english_and_chinese() -> None:
    xs = "{http://www.w3.org/2001/XMLSchema}"
    path = Path(bridge.__file__).parent.parent / "xsd" / "common" / "violations-1.xsd"
    declarations = list(
        etree.parse(path).getroot().iter(f"{xs}element", f"{xs}attribute", f"{xs}complexType")
    )
    assert len(declarations) > 20
    for declaration in declarations:
        texts = declaration.findall(f"{xs}annotation/{xs}documentation")
        assert [text.get(XML_LANG) for text in texts] == ["en", "zh"], declaration.attrib


def test_the_table_of_reasons_has_both_languages_for_every_reason() -> None:
    for key, reason in REASONS.items():
        assert reason.english, key
        assert reason.english_advice, key
        assert any(char >= "\u4e00" for char in reason.chinese), key
        assert any(char >= "\u4e00" for char in reason.chinese_advice), key
