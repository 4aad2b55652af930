from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.soap.same import same

XSI = "http://www.w3.org/2001/XMLSchema-instance"


def read(text: str) -> etree._Element:
    return etree.fromstring(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "<a xmlns='u'><b c='1' d='2'>x</b></a>",
            "<p:a xmlns:p='u'><q:b xmlns:q='u' d='2' c='1'>x</q:b></p:a>",
        ),
        ("<a>x<!-- y -->z<b/></a>", "<a>xz<b/></a>"),
        ("<a><![CDATA[<]]></a>", "<a>&lt;</a>"),
        (f"<a xmlns:i='{XSI}' xmlns:p='u' i:type='p:T'/>", f"<a xmlns:i='{XSI}' xmlns:q='u' i:type=' q:T'/>"),
    ],
)
def test_prefixes_and_comments_make_no_difference(one: str, other: str) -> None:
    assert same(read(one), read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<a/>", "<a xmlns='u'/>"),
        ("<a><b/><c/></a>", "<a><c/><b/></a>"),
        ("<a><b/></a>", "<a><b/><b/></a>"),
        ("<a>x</a>", "<a>x </a>"),
        ("<a><b/>x</a>", "<a>x<b/></a>"),
        ("<a c='1'/>", "<a c='2'/>"),
        ("<a c='1'/>", "<a/>"),
        (f"<a xmlns:i='{XSI}' xmlns:p='u' i:type='p:T'/>", f"<a xmlns:i='{XSI}' xmlns:p='v' i:type='p:T'/>"),
    ],
)
def test_everything_else_does(one: str, other: str) -> None:
    assert not same(read(one), read(other))


trees = st.recursive(
    st.text("ab ", max_size=3),
    lambda inner: st.tuples(
        st.sampled_from("xy"),
        st.dictionaries(st.sampled_from("mn"), st.sampled_from("12")),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


def build(tree: object, prefixes: str) -> etree._Element:
    root = etree.Element("{urn:r}root", nsmap={prefixes[0]: "urn:r", prefixes[1]: "urn:e"})
    _add(root, tree)
    return root


def _add(parent: etree._Element, tree: object) -> None:
    if isinstance(tree, str):
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + tree
        else:
            parent.text = (parent.text or "") + tree
        return
    assert isinstance(tree, tuple)
    name, attributes, children = tree
    child = etree.SubElement(parent, f"{{urn:e}}{name}", attributes)
    for one in children:
        _add(child, one)


@given(trees, trees)
def test_trees_are_the_same_when_their_canonical_forms_with_equal_prefixes_are(
    one: object, other: object
) -> None:
    assert same(build(one, "pq"), build(one, "uv"))
    equal = etree.tostring(build(one, "pq"), method="c14n") == etree.tostring(
        build(other, "pq"), method="c14n"
    )
    assert same(build(one, "pq"), build(other, "uv")) is equal
