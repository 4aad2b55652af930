"""Records of Zoho CRM: by COQL, or by pages where an entity is `read_by = "pages"`; deletions, counts and sums.

Pages of a query go on after the last record (its change and its id), not by offset: Zoho gives 100,000 rows by offset at most, and rows
that are changed meanwhile would move others over the edge of a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from bridge.errors import DeliveredUnreadable, HandlerError
from bridge.partners.entities import Entity
from bridge.partners.http import json_body
from bridge.partners.partner import Page, Query, Record, Totals
from bridge.partners.rest.api import Api, Request
from bridge.partners.rest.paging import Cursor, cursor_of
from bridge.partners.rest.reading import Reader
from bridge.partners.sorting import in_order, rows
from bridge.partners.zoho import coql
from bridge.partners.zoho.described import Module


class ZohoReader(Reader):
    """Safe to use from several threads."""

    def __init__(self, api: Api, modules: Mapping[str, Module], base: str) -> None:
        super().__init__(api, {name: module.one for name, module in modules.items()})
        self._modules = modules
        self._base = base

    def fetch(self, entity: Entity, query: Query) -> Page:
        module = self._modules[entity.name]
        if not module.is_named_by_zoho:
            query = replace(query, deleted=False)  # what was deleted is told by Zoho's own id alone
        if query.ids:
            return Page([one for one in self._by_ids(module, query.ids) if query.wants(one.values)])
        if not module.by_query:
            return super().fetch(entity, query)
        cursor = cursor_of(query.after)
        rows, more = self._rows(module, query, cursor)
        coming = None
        if rows and more:
            id_, last = rows[-1]
            at = id_ if query.order == "id" else json.dumps([_moment(last).isoformat(), id_])
            coming = cursor._replace(at=at)
        records = [self._whole(module, id_, record) for id_, record in rows if query.wants(record.values)]
        if query.deleted:
            records, coming = self._with_deletions(module.one, query, cursor, records, coming)
        return Page(records, None if coming is None else coming.text)

    def by_zoho_ids(self, module: Module, ids: Sequence[str]) -> list[Record]:
        """Records by the ids that Zoho gave them."""
        return self._by_ids(module, ids, column="id")

    def _by_ids(self, module: Module, ids: Sequence[str], *, column: str = "") -> list[Record]:
        found: list[Record] = []
        for start in range(0, len(ids), coql.MOST_IN):
            condition = coql.any_of(column or module.id_column, ids[start : start + coql.MOST_IN])
            query = coql.select(self._columns(module), module.name, [condition], limit=coql.MOST_ROWS)
            rows, _ = self._ask(module, query)
            found += [self._whole(module, id_, record) for id_, record in rows]
        return found

    def _columns(self, module: Module) -> list[str]:
        """What a query asks for: subforms no query gives."""
        conversion, fields = module.one.conversion, module.one.entity.shape.fields
        named = [conversion.place(name).partition("/")[0] for name, one in fields.items() if not one.repeats]
        return list(dict.fromkeys(["id", *named]))

    def _rows(self, module: Module, query: Query, cursor: Cursor) -> tuple[list[tuple[str, Record]], bool]:
        changed = module.one.conversion.place(module.one.entity.changed) if module.one.entity.changed else ""
        conditions = []
        if query.since is not None:
            conditions.append(coql.compared(changed, ">=", query.since))
        if query.until is not None:
            conditions.append(coql.compared(changed, "<", query.until))
        conditions += self._narrowed(module, query)
        if cursor.at is not None:
            conditions.append(_after(changed, cursor.at, query))
        order = ["id"] if query.order == "id" else [changed, "id"]
        limit = min(query.limit, coql.MOST_ROWS)
        text = coql.select(self._columns(module), module.name, conditions, order=order, limit=limit)
        return self._ask(module, text)

    def _narrowed(self, module: Module, query: Query) -> Iterator[str]:
        """`where`, `among` and `between`, as far as a query can be asked them; `Query.wants` looks at the rest."""
        place = module.one.conversion.place
        for name, value in (query.where or {}).items():
            if "/" not in place(name):
                yield coql.compared(place(name), "=", value)
        if (
            query.among is not None
            and "/" not in place(query.among[0])
            and len(query.among[1]) <= coql.MOST_IN
        ):
            yield coql.any_of(place(query.among[0]), query.among[1])
        if query.between is not None and "/" not in place(query.between[0]):
            name, first, before = query.between
            if first is not None:
                yield coql.compared(place(name), ">=", first)
            if before is not None:
                yield coql.compared(place(name), "<", before)

    def _ask(self, module: Module, text: str) -> tuple[list[tuple[str, Record]], bool]:
        """Zoho's id and the record of each row, and whether there are more."""
        found = []
        rows, more = self.rows(text)
        for value in rows:
            id_ = json_body.at(value, "id")
            if not isinstance(id_, str) or not id_:
                raise DeliveredUnreadable(f"A record of {module.name} has no id.", advice="Tell Zoho.")
            found.append((id_, self._record(module.one, value, None)))
        return found, more

    def rows(self, text: str) -> tuple[list[Any], bool]:
        """What a query finds, and whether there is more than Zoho gave."""
        request = Request(method="POST", path=f"{self._base}/coql", body={"select_query": text})
        value = self._api.ask(request).value
        found = json_body.at(value, "data")  # 204: nothing
        return found if isinstance(found, list) else [], json_body.at(value, "info/more_records") is True

    def _whole(self, module: Module, id_: str, record: Record) -> Record:
        """With its subforms: one more request, where it has such."""
        if not module.has_lists:
            return record
        reply = self._api.ask(
            Request(method="GET", path=f"{self._base}/{module.name}/{id_}", names_record=True)
        )
        value = json_body.at(reply.value, "data/0")
        return record if value is None else self._record(module.one, value, None)

    def get(self, one: Any, id_: str) -> Record | None:
        """One record, by what names it."""
        found = self._by_ids(self._modules[one.entity.name], [id_])
        return found[0] if found else None

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """Sorted here: Zoho's order of ids is that of numbers."""
        one = self._of(entity)
        pages = self._pages(one, replace(query, order="id"))
        return in_order(rows(page.records, fields, query.by) for page in pages)

    def _most(self, one: Any) -> int:
        return coql.MOST_ROWS if self._modules[one.entity.name].by_query else super()._most(one)

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Counted and added by Zoho."""
        module = self._modules[entity.name]
        if not module.by_query or query.ids:
            return self._added(module.one, query, sums)
        narrowed = query.since or query.until or query.narrows
        if not sums and not narrowed:
            return super().totals(entity, replace(query, deleted=False), sums)
        changed = module.one.conversion.place(entity.changed) if entity.changed else ""
        conditions = list(self._narrowed(module, query))
        if query.since is not None:
            conditions.append(coql.compared(changed, ">=", query.since))
        if query.until is not None:
            conditions.append(coql.compared(changed, "<", query.until))
        counted, _ = self.rows(coql.select(["COUNT(id) as total"], module.name, conditions))
        count = int(_figure(counted[0], "total")) if counted else 0
        found: dict[tuple[str, str], Decimal] = {}
        for field, currency in sums.items():
            found.update(self._sums(module, conditions, field, currency))
        return Totals(count, found)

    def _sums(
        self, module: Module, conditions: Sequence[str], field: str, currency: str | None
    ) -> Iterator[tuple[tuple[str, str], Decimal]]:
        place = module.one.conversion.place
        given = [*conditions, f"{place(field)} is not null"]
        group = [place(currency)] if currency else []
        text = coql.select([f"SUM({place(field)}) as total", *group], module.name, given, group=group)
        rows, _ = self.rows(text)
        for row in rows:
            if json_body.at(row, "total") is not None:
                yield (field, str(json_body.at(row, group[0]) or "") if group else ""), _figure(row, "total")


def _after(changed: str, at: str, query: Query) -> str:
    if query.order == "id":
        return f"id > {coql.literal(at)}"
    try:
        moment, id_ = json.loads(at)
        return coql.after(changed, datetime.fromisoformat(moment), str(id_))
    except (ValueError, TypeError):
        raise HandlerError(
            "That is no cursor of this list.", advice="Give what the page before had as `next`."
        ) from None


def _moment(record: Record) -> datetime:
    if record.changed_at is None:
        raise DeliveredUnreadable(
            f"The record {record.id} does not say when it was changed.",
            advice="Is `changed` in the partner's file the field Modified_Time?",
        )
    return record.changed_at


def _figure(row: Any, name: str) -> Decimal:
    found = json_body.at(row, name)
    try:
        return Decimal(cast("Any", found))
    except (ArithmeticError, TypeError, ValueError):
        raise DeliveredUnreadable("Zoho gave a total that is no number.", advice="Tell Zoho.") from None
