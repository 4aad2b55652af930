"""The kind `database`: a partner's own tables or views, read and, where it is declared, written.

declared.py   what the partner's file says: tables, queries, statements
sources.py    what is there, held against it: a vanished or changed column stops its entity
writing.py    declared statements, one transaction each
backend.py    the kind's backend
"""

from __future__ import annotations

from bridge.partners.database.backend import DatabaseBackend
from bridge.partners.kinds import Setting


def backend(setting: Setting) -> DatabaseBackend:
    """The backend of a partner of this kind. Raises SettingsError where its URL cannot be used."""
    return DatabaseBackend(setting)
