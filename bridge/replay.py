"""A journaled request through today's code: to see what it would answer now, or to have it done after all.

    bridge.replay(exchange_id)                              what would be answered; nothing is kept, nobody is called
    bridge.replay(exchange_id, who="mei", why="handler mended", dry_run=False)

Who it is from was found out when it came: the caller is the same, and its roles are not asked again. A rehearsal runs the handler in a transaction that is rolled back, and ends where it would call a partner; what it does by other
means (files, mails) is done. In earnest the request is an exchange of its own. Its first record still tells that it was done before:
then the first answer is given again, unless `anew` says that it is to be done once more and its answer kept instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from bridge.access import Caller, Gatekeeper
from bridge.access.permits import EVERYTHING, Permits
from bridge.errors import SettingsError
from bridge.exchange import Exchange
from bridge.handlers import Service
from bridge.inbound import Inbound
from bridge.settings import Settings
from bridge.soap.security import SECURITY
from bridge.store import Entry, Session, Store, Transaction, by_hand, deliveries, idempotency
from bridge.store.by_hand import NewAct
from bridge.store.clock import stored
from bridge.store.idempotency import Record

if TYPE_CHECKING:
    from bridge.idempotency import Once

_HEADER = "Idempotency-Key: "
_WHOLE = timedelta(seconds=2)
_STAGES = ("open", "admit", "recall", "validate", "decode", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a request that was replayed, or would.

    Attributes:
        first: its exchange, as the journal has it.
        exchange_id: of the new exchange; None in a rehearsal, and where it could not be replayed.
        verdict: the journal's word for how it ended now; None where it could not be replayed.
        reply: the envelope that would leave, or has been kept.
        duplicate_of: the exchange whose answer was given again: nothing was done.
        remembered: the state of the record by which a repeat of it is known; None where there is none.
        says: why not, or what to know.
    """

    first: Entry
    dry_run: bool
    exchange_id: str | None = None
    verdict: str | None = None
    status: int | None = None
    reply: bytes = b""
    reason: str | None = None
    duplicate_of: str | None = None
    remembered: str | None = None
    says: str = ""

    @property
    def went_well(self) -> bool:
        """It was answered as it should be, and not with an older answer."""
        return self.verdict == "accepted" and self.duplicate_of is None


class Replay:
    """Args:
    services: those of the bridge, by path.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        services: Mapping[str, Service],
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._services = services
        self._gatekeeper = gatekeeper

    def __call__(
        self, exchange_id: str, *, who: str = "", why: str = "", dry_run: bool = True, anew: bool = False
    ) -> Replayed | None:
        """None where the journal has no such exchange.

        Args:
            who, why: written down, and needed unless the run is dry.
            anew: do it also where it was answered before; repeats then get the new answer.

        Raises:
            SettingsError: it is not said who or why.
        """
        if not dry_run and not (who.strip() and why.strip()):
            raise SettingsError(
                "A replay is written down, and it was not said who does it and why.",
                advice="Give both: --who and --why, or who= and why=.",
            )
        first = self._store.journal.show(exchange_id)
        if first is None:
            return None
        service = self._service(first)
        unable = _unable(first, service)
        if unable or service is None:
            return Replayed(first=first, dry_run=dry_run, says=unable)
        record = self._record(first)
        exchange = _again(first, service, record)
        exchange.caller, exchange.let_in = _caller(self._settings, first.partner), True
        if dry_run:
            return self._rehearse(first, service, exchange, anew)
        inbound = _InEarnest(service, self._settings, self._store, gatekeeper=self._gatekeeper)
        inbound.anew = anew
        inbound.act = lambda now: _act(first, exchange, who.strip(), why.strip(), now)
        _pass(inbound, exchange)
        inbound.close(exchange)
        return _result(first, exchange, dry_run=False, says="")

    def _rehearse(self, first: Entry, service: Service, exchange: Exchange, anew: bool) -> Replayed:
        inbound = _Rehearsal(service, self._settings, self._store, gatekeeper=self._gatekeeper)
        try:
            _pass(inbound, exchange)
        except _WouldCall:
            says = "The handler calls a partner here. What comes after is seen when it is done in earnest."
            return Replayed(first=first, dry_run=True, remembered=_state(exchange), says=says)
        return _result(first, exchange, dry_run=True, says=_about_record(exchange.found, anew))

    def _service(self, first: Entry) -> Service | None:
        """The service of the contract; of several majors the one that knows the operation."""
        named = [service for service in self._services.values() if service.name == first.contract]
        if len(named) > 1 and first.request is not None:
            taken = [service for service in named if _takes(service, first)]
            return (taken or named)[0]
        return named[0] if named else None

    def _record(self, first: Entry) -> Record | None:
        with self._store.reading() as session:
            return idempotency.of_exchange(
                session,
                first.duplicate_of or first.exchange_id,
                since=stored(first.received_at - _WHOLE),
                until=stored(first.received_at + _WHOLE),
            )


class _WouldCall(BaseException):
    """Ends a rehearsal; no `except Exception` of a handler's is to take it for an answer."""


class _CallsNobody:
    """In the place of a `Once`: the handler may write, and may not call."""

    reached = False

    def claim(self, session: Session) -> None:
        """Nothing is claimed."""

    def hold(self) -> None:
        raise _WouldCall


class _LetIn(Inbound):
    """The same stages for a request whose sender was known, and let in, when it came."""

    understands = Inbound.understands | {SECURITY}

    def permits(self, exchange: Exchange) -> Permits:
        return EVERYTHING


class _Rehearsal(_LetIn):
    """The same stages; nothing is kept."""

    def recall(self, exchange: Exchange) -> None:
        super().recall(exchange)
        exchange.once = None  # the handler is to be seen, not its first answer; `found` tells of that

    def answer(self, exchange: Exchange) -> None:
        assert self.store is not None
        transaction = self.store.transaction()
        exchange.payload = exchange.reply_headers = ""
        try:
            self.handle(exchange, transaction, cast("Once", _CallsNobody()))
            self.seal(exchange)
        finally:
            transaction.rollback()


class _InEarnest(_LetIn):
    """The same stages for one request, with the act written down in the transaction of the answer, or after it where there is
    none. `anew`: the answer takes the place of that of the record `replaces`, where there is one."""

    anew = False
    replaces: int | None = None
    act: Callable[[int], NewAct]

    def recall(self, exchange: Exchange) -> None:
        super().recall(exchange)
        if self.anew and exchange.once is not None and exchange.found is not None:
            self.replaces, exchange.found = exchange.found.id, None

    def answer(self, exchange: Exchange) -> None:
        if self.replaces is None:
            super().answer(exchange)
            return
        assert self.store is not None
        self.store.run(lambda transaction: self._instead(exchange, transaction))
        exchange.recorded = True

    def _instead(self, exchange: Exchange, transaction: Transaction) -> None:
        """The handler's answer in the place of the first one, which stands where this fails."""
        once, session = exchange.once, transaction.session
        assert once is not None
        assert self.replaces is not None
        exchange.payload = exchange.reply_headers = ""
        idempotency.forget(session, self.replaces)
        once.begin()
        once.claim(session)
        self.handle(exchange, transaction, once)
        once.keep(
            transaction,
            answer=exchange.payload,
            headers=exchange.reply_headers,
            reference=exchange.reference,
        )
        self.record_answer(exchange, transaction)

    def record_answer(self, exchange: Exchange, transaction: Transaction | None) -> None:
        super().record_answer(exchange, transaction)
        assert transaction is not None
        self._write_down(transaction.session)

    def close(self, exchange: Exchange) -> None:
        super().close(exchange)
        if not exchange.recorded:
            assert self.store is not None
            self.store.run(lambda transaction: self._write_down(transaction.session))

    def _write_down(self, session: Session) -> None:
        by_hand.record(session, self.act(stored(deliveries.now(session))))


def _pass(inbound: Inbound, exchange: Exchange) -> None:
    try:
        for stage in _STAGES:
            getattr(inbound, stage)(exchange)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - `fail` makes the answer of it, and logs what is ours
        inbound.fail(exchange, error)


def _again(first: Entry, service: Service, record: Record | None) -> Exchange:
    """The request as it came. What HTTP said of it was not journaled, except what other things tell."""
    assert first.request is not None
    operation = service.contract.operations.get(first.operation or "")
    action = next(iter(sorted(operation.soap_actions)), None) if operation is not None else None
    content_type = "text/xml"
    if first.soap_version == "1.2":
        content_type = "application/soap+xml" + (f'; action="{action}"' if action else "")
    key = record.idempotency_key if record is not None else ""
    exchange = Exchange(
        body=first.request,
        content_type=content_type,
        remote=first.remote,
        soap_action=f'"{action}"' if action else None,
        idempotency_key=key.removeprefix(_HEADER) if key.startswith(_HEADER) else None,
    )
    exchange.partner = first.partner
    return exchange


def _caller(settings: Settings, name: str | None) -> Caller | None:
    """Who it was from, with the roles of today; None where settings do not know it any more."""
    known = settings.callers.get(name or "")
    return None if known is None or name is None else Caller(name, known.kind, known.roles)


def _unable(first: Entry, service: Service | None) -> str:
    if first.direction != "in":
        return "It is a call of ours. What leaves for partners is in: soapbridge deliveries list"
    if first.request is None:
        return "Its envelope was not kept: `journal.keep_bodies` says which are."
    if first.contract is None or service is None:
        return f"This bridge does not answer {first.contract or 'its contract'}. Name the one that does: MODULE:BRIDGE"
    return ""


def _takes(service: Service, first: Entry) -> bool:
    operation = service.contract.operations.get(first.operation or "")
    if operation is None or operation.input is None:
        return False
    namespace = operation.input.removeprefix("{").rpartition("}")[0]
    return namespace.encode() in (first.request or b"")


def _result(first: Entry, exchange: Exchange, *, dry_run: bool, says: str) -> Replayed:
    return Replayed(
        first=first,
        dry_run=dry_run,
        exchange_id=None if dry_run else exchange.id,
        verdict=exchange.verdict,
        status=exchange.status,
        reply=exchange.reply,
        reason=None if exchange.error is None else exchange.fault_reason,
        duplicate_of=exchange.duplicate_of,
        remembered=_state(exchange),
        says=says,
    )


def _state(exchange: Exchange) -> str | None:
    return None if exchange.found is None else exchange.found.state


def _about_record(found: Record | None, anew: bool) -> str:
    """What a request's record means for doing it in earnest."""
    if found is None:
        return ""
    if found.state != "answered":
        return (
            f"In earnest it would be refused: it is {found.state.replace('_', ' ')} since its first time. Settle that "
            f"first: soapbridge duplicates show {found.id}"
        )
    if anew:
        return f"It was answered in {found.exchange_id}; that answer is replaced."
    return f"In earnest it would get its first answer ({found.exchange_id}) again, and nothing would be done: see --anew."


def _act(first: Entry, exchange: Exchange, who: str, why: str, now: int) -> NewAct:
    return NewAct(
        now,
        who,
        why,
        "replay",
        partner=first.partner,
        exchange_id=first.exchange_id,
        before=first.verdict,
        after=f"{exchange.verdict} {exchange.id}",
    )


def as_fields(replayed: Replayed) -> dict[str, Any]:
    """For programs: without the envelopes."""
    return {
        "exchange": replayed.first.exchange_id,
        "before": replayed.first.verdict,
        "now": replayed.verdict,
        "newExchange": replayed.exchange_id,
        "status": replayed.status,
        "reason": replayed.reason,
        "duplicateOf": replayed.duplicate_of,
        "remembered": replayed.remembered,
        "says": replayed.says,
    }
