"""A request sent twice is done once: which requests are the same, and what one exchange has to do with its record.

The id of a request is taken from the first of: the element or attribute that settings or `bridge.serve` name, the HTTP
header Idempotency-Key, wsa:MessageID (many clients make a new one for each attempt: it protects least). `Once` then
goes along with the exchange:

    find     before the payload is looked at: was this request made before?
    claim    when the handler begins to write, in its transaction
    hold     before the handler calls another system: a claim of its own, committed, with a lease
    keep     the answer, in the handler's transaction; a declared fault in one of its own

Requests that only read keep nothing, unless their id comes from the payload: then they are told apart by contract.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lxml import etree

from bridge.errors import BridgeError, Refusal, RequestInDoubt
from bridge.handlers import DeclaredFault, Service
from bridge.settings import Idempotency as Options
from bridge.settings import Service as ServiceSettings
from bridge.settings import Settings
from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.refusals import refuse
from bridge.soap.same import same
from bridge.soap.xml import parse
from bridge.store import Session, Store, Transaction
from bridge.store import idempotency as records
from bridge.store.idempotency import Record, RequestIdentity

KEY_REUSED = "{urn:soapbridge:common:faults:1}KeyReused"
"""The shipped contracts' fault for an id that was used for another content; other contracts get a Client fault."""

LONGEST = 200
"""Characters of an id kept as they are; of a longer one its digest is kept: an index entry must fit a page."""

_NOTHING_SET = ServiceSettings()
_POLL_SECONDS = 0.02
_SWEEP_SECONDS = 60.0
_MICROSECONDS = 1_000_000


class Repeated(BaseException):
    """This request was made before. Ends the handler from inside `call.session`; no `except Exception` of a handler's
    is to take it for an error of its own."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.exchange_id)
        self.record = record


@dataclass(frozen=True, slots=True)
class KeyPath:
    """Where the payload carries the id: element names from the payload down, an attribute as `@name` at the end."""

    steps: tuple[str, ...]
    attribute: str | None = None

    @classmethod
    def read(cls, text: str) -> KeyPath:
        """`order/Number`, `order/@id`. Raises ValueError for what is neither."""
        *steps, last = text.strip().strip("/").split("/")
        attribute = last[1:] if last.startswith("@") else None
        steps = steps if attribute is not None else [*steps, last]
        if not all(_is_name(step) for step in (*steps, *([] if attribute is None else [attribute]))):
            raise ValueError(f"{text!r} is no path of names like `requestId`, `order/Number` or `order/@id`")
        return cls(tuple(steps), attribute)

    def find(self, payload: etree._Element) -> str | None:
        """The id, white space collapsed; None where there is none. Namespaces do not matter."""
        node = payload
        for step in self.steps:
            found = next((child for child in node if _local(child.tag) == step), None)
            if found is None:
                return None
            node = found
        if self.attribute is None:
            text = node.text or ""
        else:
            named = (value for name, value in node.attrib.items() if _local(name) == self.attribute)
            text = str(next(named, ""))
        return " ".join(text.split()) or None


def _local(name: object) -> str:
    # A comment's tag is a function.
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def _is_name(text: str) -> bool:
    return bool(text) and not any(char in text for char in " @{}[]()*:'\"")


class Duplicates:
    """The idempotency of one service: makes a `Once` for each request that has an id.

    Args:
        contract: what its records are kept under, the service's path without `/services/`.
        paths: by operation.
        limits: of the messages that the journal kept.
        most_waiting: repeats that may wait at one time for a request that calls another system; each holds a thread.
    """

    def __init__(
        self,
        store: Store,
        options: Options,
        contract: str,
        paths: Mapping[str, KeyPath],
        limits: Limits = DEFAULT,
        *,
        most_waiting: int = 4,
    ) -> None:
        self.places_to_wait: Final = threading.BoundedSemaphore(most_waiting)
        self.store: Final = store
        self.limits: Final = limits
        self.options: Final = options
        self.contract: Final = contract
        self.paths: Final = paths
        self._next_sweep = time.monotonic()

    def once(
        self,
        operation: str,
        payload: etree._Element | None,
        *,
        exchange_id: str,
        now: int,
        partner: str = "",
        header: str | None = None,
        message_id: str | None = None,
        faults: Mapping[str, str] | None = None,
    ) -> Once | None:
        """None where nothing tells this request from another.

        Args:
            now: when it came in, microseconds since 1970 UTC.
            header: the HTTP header Idempotency-Key. message_id: wsa:MessageID.
            faults: what the operation declares, element by name.
        """
        path = self.paths.get(operation)
        found = path.find(payload) if path is not None and payload is not None else None
        by_contract = found is not None
        if found is None and header and (given := header.strip(' "')):
            found = f"Idempotency-Key: {given}"
        if found is None and message_id:
            found = f"wsa:MessageID: {message_id}"
        if found is None:
            return None
        identity = RequestIdentity(partner, self.contract, operation, _bounded(found))
        return Once(self, identity, payload, exchange_id, now, by_contract, faults or {})

    def sweep(self, session: Session, now: int) -> None:
        """Remove what has expired, now and then, a bounded number at a time."""
        moment = time.monotonic()
        if moment >= self._next_sweep:
            self._next_sweep = moment + _SWEEP_SECONDS
            if records.sweep(session, oldest=self.oldest(now)) == records.SWEPT:
                self._next_sweep = moment  # there is more

    def oldest(self, now: int) -> int:
        """Answers given before this have expired."""
        return now - int(timedelta(days=self.options.keep).total_seconds() * _MICROSECONDS)


class Once:
    """One request that must not be done twice, from its first look to the answer kept."""

    __slots__ = (
        "_by_contract",
        "_duplicates",
        "_exchange_id",
        "_faults",
        "_now",
        "_payload",
        "_payload_hash",
        "_record_id",
        "_repeated",
        "_wrote",
        "held",
        "identity",
        "reached",
    )

    def __init__(
        self,
        duplicates: Duplicates,
        identity: RequestIdentity,
        payload: etree._Element | None,
        exchange_id: str,
        now: int,
        by_contract: bool,
        faults: Mapping[str, str],
    ) -> None:
        self.identity: Final = identity
        self.held = False
        """A claim was committed: another system was about to be called."""
        self.reached = False
        """A call to another system did something, or nobody knows."""
        self._duplicates = duplicates
        self._exchange_id = exchange_id
        self._now = now
        self._by_contract = by_contract
        self._faults = faults
        self._payload = payload
        self._payload_hash = _digest(payload)
        self._record_id: int | None = None
        self._repeated: Record | None = None
        self._wrote = False

    def find(self) -> Record | None:
        """The record of this request, where it was made before."""
        oldest = self._duplicates.oldest(self._now)
        return records.find(self._duplicates.store, self.identity, oldest=oldest)

    def answers(self, record: Record) -> bool:
        """Whether this record is the answer to this very payload, which then was found valid before."""
        return record.state == "answered" and record.payload_hash == self._payload_hash

    def begin(self) -> None:
        """The handler is about to be run, perhaps not for the first time."""
        self._repeated = None
        if not self.held:
            self._record_id = None

    def claim(self, session: Session) -> None:
        """The handler begins to write. Waits for another transaction that does the same request. Raises Repeated."""
        if self._record_id is None:
            self._record_id = self._claim(session)
            self._wrote = True

    def hold(self) -> None:
        """The handler is about to call another system: nobody else may do this request from now on.

        Raises:
            Repeated: somebody else does, or did.
        """
        with self._duplicates.store.transaction() as transaction:
            session = transaction.session
            lease_until = records.lease_clock(session) + self._lease
            mine = self._record_id if self.held else None
            if mine is None or not records.renew(session, mine, lease_until):
                self._record_id = self._claim(session, lease_until)
            self.held = True  # before the commit: where that is in doubt, the claim is given up all the same

    def keep(
        self,
        transaction: Transaction,
        *,
        answer: str | None,
        headers: str = "",
        reference: str | None = None,
        fault: str | None = None,
    ) -> None:
        """The answer of this request is now known. Raises Repeated: another one's is, and stands."""
        if self._repeated is not None:
            raise Repeated(self._repeated)  # the handler took it for an error of its own
        if not (self.keeps_faults or transaction.is_open):
            return
        if fault is not None and not self.held:
            self._record_id = None  # the claim went with the handler's transaction; this is another one
        session = transaction.session
        self.claim(session)
        for _ in range(2):
            assert self._record_id is not None
            if records.keep_answer(
                session, self._record_id, answer=answer, headers=headers, reference=reference, fault=fault
            ):
                break
            self._record_id = self._claim(session)  # somebody settled it too soon, by hand
        self._duplicates.sweep(session, self._now)

    @property
    def keeps_faults(self) -> bool:
        """Whether a declared fault is kept too: where the handler wrote, called, or the payload carries the id.

        Not one that says what another request's record is.
        """
        return self._repeated is None and (self._by_contract or self.held or self._wrote)

    def release(self) -> None:
        """The handler failed. A committed claim is given up if nothing was done elsewhere, else it is in doubt."""
        if not self.held or self._record_id is None:
            return
        with self._duplicates.store.transaction() as transaction:
            if self.reached:
                records.put_in_doubt(transaction.session, self._record_id)
            else:
                records.free(transaction.session, self._record_id)

    def first_after(self, repeated: Repeated) -> Record | None:
        """As `first`, of a record that was met inside a transaction, which is over by now.

        Writers on SQLite share commits, so that the record may have been seen before it was kept. It is looked at again,
        and a commit of our own, which ends after that one, tells that what was seen is there.
        """
        met = repeated.record
        found = self._duplicates.store.run(lambda transaction: _again(transaction.session, met))
        return None if found is None else self.first(found)

    def first(self, record: Record) -> Record | None:
        """The answer of the request that was first, once it is there; None when that one gave up and this may run.

        Args:
            record: as it was committed.

        Raises:
            DeclaredFault, Refusal: the id was used for another content; or the first request still runs.
            RequestInDoubt: nobody knows what became of the first request.
        """
        self._repeated = record
        if record.payload_hash != self._payload_hash and not self._only_prefixes_differ(record):
            raise self._key_reused(record)
        found = self._awaited(record) if record.state == "running" else record
        if found is not None and found.state == "in_doubt":
            raise RequestInDoubt(
                f"The request {found.idempotency_key} (exchange {found.exchange_id}) called another system and ended "
                "without an answer: nobody knows whether it was done.",
                advice=f"Find out, then settle it: soapbridge duplicates show {found.id}.",
            )
        return found

    def _awaited(self, record: Record) -> Record | None:
        """The record once it is no longer running, or gone. Raises Refusal when that takes too long, or too many wait."""
        duplicates = self._duplicates
        until = time.monotonic() + duplicates.options.wait
        waits = duplicates.places_to_wait.acquire(blocking=False)
        try:
            found: Record | None = record
            while found is not None and found.state == "running":
                if self._has_lapsed(found):
                    self._give_up(found)
                elif not waits or time.monotonic() >= until:
                    raise refuse("still_running", headers=(("Retry-After", "5"),))
                else:
                    time.sleep(_POLL_SECONDS)
                with duplicates.store.reading() as session:
                    found = _again(session, record)
            return found
        finally:
            if waits:
                duplicates.places_to_wait.release()

    def _only_prefixes_differ(self, record: Record) -> bool:
        """Compared with the first request as the journal kept it; no where it did not, or not readably."""
        entry = self._duplicates.store.journal.show(record.exchange_id)
        if entry is None or entry.request is None or self._payload is None:
            return False
        try:
            root, _ = parse(entry.request, charset=None, limits=self._duplicates.limits)
        except Refusal:  # its charset stood in HTTP's header alone
            return False
        first = root.find("{*}Body/{*}*")
        return first is not None and same(first, self._payload)

    @property
    def _lease(self) -> int:
        return int(self._duplicates.options.lease * _MICROSECONDS)

    def _claim(self, session: Session, lease_until: int | None = None) -> int:
        made = records.claim(
            session,
            self.identity,
            payload_hash=self._payload_hash,
            exchange_id=self._exchange_id,
            now=self._now,
            oldest=self._duplicates.oldest(self._now),
            lease_until=lease_until,
        )
        if isinstance(made, Record):
            self._repeated = made
            raise Repeated(made)
        return made

    def _has_lapsed(self, record: Record) -> bool:
        """Also a lease that ends later than any given now: then the clock was set back."""
        with self._duplicates.store.reading() as session:
            now = records.lease_clock(session)
        return record.lease_until is None or not now <= record.lease_until <= now + self._lease

    def _give_up(self, record: Record) -> None:
        with self._duplicates.store.transaction() as transaction:
            found = records.by_id(transaction.session, record.id)
            if found is not None and found.state == "running" and found.lease_until == record.lease_until:
                records.put_in_doubt(transaction.session, record.id)

    def _key_reused(self, record: Record) -> BridgeError:
        for name, element in self._faults.items():
            if element == KEY_REUSED and self._by_contract:
                value = {"requestId": record.idempotency_key, "firstUsedAt": record.first_used}
                return DeclaredFault(name, value)
        return refuse(
            "key_reused", used=record.idempotency_key, first=f"{record.first_used:%Y-%m-%d %H:%M:%S} UTC"
        )


def key_paths(service: Service, settings: Settings) -> tuple[dict[str, KeyPath], list[str]]:
    """Where each operation's requests carry their id, from settings before code; and what is wrong with either."""
    given = settings.services.get(service.path.removeprefix("/services/"), _NOTHING_SET)
    single = {**service.idempotency_keys, **given.idempotency_keys}
    general = given.idempotency_key or service.idempotency_key
    operations = service.contract.operations
    mistakes = [
        f"services.{service.name}.idempotency_keys names {name}, which {service.contract.file} does not have. There "
        f"are: {', '.join(operations)}."
        for name in single
        if name not in operations
    ]
    paths: dict[str, KeyPath] = {}
    for name in operations:
        text = single.get(name, general)
        if not text.strip():
            continue
        try:
            paths[name] = KeyPath.read(text)
        except ValueError as error:
            mistakes.append(f"The idempotency key of {name} of {service.name}: {error}.")
    return paths, mistakes


def _again(session: Session, met: Record) -> Record | None:
    """The record as it is now. Another request's is None: the number of one that was not kept is given anew."""
    found = records.by_id(session, met.id)
    return found if found is not None and found.exchange_id == met.exchange_id else None


def _bounded(key: str) -> str:
    return key if len(key) <= LONGEST else f"sha256: {hashlib.sha256(key.encode()).hexdigest()}"


def _digest(payload: etree._Element | None) -> bytes:
    """SHA-256 of the payload's exclusive canonical form: the same for other prefixes outside it, other quotes and
    another order of attributes (Exclusive XML Canonicalization 1.0). Where a namespace has a relative name there is no such
    form, and the text as it is must do."""
    if payload is None:
        return hashlib.sha256(b"").digest()
    try:
        text = etree.tostring(payload, method="c14n", exclusive=True, with_tail=False)
    except etree.C14NError:
        text = etree.tostring(payload, encoding="utf-8", with_tail=False)
    return hashlib.sha256(text).digest()
