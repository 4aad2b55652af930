"""An exchange: one request with its answer, and all we know about it. Filled from stage to stage of `bridge.inbound`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.access import Caller, Credentials
from bridge.contract import Operation
from bridge.contract.explain.violation import Violation
from bridge.errors import DecodeError, EncodeError, InvalidMessage, InvalidReply, InvalidRequest, Refusal
from bridge.handlers import Handler
from bridge.ids import new_exchange_id
from bridge.soap.addressing import UNDERSTOOD, Addressing
from bridge.soap.envelope import Envelope
from bridge.soap.media import Version
from bridge.store import ExchangeRecord, Verdict
from bridge.store.idempotency import Record

if TYPE_CHECKING:
    from bridge.idempotency import Once
    from bridge.soap.security import Verified

Headers = list[tuple[str, str]]


@dataclass(slots=True, eq=False)
class Exchange:
    """One request with its answer, and all we know about it. Filled from stage to stage.

    The first block is what the entrance knows, `status`, `headers` and `reply` what it sends back. `verdict` is the
    journal's word for how it ended, `error` what ended it when it did not end well. `once` tells this request from others,
    `found` is the record of the same one made before; `duplicate_of` then the exchange whose answer is given again,
    `detail` the text of the declared fault that it was. `called_out`: the handler called another system. `credentials` are what
    HTTP brought, `caller` who it is from and `partner` its name; `verified` what its Security header proved. `let_in`: whoever it is from
    was found to be one who may ask. `service` is the name in the address.
    """

    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    remote: str | None = None
    language: str = ""
    soap_action: str | None = None
    idempotency_key: str | None = None
    credentials: Credentials | None = None

    id: str = ""
    service: str = ""
    received: float = 0.0
    started: float = 0.0
    version: Version = "1.1"
    source: bytes = b""
    envelope: Envelope | None = None
    addressing: Addressing | None = None
    plan: Plan | None = None
    partner: str | None = None
    caller: Caller | None = None
    verified: Verified | None = None
    let_in: bool = False
    value: Any = None
    header_blocks: tuple[etree._Element, ...] = ()
    request_headers: Mapping[str, Any] | None = None
    payload: str = ""
    reply_headers: str = ""
    reference: str | None = None
    once: Once | None = None
    found: Record | None = None
    duplicate_of: str | None = None
    detail: str | None = None
    called_out: bool = False

    verdict: Verdict = "accepted"
    error: BaseException | None = None
    fault_code: str | None = None
    fault_reason: str | None = None
    recorded: bool = False
    status: int = 200
    reply: bytes = b""
    headers: Headers | None = None

    @property
    def answered_before(self) -> bool:
        """This very payload was found valid before, and answered."""
        return self.found is not None and self.once is not None and self.once.answers(self.found)

    def __post_init__(self) -> None:
        self.id = new_exchange_id()
        self.received = time.time()
        self.started = time.perf_counter()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is known of an operation before its first request. `understood` are the header blocks it may get."""

    operation: Operation
    key: str
    handler: Handler | None
    understood: frozenset[str]
    reply_action: str

    @classmethod
    def of(
        cls, operation: Operation, handler: Handler | None, understood: frozenset[str] = UNDERSTOOD
    ) -> Plan:
        namespace, _, port_type = operation.port_type.removeprefix("{").rpartition("}")
        separator = ":" if namespace.startswith("urn:") else "/"
        action = separator.join((namespace.rstrip("/"), port_type, f"{operation.name}Response"))
        understood |= {header.name for header in operation.input_headers}
        return cls(operation, operation.key, handler, understood, action)


def record_of(
    exchange: Exchange, contract: str, *, request: bytes | None, keep_bodies: bool
) -> ExchangeRecord:
    """The journal's row of this exchange as it stands; `request` is its envelope as it may be kept."""
    violations = exchange.error.violations if isinstance(exchange.error, InvalidMessage) else ()
    plan = exchange.plan
    return ExchangeRecord(
        exchange_id=exchange.id,
        received_at=datetime.fromtimestamp(exchange.received, UTC),
        duration_us=int((time.perf_counter() - exchange.started) * 1e6),
        verdict=exchange.verdict,
        contract=contract,
        operation=None if plan is None else plan.key,
        soap_version=exchange.version,
        partner=exchange.partner,
        remote=exchange.remote,
        http_status=exchange.status,
        fault_code=exchange.fault_code,
        fault_reason=exchange.fault_reason,
        violations=[_as_row(violation) for violation in violations],
        request=request,
        reference=exchange.reference,
        reply=exchange.reply if keep_bodies else None,
        duplicate_of=exchange.duplicate_of,
    )


def verdict_of(error: BaseException) -> Verdict:
    """The journal's word for an exchange that this ended; a declared fault has its own."""
    match error:
        case Refusal():
            return "refused"
        case InvalidRequest() | DecodeError():
            return "invalid_request"
        case InvalidReply() | EncodeError():
            return "invalid_reply"
        case _:
            return "failed"


def _as_row(violation: Violation) -> dict[str, object]:
    """A violation for the journal: what a person looks for first."""
    return {
        "kind": violation.kind,
        "path": violation.path,
        "line": violation.line,
        "found": violation.found,
        "expected": violation.expected,
        "message": violation.messages.get("en", ""),
    }
