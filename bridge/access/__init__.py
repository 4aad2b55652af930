"""Who a request is from, and whether they may make it.

    identify     open → here: credentials of HTTP and TLS, tokens and signatures of the Security header; nobody learns anything about
                 contracts before
    permits      admit asks: what a caller's roles do not name is for this caller not there
    authorise    admit → here: the operation is known; what the request must carry, how many requests there may be
    release      the exchange has ended

`Inbound` calls a `Gatekeeper` at these places; None lets everybody in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from bridge.access.permits import Permits
    from bridge.exchange import Exchange

Means = Literal["api_key", "basic", "certificate", "wss_password", "signature"]
"""How a caller proved who it is."""


class Credentials(NamedTuple):
    """What HTTP and TLS bring, as it came: `Authorization`, `X-API-Key`, the client's certificate in PEM."""

    authorization: str | None = None
    api_key: str | None = None
    certificate: str | None = None
    secure: bool = False
    """Whether nobody could read along: TLS, to us or to a proxy that we trust."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A partner or a person that calls us, known by `means`. `roles` are names of `[roles.NAME]`."""

    name: str
    kind: Literal["partner", "person"]
    roles: tuple[str, ...]
    means: tuple[Means, ...] = ()


class Gatekeeper(Protocol):
    """Decides on requests. All methods are called by many threads."""

    understood: frozenset[str]
    """Header blocks (Clark names) that it reads."""

    def identify(self, exchange: Exchange) -> None:
        """Sets `exchange.caller` and `exchange.partner`, or leaves them None for a request without credentials that may be
        anonymous. Raises Refusal."""

    def permits(self, exchange: Exchange) -> Permits:
        """What the caller of this request may ask for. For who asks for anything else, it is not there."""

    def authorise(self, exchange: Exchange) -> None:
        """Whether the request carries what it must, and there may be one more. Raises Refusal."""

    def answer_headers(self, exchange: Exchange) -> str:
        """Header blocks that the answer must carry: XML text, "" for none."""

    def protect(self, exchange: Exchange) -> None:
        """Signs `exchange.reply` where the caller is to get signed answers. The last thing done to these bytes."""

    def release(self, exchange: Exchange) -> None:
        """The exchange has ended, however it did; called once for each that was identified or refused. Raises nothing."""
