"""Backup and restore: a copy of the whole store in one encrypted file, taken while others write, and put back from there.

    backups = bridge.backups
    made = backups.make()                  # in `backup.folder`, with the key that the settings name
    backups.verify(made.file)              # every byte, every page, every row
    backups.restore(made.file)             # into a store that is empty, else only if told

SQLite's own backup API and PostgreSQL's own pg_dump do the copying (`sqlite`, `postgresql`); `container` is what they are kept in, `folder`
where, `keys` what it is encrypted with; `restoring` puts one back.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bridge.backup import folder as folders
from bridge.backup import postgresql, sqlite, tools
from bridge.backup.container import BackupReader, BackupWriter, Header, Summary, fresh_salt
from bridge.backup.folder import Kept, listing, newest_at
from bridge.backup.keys import BackupKey, key_of, read_key
from bridge.backup.restoring import (
    Hold,
    Opening,
    into_postgresql,
    into_sqlite,
    reading,
    refuse_unfit,
    take_out,
)
from bridge.errors import SettingsError, StoreError
from bridge.settings import Settings
from bridge.store import Store, schema

if TYPE_CHECKING:
    from bridge.audit import Notes

__all__ = [
    "BackupKey",
    "Backups",
    "Checked",
    "Header",
    "Kept",
    "Made",
    "Restored",
    "Summary",
    "listing",
    "newest_at",
    "read_key",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was made. `removed` are older ones that are no longer kept."""

    file: Path
    header: Header
    summary: Summary
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A backup that was read to its end. `in_full`: its tables were looked at too, by the database's own tools."""

    header: Header
    summary: Summary
    in_full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A store that was put back. `kept` is where the file is that was there before, on SQLite; `held` the partners for which
    nothing leaves until a person releases them; `migrated_from` the revision of an older backup."""

    header: Header
    summary: Summary
    kept: Path | None
    held: tuple[str, ...]
    migrated_from: str | None


class Backups:
    """Backups of one store.

    Args:
        store: it need not be there yet to be restored.
        notes: where it is written down that one was made or restored.
    """

    def __init__(self, store: Store, settings: Settings, *, notes: Notes | None = None) -> None:
        self._store = store
        self._settings = settings
        self._options = settings.backup
        self._notes = notes

    def make(self, file: Path | None = None, *, who: str | None = None, plain: bool | None = None) -> Made:
        """Copy the store into a file: `file`, or a new one in `backup.folder`, where the oldest are removed afterwards.

        Args:
            plain: without encryption where there is no key; None: as `backup.plain` says.

        Raises:
            SettingsError: there is no key, no folder, no pg_dump that fits; or `file` is there already.
            StoreError: the store cannot be copied; nothing is left of the file. A schema that this program does not fit is copied as
                well as any: it is what a backup is made for before an upgrade.
        """
        made_at = datetime.now(UTC)
        key = self._key_to_make_with(self._options.plain if plain is None else plain)
        place = file if file is not None else self._folder() / folders.name_for(made_at)
        with folders.new_file(place) as opened:
            copying = self._copy_sqlite if self._store.file is not None else self._copy_postgresql
            header, summary = copying(opened, made_at, key)
        removed = folders.prune(self._folder(), self._options.keep, newest=place) if file is None else []
        rows = sum(summary.rows.values())
        log.info("backup %s: %d rows, %.1f MB", place.name, rows, place.stat().st_size / 1e6)
        self._note(
            "backup",
            who,
            place,
            about={"rows": rows, "sha256": summary.sha256, "encrypted": bool(header.key_id)},
        )
        return Made(file=place, header=header, summary=summary, removed=tuple(removed))

    def verify(self, file: Path, *, key: BackupKey | None = None, plain: bool | None = None) -> Checked:
        """Read a backup to its end; on SQLite take it out and have every page looked at, on PostgreSQL have pg_restore read it.

        Args:
            key: None: the one that the settings name.
            plain: one that is not encrypted will do; None: as `backup.plain` says.

        Raises:
            SettingsError: the key is missing or another one, or it is not encrypted.
            StoreError: it is damaged, or was changed.
        """
        opening = self._opening(key, plain)
        with reading(file) as opened:
            reader = BackupReader(opened, file.name)
            in_full = True
            if reader.header.dialect == "sqlite":
                with tempfile.TemporaryDirectory(
                    prefix=".verify-", dir=self._scratch_folder(file)
                ) as scratch:
                    take_out(reader, opening, Path(scratch) / "store")
            else:
                try:
                    fitting = tools.find(reader.header.server, self._options.tools)
                except SettingsError:
                    in_full = False
                    for _ in opening(reader):
                        pass
                else:
                    postgresql.look_through(opening(reader), fitting)
            return Checked(header=reader.header, summary=reader.summary, in_full=in_full)

    def restore(
        self,
        file: Path,
        *,
        key: BackupKey | None = None,
        plain: bool | None = None,
        overwrite: bool = False,
        migrate: bool = False,
        hold: bool = True,
        who: str = "",
    ) -> Restored:
        """Put a backup in the place of the store that the settings name, all of it or nothing. Nobody else may use it meanwhile.

        Args:
            key: None: the one that the settings name.
            plain: one that is not encrypted will do; None: as `backup.plain` says.
            overwrite: what is there may go. On SQLite it is kept beside it under another name.
            migrate: bring an older schema up to what this program needs.
            hold: nothing leaves for partners with open documents until they are released.
            who: for the record of what is held.

        Raises:
            SettingsError: it needs another key, other tools, another program, or permission to overwrite or to migrate.
            StoreBusy: somebody uses the store.
            StoreError: it is damaged, or the store cannot be written; what was there still is.
        """
        opening = self._opening(key, plain)
        with reading(file) as opened:
            reader = BackupReader(opened, file.name)
            refuse_unfit(self._store, reader.header, migrate=migrate)
            for _ in opening(reader):  # to its end, before anything is touched
                pass
        because = f"restored from {file.name}: what left after {reader.header.made_at} is not known here"
        wish = Hold(who or "restore", because) if hold else None
        kept = None
        if self._store.file is not None:
            kept, held = into_sqlite(self._store, file, opening, overwrite=overwrite, wish=wish)
        else:
            tools_folder = self._options.tools
            held = into_postgresql(
                self._store, file, opening, overwrite=overwrite, wish=wish, tools_folder=tools_folder
            )
        old = reader.header.revision if reader.header.revision != schema.HEAD else None
        log.warning("restored from %s", file.name)
        self._note(
            "restore",
            who or None,
            file,
            about={"made_at": reader.header.made_at, "sha256": reader.summary.sha256},
        )
        return Restored(header=reader.header, summary=reader.summary, kept=kept, held=held, migrated_from=old)

    def warnings(self, now: datetime | None = None) -> list[str]:
        """What an operator should know about the backups that the settings ask for; empty when all is well."""
        found = []
        options = self._options
        if options.folder is None:
            return []
        try:
            if self._key_to_make_with(options.plain) is None:
                found.append("Backups are not encrypted (backup.plain): whoever has one has every message.")
            if self._store.file is None:
                with self._store.looking() as session:
                    tools.find(postgresql.place_of(session.get_bind()).major, options.tools)
        except SettingsError as error:
            found.append(f"No backup can be made: {error}")
        newest = newest_at(options.folder)
        age = None if newest is None else (now or datetime.now(UTC)) - newest
        if age is None:
            found.append(f"There is no backup in {options.folder} yet. Make one: soapbridge backup")
        elif age.days >= STALE_DAYS:
            found.append(
                f"The newest backup in {options.folder} is {age.days} days old. `soapbridge schedules list` tells what became of "
                "the last ones; they are made by `soapbridge up` and `soapbridge worker`."
            )
        return found

    # -- make

    def _copy_sqlite(
        self, opened: BinaryIO, made_at: datetime, key: BackupKey | None
    ) -> tuple[Header, Summary]:
        assert self._store.file is not None
        with sqlite.scratch(self._store.file) as scratch:
            copied = scratch / "store"
            sqlite.copy(self._store.file, copied)
            revision, rows = _filled(*sqlite.revision_and_rows(copied))
            header = _header("sqlite", revision, made_at, key)
            writer = BackupWriter(opened, header, key)
            with copied.open("rb") as content:
                while part := content.read(_PART):
                    writer.write(part)
            return header, writer.end(rows)

    def _copy_postgresql(
        self, opened: BinaryIO, made_at: datetime, key: BackupKey | None
    ) -> tuple[Header, Summary]:
        with self._store.looking() as session:
            # A session begins a savepoint with its first statement, and no snapshot can be lent from inside one.
            connection = session.get_bind()
            place = postgresql.place_of(connection)
            fitting = tools.find(place.major, self._options.tools)
            revision, rows = _filled(*postgresql.revision_and_rows(connection))
            header = _header("postgresql", revision, made_at, key, server=fitting.major, schema=place.schema)
            writer = BackupWriter(opened, header, key)
            for part in postgresql.dump(connection, place, fitting, wait=self._settings.store.wait):
                writer.write(part)
            return header, writer.end(rows)

    # -- what both need

    def _opening(self, key: BackupKey | None, plain: bool | None) -> Opening:
        """What a file is opened with."""
        found = key or key_of(self._settings)
        may_be_plain = self._options.plain if plain is None else plain
        return lambda reader: reader.content(found, plain=may_be_plain)

    def _key_to_make_with(self, plain: bool) -> BackupKey | None:
        key = key_of(self._settings)
        if key is None and not plain:
            raise SettingsError(
                "There is no key to encrypt the backup with.",
                advice="Name a file with one (backup.key_file, or at_rest.key_file), and keep a copy of it elsewhere; or say that "
                "backups may be plain (backup.plain, --plain).",
            )
        return key

    def _folder(self) -> Path:
        if self._options.folder is None:
            raise SettingsError(
                "It is not said where backups are kept.",
                advice="Set backup.folder, or name a file: --to FILE.",
            )
        return self._options.folder

    def _scratch_folder(self, file: Path) -> Path:
        """Where what is taken out may lie for a while: where the store is, which is as secret."""
        own = self._settings.data.folder
        return own if own.is_dir() else file.parent

    def _note(self, event: str, who: str | None, file: Path, *, about: Mapping[str, object]) -> None:
        if self._notes is not None:
            self._notes.note(event, who=who, subject=file.name, outcome="done", about=about)


STALE_DAYS: Final = 2
_PART: Final = 1024**2


def _filled(revision: str, rows: dict[str, int]) -> tuple[str, dict[str, int]]:
    if not revision:
        raise StoreError("The store has no tables yet.", advice="There is nothing to keep.")
    return revision, rows


def _header(
    dialect: str,
    revision: str,
    made_at: datetime,
    key: BackupKey | None,
    *,
    server: int = 0,
    schema: str = "",
) -> Header:
    return Header(
        dialect=dialect,
        revision=revision,
        made_at=made_at.isoformat(timespec="seconds"),
        version=_version(),
        server=server,
        schema=schema,
        key_id="" if key is None else key.id,
        salt="" if key is None else fresh_salt(),
    )


def _version() -> str:
    try:
        return version("soapbridge")
    except PackageNotFoundError:
        return "unknown"
