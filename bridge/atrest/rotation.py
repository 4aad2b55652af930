"""Changing keys while everything serves. Each step is a short transaction, may be interrupted and done again.

rotate          a new data key; what is written from now on is encrypted with it
rotate(to=…)    every data key is wrapped by a second wrapping key as well: hosts may have either of them until all have the new one
forget          what the old wrapping key has wrapped is removed: from then on it opens nothing
reencrypt       what is kept in the clear, or under a retired data key, is encrypted with the present one, a little at a time
"""

from __future__ import annotations

import os
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, literal, select, update

from bridge.atrest.keyring import Keyring
from bridge.atrest.wrapping import WrappingKey
from bridge.errors import SettingsError, StoreError
from bridge.store import Session, Store, Transaction, data_keys
from bridge.store.cipher import (
    SEALED,
    TEXT,
    SealedColumns,
    open_bytes,
    open_text,
    place,
    seal_bytes,
    seal_text,
)
from bridge.store.clock import SECOND
from bridge.store.tables import metadata

BATCH_ROWS = 200
BATCH_BYTES = 4 * 1024 * 1024
"""What one transaction rewrites: a row at least, then until one of these is reached."""
PAUSE_SECONDS = 0.05
"""Between two transactions: others write meanwhile."""

_DAY = 86_400 * SECOND


def rotate(store: Store, keyring: Keyring, *, to: WrappingKey | None = None) -> int:
    """A new data key, and with `to` every data key wrapped by that one too. The number of the new data key.

    Raises:
        StoreError: a data key does not open with the present wrapping key: nothing was changed.
    """
    wrapping = [keyring.wrapping] + ([to] if to is not None else [])
    secret = os.urandom(32)

    def work(session: Session) -> int:
        for key in data_keys.all_keys(session):
            wrapped = key.wraps.get(keyring.wrapping.name)
            old = None if wrapped is None else keyring.wrapping.unwrap(wrapped)
            if old is None:
                raise StoreError(
                    f"Data key {key.id} does not open with the key of the settings; nothing was changed.",
                    advice="`soapbridge keys list` tells which key opens it; set that one.",
                )
            if to is not None and to.name not in key.wraps:
                data_keys.wrap(session, key.id, to.name, to.wrap(old))
        return data_keys.add(session, {one.name: one.wrap(secret) for one in wrapping})

    number = store.run(lambda transaction: work(transaction.session))
    keyring.refresh()
    return number


def forget(store: Store, keyring: Keyring, name: str) -> int:
    """Remove what the wrapping key of this name has wrapped; how many data keys it opened.

    Raises:
        SettingsError: it is the present one, or it has wrapped nothing, or a data key would be lost.
    """
    if name == keyring.wrapping.name:
        raise SettingsError(
            f"{name} is the key that the settings give.", advice="Set the new one first, on every host."
        )

    def work(session: Session) -> int:
        keys = data_keys.all_keys(session)
        lost = [key.id for key in keys if name in key.wraps and keyring.wrapping.name not in key.wraps]
        if lost:
            raise SettingsError(
                f"Data key {lost[0]} opens with {name} only; nothing was changed.",
                advice=f"Set {name} as the key again, and run: soapbridge keys rotate --to FILE",
            )
        found = data_keys.forget_wraps(session, name)
        if not found:
            raise SettingsError(
                f"No data key is wrapped by {name}.", advice="`soapbridge keys list` has their names."
            )
        return found

    return store.run(lambda transaction: work(transaction.session))


def renew(store: Store, keyring: Keyring, *, days: float) -> int | None:
    """A new data key where the present one is older than `days`; its number, or None.

    None is made while a wrapping key is being replaced: not every host could open what it encrypts.
    """

    def work(session: Session) -> int | None:
        keys = data_keys.all_keys(session)
        current = [key for key in keys if key.retired_at is None]
        if not current or current[-1].created_at > data_keys.clock(session) - int(days * _DAY):
            return None
        if set(current[-1].wraps) != {keyring.wrapping.name}:
            return None
        return data_keys.add(session, {keyring.wrapping.name: keyring.wrapping.wrap(os.urandom(32))})

    made = store.run(lambda transaction: work(transaction.session))
    if made is not None:
        keyring.refresh()
    return made


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """How far it has come: rows of `table` looked at, and rewritten."""

    table: str
    seen: int
    rewritten: int


def reencrypt(
    store: Store,
    keyring: Keyring,
    *,
    progress: Callable[[Reencrypted], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
    pause: float = PAUSE_SECONDS,
) -> dict[str, int]:
    """Encrypt with the present key all that is not; how many rows of each table were rewritten. What is done is done: begun again, it
    passes quickly over that."""
    counts = {}
    for columns in SEALED:
        last, seen, rewritten = 0, 0, 0
        while not stopping():
            step = store.run(partial(_batch, keyring=keyring, columns=columns, after=last))
            if step is None:
                break
            last, rows, changed = step
            seen, rewritten = seen + rows, rewritten + changed
            progress(Reencrypted(columns.table, seen, rewritten))
            if changed:
                time.sleep(pause)
        counts[columns.table] = rewritten
    return counts


def _batch(
    transaction: Transaction, keyring: Keyring, columns: SealedColumns, after: int
) -> tuple[int, int, int] | None:
    """(last id, rows looked at, rows rewritten) of the rows after `after`; None where there are none."""
    session = transaction.session
    table = metadata.tables[columns.table]
    names = (*columns.of_bytes, *columns.of_text)
    sizes: ColumnElement[int] = literal(0)
    for name in names:
        sizes += func.coalesce(func.length(table.c[name]), 0)
    following = table.c.id > after
    if columns.kind:
        following &= table.c.kind == columns.kind
    heads = session.execute(
        select(table.c.id, sizes).where(following).order_by(table.c.id).limit(BATCH_ROWS)
    ).all()
    if not heads:
        return None
    chosen: list[int] = []
    size = 0
    for number, length in heads:
        if chosen and size + length > BATCH_BYTES:
            break
        chosen.append(number)
        size += length
    named_by = table.c[columns.named_by]
    rows = session.execute(
        select(table.c.id, named_by.label("named_by"), *(table.c[name] for name in names))
        .where(table.c.id.in_(chosen))
        .with_for_update()
    ).all()
    changed = 0
    for row in rows:
        values = _rewritten(keyring, columns, dict(row._mapping))
        if values:
            session.execute(
                update(table).where(table.c.id == bindparam("of_id")).values(values), {"of_id": row.id}
            )
            changed += 1
    return chosen[-1], len(chosen), changed


def _rewritten(keyring: Keyring, columns: SealedColumns, row: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in columns.of_bytes:
        kept: bytes | None = row[name]
        if kept is not None and not keyring.seals_with(kept):
            where = place(columns.table, name, row["named_by"])
            values[name] = seal_bytes(keyring, open_bytes(keyring, kept, where), where)
    for name in columns.of_text:
        text: str | None = row[name]
        if text is not None and not (
            text.startswith(TEXT) and keyring.seals_with(b64decode(text[len(TEXT) :]))
        ):
            where = place(columns.table, name, row["named_by"])
            values[name] = seal_text(keyring, open_text(keyring, text, where), where)
    return values
