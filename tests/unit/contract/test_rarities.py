"""What the quick readers leave to the complete one, and that looking for it takes no longer than reading."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from bridge.contract.codec.reading import holds_rarities

XSI = 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("<a><b c='1'>d</b></a>", False),
        ("<a><b><!--c--></b></a>", True),
        ("<a><b><?c?></b></a>", True),
        (f"<a {XSI} x:type='b'/>", True),
        (f"<a {XSI}><b><c x:nil='1'/></b></a>", True),
        (f"<a {XSI}><b nil='1'/></a>", False),
    ],
)
def test_xsi_attributes_comments_and_instructions_are_found_at_any_depth(text: str, held: bool) -> None:
    assert holds_rarities(etree.fromstring(text)) is held


def test_many_comments_are_not_compared_with_each_other() -> None:
    root = etree.fromstring("<a>" + "<!---->" * 40_000 + "<b/></a>")
    start = time.process_time()
    assert holds_rarities(root)
    assert time.process_time() - start < 1  # compared with each other: half a minute
