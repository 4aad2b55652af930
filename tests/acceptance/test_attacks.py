"""The attacks of `make security` in short: what takes long is left to that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.report import line
from tests.security.run import every, run

LEFT_OUT = ("Clients that never end", "Floods", "Counts and sizes", "Guessing")
SHORT = (
    "plain HTTP",
    "connections without",
    "hash collision",
    "coercive parsing",
    "comments, as many",
    "namespaces",
    "a namespace of 100,000",
    "digests",
    "one caller's password",
)
"""Of the themes that take long, these all the same."""
LARGE = ("a digest of five million", "token flood: 90,000", "by an insider: 5,000 tokens")
"""Of the others, these are left out."""


@pytest.mark.slow
def test_every_attack_ends_as_it_must_and_the_next_honest_request_is_answered(tmp_path: Path) -> None:
    attacks = [
        one
        for one in every()
        if (one.theme not in LEFT_OUT and not one.name.startswith(LARGE)) or one.name.startswith(SHORT)
    ]
    results = run(attacks, tmp_path, lambda _: None)
    assert len(results) > 170
    wrong = [f"{line(result)}: {'; '.join(result.problems)}" for result in results if result.problems]
    assert not wrong, "\n".join(wrong)
