"""WS-Security at our own entrance: who a Security header proves a request to be from, and whether it carries what it must.

    read              identify → here: form, freshness, password and signature; then, once: what was used before is refused
    check             authorise → here: what this caller's messages carry, for this operation
    answer_headers    a Timestamp for answers that are signed
    protect           the signature, over the bytes that leave

Nothing is remembered of a message that proves nothing: who has no password cannot fill the store.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from bridge.access import Means
from bridge.access.policy import Policy, policies
from bridge.settings import Settings
from bridge.soap.refusals import refuse
from bridge.soap.security import SECURITY, Verified, header, timestamp, username
from bridge.soap.security.coverage import headers_uncovered
from bridge.soap.security.timestamp import Freshness
from bridge.soap.security.username import UsernameToken

if TYPE_CHECKING:
    from bridge.exchange import Exchange

_NOTHING = Verified()


class Passwords(Protocol):
    """Whoever keeps passwords. Refuses a name that is not known, and a password that is wrong, revoked or expired, with the same
    words and after the same time; counts what failed, and refuses a name or an address that has failed too often."""

    def password(self, name: str, password: str, address: str | None, *, means: Means) -> None:
        """A password in clear. Raises Refusal unless it is one of the caller's."""

    def digest(self, name: str, matches: Callable[[str], bool], address: str | None) -> None:
        """A digest. Raises Refusal unless `matches` says yes to one of the caller's passwords."""


class NonceStore(Protocol):
    """Remembers what was used, for all processes."""

    def use(self, nonce: bytes, until: float) -> bool:
        """Whether this is the first time. Kept until then, in seconds since 1970."""


class SecurityHeaders:
    """Reads and writes Security headers for all callers; safe to use from several threads.

    Args:
        passwords: who knows whether a password is right.
        nonces: where is remembered what was used.
        trusted: the certificates (DER) that a request may be signed by: those of all callers.
        clock: seconds since 1970.

    Raises:
        SettingsError: a policy cannot be kept, or the certificate that answers are signed by cannot be read.
    """

    understood = frozenset({SECURITY})

    def __init__(
        self,
        settings: Settings,
        *,
        passwords: Passwords,
        nonces: NonceStore,
        trusted: Collection[bytes] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        wss = settings.wss
        self._freshness = Freshness(wss.max_age, wss.skew)
        self._lifetime = wss.lifetime
        self._passwords = passwords
        self._nonces = nonces
        self._trusted = tuple(trusted)
        self._clock = clock
        self._policies: Mapping[str, Policy] = policies(
            settings.callers, can_sign=wss.certificate is not None
        )

    def read(self, exchange: Exchange) -> Verified:
        """What the Security header of a request proves; nothing where it has none for us.

        Both `username` and `certificate` may be there: whoever asks sees that they belong to the same caller.

        Raises:
            Refusal: it is malformed, too old, came before, or proves nothing. For a wrong name and a wrong password it is
                the same one.
        """
        envelope = exchange.envelope
        assert envelope is not None
        found = header.find(envelope) if envelope.headers else None
        if found is None:
            return _NOTHING
        now = self._clock()
        created = None
        if found.timestamp is not None:
            created = timestamp.check(found.timestamp, self._freshness, now)
        token = None
        if found.username_token is not None:
            token = username.read(found.username_token)
            self._check_password(exchange, token, now)
        if token is not None:
            self._use_once(token, now)
        return Verified(
            username=None if token is None else token.name,
            fresh=created is not None,
        )

    def _check_password(self, exchange: Exchange, token: UsernameToken, now: float) -> None:
        if token.created is not None:
            self._freshness.check(token.created, now)
        if token.password is None:
            self._passwords.digest(token.name, token.is_made_with, exchange.remote)
        elif exchange.credentials is None or not exchange.credentials.secure:
            raise refuse("password_in_clear")
        else:
            self._passwords.password(token.name, token.password, exchange.remote, means="wss_password")

    def _use_once(self, token: UsernameToken, now: float) -> None:
        if token.nonce is None:
            return  # a password in clear: whoever could send it again could read it, and TLS is there against both
        used = _digest(b"username", token.name.encode(), token.nonce)
        if not self._nonces.use(used, self._freshness.forgotten_at(token.created or now)):
            raise refuse("message_replayed")

    def check(self, exchange: Exchange, operation: str) -> None:
        """Whether the request carries what its caller's must, for `operation` (`purchasing.CreatePurchaseOrder`).

        Raises:
            Refusal: it does not. Its caller is known, and is told what is missing.
        """
        policy = self._policies.get(exchange.partner or "")
        if policy is None:
            return
        verified = exchange.verified or _NOTHING
        carries = {
            "timestamp": verified.fresh,
            "username": verified.username is not None,
            "signature": verified.certificate is not None,
        }
        missing = [one for one in policy.requires(operation) if not carries[one]]
        if missing:
            raise refuse("security_required", missing=", ".join(missing))
        if verified.certificate is not None and policy.signed_headers:
            self._check_headers(exchange, verified, policy)

    def _check_headers(self, exchange: Exchange, verified: Verified, policy: Policy) -> None:
        envelope = exchange.envelope
        assert envelope is not None
        parts = headers_uncovered(envelope, verified.signed, policy.signed_headers)
        if parts:
            raise refuse("not_covered", parts=", ".join(parts))


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts, which cannot be moved from one to the next."""
    return hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()
