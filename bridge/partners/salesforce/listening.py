"""What answers `notifications`: each is taken once, older states are passed over, and one Ack is given for the batch.

    organization   is it the one that the settings name? Else Ack is false, and nothing is taken
    take           each Notification's Id, in the transaction of the request: told again, it is acknowledged and not acted upon
    newest         a state older than one that was told of the same record is passed over
    flows          the records go to the flows that wait for them; one that cannot go through is kept as a problem, and the
                   others go on
    Ack            with the commit of all of that

Salesforce tells again, up to 24 hours, what was not acknowledged; a batch is therefore never refused for one of its records.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bridge.partners.entities import Entity
from bridge.partners.partner import Record
from bridge.partners.soap.reading import plain
from bridge.store import Session, notifications
from bridge.store.clock import stored

log = logging.getLogger(__name__)

Take = Callable[[str, str, Sequence[Record]], object]
"""Hands records of a partner's entity to flows, in the transaction of whoever calls."""


class Listener:
    """The handler of one partner's notifications.

    Args:
        organization: the OrganizationId that is expected, 15 or 18 characters; "" takes any.
    """

    def __init__(self, partner: str, entity: Entity, take: Take, *, organization: str = "") -> None:
        self._partner = partner
        self._entity = entity
        self._take = take
        self._organization = organization

    def __call__(self, request: Any, call: Any) -> dict[str, bool]:
        if self._organization and request.OrganizationId[:15] != self._organization[:15]:
            log.warning(
                "partner %s: notifications of another organization were not taken (exchange %s)",
                self._partner,
                call.exchange_id,
            )
            return {"Ack": False}
        session, now = call.session, stored(call.now)
        records = []
        # Sorted: two requests that tell of the same records wait for each other in one order.
        for told in sorted(request.Notification, key=lambda one: (one.sObject.Id, one.Id)):
            if notifications.take(session, self._partner, told.Id, now):
                record = self._record(told.sObject)
                if self._is_newest(session, record):
                    records.append(record)
        latest = {record.id: record for record in records}
        if latest:
            self._take(self._partner, self._entity.name, list(latest.values()))
        return {"Ack": True}

    def _record(self, told: Any) -> Record:
        values = plain(told)
        changed = values.get(self._entity.changed) if self._entity.changed else None
        if isinstance(changed, datetime) and changed.tzinfo is None:
            changed = changed.replace(tzinfo=UTC)
        return Record(values["Id"], values, changed if isinstance(changed, datetime) else None)

    def _is_newest(self, session: Session, record: Record) -> bool:
        """True as well where the object does not say when it was changed."""
        if record.changed_at is None:
            return True
        return notifications.is_newest(session, self._partner, record.id, stored(record.changed_at))
