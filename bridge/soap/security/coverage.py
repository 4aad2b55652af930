"""Whether a signature covers what is processed: the very elements of the tree, not others with the same name or Id.

That is what tells a message from one whose signed Body was moved aside for another (signature wrapping).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lxml import etree

from bridge.soap.envelope import Envelope
from bridge.soap.text import local_name


def uncovered(
    envelope: Envelope, signed: Collection[etree._Element], timestamp: etree._Element | None
) -> list[str]:
    """Which of Body and Timestamp is not signed, in words for a fault.

    Args:
        signed: the elements that the signature covers.
        timestamp: the one that was read; None where none is there.
    """
    missing = [] if _is_in(envelope.body_element, signed) else ["Body"]
    if timestamp is None or not _is_in(timestamp, signed):
        missing.append("Timestamp")
    return missing


def headers_uncovered(
    envelope: Envelope, signed: Collection[etree._Element], names: Sequence[str]
) -> list[str]:
    """Which of these header blocks (local or Clark names) is not there, or there and not signed.

    All blocks of a name that are addressed to us are to be signed: any of them may be the one that is read.
    """
    missing = []
    for name in names:
        blocks = [block for block in envelope.our_headers if name in (block.tag, local_name(str(block.tag)))]
        if not blocks or not all(_is_in(block, signed) for block in blocks):
            missing.append(local_name(name))
    return missing


def _is_in(element: etree._Element, signed: Collection[etree._Element]) -> bool:
    return any(element is one for one in signed)
