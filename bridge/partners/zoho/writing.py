"""Writes to Zoho CRM, a record each, and what became of one in doubt.

| verb | request |
|---|---|
| create | POST /{module} |
| update | PUT /{module}/{id}; with X-EXTERNAL where a field of its own names the record |
| upsert | POST /{module}/upsert with duplicate_check_fields |
| delete | DELETE /{module}/{id}, likewise |

Zoho keeps no id of a request. What is in doubt is looked for by what names the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.delivery.sender import Document
from bridge.errors import DeliveredUnreadable, Refused, Unpresentable
from bridge.partners.entities import Entity
from bridge.partners.http import json_body
from bridge.partners.http.client import filled
from bridge.partners.http.conversion import iso
from bridge.partners.json_text import load
from bridge.partners.partner import Verb, Written
from bridge.partners.rest.api import Api, Reply, Request
from bridge.partners.zoho.described import Module
from bridge.partners.zoho.outcomes import error_of
from bridge.partners.zoho.reading import ZohoReader


class ZohoWriter:
    """Safe to use from several threads."""

    def __init__(self, api: Api, modules: Mapping[str, Module], reader: ZohoReader, base: str) -> None:
        self._api = api
        self._modules = modules
        self._reader = reader
        self._base = base

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        module = self._modules[entity.name]
        request = self._request(module, verb, values)
        known = values.get(entity.id)
        try:
            reply = self._api.ask(request)
            id_ = self._settled(request, reply)
        except Refused as error:
            if verb == "delete" and error.name == "NotFound":  # it is not there: what was wanted
                return Written(str(known), request.text, error.reply, error.status)
            raise
        named = id_ if module.is_named_by_zoho else known
        answer = reply.answer
        return Written(
            None if named is None else str(named), request.text, answer.content, answer.status_code
        )

    def _settled(self, request: Request, reply: Reply) -> str | None:
        """Zoho's id of the record, where its result inside the reply says that it went well. Raises what it says else."""
        result = json_body.at(reply.value, "data/0")
        if not isinstance(result, dict):
            raise DeliveredUnreadable(
                "Zoho took the request, and its reply has no result.",
                status=reply.answer.status_code,
                advice="Look there what became of it; never repeat it unseen.",
            )
        error = error_of(result, reply.answer, names_record=request.names_record)
        if error is not None:
            error.status, error.reply = reply.answer.status_code, reply.answer.content
            raise error
        id_ = json_body.at(result, "details/id")
        return None if id_ is None else str(id_)

    def _request(self, module: Module, verb: Verb, values: Mapping[str, Any]) -> Request:
        path = f"{self._base}/{module.name}"
        headers: dict[str, str] = {}
        if verb in ("update", "delete"):
            path = filled(f"{path}/{{id}}", {"id": str(values.get(module.one.entity.id) or "")})
            if not module.is_named_by_zoho:
                headers["X-EXTERNAL"] = f"{module.name}.{module.id_column}"
        if verb == "delete":
            return Request(method="DELETE", path=path, headers=headers, reads=False, names_record=True)
        unless = values.get(module.unless_changed_since) if module.unless_changed_since else None
        if isinstance(unless, datetime):
            headers["If-Unmodified-Since"] = iso(unless.replace(microsecond=0))
        body: dict[str, Any] = {"data": [self._record(module, verb, values)]}
        if module.trigger is not None:
            body["trigger"] = list(module.trigger)
        if verb == "upsert":
            path += "/upsert"
            if module.check_by:
                body["duplicate_check_fields"] = list(module.check_by)
        return Request(
            method="PUT" if verb == "update" else "POST",
            path=path,
            headers=headers,
            body=body,
            reads=False,
            names_record=verb == "update",
        )

    def _record(self, module: Module, verb: Verb, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is sent of it: never the moment of its change, which is Zoho's to say, and its id only where it has to find it."""
        entity = module.one.entity
        sent = {name: value for name, value in values.items() if name != entity.changed}
        if module.is_named_by_zoho and (verb != "upsert" or sent.get(entity.id) in (None, "")):
            sent.pop(entity.id, None)
        sent = {
            name: value.replace(microsecond=0) if isinstance(value, datetime) else value
            for name, value in sent.items()
        }
        made = module.one.conversion.write(sent)
        for name, value in sent.items():
            outer, nested, _ = module.one.conversion.place(name).partition("/")
            if value is None and nested and not any((made[outer] or {}).values()):
                made[outer] = None  # a lookup is emptied as a whole
        if not made:
            raise Unpresentable(
                f"{entity.name}: nothing of it is to be written. Nothing was sent.",
                advice="Give a field besides its id.",
            )
        return made

    @property
    def can_find(self) -> bool:
        return True

    def find(self, document: Document) -> bool | None:
        """Deleted where it is not there; written where it is there as it was sent; not processed where it was to be made under a field
        of its own and is not there: sent again it makes no second one, as Zoho checks that field. Else nobody can tell."""
        name, _, verb = document.operation.rpartition(".")
        module = self._modules.get(name)
        values = load(document.payload)
        id_ = values.get(module.one.entity.id) if module is not None else None
        if module is None or id_ in (None, ""):
            return None
        record = self._reader.get(module.one, str(id_))
        if verb == "delete":
            return True if record is None else None
        if record is None:
            return False if verb == "upsert" and not module.is_named_by_zoho else None
        changed = module.one.entity.changed
        alike = all(record.values.get(name) == value for name, value in values.items() if name != changed)
        return True if alike else None
