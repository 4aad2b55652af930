"""What an act by hand is for (`Selection`), what it wants (`Wish`), and what was done (`Report`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bridge.delivery.by_hand import BULK, As, Verb
from bridge.errors import SettingsError
from bridge.store.deliveries import Entries, OutboxEntry


class OneKey(NamedTuple):
    """A whole ordering key of a partner."""

    partner: str
    ordering_key: str


class WholePartner(NamedTuple):
    """Everything for a partner."""

    partner: str


Selection = str | Sequence[str] | Entries | OneKey | WholePartner
"""What an act is for: the id of an entry, several, all that have something in common, a key, a partner."""


class Wish(NamedTuple):
    """Who does what, and why; with what only some acts need."""

    verb: Verb
    who: str
    why: str
    dry_run: bool = False
    settle_as: As = "delivered"
    may_be_done_twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What was done, or would be, to one entry, key or partner; or why nothing was.

    `entry_id` is None for a key or a partner, `ordering_key` for a partner. `says` is why not, or what to know. `too_late`:
    somebody did it before. `risky`: it is done where the person confirms that it may be done twice.
    """

    done: bool
    partner: str | None
    ordering_key: str | None = None
    entry_id: str | None = None
    before: str | None = None
    after: str | None = None
    says: str = ""
    too_late: bool = False
    risky: bool = False


Deeds = list[Deed]


@dataclass(frozen=True, slots=True)
class Report:
    """Every deed of one act. `dry_run`: nothing of it was kept."""

    verb: str
    dry_run: bool
    deeds: tuple[Deed, ...]

    @property
    def done(self) -> tuple[Deed, ...]:
        return tuple(deed for deed in self.deeds if deed.done)

    @property
    def left(self) -> tuple[Deed, ...]:
        """What nothing was done to."""
        return tuple(deed for deed in self.deeds if not deed.done)


def wish(verb: Verb, who: str, why: str, dry_run: bool) -> Wish:
    """Raises SettingsError where it is not said who or why."""
    if not who.strip() or not why.strip():
        missing = "who does it" if not who.strip() else "why"
        raise SettingsError(
            f"An act by hand is written down, and it was not said {missing}.",
            advice="Give both: --who and --why, or who= and why=.",
        )
    return Wish(verb, who.strip(), why.strip(), dry_run)


def entries_for(verb: Verb, selection: Selection) -> Entries:
    """The entries that an act is for. Without states or ids, those in states that it is meant for."""
    match selection:
        case Entries():
            wanted = selection
        case OneKey(partner, ordering_key):
            wanted = Entries(partner=partner, ordering_key=ordering_key)
        case WholePartner(partner):
            wanted = Entries(partner=partner)
        case str():
            wanted = Entries(ids=(selection,))
        case _:
            wanted = Entries(ids=tuple(dict.fromkeys(selection)))
    if not (wanted.ids or wanted.states):
        wanted = replace(wanted, states=BULK[verb])
    return wanted


def of_entry(entry: OutboxEntry, *, done: bool, **what: Any) -> Deed:
    """A deed upon an entry; `what` are its other fields."""
    return Deed(
        done=done, partner=entry.partner, ordering_key=entry.ordering_key, entry_id=entry.entry_id, **what
    )


def of_key(key: OneKey, *, done: bool, **what: Any) -> Deed:
    """The same upon a key."""
    return Deed(done=done, partner=key.partner, ordering_key=key.ordering_key, **what)


def clock(at: datetime) -> str:
    """A moment for people, UTC; the day too, as it may be days from now."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
