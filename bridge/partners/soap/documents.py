"""Documents for a partner: from values to what the outbox keeps, and from what became of an attempt to what delivery knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.contract import Contract, Operation
from bridge.delivery.policy import Rules
from bridge.delivery.sender import LONGEST_NAME, Delivery
from bridge.errors import (
    EncodeError,
    HandlerError,
    InvalidRequest,
    PartnerError,
    Refused,
    Unavailable,
    Unpresentable,
)
from bridge.partners.soap.headers import header_blocks
from bridge.settings import Partner
from bridge.soap.masking import is_secret
from bridge.soap.xml import read_own
from bridge.store import ExchangeRecord
from bridge.store.journal import storable

LONGEST = 4000
"""Characters of a reason that are kept."""


def check_name(what: str, given: object) -> None:
    """Refuse an ordering key or a reference that not every database can keep, before anything is accepted.

    Raises:
        HandlerError: it is no text, empty, too long, or has U+0000 or half a surrogate pair in it.
    """
    if given is None:
        return
    if not isinstance(given, str):
        problem = f"is {type(given).__name__}, and not text"
    elif not given:
        problem = "is empty"
    elif given != storable(given):
        problem = "has U+0000 or half a surrogate pair in it"
    elif len(given.encode()) > LONGEST_NAME:
        problem = f"is longer than {LONGEST_NAME} bytes"
    else:
        return
    raise HandlerError(f"The {what} {problem}. Nothing was accepted.", advice="Give a short text, or None.")


def rules_of(settings: Partner, *, can_ask: bool) -> Rules:
    """What of a partner's settings decides about its deliveries."""
    return Rules(
        keeps_id=settings.keeps_id,
        can_ask=can_ask,
        asks=settings.asks,
        first_delay=settings.first_delay,
        max_delay=settings.max_delay,
        max_age=settings.max_age * 3600,
        after_failure=settings.after_failure,
        after_doubt=settings.after_doubt,
    )


def payload_of(contract: Contract, operation: Operation, values: Any) -> str:
    """The document as text, encoded and found valid; "" for an operation that takes nothing.

    Raises:
        Unpresentable: it breaks the contract.
        TypeError: values of another contract's class.
    """
    element = operation.input
    try:
        if element is None:
            if values:
                raise EncodeError(f"{operation.name} takes nothing.", advice="Give None.")
            return ""
        payload = contract.codec.encode(element, {} if values is None else values)
        source = payload.encode()
        contract.guard.check(element, read_own(source), source=source, error=InvalidRequest)
    except TypeError:  # the caller's code
        raise
    except EncodeError as error:
        place = f"{error.path}: " if error.path else ""
        raise Unpresentable(
            f"{place}{error.message} Nothing was accepted.", advice=error.advice or "Correct the values."
        ) from error
    except InvalidRequest as error:
        raise Unpresentable(
            f"{error.message} Nothing was accepted.",
            violations=error.violations,
            advice="Correct the values.",
        ) from error
    return payload


def headers_of(
    contract: Contract, operation: Operation, given: Mapping[str, Any], settings: Partner
) -> str | None:
    """Declared header blocks as text, None without any.

    Raises:
        Unpresentable: as `header_blocks`.
        HandlerError: one holds credentials, which are not for keeping.
    """
    secret = [name for name in given if is_secret(name, settings.secret_headers)]
    if secret:
        raise HandlerError(
            f"The header {secret[0]} holds credentials, and what is sent later is kept until then.",
            advice="Use `call`, which keeps nothing of it.",
        )
    return header_blocks(contract, operation, given) or None


def delivery_of(error: PartnerError | None, record: ExchangeRecord | None) -> Delivery:
    """What became of an attempt, for delivery."""
    if error is None:
        return Delivery(outcome="Delivered", record=record)
    return Delivery(
        outcome=error.outcome,  # type: ignore[arg-type] # the subclasses of PartnerError are the outcomes
        cause=f"{error.outcome} {_kind(error)}".strip(),
        reason=str(error)[:LONGEST],
        retry_after=error.retry_after if isinstance(error, Unavailable) else None,
        answered=error.status is not None,
        record=record,
    )


def _kind(error: PartnerError) -> str:
    """What failed alike has the same: the declared fault's name, the fault's code, the HTTP status."""
    if isinstance(error, Refused) and error.name:
        return error.name
    return error.code or ("" if error.status is None else str(error.status))
