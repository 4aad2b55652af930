"""The figure that tells how old the newest backup is."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.backup.folder import name_for
from bridge.ops.probe import StoreProbe
from bridge.store import Store


def age(folder: Path, backups: Path | None) -> float | None:
    store = Store(f"sqlite:///{folder / 'bridge.sqlite'}")
    store.prepare()
    try:
        return StoreProbe(store, backups=backups).state(10).backup_age
    finally:
        store.close()


def test_without_a_folder_nothing_is_told(tmp_path: Path) -> None:
    assert age(tmp_path, None) is None


def test_a_folder_without_backups_or_that_is_not_there_is_infinitely_old(tmp_path: Path) -> None:
    (tmp_path / "notes.backup").touch()
    assert age(tmp_path, tmp_path) == math.inf
    assert age(tmp_path, tmp_path / "missing") == math.inf


def test_the_age_is_that_of_the_newest(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for hours in (50, 2, 30):
        (tmp_path / name_for(now - timedelta(hours=hours))).touch()
    found = age(tmp_path, tmp_path)
    assert found is not None
    assert 2 * 3600 <= found < 3 * 3600


def test_a_store_that_cannot_be_used_has_backups_all_the_same(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'bridge.sqlite'}")
    state = StoreProbe(store, backups=tmp_path).state(10)
    assert (state.reachable, state.backup_age) == (False, math.inf)
    store.close()
