"""API keys: 256 random bits, shown once and kept as their SHA-256.

Nobody guesses one, so nothing slower than a digest is needed to keep it, and to look it up by its digest tells nobody who
measures anything about another.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

PREFIX: Final = "sbk_"
"""What a key begins with: known for what it is, by a person and by programs that look for secrets in the wrong places."""
_LONGEST: Final = 200


def new_api_key() -> str:
    """A key that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_one(text: str) -> bool:
    """Whether it may be a key at all. Others are not looked up."""
    return text.startswith(PREFIX) and len(text) <= _LONGEST


def digest(api_key: str) -> bytes:
    """What is kept of it, and what it is found by."""
    return hashlib.sha256(api_key.encode()).digest()
