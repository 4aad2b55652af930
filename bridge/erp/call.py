"""What the ERP's handlers need of the host: the second argument of every handler."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Protocol

from bridge.store import Session


class Call(Protocol):
    """One request being answered."""

    reference: str | None
    """Set by the handler: the number of the document it made or read, by which the journal finds the exchange."""

    @property
    def exchange_id(self) -> str:
        """Id of the exchange; kept with every row it writes."""
        ...

    @property
    def now(self) -> datetime:
        """When the request came in, in UTC: one moment for everything it does."""
        ...

    @property
    def today(self) -> date:
        """The day of the request where the business is (`contracts.zone`)."""
        ...

    @property
    def session(self) -> Session:
        """For writing; opens the write transaction when first asked for."""
        ...

    @property
    def reading(self) -> Session:
        """For reading one snapshot without a lock."""
        ...

    @property
    def partner(self) -> str | None:
        """Who sent the request; None where callers are not told apart."""
        ...

    @property
    def own_only(self) -> bool:
        """Whether the caller sees only documents that came from itself."""
        ...

    def fault(self, name: str, /, **fields: Any) -> Exception:
        """A fault that the operation declares, to be raised; `fields` are its detail's elements."""
        ...


def sender(call: Call) -> str:
    """Whose request ids these are: two partners may use the same one. Empty where callers are not told apart."""
    return call.partner or ""


def sees(call: Call, owner: str) -> bool:
    """Whether the caller may know of a document that `owner` made; if not, it is told the same as of one that is not there."""
    return not call.own_only or owner == sender(call)
