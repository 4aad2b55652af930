"""Writes to a partner with an API, once each, and what became of one in doubt."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.delivery.sender import Document
from bridge.errors import HandlerError, Refused
from bridge.partners.entities import Entity
from bridge.partners.http import json_body
from bridge.partners.http.client import filled
from bridge.partners.json_text import load
from bridge.partners.partner import Verb, Written
from bridge.partners.rest.api import Api, Request
from bridge.partners.rest.described import Described, Writing, values_for
from bridge.partners.rest.reading import Reader


class Writer:
    """Writes as a partner's file describes. Safe to use from several threads.

    Args:
        id_header: the header that the document's id goes in; "" where none does.
    """

    def __init__(
        self, api: Api, entities: Mapping[str, Described], reader: Reader, *, id_header: str
    ) -> None:
        self._api = api
        self._entities = entities
        self._reader = reader
        self._id_header = id_header

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        one = self._entities[entity.name]
        call = one.writing.get(verb)
        if call is None and verb == "upsert" and one.writing.keys() >= {"create", "update"}:
            return self._update_or_create(one, values, document)
        if call is None:
            raise HandlerError(
                f"{entity.name}.{verb} is not described.",
                advice=f"Say how: [entities.{entity.name}.{verb}] at {entity.place}.",
            )
        return self._written(one, verb, call, values, document)

    def _update_or_create(self, one: Described, values: Mapping[str, Any], document: Document) -> Written:
        """Two requests, at most one of which does something: what is not there to be changed is made."""
        if values.get(one.entity.id) not in (None, ""):
            try:
                return self._written(one, "update", one.writing["update"], values, document)
            except Refused as error:
                if error.name != "NotFound":
                    raise
        return self._written(one, "create", one.writing["create"], values, document)

    def _written(
        self, one: Described, verb: Verb, call: Writing, values: Mapping[str, Any], document: Document
    ) -> Written:
        request = self._writing(one, verb, call, values, document)
        known = values.get(one.entity.id)
        try:
            reply = self._api.ask(request)
        except Refused as error:
            if verb == "delete" and error.name == "NotFound":  # it is not there: what was wanted
                return Written(str(known), request.text, error.reply, error.status)
            raise
        id_ = json_body.at(reply.value, call.id) if call.id else None
        id_ = known if id_ is None or isinstance(id_, dict | list) else id_
        return Written(
            None if id_ in (None, "") else str(id_),
            request.text,
            reply.answer.content,
            reply.answer.status_code,
        )

    def _writing(
        self, one: Described, verb: Verb, call: Writing, values: Mapping[str, Any], document: Document
    ) -> Request:
        headers = {self._id_header: document.id} if self._id_header else {}
        if call.if_match and values.get(call.if_match) is not None:
            headers["If-Match"] = str(values[call.if_match])
        if call.if_unmodified_since and isinstance(values.get(call.if_unmodified_since), datetime):
            stamp = values[call.if_unmodified_since].timestamp()
            headers["If-Unmodified-Since"] = email.utils.formatdate(stamp, usegmt=True)
        body: Any = None
        if verb != "delete":
            sent = {name: value for name, value in values.items() if name not in call.leave_out}
            body = one.conversion.write(sent)
            if call.in_list:
                body = [body]
            if call.body:
                outer: dict[str, Any] = {}
                json_body.put(outer, call.body, body)
                body = outer
        return Request(
            method=call.method,
            path=filled(call.path, values_for(call.path, values)),
            headers=headers,
            body=body,
            reads=False,
            names_record="{" in call.path,
        )

    @property
    def can_find(self) -> bool:
        return any(one.getting is not None for one in self._entities.values())

    def find(self, document: Document) -> bool | None:
        """By its id: deleted where it is not there, written where it is there as it was sent. One that was to be made under our id and is
        not there was not processed: to send it again makes no second one. Everything else nobody can tell."""
        name, _, verb = document.operation.rpartition(".")
        one = self._entities.get(name)
        values = load(document.payload)
        id_ = values.get(one.entity.id) if one is not None else None
        if one is None or one.getting is None or id_ in (None, ""):
            return None
        record = self._reader.get(one, str(id_))
        if record is None:
            return True if verb == "delete" else (False if verb in ("create", "upsert") else None)
        if verb == "delete":
            return None
        alike = all(record.values.get(name) == value for name, value in values.items())
        return True if alike else None
