"""The attacks of `make security` in short: all messages and requests, and one of each kind that takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.report import line
from tests.security.run import every, run

LONG = ("Clients that never end", "Floods")


@pytest.mark.slow
def test_every_attack_ends_as_it_must_and_the_next_honest_request_is_answered(tmp_path: Path) -> None:
    attacks = [
        one
        for one in every()
        if one.theme not in LONG or "handshake" in one.name or "slow bodies" in one.name
    ]
    results = run(attacks, tmp_path, lambda _: None)
    assert len(results) > 100
    wrong = [f"{line(result)}: {'; '.join(result.problems)}" for result in results if result.problems]
    assert not wrong, "\n".join(wrong)
