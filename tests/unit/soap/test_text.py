from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.soap.text import attribute, clip, echo, escape, local_name, namespace


def legal(text: str) -> str:
    ranges = ((0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    return "".join(
        char if char in "\t\n\r" or any(low <= ord(char) <= high for low, high in ranges) else "\ufffd"
        for char in text
    )


@given(st.text(st.characters(codec=None)))
def test_any_text_survives_as_content_and_as_attribute_with_illegal_characters_replaced(text: str) -> None:
    root = etree.fromstring(f"<a b={attribute(text)}>{escape(text)}</a>".encode())
    assert (root.text or "") == legal(text)
    assert root.get("b") == legal(text)


@given(st.text(st.characters(codec=None), max_size=600))
def test_an_echo_is_one_printable_line_of_bounded_length(text: str) -> None:
    piece = echo(text)
    assert len(piece) <= 200
    assert piece.replace(" ", "").isprintable()


def test_an_echo_tells_that_it_was_cut() -> None:
    assert echo("x" * 201) == "x" * 199 + "…"
    assert echo("x" * 200) == "x" * 200
    assert clip("a\nb", 3) == "a\nb"


def test_clark_names_come_apart() -> None:
    assert (namespace("{urn:x}a"), local_name("{urn:x}a")) == ("urn:x", "a")
    assert (namespace("a"), local_name("a")) == ("", "a")
