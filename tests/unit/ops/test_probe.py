from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.ops import probe
from bridge.ops.probe import Disk, StoreProbe, disks, folder_warnings
from bridge.store import Store


def store_in(folder: Path) -> Store:
    made = Store(f"sqlite:///{folder / 'bridge.sqlite'}")
    made.prepare()
    return made


def test_a_store_that_answers_is_reachable_and_tells_the_age_of_what_is_unsettled(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    store.unsettled |= {"request": lambda session: long_ago, "entry": lambda session: None}
    state = StoreProbe(store).state()
    assert state.reachable
    assert state.unsettled["request"] >= 3600
    assert state.unsettled["entry"] == 0.0
    store.close()


def test_a_store_without_tables_is_not_reachable(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'bridge.sqlite'}")
    assert not StoreProbe(store).state().reachable
    store.close()


def test_a_store_that_hangs_is_asked_once_and_waited_for_in_vain(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    asked, go_on = [], threading.Event()

    def hang(session: object) -> None:
        asked.append(session)
        go_on.wait(10)

    store.unsettled["entry"] = hang
    patient = StoreProbe(store)
    assert [patient.state(0.05).reachable for _ in range(3)] == [False] * 3
    assert len(asked) == 1
    go_on.set()
    assert patient.state(10).reachable
    store.close()


def test_disks_are_those_of_the_data_folder_and_of_the_file(tmp_path: Path) -> None:
    found = list(disks(tmp_path / "not" / "made" / "yet", tmp_path / "bridge.sqlite"))
    assert [disk.use for disk in found] == ["data", "store"]
    assert all(0 < disk.free <= disk.size for disk in found)
    assert len(list(disks(tmp_path))) == 1


def test_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(probe, "_disk", lambda use, folder: Disk(use, 5 * 1024**2, 1024**4))
    (warning,) = folder_warnings(tmp_path)
    assert "5 MB are free where the data folder is" in warning


def test_a_folder_that_others_may_look_into_is_a_warning_with_its_remedy(tmp_path: Path) -> None:
    file = tmp_path / "bridge.sqlite"
    file.touch(0o600)
    tmp_path.chmod(0o750)
    (warning,) = [one for one in folder_warnings(tmp_path, file) if "free" not in one]
    assert f"chmod 700 {tmp_path}" in warning
    tmp_path.chmod(0o700)
    file.chmod(0o644)
    (warning,) = [one for one in folder_warnings(tmp_path, file) if "free" not in one]
    assert f"chmod 600 {file}" in warning
