"""Whether credentials are right, and what is done when they are not: counted, noted, and answered with the same words."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from bridge.access import Credentials, Means
from bridge.access.api_keys import digest, looks_like_one
from bridge.access.certificates import pem_to_ders
from bridge.soap.refusals import refuse
from bridge.soap.security import WSSE

if TYPE_CHECKING:
    from bridge.access.certificates import KnownCertificate
    from bridge.access.directory import Directory
    from bridge.access.failures import Failures
    from bridge.access.passwords import Passwords
    from bridge.audit import Notes
    from bridge.errors import Refusal

FAILED: Final = f"{{{WSSE}}}FailedAuthentication"
CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="soapbridge", charset="UTF-8"')

_NOBODYS = secrets.token_urlsafe(32)
"""A password that nobody has."""

Proof = tuple[str, Means]
"""The name of a caller, and how it was proved."""


class Logins:
    """Checks what is shown. One object for all threads."""

    def __init__(
        self, directory: Directory, passwords: Passwords, failures: Failures, notes: Notes | None = None
    ) -> None:
        self.directory = directory
        self._passwords = passwords
        self._failures = failures
        self._notes = notes

    def of_http(self, shown: Credentials, address: str | None) -> list[Proof]:
        """Everything that HTTP and TLS prove. Raises Refusal where something is wrong.

        A certificate that nobody has is no proof and no mistake: TLS may ask for one of everybody.
        """
        proofs: list[Proof] = []
        if shown.api_key is not None:
            proofs.append((self.api_key(shown.api_key.strip(), address), "api_key"))
        if shown.authorization is not None:
            proofs.append(self._of_authorization(shown.authorization, address))
        if shown.certificate is not None:
            name = self._of_certificate(shown.certificate)
            if name is not None:
                proofs.append((name, "certificate"))
        return proofs

    def _of_authorization(self, value: str, address: str | None) -> Proof:
        scheme, _, rest = value.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                return self.api_key(rest.strip(), address), "api_key"
            case "basic":
                try:
                    text = base64.b64decode(rest.strip(), validate=True).decode()
                except ValueError:  # no base64, no UTF-8, or a header that is not even ASCII
                    raise self.failed(address, means="basic") from None
                name, _, password = text.partition(":")
                return self.basic(name, password, address)
            case _:
                raise self.failed(address, means="basic")

    def api_key(self, text: str, address: str | None) -> str:
        """Whose API key it is. Raises Refusal.

        One that is right is right at any time: nobody comes to it by trying.
        """
        name = self.directory.of_api_key(digest(text)) if looks_like_one(text) else None
        if name is None:
            raise self._failures.refusal(address) or self.failed(address, means="api_key")
        return name

    def basic(self, name: str, password: str, address: str | None) -> Proof:
        """A name with its password, or with its API key in the password's place. Raises Refusal."""
        if looks_like_one(password):
            if self.api_key(password, address) == name:
                return name, "api_key"
            raise self.failed(address, name, means="basic")
        self.password(name, password, address)
        return name, "basic"

    def password(self, name: str, password: str, address: str | None, *, means: Means = "basic") -> None:
        """Whether it is the password of that name. Raises Refusal, after the same time for names that are not there."""
        self.admit(address, name)
        if means == "wss_password" and self._is_wss_password(name, password):
            self._failures.was_right(address, name)
            return
        kept = self.directory.passwords(name)
        checks = self.directory.most_passwords
        if self._passwords.find(name, password, kept, checks=checks) is None:
            # One that was made a moment ago.
            newer = [one for one in self.directory.passwords(name, anew=True) if one not in kept]
            if not newer or self._passwords.find(name, password, newer, checks=len(newer)) is None:
                raise self.failed(address, name, means=means)
        self._failures.was_right(address, name)

    def _is_wss_password(self, name: str, password: str) -> bool:
        given = password.encode()
        return any(hmac.compare_digest(given, one.encode()) for one in self.directory.wss_passwords(name))

    def digest(self, name: str, matches: Callable[[str], bool], address: str | None) -> None:
        """Whether `matches` says yes to a password of that name; a made-up one is tried where there is none. Raises Refusal."""
        self.admit(address, name)
        kept = self.directory.wss_passwords(name) or [_NOBODYS]
        if not any(matches(password) for password in kept):
            newer = [one for one in self.directory.wss_passwords(name, anew=True) if one not in kept]
            if not any(matches(password) for password in newer):
                raise self.failed(address, name, means="wss_password")
        self._failures.was_right(address, name)

    def known_certificates(self) -> Mapping[bytes, KnownCertificate]:
        """The certificates of all callers; another mapping when they have changed."""
        return self.directory.known_certificates

    def of_certificate(self, der: bytes) -> str | None:
        """Whose certificate this is; None for one that is over, or nobody's."""
        return self.directory.of_certificate(der)

    def admit(self, address: str | None, name: str | None = None) -> None:
        """Whether a password or digest from here is looked at. Raises Refusal."""
        refusal = self._failures.refusal(address, name)
        if refusal is not None:
            raise refusal

    def failed(self, address: str | None, name: str | None = None, *, means: Means) -> Refusal:
        """What a request with wrong credentials is told: the same, whatever was wrong with them. Counts it, and writes it down
        unless there were too many."""
        if self._failures.count(address, name) and self._notes is not None:
            known = name if name is not None and self.directory.caller(name) is not None else None
            about = {"address": address, "means": means}
            self._notes.note("login_refused", who=known, outcome="refused", about=about)
        if means in ("wss_password", "signature"):  # not by HTTP, so that HTTP asks for nothing
            return refuse("failed_authentication")
        return refuse("wrong_credentials", subcodes=(FAILED,), headers=(CHALLENGE,))

    def _of_certificate(self, pem: str) -> str | None:
        try:
            ders = pem_to_ders(pem)
        except ValueError:
            return None
        return self.directory.of_certificate(ders[0]) if len(ders) == 1 else None
