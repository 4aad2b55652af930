"""What a partner's file says about a Fxiaoke: `[partner]`, and of each entity its object there and how a record is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from bridge.mapping.shapes import Field, Shape
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.http.conversion import Conversion, Forms
from bridge.partners.http.table import Keys

CLOUD: Final = "https://open.fxiaoke.com"
OPERATORS: Final = (
    "EQ", "N", "GT", "GTE", "LT", "LTE", "LIKE", "NLIKE", "IS", "ISN", "IN", "NIN", "BETWEEN", "NBETWEEN", "STARTWITH", "ENDWITH",
    "CONTAINS", "HASANYOF", "NHASANYOF",
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII).fullmatch
_DATES: Final = ("date", "datetime")
_FORMS: Final = Forms(datetime="milliseconds", date="milliseconds", number="text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`[partner]`. `older`: tokens and users in the body of each request. `user`: in whose name everything is done there."""

    base_url: str
    older: bool
    user: str
    approvals: bool
    workflows: bool
    calls: int
    seconds: int
    patience: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An entity and its object.

    Args:
        api_name: the object's; one that ends with `__c` is the company's own, and has other addresses.
        employees: fields with one employee or department, which stand there as a list.
        filters: what every query asks besides.
        leave_out: fields that are read and never written.
        document_field: a text field there that keeps the id of the document that a record was written by.
        deletes: what a delete ends with: gone, or invalid and to be had back.
        details: fields with a list of records of another object, such as the lines of an order.
    """

    entity: Entity
    conversion: Conversion
    api_name: str
    employees: frozenset[str]
    filters: tuple[Mapping[str, Any], ...]
    leave_out: frozenset[str]
    document_field: str
    deletes: bool
    details: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """What the addresses of its calls begin with."""
        return f"/cgi/crm/{'custom/' if self.api_name.endswith('__c') else ''}v2/data"

    @property
    def id_place(self) -> str:
        return self.conversion.place(self.entity.id)

    @property
    def changed_place(self) -> str:
        return self.conversion.place(self.entity.changed) if self.entity.changed else ""

    @property
    def is_named_by_fxiaoke(self) -> bool:
        return self.id_place == "_id"

    def read(self, found: Any) -> dict[str, Any]:
        """A record's values. Raises DeliveredUnreadable."""
        if isinstance(found, Mapping):
            found = {key: _single(value) if key in self.employees else value for key, value in found.items()}
        return self.conversion.read(found)

    def write(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as they stand there, by the names of there."""
        made = self.conversion.write(
            {name: value for name, value in values.items() if name not in self.details}
        )
        for place in self.employees & made.keys():
            made[place] = [] if made[place] is None else [made[place]]
        return made

    def asked(self, name: str, operator: str, *values: Any) -> dict[str, Any] | None:
        """A filter by a field; None where Fxiaoke is not known to compare such."""
        one = self.conversion.shape.fields[name]
        place = self.conversion.place(name)
        if None in values or place in self.employees or one.repeats:
            return None
        if one.kind not in ("text", "integer", "decimal", *_DATES):
            return None
        return compared(place, operator, *(self.conversion.written(one, value) for value in values))


class Detail(NamedTuple):
    """Records that belong to one of an entity: `by` is the field of theirs with its `_id`."""

    thing: Thing
    by: str


def compared(place: str, operator: str, *values: Any) -> dict[str, Any]:
    """A filter as queries have it: values are texts in a list."""
    return {"field_name": place, "field_values": [str(one) for one in values], "operator": operator}


def _single(value: Any) -> Any:
    """The one value of a list; of several the list, which no text field is fit for and `values.misfits` tells of."""
    if not isinstance(value, list) or len(value) > 1:
        return value
    return value[0] if value else None


def tenant_of(file: PartnerFile, mistakes: list[str]) -> Tenant:
    """`[partner]`; what is wrong with it is added to `mistakes`."""
    keys = Keys(file, "partner", file.options, mistakes)
    rate = keys.table("rate")
    found = Tenant(
        base_url=keys.text("base_url", CLOUD),
        older=keys.choice("access", ("oauth2", "corp"), "oauth2") == "corp",
        user=keys.text("user", required=True),
        approvals=keys.flag("approvals"),
        workflows=keys.flag("workflows"),
        calls=rate.number("calls", 100, least=1) if rate else 100,
        seconds=rate.number("seconds", 20, least=1) if rate else 20,
        patience=rate.number("patience", 30) if rate else 30,
    )
    keys.text("zone")
    if found.older and found.user and not found.user.startswith("FSUID_"):
        keys.mistake("user", 'must be an openUserId (FSUID_…) where access is "corp"')
    for one in (keys, rate):
        if one is not None:
            one.finish()
    return found


def thing_of(file: PartnerFile, entity: Entity, mistakes: list[str]) -> Thing:
    """An entity; what is wrong with it is added to `mistakes`."""
    keys = Keys(file, f"entities.{entity.name}", entity.options, mistakes)
    names = keys.pairs("names")
    _known(keys, "names", names, entity)
    zone = str(file.options.get("zone") or "Asia/Shanghai")
    conversion = Conversion(_zoned(entity.shape, zone), replace(_FORMS, names=names))
    employees, leave_out = keys.texts("employees"), keys.texts("leave_out")
    _known(keys, "employees", employees, entity)
    _known(keys, "leave_out", leave_out, entity)
    found = Thing(
        entity=entity,
        conversion=conversion,
        api_name=keys.text("object", required=True),
        employees=frozenset(conversion.place(name) for name in employees),
        filters=tuple(_filters(keys)),
        leave_out=frozenset(leave_out),
        document_field=keys.text("document_field"),
        deletes=keys.choice("delete", ("gone", "invalid"), "gone") == "gone",
        details=_details(keys, entity, zone),
    )
    keys.finish()
    _check(keys, found)
    return found


def _check(keys: Keys, found: Thing) -> None:
    fields = found.entity.shape.fields
    for name, given in (("object", found.api_name), ("document_field", found.document_field)):
        if given and not _NAME(given):
            keys.mistake(name, f"must be an API name: {given!r} is none")
    for name, one in fields.items():
        if not _NAME(found.conversion.place(name)):
            keys.mistake("names", f"{found.conversion.place(name)!r} is no API name of a field")
        if one.shape is not None and name not in found.details:
            keys.mistakes.append(
                f"{one.place}: {name} has fields: in Fxiaoke that is an object; say which in {keys.section}.details"
            )
        if found.conversion.place(name) in found.employees and (one.kind != "text" or one.repeats):
            keys.mistake("employees", f"{name} must be a text: it is one of the list that stands there")
    if found.entity.changed in fields and fields[found.entity.changed].kind != "datetime":
        keys.mistake("changed", "must name a field of the type datetime")
    if found.entity.id in fields and fields[found.entity.id].kind != "text":
        keys.mistake("id", "must name a field of the type text")


def _details(keys: Keys, entity: Entity, zone: str) -> dict[str, Detail]:
    table = keys.table("details")
    found: dict[str, Detail] = {}
    if table is None:
        return found
    given = entity.options["details"]
    for name in given if isinstance(given, dict) else ():
        inner = table.table(name)
        one = entity.shape.fields.get(name)
        shape = one.shape if one is not None and one.repeats else None
        if inner is None or shape is None or any(part.shape is not None for part in shape.fields.values()):
            table.mistake(name, "names no field with a list of objects, which have no objects in them")
            continue
        named = Entity(name=f"{entity.name}/{name}", id="_id", shape=shape, place=entity.place)
        thing = Thing(
            entity=named,
            conversion=Conversion(_zoned(shape, zone), replace(_FORMS, names=inner.pairs("names"))),
            api_name=inner.text("object", required=True),
            employees=frozenset(),
            filters=(),
            leave_out=frozenset(),
            document_field="",
            deletes=True,
        )
        found[name] = Detail(thing, inner.text("by", required=True))
        _known(inner, "names", thing.conversion.forms.names, named)
        inner.finish()
        for key, api_name in (("object", thing.api_name), ("by", found[name].by)):
            if api_name and not _NAME(api_name):
                inner.mistake(key, f"must be an API name: {api_name!r} is none")
    return found


def _filters(keys: Keys) -> list[dict[str, Any]]:
    given = keys.raw("filters") or []
    made = []
    for one in given if isinstance(given, list) else [given]:
        values = one.get("values") if isinstance(one, dict) else None
        if (
            not isinstance(values, list)
            or not _NAME(str(one.get("field", "")))
            or one.get("operator") not in OPERATORS
        ):
            keys.mistake(
                "filters",
                'has { field = "record_type", operator = "EQ", values = ["default__c"] } and the like; operators are '
                + ", ".join(OPERATORS),
            )
            continue
        made.append(compared(one["field"], one["operator"], *values))
    return made


def _known(keys: Keys, name: str, given: Any, entity: Entity) -> None:
    for one in given:
        if one not in entity.shape.fields:
            keys.mistake(name, f"{one} is no field of it; there are {', '.join(entity.shape.fields)}")


def _zoned(shape: Shape, zone: str) -> Shape:
    """Dates are midnights somewhere: in the field's zone, else in the company's."""

    def zoned(one: Field) -> Field:
        return replace(one, zone=zone) if one.kind == "date" and not one.zone else one

    return Shape(shape.name, {name: zoned(one) for name, one in shape.fields.items()})
