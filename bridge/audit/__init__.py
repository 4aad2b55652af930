"""Who did what, when, and how it ended, in a form that shows tampering. docs/audit.md tells what is found, and what cannot be.

chain      what is hashed over what
keys       what signs, and what is trusted
trail      what this process does, entered beside the requests
head       checkpoints, which join the chains of all processes
sweep      what processes that died have left
verify     what was changed, removed, inserted, reordered
erase      a caller taken out, with a signed tombstone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bridge.audit.trail import Trail
    from bridge.settings import Settings
    from bridge.store import Store


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

    def serve(self, settings: Settings) -> None:
        """This process answers or delivers from now on, by these settings."""

    def removing(self, exchange_ids: Sequence[str]) -> None:
        """These exchanges are removed from the journal after this, as no longer kept. Raises where that cannot be written down."""


class Unkept:
    """Where nothing is written down: there is no store, or `audit.enabled` is off."""

    def note(
        self,
        event: str,
        *,
        who: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Nothing."""

    def serve(self, settings: Settings) -> None:
        """Nothing."""

    def removing(self, exchange_ids: Sequence[str]) -> None:
        """Nothing."""


def follow(store: Store, settings: Settings) -> Trail | Unkept:
    """Has what is committed through this store entered into the trail, where the settings want one; the same trail at every call."""
    if not settings.audit.enabled:
        return Unkept()
    from bridge.audit.keys import SigningKey
    from bridge.audit.trail import Trail

    for listener in store.listeners:
        if isinstance(found := getattr(listener, "__self__", None), Trail):
            return found
    return Trail(store, SigningKey(key_file(settings)), settings.audit)


def key_file(settings: Settings) -> Path:
    """Where the key that signs is."""
    return settings.audit.key_file or settings.data.folder / "audit-key.pem"
