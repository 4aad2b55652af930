"""What a partner's file says about an API: `[partner]`, and of each entity the calls that list, get, make, change and delete it.

Everything that can be known without asking the partner is checked here, and told with its line (docs/rest.md has the keys).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bridge.mapping.shapes import Shape
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.http.client import places
from bridge.partners.http.conversion import Conversion, Forms
from bridge.partners.http.table import Keys
from bridge.partners.partner import VERBS, Verb
from bridge.partners.rest.api import MEANINGS, Code, Errors

Paging = Literal["none", "page", "offset", "token", "keyset"]
LetIn = Literal["none", "basic", "bearer", "header", "query", "oauth2"]
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_METHOD_OF: Final[Mapping[str, str]] = {
    "create": "POST", "update": "PATCH", "upsert": "PUT", "delete": "DELETE",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Where access tokens come from. `path` follows `base_url`."""

    base_url: str
    path: str
    grant: Literal["client_credentials", "refresh_token"]
    scope: str
    in_header: bool
    scheme: str
    most: int
    within: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`[partner]`: how an API is reached."""

    base_url: str
    let_in: LetIn
    name_of_token: str
    prefix: str
    authority: Authority | None
    headers: Mapping[str, str]
    ping: str
    id_header: str
    errors: Errors
    calls: int
    seconds: int
    patience: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The call that lists records. Names are those of parameters, `records`, `more` and `next` places in the reply. `fills_pages`: a page
    that is not full is the last."""

    method: str
    path: str
    records: str
    query: Mapping[str, str]
    since: str
    since_header: str
    until: str
    ids: str
    where: Mapping[str, str]
    order: Mapping[str, Mapping[str, str]]
    limit: str
    most: int
    fills_pages: bool
    paging: Paging
    at: str
    first: int
    more: str
    next: str
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Getting:
    """The call that gives one record."""

    path: str
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """The call that counts."""

    path: str
    count: str
    query: Mapping[str, str]
    since: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """The call that lists what was deleted: its pages as `listing` says; `id` and `moment` stand in each."""

    listing: Listing
    id: str
    moment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """The call of one verb. `body` is where the record stands in what is sent, `id` where its id stands in the reply."""

    method: str
    path: str
    body: str
    in_list: bool
    leave_out: tuple[str, ...]
    id: str
    if_match: str
    if_unmodified_since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An entity and its calls."""

    entity: Entity
    conversion: Conversion
    version: str
    listing: Listing | None = None
    getting: Getting | None = None
    counting: Counting | None = None
    deletions: Deletions | None = None
    writing: Mapping[Verb, Writing] = field(default_factory=dict)


def description_of(file: PartnerFile, mistakes: list[str]) -> Description:
    """`[partner]`; what is wrong with it is added to `mistakes`."""
    keys = Keys(file, "partner", file.options, mistakes)
    let_in: LetIn = keys.choice("auth", ("none", "basic", "bearer", "header", "query", "oauth2"), "none")
    rate = keys.table("rate")
    found = Description(
        base_url=keys.text("base_url"),
        let_in=let_in,
        name_of_token=keys.text("token_name", required=let_in in ("header", "query")),
        prefix=keys.text("token_prefix"),
        authority=_authority(keys, let_in),
        headers=keys.pairs("headers"),
        ping=keys.text("ping"),
        id_header=keys.text("id_header", "Idempotency-Key"),
        errors=_errors(keys.table("errors")),
        calls=rate.number("calls", least=1) if rate else 0,
        seconds=rate.number("seconds", 1, least=1) if rate else 1,
        patience=rate.number("patience", 30) if rate else 30,
    )
    keys.raw("formats")
    for one in (keys, rate):
        if one is not None:
            one.finish()
    return found


def _authority(keys: Keys, let_in: LetIn) -> Authority | None:
    table = keys.table("oauth2")
    if table is None:
        if let_in == "oauth2":
            keys.mistake("oauth2", 'must be given with auth = "oauth2": write [partner.oauth2] with its url')
        return None
    url = table.text("url", required=True)
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    found = Authority(
        base_url=f"{scheme}://{host}",
        path=slash + path,
        grant=table.choice("grant", ("client_credentials", "refresh_token"), "client_credentials"),
        scope=table.text("scope"),
        in_header=table.choice("credentials", ("body", "header"), "body") == "header",
        scheme=table.text("scheme", "Bearer"),
        most=table.number("most", 10, least=1),
        within=table.number("within", 600, least=1),
    )
    table.finish()
    return found


def _errors(keys: Keys | None) -> Errors:
    if keys is None:
        return Errors()
    at = keys.text("at", required=True)
    good = keys.raw("good")
    codes = {}
    for code, meaning in (keys.raw("codes") or {}).items():
        given = meaning if isinstance(meaning, dict) else {"meaning": meaning}
        if given.get("meaning") not in MEANINGS or given.keys() - {"meaning", "after"}:
            keys.mistake(
                "codes",
                f'{code} = {meaning!r} is none of {", ".join(MEANINGS)}, nor {{ meaning = "unavailable", after = 20 }}',
            )
            continue
        codes[str(code)] = Code(given["meaning"], given.get("after"))
    found = Errors(
        at=at,
        message=keys.text("message"),
        good=tuple(str(one) for one in (good if isinstance(good, list) else [good]) if one is not None),
        codes=codes,
        other=keys.choice("other", MEANINGS, "refused"),
    )
    keys.finish()
    return found


def forms_of(keys: Keys | None, names: Mapping[str, str]) -> Forms:
    """`[partner.formats]`, or an entity's own."""
    if keys is None:
        return Forms(names=names)
    found = Forms(
        datetime=keys.choice("datetime", ("iso", "milliseconds", "seconds"), "iso"),
        date=keys.choice("date", ("iso", "milliseconds"), "iso"),
        number=keys.choice("number", ("number", "text"), "number"),
        nothing=keys.choice("nothing", ("null", "omit", "empty"), "null"),
        names=names,
    )
    keys.finish()
    return found


def described(file: PartnerFile, entity: Entity, mistakes: list[str]) -> Described:
    """An entity with its calls; what is wrong is added to `mistakes`."""
    keys = Keys(file, f"entities.{entity.name}", entity.options, mistakes)
    names = keys.pairs("names")
    for name in names:
        if name not in entity.shape.fields:
            keys.mistake("names", f"{name} is no field of it; there are {', '.join(entity.shape.fields)}")
    formats = keys.table("formats")
    if formats is None:
        formats = Keys(file, "partner", file.options, mistakes).table("formats")
    found = Described(
        entity=entity,
        conversion=Conversion(entity.shape, forms_of(formats, names)),
        version=keys.text("version"),
        listing=_listing(keys.table("list"), entity),
        getting=_getting(keys.table("get"), entity),
        counting=_counting(keys.table("count")),
        deletions=_deletions(keys.table("deleted"), entity),
        writing=dict(_writing(keys, entity.shape)),
    )
    keys.finish()
    return found


def _listing(keys: Keys | None, entity: Entity, *, finish: bool = True) -> Listing | None:
    if keys is None:
        return None
    where = keys.pairs("where")
    for name in where:
        if name not in entity.shape.fields:
            keys.mistake("where", f"{name} is no field of {entity.name}")
    order = keys.raw("order") or {}
    if not isinstance(order, dict) or not all(
        one in ("id", "changed") and isinstance(value, dict) for one, value in order.items()
    ):
        keys.mistake("order", 'says by which parameters: order = { id = { sort = "id" } }')
        order = {}
    paging: Paging = keys.choice("paging", ("none", "page", "offset", "token", "keyset"), "none")
    found = Listing(
        method=keys.choice("method", ("GET", "POST"), "GET"),
        path=_path(keys, entity.shape, allowed=False),
        records=keys.text("records"),
        query=keys.pairs("query"),
        since=keys.text("since"),
        since_header=keys.text("since_header"),
        until=keys.text("until"),
        ids=keys.text("ids"),
        where=where,
        order={name: {key: str(one) for key, one in value.items()} for name, value in order.items()},
        limit=keys.text("limit"),
        most=keys.number("most", 500, least=1),
        fills_pages=bool(keys.raw("limit") and keys.raw("most")),
        paging=paging,
        at=keys.text("at", required=paging != "none"),
        first=keys.number("first", 1 if paging == "page" else 0),
        more=keys.text("more"),
        next=keys.text("next", required=paging == "token"),
        last=keys.number("last"),
    )
    if found.since and found.since_header:
        keys.mistake("since_header", "and since say the same: one of them")
    if paging == "keyset" and "id" not in found.order:
        keys.mistake(
            "paging", '"keyset" goes on after the last id: say how they are put in that order, by order.id'
        )
    if finish:
        keys.finish()
    return found


def _getting(keys: Keys | None, entity: Entity) -> Getting | None:
    if keys is None:
        return None
    found = Getting(path=_path(keys, entity.shape, needs=entity.id), record=keys.text("record"))
    keys.finish()
    return found


def _counting(keys: Keys | None) -> Counting | None:
    if keys is None:
        return None
    found = Counting(
        path=keys.text("path", required=True),
        count=keys.text("count", required=True),
        query=keys.pairs("query"),
        since=keys.text("since"),
        until=keys.text("until"),
    )
    keys.finish()
    return found


def _deletions(keys: Keys | None, entity: Entity) -> Deletions | None:
    if keys is None:
        return None
    listing = _listing(keys, entity, finish=False)
    assert listing is not None
    found = Deletions(
        listing=listing, id=keys.text("id", required=True), moment=keys.text("moment", required=True)
    )
    keys.finish()
    return found


def _writing(keys: Keys, shape: Shape) -> Iterator[tuple[Verb, Writing]]:
    for verb in VERBS:
        table = keys.table(verb)
        if table is None:
            continue
        found = Writing(
            method=table.choice("method", _METHODS, _METHOD_OF[verb]),
            path=_path(table, shape),
            body=table.text("body"),
            in_list=table.flag("in_list"),
            leave_out=table.texts("leave_out"),
            id=table.text("id"),
            if_match=table.text("if_match"),
            if_unmodified_since=table.text("if_unmodified_since"),
        )
        for name, given in (
            *(("leave_out", one) for one in found.leave_out),
            ("if_match", found.if_match),
            ("if_unmodified_since", found.if_unmodified_since),
        ):
            if given and given not in shape.fields:
                table.mistake(
                    name, f"names {given!r}, which is no field; there are {', '.join(shape.fields)}"
                )
        if (
            found.if_unmodified_since in shape.fields
            and shape.fields[found.if_unmodified_since].kind != "datetime"
        ):
            table.mistake("if_unmodified_since", "must name a field of the type datetime")
        table.finish()
        yield verb, found


def _path(keys: Keys, shape: Shape, *, needs: str = "", allowed: bool = True) -> str:
    path = keys.text("path", required=True)
    if path and not path.startswith("/"):
        keys.mistake("path", f"begins with a slash: it follows base_url, and is not {path!r}")
    named = places(path)
    for name in named:
        if not allowed or name not in shape.fields:
            keys.mistake("path", f"has {{{name}}}, which is no field that is known there")
    if needs and path and needs not in named:
        keys.mistake("path", f"must say where the id stands: {{{needs}}}")
    return path


def values_for(path: str, values: Mapping[str, Any]) -> dict[str, str]:
    """What the places of a path are filled with."""
    return {name: "" if values.get(name) is None else str(values[name]) for name in places(path)}
