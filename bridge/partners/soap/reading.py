"""Records of a SOAP partner: read page by page with an operation that lists them, as the partner's file says.

    [entities.customers]
    operation = "FindCustomers"      # what lists them
    records = "customer"             # where they stand in its reply
    id = "code"
    changed = "changedAt"
    since = "changedSince"           # where the request says: changed at this moment or later
    until = "changedBefore"          # and before this one
    ids = "code"                     # where it names single ones, one or several
    limit = "pageSize"               # how many a page has at most
    page = "pageToken"               # where it asks for the next page …
    next = "nextPageToken"           # … with what the reply has here
    order = "id"                     # the order in which they come, where they come in one: id or changed
    request = { status = "all" }     # what every request says

Fields need not be listed: they are those of the contract.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.contract.codec.values import ComplexValue, Element, Nil, TypedValue
from bridge.errors import DeliveredUnreadable, HandlerError, SettingsError
from bridge.mapping.shapes import Field, Shape, shape_of
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.partner import Page, Query, Record, Totals, value_at
from bridge.partners.sorting import in_order, rows
from bridge.partners.summing import Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.contract import Contract

_TEXTS = ("operation", "records", "since", "until", "ids", "limit", "page", "next", "order")
_KNOWN = (*_TEXTS, "request")


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entity and the operation that lists it."""

    entity: Entity
    operation: str
    records: str
    request: Mapping[str, Any]
    at: Mapping[str, str]
    """Where the request says since, until, ids, limit and page, and the reply the next page; also `order`."""
    ids_repeat: bool


class Reading:
    """Reads the entities of one SOAP partner.

    Args:
        call: sends a request and gives the decoded reply.

    Raises:
        SettingsError: the file and the contract do not meet.
    """

    def __init__(
        self, contract: Contract, file: PartnerFile | None, call: Callable[[str, Mapping[str, Any]], Any]
    ) -> None:
        self._call = call
        self._listed: dict[str, _Listed] = {}
        if file is None:
            return
        mistakes: list[str] = []
        for entity in file.entities.values():
            found = _listed(contract, entity, file, mistakes)
            if found is not None:
                self._listed[entity.name] = found
        if mistakes:
            raise SettingsError.of(mistakes)

    @property
    def entities(self) -> dict[str, Entity]:
        return {name: one.entity for name, one in self._listed.items()}

    def fetch(self, name: str, query: Query) -> Page:
        """A page, in the order in which the partner gives them, or as `query.order` where it says that it does.

        Raises:
            HandlerError: there is no such entity, or its operation cannot be asked that.
            DeliveredUnreadable: a record has no id. PartnerError: as the call.
        """
        one = self._of(name)
        reply = self._call(one.operation, _request(one, query))
        found = _at(reply, one.records)
        values = found if isinstance(found, list) else ([] if found is None else [found])
        records = [_record(one, value) for value in values]
        if query.narrows:
            records = [one for one in records if query.wants(one.values)]
        following = _at(reply, one.at["next"]) if "next" in one.at else None
        return Page(records, None if following in (None, "") else str(following))

    def pages(self, name: str, query: Query) -> Iterator[Page]:
        """Every page there is."""
        after = None
        while True:
            page = self.fetch(name, dataclasses.replace(query, after=after))
            yield page
            if page.next is None:
                return
            if page.next == after:
                raise DeliveredUnreadable(
                    f"{name}: the page after {after!r} names itself as the next.", advice="Tell the partner."
                )
            after = page.next

    def scan(self, name: str, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """As `Partner.scan`: sorted here unless the partner gives them by id."""
        batches = (rows(page.records, fields, query.by) for page in self.pages(name, query))
        return batches if self._of(name).at.get("order") == "id" and not query.by else in_order(batches)

    def totals(self, name: str, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Worked out of all records: a SOAP partner has no operation for it."""
        found = Sums(sums)
        for page in self.pages(name, query):
            for record in page.records:
                found.add(record.values)
        return found.totals()

    def _of(self, name: str) -> _Listed:
        found = self._listed.get(name)
        if found is None:
            there = ", ".join(self._listed) or "none: name its file in `entities`"
            raise HandlerError(f"The partner has no entity {name}.", advice=f"It has {there}.")
        return found


def _listed(contract: Contract, entity: Entity, file: PartnerFile, mistakes: list[str]) -> _Listed | None:
    """The entity, its keys held against the contract; None where `mistakes` got more."""
    options, before = entity.options, len(mistakes)
    section = f"entities.{entity.name}"

    def mistake(name: str, what: str) -> None:
        mistakes.append(f"{file.place(section, name)}: {section}.{name} {what}")

    for name, value in options.items():
        if name not in _KNOWN:
            mistake(name, f"is not known; there are {', '.join(_KNOWN)}")
        elif name in _TEXTS and not isinstance(value, str):
            mistake(name, f"must be a text, not {value!r}")
    found = contract.operations.get(str(options.get("operation", "")))
    if found is None:
        mistake("operation", f"must name what lists them, one of {', '.join(contract.operations)}")
    if len(mistakes) > before or found is None:
        return None
    asked, told = shape_of(contract, found, "input"), shape_of(contract, found, "output")
    at = {name: options[name] for name in _TEXTS[2:] if name in options}
    for name, what in _misplaced(at, asked, told):
        mistake(name, what)
    records = told.find(options.get("records", ""))
    if records is None or records.shape is None:
        mistake(
            "records", f"must say where the records stand in {told.name}; it has {', '.join(told.fields)}"
        )
        return None
    for name, path in (("id", entity.id), ("changed", entity.changed)):
        if path and records.shape.find(path) is None:
            mistake(
                name,
                f"names {path!r}, which a record does not have; it has {', '.join(records.shape.fields)}",
            )
    if len(mistakes) > before:
        return None
    shape = Shape(entity.name, records.shape.fields)
    ids = asked.find(at["ids"]) if "ids" in at else None
    whole = dataclasses.replace(entity, shape=shape, options=options)
    return _Listed(whole, found.key, options["records"], options.get("request", {}), at, _repeats(ids))


def _misplaced(at: Mapping[str, str], asked: Shape, told: Shape) -> Iterator[tuple[str, str]]:
    for name, path in at.items():
        shape = told if name == "next" else asked
        if name == "order":
            if path not in ("id", "changed"):
                yield name, f"must be id or changed, not {path!r}"
        elif shape.find(path) is None:
            yield name, f"names {path!r}, which {shape.name} does not have; it has {', '.join(shape.fields)}"
    if ("page" in at) != ("next" in at):
        yield "page", "and next go together: where the next page is asked for, and what with"


def _repeats(field: Field | None) -> bool:
    return field is not None and field.repeats


def _request(one: _Listed, query: Query) -> dict[str, Any]:
    """The request's values. Raises HandlerError for what its operation has no place for."""
    if query.order == "changed" and one.at.get("order") != "changed":
        raise HandlerError(
            f"{one.operation} does not give {one.entity.name} in the order of their changes.",
            advice=f'Where it does, say so: order = "changed" at {one.entity.place}.',
        )
    request: dict[str, Any] = dict(one.request)
    ids: Any = None
    if query.ids:
        if not one.ids_repeat and len(query.ids) > 1:
            raise HandlerError(f"{one.operation} takes one id.", advice="Ask for one after the other.")
        ids = list(query.ids) if one.ids_repeat else query.ids[0]
    given = {"since": query.since, "until": query.until, "ids": ids, "page": query.after}
    for name, value in given.items():
        if value is None:
            continue
        if name not in one.at:
            raise HandlerError(
                f"{one.operation} cannot be asked for {name}.",
                advice=f"Say where in the request it stands: `{name}` at {one.entity.place}.",
            )
        _put(request, one.at[name], value)
    if "limit" in one.at:
        _put(request, one.at["limit"], query.limit)
    return request


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split("/")
    for name in outer:
        values = values.setdefault(name, {})
    values[last] = value


def _at(value: Any, path: str) -> Any:
    for name in path.split("/"):
        if value is None:
            return None
        value = getattr(value, name, None)
    return None if isinstance(value, Nil) else value


def _record(one: _Listed, value: Any) -> Record:
    values = plain(value)
    id_ = value_at(values, one.entity.id)
    if id_ in (None, ""):
        raise DeliveredUnreadable(
            f"A record of {one.operation} has no {one.entity.id}.",
            advice="Tell the partner, or name another field as id.",
        )
    changed = value_at(values, one.entity.changed) if one.entity.changed else None
    return Record(str(id_), values, changed if isinstance(changed, datetime) else None)


def plain(value: Any) -> Any:
    """A decoded value as records have it: objects are dicts, nil and absent are None, a float is a Decimal."""
    if isinstance(value, ComplexValue):
        return {name: plain(getattr(value, name)) for name in dict.fromkeys(value.xml_names.values())}
    if isinstance(value, Nil):
        return None
    if isinstance(value, Element | TypedValue):
        return plain(value.value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, tuple):
        return {value[0]: plain(value[1])}
    if isinstance(value, etree._Element):
        return etree.tostring(value, encoding="unicode", with_tail=False)
    return Decimal(repr(value)) if isinstance(value, float) else value
