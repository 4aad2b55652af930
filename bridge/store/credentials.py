"""How callers prove who they are, as statements. What a credential is worth is `bridge.access`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, null, select, update

from bridge.store.clock import host_clock, moment
from bridge.store.session import Session
from bridge.store.statements import Prepared, insertion
from bridge.store.tables import credential

Kind = Literal["api_key", "password", "wss_password"]


class NewCredential(NamedTuple):
    """The table's columns, without the id that the database gives. Times as they are stored."""

    caller: str
    kind: Kind
    lookup: bytes | None
    secret: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None = None


class LiveCredential(NamedTuple):
    """One that has not been revoked, for whoever checks it. `expires_at` as it is stored."""

    id: int
    caller: str
    kind: Kind
    lookup: bytes | None
    secret: str | None
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRow:
    """One for people: without what it is checked with."""

    id: int
    caller: str
    kind: Kind
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


_ADD = insertion(credential, NewCredential, returning=credential.c.id)
LIVE = Prepared(
    select(
        credential.c.id,
        credential.c.caller,
        credential.c.kind,
        credential.c.lookup,
        credential.c.secret,
        credential.c.expires_at,
    ).where(credential.c.revoked_at.is_(None))
)
"""What may be checked against, each row a LiveCredential; for `Store.rows`."""
_REVOKE = Prepared(
    update(credential)
    .where(credential.c.id == bindparam("of_id"), credential.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("new_revoked"))
    .returning(credential.c.id),
    "new_revoked",
    "of_id",
)


def add(session: Session, new: NewCredential) -> int:
    """Keep a credential; the number it is known by from now on."""
    return int(session.rows(_ADD, new)[0][0])


def revoke(session: Session, credential_id: int) -> bool:
    """It is worth nothing from now on. False where it was revoked before, or is not there."""
    return bool(session.rows(_REVOKE, (host_clock(), credential_id)))


def by_id(session: Session, credential_id: int) -> CredentialRow | None:
    """One for people, None where there is none."""
    found = _rows(session, credential.c.id == credential_id)
    return found[0] if found else None


def of_caller(session: Session, caller: str | None = None, *, revoked: bool = False) -> list[CredentialRow]:
    """Those of a caller, or of all, in the order they were made; those revoked too where they are asked for."""
    conditions = []
    if caller is not None:
        conditions.append(credential.c.caller == caller)
    if not revoked:
        conditions.append(credential.c.revoked_at == null())
    return _rows(session, *conditions)


def _rows(session: Session, *conditions: object) -> list[CredentialRow]:
    columns = (
        credential.c.id,
        credential.c.caller,
        credential.c.kind,
        credential.c.created_at,
        credential.c.expires_at,
        credential.c.revoked_at,
    )
    statement = select(*columns).where(*conditions).order_by(credential.c.id)  # type: ignore[arg-type]
    return [
        CredentialRow(
            id=row.id,
            caller=row.caller,
            kind=row.kind,
            created_at=moment(row.created_at),
            expires_at=None if row.expires_at is None else moment(row.expires_at),
            revoked_at=None if row.revoked_at is None else moment(row.revoked_at),
        )
        for row in session.execute(statement)
    ]
