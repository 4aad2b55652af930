from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.reconciliation.causes import CAUSES, Facts, cause_of
from bridge.reconciliation.report import EXPLAINED

SETTLED = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, AFTER = SETTLED - timedelta(hours=1), SETTLED + timedelta(hours=1)


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"kind": "missing"}, "never sent"),
        ({"kind": "missing", "unmappable": True}, "mapping"),
        ({"kind": "missing", "recent": True}, "on the way"),
        ({"kind": "missing", "delivery": "waiting"}, "on the way"),
        ({"kind": "missing", "delivery": "held"}, "on the way"),
        ({"kind": "missing", "delivery": "refused"}, "refused"),
        ({"kind": "missing", "delivery": "refused", "recent": True}, "refused"),
        ({"kind": "missing", "delivery": "expired"}, "refused"),
        ({"kind": "missing", "delivery": "in_doubt"}, "in doubt"),
        ({"kind": "missing", "delivery": "delivered", "settled_at": SETTLED}, "changed there"),
        ({"kind": "extra"}, "changed there"),
        ({"kind": "extra", "delivery": "delivered", "settled_at": SETTLED}, "changed here"),
        ({"kind": "extra", "delivery": "waiting"}, "on the way"),
        ({"kind": "duplicate", "delivery": "waiting"}, "duplicate"),
        ({"kind": "fields"}, "never sent"),
        ({"kind": "fields", "source_changed_at": BEFORE, "target_changed_at": AFTER}, "changed there"),
        ({"kind": "fields", "delivery": "delivered", "settled_at": SETTLED, "source_changed_at": AFTER}, "changed here"),
        ({"kind": "fields", "delivery": "delivered", "settled_at": SETTLED, "source_changed_at": AFTER, "target_changed_at": AFTER}, "changed here"),
        ({"kind": "fields", "delivery": "delivered", "settled_at": SETTLED, "source_changed_at": BEFORE, "target_changed_at": AFTER}, "changed there"),
        ({"kind": "fields", "delivery": "delivered", "settled_at": SETTLED, "source_changed_at": BEFORE, "target_changed_at": BEFORE}, "mapping"),
        ({"kind": "fields", "delivery": "delivered", "settled_at": SETTLED}, "mapping"),
        ({"kind": "fields", "delivery": "unreadable", "settled_at": SETTLED}, "refused"),
    ],
)  # fmt: skip
def test_the_cause_follows_from_what_is_known(facts: dict[str, Any], cause: str) -> None:
    assert cause_of(Facts(**facts)) == cause


def test_every_cause_is_explained_in_both_languages() -> None:
    assert set(EXPLAINED) == set(CAUSES)
    assert all(english and chinese for english, chinese in EXPLAINED.values())
