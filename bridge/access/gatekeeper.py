"""The gatekeeper: who a request is from, and whether there may be one more.

Whatever a request shows must be right, and of one caller. One that shows nothing is nobody's; whether nobody is answered, settings
say (`bridge.access.doors`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from bridge.access import Caller, Credentials
from bridge.access.allowance import Allowance
from bridge.access.directory import Directory
from bridge.access.doors import admits_anonymous
from bridge.access.failures import Failures
from bridge.access.logins import CHALLENGE, FAILED, Logins, Proof
from bridge.access.passwords import Passwords
from bridge.access.permits import Permits
from bridge.soap.refusals import refuse

if TYPE_CHECKING:
    from bridge.audit import Notes
    from bridge.exchange import Exchange
    from bridge.settings import Settings
    from bridge.soap.security import Verified
    from bridge.store import Store

_NOTHING = Credentials()


class SecurityHeaders(Protocol):
    """Reads the Security header of a request, and writes that of its answer."""

    understood: frozenset[str]

    def read(self, exchange: Exchange) -> Verified | None:
        """What it proves; None where there is none. Raises Refusal."""

    def proofs(self, verified: Verified) -> list[Proof]:
        """Whose it is."""

    def authorise(self, exchange: Exchange) -> None:
        """Whether the request carries what its caller's has to. Raises Refusal."""

    def answer_headers(self, exchange: Exchange) -> str: ...

    def protect(self, exchange: Exchange) -> None: ...


class Doorkeeper:
    """The Gatekeeper that settings describe. One for all services of a bridge, and all threads.

    Args:
        headers: makes what reads Security headers, which looks names and certificates up in these logins; None: nobody does.
        clock: seconds, for tests.

    Raises:
        SettingsError: a certificate cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store | None,
        *,
        notes: Notes | None = None,
        headers: Callable[[Logins], SecurityHeaders] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = Directory(settings, store, clock=clock)
        self.logins = Logins(
            self.directory, Passwords(clock), Failures(settings.access.failures, clock), notes
        )
        self.headers = None if headers is None else headers(self.logins)
        self.directory.look_again()  # the first request finds what was made until then
        self.understood = frozenset() if self.headers is None else self.headers.understood
        self.anonymous = admits_anonymous(settings)
        self.pages_for_everybody = settings.access.pages == "everybody"
        self._allowances = {
            name: Allowance(caller.rate, caller.in_flight, clock)
            for name, caller in settings.callers.items()
            if caller.rate or caller.in_flight
        }

    def identify(self, exchange: Exchange) -> None:
        """Sets `exchange.caller` and `exchange.partner`. Raises Refusal."""
        proofs = self.logins.of_http(exchange.credentials or _NOTHING, exchange.remote)
        if self.headers is not None:
            verified = exchange.verified = self.headers.read(exchange)
            if verified is not None:
                proofs += self.headers.proofs(verified)
        caller = exchange.caller = self._caller(proofs, exchange.remote)
        exchange.partner = None if caller is None else caller.name

    def visitor(self, shown: Credentials, address: str | None) -> Caller | None:
        """Who wants to see pages. Raises Refusal where they are not for everybody and it is nobody."""
        if self.pages_for_everybody:
            return None
        return self._caller(self.logins.of_http(shown, address), address)

    def may_read(self, visitor: Caller | None, service: str) -> bool:
        """Whether this visitor may see the pages and the contract of a service, by the name in its address."""
        return self.pages_for_everybody or self.directory.permits(visitor).allow_some_of(service)

    def _caller(self, proofs: list[Proof], address: str | None) -> Caller | None:
        if not proofs:
            if self.anonymous:
                return None
            raise refuse("no_credentials", subcodes=(FAILED,), headers=(CHALLENGE,))
        name = proofs[0][0]
        caller = self.directory.caller(name, [means for _, means in proofs])
        if caller is None or any(other != name for other, _ in proofs):
            raise self.logins.failed(address, means=proofs[0][1])
        return caller

    def permits(self, exchange: Exchange) -> Permits:
        """What the caller of this request may ask for."""
        return self.directory.permits(exchange.caller)

    def authorise(self, exchange: Exchange) -> None:
        """Whether the request carries what it must, and there may be one more. Raises Refusal."""
        if self.headers is not None:
            self.headers.authorise(exchange)
        if exchange.partner in self._allowances:
            self._allowances[exchange.partner].take(exchange.id)

    def answer_headers(self, exchange: Exchange) -> str:
        return "" if self.headers is None else self.headers.answer_headers(exchange)

    def protect(self, exchange: Exchange) -> None:
        if self.headers is not None:
            self.headers.protect(exchange)

    def release(self, exchange: Exchange) -> None:
        if exchange.partner in self._allowances:
            self._allowances[exchange.partner].give_back(exchange.id)
