"""How what is kept is encrypted: what the store asks of whoever holds the keys."""

from __future__ import annotations

from typing import Protocol


class Cipher(Protocol):
    """Encrypts what is written and decrypts what is read. `place` says where it stands (`journal/request/<exchange id>`): what
    was moved to another place does not open."""

    def seal(self, plain: bytes, place: str) -> bytes:
        """What is kept instead of `plain`."""

    def open(self, kept: bytes, place: str) -> bytes:
        """What `seal` was given; `kept` itself where it was never sealed. Raises StoreError: the key is missing, or it was changed."""
