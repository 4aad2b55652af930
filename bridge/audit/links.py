"""One chain, entry by entry: each must follow the one before, and be signed for."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal, NamedTuple

from bridge.audit import chain
from bridge.audit.chain import Entry
from bridge.audit.keys import TrustedKeys

Kind = Literal["changed", "removed", "inserted", "reordered", "untrusted"]

_FEW: Final = 20
"""Entries that do not fit among which those that changed places are looked for."""


class Finding(NamedTuple):
    """A row that is not as it was."""

    kind: Kind
    place: str
    says: str


class ChainCheck:
    """Args:
    heads: (hash, checkpoint) by seq, as signed checkpoints name them.
    erased: entries that tombstones say were erased.
    """

    def __init__(
        self,
        name: str,
        trusted: TrustedKeys,
        heads: Mapping[int, tuple[bytes, int]],
        erased: AbstractSet[tuple[str, int]],
    ) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self._trusted = trusted
        self._heads = heads
        self._erased = erased
        self._seq = 0
        self._previous: tuple[bytes, ...] = (chain.BEGIN,)
        self._signed = 0
        self._unfitting: list[Entry] = []
        self._before: dict[int, tuple[bytes, ...]] = {}

    def add(self, one: Entry) -> bool:
        """The next one of the table; whether what it says can be believed."""
        if one.seq != self._seq + 1:
            self._gap(one.seq)
        digest = bytes(one.digest)
        wrong = self._wrong_content(one, digest)
        expected = [
            chain.entry_hash(
                one.chain,
                one.seq,
                one.at,
                one.event,
                sealed=one.signature is not None,
                digest=digest,
                previous=previous,
            )
            for previous in self._previous
        ]
        stored = bytes(one.hash)
        if expected and stored not in expected and not wrong:
            self._unfitting.append(one)
            self._before[one.seq] = self._previous
        signed = one.signature is not None and self._trusted.verify(stored, bytes(one.signature))
        if wrong:
            self._find("changed", one.seq, wrong)
        elif one.signature is not None and not signed:
            self._find("untrusted", one.seq, "No trusted key has signed it.")
        if signed:
            self._signed = one.seq
        if (named := self._heads.get(one.seq)) is not None and named[0] != stored:
            self._find("changed", one.seq, f"Checkpoint {named[1]} names another one in its place.")
        self._seq = one.seq
        # Where only its hash was changed, the next one still follows what it was.
        self._previous = (stored, *expected)
        return not wrong

    def end(self) -> int:
        """There are no more; how many have no checkpoint yet."""
        self._tell_unfitting()
        if self._signed < self._seq:
            self._find(
                "inserted",
                self._seq,
                f"Entries {self._signed + 1} to {self._seq} are not signed for: they were put there, or what came after was removed.",
            )
        covered = max(self._heads, default=0)
        if covered > self._seq:
            says = f"Entries {self._seq + 1} to {covered} are missing: checkpoint {self._heads[covered][1]} names the last."
            self._find("removed", self._seq + 1, says)
        return max(0, self._seq - covered)

    def _gap(self, seq: int) -> None:
        missing = f"{self._seq + 1}" if seq == self._seq + 2 else f"{self._seq + 1} to {seq - 1}"
        self._find("removed", self._seq + 1, f"Missing: {missing}.")
        self._previous = ()

    def _wrong_content(self, one: Entry, digest: bytes) -> str:
        if not one.is_erased:
            salt = bytes(one.salt or b"")
            is_it = chain.digest(salt, one.who, one.subject, one.outcome, one.about) == digest
            return "" if is_it else "What can be read is not what was entered."
        if (one.who, one.subject, one.outcome, one.about) != (None, None, None, None):
            return "It was erased, and holds something all the same."
        return "" if (one.chain, one.seq) in self._erased else "It was erased, and no tombstone says so."

    def _tell_unfitting(self) -> None:
        """Those that fit in one another's place were reordered, the others changed."""
        moved = self._moved() if len(self._unfitting) <= _FEW else {}
        for one in self._unfitting:
            if one.seq in moved:
                self._find("reordered", one.seq, f"It was entry {moved[one.seq]}.")
            else:
                self._find("changed", one.seq, "It does not follow the one before.")

    def _moved(self) -> dict[int, int]:
        places = [one.seq for one in self._unfitting]
        hashes = [bytes(one.hash) for one in self._unfitting]
        return {
            one.seq: place
            for one in self._unfitting
            for place in places
            if place != one.seq
            for previous in (*hashes, *self._before.get(place, ()))
            if bytes(one.hash)
            == chain.entry_hash(
                one.chain,
                place,
                one.at,
                one.event,
                sealed=one.signature is not None,
                digest=bytes(one.digest),
                previous=previous,
            )
        }

    def _find(self, kind: Kind, seq: int, says: str) -> None:
        self.findings.append(Finding(kind, f"entry {self.name}/{seq}", says))
