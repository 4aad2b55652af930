"""Digests of what is kept elsewhere: of a row of the journal with its envelopes, of an act. Over what readers see, whatever is done to
it on the disk; salted, so that whoever sees a digest cannot try contents until one fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from bridge.store import Entry, ExchangeRecord
from bridge.store.by_hand import NewAct
from bridge.store.clock import stored
from bridge.store.journal import storable


def of_record(record: ExchangeRecord, salt: bytes) -> str:
    """Of an exchange as it was given to the journal, in hex."""
    violations = _as_kept(record.violations) if record.violations else []
    count = record.violation_count or len(record.violations)
    reason = None if record.fault_reason is None else storable(record.fault_reason)
    return _of_exchange(record, reason, count, violations, salt)


def of_entry(entry: Entry, salt: bytes) -> str:
    """The same of an exchange as the journal shows it, with its envelopes."""
    return _of_exchange(entry, entry.fault_reason, entry.violation_count, list(entry.violations), salt)


def of_act(act: NewAct, salt: bytes) -> str:
    """Of what somebody did by hand, in hex."""
    fields = [act.at, act.who, act.why, act.verb, *place_of_act(act), act.before, act.after]
    return sha256(b"soapbridge act 1\n" + salt + json.dumps(fields).encode()).hexdigest()


def place_of_act(act: NewAct) -> tuple[str | None, ...]:
    """What it was done to."""
    return (act.partner, act.ordering_key, act.entry_id, act.exchange_id)


def _of_exchange(
    row: ExchangeRecord | Entry, reason: str | None, count: int, violations: list[Any], salt: bytes
) -> str:
    fields = [
        row.exchange_id,
        row.direction,
        row.contract,
        row.operation,
        row.soap_version,
        row.partner,
        row.remote,
        stored(row.received_at),
        row.duration_us,
        row.verdict,
        row.http_status,
        row.fault_code,
        reason,
        count,
        violations,
        row.reference,
        row.duplicate_of,
        None if row.request is None else len(row.request),
        None if row.reply is None else len(row.reply),
    ]
    made = sha256(b"soapbridge exchange 1\n" + salt + json.dumps(fields, sort_keys=True).encode() + b"\n")
    made.update(row.request or b"")
    made.update(row.reply or b"")
    return made.hexdigest()


def _as_kept(violations: Sequence[Mapping[str, object]]) -> list[Any]:
    """As they come back from the journal."""
    kept = storable(json.dumps(list(violations), ensure_ascii=False, default=str))
    found: list[Any] = json.loads(kept)
    return found
