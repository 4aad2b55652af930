"""Signatures at our own entrance: those of callers, by the certificates that settings name, and ours, under answers.

What signs and verifies (`bridge.soap.security.signature`, `.signing`) brings the library for certificates along, which takes its
time to import: only where there are certificates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bridge.access.certificates import KnownCertificate
from bridge.errors import SettingsError
from bridge.settings.security import Wss
from bridge.soap.addressing import UNDERSTOOD

if TYPE_CHECKING:
    from lxml import etree

    from bridge.soap.security.certificates import Trusted
    from bridge.soap.security.signature import Signed
    from bridge.soap.security.signing import Signer

log = logging.getLogger(__name__)


class Signatures:
    """Verifies and signs. Safe to use from several threads.

    Args:
        known: the certificates of all callers; another mapping when they have changed.

    Raises:
        SettingsError: a certificate or a key cannot be used.
    """

    def __init__(self, wss: Wss, known: Callable[[], Mapping[bytes, KnownCertificate]]) -> None:
        self._known = known
        self._trusted = _trusted(known())
        self._signer: Signer | None = None
        if wss.certificate is not None:
            from bridge.soap.security.files import signer

            self._signer = signer(
                wss.certificate, wss.certificate_key, named_by=wss.reference, setting="wss.certificate"
            )

    def verify(self, signature: etree._Element, now: float) -> Signed | None:
        """What a Signature covers, and by whom; None where nobody has a certificate. Raises Refusal where it does not hold."""
        trusted = self._current()
        if trusted is None:
            return None
        from bridge.soap.security.signature import verify

        return verify(signature, trusted, now)

    def _current(self) -> Trusted | None:
        known = self._known()
        before, trusted = self._trusted
        if known is not before:
            try:
                self._trusted = _trusted(known)
                _, trusted = self._trusted
            except SettingsError as error:
                log.warning("certificates of callers not renewed yet: %s", error)
                self._trusted = known, trusted
        return trusted

    def sign(self, envelope: bytes) -> bytes:
        """The envelope with our signature over Body, Timestamp, and the addressing headers that are there."""
        from bridge.soap.security.signing import BODY, TIMESTAMP, sign

        assert self._signer is not None, "settings that want answers signed are refused without a certificate"
        return sign(envelope, self._signer, (BODY, TIMESTAMP, *UNDERSTOOD))


def _trusted(
    known: Mapping[bytes, KnownCertificate],
) -> tuple[Mapping[bytes, KnownCertificate], Trusted | None]:
    """With what it was made of. Raises SettingsError."""
    if not known:
        return known, None
    from cryptography import x509

    from bridge.soap.security.certificates import Certificate, Trusted

    return known, Trusted(Certificate.of(x509.load_der_x509_certificate(one.der)) for one in known.values())
