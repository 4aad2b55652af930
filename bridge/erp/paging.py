"""Page tokens: where the next page of a list begins. Pure.

A list is read in the order of something that never changes, such as the id of a row, and a page goes on after the last
value of the page before: rows that are added or changed meanwhile shift nothing, and a late page costs what the first
did. A token holds that value and a digest of it and of the list (operation and filters), so that one that was damaged
or belongs to another list is noticed. It is no secret and opens nothing: who has one may as well ask for the first page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final, Literal

_FORM: Final = b"1"
"""First byte of every token: tokens of another form are unreadable, not misread."""
_DIGEST: Final = 6
_LENGTH: Final = 1 + 8 + 2 * _DIGEST

MOST: Final = 2**63 - 1
"""The largest position."""


class BadToken(Exception):
    """A token that does not continue this list; `reason` is one of the contract's PageTokenReason."""

    def __init__(self, reason: Literal["unreadable", "otherList"]) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def token(position: int, *of_list: object) -> str:
    """The token of the page after `position` (0 to `MOST`).

    Args:
        of_list: what makes it this list and no other: the operation's name and its filters, but not the page's size.
    """
    place = _FORM + position.to_bytes(8, "big")
    return base64.urlsafe_b64encode(place + _digest(place) + _digest(place, of_list)).decode()


def position(given: str, *of_list: object) -> int:
    """Where the page after this token begins.

    Raises:
        BadToken: it was not made by `token`, or for another list.
    """
    try:
        raw = base64.b64decode(given, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("unreadable") from None
    place = raw[:9]
    if len(raw) != _LENGTH or place[:1] != _FORM or raw[9:-_DIGEST] != _digest(place):
        raise BadToken("unreadable")
    if raw[-_DIGEST:] != _digest(place, of_list):
        raise BadToken("otherList")
    found = int.from_bytes(place[1:], "big")
    if found > MOST:
        raise BadToken("unreadable")
    return found


def _digest(place: bytes, of_list: object = None) -> bytes:
    return hashlib.blake2b(place + repr(of_list).encode(), digest_size=_DIGEST).digest()
