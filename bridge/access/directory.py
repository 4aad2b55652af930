"""Who there is, and what each is known by: settings, files of certificates, and the store's credentials.

Read again every few seconds, so that what was made or revoked counts in every process soon, and before anybody is sent away: what
was made a moment ago works at once. Where the store cannot be read, what is known holds for `STALE` seconds, then nobody gets in.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bridge.access import Caller, Means, certificates
from bridge.access.certificates import KnownCertificate, fingerprint
from bridge.access.permits import ANONYMOUS, EVERYTHING, NOTHING, Permits
from bridge.errors import SettingsError
from bridge.store import credentials
from bridge.store.cipher import open_text, place
from bridge.store.clock import host_clock
from bridge.store.credentials import LiveCredential

if TYPE_CHECKING:
    from bridge.settings import Settings
    from bridge.store import Store

log = logging.getLogger(__name__)

REFRESH: Final = 2.0
"""Seconds after which credentials are read again."""
STALE: Final = 5.0
"""Seconds for which what was read may be gone by."""
AT_ONCE: Final = 0.1
"""Seconds between two looks for a credential that is not known."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was known at a moment of the clock."""

    at: float = -math.inf
    api_keys: Mapping[bytes, LiveCredential] = field(default_factory=dict)
    passwords: Mapping[str, Sequence[LiveCredential]] = field(default_factory=dict)
    wss_passwords: Mapping[str, Sequence[LiveCredential]] = field(default_factory=dict)
    certificates: Mapping[bytes, KnownCertificate] = field(default_factory=dict)
    versions: tuple[int, ...] = ()
    most_passwords: int = 0


class Directory:
    """One for all threads. `store` None: nobody has an API key or a password. `clock` in seconds, for tests.

    Raises:
        SettingsError: a certificate cannot be read.
    """

    def __init__(
        self, settings: Settings, store: Store | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._snapshot = _Snapshot(
            certificates=certificates.read(settings.callers), versions=certificates.versions(settings.callers)
        )
        self._loading = threading.Lock()
        self._permits = {
            name: Permits.of_roles(caller.roles, settings.roles) for name, caller in settings.callers.items()
        }
        self.anonymous = (
            Permits.of_roles([ANONYMOUS], settings.roles) if ANONYMOUS in settings.roles else EVERYTHING
        )
        """What may be asked for without credentials, where anybody may come without."""

    def caller(self, name: str, means: Sequence[Means] = ()) -> Caller | None:
        """The caller of that name; None where settings have none."""
        found = self._settings.callers.get(name)
        return None if found is None else Caller(name, found.kind, found.roles, tuple(means))

    def permits(self, caller: Caller | None) -> Permits:
        """What this caller may ask for; None is nobody."""
        return self.anonymous if caller is None else self._permits.get(caller.name, NOTHING)

    # By what somebody is known

    def of_api_key(self, digest: bytes) -> str | None:
        """Whose API key has this digest."""
        found = self._current().api_keys.get(digest)
        if found is None:
            found = self._current(AT_ONCE).api_keys.get(digest)
        return found.caller if found is not None and self._holds(found) else None

    def of_certificate(self, der: bytes) -> str | None:
        """Whose certificate this is."""
        found = self._current().certificates.get(fingerprint(der))
        return found.caller if found is not None and found.until > datetime.now(UTC) else None

    def certificates_of(self, name: str) -> list[bytes]:
        """The certificates of a caller, in DER; those that are over are not among them."""
        now = datetime.now(UTC)
        known = self._current().certificates.values()
        return [one.der for one in known if one.caller == name and one.until > now]

    def passwords(self, name: str, *, anew: bool = False) -> list[tuple[int, str]]:
        """(id, argon2 hash) of each password of a caller; none where there is no such caller."""
        found = self._current(AT_ONCE if anew else None).passwords.get(name, ())
        return [(one.id, one.secret or "") for one in found if self._holds(one)]

    @property
    def most_passwords(self) -> int:
        """The most that any caller has: so many are checked for everybody."""
        return self._current().most_passwords

    @property
    def known_certificates(self) -> Mapping[bytes, KnownCertificate]:
        """All of them, by their fingerprints; another mapping when they have changed."""
        return self._current().certificates

    def wss_passwords(self, name: str, *, anew: bool = False) -> list[str]:
        """The passwords of a caller that digests are checked with, in clear; none where there is no such caller.

        Raises:
            StoreError: they cannot be decrypted.
        """
        cipher = None if self._store is None else self._store.cipher
        found = self._current(AT_ONCE if anew else REFRESH).wss_passwords.get(name, ())
        return [open_text(cipher, one.secret, wss_place(name)) or "" for one in found if self._holds(one)]

    def _holds(self, found: LiveCredential) -> bool:
        """Of a caller that settings know, and not expired."""
        return found.caller in self._settings.callers and (
            found.expires_at is None or host_clock() < found.expires_at
        )

    # How it is kept up to date

    def look_again(self) -> None:
        """Have what is known read again when it is next asked for."""
        self._snapshot = replace(self._snapshot, at=-math.inf)

    def _current(self, oldest: float | None = None) -> _Snapshot:
        """What is known, at most `oldest` seconds old (REFRESH) where it can be read again without waiting for somebody who does."""
        oldest = REFRESH if oldest is None else oldest
        age = self._clock() - self._snapshot.at
        if age < oldest:
            return self._snapshot
        must = age >= STALE
        if not self._loading.acquire(blocking=must):
            return self._snapshot
        try:
            if self._clock() - self._snapshot.at >= oldest:
                self._snapshot = self._load()
        except Exception:
            if must:
                raise
            log.warning(
                "credentials could not be read again; what is known holds for a little while", exc_info=True
            )
        finally:
            self._loading.release()
        return self._snapshot

    def _load(self) -> _Snapshot:
        at = self._clock()
        api_keys: dict[bytes, LiveCredential] = {}
        passwords: dict[str, list[LiveCredential]] = {}
        wss_passwords: dict[str, list[LiveCredential]] = {}
        for row in [] if self._store is None else self._store.rows(credentials.LIVE):
            one = LiveCredential(*row)
            if one.lookup is not None:
                api_keys[bytes(one.lookup)] = one
            else:
                (passwords if one.kind == "password" else wss_passwords).setdefault(one.caller, []).append(
                    one
                )
        known, versions = self._certificates()
        most = max(map(len, passwords.values()), default=0)
        return _Snapshot(at, api_keys, passwords, wss_passwords, known, versions, most)

    def _certificates(self) -> tuple[Mapping[bytes, KnownCertificate], tuple[int, ...]]:
        """Read again where a file was replaced; one that is half written leaves what is known."""
        now = certificates.versions(self._settings.callers)
        if now != self._snapshot.versions:
            try:
                return certificates.read(self._settings.callers), now
            except SettingsError as error:
                log.warning("certificates of callers not renewed yet: %s", error)
        return self._snapshot.certificates, self._snapshot.versions


def wss_place(caller: str) -> str:
    """Where a password in clear stands, as it is authenticated: no other caller can be given it."""
    return place("credential", "secret", caller)
