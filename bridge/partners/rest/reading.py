"""Records of a partner with an API: pages, single ones, deletions, totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from bridge.errors import DeliveredUnreadable, HandlerError, Refused
from bridge.partners.entities import Entity
from bridge.partners.http import json_body
from bridge.partners.http.client import filled
from bridge.partners.http.conversion import iso, moment
from bridge.partners.http.patience import pages
from bridge.partners.partner import Page, Query, Record, Totals
from bridge.partners.rest.api import Api, Reply, Request
from bridge.partners.rest.described import Described, Listing
from bridge.partners.rest.paging import Cursor, cursor_of, following
from bridge.partners.sorting import in_order, rows
from bridge.partners.summing import Sums

_BUSY: Final = (200, 429, 503)
"""Statuses of a partner that is busy; another one is away."""


class Reader:
    """Reads what a partner's file describes. Safe to use from several threads."""

    def __init__(self, api: Api, entities: Mapping[str, Described]) -> None:
        self._api = api
        self._entities = entities

    def fetch(self, entity: Entity, query: Query) -> Page:
        one = self._of(entity)
        if query.ids and (one.listing is None or not one.listing.ids):
            return self._one_by_one(one, query)
        listing = self._listing(one)
        if query.among is not None and query.among[0] in listing.where:
            return self._value_by_value(one, query)
        cursor = cursor_of(query.after)
        records: list[Record] = []
        coming: Cursor | None = None
        if not cursor.over:
            reply = self._api.ask(self._page(one, listing, query, cursor))
            found = list(self._records(one, reply, listing.records))
            coming = following(listing, cursor, reply.value, found, min(query.limit, listing.most))
            records = [
                record for record in found if query.wants(record.values) and _before(record, query.until)
            ]
        if query.deleted and one.deletions is not None and not query.ids:
            records, coming = self._with_deletions(one, query, cursor, records, coming)
        return Page(records, None if coming is None else coming.text)

    def _one_by_one(self, one: Described, query: Query) -> Page:
        if one.getting is None:
            raise HandlerError(
                f"{one.entity.name} cannot be asked for by id.",
                advice=f"Say how: [entities.{one.entity.name}.get], or `ids` of its list, at {one.entity.place}.",
            )
        found = [record for id_ in query.ids if (record := self.get(one, id_)) is not None]
        return Page([record for record in found if query.wants(record.values)])

    def _value_by_value(self, one: Described, query: Query) -> Page:
        """Those that have one of some values, of a list that can be asked for one: all of them in a page."""
        assert query.among is not None
        name, values = query.among
        wheres = ({**(query.where or {}), name: value} for value in values)
        asked = (replace(query, among=None, where=where) for where in wheres)
        return Page([record for each in asked for page in self._pages(one, each) for record in page.records])

    def get(self, one: Described, id_: str) -> Record | None:
        """One record; None where there is none of that id."""
        assert one.getting is not None
        path = filled(one.getting.path, {one.entity.id: id_})
        try:
            reply = self._api.ask(Request(method="GET", path=path, names_record=True))
        except Refused as error:
            if error.name == "NotFound":
                return None
            raise
        value = json_body.at(reply.value, one.getting.record)
        return None if value is None else self._record(one, value, reply)

    def _page(self, one: Described, listing: Listing, query: Query, cursor: Cursor) -> Request:
        """The request for a page. Raises HandlerError for what the list cannot be asked."""
        order = listing.order.get(query.order)
        if order is None and query.order == "changed":
            raise HandlerError(
                f"{one.entity.name} cannot be listed in the order of its changes.",
                advice=f'Where it can, say how: list.order.changed = {{ sort = "…" }} at {one.entity.place}.',
            )
        given: dict[str, Any] = {**listing.query, **(order or {})}
        headers: dict[str, str] = {}
        since = cursor.since or query.since
        for name, param, value in (("since", listing.since, since), ("until", listing.until, query.until)):
            if value is None:
                continue
            if name == "since" and listing.since_header:
                headers[listing.since_header] = iso(value)
            elif param:
                given[param] = one.conversion.written(one.entity.shape.fields[one.entity.changed], value)
            elif name == "since":
                raise HandlerError(
                    f"{one.entity.name} cannot be asked for what was changed since a moment.",
                    advice=f"Say how: `since` or `since_header` of its list at {one.entity.place}.",
                )
        if query.ids:
            given[listing.ids] = ",".join(query.ids)
        for name, value in (query.where or {}).items():
            if name in listing.where:
                given[listing.where[name]] = one.conversion.written(one.entity.shape.fields[name], value)
        if listing.limit:
            given[listing.limit] = min(query.limit, listing.most)
        if listing.paging != "none" and (cursor.at is not None or listing.paging in ("page", "offset")):
            at = cursor.at if cursor.at is not None else str(listing.first)
            given[listing.at] = int(at) if listing.paging in ("page", "offset") else at
        return _asking(listing, given, headers)

    def _records(self, one: Described, reply: Reply, place: str) -> Iterator[Record]:
        found = json_body.at(reply.value, place)
        if found is None and (reply.value is None or place):
            return  # 204, 304: nothing was changed
        if not isinstance(found, list):
            raise DeliveredUnreadable(
                f"{one.entity.name}: at {place or 'the top'} of the reply stands no list.",
                advice=f"Correct `records` at {one.entity.place}, or tell the partner.",
            )
        for value in found:
            yield self._record(one, value, None)

    def _record(self, one: Described, value: Any, reply: Reply | None) -> Record:
        values = one.conversion.read(value)
        id_ = values.get(one.entity.id)
        if id_ in (None, ""):
            raise DeliveredUnreadable(
                f"A record of {one.entity.name} has no {one.entity.id}.",
                advice="Tell the partner, or name another field as id.",
            )
        changed = values.get(one.entity.changed) if one.entity.changed else None
        version = json_body.at(value, one.version) if one.version and one.version != "ETag" else None
        if version is None and reply is not None:
            version = reply.answer.headers.get("ETag")
        return Record(
            str(id_),
            values,
            changed if isinstance(changed, datetime) else None,
            version=None if version is None else str(version),
        )

    def _with_deletions(
        self, one: Described, query: Query, cursor: Cursor, records: list[Record], coming: Cursor | None
    ) -> tuple[list[Record], Cursor | None]:
        """The page with what was deleted in its stretch of time, so that a reader may stop after any page."""
        told = cursor.told or query.since
        horizon = None
        if coming is not None:
            if query.order != "changed" or not records or records[-1].changed_at is None:
                return records, coming._replace(told=cursor.told)
            horizon = records[-1].changed_at
        gone = [
            record
            for record in self._deleted(one, replace(query, since=told))
            if record.changed_at is None or horizon is None or record.changed_at < horizon
        ]
        if query.until is not None:
            gone = [record for record in gone if _before(record, query.until)]
        merged = [*records, *gone]
        if query.order == "changed":
            merged.sort(key=lambda record: (record.changed_at is not None, record.changed_at or query.since))
        return merged, None if coming is None else coming._replace(told=horizon)

    def _deleted(self, one: Described, query: Query) -> Iterator[Record]:
        deletions = one.deletions
        assert deletions is not None
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            asked = replace(query, order="id", where=None, limit=deletions.listing.most)
            if not deletions.listing.since and not deletions.listing.since_header:
                asked = replace(asked, since=None)
            reply = self._api.ask(self._page(one, deletions.listing, asked, cursor))
            found = json_body.at(reply.value, deletions.listing.records) or []
            records = [self._deletion(one, value) for value in found]
            yield from (
                record
                for record in records
                if query.since is None or record.changed_at is None or record.changed_at >= query.since
            )
            cursor = following(deletions.listing, cursor, reply.value, records, deletions.listing.most)

    def _deletion(self, one: Described, value: Any) -> Record:
        assert one.deletions is not None
        id_ = json_body.at(value, one.deletions.id)
        if id_ in (None, ""):
            raise DeliveredUnreadable(
                f"A deletion of {one.entity.name} has no {one.deletions.id}.", advice="Tell the partner."
            )
        at = json_body.at(value, one.deletions.moment)
        try:
            when = None if at is None else moment(at, one.conversion.forms)
        except (ValueError, TypeError):
            when = None
        return Record(str(id_), {}, when, deleted=True)

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        one = self._of(entity)
        batches = (
            rows(page.records, fields, query.by) for page in self._pages(one, replace(query, order="id"))
        )
        by_id = "id" in self._listing(one).order and not query.by
        return _ascending(one, batches) if by_id else in_order(batches)

    def _most(self, one: Described) -> int:
        """Records of the largest page."""
        return self._listing(one).most

    def _pages(self, one: Described, query: Query) -> Iterator[Page]:
        """Every page; a partner that is busy is waited for."""
        asked = replace(query, after=None, limit=self._most(one))
        return pages(partial(self.fetch, one.entity), asked, is_busy=lambda error: error.status in _BUSY)

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        one = self._of(entity)
        counting = one.counting
        narrowed = query.ids or query.narrows or query.deleted
        unaskable = counting is None or (
            (query.since is not None and not counting.since)
            or (query.until is not None and not counting.until)
        )
        if counting is None or sums or narrowed or unaskable:
            return self._added(one, query, sums)
        params = dict(counting.query)
        for name, value in ((counting.since, query.since), (counting.until, query.until)):
            if value is not None:
                field = one.entity.shape.fields[one.entity.changed]
                params[name] = str(one.conversion.written(field, value))
        reply = self._api.ask(Request(method="GET", path=counting.path, params=tuple(params.items())))
        count = json_body.at(reply.value, counting.count)
        if (
            isinstance(count, bool)
            or not isinstance(count, int | str | Decimal)
            or not str(count).isdecimal()
        ):
            raise DeliveredUnreadable(
                f"{entity.name}: at {counting.count} of the reply stands no count.",
                advice="Tell the partner.",
            )
        return Totals(int(count), {})

    def _added(self, one: Described, query: Query, sums: Mapping[str, str | None]) -> Totals:
        found = Sums(sums)
        for page in self._pages(one, query):
            for record in page.records:
                if not record.deleted:
                    found.add(record.values)
        return found.totals()

    def _of(self, entity: Entity) -> Described:
        return self._entities[entity.name]

    def _listing(self, one: Described) -> Listing:
        if one.listing is None:
            raise HandlerError(
                f"{one.entity.name} cannot be listed.",
                advice=f"Say how: [entities.{one.entity.name}.list] at {one.entity.place}.",
            )
        return one.listing


def _before(record: Record, until: datetime | None) -> bool:
    return until is None or record.changed_at is None or record.changed_at < until


def _asking(listing: Listing, given: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    """Parameters go into the query of a GET, and into the body of a POST, where a name may be a path."""
    if listing.method == "GET":
        params = tuple((name, str(value)) for name, value in given.items())
        return Request(method="GET", path=listing.path, params=params, headers=headers)
    body: dict[str, Any] = {}
    for name, value in given.items():
        json_body.put(body, name, value)
    return Request(method="POST", path=listing.path, body=body, headers=headers)


def _ascending(one: Described, batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
    """The batches, held to the order that was promised: merging two sides relies on it."""
    before = ""
    for batch in batches:
        for row in batch:
            if row[0] < before:
                raise DeliveredUnreadable(
                    f"{one.entity.name}: {row[0]!r} comes after {before!r}, and ids were to come in the order of their code points.",
                    advice=f"Leave out `order.id` at {one.entity.place}: then they are sorted here.",
                )
            before = row[0]
        yield batch
