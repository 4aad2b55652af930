"""What an HTTP answer means for a call, as far as it can be told without the contract.

| answer                                             | outcome                                                         |
|----------------------------------------------------|-----------------------------------------------------------------|
| 401, 403, 407                                      | Unauthorised                                                    |
| 429; 503 with Retry-After                          | Unavailable                                                     |
| a SOAP Fault, whatever the status                  | `faults` judges it                                              |
| 2xx with an envelope                               | read on: the contract decides                                   |
| 2xx and nothing, to a one-way request              | accepted                                                        |
| 2xx with what is no envelope: HTML, half an XML    | InDoubt                                                         |
| 301, 302, 307, 308, 404, 405, 408, 410, 421, 426   | Unavailable: nothing acted on it, here                          |
| other 3xx, 406                                     | InDoubt: 303 says that there is a result, elsewhere             |
| other 4xx                                          | Refused                                                         |
| everything else                                    | InDoubt                                                         |

A redirect is the web server's word, not the service's: the request was not acted on at this address (RFC 9110, section
15.4), and it is not sent on, because its body and credentials were meant for the address that was set. It is safe to
repeat once `endpoint` is corrected, which makes it Unavailable; NotSent would say that nothing was written.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    PartnerError,
    Refusal,
    Refused,
    Unauthorised,
    Unavailable,
)
from bridge.partners.http.outcomes import MOVED, NOT_LET_IN, busy, moved, named
from bridge.partners.http.wire import IN_DOUBT, Answer, retry_after
from bridge.soap.envelope import Envelope, open_envelope
from bridge.soap.limits import Limits
from bridge.soap.media import Version
from bridge.soap.text import echo
from bridge.soap.xml import parse

_ELSEWHERE = frozenset({404, 405, 408, 410, 421, 426})
_XML = re.compile(r"(?:text|application)/(?:[\w.+-]+\+)?xml", re.IGNORECASE)
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]{0,100}>\s*([^<]{1,200})", re.IGNORECASE)


def read(answer: Answer, version: Version, limits: Limits, *, one_way: bool) -> tuple[Envelope, bytes] | None:
    """The envelope of an answer, which may hold a Fault, with its UTF-8 text; None where none came and none had to.

    Raises PartnerError, by the table above.
    """
    status = answer.status_code
    if status in NOT_LET_IN:
        raise Unauthorised(
            f"The partner answered {named(status)}: it does not let us in, and nothing was done.",
            status=status,
            advice="Correct `username` and `password` before anything is sent again: many lock an account.",
        )
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        raise busy(answer)
    good = 200 <= status < 300
    if good and one_way and not answer.content.strip():
        return None
    media_type, is_xml, charset = _media_type(answer.headers.get("Content-Type") or "")
    if not is_xml or not answer.content.strip():
        raise _without_envelope(answer, _page(answer, media_type))
    try:
        root, source = parse(answer.content, charset=charset, limits=limits)
    except Refusal as refusal:
        raise _without_envelope(answer, f"XML that cannot be read. {refusal.message}") from refusal
    if not root.tag.endswith("}Envelope"):
        raise _without_envelope(answer, f"a document called {echo(str(root.tag), 100)}, which is no SOAP")
    try:
        envelope = open_envelope(root, limits=limits, reply=True)
    except Refusal as refusal:
        raise _unreadable(answer, refusal.message) from refusal
    if envelope.fault is None:
        if not good:
            raise _without_envelope(answer, "an envelope without a Fault")
        if envelope.version != version:
            raise _unreadable(answer, f"It speaks SOAP {envelope.version}; the request spoke {version}.")
    return envelope, source


@lru_cache(maxsize=64)
def _media_type(header: str) -> tuple[str, bool, str | None]:
    """The media type, whether XML may come with it (nothing said is as good), and the charset."""
    name = header.partition(";")[0].strip().lower()
    charset = _CHARSET.search(header)
    return name, not name or bool(_XML.fullmatch(name)), charset[1] if charset else None


def _unreadable(answer: Answer, why: str) -> PartnerError:
    if 200 <= answer.status_code < 300:
        return DeliveredUnreadable(
            f"The request was done, and the reply is no envelope as it should be. {why}",
            status=answer.status_code,
            advice=DELIVERED,
        )
    return _without_envelope(answer, f"an envelope that cannot be read. {why}")


def _without_envelope(answer: Answer, what: str) -> PartnerError:
    """No usable envelope: the HTTP status alone decides."""
    status = answer.status_code
    said = f"The partner answered {named(status)} with {what}".rstrip(".") + "."
    if status in MOVED:
        return moved(answer)
    if status in _ELSEWHERE:
        return Unavailable(
            f"{said} Nothing acted on the request at this address.",
            status=status,
            retry_after=retry_after(answer.headers, time.time()),
            advice="Check `endpoint`; then it is safe to repeat.",
        )
    if 400 <= status < 500 and status != 406:
        return Refused(said, status=status, advice="The request is not what the partner takes: correct it.")
    return InDoubt(said, status=status, advice=IN_DOUBT)


def _page(answer: Answer, media_type: str) -> str:
    if not answer.content.strip():
        return "nothing"
    title = _TITLE.search(answer.content[:20_000])
    named = f' titled "{echo(title[1].decode("utf-8", "replace").strip(), 100)}"' if title else ""
    if media_type in ("text/html", "application/xhtml+xml"):
        return f"an HTML page{named}"
    if media_type == "multipart/related":
        return "attachments (multipart/related), which are not supported"
    return f"{echo(media_type, 100)} instead of SOAP"


DELIVERED = "Never repeat it: it was done. Tell the partner what breaks its contract; a bridge's journal has the reply."
