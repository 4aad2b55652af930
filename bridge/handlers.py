"""Handlers: which function answers which operation, and what it is given.

    @orders.operation("SubmitOrder")
    def submit_order(order, call):
        if order.Amount.value > 10_000:
            raise call.fault("OrderRejected", Reason="Amount is above the agreed limit")
        return {"Accepted": True, "Tracking": "T-1"}

A handler may be run again for the same request, before anything is committed, when the database asks for it; so
what it does outside `call.session` must bear that.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from bridge.contract import Contract, Operation
from bridge.contract.codec.values import XsdDateTime
from bridge.errors import (
    BridgeError,
    CallInsideTransaction,
    DeliveredUnreadable,
    HandlerError,
    InDoubt,
    PartnerError,
)

if TYPE_CHECKING:
    from lxml import etree

    from bridge.access import Caller
    from bridge.forwarding import Fault
    from bridge.idempotency import Once
    from bridge.partners.soap import SoapPartner
    from bridge.store import Session, Transaction

Handler = Callable[[Any, "Call"], Any]
H = TypeVar("H", bound=Handler)


class Binds(Protocol):
    """A decorator that leaves the handler as it is. Stubs of a contract narrow it to the handler of one operation."""

    def __call__(self, handler: H, /) -> H: ...


class DeclaredFault(BridgeError):
    """An answer of the business: a fault that the contract declares. Raised by handlers, made by `fault()`.

    `name` is the fault's name in the WSDL, `value` what stands in its detail, shaped like a handler's result.
    What the handler had written is rolled back; the caller gets the fault with its detail, checked by the contract.
    """

    whose = "sender"
    repeat = "useless"

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(f"The handler answered with the fault {name}.")
        self.name = name
        self.value = value


class Call:
    """One request, as its handler sees it: the second argument.

    `exchange_id` names the exchange in journal, logs and answers. `headers` are the declared SOAP headers that came,
    decoded, by Clark name; `reply_headers` those to send, likewise. `partner` is who calls, None where unknown, `caller` the same with its roles;
    `language` what they would rather read (BCP 47), "en" where they do not say. A handler may set `reference`, the
    number of the document it made or read: `soapbridge journal list --reference` finds the exchange by it. `payload` is the
    Body's child as it came, found valid; None for an empty Body. `own_only`: its roles let the caller see only documents that came
    from `partner`.
    """

    __slots__ = (
        "_accept_language",
        "_now",
        "_once",
        "_overdue",
        "_service",
        "_transaction",
        "_zone",
        "called_out",
        "caller",
        "exchange_id",
        "headers",
        "operation",
        "own_only",
        "partner",
        "payload",
        "reference",
        "reply_headers",
    )

    def __init__(
        self,
        exchange_id: str,
        operation: Operation,
        service: Service,
        transaction: Transaction | None,
        headers: Mapping[str, Any] = MappingProxyType({}),
        partner: str | None = None,
        accept_language: str = "",
        once: Once | None = None,
        zone: tzinfo = UTC,
        payload: etree._Element | None = None,
        overdue: float = math.inf,
        caller: Caller | None = None,
        own_only: bool = False,
    ) -> None:
        self.exchange_id: Final = exchange_id
        self.operation: Final = operation
        self.headers: Final = headers
        self.reply_headers: dict[str, Any] = {}
        self.reference: str | None = None
        self.partner: Final = partner
        self.caller: Final = caller
        self.own_only: Final = own_only
        self.payload: Final = payload
        self._overdue = overdue
        self._accept_language = accept_language
        self._service = service
        self._transaction = transaction
        self._once = once
        self._zone = zone
        self._now: datetime | None = None
        self.called_out = False

    @property
    def session(self) -> Session:
        """SQLAlchemy session in this request's transaction, opened now; committed with the reply, or not at all.

        Raises:
            HandlerError: the bridge runs without a store.
            StoreBusy: other writers held the store for too long.
        """
        return self.begun.session

    @property
    def begun(self) -> Transaction:
        """This request's transaction, begun: as `session`."""
        transaction = self._store_transaction()
        if self._once is not None and not transaction.is_open:
            self._once.claim(transaction.session)
        transaction.session  # noqa: B018 - begins it
        return transaction

    @property
    def reading(self) -> Session:
        """The same for reading only: takes no lock. Once `session` was used, that very session."""
        return self._store_transaction().reading

    @property
    def writing(self) -> bool:
        """Whether this request has begun to write: until the reply, nobody may wait for another system."""
        return self._transaction is not None and self._transaction.is_open

    @property
    def language(self) -> str:
        """What the caller would rather read (BCP 47): the first language of Accept-Language, "en" where none is."""
        first = self._accept_language.partition(",")[0].partition(";")[0].strip()
        return "en" if first in ("", "*") else first[:35]

    @property
    def now(self) -> datetime:
        """The time of this request, UTC: the same at every look."""
        if self._now is None:
            self._now = datetime.now(UTC)
        return self._now

    @property
    def today(self) -> date:
        """The day of this request where the business is: in the contract's zone (`contracts.zone`)."""
        return self.now.astimezone(self._zone).date()

    @property
    def seconds_left(self) -> float:
        """How long this request may still take: until `server.stuck_after` is over since it came in; then below 0."""
        return self._overdue - time.perf_counter()

    @property
    def onward_id(self) -> str:
        """An id of this request for a system that it is handed on to: no other request has it, a repeat has the same one.

        Where nothing tells a repeat from a new request, the exchange's.
        """
        if self._once is None:
            return self.exchange_id
        # Not the caller's own id: to the next system, all our callers are one.
        text = json.dumps(self._once.identity).encode()
        return hashlib.blake2b(text, digest_size=20).hexdigest()

    def moment(self, value: datetime | XsdDateTime) -> datetime:
        """A point in time out of a message, fit to be compared with every other; to the microsecond.

        One that was written without a zone is taken in the contract's zone (`contracts.zone`) and comes in UTC; where a
        clock is put back and the same time comes twice, the first is meant. ValueError outside the years 1–9999.
        """
        found = value.datetime() if isinstance(value, XsdDateTime) else value
        if found.tzinfo is not None:
            return found
        # In UTC: Python calls a time in the repeated hour equal to none of another zone.
        return found.replace(tzinfo=self._zone).astimezone(UTC)

    def before_calling_out(self) -> None:
        """Another system is about to be called: no write transaction may be open, and nobody else may do this request
        from now on. Partners call this by themselves; a handler that reaches another system by its own means should.

        Raises:
            CallInsideTransaction: `session` was used before.
        """
        if self.writing:
            raise CallInsideTransaction(
                f"The handler of {self.operation.name} calls another system after it began to write.",
                advice="Call first, then use call.session: others wait for the store meanwhile.",
            )
        if self._once is not None:
            self._once.hold()
        self.called_out = True

    def after_calling_out(self, *, done: bool) -> None:
        """What became of it: `done` unless it is certain that nothing was."""
        if self._once is not None and done:
            self._once.reached = True

    def may_call_again(self) -> None:
        """Whatever became of the last call, a repeat of this request may make it again: the other system knows the repeat."""
        if self._once is not None:
            self._once.reached = False

    def fault(self, name: str, value: Any = None, /, **fields: Any) -> DeclaredFault:
        """A declared fault of this operation, to be raised. Fields by name, or a ready `value`.

        Raises:
            HandlerError: the operation declares no fault of that name.
        """
        if name not in self.operation.faults:
            raise HandlerError(
                f"{self.operation.name} declares no fault {name!r}.",
                advice=named_or_nearest(name, self.operation.faults),
            )
        return DeclaredFault(name, fields if value is None else value)

    def _store_transaction(self) -> Transaction:
        if self._transaction is None:
            raise HandlerError(
                "The bridge runs without a store.", advice="Give it one: `store.url` in bridge.toml."
            )
        return self._transaction


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
"""The request that this thread answers, while its handler runs."""


current_transaction: ContextVar[Transaction | None] = ContextVar("current_transaction", default=None)
"""The transaction of the innermost `with bridge.transaction()` block that this thread is in."""


def writing() -> tuple[Transaction, str | None]:
    """The transaction that documents for partners belong to, begun, and the exchange that it is of, if any.

    Raises:
        HandlerError: this thread is neither in a `with bridge.transaction()` block nor in a handler.
    """
    transaction = current_transaction.get()
    if transaction is not None:
        transaction.session  # noqa: B018 - begins it
        return transaction, None
    call = current_call.get()
    if call is None:
        raise HandlerError(
            "A document for a partner is put into the outbox in a transaction, and there is none.",
            advice="Send from a handler, or inside `with bridge.transaction():`.",
        )
    return call.begun, call.exchange_id


def calling_out() -> None:
    """A partner is about to be called: tells the request that this thread answers, where it answers one.

    Raises:
        CallInsideTransaction: its handler, or the block that it is in, has begun to write.
    """
    transaction = current_transaction.get()
    if transaction is not None and transaction.is_open:
        raise CallInsideTransaction(
            "Another system is called inside `with bridge.transaction()`, after it began to write.",
            advice="Call before the block or after it: others wait for the store meanwhile.",
        )
    call = current_call.get()
    if call is not None:
        call.before_calling_out()


def called_out(error: PartnerError | None) -> None:
    """What became of it; None: it ended well."""
    call = current_call.get()
    if call is not None:
        call.after_calling_out(done=error is None or isinstance(error, InDoubt | DeliveredUnreadable))


class Service:
    """A contract that we answer, with the handlers of its operations. Made by `Bridge.serve`."""

    def __init__(self, contract: Contract, *, idempotency_key: str = "") -> None:
        self.contract = contract
        self.handlers: dict[str, Handler] = {}
        self.idempotency_key = idempotency_key
        """Where requests carry their id, for every operation whose payload has it; settings go before."""
        self.idempotency_keys: dict[str, str] = {}
        """The same for single operations."""

    @property
    def name(self) -> str:
        return self.contract.name

    def __repr__(self) -> str:
        return (
            f"<Service {self.path}: {len(self.handlers)} of {len(self.contract.operations)} operations bound>"
        )

    @property
    def path(self) -> str:
        """Where it is served: `/services/<contract>`, further majors `/services/<contract>/<major>`."""
        path = f"/services/{self.contract.name}"
        return path if self.contract.major == 1 else f"{path}/{self.contract.major}"

    @property
    def types(self) -> Any:
        """The classes of the contract's complex types, by their names in its stubs: `orders.types.Line(sku="A-1")`."""
        return self.contract.types

    def operation(self, name: str, *, idempotency_key: str | None = None) -> Binds:
        """Binds the decorated function to the operation `name`. The function stays as it is and can be called.

        Args:
            idempotency_key: where the payload carries the id that tells a repeat from a new request, as names from
                the payload down: `requestId`, `order/Number`, `order/@id`. Empty: nowhere.

        Raises:
            HandlerError: there is no such operation, it has a handler already, or the function cannot be called
                with (payload, call).
            OperationUnavailable: the operation cannot be hosted; the error says why.
        """
        operation = self._find(name)
        if idempotency_key is not None:
            self.idempotency_keys[operation.key] = idempotency_key

        def bind(handler: H, /) -> H:
            self.bind(operation, handler)
            return handler

        return bind

    def bind(self, operation: Operation, handler: Handler) -> None:
        """As `operation`, without the decorator."""
        if operation.problem is not None:
            raise operation.problem
        if operation.key in self.handlers:
            raise HandlerError(
                f"{operation.name} of {self.name} has a handler already.", advice="Bind it once."
            )
        _check_signature(operation, handler)
        self.handlers[operation.key] = handler

    def forward(
        self,
        name: str,
        *,
        to: SoapPartner,
        operation: str = "",
        mapping: Callable[[Any], Any] | str | os.PathLike[str] | None = None,
        reply: Callable[..., Any] | None = None,
        faults: Mapping[str, Fault] | None = None,
        headers: Callable[[Any], Mapping[str, Any]] | None = None,
        ordering_key: str | Callable[[Any], object] | None = None,
        deadline: float | None = None,
        durable: bool = False,
    ) -> None:
        """Hands the operation `name` on to a partner (docs/forwarding.md). `[services.NAME] forward` goes before `durable`.

        Args:
            to: `bridge.partner(NAME)`.
            operation: the partner's, by its key; the same name unless given.
            mapping: makes what the partner takes out of the request's values: a function, or a mapping's file (docs/mapping.md); not
                needed where both take the same element.
            reply: makes our reply: out of the partner's, `reply(answer)`; durable, `reply(values, entry)` with the request's
                values and what was stored, by its `id`. One that can be called both ways serves both.
            faults: which of our declared faults one of the partner's becomes, by its name: `"UnknownOrder"`, or with a function
                for the detail `("UnknownOrder", f)`. Those of the same name and element need none.
            headers: makes the partner's headers out of the declared ones that came; without it none are handed on.
            ordering_key: durable: where the payload has it (`order/Number`, `order/@id`), or a function of the values.
            deadline: synchronous: seconds for the partner's answer, where less than its own setting.
            durable: answer once stored, instead of after the partner has answered.

        Raises:
            HandlerError: whatever can be known to be wrong: misspelt names, elements that differ and nothing that maps them.
            OperationUnavailable: one of the operations cannot be hosted, or called.
            SettingsError: the mapping's file is wrong.
        """
        from bridge.forwarding import forward

        made = forward(
            self,
            name,
            to=to,
            operation=operation,
            mapping=mapping,
            reply=reply,
            faults=faults,
            headers=headers,
            ordering_key=ordering_key,
            deadline=deadline,
            durable=durable,
        )
        self.bind(made.ours, made)

    def fault(self, name: str, value: Any = None, /, **fields: Any) -> DeclaredFault:
        """A declared fault of this contract, to be raised: `raise orders.fault("OrderRejected", Reason="…")`.

        Raises:
            HandlerError: no operation declares a fault of that name.
        """
        declared = {fault for operation in self.contract.operations.values() for fault in operation.faults}
        if name not in declared:
            raise HandlerError(
                f"{self.name} declares no fault {name!r}.", advice=named_or_nearest(name, declared)
            )
        return DeclaredFault(name, fields if value is None else value)

    @property
    def unbound(self) -> list[str]:
        """Operations that could be answered and have no handler."""
        return [
            key
            for key, operation in self.contract.operations.items()
            if key not in self.handlers and operation.problem is None
        ]

    def _find(self, name: str) -> Operation:
        operation = self.contract.operations.get(name)
        if operation is None:
            raise HandlerError(
                f"{self.contract.file} has no operation {name!r}.",
                advice=named_or_nearest(name, self.contract.operations),
            )
        return operation


def named_or_nearest(name: str, names: Mapping[str, Any] | set[str]) -> str:
    """Advice for a misspelt name: the nearest first, then all there are."""
    near = difflib.get_close_matches(name, names, n=1)
    listed = ", ".join(sorted(names)) or "none"
    return f"Did you mean {near[0]!r}? There are: {listed}." if near else f"There are: {listed}."


def _check_signature(operation: Operation, handler: Handler) -> None:
    if inspect.iscoroutinefunction(handler):
        raise HandlerError(
            f"The handler of {operation.name} is async.",
            advice="Write `def`: each request has a thread of its own.",
        )
    try:
        inspect.signature(handler).bind(object(), object())
    except TypeError as error:
        raise HandlerError(
            f"The handler of {operation.name} cannot be called with (payload, call): {error}.",
            advice=f"Write `def {getattr(handler, '__name__', 'handler')}(payload, call):`.",
        ) from None
    except ValueError:  # a builtin or C function without a signature: its first call will tell
        return
