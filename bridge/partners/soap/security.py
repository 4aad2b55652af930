"""WS-Security towards a partner: what each request carries, and which replies are believed.

Tokens are made for each call, and for each attempt of a delivery: a Nonce and a Created hold once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from bridge.errors import InDoubt, Refusal, SettingsError
from bridge.partners.soap.wire import IN_DOUBT
from bridge.settings import Partner
from bridge.soap.envelope import Envelope
from bridge.soap.media import Version
from bridge.soap.security import header, timestamp, username
from bridge.soap.security.timestamp import Freshness

_NONCE = 16
"""Octets, as the UsernameToken Profile asks for."""
_TIMESTAMP_ID = "soapbridge-timestamp"


class Security:
    """What one partner is sent, and has to send.

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
        *,
        secure: bool,
        freshness: Freshness = Freshness(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check(settings, secure=secure)
        self._settings = settings
        self._freshness = freshness
        self._clock = clock
        self._stamps = settings.wss_timestamp == "yes"

    def header(self, version: Version) -> str:
        """The Security header of a request that is sent now, as XML text; "" for none."""
        settings, now = self._settings, self._clock()
        tokens = []
        if self._stamps:
            tokens.append(timestamp.write(now, settings.wss_lifetime, name=_TIMESTAMP_ID))
        if settings.wss_username:
            tokens.append(
                username.write(
                    settings.wss_username,
                    settings.wss_password,
                    as_digest=settings.wss_password_kind == "digest",
                    nonce=os.urandom(_NONCE),
                    now=now,
                )
            )
        return header.write(*tokens, version=version) if tokens else ""

    def verify(self, envelope: Envelope) -> bool:
        """Whether the Security header of a reply was read, and holds; False where it has none for us, or one that nobody here
        can judge: a signature, and no `wss_trusted`.

        Raises:
            InDoubt: it does not hold. What the reply says may be somebody else's words.
        """
        try:
            found = header.find(envelope, reply=True)
            if found is None:
                return False
            if found.timestamp is not None:
                timestamp.check(found.timestamp, self._freshness, self._clock())
        except Refusal as refusal:
            raise InDoubt(
                f"The reply's Security header does not hold. {refusal.message}", advice=IN_DOUBT
            ) from refusal
        return found.signature is None


def security_of(settings: Partner, *, secure: bool) -> Security | None:
    """None where nothing of WS-Security is set. Raises SettingsError."""
    wanted = (settings.wss_username, settings.wss_password, settings.wss_certificate, settings.wss_trusted)
    if not any(wanted) and settings.wss_timestamp != "yes":
        return None
    return Security(settings, secure=secure)


def _check(settings: Partner, *, secure: bool) -> None:
    """Raises SettingsError for keys that do not fit together."""
    mistakes = []
    if bool(settings.wss_username) != bool(settings.wss_password):
        mistakes.append("wss_username and wss_password: set both or neither")
    if settings.wss_username and settings.wss_password_kind == "text" and not secure:
        mistakes.append(
            'wss_password_kind = "text" sends the password in clear: give an endpoint with https, or send a digest'
        )
    if mistakes:
        raise SettingsError.of(mistakes)
