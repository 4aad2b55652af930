"""The objects of a simulated Fxiaoke: what is kept, and what each call does to it (`bridge.testing.fxiaoke`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MOST: Final = 100
MOST_OFFSET: Final = 10_000
SYSTEM: Final = (
    "_id", "create_time", "created_by", "last_modified_time", "last_modified_by", "version", "is_deleted", "life_status", "lock_status",
    "owner", "object_describe_api_name",
)  # fmt: skip
_NUMBERS: Final = ("number", "currency")
_OF_ONE: Final = ("EQ", "N", "GT", "GTE", "LT", "LTE")
_OPERATORS: Final = (*_OF_ONE, "IS", "ISN", "IN")
"""Of those that there are; who needs another adds it."""


class Refused(Exception):
    """What is answered with an errorCode."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Row:
    """A record: its states with the moment from which queries show each, the newest last."""

    states: list[tuple[int, dict[str, Any]]]

    @property
    def now(self) -> dict[str, Any]:
        return self.states[-1][1]

    def seen(self, at: int) -> dict[str, Any] | None:
        return next((state for moment, state in reversed(self.states) if moment <= at), None)


@dataclass(slots=True)
class Object:
    """A kind of record. `details` has the field with the `_id` by the object of what belongs to it; `fields` has text, number, currency, date, date_time, true_or_false, select_one or employee by name."""

    fields: Mapping[str, str]
    required: tuple[str, ...]
    unique: tuple[str, ...]
    details: Mapping[str, str]
    rows: dict[str, Row] = field(default_factory=dict)


class Data:
    """What a company has in its Fxiaoke, and what its own people do with it.

    Its clock stands still unless `wait` moves it, so that many changes may be of one moment.
    """

    def __init__(self, lag: timedelta = timedelta()) -> None:
        self.now = datetime(2026, 3, 2, 1, tzinfo=UTC)
        self.lag = lag
        self.objects: dict[str, Object] = {}
        self.approvals = 0
        """Writes that set an approval going; `workflows` likewise."""
        self.workflows = 0
        self._made = 0

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp()) * 1000 + self.now.microsecond // 1000

    def wait(self, passed: timedelta) -> None:
        """Its clock goes on."""
        self.now += passed

    def define(
        self,
        name: str,
        fields: Mapping[str, str],
        *,
        required: Sequence[str] = (),
        unique: Sequence[str] = (),
        details: Mapping[str, str] | None = None,
    ) -> None:
        """The company has this object; beside `fields` every one has `SYSTEM`."""
        self.objects[name] = Object(dict(fields), tuple(required), tuple(unique), dict(details or {}))

    def put(self, api_name: str, id_: str = "", /, **values: Any) -> str:
        """Somebody makes a record; its `_id`."""
        self._made += 1
        id_ = id_ or f"{self._made:024x}"
        made = {"_id": id_, "create_time": self.now_ms, "created_by": ["1001"], "owner": ["1001"],
                "object_describe_api_name": api_name, "is_deleted": False, "life_status": "normal", "lock_status": "0"}  # fmt: skip
        self.objects[api_name].rows[id_] = Row([])
        self._keep(api_name, id_, {**made, **values}, 1)
        return id_

    def change(self, api_name: str, id_: str, /, **values: Any) -> None:
        """Somebody changes a record."""
        now = self.objects[api_name].rows[id_].now
        self._keep(api_name, id_, {**now, **values}, int(now["version"]) + 1)

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """The records as they are now, by `_id`, invalid ones among them."""
        return {id_: row.now for id_, row in self.objects[name].rows.items()}

    def _keep(self, name: str, id_: str, state: dict[str, Any], version: int) -> None:
        state = state | {
            "last_modified_time": self.now_ms,
            "last_modified_by": ["1001"],
            "version": str(version),
        }
        shown = self.now_ms + int(self.lag / timedelta(milliseconds=1))
        self.objects[name].rows[id_].states.append((shown, state))

    # -- what is called

    def act(
        self, name: str, body: Mapping[str, Any], data: Mapping[str, Any], *, custom: bool
    ) -> dict[str, Any]:
        """One call. Raises Refused."""
        inner = data.get("object_data") if name in ("create", "update") else data
        api_name = inner.get("dataObjectApiName") if isinstance(inner, dict) else None
        if api_name not in self.objects or str(api_name).endswith("__c") != custom:
            raise Refused(10006, "the parameter apiName is missing or illegal")
        calls: dict[str, Callable[..., dict[str, Any]]] = {
            "query": self._query, "create": self._create, "update": self._update, "invalid": self._invalid, "delete": self._delete,
            "changeOwner": self._change_owner,
        }  # fmt: skip
        call = calls.get(name)
        if call is None:
            raise Refused(15002, f"there is no {name}")
        found: dict[str, Any] = call(str(api_name), body, data)
        return {} if custom and name == "create" else found  # its documentation shows no dataId there

    def _query(self, name: str, _: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        asked = data.get("search_query_info")
        if not isinstance(asked, dict) or not isinstance(asked.get("filters"), list):
            raise Refused(15002, "search_query_info is missing or illegal")
        limit, offset = asked.get("limit"), asked.get("offset")
        if not isinstance(limit, int) or not 1 <= limit <= MOST:
            raise Refused(15002, "limit is 1 to 100")
        if not isinstance(offset, int) or offset % limit:
            raise Refused(15002, "offset is a multiple of limit")
        if offset > MOST_OFFSET:
            raise Refused(10013, "offset不能超过10000")
        shown = [row.seen(self.now_ms) for row in self.objects[name].rows.values()]
        rows = [row for row in shown if row is not None]
        if not any(one.get("field_name") == "is_deleted" for one in asked["filters"]):
            rows = [row for row in rows if not row["is_deleted"]]
        for one in asked["filters"]:
            self._check(name, one)
            rows = [row for row in rows if self._meets(name, row, one)]
        for order in reversed(asked.get("orders") or []):
            by = order["fieldName"]
            kind = self.objects[name].fields.get(by, "")
            rows.sort(key=_by(by, kind), reverse=not order["isAsc"])
        wanted = asked.get("fieldProjection")
        page = [
            {key: value for key, value in row.items() if value is not None and (not wanted or key in wanted)}
            for row in rows[offset : offset + limit]
        ]
        total = {"total": len(rows)} if data.get("find_explicit_total_num", True) else {}
        return {"data": {"dataList": page, "limit": limit, "offset": offset, **total}}

    def _check(self, name: str, one: Mapping[str, Any]) -> None:
        by, values, operator = one.get("field_name"), one.get("field_values"), one.get("operator")
        if by not in SYSTEM and by not in self.objects[name].fields:
            raise Refused(15002, "field_name is illegal")
        if operator not in _OPERATORS:
            raise Refused(15002, "operator is illegal")
        if not isinstance(values, list) or (operator in _OF_ONE and len(values) != 1):
            raise Refused(15002, "field_values is illegal")

    def _meets(self, name: str, row: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
        by, values, operator = one["field_name"], one["field_values"], one["operator"]
        found = row.get(by)
        if operator in ("IS", "ISN"):
            return bool((found in (None, "")) == (operator == "IS"))
        if operator == "IN":
            return str(found) in [str(value) for value in values]
        if found is None:
            return bool(operator == "N")
        kind = self.objects[name].fields.get(by, "")
        mine, given = _sortable(found, kind), _sortable(values[0], kind if not _is_whole(found) else "number")
        compared = {
            "EQ": mine == given,
            "N": mine != given,
            "GT": mine > given,
            "GTE": mine >= given,
            "LT": mine < given,
        }
        return bool(compared.get(str(operator), mine <= given))

    def _create(self, name: str, body: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        values = self._checked(name, data["object_data"], "")
        for required in self.objects[name].required:
            if values.get(required) in (None, "", []):
                raise Refused(32000, f"{required} is required")
        lines = [
            (belongs, self.objects[name].details[belongs], self._checked(belongs, line, ""))
            for belongs, given in (data.get("details") or {}).items()
            for line in self._lines(name, belongs, given)
        ]
        self._triggers(body)
        id_ = self.put(name, **values)
        for belongs, by, line in lines:
            self.put(belongs, **{**line, by: id_})
        if body.get("triggerApprovalFlow", True):
            self.change(name, id_, life_status="under_review")
        return {"dataId": id_}

    def _lines(self, name: str, belongs: str, given: Any) -> Sequence[Mapping[str, Any]]:
        if belongs not in self.objects[name].details or not isinstance(given, list):
            raise Refused(15002, "details are illegal")
        return given

    def _update(self, name: str, body: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        given = data["object_data"]
        row = self._row(name, given.get("_id"))
        if row["lock_status"] == "1":
            raise Refused(32000, "the record is locked")
        if "owner" in given:
            raise Refused(32000, "the owner is changed by changeOwner")
        values = self._checked(name, given, row["_id"])
        self._triggers(body)
        self.change(name, row["_id"], **values)
        return {}

    def _invalid(self, name: str, _: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        row = self._row(name, data.get("object_data_id"))
        self.change(name, row["_id"], is_deleted=True, life_status="invalid")
        return {}

    def _delete(self, name: str, _: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        ids = data.get("idList")
        if not isinstance(ids, list):
            raise Refused(15002, "idList is a list")
        for id_ in ids:
            if id_ not in self.objects[name].rows or not self.objects[name].rows[id_].now["is_deleted"]:
                raise Refused(32000, "only what is invalid can be deleted")
            del self.objects[name].rows[id_]
        return {}

    def _change_owner(self, name: str, _: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        for one in data.get("Data") or []:
            if not isinstance(one.get("ownerId"), list):
                raise Refused(15002, "ownerId is a list")
            self.change(name, self._row(name, one.get("objectDataId"))["_id"], owner=one["ownerId"])
        return {}

    def _row(self, name: str, id_: Any) -> dict[str, Any]:
        row = self.objects[name].rows.get(str(id_))
        if row is None or row.now["is_deleted"]:
            raise Refused(32000, "the record does not exist or was deleted")
        return row.now

    def _checked(self, name: str, given: Mapping[str, Any], id_: str) -> dict[str, Any]:
        one = self.objects[name]
        values = {
            key: value
            for key, value in given.items()
            if key not in ("_id", "dataObjectApiName", "object_describe_api_name")
        }
        for key, value in values.items():
            kind = "employee" if key == "owner" else one.fields.get(key)
            if kind is None:
                raise Refused(32000, f"there is no field {key}")
            if value is not None and not _is(kind, value):
                raise Refused(32000, f"{key} is no {kind}")
            if key in one.unique and any(
                row.now.get(key) == value for other, row in one.rows.items() if other != id_
            ):
                raise Refused(32000, f"{key} is there already")
        return values

    def _triggers(self, body: Mapping[str, Any]) -> None:
        self.approvals += bool(body.get("triggerApprovalFlow", True))
        self.workflows += bool(body.get("triggerWorkFlow", True))


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "employee":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        case "date" | "date_time":
            return isinstance(value, int) and not isinstance(value, bool)
        case "true_or_false":
            return isinstance(value, bool)
        case _ if not isinstance(value, str):
            return False
        case _ if kind in _NUMBERS:
            try:
                return Decimal(value).is_finite()
            except InvalidOperation:
                return False
    return True


def _by(name: str, kind: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: _sortable(row.get(name), kind)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sortable(value: Any, kind: str) -> Any:
    """None comes first."""
    if value is None:
        return (0, "")
    if isinstance(value, list):
        return (1, ",".join(value))
    if kind in _NUMBERS or _is_whole(value):
        return (1, Decimal(value))
    return (1, str(value).lower() if isinstance(value, bool) else str(value))
