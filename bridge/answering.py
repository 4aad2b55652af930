"""Story 1, a request that has an id: answered by the handler, or with what it was answered the first time.

The stage `answer` of `bridge.inbound`, where there is a `Once`. What it needs of the other stages is `Stages`.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bridge.errors import BridgeError
from bridge.exchange import Exchange
from bridge.handlers import DeclaredFault
from bridge.idempotency import Once, Repeated
from bridge.soap.fault import Fault
from bridge.store import Store, Transaction
from bridge.store.idempotency import Record

log = logging.getLogger(__name__)


class Stages(Protocol):
    """What comes before an answer is kept, and after it."""

    def handle(self, exchange: Exchange, transaction: Transaction | None, once: Once | None = None) -> None:
        """Runs the handler, encodes its result and checks the text. Raises as they do."""
        ...

    def declared(self, exchange: Exchange, error: DeclaredFault) -> Fault:
        """The fault that the handler raised, its detail checked. Raises BridgeError where it breaks the contract."""
        ...

    def record_answer(self, exchange: Exchange, transaction: Transaction | None) -> None:
        """The bytes that leave, and what the journal is told of them in the same transaction."""
        ...


def answer_once(store: Store, exchange: Exchange, once: Once, stages: Stages) -> None:
    """Handler to committed reply, or the first reply. Raises whatever the handler does, and InvalidReply.

    What raised kept nothing, with one exception: a declared fault is an answer too, and is kept where `once` says so.
    """
    try:
        try:
            store.run(lambda transaction: _answer(exchange, transaction, once, stages))
        except DeclaredFault as fault:
            if exchange.detail is not None or not once.keeps_faults:
                raise
            if not _keep_fault(store, exchange, once, stages, fault):
                raise
    except DeclaredFault:
        raise
    except (Exception, SystemExit):
        _release(once, exchange)
        raise


def _answer(exchange: Exchange, transaction: Transaction, once: Once, stages: Stages) -> None:
    """The handler's answer, or the first one where this request was made before."""
    exchange.payload = exchange.reply_headers = ""
    _handle_once(exchange, transaction, once, stages)
    stages.record_answer(exchange, transaction)


def _handle_once(exchange: Exchange, transaction: Transaction, once: Once, stages: Stages) -> None:
    found = None if exchange.found is None else once.first(exchange.found)
    while True:
        if found is not None:
            _answer_again(exchange, found)
            return
        try:
            once.begin()
            stages.handle(exchange, transaction, once)
            once.keep(
                transaction,
                answer=exchange.payload,
                headers=exchange.reply_headers,
                reference=exchange.reference,
            )
            return
        except Repeated as repeated:
            transaction.rollback()
            found = once.first_after(repeated)


def _keep_fault(store: Store, exchange: Exchange, once: Once, stages: Stages, fault: DeclaredFault) -> bool:
    """Keeps a declared fault as the answer. Whether another answer was there already, which then stands."""
    try:
        detail = stages.declared(exchange, fault).detail
    except BridgeError:
        _release(once, exchange)
        return False  # it breaks the contract; `Inbound.fail` says so

    def keep(transaction: Transaction) -> bool:
        try:
            once.keep(transaction, answer=detail, fault=fault.name, reference=exchange.reference)
        except Repeated as repeated:
            transaction.rollback()
            first = once.first_after(repeated)
            if first is not None:
                _answer_again(exchange, first)
                stages.record_answer(exchange, transaction)
                return True
        return False

    return store.run(keep)


def _release(once: Once, exchange: Exchange) -> None:
    """Gives up the claim. Never raises: why the request failed is what the caller has to learn."""
    try:
        once.release()
    except Exception:  # its lease ends it
        about = {"exchange": exchange.id}
        log.exception("exchange %s: its claim could not be given up", exchange.id, extra=about)


def _answer_again(exchange: Exchange, first: Record) -> None:
    """What was answered the first time; the envelope around it is made anew. Raises the declared fault it was."""
    exchange.duplicate_of = first.exchange_id
    exchange.reference = first.reference
    if first.fault is not None:
        exchange.detail = first.answer or ""
        raise DeclaredFault(first.fault, None)
    exchange.payload = first.answer or ""
    exchange.reply_headers = first.headers or ""
