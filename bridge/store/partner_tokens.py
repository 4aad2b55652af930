"""Access tokens that processes share, as statements. What they mean is `bridge.partners.http.tokens`.

Whoever decides about a token locks its row first. Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, update

from bridge.store.cipher import open_text, place, seal_text
from bridge.store.clock import Clock
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import insertion
from bridge.store.token_tables import partner_token


class TokenRow(NamedTuple):
    """A token as it stands. Times are microseconds since 1970; `content` is the token and what came with it, None where there is none;
    `now` is the database's clock."""

    partner: str
    credentials: str
    content: dict[str, str] | None
    expires_at: int
    requested: tuple[int, ...]
    blocked_until: int
    reason: str | None
    lease_no: int
    lease_until: int
    now: int


class _New(NamedTuple):
    partner: str
    credentials: str
    content: str | None = None
    expires_at: int = 0
    requested: str = "[]"
    blocked_until: int = 0
    reason: str | None = None
    lease_no: int = 0
    lease_until: int = 0


_MAKE = insertion(partner_token, _New, unless_there=("partner",))
_COLUMNS = [partner_token.c[name] for name in _New._fields]


def read(session: Session, partner: str) -> TokenRow | None:
    """The token of a partner; None where nothing was ever written about it. Raises StoreError for what does not open."""
    return _row(session, select(*_COLUMNS, Clock()).where(partner_token.c.partner == partner))


def lock(session: Session, partner: str, credentials: str) -> TokenRow:
    """The row, made where there is none, locked until the end of the transaction. What was got with other credentials is gone."""
    statement = select(*_COLUMNS, Clock()).where(partner_token.c.partner == partner).with_for_update()
    session.run(_MAKE, _New(partner, credentials))
    found = _row(session, statement)
    assert found is not None
    if found.credentials == credentials:
        return found
    new = _New(partner, credentials, lease_no=found.lease_no + 1)
    _set(session, partner, **{name: value for name, value in new._asdict().items() if name != "partner"})
    return TokenRow(**(new._asdict() | {"requested": (), "now": found.now, "content": None}))


def ask(session: Session, row: TokenRow, *, lease_until: int, requested: Sequence[int]) -> int:
    """Have it known that this process asks for a token now. The number by which it may settle that."""
    number = row.lease_no + 1
    _set(
        session,
        row.partner,
        lease_no=number,
        lease_until=lease_until,
        requested=json.dumps(list(requested)),
    )
    return number


def keep(session: Session, partner: str, lease_no: int, *, content: dict[str, str], expires_at: int) -> bool:
    """Keep what came. False where somebody else has asked since, or the credentials were changed."""
    sealed = seal_text(session.cipher, json.dumps(content), place("partner_token", "content", partner))
    return _settle(
        session,
        partner,
        lease_no,
        content=sealed,
        expires_at=expires_at,
        blocked_until=0,
        reason=None,
        lease_until=0,
    )


def fail(
    session: Session, partner: str, lease_no: int, *, blocked_until: int = 0, reason: str | None = None
) -> bool:
    """No token came. `blocked_until`: nobody asks before."""
    kept = None if reason is None else storable(reason)
    return _settle(session, partner, lease_no, blocked_until=blocked_until, reason=kept, lease_until=0)


def _settle(session: Session, partner: str, lease_no: int, **values: Any) -> bool:
    return _set(session, partner, partner_token.c.lease_no == lease_no, **values)


def _set(session: Session, partner: str, *conditions: Any, **values: Any) -> bool:
    statement = update(partner_token).where(partner_token.c.partner == partner, *conditions).values(**values)
    return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _row(session: Session, statement: Any) -> TokenRow | None:
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    values = dict(zip(TokenRow._fields, found, strict=True))
    text = open_text(session.cipher, values["content"], place("partner_token", "content", values["partner"]))
    values["content"] = None if text is None else json.loads(text)
    values["requested"] = tuple(json.loads(values["requested"]))
    return TokenRow(**values)
