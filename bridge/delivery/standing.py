"""Why a delivery is where it is, what happens next, and what a person can do: in words. Pure.

held → its partner held → its key held → in doubt → behind another → not due → nobody drains it
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from bridge.delivery.deeds import clock
from bridge.delivery.gate import GateState
from bridge.settings import Partner
from bridge.store.by_hand import Act
from bridge.store.deliveries import Attempt, KeyState, OutboxEntry


class Waiting(NamedTuple):
    """An entry of a list; `because` is why it waits, "" where it does not."""

    entry: OutboxEntry
    because: str


class Command(NamedTuple):
    """What a person can do now: when it is the right thing, and the command to paste."""

    when: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything about one entry but its payload. `because`: why it waits. `next`: what happens by itself."""

    entry: OutboxEntry
    key: KeyState | None
    gate: GateState | None
    attempts: tuple[Attempt, ...]
    acts: tuple[Act, ...]
    neighbours: tuple[OutboxEntry, ...]
    because: str
    next: str
    commands: tuple[Command, ...]


def why_it_waits(
    entry: OutboxEntry,
    key: KeyState | None,
    gate: GateState | None,
    *,
    closed_until: datetime | None = None,
    now: datetime,
    patience: timedelta | None,
) -> str:
    """In a line; "" for what is settled and keeps nobody waiting.

    Args:
        closed_until: when the partner takes deliveries again, where it takes none now.
        patience: how long after it is due nobody need have taken it; None where somebody drains keys just now.
    """
    if entry.settled_at is not None:
        return "its key is held: what comes after it waits" if _keeps_key(entry, key) else ""
    if entry.state == "sending":
        return _sending(key, now)
    if entry.state == "held":
        return "held by hand"
    if entry.state == "in_doubt" and entry.aside:
        return "in doubt: a person has to settle it"
    if key is not None and key.state == "held":
        return f"its key is held: {key.held_because}"
    first = None if key is None else key.first
    if first is not None and first.entry_id != entry.entry_id:
        return f"behind {first.entry_id} ({first.state.replace('_', ' ')}) in its key"
    if gate is not None and gate.held_because is not None:
        return f"partner held: {gate.held_because}"
    if closed_until is not None:
        return f"the partner takes no deliveries before {clock(closed_until)}"
    if gate is not None and gate.tries_again_at is not None and gate.tries_again_at > now:
        until = f"{gate.circuit.replace('_', ' ')} until {clock(gate.tries_again_at)}"
        return f"circuit {until}: {gate.reason or 'it was not reached'}"
    if key is None:
        return "it has no key: the database was changed by other means"
    if key.due_at > now:
        doubt = "in doubt, " if entry.state == "in_doubt" else ""
        return f"{doubt}not due before {clock(key.due_at)}" + (f": {entry.reason}" if entry.reason else "")
    if patience is not None and now - max(key.due_at, entry.changed_at) > patience:
        return "due, and no runner seems to run"
    return "due"


def _keeps_key(entry: OutboxEntry, key: KeyState | None) -> bool:
    """Whether this settled entry is what its key is held for."""
    return key is not None and key.state == "held" and entry.entry_id in (key.held_because or "")


def _sending(key: KeyState | None, now: datetime) -> str:
    if key is None or key.lease_until is None or key.lease_until < now:
        return "the process that sent it has died: the next runner finds it in doubt"
    return f"being sent by {key.lease_owner}"


def situation(
    entry: OutboxEntry,
    *,
    key: KeyState | None,
    gate: GateState | None,
    attempts: Sequence[Attempt],
    acts: Sequence[Act],
    neighbours: Sequence[OutboxEntry],
    partner: Partner | None,
    closed_until: datetime | None = None,
    now: datetime,
    patience: timedelta | None,
) -> Situation:
    """What is known of an entry, put into words. `partner`: its settings."""
    because = why_it_waits(entry, key, gate, closed_until=closed_until, now=now, patience=patience)
    return Situation(
        entry=entry,
        key=key,
        gate=gate,
        attempts=tuple(attempts),
        acts=tuple(acts),
        neighbours=tuple(neighbours),
        because=because,
        next=_next(entry, key, gate, partner, closed_until, because),
        commands=tuple(_commands(entry, key, gate, partner)),
    )


def _next(
    entry: OutboxEntry,
    key: KeyState | None,
    gate: GateState | None,
    partner: Partner | None,
    closed_until: datetime | None,
    because: str,
) -> str:
    """What happens by itself, in a sentence."""
    if entry.settled_at is not None:
        return f"Nothing: it is {entry.state}."
    if because == "due, and no runner seems to run":
        return "Nothing before a runner runs: soapbridge up, or soapbridge worker."
    held_partner = gate is not None and gate.held_because is not None
    held_key = key is not None and key.state == "held"
    if held_partner or held_key or entry.state == "held" or (entry.state == "in_doubt" and entry.aside):
        return "Nothing before a person acts."
    if entry.state == "sending":
        return "The answer settles it; without one it is in doubt."
    if key is not None and key.first is not None and key.first.entry_id != entry.entry_id:
        return "It is sent when those before it in its key are done."
    times = [] if key is None else [key.due_at]
    times += [at for at in (closed_until, gate and gate.tries_again_at) if at is not None]
    at = "as soon as it is its turn" if because == "due" else f"at {clock(max(times))}"
    if entry.state == "in_doubt":
        keeps = partner is not None and partner.keeps_id
        return f"It is sent again {at}: the partner keeps our id." if keeps else f"The partner is asked {at}."
    return f"It is sent {at}."


def _commands(
    entry: OutboxEntry, key: KeyState | None, gate: GateState | None, partner: Partner | None
) -> list[Command]:
    one, found = shlex.quote(entry.entry_id), []
    key_options = f"--partner {shlex.quote(entry.partner)} --key {shlex.quote(entry.ordering_key)}"

    def offer(when: str, text: str) -> None:
        found.append(Command(when, f"soapbridge deliveries {text} --why …"))

    keeps = partner is not None and partner.keeps_id
    match entry.state:
        case "waiting":
            if key is not None and key.state != "held":
                offer("send it at once", f"release {one}")
            offer("not to be sent for now", f"hold {one}")
            offer("not to be sent at all", f"expire {one}")
        case "held":
            offer("send it", f"release {one}")
            offer("not to be sent at all", f"expire {one}")
        case "in_doubt":
            offer("the partner has it", f"settle {one} --as delivered")
            offer("the partner does not have it", f"settle {one} --as not-sent")
            offer("a function can ask (@partner.asks)", f"settle {one} --ask --bridge MODULE:BRIDGE")
            offer(
                "send it whatever became of it" + ("" if keeps else ": it may be done twice"),
                f"resend {one}" + ("" if keeps else " --yes"),
            )
        case "refused" | "expired":
            offer("the cause is mended: the same bytes again", f"resend {one}")
        case "delivered" | "unreadable":
            offer(
                "the partner has lost it" + ("" if keeps else ": it may be done twice"),
                f"resend {one}" + ("" if keeps else " --yes"),
            )
    if key is not None and key.state == "held":
        offer("let the rest of its key go on", f"release {key_options}")
    if gate is not None and gate.held_because is not None:
        offer("the partner is well again", f"release --partner {shlex.quote(entry.partner)}")
    return found
