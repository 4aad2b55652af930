"""Checkpoints: the last entries of all chains at a moment, signed, each naming the one before; in the table, and in a file of which
copies are kept elsewhere."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bridge.audit import chain
from bridge.audit.chain import Checkpoint
from bridge.audit.keys import SigningKey
from bridge.errors import SettingsError
from bridge.store import Session
from bridge.store import audit as rows
from bridge.store.clock import host_clock

log = logging.getLogger(__name__)


class Written(NamedTuple):
    """A checkpoint that was written: its line for the file, and the heads it names."""

    line: str
    seen: dict[str, int]


def write(
    session: Session,
    key: SigningKey,
    *,
    own: tuple[str, int, bytes],
    seen: Mapping[str, int],
    all_: bool,
    swept: int,
) -> Written:
    """Write a checkpoint in the transaction of `session`.

    Args:
        own: (chain, seq, hash), as the process that writes the chain remembers it.
        seen: the heads that this process has named before.
        all_: name those of other chains too that have moved since.
        swept: up to which number of the journal it was looked for what has no entry.
    """
    rows.lock_checkpoints(session)
    last = rows.last_checkpoint(session)
    before = None if last is None else Checkpoint(*last)
    name, seq, hash_ = own
    chains: dict[str, list[Any]] = {name: [seq, hash_.hex()]}
    if all_:
        for other, at in rows.heads(session).items():
            if other != name and seen.get(other) != at and (found := rows.head(session, other)) is not None:
                chains[other] = [found[0], found[1].hex()]
    swept = max(swept, 0 if before is None else before.swept)
    heads = json.dumps({"chains": chains, "swept": swept}, sort_keys=True, separators=(",", ":"))
    id_ = 1 if before is None else before.id + 1
    previous = None if before is None else chain.checkpoint_digest(before)
    at = host_clock()
    signature = key.sign(chain.checkpoint_body(id_, at, heads, previous, key.name))
    made = Checkpoint(id_, at, heads, previous, key.name, signature)
    rows.insert_checkpoint(session, made)
    return Written(as_line(made), {other: found[0] for other, found in chains.items()})


def as_line(checkpoint: Checkpoint) -> str:
    """For a file: JSON, one line."""
    return json.dumps(
        {
            "id": checkpoint.id,
            "at": checkpoint.at,
            "heads": checkpoint.heads,
            "previous": None if checkpoint.previous is None else bytes(checkpoint.previous).hex(),
            "signed_by": checkpoint.signed_by,
            "signature": bytes(checkpoint.signature).hex(),
        },
        separators=(",", ":"),
    )


def keep_elsewhere(file: Path | None, line: str) -> None:
    """Add a line to the file. Never raises: the checkpoint is in the table, and the next one names it."""
    if file is None:
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as lines:
            lines.write(f"{line}\n")
    except OSError as error:
        log.warning("a checkpoint could not be added to %s: %s", file, error.strerror or error)


def read(file: Path) -> list[Checkpoint]:
    """The checkpoints of a file.

    Raises:
        SettingsError: it cannot be read, or a line of it is none.
    """
    try:
        lines = file.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The checkpoints {file} cannot be read: {error}.",
            advice="Name a file that `audit.checkpoints` or `soapbridge audit checkpoint` has made.",
        ) from error
    return [_of_line(line, number, file) for number, line in enumerate(lines, start=1) if line.strip()]


def _of_line(line: str, number: int, file: Path) -> Checkpoint:
    try:
        found = json.loads(line)
        previous = found["previous"]
        return Checkpoint(
            int(found["id"]),
            int(found["at"]),
            str(found["heads"]),
            None if previous is None else bytes.fromhex(previous),
            str(found["signed_by"]),
            bytes.fromhex(found["signature"]),
        )
    except (ValueError, TypeError, KeyError):
        raise SettingsError(
            f"{file}:{number} is no checkpoint.", advice="See whether the file was cut or changed."
        ) from None
