"""The kind `staging`: tables in a database between a partner and us, which both read and write.

For each entity there are two: the inbox, which the partner writes and we claim and acknowledge, and the outbox, which we write and the
partner claims and acknowledges.

    layout.py    names and columns of the tables, from the partner's file
    ddl.py       the statements that make them
    inbox.py     claim, acknowledge, refuse; what was written twice
    outbox.py    one row for each document, once
    standing.py  what waits, for how long, and what was rejected
    backend.py   the kind's backend
"""

from __future__ import annotations

from bridge.partners.kinds import Setting
from bridge.partners.staging.backend import StagingBackend


def backend(setting: Setting) -> StagingBackend:
    """The backend of a partner of this kind. Raises SettingsError where its URL cannot be used."""
    return StagingBackend(setting)
