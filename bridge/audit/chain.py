"""How entries hang together: what is hashed over what. Pure; `docs/audit.md` has it in words, for whoever checks it with other means.

    digest = SHA-256("soapbridge audit digest 1", salt, who, subject, outcome, about)
    hash   = SHA-256("soapbridge audit entry 1", chain, seq, at, event, sealed, digest, hash of the entry before)

`who`, `subject`, `outcome`, `about` and the salt may be erased: the digest stays, and with it the chain. `sealed`: the entry carries a
signature of its hash, as the last of each transaction does. Where there is no entry before, 32 zero bytes stand for its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

BEGIN = bytes(32)
"""In the place of the hash before the first entry."""

_DIGEST = b"soapbridge audit digest 1\n"
_ENTRY = b"soapbridge audit entry 1\n"
_CHECKPOINT = b"soapbridge audit checkpoint 1\n"


class Entry(NamedTuple):
    """One row of `audit_entry`, in the order of its columns."""

    chain: str
    seq: int
    at: int
    event: str
    who: str | None
    subject: str | None
    outcome: str | None
    about: str | None
    salt: bytes | None
    digest: bytes
    hash: bytes
    signature: bytes | None

    @property
    def is_erased(self) -> bool:
        """Whether it is without what can be read."""
        return self.salt is None

    @property
    def details(self) -> dict[str, Any]:
        """`about`, read; empty where it cannot be."""
        try:
            found = json.loads(self.about or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Checkpoint(NamedTuple):
    """One row of `audit_checkpoint`, in the order of its columns."""

    id: int
    at: int
    heads: str
    previous: bytes | None
    signed_by: str
    signature: bytes

    @property
    def named(self) -> dict[str, tuple[int, bytes]]:
        """(seq, hash) of the last entry by chain; what cannot be read is left out."""
        try:
            heads = json.loads(self.heads)["chains"]
            return {str(chain): (int(seq), bytes.fromhex(hash_)) for chain, (seq, hash_) in heads.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    @property
    def swept(self) -> int:
        """Up to which number of the journal it was looked for what has no entry; 0 where that was not done."""
        try:
            return int(json.loads(self.heads).get("swept", 0))
        except (ValueError, TypeError, AttributeError):
            return 0


def digest(
    salt: bytes, who: str | None, subject: str | None, outcome: str | None, about: str | None
) -> bytes:
    """Of what can be read of an entry."""
    return sha256(_DIGEST + salt + _bytes([who, subject, outcome, about])).digest()


def entry_hash(
    chain: str, seq: int, at: int, event: str, *, sealed: bool, digest: bytes, previous: bytes
) -> bytes:
    """Of an entry and all before it."""
    return sha256(_ENTRY + _bytes([chain, seq, at, event, sealed]) + digest + previous).digest()


def checkpoint_body(id_: int, at: int, heads: str, previous: bytes | None, signed_by: str) -> bytes:
    """What a checkpoint's signature is over."""
    before = None if previous is None else previous.hex()
    return _CHECKPOINT + _bytes([id_, at, heads, before, signed_by])


def checkpoint_digest(checkpoint: Checkpoint) -> bytes:
    """What the next checkpoint names as `previous`."""
    return sha256(checkpoint_body(*checkpoint[:5]) + checkpoint.signature).digest()


def as_about(details: Mapping[str, object] | None) -> str | None:
    """JSON with its keys in order; None for nothing."""
    if not details:
        return None
    return json.dumps(details, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def _bytes(values: list[object]) -> bytes:
    """Unambiguous, and the same wherever it is made: JSON in ASCII without spaces, ended by a line's end."""
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"
