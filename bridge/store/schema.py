"""The version of the store's schema: what this program needs, what it found, and how to get from one to the other.

Alembic's scripts are in `migrations/versions`. Alembic itself (0.1 s to import) is needed for migrating only.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bridge.errors import StoreError

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision, oldest first; a test compares them with the scripts."""

HEAD = REVISIONS[-1]
MIGRATE = "soapbridge migrate"
"""The command that mends a schema that is too old."""

_SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x50A9_B21D
"""Any number: two processes that migrate one PostgreSQL database at once take turns."""


def found_in(connection: Connection) -> str | None:
    """The revision of this database; None for one that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def require_current(connection: Connection, *, shown: str) -> None:
    """Refuse a schema that this program does not fit.

    Raises:
        StoreError: with the command that mends it.
    """
    revision = found_in(connection)
    if revision == HEAD:
        return
    if revision is None:
        raise StoreError(f"The store {shown} has no tables yet.", advice=f"Run `{MIGRATE}`.")
    if revision in REVISIONS:
        raise StoreError(
            f"The schema of the store {shown} is too old: it is at revision {revision}, this program needs {HEAD}.",
            advice=f"Make a backup, then run `{MIGRATE}`.",
        )
    raise _too_new(revision, shown)


def prepare(connection: Connection, *, shown: str) -> None:
    """Make the tables where there are none, else refuse what `require_current` refuses."""
    if found_in(connection) is None:
        migrate(connection, shown=shown)
    else:
        require_current(connection, shown=shown)


def migrate(connection: Connection, *, shown: str) -> None:
    """Bring the schema up to HEAD, inside the open transaction: all of it or nothing. Data stays."""
    if connection.dialect.name == "postgresql":
        # Another migration is waited for as long as it takes; tables that are in use only for as long as any writer waits.
        wait = connection.execute(text("SHOW lock_timeout")).scalar()
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": wait})
    revision = found_in(connection)
    if revision == HEAD:
        return
    if revision is not None and revision not in REVISIONS:
        raise _too_new(revision, shown)

    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(config, "head")


def _too_new(revision: str, shown: str) -> StoreError:
    return StoreError(
        f"The schema of the store {shown} is too new: it is at revision {revision}, this program knows {HEAD} "
        "and older.",
        advice="A newer soapbridge made it: run `pip install --upgrade soapbridge`, or restore a backup.",
    )
