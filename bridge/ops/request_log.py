"""A line in the log for each exchange: who, what, how it ended, how long it took. Never what was in it.

    {"event":"request","exchange":"01993c5b2f1a-9f2c1e77b0-1c","service":"purchasing","operation":"CreatePurchaseOrder",
     "partner":null,"verdict":"accepted","status":200,"ms":1.84,"request_bytes":812,"reply_bytes":402,"remote":"10.0.0.7", ...}

What was refused has `error`, the kind, and `violations`, how many; the words are in the journal, for they quote the message. What
got the answer of an earlier request has `duplicate_of`, that one's exchange.

The way through structlog and logging takes 50 µs and more, which would be a tenth of a small exchange. So a line of JSON is put
together here, from pieces of which most are known before; lines for people take the usual way.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import structlog

from bridge import log as logs
from bridge.errors import InvalidMessage
from bridge.exchange import Exchange
from bridge.handlers import Service
from bridge.inbound import Observer
from bridge.ops.meter import label
from bridge.settings import Log

NAME = "bridge.requests"
log = structlog.get_logger(NAME)
plain = logging.getLogger(NAME)

_text = json.JSONEncoder(ensure_ascii=False).encode


class RequestLog:
    """What the settings say of `log.requests`: all, refused (everything that was not accepted), none."""

    def __init__(self, settings: Log) -> None:
        self.which = settings.requests if settings.level in ("debug", "info") else "none"

    def observer(self, service: Service) -> Observer | None:
        """What is to be called with each exchange of `service` when it has ended, and its seconds; None: nothing."""
        if self.which == "none":
            return None
        every = self.which == "all"
        name = label(service)
        heads = {
            operation: f'"service":{_text(name)},"operation":{_text(operation)}'
            for operation in (None, *service.contract.operations)
        }

        def observe(exchange: Exchange, seconds: float) -> None:
            if every or exchange.verdict not in WELL:
                operation = None if exchange.plan is None else exchange.plan.key
                if logs.write_line(lambda: _line(exchange, seconds, heads[operation])):
                    return
                if structlog.is_configured():
                    log.info("request", service=name, operation=operation, **_fields(exchange, seconds))
                elif plain.isEnabledFor(logging.INFO):
                    # Inside somebody's program, where structlog would print to its standard output.
                    plain.info("request: %s", _fields(exchange, seconds))

        return observe


WELL = frozenset({"accepted"})
"""Verdicts of which `log.requests = "refused"` writes nothing."""


def _line(exchange: Exchange, seconds: float, head: str) -> str:
    partner = "null" if exchange.partner is None else _text(exchange.partner)
    remote = "null" if exchange.remote is None else _text(exchange.remote)
    error = _error(exchange)
    more = "" if error is None else f',"error":"{error}","violations":{_violations(exchange)}'
    if exchange.duplicate_of is not None:
        more += f',"duplicate_of":"{exchange.duplicate_of}"'
    return (
        f'{{"event":"request","exchange":"{exchange.id}",{head},"partner":{partner},"verdict":"{exchange.verdict}",'
        f'"status":{exchange.status},"ms":{seconds * 1e3:.2f},"request_bytes":{len(exchange.body)},'
        f'"reply_bytes":{len(exchange.reply)},"remote":{remote}{more},"level":"info","logger":"{NAME}",'
        f'"timestamp":"{datetime.now(UTC).isoformat()[:-6]}Z"}}\n'
    )


def _fields(exchange: Exchange, seconds: float) -> dict[str, object]:
    fields: dict[str, object] = {
        "exchange": exchange.id,
        "partner": exchange.partner,
        "verdict": exchange.verdict,
        "status": exchange.status,
        "ms": round(seconds * 1e3, 2),
        "request_bytes": len(exchange.body),
        "reply_bytes": len(exchange.reply),
        "remote": exchange.remote,
    }
    error = _error(exchange)
    if error is not None:
        fields |= {"error": error, "violations": _violations(exchange)}
    if exchange.duplicate_of is not None:
        fields["duplicate_of"] = exchange.duplicate_of
    return fields


def _error(exchange: Exchange) -> str | None:
    return None if exchange.error is None else type(exchange.error).__name__


def _violations(exchange: Exchange) -> int:
    return len(exchange.error.violations) if isinstance(exchange.error, InvalidMessage) else 0
