"""Which page comes next. A cursor is a text of our own: where the pages of a list stand, and up to when deletions were told.

| paging | a page is asked for by | and the next is |
|---|---|---|
| page | its number | one more |
| offset | how many come before | so many more as came |
| token | what the reply before had at `next` | the same again |
| keyset | the id after which it begins | the last one's |

Where a partner gives no offset beyond `last`, a list in the order of changes goes on from the moment of its last record: those of that
very moment come twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bridge.errors import DeliveredUnreadable, HandlerError, SettingsError
from bridge.partners.http import json_body
from bridge.partners.partner import Record
from bridge.partners.rest.described import Listing


class Cursor(NamedTuple):
    """Where reading goes on. `at`: the page, offset, token or id; None at the beginning. `since`: the moment from which a list was begun
    anew. `told`: up to when deletions were told. `over`: of the list nothing is left, only deletions."""

    at: str | None = None
    since: datetime | None = None
    told: datetime | None = None
    over: bool = False

    @property
    def text(self) -> str:
        """As `Page.next` has it."""
        kept = {
            "at": self.at,
            "since": self.since and self.since.isoformat(),
            "told": self.told and self.told.isoformat(),
            "over": self.over or None,
        }
        return json.dumps({name: value for name, value in kept.items() if value is not None})


def cursor_of(text: str | None) -> Cursor:
    """
    Raises:
        HandlerError: it is no cursor of ours.
    """
    if text is None:
        return Cursor()
    try:
        kept = json.loads(text)
        moments = {name: datetime.fromisoformat(kept[name]) for name in ("since", "told") if name in kept}
        return Cursor(at=kept.get("at"), over=bool(kept.get("over")), **moments)
    except (ValueError, TypeError, AttributeError):
        raise HandlerError(
            f"{text[:100]!r} is no cursor.", advice="Give what the page before had as `next`."
        ) from None


def following(
    listing: Listing, cursor: Cursor, reply: Any, records: Sequence[Record], asked: int
) -> Cursor | None:
    """The cursor of the page after this one; None where this is the last.

    Args:
        records: those of this page, all that came. `asked`: how many were asked for.

    Raises:
        DeliveredUnreadable: the partner names the same page again.
        SettingsError: there is more than the partner gives by offset.
    """
    if listing.paging == "none":
        return None
    if listing.more:
        more = json_body.at(reply, listing.more)
    else:
        # Who says nothing of the size of its pages may give smaller ones than were asked for: only an empty one is the end.
        more = len(records) >= (asked if listing.fills_pages else 1)
    if listing.paging == "token":
        token = json_body.at(reply, listing.next)
        if token in (None, "", False):
            return None
        if str(token) == cursor.at:
            raise DeliveredUnreadable(
                "The partner names the same page again as the next.", advice="Tell the partner."
            )
        return cursor._replace(at=str(token))
    if not more or not records:
        return None
    if listing.paging == "keyset":
        if records[-1].id == cursor.at:
            raise DeliveredUnreadable(
                f"The page after {cursor.at!r} ends with the same record.", advice="Tell the partner."
            )
        return cursor._replace(at=records[-1].id)
    now = int(cursor.at) if cursor.at is not None else listing.first
    coming = now + (1 if listing.paging == "page" else len(records))
    if listing.last and coming > listing.last:
        return _anew(cursor, records, listing.last)
    return cursor._replace(at=str(coming))


def _anew(cursor: Cursor, records: Sequence[Record], last: int) -> Cursor:
    moment = records[-1].changed_at
    if moment is None or (cursor.since is not None and moment <= cursor.since):
        raise SettingsError(
            f"The partner gives no pages beyond {last}, and there are more records"
            + (" of one moment." if moment is not None else "."),
            advice='Page by "keyset" or "token", or give the entity `changed` and an order by it.',
        )
    return cursor._replace(at=None, since=moment)
