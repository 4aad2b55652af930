from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.idempotency import KeyPath, _digest

NAMES = st.from_regex(r"[A-Za-z_订单][A-Za-z0-9_.订单-]{0,8}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=5), st.text("abc 12", min_size=1))
def test_a_path_finds_the_text_at_its_end_whatever_the_namespaces(names: list[str], text: str) -> None:
    payload = node = etree.Element("{urn:a}Payload")
    for depth, name in enumerate(names):
        node.append(etree.Comment("not an element"))
        node = etree.SubElement(node, f"{{urn:{depth % 2}}}{name}")
    node.text = text
    assert KeyPath.read("/".join(names)).find(payload) == (" ".join(text.split()) or None)


@given(st.lists(NAMES, max_size=3), NAMES)
def test_an_attribute_stands_at_the_end_of_a_path(names: list[str], attribute: str) -> None:
    payload = node = etree.Element("Payload")
    for name in names:
        node = etree.SubElement(node, name)
    node.set(attribute, " 17 ")
    path = KeyPath.read("/".join([*names, f"@{attribute}"]))
    assert path.find(payload) == "17"
    assert KeyPath.read("/".join([*names, "@-absent"])).find(payload) is None


@pytest.mark.parametrize("text", ["", "/", "a//b", "a[1]", "@", "a/@", "{urn:x}a", "count(a)", "a:b"])
def test_what_is_no_path_of_names_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no path of names"):
        KeyPath.read(text)


def test_an_element_that_is_missing_or_empty_carries_no_id() -> None:
    payload = etree.fromstring("<a><b> </b><c/></a>")
    assert [KeyPath.read(path).find(payload) for path in ("b", "c", "d", "b/d", "@x")] == [None] * 5


def test_the_content_of_a_request_is_its_canonical_form() -> None:
    def digest(text: str) -> bytes:
        envelope = etree.fromstring(text)
        return _digest(envelope[0] if envelope.tag == "e" else envelope)

    first = digest("<e xmlns:z='urn:z'><a xmlns='urn:a' x='1' y='2'><b/></a></e>")
    assert first == digest('<a xmlns="urn:a" y="2" x="1"><b></b></a>')
    assert first != digest("<a xmlns='urn:a' x='1' y='2'><b> </b></a>")
    assert first != digest("<a xmlns='urn:b' x='1' y='2'><b/></a>")
    assert _digest(None) != first


def test_a_namespace_without_canonical_form_is_no_error_of_ours() -> None:
    """Whoever sends one is told by the schema that it is not valid."""
    one, other = (etree.fromstring(f'<a xmlns="relative">{text}</a>') for text in "12")
    assert _digest(one) == _digest(one)
    assert _digest(one) != _digest(other)
