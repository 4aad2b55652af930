"""WS-Security at our own entrance: who a Security header proves a request to be from, and whether it carries what it must.

    read              identify → here: form, freshness, password and signature; then, once: what was used before is refused
    proofs            whose that is
    authorise         what this caller's messages carry, for this operation
    answer_headers    a Timestamp for answers that are signed
    protect           the signature, over the bytes that leave

Nothing is remembered of a message that proves nothing: who has no password and no key cannot fill the store.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from bridge.access import Means
from bridge.access.certificates import KnownCertificate
from bridge.access.policy import Policy, policies
from bridge.access.signatures import Signatures
from bridge.errors import Refusal
from bridge.settings import Settings
from bridge.soap.refusals import refuse
from bridge.soap.security import SECURITY, Verified, header, timestamp, username
from bridge.soap.security.coverage import headers_uncovered, uncovered
from bridge.soap.security.header import SecurityHeader
from bridge.soap.security.timestamp import Freshness
from bridge.soap.security.username import UsernameToken

if TYPE_CHECKING:
    from bridge.exchange import Exchange
    from bridge.soap.security.signature import Signed

_NOTHING = Verified()


class Logins(Protocol):
    """Whoever knows callers' secrets. Refuses a name that is not known, and a password that is wrong, revoked or expired, with the
    same words and after the same time; counts what failed, and refuses a name or an address that has failed too often."""

    def password(self, name: str, password: str, address: str | None, *, means: Means = "basic") -> None:
        """A password in clear. Raises Refusal unless it is one of the caller's."""

    def digest(self, name: str, matches: Callable[[str], bool], address: str | None) -> None:
        """A digest. Raises Refusal unless `matches` says yes to one of the caller's passwords."""

    def known_certificates(self) -> Mapping[bytes, KnownCertificate]:
        """The certificates of all callers; another mapping when they have changed."""

    def of_certificate(self, der: bytes) -> str | None:
        """Whose certificate this is; None for one that is over, or nobody's."""

    def failed(self, address: str | None, name: str | None = None, *, means: Means) -> Refusal:
        """What a request with wrong credentials is told."""


class NonceStore(Protocol):
    """Remembers what was used, for all processes."""

    def use(self, nonce: bytes, until: float) -> bool:
        """Whether this is the first time. Kept until then, in seconds since 1970."""


class SecurityHeaders:
    """Reads and writes Security headers for all callers; safe to use from several threads.

    Args:
        logins: who knows whether a password is right, and whose a certificate is.
        nonces: where is remembered what was used.
        clock: seconds since 1970.

    Raises:
        SettingsError: a policy cannot be kept, or a certificate cannot be used.
    """

    understood = frozenset({SECURITY})

    def __init__(
        self,
        settings: Settings,
        logins: Logins,
        nonces: NonceStore,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        wss = settings.wss
        self._freshness = Freshness(wss.max_age, wss.skew)
        self._lifetime = wss.lifetime
        self._logins = logins
        self._nonces = nonces
        self._clock = clock
        self._policies: Mapping[str, Policy] = policies(
            settings.callers, can_sign=wss.certificate is not None
        )
        self._signatures = Signatures(wss, logins.known_certificates)

    def read(self, exchange: Exchange) -> Verified | None:
        """What the Security header of a request proves; None where it has none for us.

        Raises:
            Refusal: it is malformed, too old, came before, or what should prove something does not. For a wrong name and a wrong
                password it is the same one.
        """
        envelope = exchange.envelope
        assert envelope is not None
        found = header.find(envelope) if envelope.headers else None
        if found is None:
            return None
        now = self._clock()
        created = None
        if found.timestamp is not None:
            created = timestamp.check(found.timestamp, self._freshness, now)
        token = None if found.username_token is None else username.read(found.username_token)
        if token is not None:
            self._check_password(exchange, token, now)
        signed = None if found.signature is None else self._check_signature(exchange, found, now)
        # Used up last, when everything else holds: a message that is refused may be mended and sent again.
        if token is not None and token.nonce is not None:
            made = now if token.created is None else token.created
            # The digest is over nonce and Created in a row: white space that stands between them may be moved from one to the other.
            nonce = token.nonce.rstrip(b" \t\r\n")
            self._use_once(_digest(b"username", token.name.encode(), nonce), made)
        if signed is not None:
            assert created is not None
            self._use_once(_digest(b"signature", signed.fingerprint), created)
        return Verified(
            username=None if token is None else token.name,
            certificate=None if signed is None else signed.certificate.der,
            signed=() if signed is None else signed.elements,
            fresh=created is not None,
        )

    def _check_password(self, exchange: Exchange, token: UsernameToken, now: float) -> None:
        if token.created is not None:
            self._freshness.check(token.created, now)
        if token.password is None:
            self._logins.digest(token.name, token.is_made_with, exchange.remote)
        elif exchange.credentials is None or not exchange.credentials.secure:
            raise refuse("password_in_clear")
        else:
            self._logins.password(token.name, token.password, exchange.remote, means="wss_password")

    def _check_signature(self, exchange: Exchange, found: SecurityHeader, now: float) -> Signed:
        """A signature that proves who sent this message, and when: over its Body and its Timestamp."""
        envelope = exchange.envelope
        assert envelope is not None
        assert found.signature is not None
        try:
            signed = self._signatures.verify(found.signature, now)
        except Refusal:
            self._logins.failed(
                exchange.remote, means="signature"
            )  # counted and written down; what is wrong with it is said
            raise
        if signed is None:
            raise self._logins.failed(exchange.remote, means="signature")
        missing = uncovered(envelope, signed.elements, found.timestamp)
        if missing:
            raise refuse("not_covered", parts=", ".join(missing))
        return signed

    def _use_once(self, used: bytes, created: float) -> None:
        if not self._nonces.use(used, self._freshness.forgotten_at(created)):
            raise refuse("message_replayed")

    def proofs(self, verified: Verified) -> list[tuple[str, Means]]:
        """The callers that were proved, and how. Whoever asks sees that they are the same one; "" is nobody's name."""
        proofs: list[tuple[str, Means]] = []
        if verified.username is not None:
            proofs.append((verified.username, "wss_password"))
        if verified.certificate is not None:
            proofs.append((self._logins.of_certificate(verified.certificate) or "", "signature"))
        return proofs

    def authorise(self, exchange: Exchange) -> None:
        """Whether the request carries what its caller's must, for its operation.

        Raises:
            Refusal: it does not. Its caller is known, and is told what is missing.
        """
        policy = self._policies.get(exchange.partner or "")
        if policy is None:
            return
        assert exchange.plan is not None
        verified = exchange.verified or _NOTHING
        carries = {
            "timestamp": verified.fresh,
            "username": verified.username is not None,
            "signature": verified.certificate is not None,
        }
        wanted = policy.requires(exchange.service or "", exchange.plan.key)
        missing = [one for one in wanted if not carries[one]]
        if missing:
            raise refuse("security_required", missing=", ".join(missing))
        if verified.certificate is not None and policy.signed_headers:
            assert exchange.envelope is not None
            parts = headers_uncovered(exchange.envelope, verified.signed, policy.signed_headers)
            if parts:
                raise refuse("not_covered", parts=", ".join(parts))

    def answer_headers(self, exchange: Exchange) -> str:
        """The Security header, with a Timestamp, for an answer that is signed; "" for others."""
        if not self._signs_for(exchange):
            return ""
        stamp = timestamp.write(self._clock(), self._lifetime, name="timestamp")
        return header.write(stamp, version=exchange.version)

    def protect(self, exchange: Exchange) -> None:
        """Signs the answer over Body, Timestamp and addressing headers, for callers whose answers are signed."""
        if self._signs_for(exchange):
            exchange.reply = self._signatures.sign(exchange.reply)

    def _signs_for(self, exchange: Exchange) -> bool:
        policy = self._policies.get(exchange.partner or "")
        return policy is not None and policy.signed_replies


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts, which cannot be moved from one to the next."""
    return hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()
