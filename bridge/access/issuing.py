"""Credentials are made and revoked by people: `soapbridge credentials`. Serving processes know within seconds."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bridge.access.api_keys import digest, new_api_key
from bridge.access.directory import wss_place
from bridge.access.passwords import SHORTEST, new_hash
from bridge.errors import SettingsError
from bridge.store import credentials
from bridge.store.cipher import seal_text
from bridge.store.clock import SECOND, host_clock
from bridge.store.credentials import CredentialRow, NewCredential

if TYPE_CHECKING:
    from bridge.audit import Notes
    from bridge.settings import Settings
    from bridge.store import Store

MOST_PASSWORDS = 2
"""Passwords of one caller that hold at the same time: an old one and its successor. Every login is checked as often as the caller
with the most would need."""


class Issuing:
    """Makes and revokes credentials. `who` is the person that does it."""

    def __init__(self, store: Store, settings: Settings, *, who: str, notes: Notes | None = None) -> None:
        self._store = store
        self.settings = settings
        self._who = who
        self._notes = notes

    def api_key(self, caller: str, *, lasts: timedelta | None = None) -> tuple[int, str]:
        """The number of a new API key, and the key, which nobody can be shown again.

        Raises:
            SettingsError: settings know no such caller.
        """
        self._require(caller)
        made = new_api_key()
        return self._add(caller, "api_key", digest(made), None, lasts), made

    def password(self, caller: str, password: str, *, lasts: timedelta | None = None) -> int:
        """The number of a new password for HTTP Basic, and for text in a UsernameToken.

        Raises:
            SettingsError: settings know no such caller; the password is too short; it has two already.
        """
        self._require(caller)
        _require_length(password)
        if len([one for one in self.of(caller) if one.kind == "password"]) >= MOST_PASSWORDS:
            raise SettingsError(
                f"{caller} has {MOST_PASSWORDS} passwords.",
                advice=f"Revoke one first: soapbridge credentials list {caller}",
            )
        return self._add(caller, "password", None, new_hash(password), lasts)

    def wss_password(self, caller: str, password: str, *, lasts: timedelta | None = None) -> int:
        """The number of a new password for the digest of a UsernameToken, which is checked with the password itself: it is kept
        encrypted.

        Raises:
            SettingsError: settings know no such caller; the password is too short; nothing can be encrypted.
        """
        self._require(caller)
        _require_length(password)
        if self._store.cipher is None:
            raise SettingsError(
                "A digest is checked with the password itself, and nothing is encrypted here, so that it cannot be kept.",
                advice="Set at_rest.key_file (soapbridge keys new), or have the caller send the password as text over TLS.",
            )
        sealed = seal_text(self._store.cipher, password, wss_place(caller))
        return self._add(caller, "wss_password", None, sealed, lasts)

    def of(self, caller: str | None = None, *, revoked: bool = False) -> list[CredentialRow]:
        """The credentials of a caller, or of all."""
        with self._store.reading() as session:
            return credentials.of_caller(session, caller, revoked=revoked)

    def revoke(self, credential_id: int) -> CredentialRow:
        """It is worth nothing from now on.

        Raises:
            SettingsError: there is none of that number, or it was revoked before.
        """
        with self._store.transaction() as transaction:
            revoked = credentials.revoke(transaction.session, credential_id)
            row = credentials.by_id(transaction.session, credential_id)
        if row is None:
            raise SettingsError(
                f"There is no credential {credential_id}.", advice="soapbridge credentials list shows them."
            )
        if not revoked:
            raise SettingsError(
                f"The credential {credential_id} was revoked before.", advice="Nothing was done."
            )
        self._note("credential_revoked", credential_id, row.caller, row.kind)
        return row

    def _add(
        self,
        caller: str,
        kind: credentials.Kind,
        lookup: bytes | None,
        secret: str | None,
        lasts: timedelta | None,
    ) -> int:
        now = host_clock()
        expires = None if lasts is None else now + int(lasts.total_seconds() * SECOND)
        new = NewCredential(caller, kind, lookup, secret, now, expires)
        with self._store.transaction() as transaction:
            made = credentials.add(transaction.session, new)
        self._note("credential_added", made, caller, kind)
        return made

    def _note(self, event: str, credential_id: int, caller: str, kind: str) -> None:
        if self._notes is not None:
            about = {"caller": caller, "kind": kind}
            self._notes.note(event, who=self._who, subject=str(credential_id), outcome="done", about=about)

    def _require(self, caller: str) -> None:
        known = self.settings.callers
        if caller in known:
            return
        near = get_close_matches(caller, known, n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise SettingsError(
            f"The settings know no caller {caller}.",
            advice=f"{guess}Add [callers.{caller}] with its roles to bridge.toml first.",
        )


def _require_length(password: str) -> None:
    if len(password) < SHORTEST:
        raise SettingsError(
            f"The password has {len(password)} characters.", advice=f"Take one of at least {SHORTEST}."
        )
