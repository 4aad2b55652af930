"""What a mock has received: the newest requests, with what came of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.contract import Contract
from bridge.contract.explain.violation import Violation

KEPT = 1_000
"""Requests kept unless told otherwise,"""
KEPT_BYTES = 64 * 1024 * 1024
"""and the bytes of their envelopes together."""

_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Received:
    """One request to a mock.

    `operation` is its key, None where it could not be told; `value` the decoded payload, None when the request was
    refused. `envelope` is the body as it came, `headers` are HTTP's. `answered` says in words what was done, `status` is
    the HTTP status, None where none was sent. `violations` are what the request was refused for, `refused` the reason.
    `rule` is the place of the rule or expectation that chose the answer. `duplicate` marks the second copy of a request
    that a rule took twice.
    """

    number: int
    operation: str | None
    value: Any
    envelope: bytes
    headers: tuple[tuple[str, str], ...]
    exchange_id: str
    at: datetime
    soap_version: str
    answered: str
    status: int | None
    refused: str = ""
    violations: tuple[Violation, ...] = ()
    rule: str = ""
    expected: bool = False
    duplicate: bool = False

    def header(self, name: str) -> str | None:
        """The first value of an HTTP header, whatever its case."""
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)

    def summary(self) -> dict[str, Any]:
        """What came of it, as JSON can say it; nothing of the message itself."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "operation": self.operation,
            "exchange_id": self.exchange_id,
            "soap": self.soap_version,
            "answered": self.answered,
            "status": self.status,
            "refused": self.refused or None,
            "violations": [
                {"path": one.path, "message": one.messages.get("en", "")} for one in self.violations
            ],
            "rule": self.rule or None,
            "duplicate": self.duplicate,
        }

    def as_json(self, contract: Contract) -> dict[str, Any]:
        """All of it: secrets in headers masked, values in the contract's JSON, bytes that are no UTF-8 replaced."""
        operation = contract.operations.get(self.operation or "")
        value = None
        if self.value is not None and operation is not None and operation.input is not None:
            value = contract.codec.json.document(operation.input, self.value)
        headers = [[name, "***" if name.lower() in _SECRET else value] for name, value in self.headers]
        envelope = self.envelope.decode("utf-8", "replace")
        return self.summary() | {"headers": headers, "value": value, "envelope": envelope}


class ReceivedList:
    """The newest requests, oldest first; of those beyond `most` and KEPT_BYTES only the number is known."""

    def __init__(self, most: int = KEPT) -> None:
        self._kept: deque[Received] = deque()
        self._bytes = 0
        self._most = most
        self._lock = threading.Lock()
        self.total = 0
        """Requests since the start, those no longer kept included."""

    def next_number(self) -> int:
        with self._lock:
            self.total += 1
            return self.total

    def add(self, one: Received) -> None:
        with self._lock:
            self._kept.append(one)
            self._bytes += len(one.envelope)
            while len(self._kept) > self._most or (self._bytes > KEPT_BYTES and len(self._kept) > 1):
                self._bytes -= len(self._kept.popleft().envelope)

    def clear(self) -> None:
        """Forgets them; numbers go on."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def now(self) -> list[Received]:
        """Those kept at this moment, by number."""
        with self._lock:
            return sorted(self._kept, key=lambda one: one.number)

    def __iter__(self) -> Iterator[Received]:
        return iter(self.now())

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Received:
        return self.now()[index]
