"""A trail over a store with a few exchanges and acts, and what verifies it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.audit.chain import Checkpoint
from bridge.audit.keys import SigningKey, TrustedKeys
from bridge.audit.trail import Trail
from bridge.audit.verify import Report, Verification
from bridge.ids import new_exchange_id
from bridge.settings import Audit
from bridge.store import ExchangeRecord, Store, by_hand, journal
from bridge.store.by_hand import NewAct

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)

Verify = Callable[..., Report]


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey(tmp_path / "audit.key")


@pytest.fixture
def trail(store: Store, key: SigningKey) -> Iterator[Trail]:
    made = Trail(store, key, Audit())
    yield made
    made.close()


@pytest.fixture
def verify(store: Store, key: SigningKey) -> Verify:
    """Verifies with this test's key; nothing is too young to be missed."""

    def run(kept: Sequence[Checkpoint] = (), *, trusted: Sequence[str] = (), grace: float = 0) -> Report:
        return Verification(store, TrustedKeys(trusted or [key.public]), kept, grace=grace).run()

    return run


def journaled(store: Store, exchange_id: str = "", **fields: Any) -> str:
    """An exchange in the journal; its id."""
    exchange_id = exchange_id or new_exchange_id()
    given: dict[str, Any] = {
        "received_at": NOON,
        "duration_us": 1500,
        "verdict": "accepted",
        "contract": "purchasing",
        "operation": "CreatePurchaseOrder",
        "partner": "crm",
        "remote": "10.0.0.7",
        "http_status": 200,
        "request": b"<order>\xff</order>",
        "reply": b"<done/>",
        **fields,
    }
    with store.transaction() as transaction:
        journal.record(transaction.session, ExchangeRecord(exchange_id=exchange_id, **given))
    return exchange_id


def acted(store: Store, **fields: Any) -> None:
    given: dict[str, Any] = {
        "at": 1_700_000_000_000_000,
        "who": "mei",
        "why": "asked",
        "verb": "hold",
        **fields,
    }
    with store.transaction() as transaction:
        by_hand.record(transaction.session, NewAct(**given))
