"""An exchange: one request with its answer, and all we know about it. Filled from stage to stage of `bridge.inbound`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.contract import Operation
from bridge.handlers import Handler
from bridge.soap.addressing import UNDERSTOOD, Addressing
from bridge.soap.envelope import Envelope
from bridge.soap.media import Version
from bridge.store import Verdict
from bridge.store.idempotency import Record

if TYPE_CHECKING:
    from bridge.idempotency import Once

Headers = list[tuple[str, str]]

_process = os.urandom(5).hex()
_numbers = count(1)


def _renew_process() -> None:
    global _process  # after a fork the child must not give out its parent's ids
    _process = os.urandom(5).hex()


os.register_at_fork(after_in_child=_renew_process)


def new_exchange_id() -> str:
    """An id that no other process gives out and that sorts by time: `01993c5b2f1a-9f2c1e77b0-1c`."""
    return f"{time.time_ns() // 1_000_000:012x}-{_process}-{next(_numbers):x}"


@dataclass(slots=True, eq=False)
class Exchange:
    """One request with its answer, and all we know about it. Filled from stage to stage.

    The first block is what the entrance knows, `status`, `headers` and `reply` what it sends back. `verdict` is the
    journal's word for how it ended, `error` what ended it when it did not end well. `once` tells this request from others,
    `found` is the record of the same one made before; `duplicate_of` then the exchange whose answer is given again,
    `detail` the text of the declared fault that it was. `called_out`: the handler called another system.
    """

    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    remote: str | None = None
    language: str = ""
    soap_action: str | None = None
    idempotency_key: str | None = None

    id: str = ""
    received: float = 0.0
    started: float = 0.0
    version: Version = "1.1"
    source: bytes = b""
    envelope: Envelope | None = None
    addressing: Addressing | None = None
    plan: Plan | None = None
    partner: str | None = None
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
    def of(cls, operation: Operation, handler: Handler | None) -> Plan:
        namespace, _, port_type = operation.port_type.removeprefix("{").rpartition("}")
        separator = ":" if namespace.startswith("urn:") else "/"
        action = separator.join((namespace.rstrip("/"), port_type, f"{operation.name}Response"))
        understood = UNDERSTOOD | {header.name for header in operation.input_headers}
        return cls(operation, operation.key, handler, understood, action)
