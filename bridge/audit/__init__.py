"""Who did what, when, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Notes(Protocol):
    """Where things that people and processes do are written down."""

    def note(
        self,
        event: str,
        *,
        who: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Write down that something was done, in a transaction of its own.

        Args:
            event: what: `login_refused`, `credential_added`, `keys_rotated`, `backup`.
            who: a caller's name, or the person at the command line.
            subject: the id of what it was done to.
            outcome: how it ended, in one word.
            about: what else there is to know; never content, never a secret.
        """
