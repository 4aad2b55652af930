from __future__ import annotations

import threading

import pytest
from lxml import etree

from bridge.contract.guard import Guard
from bridge.errors import InvalidMessage, InvalidReply, InvalidRequest

NAMES = '<xs:element name="e" type="xs:int"/><xs:element name="other" type="xs:int"/>'


def test_a_valid_message_passes(schema, doc) -> None:
    schema(NAMES).guard.check("{urn:t}e", doc("<e>1</e>"))


def test_another_element_of_the_contract_is_refused_though_it_is_valid(schema) -> None:
    one = schema(NAMES)
    other = etree.fromstring('<other xmlns="urn:t">1</other>')
    assert one.admits(other)
    with pytest.raises(InvalidRequest) as refused:
        one.guard.check("{urn:t}e", other)
    (violation,) = refused.value.violations
    assert violation.kind == "wrong-root"
    assert violation.path == "/other"
    assert violation.messages["en"] == "This operation takes e, not other."


def test_the_namespace_is_said_where_only_the_namespace_is_wrong(schema) -> None:
    with pytest.raises(InvalidRequest) as refused:
        schema(NAMES).guard.check("{urn:t}e", etree.fromstring("<e>1</e>"))
    assert refused.value.violations[0].messages["en"] == "This operation takes {urn:t}e, not e."


def test_the_callers_error_is_raised_with_every_violation(schema, doc) -> None:
    body = """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/>
        <xs:element name="b" type="xs:int"/></xs:sequence></xs:complexType></xs:element>"""
    with pytest.raises(InvalidReply) as refused:
        schema(body).guard.check("{urn:t}e", doc("<e><a>x</a><b>y</b></e>"), error=InvalidReply, what="reply")
    assert [v.path for v in refused.value.violations] == ["/e/a", "/e/b"]
    assert str(refused.value).startswith("The reply breaks its contract 2 times: /e/a: ")
    assert not refused.value.truncated


def test_an_element_that_is_missing_is_told_once_and_the_one_after_it_is_not_blamed(schema, doc) -> None:
    body = """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/>
        <xs:element name="b" type="xs:int"/><xs:element name="c" type="xs:int"/></xs:sequence></xs:complexType></xs:element>"""
    for message, told in (
        ("<e><b>1</b><c>1</c></e>", ["/e/a"]),
        ("<e><a>1</a><c>x</c></e>", ["/e/b", "/e/c"]),
        ("<e><a>1</a><b>1</b></e>", ["/e/c"]),
    ):
        with pytest.raises(InvalidRequest) as refused:
            schema(body).guard.check("{urn:t}e", doc(message))
        assert [v.path for v in refused.value.violations] == told


UNIQUE = """<xs:element name="e"><xs:complexType><xs:sequence>
    <xs:element name="item" maxOccurs="9"><xs:complexType><xs:attribute name="no" type="xs:int" use="required"/></xs:complexType></xs:element>
    <xs:element name="use" minOccurs="0" maxOccurs="9"><xs:complexType><xs:attribute name="no" type="xs:int"/></xs:complexType></xs:element>
    </xs:sequence></xs:complexType>
    <xs:key name="no" xmlns:t="urn:t"><xs:selector xpath="t:item"/><xs:field xpath="@no"/></xs:key>
    <xs:keyref name="used" refer="no" xmlns:t="urn:t"><xs:selector xpath="t:use"/><xs:field xpath="@no"/></xs:keyref></xs:element>"""


def test_rules_of_identity_are_told_in_libxml2s_words_at_named_paths(schema, doc) -> None:
    one = schema(UNIQUE.replace('refer="no"', 'refer="t:no"'))
    one.guard.check("{urn:t}e", doc('<e><item no="1"/><item no="2"/><use no="1"/></e>'))
    with pytest.raises(InvalidRequest) as refused:
        one.guard.check("{urn:t}e", doc('<e><item no="1"/><item no="1"/><use no="7"/><use no="x"/></e>'))
    found = [(v.kind, v.path) for v in refused.value.violations]
    assert ("identity", "/e/item[2]") in found
    assert ("identity", "/e/use[1]") in found
    assert ("type", "/e/use[2]/@no") in found
    assert "Duplicate key-sequence" in refused.value.violations[0].messages["en"]


REFERENCES = """<xs:element name="e"><xs:complexType><xs:sequence>
    <xs:element name="id" type="xs:ID" maxOccurs="3"/><xs:element name="to" type="xs:IDREFS" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>"""


def test_a_reference_that_leads_nowhere_is_refused(schema, doc) -> None:
    one = schema(REFERENCES)
    one.guard.check("{urn:t}e", doc("<e><id>a</id><id>b</id><to>b a</to></e>"))
    lost = doc("<e><id>a</id><to>a c</to></e>")
    assert one.admits(lost)
    with pytest.raises(InvalidRequest) as refused:
        one.guard.check("{urn:t}e", lost)
    assert [(v.kind, v.path, v.found) for v in refused.value.violations] == [("dangling-idref", "/e/to", "c")]
    with pytest.raises(InvalidRequest) as refused:
        one.guard.check("{urn:t}e", doc("<e><id>a</id><id>a</id></e>"))
    assert [(v.kind, v.path) for v in refused.value.violations] == [("duplicate-id", "/e/id[2]")]


def test_no_refusal_is_without_a_reason(schema, doc) -> None:
    """An attribute that a wildcard admits is judged by libxml2 alone; its words are passed on."""
    body = """<xs:element name="e"><xs:complexType><xs:anyAttribute namespace="##any" processContents="strict"/>
        </xs:complexType></xs:element>"""
    with pytest.raises(InvalidRequest) as refused:
        schema(body).guard.check("{urn:t}e", doc('<e zzz="1"/>'))
    (violation,) = refused.value.violations
    assert (violation.kind, violation.path) == ("other", "/e/@zzz")
    assert "No matching global attribute declaration" in violation.messages["en"]


def test_a_silent_refusal_still_gives_a_violation(schema, doc) -> None:
    class Silent:
        error_log = ()

        def validate(self, element: object) -> bool:
            return False

    class Bundle:
        documents = ()

        def compile(self) -> Silent:
            return Silent()

        def compile_anew(self) -> Silent:
            return Silent()

    guard = Guard(Bundle(), schema(NAMES).model)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest) as refused:
        guard.check("{urn:t}e", doc("<e>1</e>"))
    assert len(refused.value.violations) == 1


def test_prefixes_declared_outside_the_element_count(schema) -> None:
    body = '<xs:element name="e" type="xs:QName"/>'
    envelope = etree.fromstring('<s xmlns:p="urn:p"><e xmlns="urn:t">p:x</e><e xmlns="urn:t">q:x</e></s>')
    one = schema(body)
    one.guard.check("{urn:t}e", envelope[0])
    with pytest.raises(InvalidRequest):
        one.guard.check("{urn:t}e", envelope[1])


def test_no_thread_is_told_another_threads_values(schema, doc) -> None:
    guard = schema('<xs:element name="e" type="xs:int"/>').guard
    wrong: list[object] = []

    def work(name: str) -> None:
        for number in range(200):
            value = f"{name}-{number}"
            try:
                guard.check("{urn:t}e", doc(f"<e>{value}</e>"))
                wrong.append(value)
            except InvalidMessage as refused:
                if [v.found for v in refused.violations] != [value]:
                    wrong.append(refused.violations)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
