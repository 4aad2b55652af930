"""Moments in a Security header, and whether they hold: wsu:Timestamp, and the Created of a UsernameToken.

WSS SOAP Message Security 1.1, section 10. What stands there is a sender's clock; `Freshness` says how far it may be from ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from lxml import etree

from bridge.soap.refusals import refuse
from bridge.soap.security import WSU
from bridge.soap.security.leaf import leaf, only
from bridge.soap.text import local_name

TIMESTAMP = f"{{{WSU}}}Timestamp"
CREATED = f"{{{WSU}}}Created"
EXPIRES = f"{{{WSU}}}Expires"

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:Z|([+-])(\d\d):(\d\d))?", re.ASCII
).fullmatch


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old what a sender made may be, and how far its clock may be ahead of ours; seconds."""

    max_age: float = 300.0
    skew: float = 60.0

    def check(self, created: float, now: float) -> None:
        """Raises Refusal for what is too old, or from the future. Both moments in seconds since 1970."""
        if now - created > self.max_age:
            raise refuse("message_expired", created=written(created), most=f"{self.max_age:g}")
        if created - now > self.skew:
            raise refuse("message_from_future", created=written(created), now=written(now))

    def forgotten_at(self, created: float) -> float:
        """When what was created then is too old for every process, though its clock is behind by the skew."""
        return created + self.max_age + self.skew


def read_moment(element: etree._Element) -> float:
    """Seconds since 1970 of an xsd:dateTime; without a zone it is UTC, as all of them should be. Raises Refusal."""
    found = _MOMENT(leaf(element))
    # Years far away are no moments of messages, and in some zones none that Python can tell.
    if found is None or not "1900" <= found[1] <= "9000":
        raise refuse("security_value", found=local_name(str(element.tag)))
    year, month, day, hour, minute, second = (int(found[number]) for number in range(1, 7))
    away = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    try:
        zone = timezone(-away if found[8] == "-" else away)
        whole = datetime(year, month, day, hour, minute, second, tzinfo=zone).timestamp()
    except ValueError:
        raise refuse("security_value", found=local_name(str(element.tag))) from None
    return whole + float(f"0.{found[7] or 0}")


def check(timestamp: etree._Element, freshness: Freshness, now: float) -> float:
    """When a Timestamp was created. Raises Refusal where it does not hold at `now`, or cannot be read.

    Created must be there: without it nobody knows for how long the message is to be remembered.
    """
    found = only(timestamp, {CREATED, EXPIRES})
    if CREATED not in found:
        raise refuse("security_lacks", found="Timestamp", wanted="Created")
    created = read_moment(found[CREATED])
    freshness.check(created, now)
    if EXPIRES in found:
        expires = read_moment(found[EXPIRES])
        if expires < created:
            raise refuse("security_value", found="Expires")
        if now - expires > freshness.skew:
            raise refuse("message_expired", created=written(created), most=f"{max(0.0, expires - created):g}")
    return created


def write(now: float, lifetime: float, *, name: str) -> str:
    """A Timestamp that holds from `now` on for `lifetime` seconds; `name` is its wsu:Id. XML text."""
    return (
        f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="{name}"><wsu:Created>{written(now)}</wsu:Created>'
        f"<wsu:Expires>{written(now + lifetime)}</wsu:Expires></wsu:Timestamp>"
    )


def written(moment: float) -> str:
    """A moment as it goes out: UTC, milliseconds, `Z`. WCF and WSS4J read no other form in every version."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
