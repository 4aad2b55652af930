"""A partner that is not reached by SOAP: what handlers, flows and reconciliation call, whatever its kind.

    crm = bridge.any_partner("crm")
    page = crm.fetch("accounts", Query(since=yesterday))
    entry = crm.send("accounts.upsert", {"account_no": "A-1", …}, ordering_key="A-1")     # into the outbox; delivery writes it later

Operations are `ENTITY.VERB`: create, update, upsert, delete. Values are held against the entity's fields when they are sent and kept
in the outbox as JSON, so that a retry sends the same. The backend does the rest.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bridge.delivery.policy import Answer, Rules
from bridge.delivery.sender import Delivery, Document
from bridge.errors import HandlerError, PartnerError, SettingsError, Unpresentable
from bridge.ids import new_exchange_id
from bridge.partners.entities import Entity
from bridge.partners.http.time_left import within
from bridge.partners.journal import OutgoingJournal, verdict_of
from bridge.partners.json_text import dump, load
from bridge.partners.mappings import Given, Mappings
from bridge.partners.partner import (
    VERBS,
    Backend,
    Claim,
    Inspected,
    Page,
    Pong,
    Query,
    Queue,
    Rejection,
    Totals,
    Verb,
    Written,
)
from bridge.partners.soap.documents import check_name, delivery_of, rules_of
from bridge.partners.values import fitting
from bridge.settings import Partner as Options
from bridge.store import ExchangeRecord
from bridge.store.outbox import NewEntry

log = logging.getLogger(__name__)

Asks = Callable[[Document], bool | None]


class EntityPartner:
    """One system that we call. Safe to use from several threads.

    Args:
        name: how errors, journal and logs call it.
        options: its settings.
        entities: what it has.
        backend: how it is reached.
        journal: where exchanges are written down; None: nowhere.
        accept: puts what `send` is given into the outbox; None: there is none.
        mappings: finds the files that `send` is given.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        entities: Mapping[str, Entity],
        backend: Backend,
        *,
        journal: OutgoingJournal | None = None,
        accept: Callable[[NewEntry], None] | None = None,
        mappings: Mappings | None = None,
    ) -> None:
        self.name = name
        self.settings = options
        self.entities = entities
        self.backend = backend
        self._journal = journal
        self._accept = accept
        self._mappings = Mappings() if mappings is None else mappings
        self._ask: Asks | None = None

    def __repr__(self) -> str:
        return f"<EntityPartner {self.name} at {self.backend.address()}>"

    @property
    def has_outbox(self) -> bool:
        """Whether it takes what is to be sent later."""
        return self._accept is not None

    @property
    def operations(self) -> tuple[str, ...]:
        """What `send` takes: `accounts.upsert` …"""
        return tuple(f"{entity}.{verb}" for entity in self.entities for verb in VERBS)

    def close(self) -> None:
        """Closes idle connections."""
        self.backend.close()

    def entity(self, name: str) -> Entity:
        """
        Raises:
            HandlerError: it has none of that name.
        """
        found = self.entities.get(name)
        if found is None:
            raise HandlerError(
                f"The partner {self.name} has no entity {name}.",
                advice=f"It has {', '.join(self.entities) or 'none'}.",
            )
        return found

    # -- the four verbs

    def send(
        self,
        operation: str,
        values: Any = None,
        *,
        mapping: Given | None = None,
        ordering_key: str | None = None,
        reference: str | None = None,
    ) -> Document:
        """Put a document into the outbox, in the transaction of the handler, or of the `with bridge.transaction()` block, that
        calls this. It is written to the partner after the commit, and never where there is none.

        Args:
            operation: `ENTITY.VERB`.
            values: the record's, by field; for `delete` the id is enough.
            mapping, ordering_key, reference: as `SoapPartner.send`.

        Raises:
            Unpresentable: the values do not fit the entity; nothing was accepted.
            MappingError: the values do not go through the mapping. SettingsError: its file is wrong.
            HandlerError: no such entity or verb, no transaction, no outbox, a bad ordering key or reference.
        """
        if self._accept is None:
            raise HandlerError(
                f"The partner {self.name} has no outbox.",
                advice="Take it from a bridge with a store: bridge.any_partner(NAME).",
            )
        entity, verb = self.operation(operation)
        check_name("ordering key", ordering_key)
        check_name("reference", reference)
        given = values if mapping is None else self._mappings.take(mapping, lambda: entity.shape)(values)
        kept = fitting(entity, given, whole=verb in ("create", "upsert"))
        entry_id = new_exchange_id()
        document = Document(
            entry_id,
            self.name,
            entry_id if ordering_key is None else ordering_key,
            operation,
            dump(kept),
            None,
            reference,
        )
        self._accept(
            NewEntry(
                entry_id=document.id,
                partner=document.partner,
                ordering_key=document.ordering_key,
                operation=document.operation,
                payload=document.payload,
                headers=None,
                reference=document.reference,
            )
        )
        return document

    def operation(self, operation: str) -> tuple[Entity, Verb]:
        """
        Raises:
            HandlerError: it is not `ENTITY.VERB` of this partner.
        """
        name, _, said = operation.rpartition(".")
        verb = next((one for one in VERBS if one == said), None)
        if verb is None or not name:
            raise HandlerError(
                f"{operation!r} is no operation of the partner {self.name}.",
                advice=f"Name an entity and one of {', '.join(VERBS)}: `accounts.upsert`.",
            )
        return self.entity(name), verb

    def fetch(self, entity: str, query: Query = Query()) -> Page:  # noqa: B008 - frozen
        """A page of records.

        Raises:
            PartnerError: what became of it. SettingsError: what was declared is not there.
            HandlerError: no such entity, or it cannot be asked for changes.
        """
        found = self.entity(entity)
        self._require_changed(found, query)
        with self._named(f"{entity}.fetch"):
            return self.backend.fetch(found, query)

    def scan(
        self,
        entity: str,
        fields: Sequence[str],
        query: Query = Query(),  # noqa: B008 - frozen
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields), ordered by id in code point order, in bounded memory, or of (`query.by`, *fields) by that.
        Raises as `fetch`."""
        found = self.entity(entity)
        self._require_changed(found, query)
        for name in (*fields, *([query.by] if query.by else [])):
            if name not in found.shape.fields:
                raise HandlerError(
                    f"{self.name}.{entity} has no field {name}.",
                    advice=f"It has {', '.join(found.shape.fields)}.",
                )
        with self._named(f"{entity}.scan"):
            yield from self.backend.scan(found, fields, query)

    def totals(
        self,
        entity: str,
        query: Query = Query(),  # noqa: B008 - frozen
        sums: Mapping[str, str | None] | None = None,
    ) -> Totals:
        """How many there are, and the sums of amounts by currency. Raises as `fetch`."""
        found = self.entity(entity)
        self._require_changed(found, query)
        with self._named(f"{entity}.totals"):
            return self.backend.totals(found, query, sums or {})

    @property
    def is_queue(self) -> bool:
        """Whether the partner leaves its changes for us to claim, instead of being asked for them."""
        return isinstance(self.backend, Queue)

    def claim(self, entity: str, *, limit: int = 500) -> Sequence[Claim]:
        """Rows that the partner left for us, oldest first, ours for a while; see `acknowledge`. Raises as `fetch`.

        Raises:
            HandlerError: the partner is asked for changes, and leaves none.
        """
        with self._named(f"{entity}.claim"):
            return self._queue().claim(self.entity(entity), limit=limit)

    def acknowledge(
        self, entity: str, *, done: Sequence[int] = (), rejected: Sequence[Rejection] = ()
    ) -> int:
        """What became of claimed rows, by their `seq`; after the commit of what was made of them. How many were still ours: the
        others come again, and are found to be done. Raises as `claim`."""
        with self._named(f"{entity}.acknowledge"):
            return self._queue().acknowledge(self.entity(entity), done, rejected)

    def _queue(self) -> Queue:
        if not isinstance(self.backend, Queue):
            raise HandlerError(
                f"The partner {self.name} leaves nothing to be claimed.", advice="Ask it for changes: fetch."
            )
        return self.backend

    def inspect(self) -> list[str]:
        """A sentence for each entity that cannot be read as the file says, where the partner's tables can be looked at."""
        backend: object = self.backend
        return backend.inspect() if isinstance(backend, Inspected) else []

    def ping(self) -> Pong:
        """Whether the partner can be reached. Raises PartnerError."""
        with self._named("ping"):
            return self.backend.ping()

    def _require_changed(self, entity: Entity, query: Query) -> None:
        if not entity.changed and (query.since or query.until or query.order == "changed"):
            raise HandlerError(
                f"{self.name}.{entity.name} cannot be asked for changes.",
                advice=f"Name the field with the moment of the last change: `changed` at {entity.place}.",
            )

    def _named(self, operation: str) -> _Named:
        return _Named(self.name, operation)

    def asks(self, function: Asks) -> Asks:
        """Decorator: `function` finds out what became of a document in doubt, and answers True, False or None (unknown)."""
        self._ask = function
        return function

    # -- what delivery asks of a partner (`bridge.delivery.sender.Sender`)

    @property
    def rules(self) -> Rules:
        """What decides about its deliveries."""
        return rules_of(self.settings, can_ask=self._ask is not None or self.backend.can_find)

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        """Write a document of the outbox, once. Nothing is journaled here: the record is in the answer."""
        started, begun = time.perf_counter(), datetime.now(UTC)
        written, error = Written(None), None
        try:
            entity, verb = self.operation(document.operation)
            with within(self.settings.deadline):
                written = self.backend.write(entity, verb, load(document.payload), document)
        except PartnerError as broken:
            error = broken
        except (HandlerError, SettingsError) as broken:  # its file was changed after this was accepted
            error = Unpresentable(f"{broken.message} Nothing was sent.", advice=broken.advice)
        if error is not None:
            error.partner, error.operation, error.exchange_id = self.name, document.operation, exchange_id
        record = self._record(document, exchange_id, begun, time.perf_counter() - started, written, error)
        return dataclasses.replace(delivery_of(error, record), made=written.id)

    def _record(
        self,
        document: Document,
        exchange_id: str,
        begun: datetime,
        seconds: float,
        written: Written,
        error: PartnerError | None,
    ) -> ExchangeRecord | None:
        if self._journal is None:
            return None
        whole = self._journal.keeps(accepted=error is None)
        request = written.request or document.payload.encode()
        return ExchangeRecord(
            exchange_id=exchange_id,
            received_at=begun,
            duration_us=int(seconds * 1e6),
            verdict=verdict_of(error),
            direction="out",
            operation=document.operation,
            partner=self.name,
            remote=self.backend.address(),
            http_status=written.status if error is None else error.status,
            fault_code=None if error is None else error.outcome,
            fault_reason=None if error is None else str(error),
            reference=document.reference,
            request=request if whole else None,
            reply=(written.reply if error is None else error.reply) or None if whole else None,
        )

    def ask(self, document: Document) -> Answer:
        """What is found out about a document in doubt; "unknown" where that fails."""
        try:
            with within(self.settings.deadline):
                found = self._ask(document) if self._ask is not None else self.backend.find(document)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was found out
            log.warning(
                "partner %s could not be asked about %s: %s", self.name, document.id, type(error).__name__
            )
            return "unknown"
        return "unknown" if found is None else ("done" if found else "not_there")


class _Named:
    """Has errors say which partner and operation they speak of."""

    def __init__(self, partner: str, operation: str) -> None:
        self._partner = partner
        self._operation = operation

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, PartnerError):
            error.partner = error.partner or self._partner
            error.operation = error.operation or self._operation
