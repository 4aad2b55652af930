"""What delivery asks of a partner, whatever kind it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bridge.delivery.policy import Answer, Outcome, Rules

if TYPE_CHECKING:
    from bridge.store import ExchangeRecord


class Document(NamedTuple):
    """A document on its way: what a partner is given, and what a function that asks the partner gets.

    `id` is the entry's, the same at every attempt: by it the partner can tell a repeat. `payload` and `headers` are XML text.
    """

    id: str
    partner: str
    ordering_key: str
    operation: str
    payload: str
    headers: str | None = None
    reference: str | None = None


LONGEST_NAME = 500
"""Bytes (UTF-8) of an ordering key or a reference: both are in an index, and PostgreSQL's take 2,704 for a whole row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one attempt.

    `cause` groups what failed alike (`Refused NotFound`), None where it was delivered; `reason` is for people. `retry_after`
    are the seconds that the partner asked to wait. `answered`: the partner, or something in its place, said anything at all.
    `record` goes to the journal in the transaction that settles the attempt. `made` is the id that the partner gave to what it made of
    the document, where it says one.
    """

    outcome: Outcome
    cause: str | None = None
    reason: str | None = None
    retry_after: float | None = None
    answered: bool = True
    record: ExchangeRecord | None = None
    made: str | None = None


class Sender(Protocol):
    """A partner that documents are delivered to. Used by several threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> Rules: ...

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        """Send it, once. Whatever becomes of it is in the answer; what is raised is a mistake of ours, and leaves the entry
        in doubt."""
        ...

    def ask(self, document: Document) -> Answer:
        """Find out what became of it; only where `rules.can_ask`."""
        ...
