"""A caller taken out of the trail and of the journal, with a signed tombstone that says so and `verify` accepts."""

from __future__ import annotations

from typing import Final, NamedTuple

from bridge.audit.chain import Entry
from bridge.audit.trail import Trail
from bridge.store import audit as rows
from bridge.store import retention
from bridge.store.clock import host_clock
from bridge.store.retention import remove_exchanges

_BATCH: Final = 100


class Erased(NamedTuple):
    """How many entries of the trail and exchanges of the journal were erased; `kept` exchanges tell about something that is open."""

    entries: int
    exchanges: int
    kept: int


def erase(trail: Trail, caller: str, *, who: str, why: str, dry_run: bool = False) -> Erased:
    """Erase what the trail can tell about a caller, and its exchanges from the journal.

    Each batch begins with its tombstone: whatever dies in between, nothing is missing that no tombstone names.

    Raises:
        StoreError: the store cannot be used; what was not erased yet is erased by a repeat.
    """
    store = trail.store
    total = exchanges = kept = 0
    before: tuple[int, str, int] | None = None
    while True:
        with store.reading() as session:
            wanted = rows.conditions(who=caller)
            found = [Entry(*row) for row in rows.newest(session, wanted, before=before, limit=_BATCH)]
            needed = retention.needed(session, host_clock())
        if not found:
            return Erased(total, exchanges, kept)
        before = (found[-1].at, found[-1].chain, found[-1].seq)
        # What somebody did by hand is the company's record, and stays (docs/audit.md).
        mine = [one for one in found if one.event not in ("act", "erasure")]
        chosen = [one for one in mine if one.event != "exchange" or one.subject not in needed]
        kept += len(mine) - len(chosen)
        total += len(chosen)
        gone = [one.subject for one in chosen if one.event == "exchange" and one.subject is not None]
        exchanges += len(gone)
        if chosen and not dry_run:
            places = [(one.chain, one.seq) for one in chosen]
            trail.note(
                "erasure", who=who, outcome="done", about={"why": why, "entries": places, "exchanges": gone}
            )
            trail.write()
            with store.transaction() as transaction:
                rows.erase(transaction.session, places)
                remove_exchanges(transaction.session, gone)
