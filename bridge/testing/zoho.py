"""A Zoho CRM v8 over real HTTP on loopback, for tests and demos: as its public documentation describes it, and as strict.

    with ZohoCrm() as zoho:
        zoho.module("Accounts", mandatory=["Account_Name"], unique=["Account_No"])
        zoho.put("Accounts", {"Account_Name": "Example Trading", "Account_No": "A-1"})
        # in the partner's file: accounts = zoho.url
        zoho.end_tokens()                                  # every access token has ended
        zoho.goes_wrong(CUT, when="POST /crm/v8/Accounts", after=True)

What it holds its clients to: access tokens end after an hour, and ten are given in ten minutes; every call takes credits, and more than there
are is answered 429; lists want `fields`, and beyond 2,000 records a page token, which ends and goes with its parameters; queries keep to the
rules of COQL; results of single records come inside 200, 201 and 207. Its clock stands still unless it is turned (`zoho.now`).
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from bridge.partners.http import json_body
from bridge.testing import coql
from bridge.testing.served import Asked, Said, Served

TOKEN_LIFE: Final = timedelta(hours=1)
TOKENS: Final = (10, timedelta(minutes=10))
_PAGE: Final = 200
_WITHOUT_TOKEN: Final = 2000
_MOST_WRITTEN: Final = 100
_WEEK: Final = timedelta(days=7)


@dataclass(slots=True)
class Module:
    """A module's rules and records. `rows` are by id; `locked` and `in_blueprint` are ids."""

    name: str
    mandatory: Sequence[str] = ()
    unique: Sequence[str] = ()
    types: dict[str, type] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    in_blueprint: set[str] = field(default_factory=set)


class ZohoCrm(Served):
    """The simulator. Credentials: `client_id`, `client_secret`, `refresh_token`."""

    client_id = "1000.CLIENT"
    client_secret = "1000.secret"  # noqa: S105 - the simulator's own
    refresh_token = "1000.refresh"  # noqa: S105 - the same

    def __init__(self, *, credit: int = 1_000_000) -> None:
        super().__init__()
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.credit = credit
        self.modules: dict[str, Module] = {}
        self.tokens: dict[str, datetime] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.untold: list[dict[str, Any]] = []
        """Notifications that were not delivered yet."""
        self.granted: list[datetime] = []
        self._ids = 4150868000000000000
        self._pages: dict[str, tuple[dict[str, str], int, datetime]] = {}

    # -- what a test says

    def module(self, name: str, **rules: Any) -> Module:
        """Have a module: `mandatory` and `unique` fields, `types` of fields by name."""
        self.modules[name] = Module(name, **rules)
        return self.modules[name]

    def put(self, module: str, values: dict[str, Any], *, at: datetime | None = None) -> str:
        """A record as somebody made or changed it in the CRM; its id. `values` with an `id` change that one."""
        with self.lock:
            place = self.modules[module]
            id_ = str(values.get("id") or self._new_id())
            kind = "update" if id_ in place.rows else "insert"
            row = place.rows.setdefault(id_, {"id": id_, "Created_Time": self._stamp(at)})
            row.update(values, id=id_, Modified_Time=self._stamp(at))
            self._tell(place, kind, [id_])
            return id_

    def remove(self, module: str, id_: str) -> None:
        """A record as somebody deleted it in the CRM."""
        with self.lock:
            place = self.modules[module]
            del place.rows[id_]
            place.deleted.insert(
                0, {"id": id_, "type": "recycle", "deleted_time": self._stamp(), "display_name": None, "deleted_by": None, "created_by": None}
            )  # fmt: skip
            self._tell(place, "delete", [id_])

    def end_tokens(self) -> None:
        """Every access token has ended."""
        with self.lock:
            self.tokens.clear()

    def deliver(self) -> list[int]:
        """Send what is untold to where its channel says; the statuses that were answered."""
        statuses = []
        with self.lock:
            waiting, self.untold = self.untold, []
        for one in waiting:
            address = urlsplit(one.pop("_url"))
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
            try:
                connection.request(
                    "POST", address.path, json_body.write(one), {"Content-Type": "application/json"}
                )
                statuses.append(connection.getresponse().status)
            finally:
                connection.close()
        return statuses

    # -- HTTP

    def answer(self, request: Asked) -> Said:
        if request.path == "/oauth/v2/token":
            return self._grant(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or self.tokens.get(token, self.now) <= self.now:
            return _error(401, "INVALID_TOKEN", "invalid oauth token")
        self.credit -= self._price(request)
        if self.credit < 0:
            return Said(
                429,
                {"code": "LIMIT_EXCEEDED", "message": "the limit is reached", "status": "error"},
                {"Retry-After": "30"},
            )
        parts = list(request.segments[2:])
        if request.segments[:2] != ("crm", "v8") or not parts:
            return _error(404, "INVALID_URL_PATTERN", "Please check the URL")
        if parts == ["coql"]:
            return self._coql(request)
        if parts == ["actions", "watch"]:
            return self._watch(request)
        place = self.modules.get(parts[0])
        if place is None:
            return Said(400, {"data": [_result("INVALID_MODULE", "the module name is invalid", {})]})
        return self._module(place, parts[1:], request)

    def _price(self, request: Asked) -> int:
        if not request.path.endswith("/coql"):
            return 1
        try:
            limit = coql.read(str(request.json["select_query"])).limit
        except (coql.Wrong, ValueError, KeyError):
            return 1
        return 1 if limit <= 200 else 2 if limit <= 1000 else 3

    def _grant(self, request: Asked) -> Said:
        form = request.form
        most, within = TOKENS
        self.granted = [one for one in self.granted if one > self.now - within]
        if len(self.granted) >= most:
            told = "You have made too many requests continuously. Please try again after some time."
            return Said(400, {"error_description": told, "error": "Access Denied", "status": "failure"})
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return Said(200, {"error": "invalid_client"})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            return Said(200, {"error": "invalid_code"})
        self.granted.append(self.now)
        token = f"1000.access{len(self.tokens)}.{self._new_id()}"
        self.tokens[token] = self.now + TOKEN_LIFE
        return Said(
            200, {"access_token": token, "api_domain": self.url, "token_type": "Bearer", "expires_in": 3600}
        )

    def _module(self, place: Module, rest: list[str], request: Asked) -> Said:
        method = request.method
        match rest:
            case [] if method == "GET":
                return self._list(place, request)
            case [] if method == "POST":
                return self._written(place, request, self._create, 201)
            case ["upsert"] if method == "POST":
                check = request.json.get("duplicate_check_fields") or []
                return self._written(
                    place, request, lambda one, values: self._upsert(one, values, check), 200
                )
            case ["deleted"] if method == "GET":
                return self._deleted(place, request)
            case ["actions", "count"] if method == "GET":
                return Said(200, {"count": len(place.rows)})
            case [named] if method in ("GET", "PUT", "DELETE"):
                return self._one(place, named, request)
        return _error(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")

    def _one(self, place: Module, named: str, request: Asked) -> Said:
        id_ = self._id_of(place, named, request.headers.get("x-external", ""))
        if request.method == "GET":
            return Said(204) if id_ is None else Said(200, {"data": [place.rows[id_]]})
        if id_ is None:
            return _error(400, "INVALID_DATA", "the id given seems to be invalid", {"resource_path_index": 0})
        since = request.headers.get("if-unmodified-since")
        if since and datetime.fromisoformat(place.rows[id_]["Modified_Time"]) > datetime.fromisoformat(since):
            result = _result("ALREADY_MODIFIED", "record updated time has already passed", {"id": id_})
            return Said(412, {"data": [result]})
        if request.method == "PUT":
            return self._written(
                place, request, lambda one, values: self._update(one, values | {"id": id_}), 200
            )
        if id_ in place.locked:
            return Said(400, {"data": [_result("RECORD_LOCKED", "the record is locked", {"id": id_})]})
        self.remove(place.name, id_)
        return Said(200, {"data": [_result("SUCCESS", "record deleted", {"id": id_}, good=True)]})

    def _id_of(self, place: Module, named: str, external: str) -> str | None:
        if not external:
            return named if named in place.rows else None
        column = external.rpartition(".")[2]
        return next((id_ for id_, row in place.rows.items() if row.get(column) == named), None)

    def _list(self, place: Module, request: Asked) -> Said:
        asked = dict(request.params)
        if not asked.get("fields"):
            return _error(
                400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param": "fields"}
            )
        per_page = int(asked.get("per_page", _PAGE))
        if per_page > _PAGE:
            return _error(400, "INVALID_DATA", "per_page is beyond the limit", {"param": "per_page"})
        bound = {name: value for name, value in asked.items() if name not in ("page", "page_token")}
        start = (int(asked.get("page", 1)) - 1) * per_page
        if "page_token" in asked:
            known = self._pages.get(asked["page_token"])
            if known is None or known[2] <= self.now:
                return _error(400, "EXPIRED_VALUE", "page_token expired", {"param": "page_token"})
            if known[0] != bound:
                return _error(400, "TOKEN_BOUND_DATA_MISMATCH", "the parameters are not those of the token")
            start = known[1]
        elif start + per_page > _WITHOUT_TOKEN:
            return _error(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "use page_token beyond 2000 records")
        rows = _since(place.rows.values(), "Modified_Time", request)
        sort_by, descending = asked.get("sort_by", "id"), asked.get("sort_order", "desc") == "desc"
        rows.sort(
            key=lambda row: (coql.sortable(row.get(sort_by)), coql.sortable(row["id"])), reverse=descending
        )
        page = rows[start : start + per_page]
        if not page:
            return Said(304) if "if-modified-since" in request.headers else Said(204)
        more = start + per_page < len(rows)
        token = f"page{len(self._pages)}" if more else None
        if token is not None:
            self._pages[token] = (bound, start + per_page, self.now + timedelta(hours=24))
        names = ["id", *asked["fields"].split(",")]
        data = [{name: row.get(name) for name in dict.fromkeys(names)} for row in page]
        info = {"per_page": per_page, "count": len(page), "more_records": more, "next_page_token": token}
        return Said(200, {"data": data, "info": info})

    def _deleted(self, place: Module, request: Asked) -> Said:
        rows = _since(place.deleted, "deleted_time", request)
        per_page = int(request.params.get("per_page", _PAGE))
        start = (int(request.params.get("page", 1)) - 1) * per_page
        page = rows[start : start + per_page]
        if not page:
            return Said(204)
        info = {"per_page": per_page, "count": len(page), "page": start // per_page + 1}
        return Said(200, {"data": page, "info": {**info, "more_records": start + per_page < len(rows)}})

    def _coql(self, request: Asked) -> Said:
        try:
            query = coql.read(str(request.json["select_query"]))
        except coql.Wrong as wrong:
            return _error(400, wrong.code, str(wrong))
        place = self.modules.get(query.module)
        if place is None:
            return _error(400, "INVALID_QUERY", "the module is not there", {"module": query.module})
        data, more = query.run(place.rows.values())
        if not data:
            return Said(204)
        return Said(200, {"data": data, "info": {"count": len(data), "more_records": more}})

    # -- writing

    def _written(
        self,
        place: Module,
        request: Asked,
        work: Callable[[Module, dict[str, Any]], dict[str, Any]],
        good: int,
    ) -> Said:
        records = request.json.get("data") if isinstance(request.json, dict) else None
        if not isinstance(records, list) or not records:
            return _error(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "data"})
        if len(records) > _MOST_WRITTEN:
            return _error(400, "LIMIT_EXCEEDED", "100 records at most", {"limit": _MOST_WRITTEN})
        results = [work(place, dict(one)) for one in records]
        failed = sum(one["status"] == "error" for one in results)
        status = good if not failed else 400 if failed == len(results) else 207
        return Said(status, {"data": results})

    def _create(self, place: Module, values: dict[str, Any]) -> dict[str, Any]:
        wrong = self._wrong(place, values, "", whole=True)
        if wrong is not None:
            return wrong
        values.pop("id", None)
        return self._done(place, self.put(place.name, values), "insert")

    def _update(self, place: Module, values: dict[str, Any]) -> dict[str, Any]:
        id_ = str(values.get("id"))
        if id_ not in place.rows:
            return _result("INVALID_DATA", "the id given seems to be invalid", {"api_name": "id"})
        for ids, code in ((place.locked, "RECORD_LOCKED"), (place.in_blueprint, "RECORD_IN_BLUEPRINT")):
            if id_ in ids:
                return _result(code, "the record cannot be changed now", {"id": id_})
        wrong = self._wrong(place, values, id_, whole=False)
        return wrong if wrong is not None else self._done(place, self.put(place.name, values), "update")

    def _upsert(self, place: Module, values: dict[str, Any], check: Sequence[str]) -> dict[str, Any]:
        id_ = values.get("id")
        for column in check or place.unique:
            if id_ is None and values.get(column) is not None:
                id_ = next(
                    (one for one, row in place.rows.items() if row.get(column) == values[column]), None
                )
        if id_ is None:
            return self._create(place, values)
        return self._update(place, values | {"id": id_})

    def _wrong(
        self, place: Module, values: dict[str, Any], id_: str, *, whole: bool
    ) -> dict[str, Any] | None:
        for name in place.mandatory:
            if (whole or name in values) and values.get(name) in (None, ""):
                return _result(
                    "MANDATORY_NOT_FOUND",
                    "required field not found",
                    {"api_name": name, "json_path": f"$.data[0].{name}"},
                )
        for name, kind in place.types.items():
            if values.get(name) is not None and not isinstance(values[name], kind):
                return _result(
                    "INVALID_DATA", "invalid data", {"expected_data_type": kind.__name__, "api_name": name}
                )
        for name in place.unique:
            other = next(
                (
                    one
                    for one, row in place.rows.items()
                    if values.get(name) is not None and row.get(name) == values[name]
                ),
                None,
            )
            if other is not None and other != id_:
                return _result("DUPLICATE_DATA", "duplicate data", {"api_name": name, "id": other})
        return None

    def _done(self, place: Module, id_: str, action: str) -> dict[str, Any]:
        row = place.rows[id_]
        details = {"id": id_, "Modified_Time": row["Modified_Time"], "Created_Time": row["Created_Time"]}
        return _result("SUCCESS", f"record {action}", details, good=True) | {"action": action}

    # -- notifications

    def _watch(self, request: Asked) -> Said:
        results = []
        for one in request.json["watch"]:
            channel, expiry = str(one["channel_id"]), datetime.fromisoformat(one["channel_expiry"])
            live = (
                channel in self.channels
                and datetime.fromisoformat(self.channels[channel]["channel_expiry"]) > self.now
            )
            if request.method == "PUT" and not live:
                results.append(
                    _result("NOT_SUBSCRIBED", "the channel is not subscribed", {"channel_id": channel})
                )
            elif expiry > self.now + _WEEK:
                results.append(
                    _result("INVALID_DATA", "a channel lasts a week at most", {"api_name": "channel_expiry"})
                )
            elif len(one.get("token", "")) > 50:
                results.append(_result("INVALID_DATA", "the token is too long", {"api_name": "token"}))
            else:
                self.channels[channel] = one
                results.append(_result("SUCCESS", "subscribed", {"events": []}, good=True))
        bad = any(one["status"] == "error" for one in results)
        return Said(400 if bad else 201 if request.method == "POST" else 200, {"watch": results})

    def _tell(self, place: Module, operation: str, ids: list[str]) -> None:
        word = {"insert": "create", "update": "edit", "delete": "delete"}[operation]
        for channel, one in self.channels.items():
            ended = datetime.fromisoformat(one["channel_expiry"]) <= self.now
            if not ended and {f"{place.name}.{word}", f"{place.name}.all"} & set(one["events"]):
                self.untold.append(
                    {"_url": one["notify_url"], "module": place.name, "ids": ids, "operation": operation, "channel_id": channel, "token": one.get("token")}
                )  # fmt: skip

    def _new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def _stamp(self, at: datetime | None = None) -> str:
        return (at or self.now).isoformat(timespec="seconds")


def _since(rows: Any, name: str, request: Asked) -> list[dict[str, Any]]:
    since = request.headers.get("if-modified-since")
    moment = datetime.fromisoformat(since) if since else None
    return [row for row in rows if moment is None or datetime.fromisoformat(row[name]) >= moment]


def _result(code: str, message: str, details: dict[str, Any], *, good: bool = False) -> dict[str, Any]:
    return {"code": code, "message": message, "details": details, "status": "success" if good else "error"}


def _error(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Said:
    return Said(status, _result(code, message, details or {}))
