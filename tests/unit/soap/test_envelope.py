from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.envelope import (
    NAMESPACES,
    Envelope,
    check_understood,
    fault_version,
    open_envelope,
    seal,
)
from bridge.soap.limits import Limits
from bridge.soap.media import Version
from bridge.soap.xml import parse

VERSIONS: tuple[Version, ...] = ("1.1", "1.2")
PAYLOAD = '<o xmlns="urn:x"/>'


def envelope(version: Version, inside: str, attributes: str = "") -> etree._Element:
    text = f'<s:Envelope xmlns:s="{NAMESPACES[version]}" {attributes}>{inside}</s:Envelope>'
    return parse(text.encode())[0]


def opened(version: Version, inside: str, attributes: str = "") -> Envelope:
    return open_envelope(envelope(version, inside, attributes))


def refused(version: Version, inside: str, attributes: str = "") -> Refusal:
    with pytest.raises(Refusal) as caught:
        opened(version, inside, attributes)
    return caught.value


# -- form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_envelope_gives_its_version_headers_and_payload(version: Version) -> None:
    found = opened(
        version,
        f'\n<!-- c --><s:Header>\n<a xmlns="urn:h"/><!-- c --><b xmlns="urn:h"/></s:Header>\n'
        f"<s:Body> <!-- c --> {PAYLOAD}\n</s:Body><!-- c -->",
    )
    assert found.version == version
    assert [block.tag for block in found.headers] == ["{urn:h}a", "{urn:h}b"]
    assert found.body is not None
    assert found.body.tag == "{urn:x}o"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_body_is_none_for_the_caller_to_decide(version: Version) -> None:
    assert opened(version, "<s:Body/>").body is None
    assert opened(version, "<s:Body> <!-- c --> </s:Body>").body is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<s:Header/>",
        f"<Body>{PAYLOAD}</Body>",
        f"<s:Body>{PAYLOAD}{PAYLOAD}</s:Body>",
        f"<s:Body>{PAYLOAD}<p xmlns='urn:other'/></s:Body>",
        f"<s:Body>{PAYLOAD}</s:Body><s:Body>{PAYLOAD}</s:Body>",
        f"<s:Body>{PAYLOAD}</s:Body><s:Header/>",
        f"<s:Body>{PAYLOAD}</s:Body><x xmlns='urn:x'/>",
        f"<s:Header/><s:Header/><s:Body>{PAYLOAD}</s:Body>",
        f"<x xmlns='urn:x'/><s:Body>{PAYLOAD}</s:Body>",
        f"text<s:Body>{PAYLOAD}</s:Body>",
        f"<s:Body>{PAYLOAD}</s:Body>text",
        f"<s:Body>text{PAYLOAD}</s:Body>",
        f"<s:Body>{PAYLOAD}text</s:Body>",
        f"<s:Body><!-- c -->text{PAYLOAD}</s:Body>",
        f"<s:Header>text</s:Header><s:Body>{PAYLOAD}</s:Body>",
        f"<s:Body>&#160;{PAYLOAD}</s:Body>",
        "<s:Body>text</s:Body>",
        "<s:Body><s:Fault/></s:Body>",
    ],
)
def test_rule_4_and_9_an_envelope_of_another_form_is_the_senders_fault(version: Version, inside: str) -> None:
    error = refused(version, inside)
    assert error.code == "Client"
    assert error.advice
    assert error.translations["zh"][0]


@pytest.mark.parametrize(
    "root",
    [
        '<s:Envelope xmlns:s="urn:nobody"><s:Body/></s:Envelope>',
        "<Envelope><Body/></Envelope>",
        '<o xmlns="urn:x"/>',
        f'<s:envelope xmlns:s="{NAMESPACES["1.2"]}"/>',
    ],
)
def test_rule_3_and_9_another_root_is_a_version_mismatch(root: str) -> None:
    with pytest.raises(Refusal) as caught:
        open_envelope(parse(root.encode())[0])
    assert caught.value.code == "VersionMismatch"


def test_in_1_1_only_the_namespace_tells_the_version() -> None:
    with pytest.raises(Refusal) as caught:
        open_envelope(parse(f'<s:Letter xmlns:s="{NAMESPACES["1.1"]}"/>'.encode())[0])
    assert caught.value.code == "Client"


def test_rule_9_a_1_1_message_at_a_node_that_speaks_only_1_2_gets_version_mismatch_in_1_1() -> None:
    root = envelope("1.1", f"<s:Body>{PAYLOAD}</s:Body>")
    with pytest.raises(Refusal) as caught:
        open_envelope(root, spoken=("1.2",))
    assert caught.value.code == "VersionMismatch"
    assert NAMESPACES["1.1"] not in caught.value.message.partition("Use")[2]
    assert fault_version(root, "1.2", ("1.2",)) == "1.1"


def test_a_fault_has_the_version_of_the_envelope_else_of_the_content_type_else_one_that_is_spoken() -> None:
    one, two = envelope("1.1", "<s:Body/>"), envelope("1.2", "<s:Body/>")
    assert (fault_version(one, "1.2"), fault_version(two, "1.1")) == ("1.1", "1.2")
    assert (fault_version(None, "1.2"), fault_version(None, "1.1")) == ("1.2", "1.1")
    assert fault_version(parse(b"<x/>")[0], "1.2") == "1.2"
    assert fault_version(two, "1.2", ("1.1",)) == "1.1"


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        (f"<s:Body>{PAYLOAD}</s:Body>", 's:encodingStyle="urn:x"'),
        (f'<s:Body s:encodingStyle="urn:x">{PAYLOAD}</s:Body>', ""),
        (f'<s:Header s:encodingStyle="urn:x"/><s:Body>{PAYLOAD}</s:Body>', ""),
    ],
)
def test_encoding_style_on_the_envelope_is_refused_in_1_2_and_passed_over_in_1_1(
    inside: str, attributes: str
) -> None:
    assert refused("1.2", inside, attributes).code == "Client"
    assert opened("1.1", inside, attributes).body is not None


def test_an_encoded_payload_is_data_encoding_unknown_in_1_2() -> None:
    form = '<s:Body><o xmlns="urn:x" s:encodingStyle="{}"/></s:Body>'
    assert (
        refused("1.2", form.format("http://www.w3.org/2003/05/soap-encoding")).code == "DataEncodingUnknown"
    )
    assert opened("1.2", form.format(f"{NAMESPACES['1.2']}/encoding/none")).body is not None


def test_names_that_answers_repeat_are_bounded() -> None:
    limits = Limits(max_name=20)
    for inside in (
        "<s:Body><{0}/></s:Body>",
        "<s:Header><{0}/></s:Header><s:Body/>",
        '<s:Body><o xmlns="{0}"/></s:Body>',
    ):
        open_envelope(envelope("1.1", inside.format("n" * 20)), limits=limits)
        with pytest.raises(Refusal, match="20 characters"):
            open_envelope(envelope("1.1", inside.format("n" * 21)), limits=limits)


# -- mustUnderstand -------------------------------------------------------------------------------------


def with_header(version: Version, attributes: str, name: str = "h") -> Envelope:
    block = f'<q:{name} xmlns:q="urn:h" {attributes}><inner s:mustUnderstand="1"/></q:{name}>'
    return opened(version, f"<s:Header>{block}</s:Header><s:Body>{PAYLOAD}</s:Body>")


def roles(version: Version) -> Iterator[tuple[str, bool]]:
    """(attribute, ours)"""
    if version == "1.1":
        yield from (
            ("", True),
            ('s:actor=""', True),
            ('s:actor="http://schemas.xmlsoap.org/soap/actor/next"', True),
            ('s:actor="urn:somebody"', False),
            ('s:role="urn:somebody"', True),
        )
        return
    for role, ours in (("next", True), ("ultimateReceiver", True), ("none", False), ("other", False)):
        yield f's:role="{NAMESPACES["1.2"]}/role/{role}"', ours
    yield from (("", True), ('s:role=""', True), ('s:role="urn:somebody"', False))


@pytest.mark.parametrize(
    ("version", "role", "ours"), [(version, *role) for version in VERSIONS for role in roles(version)]
)
@pytest.mark.parametrize("value", ["1", "true", " 1 ", "\ttrue\n"])
def test_rule_2_and_8_a_mandatory_header_of_our_role_that_nobody_understands_is_refused(
    version: Version, role: str, ours: bool, value: str
) -> None:
    found = with_header(version, f's:mustUnderstand="{value}" {role}')
    if not ours:
        check_understood(found, frozenset())
        assert found.our_headers == ()
        return
    with pytest.raises(Refusal) as caught:
        check_understood(found, frozenset())
    assert caught.value.code == "MustUnderstand"
    assert caught.value.not_understood == ("{urn:h}h",)
    check_understood(found, frozenset({"{urn:h}h"}))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "attribute", ["", 's:mustUnderstand="0"', 's:mustUnderstand=" false "', 'mustUnderstand="1"']
)
def test_a_header_that_need_not_be_understood_passes_whatever_is_nested_in_it(
    version: Version, attribute: str
) -> None:
    check_understood(with_header(version, attribute), frozenset())


@pytest.mark.parametrize("version", VERSIONS)
def test_rule_8_must_understand_of_the_other_version_means_nothing(version: Version) -> None:
    other = NAMESPACES["1.2" if version == "1.1" else "1.1"]
    check_understood(with_header(version, f'xmlns:o="{other}" o:mustUnderstand="1"'), frozenset())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", ["", "2", "yes", "TRUE", "wrong", "1 1", "x" * 5000])
def test_rule_8_any_other_value_of_must_understand_is_the_senders_fault(version: Version, value: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_understood(with_header(version, f's:mustUnderstand="{value}"'), frozenset({"{urn:h}h"}))
    assert caught.value.code == "Client"
    assert len(str(caught.value)) < 500


def test_rule_2_every_header_not_understood_is_named_up_to_a_bound_and_many_cost_little() -> None:
    blocks = "".join(f'<h{n} xmlns="urn:h" s:mustUnderstand="1"/>' for n in range(30_000))
    found = opened("1.2", f"<s:Header>{blocks}</s:Header><s:Body/>")
    start = time.process_time()
    with pytest.raises(Refusal) as caught:
        check_understood(found, frozenset())
    assert time.process_time() - start < 1
    assert caught.value.not_understood[:2] == ("{urn:h}h0", "{urn:h}h1")
    assert len(caught.value.not_understood) == 20


# -- seal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_sealed_opens_again(version: Version) -> None:
    body = seal(version, '<o xmlns="urn:x">采购</o>', '<h xmlns="urn:h"/>')
    found = open_envelope(parse(body)[0])
    assert found.version == version
    assert [block.tag for block in found.headers] == ["{urn:h}h"]
    assert found.body is not None
    assert (found.body.tag, found.body.text) == ("{urn:x}o", "采购")
    assert b"Header" not in seal(version, "")


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(VERSIONS), TEXT)
def test_a_payload_that_lxml_writes_survives_the_envelope(version: Version, text: str) -> None:
    element = etree.Element("{urn:x}o", nsmap={"p": "urn:p"}, a=text)
    element.text = text
    sealed = seal(version, etree.tostring(element, encoding="unicode"))
    found = open_envelope(parse(sealed)[0]).body
    assert found is not None
    assert etree.tostring(found, method="c14n", exclusive=True) == etree.tostring(
        element, method="c14n", exclusive=True
    )


PARTS = st.lists(
    st.sampled_from(
        ["<s:Header>", "</s:Header>", "<s:Body>", "</s:Body>", PAYLOAD, "<s:Fault/>", "text", " ", "<!-- c -->",
         '<h s:mustUnderstand="1"/>', '<h s:mustUnderstand="x" s:role="urn:r"/>', '<h xmlns="urn:h" s:actor=""/>',
         '<s:Body s:encodingStyle="x"/>', "<s:Header/>"]
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([*NAMESPACES.values(), "urn:other"]), PARTS)
def test_any_arrangement_of_parts_opens_or_is_refused(ns: str, parts: list[str]) -> None:
    try:
        found = open_envelope(parse(f'<s:Envelope xmlns:s="{ns}">{"".join(parts)}</s:Envelope>'.encode())[0])
        check_understood(found, frozenset())
    except Refusal:
        return
    assert NAMESPACES[found.version] == ns
    assert found.root.xpath("count(*[local-name() = 'Body'])") == 1
    assert found.root.xpath("local-name(*[last()])") == "Body"
    assert found.root.xpath("count(*[last()]/*)") == (found.body is not None)
    for holder in (found.root, *found.root):
        assert not "".join(holder.xpath("text()")).strip()


# -- lxml's traps -------------------------------------------------------------------------------------------


def test_rule_12_names_outside_ascii_survive_open_and_seal() -> None:
    found = open_envelope(parse(seal("1.1", '<订单 xmlns="urn:x" 编号="一"/>'))[0]).body
    assert found is not None
    assert (found.tag, found.get("编号")) == ("{urn:x}订单", "一")


def test_rule_12_the_payload_keeps_prefixes_that_only_its_values_use() -> None:
    found = opened("1.1", '<s:Body><o xmlns="urn:x" type="p:T"/></s:Body>', 'xmlns:p="urn:p"').body
    assert found is not None
    assert found.nsmap["p"] == "urn:p"


def test_rule_14_references_that_go_in_circles_are_left_as_they_are() -> None:
    found = opened("1.1", '<s:Body><o xmlns="urn:x" id="1"><p href="#1" id="1"/></o></s:Body>').body
    assert found is not None
    assert [element.get("href") for element in found.iter("*")] == [None, "#1"]


def test_rule_10_both_versions_are_spoken_at_one_address_unless_told_otherwise() -> None:
    assert [opened(version, "<s:Body/>").version for version in VERSIONS] == list(VERSIONS)
