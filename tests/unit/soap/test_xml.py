from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import Refusal
from bridge.soap import xml
from bridge.soap.limits import Limits
from bridge.soap.xml import parse

SMALL = Limits(
    max_depth=5, max_elements=10, max_attributes=8, max_element_attributes=3, max_prefixes=4, max_text=1024
)


def refused(body: bytes, limits: Limits = SMALL) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(body, limits=limits)
    return caught.value


# -- what SOAP forbids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE a><a/>",
        b'<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<!DOCTYPE a><a/>".encode("utf-16"),
        b"\xef\xbb\xbf\xef\xbb\xbf<!DOCTYPE a><a/>",
    ],
)
def test_rule_8_a_doctype_is_the_senders_fault(body: bytes) -> None:
    assert refused(body).code == "Client"


def test_a_billion_laughs_are_never_laughed() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    body = f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><a>&e9;</a>'.encode()
    start = time.process_time()
    assert "document type" in refused(body).message
    assert time.process_time() - start < 0.1


def test_comments_count_as_elements_for_they_take_as_much_memory() -> None:
    root, _ = parse(b"<a>" + b"<!---->" * 9 + b"</a>", limits=SMALL)
    assert len(root) == 9
    assert "more than 10 elements" in refused(b"<a>" + b"<!---->" * 10 + b"</a>").message
    assert "more than 10 elements" in refused(b"<!---->" * 10 + b"<a/>").message
    parse(b"<a>" + b"<![CDATA[<b/>]]>" * 20 + b"</a>", limits=SMALL)


@pytest.mark.parametrize("body", [b"<a>&foo;</a>", b'<a b="&foo;"/>', b"<a>&nbsp;</a>"])
def test_an_entity_that_xml_does_not_define_is_refused(body: bytes) -> None:
    assert "entity" in refused(body).message


@pytest.mark.parametrize(
    "body",
    [
        b"<?pi x?><a/>",
        b"<a><?pi x?></a>",
        b"<a/><?pi x?>",
        b'<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>',
        b'<?xml-stylesheet href="x"?><a/>',
        b"<!-- c --><?pi?><a/>",
    ],
)
def test_rule_8_a_processing_instruction_is_refused_wherever_it_stands(body: bytes) -> None:
    assert "processing instruction" in refused(body).message


@pytest.mark.parametrize(
    "body",
    [
        b"<a><![CDATA[<!DOCTYPE x><?pi?> &e; <b>]]></a>",
        b"<a>what? really?</a>",
        b"<!-- <!DOCTYPE a> --><a/>",
        b"<a><!-- <?pi?> <b> --></a>",
        b'<a b="?>"/>',
    ],
)
def test_what_only_looks_forbidden_passes(body: bytes) -> None:
    assert parse(body)[0].tag == "a"


def test_comments_stay_in_the_tree() -> None:
    root, _ = parse(b"<a><!-- c --><b/></a>")
    assert [type(child) for child in root] == [etree._Comment, etree._Element]


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_request_is_refused(body: bytes) -> None:
    assert refused(body).message == "The request is empty."


def test_nothing_is_fetched_for_xinclude_or_schema_hints() -> None:
    body = (
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        b' xsi:schemaLocation="urn:x http://127.0.0.1:9/x.xsd"><xi:include href="/etc/passwd"/></a>'
    )
    root, _ = parse(body)
    assert len(root) == 1
    assert len(root[0]) == 0


# -- well-formedness ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        (b"hello", "line 1, column 1", "does not begin with"),
        (b"<a>\n<b></a>", "line 2", "end tag"),
        (b"<a><b>", "line 1", "ends before"),
        (b"<a/>x", "line 1, column 5", "follows the end"),
        (b"<a b='1' b='2'/>", "line 1", "twice"),
        (b"<x:a/>", "line 1", "prefix"),
        (b"<a>\x01</a>", "line 1, column 4", "character"),
        (b"<a>&#0;</a>", "line 1", "character"),
        (b"<a b='<'/>", "line 1", "&lt;"),
        (b"<a> & </a>", "line 1", "&amp;"),
        (b"<a b=c/>", "line 1", "quotes"),
        (b"<a b/>", "line 1", "no value"),
        (b" <?xml version='1.0'?>x<a/>", "line 1", "processing instruction"),
        (b"<?xml version='2.0'?><a/>", "line 1", "rules of XML"),
    ],
)
def test_what_is_not_well_formed_is_refused_with_its_place_in_plain_words(
    body: bytes, place: str, words: str
) -> None:
    message = refused(body).message
    assert place in message
    assert words in message


def test_every_refusal_speaks_english_and_chinese() -> None:
    error = refused(b"<a>")
    message, advice = error.translations["zh"]
    assert message
    assert advice
    assert "第 1 行" in message


def test_rule_13_a_refusal_neither_repeats_long_input_nor_names_the_parser() -> None:
    name = b"secret" * 5000
    for body in (
        b"<" + name + b"></x>",
        b"<a>&" + name + b";</a>",
        b"<" + name + b":a/>",
        b"<a><" + name * 10 + b"/>",
    ):
        text = str(refused(body))
        assert len(text) < 400
        for inner in ("secret", "libxml", "xmlParse", "PARSE_HUGE", "<string>", "lxml"):
            assert inner not in text


def test_a_refused_request_leaves_the_parser_ready_for_the_next() -> None:
    for bad in (b"<a>", b"<a>\xff", b"<!DOCTYPE a><a/>", b"<a" * 300, b"<a>" * 300):
        refused(bad)
        assert parse(b"<a>ok</a>")[0].text == "ok"


# -- limits ------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


@pytest.mark.parametrize("depth", [5, 20, 100, 255])
def test_a_message_at_the_depth_limit_passes_and_one_beyond_it_does_not(depth: int) -> None:
    limits = Limits(max_depth=depth)
    assert parse(nested(depth), limits=limits)[0].tag == "a"
    assert f"deeper than {depth}" in refused(nested(depth + 1), limits).message
    assert f"deeper than {depth}" in refused(nested(10_000), limits).message


def test_the_depth_limit_sees_a_deep_branch_in_a_wide_document() -> None:
    body = b"<r>" + b"<x><y/></x>" * 1000 + nested(100) + b"<x/></r>"
    assert "deeper than 100" in refused(body, Limits()).message
    assert len(parse(body, limits=Limits(max_depth=101))[0]) == 1002


def test_a_message_at_the_element_limit_passes_and_one_beyond_it_does_not() -> None:
    assert len(parse(b"<a>" + b"<b/>" * 9 + b"</a>", limits=SMALL)[0]) == 9
    assert "10 elements" in refused(b"<a>" + b"<b/>" * 10 + b"</a>").message
    assert "10 elements" in refused(b"<a>" + b"<b></b>" * 10 + b"</a>").message


def test_markup_inside_cdata_and_comments_is_not_counted_as_elements() -> None:
    body = b"<a><![CDATA[" + b"<b/>" * 50 + b"]]><!--" + b"<b/>" * 50 + b"--></a>"
    assert parse(body, limits=SMALL)[0].text == "<b/>" * 50


def test_attributes_are_limited_in_all_and_on_one_element() -> None:
    assert parse(b'<a b="" c="" d=""/>', limits=SMALL)[0].attrib
    assert "3 attributes" in refused(b'<a b="" c="" d="" e=""/>').message
    assert "8 attributes" in refused(b"<a>" + b'<b c=""/>' * 9 + b"</a>").message
    assert parse(b"<a>" + b'<b c=""/>' * 8 + b"</a>", limits=SMALL)[0].tag == "a"


def test_an_element_with_501_attributes_is_found_in_a_large_message() -> None:
    def message(count: int) -> bytes:
        attributes = " ".join(f'a{n}=""' for n in range(count))
        return f"<r>{'<x>text</x>' * 500}<y {attributes}/>{'<x>text</x>' * 500}</r>".encode()

    assert parse(message(500))[0].tag == "r"
    assert "500 attributes" in refused(message(501), Limits()).message


def test_equals_signs_in_text_are_no_attributes() -> None:
    body = b"<a>" + b"=" * 50 + b"a=b&amp;" * 50 + b"</a>"
    assert parse(body, limits=SMALL)[0].text


def test_different_prefixes_are_limited_and_repeated_ones_are_not() -> None:
    many = "".join(f'<b xmlns:p{n}="u"/>' for n in range(5)).encode()
    assert "4 different" in refused(b"<a>" + many + b"</a>").message
    assert len(parse(b"<a>" + b'<b xmlns="u"/>' * 8 + b"</a>", limits=SMALL)[0]) == 8


LONG = "urn:" + "x" * 252


@pytest.mark.parametrize(
    "form",
    [
        '<a xmlns="{}"/>',
        "<a xmlns = '{}'/>",
        '<p:a xmlns:p="{}"/>',
        "<a><b/><c><p:d xmlns:p\n=\n'{}'/></c></a>",
        f'<a xmlns:{"p" * 300}="{{}}"/>',
        f'<a {" ".join(f"xmlns:p{number}={chr(34)}u{chr(34)}" for number in range(40))}><b xmlns="{{}}"/></a>',
    ],
)
def test_a_namespace_is_limited_wherever_it_is_declared(form: str) -> None:
    assert parse(form.format(LONG).encode())[0] is not None
    assert (
        "namespace of more than 256 characters" in refused(form.format(LONG + "x").encode(), Limits()).message
    )


@pytest.mark.parametrize(
    "text",
    [
        f"xmlns=&quot;{'x' * 300}",
        f'xmlns="{"x" * 300}"',
        f"<![CDATA[<a xmlns='{'x' * 300}'/>]]>",
        f"<!-- xmlns:{'x' * 300} -->",
        'xmlns="' * 40 + "x" * 400,
    ],
)
def test_what_text_says_of_namespaces_declares_none(text: str) -> None:
    assert parse(f"<a>{text}</a>".encode())[0].tag == "a"


@given(
    names=st.lists(st.integers(1, 20).map(lambda size: "urn:" + "x" * size), min_size=1, max_size=45),
    quote=st.sampled_from("\"'"),
    prefixed=st.booleans(),
)
def test_a_namespace_that_is_too_long_is_always_found(names: list[str], quote: str, prefixed: bool) -> None:
    form = "<p:b xmlns:p={}/>" if prefixed else "<b xmlns={}/>"
    elements = "".join(form.format(f"{quote}{name}{quote}") for name in names)
    body, limits = f"<a>{elements}</a>".encode(), Limits(max_name=16)
    if max(map(len, names)) > 16:
        assert "namespace of more than 16" in refused(body, limits).message
    else:
        parse(body, limits=limits)


@pytest.mark.parametrize("declared", ["xmlns", "xmlns:soap", "xmlns:" + "p" * 256])
def test_an_ordinary_declaration_has_nobody_walk_through_the_tree(declared: str) -> None:
    assert not xml._may_declare_longer(f'<a {declared}="urn:x" b="y"/>'.encode(), 256)
    assert xml._may_declare_longer(f'<a {declared}="{"u" * 257}"/>'.encode(), 256)


@pytest.mark.parametrize(
    "text", ["xmlns ", "xmlns:", "xmlns=", 'xmlns="', "xmlns" + " " * 100_000, "xmlns:" + "x" * 1000]
)
def test_looking_for_long_namespaces_takes_bounded_time(text: str) -> None:
    body = f"<a>{text * (4_000_000 // len(text))}</a>".encode()
    start = time.process_time()
    with contextlib.suppress(Refusal):  # what looks like attributes counts as such
        parse(body)
    assert time.process_time() - start < 2


def test_a_namespace_that_would_be_written_for_every_element_is_refused_before_it_is() -> None:
    body = f'<p:a xmlns:p="{"u" * 100_000}">{"<p:a/>" * 20_000}</p:a>'.encode()  # 2 GB as canonical XML
    assert "namespace" in refused(body, Limits()).message


@pytest.mark.parametrize("form", [b"<a>%s</a>", b'<a b="%s"/>'])
def test_one_text_is_limited(form: bytes) -> None:
    assert parse(form % (b"x" * 1024), limits=SMALL)[0].tag == "a"
    assert "1024 characters" in refused(form % (b"x" * 1025)).message


def test_the_size_is_limited_before_and_after_transcoding() -> None:
    limits = Limits(max_bytes=1024)
    assert refused(b"<a>" + b" " * 1024 + b"</a>", limits).status == 413
    body = "<a>".encode("gbk") + "采".encode("gbk") * 400 + b"</a>"
    with pytest.raises(Refusal) as caught:
        parse(body, charset="gbk", limits=limits)
    assert caught.value.status == 413


def test_a_stock_update_of_a_thousand_movements_and_an_order_of_several_megabytes_pass() -> None:
    movement = (
        "<movement xmlns=''>"
        + "".join(f"<field{n} unit='pcs'>12.50</field{n}>" for n in range(15))
        + "</movement>"
    )
    assert len(parse(f"<m xmlns='urn:x'>{movement * 1000}</m>".encode())[0]) == 1000
    line = "<line>" + "".join(f"<f{n}>{'text ' * 12}</f{n}>" for n in range(15)) + "</line>"
    body = f"<o>{line * 4000}</o>".encode()
    assert len(body) > 4_000_000
    assert len(parse(body)[0]) == 4000


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" + b"<b/>" * 2_000_000 + b"</a>",
        b"<a>" * 1_000_000,
        b"<a " + b'b="" ' * 1_500_000 + b"/>",
        b"<a " + b" ".join(b'b%d=""' % n for n in range(600_000)) + b"/>",
        b"<a " + b" ".join(b'xmlns:b%d="u"' % n for n in range(400_000)) + b"/>",
        b"<!--" * 2_000_000,
        b"<![CDATA[" * 1_000_000,
        b"<a>" + b"<!-- " * 1_500_000,
        b"<a>" + b"&#38;" * 2_000_000,
        b"<a>" + b"<" * 9_000_000,
        b"<?" * 4_000_000,
        b" " * 10_000_000 + b"<",
    ],
    ids=range(12),
)
def test_rule_limits_hostile_megabytes_are_refused_in_bounded_time(body: bytes) -> None:
    start = time.process_time()
    refused(body, Limits())
    assert time.process_time() - start < 3


# -- threads -----------------------------------------------------------------------------------------


def test_rule_11_no_refusal_under_sixteen_threads_tells_of_another_threads_request() -> None:
    wrong: list[str] = []
    start = threading.Barrier(16)

    def work(number: int) -> None:
        body = b"<a>" + b"\n" * number + b"</b>"
        start.wait()
        for _ in range(200):
            try:
                parse(body)
            except Refusal as error:
                if f"line {number + 1}," not in error.message:
                    wrong.append(error.message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- anything at all -----------------------------------------------------------------------------------

GOOD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<s:Header><h xmlns="urn:h" s:mustUnderstand="1">x</h></s:Header><!-- c --><s:Body><o xmlns="urn:x" a="1">'
    b"<![CDATA[<]]>&amp;&#65;</o></s:Body></s:Envelope>"
)
PIECES = st.sampled_from(
    [b"<", b">", b"&", b"<!DOCTYPE a>", b"<?x?>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\0", b"\xff", b"xmlns", b"=",
     b'"', b"</a>", b"&#x0;", b"&x;", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"<a/>", b"<x:y>", b"?>", b"\xe9\x87\x87", b" "]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    body = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 40))
        body[at : at + length] = draw(st.one_of(PIECES, st.binary(max_size=4)))
    return bytes(body)


@settings(max_examples=1000, deadline=None)
@given(mutated(), st.sampled_from([None, None, None, "utf-8", "utf-16", "gbk", "x"]))
def test_a_mutated_envelope_is_parsed_or_refused_and_never_anything_else(
    body: bytes, charset: str | None
) -> None:
    try:
        root, utf8 = parse(body, charset=charset)
    except Refusal:
        return
    # What passed is what lxml reads too, and free of what SOAP forbids.
    # (Not as C14N, which refuses relative namespace names.)
    assert etree.tostring(etree.fromstring(utf8)) == etree.tostring(root)
    assert root.getroottree().docinfo.internalDTD is None
    assert not list(root.iter(etree.PI, etree.Entity))


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
)
TREES = st.recursive(
    st.builds(lambda text: ("leaf", text), TEXTS),
    lambda inner: st.builds(lambda children: ("node", children), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def build(tree: tuple[str, object]) -> etree._Element:
    kind, content = tree
    element = etree.Element("{urn:x}" + kind)
    if isinstance(content, str):
        element.text = content
        element.set("a", content)
    elif isinstance(content, list):
        element.extend([build(child) for child in content])
    return element


@settings(max_examples=200, deadline=None)
@given(TREES, st.sampled_from(["utf-8", "utf-16", "gb18030", "us-ascii"]))
def test_what_lxml_writes_in_any_encoding_comes_back_the_same(
    tree: tuple[str, object], encoding: str
) -> None:
    element = build(tree)
    body = etree.tostring(element, encoding=encoding, xml_declaration=True)
    assert etree.tostring(parse(body)[0], method="c14n") == etree.tostring(element, method="c14n")


def test_the_module_keeps_one_parser_for_each_thread() -> None:
    parsers = [xml._tools.parser]
    thread = threading.Thread(target=lambda: parsers.append(xml._tools.parser))
    thread.start()
    thread.join()
    assert parsers[0] is xml._tools.parser
    assert parsers[0] is not parsers[1]
