"""Canonical octets, against Python's own canonicaliser where it knows the form, and against examples by hand where not."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.soap.security.canonical import EXCLUSIVE, FORMS, Canonical
from bridge.soap.xml import parse

INCLUSIVE = FORMS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]

_prefixes = st.sampled_from(["", "p", "q"])
_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r<&>\"'"), max_size=8
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0, scope: tuple[tuple[str, str], ...] = ()) -> str:
    """An element whose prefixes are declared on it or around it, often anew."""
    known = dict(scope)
    # Each namespace has one prefix: Python's parser tells namespaces, not prefixes.
    declared = {
        prefix: f"urn:{prefix or 'd'}{draw(st.integers(1, 2))}"
        for prefix in draw(st.sets(_prefixes, max_size=2))
    }
    if "" in known and draw(st.booleans()):
        declared[""] = ""
    known.update(declared)
    usable = [prefix for prefix in known if prefix]
    prefix = draw(st.sampled_from(["", *usable]))
    # Python takes an attribute without a prefix for a use of the default namespace, and then declares that twice.
    attributes = ""
    if usable and draw(st.booleans()):
        attributes = f' {draw(st.sampled_from(usable))}:m="{_escaped(draw(_texts))}"'
    markup = "".join(f' xmlns{":" * bool(name)}{name}="{uri}"' for name, uri in declared.items())
    name = f"{prefix}:e" if prefix else "e"
    inside = _escaped(draw(_texts)) + draw(st.sampled_from(["", "<!-- c -->"]))
    if depth < 3:
        for _ in range(draw(st.integers(0, 2))):
            inside += draw(elements(depth + 1, tuple(known.items())))
    return f"<{name}{markup}{attributes}>{inside}</{name}>"


def _escaped(text: str) -> str:
    for char in "&<>\"'\t\n\r":
        text = text.replace(char, f"&#{ord(char)};") if char != "&" else text.replace("&", "&amp;")
    return text


@settings(max_examples=150)
@given(elements(), st.booleans(), st.data())
def test_an_element_within_a_document_is_canonical_as_python_has_it(
    source: str, comments: bool, data: st.DataObject
) -> None:
    """Canonical XML 2.0 without its options is exclusive canonicalisation. It is given the element as a document of its own."""
    root = parse(source.encode())[0]
    chosen = data.draw(st.sampled_from(list(root.iter(etree.Element))))
    alone = etree.tostring(chosen, encoding="unicode", with_tail=False)
    assert Canonical(exclusive=True, comments=comments).octets(chosen).decode() == ET.canonicalize(
        alone, with_comments=comments
    )


AROUND = '<s:E xmlns:s="urn:s" xmlns="urn:d" xmlns:v="urn:v"><s:H/><s:B a="v:x"><s:c xmlns="urn:e"><d/></s:c></s:B></s:E>'


@pytest.mark.parametrize(
    ("prefixes", "canonical"),
    [
        ((), '<s:B xmlns:s="urn:s" a="v:x"><s:c><d xmlns="urn:e"></d></s:c></s:B>'),
        (("v",), '<s:B xmlns:s="urn:s" xmlns:v="urn:v" a="v:x"><s:c><d xmlns="urn:e"></d></s:c></s:B>'),
        (("none",), '<s:B xmlns:s="urn:s" a="v:x"><s:c><d xmlns="urn:e"></d></s:c></s:B>'),
        (("#default",), '<s:B xmlns="urn:d" xmlns:s="urn:s" a="v:x"><s:c xmlns="urn:e"><d></d></s:c></s:B>'),
        (
            ("#default", "v"),
            '<s:B xmlns="urn:d" xmlns:s="urn:s" xmlns:v="urn:v" a="v:x"><s:c xmlns="urn:e"><d></d></s:c></s:B>',
        ),
    ],
)
def test_listed_prefixes_count_although_no_name_uses_them(prefixes: tuple[str, ...], canonical: str) -> None:
    root = parse(AROUND.encode())[0]
    for _ in range(2):
        assert (
            Canonical(exclusive=True, comments=False, prefixes=prefixes).octets(root[1]).decode() == canonical
        )
    assert etree.tostring(root).decode() == AROUND


def test_inclusive_canonicalisation_takes_all_namespaces_that_are_in_force() -> None:
    root = parse(AROUND.encode())[0]
    assert INCLUSIVE.octets(root[1]).decode() == (
        '<s:B xmlns="urn:d" xmlns:s="urn:s" xmlns:v="urn:v" a="v:x"><s:c xmlns="urn:e"><d></d></s:c></s:B>'
    )


def test_inclusive_canonicalisation_below_xml_attributes_is_not_done() -> None:
    root = parse(AROUND.replace("<s:E ", '<s:E xml:lang="de" ').encode())[0]
    assert not INCLUSIVE.fits(root[1])
    assert FORMS[EXCLUSIVE].fits(root[1])
    assert INCLUSIVE.fits(root)
