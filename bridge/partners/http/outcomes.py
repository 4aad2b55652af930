"""What the status of an HTTP answer means for a call that is not SOAP.

| answer                                        | outcome                                                              |
|-----------------------------------------------|----------------------------------------------------------------------|
| 2xx                                           | read on: the partner's file or the vendor decides                    |
| 401, 403, 407                                 | Unauthorised                                                         |
| 429; 503 with Retry-After                     | Unavailable, and when to come back                                   |
| 301, 302, 307, 308, 405, 408, 421, 425, 426   | Unavailable: nothing acted on it, here                               |
| 404, 410                                      | Refused where the path names a record; Unavailable where it does not |
| 409, 412                                      | Refused: it was changed meanwhile, or is there already               |
| other 4xx                                     | Refused                                                              |
| everything else                               | InDoubt                                                              |

Redirects are not followed: the body and the credentials were meant for the address that was set.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Final

from bridge.errors import InDoubt, PartnerError, Refused, Unauthorised, Unavailable
from bridge.partners.http.wire import IN_DOUBT, Answer, retry_after
from bridge.soap.text import echo

NOT_LET_IN: Final = frozenset({401, 403, 407})
MOVED: Final = frozenset({301, 302, 307, 308})
_ELSEWHERE: Final = frozenset({405, 408, 421, 425, 426})
_GONE: Final = frozenset({404, 410})
_CONFLICT: Final = frozenset({409, 412})
_TITLE = re.compile(rb"<title[^>]{0,100}>\s*([^<]{1,200})", re.IGNORECASE)


def judge(answer: Answer, *, names_record: bool = False, said: str = "") -> PartnerError | None:
    """The outcome that a status means by the table above; None for 2xx.

    Args:
        names_record: the path names a record, so that 404 speaks of that.
        said: what the reply says for people, where that is known.
    """
    status = answer.status_code
    if 200 <= status < 300:
        return None
    error = _of_status(answer, names_record, f" It says: {echo(said, 500)}" if said else page(answer))
    error.status, error.reply = status, answer.content
    return error


def _of_status(answer: Answer, names_record: bool, said: str) -> PartnerError:
    status = answer.status_code
    told = f"The partner answered {named(status)}.{said}"
    if status in NOT_LET_IN:
        return Unauthorised(
            f"{told} It does not let us in, and nothing was done.",
            advice="Correct the credentials before anything is sent again: many lock an account.",
        )
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        return busy(answer)
    if status in MOVED:
        return moved(answer)
    if status in _ELSEWHERE or (status in _GONE and not names_record):
        return Unavailable(
            f"{told} Nothing acted on the request at this address.",
            retry_after=retry_after(answer.headers, time.time()),
            advice="Check the partner's address and the path in its file; then it is safe to repeat.",
        )
    if status in _GONE:
        return Refused(told, name="NotFound", advice="There is no such record there: was it deleted?")
    if status in _CONFLICT:
        return Refused(
            told, name="Conflict", advice="It was changed there meanwhile, or exists: read it again."
        )
    if 400 <= status < 500:
        return Refused(told, advice="The request is not what the partner takes: correct it.")
    return InDoubt(told, advice=IN_DOUBT)


def busy(answer: Answer) -> Unavailable:
    """What 429 and 503 mean: when to come back, where it says so."""
    seconds = retry_after(answer.headers, time.time())
    when = "later" if seconds is None else f"in {seconds:.0f} second{'' if round(seconds) == 1 else 's'}"
    return Unavailable(
        f"The partner answered {named(answer.status_code)}: it did not take the request.",
        status=answer.status_code,
        retry_after=seconds,
        advice=f"Come back {when}; repeating is safe.",
    )


def moved(answer: Answer) -> Unavailable:
    """What a redirect means."""
    place = echo(answer.headers.get("Location") or "an address it does not name", 300)
    return Unavailable(
        f"The partner answered {named(answer.status_code)}: the service is at {place}. Nothing was done, and nothing was sent there.",
        status=answer.status_code,
        advice="Where that is right, set `endpoint` to it; then it is safe to repeat.",
    )


def page(answer: Answer) -> str:
    """` It is an HTML page titled "…".`, where it is one; for people."""
    if "html" not in (answer.headers.get("Content-Type") or "").lower():
        return ""
    title = _TITLE.search(answer.content[:20_000])
    named_ = f' titled "{echo(title[1].decode("utf-8", "replace").strip(), 100)}"' if title else ""
    return f" It is an HTML page{named_}."


def named(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
