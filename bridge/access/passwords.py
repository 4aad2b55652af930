"""Passwords: kept as argon2id hashes, checked by few threads at a time, and remembered for a little while when right.

A check takes 20 to 40 ms and 19 MiB on purpose. So no more run at once than `AT_ONCE`; a few more wait, the rest is told to come back:
whoever sends wrong names and passwords never has all threads. A password that was right is known again for `REMEMBERED` seconds by
its HMAC under a key that this process made up and nobody else has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from bridge.once import made_once
from bridge.soap.refusals import refuse

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12
"""Characters. Shorter ones are not taken."""
AT_ONCE: Final = 2
WAITING: Final = 2
REMEMBERED: Final = 60.0
_MOST_REMEMBERED: Final = 1024


def new_hash(password: str) -> str:
    """What is kept of a password."""
    return str(_hasher().hash(password))


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # here: few bridges have passwords, and it takes its time to import

    # What OWASP asks for at least: a check is to stay affordable for a process with eight threads. It stands in each hash, so
    # that more can be asked for later.
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Passwords:
    """Checks passwords. One object for all threads of a process. `clock` in seconds, for tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._admitted = threading.BoundedSemaphore(AT_ONCE + WAITING)
        self._running = threading.BoundedSemaphore(AT_ONCE)
        self._remembered: dict[bytes, tuple[int, float]] = {}
        self._lock = threading.Lock()

    @made_once
    def _checks(self) -> PasswordHasher:
        return _hasher()

    @made_once
    def _nobodys(self) -> str:
        """The hash of a password that nobody has: names that are not there take as long as others."""
        return new_hash(secrets.token_urlsafe(32))

    def find(self, name: str, password: str, kept: Sequence[tuple[int, str]], *, checks: int) -> int | None:
        """The id of the credential whose password this is, None where it is none of them.

        Args:
            kept: ids and hashes of the caller's credentials; none where there is no such caller.
            checks: how many are checked, whatever there is: the most that any caller has.

        Raises:
            Refusal: too many are being checked; nothing was done.
        """
        seen = self._seen(name, password)
        remembered = self._recall(seen)
        if remembered is not None and any(credential_id == remembered for credential_id, _ in kept):
            return remembered
        if not self._admitted.acquire(blocking=False):
            raise refuse("busy", headers=(("Retry-After", "1"),))
        try:
            with self._running:
                found = self._check(password, kept, checks)
        finally:
            self._admitted.release()
        if found is not None:
            self._remember(seen, found)
        return found

    def _check(self, password: str, kept: Sequence[tuple[int, str]], checks: int) -> int | None:
        found = None
        for credential_id, hashed in kept:
            if self._fits(hashed, password) and found is None:
                found = credential_id
        for _ in range(checks - len(kept)):
            self._fits(self._nobodys, password)
        return found

    def _fits(self, hashed: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._checks.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _seen(self, name: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{len(name)}:{name}{password}".encode(), hashlib.sha256)

    def _recall(self, seen: bytes) -> int | None:
        credential_id, until = self._remembered.get(seen, (0, 0.0))
        return credential_id if self._clock() < until else None

    def _remember(self, seen: bytes, credential_id: int) -> None:
        with self._lock:
            while len(self._remembered) >= _MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered.pop(seen, None)
            self._remembered[seen] = credential_id, self._clock() + REMEMBERED
