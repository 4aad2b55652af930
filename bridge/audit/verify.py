"""Whether the trail is whole, and what it covers is what it was: every row that was changed, removed, inserted or reordered, by name.

What can be trusted are the keys, which come from outside the database, and checkpoints that were kept elsewhere. Everything that is
found in the tables has to be borne out by them: entries by the signature of their transaction, chains by their checkpoints, rows of
the journal and acts by their entries, and what is missing by a tombstone, which is an entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.audit import chain, content
from bridge.audit.chain import Checkpoint, Entry
from bridge.audit.keys import TrustedKeys
from bridge.audit.links import ChainCheck, Finding, Kind
from bridge.audit.sweep import GRACE_SECONDS
from bridge.errors import StoreError
from bridge.store import Entry as JournalEntry
from bridge.store import Session, Store
from bridge.store import audit as rows
from bridge.store.by_hand import NewAct
from bridge.store.clock import SECOND, host_clock

TOMBSTONES: Final = ("retention", "erasure")
"""Events that tell what was removed from the journal; `erasure` also what was taken out of entries."""

_UNREADABLE: Final = (StoreError, ValueError, TypeError, OverflowError)
"""What reading a row raises that somebody has changed."""

_BATCH: Final = 100
"""Rows of the journal that are read at once, with their envelopes."""


@dataclass(slots=True)
class Report:
    """What was verified, and found. `uncovered` entries have no checkpoint yet: whether more followed cannot be known.

    `swept` exchanges were entered by another process than theirs. `before` is how many rows of the journal are older than the trail,
    `young` how many may still be entered.
    """

    chains: int = 0
    entries: int = 0
    checkpoints: int = 0
    kept_elsewhere: int = 0
    exchanges: int = 0
    acts: int = 0
    erased: int = 0
    removed: int = 0
    swept: int = 0
    uncovered: int = 0
    before: int = 0
    young: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings


@dataclass(slots=True)
class _Tombstones:
    exchanges: set[str] = field(default_factory=set)
    entries: set[tuple[str, int]] = field(default_factory=set)


class Verification:
    """One look at everything, in one snapshot.

    Args:
        trusted: the public keys that may have signed.
        kept: checkpoints that were kept elsewhere.
        grace: seconds after which what was journaled must have its entry.
    """

    def __init__(
        self,
        store: Store,
        trusted: TrustedKeys,
        kept: Sequence[Checkpoint] = (),
        *,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._store = store
        self._trusted = trusted
        self._kept = kept
        self._grace = grace
        self.report = Report()
        self._heads: dict[str, dict[int, tuple[bytes, int]]] = {}
        self._tombstones = _Tombstones()
        self._missing: dict[str, str] = {}
        self._unread: dict[str, Entry] = {}
        self._acts: list[Entry] = []
        self._exchanges_before = self._acts_before = 0

    def run(self) -> Report:
        """Raises StoreError: the store cannot be read."""
        with self._store.reading() as session:
            self._read_checkpoints(session)
            self._compare_with_kept()
            self._read_tombstones(session)
            self._read_entries(session)
            self._look_for_exchanges(session)
            self._look_for_acts(session)
        return self.report

    def _find(self, kind: Kind, place: str, says: str) -> None:
        self.report.findings.append(Finding(kind, place, says))

    # -- checkpoints

    def _read_checkpoints(self, session: Session) -> None:
        self._there: dict[int, bytes] = {}
        before: Checkpoint | None = None
        for row in rows.checkpoints(session):
            one = Checkpoint(*row)
            self.report.checkpoints += 1
            place = f"checkpoint {one.id}"
            expected = 1 if before is None else before.id + 1
            if one.id != expected:
                self._find(
                    "removed" if one.id > expected else "inserted", place, f"Before it {expected} is missing."
                )
            signed = self._is_signed(one, place)
            if one.id == expected and signed:
                named = None if before is None else chain.checkpoint_digest(before)
                if _bytes(one.previous) != named:
                    self._find(
                        "changed", f"checkpoint {one.id - 1}", f"Checkpoint {one.id} names another one."
                    )
            self._there[one.id] = chain.checkpoint_digest(one)
            before = one

    def _is_signed(self, one: Checkpoint, place: str) -> bool:
        """Whether it is; its heads then count."""
        if one.signed_by not in self._trusted.names:
            self._find("untrusted", place, f"It is signed by {one.signed_by}, a key that is not trusted.")
            return False
        body = chain.checkpoint_body(one.id, one.at, one.heads, _bytes(one.previous), one.signed_by)
        if not self._trusted.verify(body, bytes(one.signature), name=one.signed_by):
            self._find("changed", place, "Its signature does not fit.")
            return False
        for name, (seq, hash_) in one.named.items():
            self._heads.setdefault(name, {})[seq] = (hash_, one.id)
        return True

    def _compare_with_kept(self) -> None:
        for one in self._kept:
            self.report.kept_elsewhere += 1
            if not self._is_signed(one, f"checkpoint {one.id} of those kept elsewhere"):
                continue
            there = self._there.get(one.id)
            if there is None:
                self._find(
                    "removed", f"checkpoint {one.id}", "It was kept elsewhere, and is not in the store."
                )
            elif there != chain.checkpoint_digest(one):
                self._find("changed", f"checkpoint {one.id}", "It is another one than was kept elsewhere.")

    # -- entries

    def _read_tombstones(self, session: Session) -> None:
        for row in rows.entries(session, events=TOMBSTONES):
            details = Entry(*row).details
            self._tombstones.exchanges.update(details.get("exchanges", ()))
            self._tombstones.entries.update((name, seq) for name, seq in details.get("entries", ()))

    def _read_entries(self, session: Session) -> None:
        current: ChainCheck | None = None
        for row in rows.entries(session):
            one = Entry(*row)
            if current is None or current.name != one.chain:
                self._end(current)
                current = ChainCheck(
                    one.chain, self._trusted, self._heads.pop(one.chain, {}), self._tombstones.entries
                )
            self.report.entries += 1
            if current.add(one):
                self._note_covered(session, one)
        self._end(current)
        self._compare_exchanges(session)
        for name in sorted(self._heads):
            last = max(self._heads[name])
            self._find(
                "removed",
                f"chain {name}",
                f"All of it, at least {last} entries: checkpoint {self._heads[name][last][1]} names it.",
            )

    def _end(self, current: ChainCheck | None) -> None:
        if current is not None:
            self.report.chains += 1
            self.report.uncovered += current.end()
            self.report.findings += current.findings

    def _note_covered(self, session: Session, one: Entry) -> None:
        """What an entry that stands says about other rows."""
        if one.is_erased:
            self.report.erased += 1
            return
        details = one.details
        if one.event == "exchange" and one.subject is not None:
            self.report.swept += details.get("swept") is True
            self._unread[one.subject] = one
            if len(self._unread) >= _BATCH:
                self._compare_exchanges(session)
        elif one.event == "act":
            self._acts.append(one)
        elif one.event == "started" and details.get("first") is True:
            self._exchanges_before = int(details.get("exchanges", 0))
            self._acts_before = int(details.get("acts", 0))

    # -- what entries cover

    def _compare_exchanges(self, session: Session) -> None:
        found = self._open(session, list(self._unread))
        for exchange_id, one in self._unread.items():
            row = found.get(exchange_id)
            if row is None:
                self._missing[exchange_id] = f"entry {one.chain}/{one.seq}"
                continue
            self.report.exchanges += 1
            if isinstance(row, Exception):
                self._find("changed", f"exchange {exchange_id}", f"It cannot be read: {type(row).__name__}.")
            elif content.of_entry(row, bytes(one.salt or b"")) != one.details.get("row"):
                self._find(
                    "changed", f"exchange {exchange_id}", f"It is not what {one.chain}/{one.seq} was made of."
                )
        self._unread.clear()

    def _open(self, session: Session, exchange_ids: list[str]) -> dict[str, JournalEntry | Exception]:
        """Exchanges as the journal has them; of one that cannot be decrypted or read, why."""
        try:
            return {**self._store.journal.whole(session, exchange_ids)}
        except _UNREADABLE as error:
            if len(exchange_ids) == 1:
                return {exchange_ids[0]: error}
        half = len(exchange_ids) // 2
        return {
            **self._open(session, exchange_ids[:half]),
            **self._open(session, exchange_ids[half:]),
        }

    def _look_for_exchanges(self, session: Session) -> None:
        for exchange_id, entry in self._missing.items():
            if exchange_id in self._tombstones.exchanges:
                self.report.removed += 1
            else:
                self._find(
                    "removed",
                    f"exchange {exchange_id}",
                    f"It has the {entry}, and nothing says that it may go.",
                )
        self.report.before = rows.exchanges_to(session, self._exchanges_before)
        after, newest = self._exchanges_before, rows.newest_exchange(session)
        while found := rows.not_entered(session, after=after, until=newest):
            for row in found:
                if row.ended >= host_clock() - self._grace * SECOND:
                    self.report.young += 1
                else:
                    self._find(
                        "inserted",
                        f"exchange {row.exchange_id}",
                        "The journal has it, and no process entered it: it was put there by other means, or journaled with "
                        "audit.enabled off.",
                    )
            after = found[-1].id

    def _look_for_acts(self, session: Session) -> None:
        there: dict[tuple[object, ...], list[tuple[int, NewAct]]] = {}
        for number, act in rows.acts(session):
            there.setdefault((act.at, act.verb, *content.place_of_act(act)), []).append((number, act))
        for one in self._acts:
            details = one.details
            names = ("partner", "ordering_key", "entry", "exchange")
            place = (one.at, details.get("verb"), *(details.get(name) for name in names))
            salt, wanted = bytes(one.salt or b""), details.get("row")
            same = there.get(place, [])
            fitting = next((found for found in same if content.of_act(found[1], salt) == wanted), None)
            if fitting is not None:
                same.remove(fitting)
                self.report.acts += 1
            elif same:
                number, _ = same.pop(0)
                self._find("changed", f"act {number}", f"It is not what {one.chain}/{one.seq} was made of.")
            else:
                self._find(
                    "removed",
                    f"act of {one.chain}/{one.seq}",
                    f"{one.who}: {details.get('verb')} {one.subject}.",
                )
        for number, act in (found for same in there.values() for found in same):
            if number <= self._acts_before:
                continue
            if act.at >= host_clock() - self._grace * SECOND:
                self.report.young += 1
            else:
                self._find("inserted", f"act {number}", "No process entered it.")


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many of each kind."""
    return dict(Counter(one.kind for one in findings))


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
