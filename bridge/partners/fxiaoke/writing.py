"""Writes to Fxiaoke, and what became of one in doubt.

There is no upsert, and no id of a request is kept. So a record that is named by a field of ours is looked up first, and then changed or made;
and one in doubt is looked up again. A `document_field` makes that certain: it has the id of the document that a record was written by.

A delete is two calls, invalid and delete, and a change of the owner is another one than a change of the rest. What was done of it when the
second fails is found done when it is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.delivery.sender import Document
from bridge.errors import DeliveredUnreadable, Refused, Unpresentable
from bridge.partners.entities import Entity
from bridge.partners.fxiaoke.calling import Caller
from bridge.partners.fxiaoke.described import Tenant, Thing, compared
from bridge.partners.fxiaoke.reading import Reader, is_invalid
from bridge.partners.http import json_body
from bridge.partners.json_text import load
from bridge.partners.partner import Verb, Written

OWNER = "owner"
Row = Mapping[str, Any]


class Writer:
    """Safe to use from several threads."""

    def __init__(self, caller: Caller, things: Mapping[str, Thing], reader: Reader, tenant: Tenant) -> None:
        self._caller = caller
        self._reader = reader
        self._things = things
        self._switches = {
            "triggerApprovalFlow": tenant.approvals,
            "triggerWorkFlow": tenant.workflows,
        }

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        thing = self._things[entity.name]
        if verb == "delete":
            return self._delete(thing, values)
        if verb == "create" or (verb == "upsert" and values.get(entity.id) in (None, "")):
            return self._create(thing, values, document)
        row = self._one(thing, values)
        if row is not None:
            return self._update(thing, row, values, document)
        if verb == "upsert" and not thing.is_named_by_fxiaoke:
            return self._create(thing, values, document)
        raise Refused(
            f"Fxiaoke has no record of {thing.api_name} with {thing.id_place} {values.get(entity.id)!r}.",
            name="NotFound",
            advice="Was it made invalid there?",
        )

    # -- the four verbs

    def _create(self, thing: Thing, values: Mapping[str, Any], document: Document) -> Written:
        made = {
            place: value
            for place, value in self._written(thing, values, document).items()
            if value not in (None, [])
        }
        made.pop("_id", None)
        data: dict[str, Any] = {"object_data": _named(thing, made)}
        if details := _details(thing, values):
            data["details"] = details
        body = {**self._switches, "data": data}
        request, reply = self._caller.post(f"{thing.path}/create", body, reads=False)
        id_ = json_body.at(reply.value, "dataId")
        if thing.is_named_by_fxiaoke:
            id_ = id_ or self._id_of(thing, document)
            if not id_:
                raise DeliveredUnreadable(
                    f"{thing.api_name}: it was made, and Fxiaoke does not say under which _id.",
                    status=reply.answer.status_code,
                    advice=f"Have a field keep the document's id: document_field at {thing.entity.place}. Never repeat it.",
                )
        else:
            id_ = values.get(thing.entity.id)
        return Written(
            None if id_ in (None, "") else str(id_),
            request.text,
            reply.answer.content,
            reply.answer.status_code,
        )

    def _id_of(self, thing: Thing, document: Document) -> str | None:
        row = self._by_document(thing, document)
        return None if row is None else str(row["_id"])

    def _update(self, thing: Thing, row: Row, values: Mapping[str, Any], document: Document) -> Written:
        self._require_same_details(thing, row, values)
        made = self._written(thing, values, document)
        owner = made.pop(OWNER, None)
        if not thing.is_named_by_fxiaoke:
            made.pop(thing.id_place, None)  # it is what the record was found by
        made["_id"] = row["_id"]
        texts = []
        if owner and owner != row.get(OWNER):
            data = {
                "dataObjectApiName": thing.api_name,
                "Data": [{"objectDataId": row["_id"], "ownerId": owner}],
            }
            request, reply = self._caller.post(f"{thing.path}/changeOwner", {"data": data}, reads=False)
            texts.append(request.text)
        if made.keys() - {"_id"} or not texts:
            body = {**self._switches, "data": {"object_data": _named(thing, made)}}
            try:
                request, reply = self._caller.post(f"{thing.path}/update", body, reads=False)
            except Refused as error:
                if texts:
                    error.message += " Its owner was changed before that."
                raise
            texts.append(request.text)
        id_, answer = str(values[thing.entity.id]), reply.answer
        return Written(id_, b"\n\n".join(texts), answer.content, answer.status_code)

    def _require_same_details(self, thing: Thing, row: Row, values: Mapping[str, Any]) -> None:
        """What becomes of lines that come with a change is not documented: they may be left out, or be those that are there."""
        given = {name: values[name] for name in thing.details if values.get(name) is not None}
        if not given:
            return
        (there,) = self._reader.values(thing, [row], list(given))
        for name, lines in given.items():
            if not _alike(there[name], lines):
                raise Unpresentable(
                    f"{thing.entity.name}: {name} of a record that is there cannot be changed. Nothing was sent.",
                    advice=f"Declare {thing.details[name].thing.api_name} as an entity of its own, and write its records.",
                )

    def _delete(self, thing: Thing, values: Mapping[str, Any]) -> Written:
        id_ = str(values[thing.entity.id])
        row = self._one(thing, values) or self._one(thing, values, invalid=True)
        written = Written(id_)
        if row is None:  # it is not there: what was wanted
            return written
        if not is_invalid(row):
            data = {"dataObjectApiName": thing.api_name, "object_data_id": row["_id"]}
            written = self._done(id_, f"{thing.path}/invalid", {"data": data})
        if thing.deletes:
            data = {"dataObjectApiName": thing.api_name, "idList": [row["_id"]]}
            written = self._done(id_, f"{thing.path}/delete", {"data": data})
        return written

    def _done(self, id_: str, path: str, body: Mapping[str, Any]) -> Written:
        request, reply = self._caller.post(path, body, reads=False)
        return Written(id_, request.text, reply.answer.content, reply.answer.status_code)

    # -- what is sent, and what is there

    def _written(self, thing: Thing, values: Mapping[str, Any], document: Document) -> dict[str, Any]:
        left_out = {*thing.leave_out, thing.entity.changed}
        made = thing.write({name: value for name, value in values.items() if name not in left_out})
        if thing.document_field:
            made[thing.document_field] = document.id
        return made

    def _one(self, thing: Thing, values: Mapping[str, Any], *, invalid: bool = False) -> Row | None:
        """The record that the values name; None: there is none.

        Raises:
            Unpresentable: they name none. Refused: they name several.
        """
        id_ = values.get(thing.entity.id)
        if not isinstance(id_, str) or not id_:
            raise Unpresentable(
                f"{thing.entity.name}: nothing names the record. Nothing was sent.",
                advice=f"Give {thing.entity.id}.",
            )
        rows = [
            row
            for row in self._looked_up(thing, thing.id_place, id_, invalid=invalid)
            if is_invalid(row) == invalid and row.get(thing.id_place) == id_
        ]
        if len(rows) > 1:
            raise Refused(
                f"Fxiaoke has {len(rows)} records of {thing.api_name} with {thing.id_place} {id_!r}. Nothing was done.",
                name="Duplicate",
                advice="Merge them there, and make the field unique.",
            )
        return rows[0] if rows else None

    def _looked_up(self, thing: Thing, place: str, value: str, *, invalid: bool = False) -> Sequence[Row]:
        filters = [compared(place, "EQ", value)]
        if invalid:
            filters.append(compared("is_deleted", "EQ", "true"))
        found = self._caller.query(thing, filters, fields=list(thing.entity.shape.fields), also=(OWNER,))
        return found.rows

    def _by_document(self, thing: Thing, document: Document) -> Row | None:
        return (
            next(iter(self._looked_up(thing, thing.document_field, document.id)), None)
            if thing.document_field
            else None
        )

    # -- what became of one in doubt

    @property
    def can_find(self) -> bool:
        return any(thing.document_field or not thing.is_named_by_fxiaoke for thing in self._things.values())

    def find(self, document: Document) -> bool | None:
        """By the field with the document's id, where there is one. Else by what names the record: gone, there as it was sent, or not there
        at all. Of a change that is not seen nobody can tell whether somebody has changed it since."""
        name, _, verb = document.operation.rpartition(".")
        thing = self._things.get(name)
        if thing is None:
            return None
        values = load(document.payload)
        if verb == "delete":
            row = self._one(thing, values) or (
                self._one(thing, values, invalid=True) if thing.deletes else None
            )
            return row is None
        if thing.document_field:
            return self._by_document(thing, document) is not None
        if values.get(thing.entity.id) in (None, ""):
            return None
        row = self._one(thing, values)
        if row is None:
            return None if verb == "update" or thing.is_named_by_fxiaoke else False
        sent = {
            one: value for one, value in values.items() if one not in {*thing.leave_out, thing.entity.changed}
        }
        (there,) = self._reader.values(thing, [row], list(sent))
        return True if _alike(there, sent) else None


def _alike(there: Any, sent: Any) -> bool:
    """Whether what was sent is there: beside it there may be more."""
    if isinstance(sent, Mapping):
        return isinstance(there, Mapping) and all(_alike(there.get(name), one) for name, one in sent.items())
    if isinstance(sent, list | tuple):
        return isinstance(there, list | tuple) and len(there) == len(sent) and all(map(_alike, there, sent))
    return bool(there == sent)


def _details(thing: Thing, values: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The lists of a record that is made, by their objects."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, detail in thing.details.items():
        for line in values.get(name) or ():
            made = {place: value for place, value in detail.thing.write(line).items() if value is not None}
            api_name = detail.thing.api_name
            found.setdefault(api_name, []).append({"object_describe_api_name": api_name, **made})
    return found


def _named(thing: Thing, made: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dataObjectApiName": thing.api_name,
        "object_describe_api_name": thing.api_name,
        **made,
    }
