"""A Fxiaoke (纷享销客) over real HTTP on loopback, as far as a program that calls its open API can tell.

    with Fxiaoke() as crm:
        crm.define("AccountObj", {"name": "text", "account_no__c": "text", "credit__c": "currency"}, unique=("account_no__c",))
        id_ = crm.put("AccountObj", name="示例贸易有限公司", credit__c="100.50")     # somebody at a screen does this
        ...                                                                     # a partner of kind fxiaoke with endpoint = crm.url
        assert crm.rows("AccountObj")[id_]["name"] == …

What it does as Fxiaoke's documentation says: both forms of token, which stay the same for 6,600 seconds and hold for 7,200; errors inside
HTTP 200; a limit of 100, an offset that is a multiple of it and at most 10,000; numbers as texts, dates in milliseconds, employees as lists;
workflows and approvals unless they are declined; delete only after invalid; the owner changed only by changeOwner; 100 calls of an API in
20 seconds. `bridge.testing.fxiaoke_data` has the objects, this module the door. Where the documentation is silent it is strict, and
docs/fxiaoke.md says so.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from bridge.testing.fxiaoke_data import Data, Refused
from bridge.testing.served import Asked, Said, Served

APP: Final = "FSAID_1234567"
SECRET: Final = "an app secret"  # noqa: S105 - lets nobody in anywhere
PERMANENT: Final = "a permanent code"
EA: Final = "example"
CORP: Final = "FSCID_EXAMPLE"
USER: Final = "1000"
OPEN_USER: Final = "FSUID_0123456789ABCDEF"

NEWER: Final = "/oauth2.0/token"
OLDER: Final = "/cgi/corpAccessToken/get/V2"
_SAME: Final = 6_600
_LIFE: Final = 7_200


class Fxiaoke(Data, Served):
    """One company's Fxiaoke.

    Args:
        calls, seconds: calls of one API that are taken in so many seconds of the real clock.
        a_day: calls that were bought for one day; None: any number. 0: none were bought.
        lag: after so long a change shows in queries.
    """

    def __init__(
        self,
        *,
        calls: int = 100,
        seconds: float = 20.0,
        a_day: int | None = None,
        lag: timedelta = timedelta(),
    ) -> None:
        Served.__init__(self)
        Data.__init__(self, lag)
        self.calls = calls
        self.seconds = seconds
        self.a_day = a_day
        self.granted = 0
        """Requests for a token that were answered with one."""
        self.overlapping = 0
        """Requests for a token that came while another was answered."""
        self.takes = 0.0
        """Seconds that it takes to answer a request for a token."""
        self._tokens: dict[str, list[tuple[str, int]]] = {NEWER: [], OLDER: []}
        self._asking = 0
        self._door = threading.Lock()
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._today = 0

    def end_tokens(self) -> None:
        """No token that was given lets anybody in any more."""
        with self.lock:
            for tokens in self._tokens.values():
                tokens.clear()

    def paths(self, *, tokens: bool = False) -> list[str]:
        """The last part of each API that was called, in order; with those for tokens or without."""
        return [one.path.rpartition("/")[2] for one in self.asked if tokens or one.path not in (NEWER, OLDER)]

    # -- the door

    def said_to(self, request: Asked) -> Said:
        if request.path not in (NEWER, OLDER):
            return super().said_to(request)
        with self._door:
            self._asking += 1
            together = self._asking > 1
            self.overlapping += together
        try:
            time.sleep(self.takes)
            said = super().said_to(request)
        finally:
            with self._door:
                self._asking -= 1
        return _failed(14001, "the interface may not be called concurrently") if together else said

    def answer(self, request: Asked) -> Said:
        if request.method != "POST":
            return Said(405)
        try:
            body = request.json
            if not isinstance(body, dict):
                raise Refused(12004, "the body is empty")
            if request.path in (NEWER, OLDER):
                return self._grant(request, body)
            self._let_in(request, body)
            self._count(request.path)
            return Said(200, {**_GOOD, "traceId": _trace(), **self._called(request.path, body)})
        except Refused as refused:
            return _failed(refused.code, refused.message)

    def _grant(self, request: Asked, body: Mapping[str, Any]) -> Said:
        self._slowly(request.path, 10, 60.0, 14001)
        if request.path == NEWER and body.get("grantType") != "app_secret":
            raise Refused(10006, "the parameter grantType is missing or illegal")
        for name, wanted in (("appId", APP), ("appSecret", SECRET), ("permanentCode", PERMANENT)):
            if body.get(name) != wanted:
                raise Refused(10006, f"the parameter {name} is missing or illegal")
        tokens = self._tokens[request.path]
        now = self.now_ms
        if not tokens or now - tokens[-1][1] >= _SAME * 1000:
            self.granted += 1
            tokens.append((f"{'AT' if request.path == NEWER else 'CAT'}{self.granted:06}", now))
        token, began = tokens[-1]
        left = _LIFE - (now - began) // 1000
        given = (
            {"accessToken": token, "ea": EA, "openUserId": CORP}
            if request.path == NEWER
            else {"corpAccessToken": token, "corpId": CORP}
        )
        return Said(200, {**_GOOD, **given, "expiresIn": left})

    def _let_in(self, request: Asked, body: Mapping[str, Any]) -> None:
        bearer = request.headers.get("authorization")
        if bearer is None and "corpAccessToken" not in body:
            raise Refused(20017, "corpAccessToken为必填项，不能为空")
        if bearer is not None:
            tokens, token = self._tokens[NEWER], bearer.removeprefix("Bearer ")
            company, user = request.headers.get("x-fs-ea") == EA, request.headers.get("x-fs-userid") == USER
        else:
            tokens, token = self._tokens[OLDER], body["corpAccessToken"]
            company, user = body.get("corpId") == CORP, body.get("currentOpenUserId") == OPEN_USER
        good = any(one == token and self.now_ms - began < _LIFE * 1000 for one, began in tokens)
        if not good or not company:
            raise Refused(20016, "the cropId,cropAccessToken or authorization is error")
        if not user:
            raise Refused(30027, "the employee does not exist")
        try:
            version = uuid.UUID(request.params.get("thirdTraceId", "")).version
        except ValueError:
            version = None
        if version != 4:
            raise Refused(15002, "thirdTraceId is missing or illegal")

    def _count(self, path: str) -> None:
        if self.a_day == 0:
            raise Refused(30003, "no openapi quota")
        self._today += 1
        if self.a_day is not None and self._today > self.a_day:
            raise Refused(30002, "the quota of the day is used up")
        self._slowly(path, self.calls, self.seconds, 30004)

    def _slowly(self, path: str, calls: int, seconds: float, code: int) -> None:
        now = time.monotonic()
        recent = self._recent[path]
        while recent and recent[0] <= now - seconds:
            recent.popleft()
        if len(recent) >= calls:
            raise Refused(code, "called too often")
        recent.append(now)

    def _called(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        data = body.get("data")
        if not isinstance(data, dict):
            raise Refused(15002, "data is missing")
        for prefix, custom in (("/cgi/crm/custom/v2/data/", True), ("/cgi/crm/v2/data/", False)):
            if path.startswith(prefix):
                return self.act(path.removeprefix(prefix), body, data, custom=custom)
        if path == "/cgi/crm/v2/object/list":
            return {"data": {"objects": [{"describeApiName": name} for name in self.objects]}}
        raise Refused(15002, f"there is no {path}")


_GOOD: Final = {"errorCode": 0, "errorMessage": "OK", "errorDescription": "success"}


def _failed(code: int, message: str) -> Said:
    return Said(
        200,
        {
            "errorCode": code,
            "errorMessage": message,
            "errorDescription": "失败",
            "traceId": _trace(),
        },
    )


def _trace() -> str:
    return f"E-O.{EA}.{USER}-{uuid.uuid4().hex[:16]}"
