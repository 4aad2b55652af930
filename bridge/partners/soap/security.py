"""WS-Security towards a partner: what each request carries, and which replies are believed.

Tokens are made for each call, and for each attempt of a delivery: a Nonce and a Created hold once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.contract import Contract
from bridge.errors import InDoubt, PartnerError, Refusal, SettingsError
from bridge.partners.soap import faults
from bridge.settings import Partner
from bridge.soap.addressing import UNDERSTOOD
from bridge.soap.envelope import Envelope
from bridge.soap.media import Version
from bridge.soap.security import header, timestamp, username
from bridge.soap.security.coverage import headers_uncovered, uncovered
from bridge.soap.security.header import SecurityHeader
from bridge.soap.security.timestamp import Freshness
from bridge.soap.text import clip, local_name

if TYPE_CHECKING:
    from bridge.soap.security.certificates import Trusted
    from bridge.soap.security.signing import Signer

_NONCE = 16
"""Octets, as the UsernameToken Profile asks for."""
_USUAL = Freshness()
_ADVICE = (
    "Whoever answered may not be the partner, and what was asked may have been done or not: ask the partner."
)


class Security:
    """What one partner is sent, and has to send. Safe to use from several threads.

    Args:
        secure: whether its address begins with https.
        freshness: how old its replies may be.
        clock: seconds since 1970.

    Raises:
        SettingsError: the settings contradict each other, or a certificate cannot be read.
    """

    def __init__(
        self,
        settings: Partner,
        contract: Contract,
        *,
        secure: bool,
        freshness: Freshness = _USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check(settings, secure=secure)
        self._settings = settings
        self._freshness = freshness
        self._clock = clock
        self._signed = (*_signed_headers(settings, contract), "Body", "Timestamp")
        self._signer: Signer | None = None
        self._trusted: Trusted | None = None
        if settings.wss_certificate is not None or settings.wss_trusted:
            # What signs and verifies takes its time to import: only for those who do.
            from bridge.soap.security import files

            if settings.wss_certificate is not None:
                self._signer = files.signer(
                    settings.wss_certificate,
                    settings.wss_certificate_key,
                    named_by=settings.wss_reference,
                    setting="wss_certificate",
                )
            if settings.wss_trusted:
                self._trusted = files.trusted(settings.wss_trusted, setting="wss_trusted")
        self._stamps = settings.wss_timestamp == "yes" or self._signer is not None

    def header(self, version: Version) -> str:
        """The Security header of a request that is sent now, as XML text; "" for none."""
        settings, now = self._settings, self._clock()
        tokens = []
        if self._stamps:
            tokens.append(timestamp.write(now, settings.wss_lifetime, name="timestamp"))
        if settings.wss_username:
            tokens.append(
                username.write(
                    settings.wss_username,
                    settings.wss_password,
                    as_digest=not _in_clear(settings),
                    nonce=os.urandom(_NONCE),
                    now=now,
                )
            )
        return header.write(*tokens, version=version) if tokens else ""

    def protect(self, envelope: bytes) -> bytes:
        """The bytes that leave: signed where the partner is to get it so."""
        if self._signer is None:
            return envelope
        from bridge.soap.security.signing import sign

        return sign(envelope, self._signer, self._signed)

    def verify(self, envelope: Envelope) -> bool:
        """Whether the Security header of a reply was read, and holds; False where it has none for us, or one that nobody here
        can judge: a signature, and no `wss_trusted`.

        Raises:
            InDoubt: it does not hold, or there is no signature and there should be one. What the reply says may be somebody
                else's words.
        """
        now = self._clock()
        try:
            found = header.find(envelope, reply=True)
            if found is not None and found.timestamp is not None:
                timestamp.check(found.timestamp, self._freshness, now)
            if self._trusted is not None:
                self._check_signature(envelope, found, self._trusted, now)
        except Refusal as refusal:
            raise _unbelieved(f"Its Security header does not hold: {refusal.message}") from refusal
        return found is not None and (found.signature is None or self._trusted is not None)

    def _check_signature(
        self, envelope: Envelope, found: SecurityHeader | None, trusted: Trusted, now: float
    ) -> None:
        from bridge.soap.security.signature import verify

        if found is None or found.signature is None:
            raise _unbelieved(f"It is not signed.{_claim(envelope)}")
        signed = verify(found.signature, trusted, now).elements
        missing = uncovered(envelope, signed, found.timestamp)
        if envelope.fault is None:
            missing += headers_uncovered(envelope, signed, self._settings.wss_signed_headers)
        if missing:
            raise _unbelieved(f"Its signature does not cover {', '.join(missing)}.")


def security_of(settings: Partner, contract: Contract, *, secure: bool) -> Security | None:
    """None where nothing of WS-Security is set. Raises SettingsError."""
    wanted = (settings.wss_username, settings.wss_password, settings.wss_certificate, settings.wss_trusted)
    if not any(wanted) and settings.wss_timestamp != "yes":
        return None
    return Security(settings, contract, secure=secure)


def _check(settings: Partner, *, secure: bool) -> None:
    """Raises SettingsError for keys that do not fit together."""
    mistakes = []
    if bool(settings.wss_username) != bool(settings.wss_password):
        mistakes.append("wss_username and wss_password: set both or neither")
    if settings.wss_username and _in_clear(settings) and not secure:
        mistakes.append(
            'wss_password_kind = "text" sends the password in clear: give an endpoint with https, or send a digest'
        )
    if settings.wss_timestamp == "no" and settings.wss_certificate is not None:
        mistakes.append('wss_timestamp = "no": what is signed has a Timestamp; leave it out')
    if mistakes:
        raise SettingsError.of(mistakes)


def _in_clear(settings: Partner) -> bool:
    return settings.wss_password_kind == "text"  # noqa: S105 - a kind of password, and none


def _signed_headers(settings: Partner, contract: Contract) -> frozenset[str]:
    """Clark names of the header blocks that are signed: addressing, and those of the settings. Raises SettingsError."""
    declared = {
        header.name
        for operation in contract.operations.values()
        for header in (*operation.input_headers, *operation.output_headers)
    }
    found = set(UNDERSTOOD)
    for given in settings.wss_signed_headers:
        named = {name for name in declared | UNDERSTOOD if given in (name, local_name(name))}
        if not named:
            raise SettingsError(
                f"wss_signed_headers: the contract declares no header {given}.",
                advice=f"It declares: {', '.join(sorted(declared)) or 'none'}.",
            )
        found |= named
    return frozenset(found)


def _claim(envelope: Envelope) -> str:
    """What a fault that cannot be believed says, for people: it may be true all the same."""
    if envelope.fault is None:
        return ""
    said = faults.read(envelope).said
    return f" It is the fault {said.code or 'without a code'}: {clip(said.reason, 200)}"


def _unbelieved(why: str) -> PartnerError:
    return InDoubt(f"The reply cannot be believed. {why}", advice=_ADVICE)
