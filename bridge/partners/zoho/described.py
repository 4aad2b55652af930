"""What a partner's file says about a Zoho CRM: `[partner]`, and of each entity its module and how a record is named there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.http.conversion import Conversion, Forms
from bridge.partners.http.table import Keys
from bridge.partners.rest.described import Counting, Deletions, Described, Getting, Listing
from bridge.partners.zoho.coql import MOST_COLUMNS

ACCOUNTS: Final[Mapping[str, str]] = {
    "com": "https://accounts.zoho.com",
    "eu": "https://accounts.zoho.eu",
    "in": "https://accounts.zoho.in",
    "com.cn": "https://accounts.zoho.com.cn",
    "com.au": "https://accounts.zoho.com.au",
    "jp": "https://accounts.zoho.jp",
    "ca": "https://accounts.zohocloud.ca",
    "sa": "https://accounts.zoho.sa",
}
"""Where the access tokens of each data centre come from; where its API is, the answer says."""

_EVENTS: Final = ("create", "edit", "delete", "all")
_PAGE: Final = 200
_NAME: Final = re.compile(r"[A-Za-z]\w*", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """`[partner]`."""

    accounts: str
    base: str
    calls: int
    seconds: int
    patience: int
    notify_url: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """An entity and its module. `id_column` names a record there: `id`, or a field that is unique. `check_by` are the fields by which
    an upsert finds it, `trigger` what a write sets going there (None: what Zoho does by itself)."""

    one: Described
    name: str
    id_column: str
    columns: tuple[str, ...]
    check_by: tuple[str, ...]
    trigger: tuple[str, ...] | None
    unless_changed_since: str
    by_query: bool
    notifies: bool

    @property
    def is_named_by_zoho(self) -> bool:
        return self.id_column == "id"

    @property
    def has_lists(self) -> bool:
        """Whether it has subforms, which no query gives."""
        return any(one.repeats for one in self.one.entity.shape.fields.values())


def organisation_of(file: PartnerFile, mistakes: list[str]) -> Organisation:
    """`[partner]`; what is wrong with it is added to `mistakes`."""
    keys = Keys(file, "partner", file.options, mistakes)
    centre = keys.choice("data_centre", tuple(ACCOUNTS), "com")
    rate, notifications = keys.table("rate"), keys.table("notifications")
    events = notifications.texts("events") if notifications else ()
    found = Organisation(
        accounts=keys.text("accounts") or ACCOUNTS[centre],
        base=f"/crm/{keys.text('version', 'v8')}",
        calls=rate.number("calls", least=1) if rate else 0,
        seconds=rate.number("seconds", 1, least=1) if rate else 1,
        patience=rate.number("patience", 30) if rate else 30,
        notify_url=notifications.text("url", required=True) if notifications else "",
        events=events or ("all",),
    )
    for name in found.events:
        if notifications and name not in _EVENTS:
            notifications.mistake("events", f"has {name!r}; there are {', '.join(_EVENTS)}")
    for one in (keys, rate, notifications):
        if one is not None:
            one.finish()
    return found


def module_of(file: PartnerFile, entity: Entity, base: str, mistakes: list[str]) -> Module:
    """An entity; what is wrong with it is added to `mistakes`."""
    keys = Keys(file, f"entities.{entity.name}", entity.options, mistakes)
    names = keys.pairs("names")
    _known(keys, "names", names, entity)
    conversion = Conversion(entity.shape, Forms(names=names))
    module = keys.text("module", required=True)
    by = keys.choice("read_by", ("query", "pages"), "query")
    unless = keys.text("unless_changed_since")
    check_by = keys.texts("check_by")
    trigger = keys.raw("trigger")
    _known(keys, "check_by", check_by, entity)
    _known(keys, "unless_changed_since", (unless,) if unless else (), entity)
    if trigger is not None and not (
        isinstance(trigger, list) and all(isinstance(one, str) for one in trigger)
    ):
        keys.mistake(
            "trigger", "must be a list: workflow, approval, blueprint, orchestration; [] for none of them"
        )
        trigger = None
    notifies = keys.flag("notify", True)
    keys.finish()
    if module and not _NAME(module):
        keys.mistake("module", f"must be an API name: {module!r} is none")
    columns = dict.fromkeys(conversion.place(name).partition("/")[0] for name in entity.shape.fields)
    for column in columns:
        if not _NAME(column):
            keys.mistake("names", f"{column!r} is no API name of a field")
    if len(columns) > MOST_COLUMNS:
        keys.mistake("fields", f"are {len(columns)}; a query gives {MOST_COLUMNS} at most")
    id_column = conversion.place(entity.id) if entity.id in entity.shape.fields else "id"
    return Module(
        one=_calls(entity, conversion, f"{base}/{module}", tuple(columns)),
        name=module,
        id_column=id_column,
        columns=tuple(columns),
        check_by=tuple(conversion.place(name) for name in check_by)
        or (() if id_column == "id" else (id_column,)),
        trigger=None if trigger is None else tuple(trigger),
        unless_changed_since=unless,
        by_query=by == "query",
        notifies=notifies,
    )


def _known(keys: Keys, name: str, given: Any, entity: Entity) -> None:
    for one in given:
        if one not in entity.shape.fields:
            keys.mistake(name, f"{one} is no field of it; there are {', '.join(entity.shape.fields)}")


def _calls(entity: Entity, conversion: Conversion, path: str, columns: tuple[str, ...]) -> Described:
    """The calls of a module, as the kind rest has them."""
    pages = Listing(
        method="GET",
        path=path,
        records="data",
        query={"fields": ",".join(columns)},
        since="",
        since_header="If-Modified-Since",
        until="",
        ids="",
        where={},
        order={"changed": {"sort_by": conversion.place(entity.changed), "sort_order": "asc"}}
        if entity.changed
        else {},
        limit="per_page",
        most=_PAGE,
        fills_pages=True,
        paging="token",
        at="page_token",
        first=0,
        more="",
        next="info/next_page_token",
        last=0,
    )
    deleted = replace(
        pages, path=f"{path}/deleted", query={"type": "all"}, order={}, paging="page", at="page", first=1, more="info/more_records", next=""
    )  # fmt: skip
    return Described(
        entity=entity,
        conversion=conversion,
        version="",
        listing=pages,
        getting=Getting(path=f"{path}/{{{entity.id}}}", record="data/0"),
        counting=Counting(path=f"{path}/actions/count", count="count", query={}, since="", until=""),
        deletions=Deletions(listing=deleted, id="id", moment="deleted_time"),
    )
