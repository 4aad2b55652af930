"""What an errorCode means, which comes inside HTTP 200.

| code | outcome |
|---|---|
| 0 | read on |
| 20016, 20005, 11014: the token does not hold | another one, once; then Unauthorised |
| 15003, 20006, 20014, 20015, 20017, 20020 to 20023: the app may not | Unauthorised |
| 14001, 30004: too often | Unavailable for 20 seconds |
| 30002: the calls of the day are used up | Unavailable for an hour, or until midnight in China |
| 30003: no calls were bought | Unavailable for an hour |
| -1, -2, 50009: it is busy, failed, or took too long | InDoubt; of what only reads Unavailable |
| every other | Refused |

What its texts say is for people: the documentation asks not to rely on them. It also has codes that mean one thing in its table and
another in an answer (10006, 10013, 20017): those are Refused or Unauthorised either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bridge.errors import InDoubt, Unavailable
from bridge.partners.http import json_body
from bridge.partners.http.wire import IN_DOUBT, Answer
from bridge.partners.rest.api import Code, Errors, Request, Verdict
from bridge.soap.text import echo

TOKEN: Final = ("20016", "20005", "11014")
MAY_NOT: Final = ("15003", "20006", "20014", "20015", "20017", "20020", "20021", "20022", "20023")
TOO_OFTEN: Final = ("14001", "30004")
DAY_USED_UP: Final = "30002"
NONE_BOUGHT: Final = "30003"
FAILED: Final = ("-1", "-2", "50009")
HOUR: Final = 3600.0
"""After which it is asked again, at the latest: more calls may have been bought."""
_ZONE: Final = ZoneInfo("Asia/Shanghai")

_ERRORS: Final = Errors(
    at="errorCode",
    message="errorMessage",
    good=("0",),
    codes={
        **{code: Code("token") for code in TOKEN},
        **{code: Code("unauthorised") for code in MAY_NOT},
        **{code: Code("unavailable", 20.0) for code in TOO_OFTEN},
        DAY_USED_UP: Code("unavailable", HOUR),
        NONE_BOUGHT: Code("unavailable", HOUR),
        **{code: Code("in_doubt") for code in FAILED},
    },
)
_ADVICE: Final[Mapping[str, str]] = {
    DAY_USED_UP: "The calls of the day are used up; they are counted anew at midnight in China. Read less often, or have more bought.",
    NONE_BOUGHT: "The company has bought no calls of the open API: an order for them is needed. Repeating is safe.",
}


class Codes:
    """Judges replies (`bridge.partners.rest.api.Judge`).

    Args:
        now: the clock, for until when the calls of a day are used up.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now

    def verdict(self, request: Request, value: Any, answer: Answer) -> Verdict:
        code = json_body.at(value, "errorCode")
        if 200 <= answer.status_code < 300 and value is not None and code is None:
            return Verdict(
                InDoubt("The reply has no errorCode: nothing tells what was done.", advice=IN_DOUBT)
            )
        found = _ERRORS.verdict(request, value, answer)
        error = found.error
        if error is None:
            return found
        trace = json_body.at(value, "traceId")
        if trace:
            error.message += f" (traceId {echo(str(trace), 100)})"
        error.advice = _ADVICE.get(str(code), error.advice)
        if str(code) == DAY_USED_UP and isinstance(error, Unavailable):
            error.retry_after = min(HOUR, until_midnight(self._now()))
        return found


def until_midnight(now: datetime) -> float:
    """Seconds until the next day begins in China, and a little more."""
    here = now.astimezone(_ZONE)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - here).total_seconds() + 5
