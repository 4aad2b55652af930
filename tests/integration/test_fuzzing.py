"""The fuzzer in short, and the soak: `make fuzz` and `make soak` are the long forms."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import targets
from tests.fuzz.run import fuzz
from tests.fuzz.soak import GROWTH, Soaked, soak

RUNS = 250
SEED = 20_261_126


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", ["envelope", "security", "codec", "settings", "wsdl"])
def test_nothing_that_was_bent_breaks_a_promise(name: str, tmp_path: Path) -> None:
    takes_folder = name in ("security", "settings", "wsdl")
    make = getattr(targets, name)
    target: targets.Target = make(tmp_path) if takes_folder else make()
    outcome = fuzz(target, RUNS, SEED)
    assert not outcome.findings, f"seed {SEED}: {outcome.findings[0][:2]}"
    assert outcome.counts["done"] > 10, "some must get through, or nothing was tried"
    assert outcome.counts["refused"] > 10


def test_a_finding_would_be_found() -> None:
    def breaks(body: bytes) -> str:
        if b"]]>" in body:
            raise targets.Finding("broken", body)
        return "done"

    outcome = fuzz(targets.Target("any", [b"<a>text</a>"], breaks), 2000, SEED)
    assert outcome.findings
    again = fuzz(targets.Target("any", [b"<a>text</a>"], breaks), 2000, SEED)
    assert again.findings == outcome.findings, "the same seed gives the same mutations"


def test_memory_stays_flat_under_hostile_messages(tmp_path: Path) -> None:
    soaked = soak(3000, tmp_path)
    assert soaked.sent == 3000
    assert soaked.honest
    assert set(soaked.statuses) <= {200, 400, 500}
    assert soaked.growth < GROWTH


def test_memory_that_grows_is_seen() -> None:
    grows = Soaked(sent=1000, memory=[(count, 100_000_000 + count * 100_000) for count in range(0, 1001, 10)])
    assert grows.growth > GROWTH
