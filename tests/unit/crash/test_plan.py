"""A run does what its seed says: the same disturbances, the same documents."""

from __future__ import annotations

import pytest

from bridge.delivery.points import POINTS
from tests.crash.plan import JUMP, STORES, Disturbance, Options, StoreKind, disturbances, topologies
from tests.crash.producer import KEYS, plan


@pytest.mark.parametrize("store", STORES)
def test_the_same_seed_disturbs_the_same_and_another_one_otherwise(store: StoreKind) -> None:
    assert disturbances(Options(seed=3, store=store)) == disturbances(Options(seed=3, store=store))
    assert disturbances(Options(seed=3, store=store)) != disturbances(Options(seed=4, store=store))


@pytest.mark.parametrize("kills", [len(POINTS), 30, 100])
@pytest.mark.parametrize("store", STORES)
def test_as_many_kills_as_were_asked_for_and_every_named_point_among_them(
    store: StoreKind, kills: int
) -> None:
    planned = disturbances(Options(store=store, kills=kills))
    assert sum(one.kills for one in planned) == kills
    assert {one.what for one in planned if one.act == "point"} == set(POINTS)


@pytest.mark.parametrize("store", STORES)
def test_every_topology_has_its_turn_the_disk_gets_full_and_the_clock_comes_back(store: StoreKind) -> None:
    options = Options(store=store)
    planned = disturbances(options)
    assert sum(one.act == "term" for one in planned) == len(topologies(options)) - 1
    assert any(one.act == "full" for one in planned)
    assert [one.count for one in planned if one.act == "clock"] == [JUMP, 0, -JUMP, 0]


def test_a_file_has_no_process_to_kill() -> None:
    assert Disturbance("store") not in disturbances(Options(store="sqlite"))
    assert Disturbance("store") in disturbances(Options(store="postgresql"))


def test_documents_are_numbered_in_each_key_from_one_and_the_hot_key_has_most() -> None:
    planned = plan("s", 1000, seed=1)
    assert planned == plan("s", 1000, seed=1)
    assert len({one.id for one in planned}) == 1000
    by_key: dict[str, list[int]] = {}
    for one in planned:
        by_key.setdefault(one.key, []).append(one.number)
    assert len(by_key) == len(KEYS) + 1
    assert max(by_key, key=lambda key: len(by_key[key])) == "hot"
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_key.values())
    assert any(one.undo for one in planned)
