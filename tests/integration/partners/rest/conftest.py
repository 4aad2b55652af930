"""A shop with an API over real HTTP, and a partner whose file describes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.delivery.sender import Document
from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.json_text import dump
from bridge.settings import Partner
from bridge.soap.limits import Limits
from bridge.store import Store
from bridge.testing.served import Asked, Said, Served

FIELDS = """
[entities.accounts.fields]
no = { type = "text", required = true }
name = "text"
credit = "decimal"
since = "date"
updated = "datetime"
lines = { type = "list", fields = { sku = "text", quantity = "decimal" } }
"""

BASIC = """
[partner]
[entities.accounts]
id = "no"
changed = "updated"
names = { name = "info/name" }
[entities.accounts.list]
path = "/accounts"
records = "items"
since = "updated_since"
until = "updated_before"
where = { name = "name" }
order = { id = { sort = "no" }, changed = { sort = "updated" } }
limit = "size"
most = 3
paging = "page"
at = "page"
[entities.accounts.get]
path = "/accounts/{no}"
[entities.accounts.create]
path = "/accounts"
id = "no"
[entities.accounts.update]
path = "/accounts/{no}"
leave_out = ["no"]
[entities.accounts.delete]
path = "/accounts/{no}"
"""


class Shop(Served):
    """Accounts by number. `tokens` are the access tokens that let somebody in; empty: everybody. Pages as a request asks for them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self.gone: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.granted = 0
        self.ids: list[str] = []
        self.most = 100

    def fill(self, count: int) -> None:
        for number in range(count):
            self.put(f"A{number:03}", {"credit": number}, f"2026-03-01T00:00:{number % 60:02}Z")

    def put(self, no: str, values: dict[str, Any], updated: str = "2026-03-01T00:00:00Z") -> None:
        self.rows[no] = {"no": no, "info": {"name": f"Name of {no}"}, "updated": updated, **values}

    def answer(self, request: Asked) -> Said:
        if request.path == "/oauth/token":
            return self._grant(request)
        if self.tokens and request.headers.get("authorization") not in [
            f"Bearer {one}" for one in self.tokens
        ]:
            return Said(401, {"error": "expired"})
        kind, *rest = request.segments
        if kind == "gone":
            return Said(200, {"items": [{"no": no, "at": at} for no, at in self.gone]})
        if kind == "count":
            return Said(200, {"count": len(self.rows)})
        if kind != "accounts":
            return Said(404, {"error": "no such place"})
        if not rest:
            return self._list(request) if request.method == "GET" else self._create(request)
        return self._one(request, rest[0])

    def _grant(self, request: Asked) -> Said:
        self.granted += 1
        if request.form.get("client_secret") == "wrong":
            return Said(400, {"error": "invalid_client"})
        self.tokens = [f"T{self.granted}"]
        return Said(200, {"access_token": self.tokens[0], "expires_in": 3600})

    def _list(self, request: Asked) -> Said:
        asked = request.params
        rows = sorted(self.rows.values(), key=lambda row: (row[asked.get("sort", "no")], row["no"]))
        rows = [
            row
            for row in rows
            if asked.get("updated_since", "") <= row["updated"] < asked.get("updated_before", "9")
        ]
        if "name" in asked:
            rows = [row for row in rows if row["info"]["name"] == asked["name"]]
        size = min(int(asked.get("size", "100")), self.most)
        start = (int(asked.get("page", "1")) - 1) * size + int(asked.get("skip", "0"))
        if "token" in asked:
            start = int(asked["token"][1:])
        if "after" in asked:
            rows = [row for row in rows if row["no"] > asked["after"]]
        page = rows[start : start + size]
        more = start + size < len(rows)
        return Said(200, {"items": page, "more": more, "next": f"t{start + size}" if more else None})

    def _create(self, request: Asked) -> Said:
        values = request.json
        if values["no"] in self.rows:
            return Said(409, {"error": "it is there"})
        self.ids.append(request.headers.get("idempotency-key", ""))
        self.put(values["no"], values)
        return Said(201, {"no": values["no"]}, {"Location": f"/accounts/{values['no']}"})

    def _one(self, request: Asked, no: str) -> Said:
        row = self.rows.get(no)
        if row is None:
            return Said(404, {"error": "no such account"})
        tag = f'"{row["updated"]}"'
        if request.method == "GET":
            return Said(200, row, {"ETag": tag})
        if request.headers.get("if-match", tag) != tag:
            return Said(412, {"error": "changed"})
        if request.method == "DELETE":
            del self.rows[no]
            return Said(204)
        row.update(request.json)
        return Said(200, row)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


Making = Callable[..., EntityPartner]


@pytest.fixture
def making(shop: Shop, tmp_path: Path) -> Iterator[Making]:
    """Makes the partner that a file describes; `settings` are those of `[partners.shop]`."""
    made: list[EntityPartner] = []

    def make(
        file: str = BASIC + FIELDS, *, store: Store | None = None, kind: Any = "rest", **settings: Any
    ) -> EntityPartner:
        path = tmp_path / f"shop{len(made)}.toml"
        path.write_text(file, "utf-8")
        described = entities.read(path)
        options = replace(Partner(kind=kind, entities=path, endpoint=shop.url, read_timeout=5.0), **settings)
        setting = kinds.Setting("shop", options, described, Limits(), lambda: store)
        made.append(EntityPartner("shop", options, described.entities, kinds.backend(setting)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def document(operation: str, values: Any, id_: str = "doc-1") -> Document:
    return Document(id_, "shop", "k", operation, dump(values))


def body_of(asked: Asked) -> Any:
    return json.loads(asked.body)
