"""Notifications of Zoho CRM: a channel for each module, renewed before it ends, and what comes through it.

A channel lasts a week at most. Zoho sends ids, no records: those are fetched. It is not documented how often Zoho tries again, so that a
flow that hears of changes this way also reads them by the clock.

The token that comes with each notification is made of the client's secret: every process knows it, and nobody has to keep it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bridge.errors import PartnerError, Refusal, Refused
from bridge.partners.http import json_body
from bridge.partners.http.conversion import iso
from bridge.partners.partner import Record
from bridge.partners.rest.api import Api, Request
from bridge.partners.zoho.described import Module, Organisation
from bridge.partners.zoho.outcomes import error_of
from bridge.partners.zoho.reading import ZohoReader

_LASTS: Final = timedelta(days=6, hours=20)
MOST_IDS: Final = 1000
"""Of one notification."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a notification was about: an entity and its records as they are now; one that is not there was deleted."""

    entity: str
    records: Sequence[Record]


class Notifications:
    """The channels of one partner.

    Args:
        name: the partner's.
        secret: what the token is made of.
    """

    def __init__(
        self,
        name: str,
        secret: str,
        api: Api,
        reader: ZohoReader,
        organisation: Organisation,
        modules: Mapping[str, Module],
    ) -> None:
        self._name = name
        self._api = api
        self._reader = reader
        self._organisation = organisation
        self._modules = {one: module for one, module in modules.items() if module.notifies}
        digest = hmac.digest(secret.encode(), f"notifications/{name}".encode(), hashlib.sha256)
        self.token = base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

    @property
    def are_wanted(self) -> bool:
        """Whether the partner's file asks for them."""
        return bool(self._organisation.notify_url and self._modules)

    def channel(self, entity: str) -> str:
        """The number of an entity's channel, the same in every process."""
        digest = hashlib.sha256(f"{self._name}/{entity}".encode()).digest()
        return str(10**14 + int.from_bytes(digest[:6]) % 10**14)

    def renew(self) -> None:
        """Have every channel last as long as can be; one that is not there is made. Nothing where none are wanted.

        Raises:
            PartnerError: one could not be renewed; the others were.
        """
        if not self.are_wanted:
            return
        problem: PartnerError | None = None
        for entity, module in self._modules.items():
            try:
                self._renew(entity, module)
            except PartnerError as error:
                problem = error
        if problem is not None:
            raise problem

    def _renew(self, entity: str, module: Module) -> None:
        watch = {
            "channel_id": self.channel(entity),
            "events": [f"{module.name}.{event}" for event in self._organisation.events],
            "channel_expiry": iso((datetime.now(UTC) + _LASTS).replace(microsecond=0)),
            "token": self.token,
            "notify_url": self._organisation.notify_url,
        }
        try:
            self._watch("PUT", watch)
        except Refused:
            self._watch("POST", watch)  # it was never there, or has ended

    def _watch(self, method: str, watch: Mapping[str, Any]) -> None:
        path = f"{self._organisation.base}/actions/watch"
        # Done twice it is the same: nothing is ever in doubt.
        reply = self._api.ask(Request(method=method, path=path, body={"watch": [watch]}))
        result = json_body.at(reply.value, "watch/0")
        error = error_of(result if isinstance(result, dict) else {}, reply.answer, names_record=False)
        if error is not None:
            raise error

    def read(self, body: bytes) -> list[Told]:
        """What a notification tells of, its records fetched.

        Raises:
            Refusal: it is none, or not from Zoho: 400, 403.
            PartnerError: its records could not be fetched.
        """
        try:
            found = json_body.read(body)
        except ValueError as error:
            raise Refusal(f"That is no notification: {error}.", status=400) from None
        token = json_body.at(found, "token")
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Refusal("The token is not the one that was agreed on.", status=403)
        module, ids = json_body.at(found, "module"), json_body.at(found, "ids")
        names = [
            one
            for one, known in self._modules.items()
            if known.name == json_body.at(module, "api_name") or known.name == module
        ]
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or len(ids) > MOST_IDS:
            raise Refusal("The notification does not say which records it is about.", status=400)
        return [Told(name, self._records(self._modules[name], ids)) for name in names if ids]

    def _records(self, module: Module, ids: Sequence[str]) -> list[Record]:
        found = self._reader.by_zoho_ids(module, ids)
        if not module.is_named_by_zoho:
            return found  # which record was deleted, Zoho's id alone does not tell
        there = {one.id for one in found}
        return [*found, *(Record(id_, {}, deleted=True) for id_ in ids if id_ not in there)]
