"""The calls: every API is a POST, and has an allowance of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from bridge.errors import DeliveredUnreadable
from bridge.partners.fxiaoke.codes import Codes
from bridge.partners.fxiaoke.described import Tenant, Thing
from bridge.partners.http import json_body
from bridge.partners.http.bucket import Bucket
from bridge.partners.http.client import Client
from bridge.partners.http.letting_in import Doorman
from bridge.partners.rest.api import Api, Reply, Request, always

MOST: Final = 100
"""Records of one answer."""
SYSTEM: Final = ("_id", "version", "is_deleted", "life_status")
"""What every query asks for besides the entity's fields."""


class Rows(NamedTuple):
    """What a query gave. `total`: how many there are in all, where that was asked."""

    rows: list[Mapping[str, Any]]
    total: int | None


class Caller:
    """Safe to use from several threads."""

    def __init__(self, client: Client, doorman: Doorman, tenant: Tenant, codes: Codes) -> None:
        self._make: Callable[[], Api] = lambda: Api(
            always(client),
            doorman,
            judge=codes,
            bucket=Bucket(tenant.calls, tenant.seconds, patience=tenant.patience),
        )
        self._apis: dict[str, Api] = {}
        self._lock = threading.Lock()

    def post(self, path: str, body: Mapping[str, Any], *, reads: bool) -> tuple[Request, Reply]:
        """One call. Raises PartnerError."""
        with self._lock:
            api = self._apis.get(path)
            if api is None:
                api = self._apis[path] = self._make()
        request = Request(method="POST", path=path, body=dict(body), reads=reads)
        return request, api.ask(request)

    def query(
        self,
        thing: Thing,
        filters: Sequence[Mapping[str, Any]],
        *,
        fields: Sequence[str],
        also: Sequence[str] = (),
        order: Sequence[str] = ("_id",),
        limit: int = MOST,
        total: bool = False,
    ) -> Rows:
        """Records that meet all filters, from the first on.

        Args:
            fields: those of the entity that are asked for; `also` names others as Fxiaoke does.
            order: ascending, by Fxiaoke's names.
        """
        places = [thing.conversion.place(name) for name in fields if name not in thing.details]
        data = {
            "dataObjectApiName": thing.api_name,
            "find_explicit_total_num": total,
            "search_query_info": {
                "limit": min(limit, MOST),
                "offset": 0,
                "filters": [*thing.filters, *filters],
                "orders": [{"fieldName": one, "isAsc": True} for one in order],
                "fieldProjection": list(dict.fromkeys([*SYSTEM, *also, *places])),
            },
        }
        _, reply = self.post(f"{thing.path}/query", {"data": data}, reads=True)
        rows = json_body.at(reply.value, "data/dataList")
        count = json_body.at(reply.value, "data/total") if total else None
        if not isinstance(rows, list) or not all(
            isinstance(one, Mapping) and isinstance(one.get("_id"), str) for one in rows
        ):
            raise DeliveredUnreadable(
                f"{thing.api_name}: the reply to a query has no list of records, or one without _id.",
                advice="Tell Fxiaoke, or us.",
            )
        return Rows(rows, count if isinstance(count, int) and not isinstance(count, bool) else None)
