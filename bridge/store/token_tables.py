"""The table of access tokens, in the same `metadata` as `bridge.store.tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, UniqueConstraint

from bridge.store.tables import RowId, metadata

partner_token = Table(
    "partner_token",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    # A digest of what it was got with: other credentials, another token.
    Column("credentials", Text, nullable=False),
    Column("content", Text),
    Column("expires_at", BigInteger, nullable=False),
    Column("requested", Text, nullable=False),
    Column("blocked_until", BigInteger, nullable=False),
    Column("reason", Text),
    Column("lease_no", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    UniqueConstraint("partner"),
    sqlite_autoincrement=True,
)
"""A partner's access token. `requested` has the moments of the last requests for one, `lease_no` and `lease_until` tell who is asking
now; `blocked_until` and `reason` say that the last request was refused."""
