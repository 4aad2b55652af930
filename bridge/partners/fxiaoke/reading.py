"""Records of Fxiaoke: pages by change and by id, single ones, counts and sums.

Fxiaoke tells nobody of changes: what was changed is asked for by last_modified_time. It gives at most 10,000 records by offset, and a record
that is changed meanwhile moves others over the edge of such a page, where nobody sees them. So every page begins at offset 0:

by id        after the `_id` of the last record
by change    at the moment of the last record, which comes again with all others of that moment; what a full page has of that moment is left
             to the next one. Where more records than a page has are of one moment, those are read by `_id`.

No record is left out, whatever is changed while the pages are read; one that is changed comes again at its new place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from bridge.errors import DeliveredUnreadable, HandlerError
from bridge.partners.entities import Entity
from bridge.partners.fxiaoke.calling import MOST, Caller
from bridge.partners.fxiaoke.described import Thing, compared
from bridge.partners.http.patience import pages
from bridge.partners.partner import Page, Query, Record, Totals
from bridge.partners.sorting import in_order, rows
from bridge.partners.summing import Sums

BELIEVED: Final = 10_000
"""Up to which count its own is believed; what it counts beyond is not documented."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

Filters = list[Mapping[str, Any]]
Rows = list[Mapping[str, Any]]


class Place(NamedTuple):
    """Where reading goes on. `since`: changed at this millisecond or later. `among`: of this millisecond only. `after`: behind this `_id`."""

    since: int | None = None
    among: int | None = None
    after: str | None = None

    @property
    def text(self) -> str:
        """As `Page.next` has it."""
        return json.dumps({name: value for name, value in self._asdict().items() if value is not None})

    @classmethod
    def of(cls, text: str | None) -> Place:
        """Raises HandlerError: it is no cursor of ours."""
        if text is None:
            return cls()
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError):
            found = None
        numbers = (found.since, found.among) if found is not None else ("",)
        if found is None or not all(one is None or isinstance(one, int) for one in numbers):
            raise HandlerError(
                f"{text[:100]!r} is no cursor.", advice="Give what the page before had as `next`."
            )
        return found


class Reader:
    """Safe to use from several threads."""

    def __init__(self, caller: Caller, things: Mapping[str, Thing]) -> None:
        self._caller = caller
        self._things = things

    def fetch(self, entity: Entity, query: Query) -> Page:
        thing = self._things[entity.name]
        return self._page(thing, query, list(entity.shape.fields))

    def _page(self, thing: Thing, query: Query, fields: Sequence[str]) -> Page:
        if query.ids:
            rows = self._all_of(thing, thing.id_place, query.ids, fields=fields)
            return Page([one for one in self._records(thing, rows, fields) if _is_wanted(one, query)])
        place = Place.of(query.after)
        limit = max(1, min(query.limit, MOST))
        if query.order == "changed":
            rows, coming = self._by_change(thing, query, place, limit, fields)
        else:
            rows, coming = self._by_id(thing, query, place, limit, fields)
        records = [one for one in self._records(thing, rows, fields) if _is_wanted(one, query)]
        return Page(records, None if coming is None else coming.text)

    def _all_of(
        self,
        thing: Thing,
        place: str,
        values: Sequence[str],
        *,
        fields: Sequence[str],
        also: Sequence[str] = (),
    ) -> Rows:
        """Every record whose field `place` has one of these values, by `_id` within each 50 of them."""
        found: Rows = []
        for start in range(0, len(values), MOST // 2):
            filters: Filters = [compared(place, "IN", *values[start : start + MOST // 2])]
            after: Filters = []
            while True:
                rows = self._caller.query(thing, [*filters, *after], fields=fields, also=also).rows
                found += rows
                if len(rows) < MOST:
                    break
                after = [compared("_id", "GT", rows[-1]["_id"])]
        return found

    def values(self, thing: Thing, rows: Rows, fields: Sequence[str]) -> list[dict[str, Any]]:
        """The values of each row, with the lists that are records of other objects."""
        found = [thing.read(row) for row in rows]
        for name, detail in thing.details.items():
            if name not in fields or not rows:
                continue
            inner = detail.thing
            lists: dict[str, list[dict[str, Any]]] = {}
            ids = [str(row["_id"]) for row in rows]
            for one in self._all_of(
                inner, detail.by, ids, fields=list(inner.entity.shape.fields), also=(detail.by,)
            ):
                if not is_invalid(one):
                    lists.setdefault(str(one.get(detail.by)), []).append(inner.read(one))
            for id_, values in zip(ids, found, strict=True):
                values[name] = lists.get(id_, [])
        return found

    def _by_id(
        self, thing: Thing, query: Query, place: Place, limit: int, fields: Sequence[str]
    ) -> tuple[Rows, Place | None]:
        filters = [*_between_changes(thing, query, query.since), *_narrowed(thing, query)]
        if place.after is not None:
            filters.append(compared("_id", "GT", place.after))
        rows = self._caller.query(thing, filters, fields=fields, limit=limit).rows
        if len(rows) < limit:
            return rows, None
        last = str(rows[-1]["_id"])
        if last == place.after:
            raise DeliveredUnreadable(
                f"{thing.api_name}: the page after {last!r} ends with the same record.",
                advice="Tell Fxiaoke.",
            )
        return rows, Place(after=last)

    def _by_change(
        self, thing: Thing, query: Query, place: Place, limit: int, fields: Sequence[str]
    ) -> tuple[Rows, Place | None]:
        changed = thing.changed_place
        if place.among is not None:
            return self._among(thing, query, place, limit, fields)
        filters = [*_between_changes(thing, query, None), *_narrowed(thing, query)]
        since = place.since if place.since is not None else _milliseconds(query.since)
        if since is not None:
            filters.append(compared(changed, "GTE", since))
        rows = self._caller.query(thing, filters, fields=fields, order=(changed, "_id"), limit=limit).rows
        moments = [_moment(thing, one) for one in rows]
        if moments != sorted(moments):
            raise DeliveredUnreadable(
                f"{thing.api_name}: records were asked for in the order of {changed}, and came in another.",
                advice="Tell Fxiaoke; without that order changes cannot be followed.",
            )
        if len(rows) < limit:
            return rows, None
        last = moments[-1]
        before = [one for one, moment in zip(rows, moments, strict=True) if moment < last]
        if before:
            return before, Place(since=last)
        return self._among(thing, query, Place(among=last), limit, fields)

    def _among(
        self, thing: Thing, query: Query, place: Place, limit: int, fields: Sequence[str]
    ) -> tuple[Rows, Place | None]:
        """Records of one moment, by their ids; behind the last of them reading goes on with the next moment."""
        assert place.among is not None
        filters = [compared(thing.changed_place, "EQ", place.among), *_narrowed(thing, query)]
        if place.after is not None:
            filters.append(compared("_id", "GT", place.after))
        rows = self._caller.query(thing, filters, fields=fields, limit=limit).rows
        if len(rows) < limit:
            return rows, Place(since=place.among + 1)
        return rows, place._replace(after=str(rows[-1]["_id"]))

    def _records(self, thing: Thing, rows: Rows, fields: Sequence[str]) -> Iterator[Record]:
        for row, values in zip(rows, self.values(thing, rows, fields), strict=True):
            id_ = values.get(thing.entity.id)
            if id_ in (None, ""):
                raise DeliveredUnreadable(
                    f"The record {row['_id']} of {thing.api_name} has no {thing.entity.id}.",
                    advice=f'Name records by "_id", or leave such out: filters = [{{ field = "{thing.id_place}", operator = "ISN", '
                    f"values = [] }}] at {thing.entity.place}.",
                )
            changed = values.get(thing.entity.changed) if thing.entity.changed else None
            version = row.get("version")
            yield Record(
                str(id_),
                values,
                changed if isinstance(changed, datetime) else None,
                deleted=is_invalid(row),
                version=None if version is None else str(version),
            )

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """Ordered here: in which order Fxiaoke compares texts is not documented."""
        thing = self._things[entity.name]
        looked_at = [*fields, query.by] if query.by else fields
        return in_order(rows(page.records, fields, query.by) for page in self._pages(thing, query, looked_at))

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        thing = self._things[entity.name]
        found = Sums(sums)
        if not sums and not (query.ids or query.narrows or query.deleted):
            filters = _between_changes(thing, query, query.since)
            total = self._caller.query(thing, filters, fields=(), limit=1, total=True).total
            if total is not None and total <= BELIEVED:
                return Totals(total, {})
        needed = [name for pair in sums.items() for name in pair if name]
        for page in self._pages(thing, query, needed):
            for record in page.records:
                if not record.deleted:
                    found.add(record.values)
        return found.totals()

    def _pages(self, thing: Thing, query: Query, fields: Sequence[str]) -> Iterator[Page]:
        """Every page by id, with as many fields as are looked at; a Fxiaoke that is busy is waited for."""
        looked_at = [*fields, thing.entity.id, *(query.where or {})]
        looked_at += [thing.entity.changed] if thing.entity.changed else []
        looked_at += [named[0] for named in (query.among, query.between) if named is not None]
        asked = replace(query, order="id", after=None, limit=MOST)
        return pages(lambda page: self._page(thing, page, looked_at), asked)


def is_invalid(row: Mapping[str, Any]) -> bool:
    """Whether somebody has made the record invalid (作废), which is how records are deleted there."""
    return row.get("is_deleted") in (True, "true") or row.get("life_status") == "invalid"


def _is_wanted(record: Record, query: Query) -> bool:
    if record.deleted:
        return query.deleted
    return query.wants(record.values)


def _narrowed(thing: Thing, query: Query) -> Filters:
    """`where`, `among` and `between`, as far as Fxiaoke can be asked them; `Query.wants` looks at the rest."""
    found = [thing.asked(name, "EQ", value) for name, value in (query.where or {}).items()]
    if query.among is not None:
        found.append(thing.asked(query.among[0], "IN", *query.among[1]))
    if query.between is not None:
        name, first, before = query.between
        found += [thing.asked(name, "GTE", first), thing.asked(name, "LT", before)]
    return [one for one in found if one is not None]


def _between_changes(thing: Thing, query: Query, since: datetime | None) -> Filters:
    made: Filters = []
    if since is not None:
        made.append(compared(thing.changed_place, "GTE", _milliseconds(since)))
    if query.until is not None:
        # Part of a millisecond is one more that is still before it.
        until = -((_EPOCH - query.until) // _MILLISECOND)
        made.append(compared(thing.changed_place, "LT", until))
    return made


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


def _moment(thing: Thing, row: Mapping[str, Any]) -> int:
    found = row.get(thing.changed_place)
    if isinstance(found, str) and found.isdecimal():
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        raise DeliveredUnreadable(
            f"The record {row['_id']} of {thing.api_name} has no moment at {thing.changed_place}.",
            advice="Name last_modified_time as `changed`.",
        )
    return found
