"""Putting a backup in the place of a store: into an empty one, or over another where that is said, all of it or nothing.

A store that is put back is as it was, and the world is not: what it shows as waiting may have been delivered since. So every
partner that something is open for is held, until a person has looked and releases it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bridge.backup import postgresql, sqlite, tools
from bridge.backup.container import BackupReader, Header
from bridge.delivery.by_hand import BY_HAND
from bridge.errors import SettingsError, StoreBusy
from bridge.store import Store, by_hand, gates, runners, schema
from bridge.store.by_hand import NewAct
from bridge.store.schedules import clock

Opening = Callable[[BackupReader], Iterator[bytes]]
"""Decrypts a backup, with the key that fits."""

_SPOKEN: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True)
class Hold:
    """That what is open stays: who says so, and why."""

    who: str
    because: str


def _held(store: Store, wish: Hold | None) -> tuple[str, ...]:
    """Let nothing leave for partners that something is open for; which they are."""
    if wish is None:
        return ()
    with store.transaction() as transaction:
        session = transaction.session
        names = tuple(sorted(runners.open_partners(session)))
        now = clock(session)
        for name in names:
            gates.hold(session, name, f"{BY_HAND} by {wish.who}: {wish.because}", now=now)
            by_hand.record(
                session, NewAct(now, wish.who, wish.because, "hold", name, before="not held", after="held")
            )
    return names


def refuse_unfit(store: Store, header: Header, *, migrate: bool) -> None:
    """Raises SettingsError: it is of another database, of a newer program, or of an older one and is not to be migrated."""
    if header.dialect != store.dialect:
        raise SettingsError(
            f"This is a backup of a store on {_SPOKEN[header.dialect]}, and {store.shown} is none.",
            advice="Name such a store: store.url (SOAPBRIDGE_STORE_URL).",
        )
    if header.revision not in schema.REVISIONS:
        raise SettingsError(
            f"The backup was made by soapbridge {header.version}, whose schema ({header.revision}) is newer than this "
            f"program's ({schema.HEAD}).",
            advice="Install that version or a later one, then restore with it.",
        )
    if header.revision != schema.HEAD and not migrate:
        raise SettingsError(
            f"The backup was made by soapbridge {header.version}, whose schema ({header.revision}) is older than this "
            f"program's ({schema.HEAD}).",
            advice="With --migrate what is restored is upgraded; the backup stays as it is.",
        )


def into_sqlite(
    store: Store, file: Path, opening: Opening, *, overwrite: bool, wish: Hold | None
) -> tuple[Path | None, tuple[str, ...]]:
    """Where the file is that was there before, and the partners that are held. Raises as `Backups.restore`."""
    target = store.file
    assert target is not None
    if sqlite.has_tables(target) and not overwrite:
        raise _would_overwrite(str(target), "What is there is then kept beside it, under another name.")
    store.close()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sqlite.scratch(target) as scratch:
        restored = scratch / "store"
        with reading(file) as opened:
            take_out(BackupReader(opened, file.name), opening, restored)
        inner = Store(f"sqlite:///{restored}")
        with closing(inner):
            inner.migrate()
            held = _held(inner, wish)
        return sqlite.put(restored, target), held


def into_postgresql(
    store: Store,
    file: Path,
    opening: Opening,
    *,
    overwrite: bool,
    wish: Hold | None,
    tools_folder: Path | None,
) -> tuple[str, ...]:
    """The partners that are held. Raises as `Backups.restore`."""
    store.close()  # else an idle connection of ours would be counted as somebody's
    with store.looking() as session:
        connection = session.get_bind()
        place = postgresql.place_of(connection)
        there, others = postgresql.tables(connection), postgresql.others(connection)
    store.close()
    if there and not overwrite:
        raise _would_overwrite(
            store.shown,
            f"The {len(there)} tables of its schema {place.schema} then go, and whatever else is in it.",
        )
    if others:
        raise StoreBusy(
            f"{others} other connections of the same user are open to {store.shown}: nothing was changed.",
            advice="Stop what serves it, delivers from it or looks at it; then repeat.",
        )
    with reading(file) as opened:
        reader = BackupReader(opened, file.name)
        if reader.header.schema != place.schema:
            raise SettingsError(
                f"The backup is of the schema {reader.header.schema}; the store's is {place.schema}.",
                advice=f"Have the search_path of its user begin with {reader.header.schema}, and make that schema.",
            )
        fitting = tools.find(max(reader.header.server, place.major), tools_folder)
        content = opening(reader)
        postgresql.restore(content, place, fitting, empty=overwrite, rows=lambda: reader.summary.rows)
    store.migrate()
    return _held(store, wish)


def take_out(reader: BackupReader, opening: Opening, target: Path) -> None:
    """The SQLite file in a backup, looked through."""
    sqlite.write(opening(reader), target)
    target.chmod(0o600)
    sqlite.verify(target, reader.summary.rows)


def reading(file: Path) -> BinaryIO:
    """The file, opened. Raises SettingsError: it cannot be."""
    try:
        return file.open("rb")
    except OSError as error:
        raise SettingsError(
            f"The backup {file} cannot be read: {error.strerror or error}.",
            advice="`soapbridge backup list` names them.",
        ) from None


def _would_overwrite(shown: str, what: str) -> SettingsError:
    return SettingsError(
        f"{shown} is not empty, and was left as it is.",
        advice=f"To put the backup in its place: --overwrite. {what}",
    )
