"""Whether anything may leave for a partner, as all processes see it: one row for each partner.

The row is locked after the row of a key, never before one. Producers do not touch it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Executable, bindparam, cast, func, literal_column, null, select, update

from bridge.store.clock import LEASES, Clock
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import DialectName, Prepared, insertion
from bridge.store.tables import ordering_key, partner_gate


class GateRow(NamedTuple):
    """A partner's gate as it stands."""

    partner: str
    circuit: str
    failures: int
    blocked_until: int
    reason: str | None
    held_because: str | None
    next_slot_at: int
    changed_at: int


_SHUT_BY_NOBODY: Final = ("closed", 0, 0, None, None, 0, 0)
_columns = [partner_gate.c[name] for name in GateRow._fields]
_own = partner_gate.c.partner == bindparam("of_partner")

_READ = Prepared(select(*_columns).where(_own), "of_partner")
_LOCK = Prepared(select(*_columns).where(_own).with_for_update(), "of_partner")
_EVERY = Prepared(select(*_columns).order_by(partner_gate.c.partner))
_MAKE = insertion(partner_gate, GateRow, unless_there=("partner",))


def _leased(dialect: DialectName) -> Executable:
    # Leases are few and keys may be many. SQLite, left to itself, would walk over all keys of the partner: the + keeps it
    # from that, and the index of leases is what remains.
    partner: Any = literal_column("+ordering_key.partner") if dialect == "sqlite" else ordering_key.c.partner
    return (
        select(func.count())
        .select_from(ordering_key)
        .where(
            ordering_key.c.lease_owner.is_not(None),
            partner == bindparam("of_partner"),
            ordering_key.c.lease_until >= Clock(),
            ordering_key.c.lease_until <= Clock() + cast(bindparam("of_length"), BigInteger),
        )
    )


_LEASED = Prepared(_leased, "of_partner", "of_length")
_CIRCUIT = Prepared(
    update(partner_gate)
    .where(_own)
    .values(
        circuit=bindparam("new_circuit"),
        failures=bindparam("new_failures"),
        blocked_until=bindparam("new_blocked"),
        reason=bindparam("new_reason"),
        changed_at=bindparam("new_changed"),
    ),
    "new_circuit",
    "new_failures",
    "new_blocked",
    "new_reason",
    "new_changed",
    "of_partner",
)
_SLOT = Prepared(
    update(partner_gate).where(_own).values(next_slot_at=bindparam("new_slot")), "new_slot", "of_partner"
)
_HOLD = Prepared(
    update(partner_gate)
    .where(_own, partner_gate.c.held_because.is_(None))
    .values(held_because=bindparam("new_because"), changed_at=bindparam("new_changed")),
    "new_because",
    "new_changed",
    "of_partner",
)
_RELEASE = Prepared(
    update(partner_gate)
    .where(
        _own,
        partner_gate.c.held_because.is_not(None) | (partner_gate.c.circuit != literal_column("'closed'")),
    )
    .values(held_because=null(), blocked_until=literal_column("0"), changed_at=bindparam("new_changed")),
    "new_changed",
    "of_partner",
)


def read(session: Session, partner: str) -> GateRow:
    """The gate as it stands; open where nothing was ever written about it."""
    rows = session.rows(_READ, (partner,))
    return GateRow(*rows[0]) if rows else GateRow(partner, *_SHUT_BY_NOBODY)


def lock(session: Session, partner: str) -> GateRow:
    """The gate, made where there is none, locked until the end of the transaction."""
    rows = session.rows(_LOCK, (partner,))
    if not rows:
        session.run(_MAKE, GateRow(partner, *_SHUT_BY_NOBODY))
        rows = session.rows(_LOCK, (partner,))
    return GateRow(*rows[0])


def every(session: Session) -> list[GateRow]:
    """All gates there are, by partner."""
    return [GateRow(*row) for row in session.rows(_EVERY)]


def leased(session: Session, partner: str, *, lease: int) -> int:
    """How many keys of a partner somebody drains now. A lease of more than two lengths of one (microseconds) has lapsed:
    the clock was set back."""
    return int(session.rows(_LEASED, (partner, LEASES * lease))[0][0])


def set_circuit(
    session: Session,
    partner: str,
    circuit: str,
    *,
    failures: int,
    blocked_until: int,
    reason: str | None,
    changed_at: int,
) -> None:
    """How the circuit of a locked gate stands from now on."""
    reason = reason and storable(reason)
    session.run(_CIRCUIT, (circuit, failures, blocked_until, reason, changed_at, partner))


def set_slot(session: Session, partner: str, next_slot_at: int) -> None:
    """When the next document may go to the partner of a locked gate."""
    session.run(_SLOT, (next_slot_at, partner))


def hold(session: Session, partner: str, because: str, *, now: int) -> bool:
    """Let nothing leave until `release`; False where it is held already, and the first reason stays."""
    lock(session, partner)
    return session.run(_HOLD, (storable(because), now, partner)) > 0


def release(session: Session, partner: str, *, now: int) -> bool:
    """Let documents leave again, and where the circuit is open, one try at once; False where nothing was in their way."""
    lock(session, partner)
    return session.run(_RELEASE, (now, partner)) > 0
