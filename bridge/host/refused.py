"""The answer to a request that reaches no service: its sender is a program all the same, and reads faults."""

from __future__ import annotations

import structlog

from bridge.errors import Refusal
from bridge.exchange import new_exchange_id
from bridge.soap.fault import fault_bytes, from_error, http_headers, http_status
from bridge.soap.media import version_hint

log = structlog.get_logger(__name__)


def refusal_answer(
    refusal: Refusal, method: bytes, content_type: str | None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """HTTP status, headers and body: a fault in the version of the content type for POST, plain text for the rest."""
    version = version_hint(content_type)
    exchange_id = new_exchange_id()
    fault = from_error(refusal, exchange_id)
    status = http_status(version, fault)
    # Not journaled, for there is no envelope; so this line is all that the id in the fault leads to.
    log.info("request refused", exchange=exchange_id, status=status, reason=str(refusal))
    if method != b"POST":
        return status, [("Content-Type", "text/plain; charset=utf-8")], f"{refusal}\n".encode()
    return status, http_headers(version, fault), fault_bytes(version, fault)
