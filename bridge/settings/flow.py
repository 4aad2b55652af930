"""What can be set about a flow: from a partner's entity to a partner's operation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.settings.fields import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Records that move from one partner to another by themselves: `[flows.NAME]` (docs/flows.md)."""

    source: str = setting("", "Where records come from: `PARTNER.ENTITY`, like `crm.accounts`.")
    target: str = setting("", "The partner they go to.")
    operation: str = setting(
        "",
        "The operation of the target that each is sent by: `customers.upsert`, or one of its contract. What is sent for a record must "
        "bear being sent again when it changes.",
    )
    mapping: Path | None = setting(
        None, "File that makes the operation's values out of a record. Empty: they go as they are."
    )
    direction: Literal["one-way", "two-way"] = setting(
        "one-way", "Whether changes over there come back as well, by the three keys `back_…`."
    )
    back_entity: str = setting(
        "", "The target's entity that is read back. Empty: the one in `operation` (`customers.upsert`)."
    )
    back_operation: str = setting(
        "", "The source's operation that takes what comes back. Empty: upsert of its entity."
    )
    back_mapping: Path | None = setting(
        None, "File for that way. Empty: `mapping` turned round, which says `two_way = true`."
    )
    source_owns: tuple[str, ...] = setting(
        (), "Fields of the source's records that are never overwritten by what comes back."
    )
    target_owns: tuple[str, ...] = setting(
        (),
        "Fields of what is sent that belong to the target: they go along when a record is new over there, and afterwards what the target "
        "has stays.",
    )
    owner: Literal["source", "target"] = setting(
        "source", "Whose all other fields are where both sides changed one, with `conflict` = owner."
    )
    conflict: Literal["owner", "newest", "ask"] = setting(
        "owner",
        "Both sides changed the same field of a record since it was moved: the owner's value goes, or the one that was changed last, or "
        "the record waits for a person.",
    )
    changes_only: bool = setting(
        False,
        "Of a record that is over there already only what was changed goes, by `update` of its entity instead of `upsert`: then nothing is "
        "overwritten that somebody changes there meanwhile. For partners whose update leaves alone what it is not given.",
    )
    match: tuple[str, ...] = setting(
        (),
        "Fields of what is sent by which a record that is new here is looked for over there, before it is made twice: `tax_number`. One "
        "that has them all alike is taken to be it; of several a person chooses.",
    )
    trigger: Literal["schedule", "event", "request"] = setting(
        "schedule",
        "What moves records: the clock (`cron` or `every`), who tells of changes (`bridge.flows.take`), or only a person or program that "
        "asks. With event the clock may be set too, for what nobody told of.",
    )
    cron: str = setting("", "When it runs, by cron's five fields in `contracts.zone`: `*/15 6-22 * * *`.")
    every: float = setting(0.0, "Or so often; 0: not by that.", unit="seconds", least=0, most=31_536_000)
    overlap: float = setting(
        60.0,
        "Each run reads again what was changed so long before the last record it has seen: for clocks that differ and changes that "
        "became visible late. What was moved already is known and not sent again.",
        unit="seconds",
        least=0,
        most=31_536_000,
    )
    batch: int = setting(
        500,
        "Records that are read, and kept in one transaction, at a time.",
        unit="records",
        least=1,
        most=10_000,
    )
    deletes: str = setting(
        "",
        "The operation that is sent for a record that was deleted: `customers.delete`. Empty: what is deleted stays over there.",
    )
    most_deletes: int = setting(
        100,
        "A full resync that misses more records than this deletes none of them: a view that came back empty is no reason.",
        unit="records",
        least=0,
    )
    paused: bool = setting(False, "Whether it stands still, whatever triggers it.")
