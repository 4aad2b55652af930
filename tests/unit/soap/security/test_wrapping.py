"""Signature wrapping, in the variants of tests/wrapping.py, and by moving anything anywhere.

Whatever is done to the message, one of two things must be: it is refused, or what is covered is what the reader will take.
"""

from __future__ import annotations

import copy
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.security import DS, SECURITY, WSU
from bridge.soap.security.signature import Signed
from bridge.soap.security.signing import BODY, TIMESTAMP
from bridge.soap.xml import parse
from tests.signatures import (
    HEADERS,
    MESSAGE_ID,
    NOW,
    body_of,
    envelope,
    identity,
    signed,
    verified,
)
from tests.wrapping import (
    ATTACKS,
    Attack,
    body_as_child_of_security,
    body_as_header_block,
    header,
    security,
    timestamp_as_header_block,
)

PARTS = (BODY, TIMESTAMP, MESSAGE_ID)


@cache
def as_sent() -> bytes:
    return etree.tostring(signed(envelope(headers=HEADERS), PARTS))


def message() -> etree._Element:
    """Signed over Body, Timestamp and MessageID."""
    return parse(as_sent())[0]


def read_by_the_receiver(root: etree._Element) -> list[etree._Element | None]:
    """Where `open_envelope` and the reader of the Security header find what was signed."""
    return [
        body_of(root),
        security(root).find(f"{{{WSU}}}Timestamp"),
        next((block for block in header(root) if block.tag == MESSAGE_ID), None),
    ]


def test_the_honest_message_covers_what_is_read() -> None:
    root = message()
    found = verified(root)
    assert all(found.covers(element) for element in read_by_the_receiver(root))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_no_wrapping_passes_for_the_message_that_was_signed(attack: Attack) -> None:
    root = message()
    attack(root)
    root = parse(etree.tostring(root))[0]  # as it would arrive
    try:
        found = verified(root)
    except Refusal:
        return
    assert not all(found.covers(element) for element in read_by_the_receiver(root))


@pytest.mark.parametrize(
    "attack",
    [body_as_header_block, body_as_child_of_security, timestamp_as_header_block],
    ids=lambda one: one.__name__,
)
def test_a_part_that_became_a_header_block_is_covered_as_that_and_as_nothing_else(attack: Attack) -> None:
    """The signature holds over what stands there. Who wants the Body signed asks for the Body, and it is not."""
    root = message()
    attack(root)
    found = verified(root)
    assert not all(found.covers(element) for element in read_by_the_receiver(root))


def test_a_copied_security_header_from_another_message_does_not_cover_this_one() -> None:
    one, other = message(), signed(envelope(headers=HEADERS), PARTS)
    header(other).replace(security(other), copy.deepcopy(security(one)))
    with pytest.raises(Refusal):
        verified(other)


def contents(found: Signed) -> set[bytes]:
    return {
        etree.tostring(element, method="c14n", exclusive=True, with_tail=False) for element in found.elements
    }


@settings(max_examples=100)
@given(st.data())
def test_wherever_an_element_is_moved_or_copied_what_is_covered_is_unchanged(data: st.DataObject) -> None:
    """Any element goes, or its copy, to any other place; what the signature then still covers says what it said before."""
    root = message()
    before = {
        (element.tag, etree.tostring(element, method="c14n", exclusive=True))
        for element in verified(root).elements
    }
    for _ in range(data.draw(st.integers(1, 3))):
        elements = list(root.iter(etree.Element))
        moved = data.draw(st.sampled_from(elements[1:]))
        if data.draw(st.booleans()):
            moved = copy.deepcopy(moved)
        places = [one for one in elements if one is not moved and moved not in one.iterancestors()]
        parent = data.draw(st.sampled_from(places))
        parent.insert(data.draw(st.integers(0, len(parent))), moved)
    root = parse(etree.tostring(root))[0]
    signatures = [
        one
        for one in root.findall(f"{{*}}Header/{SECURITY}/{{{DS}}}Signature")
        if one.getparent() is not None
    ]
    if len(signatures) != 1:
        return
    try:
        found = verified(root, identity().trusted, NOW)
    except Refusal:
        return
    after = {
        (element.tag, etree.tostring(element, method="c14n", exclusive=True)) for element in found.elements
    }
    assert after == before
