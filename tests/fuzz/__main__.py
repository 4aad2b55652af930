"""`python -m tests.fuzz`: mutations of messages, settings and contracts, and whether any breaks a promise. docs/fuzzing.md."""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.run import Outcome, fuzz
from tests.fuzz.targets import every

PAGE = Path(__file__).parents[2] / "docs/fuzzing.md"


def main(words: list[str] | None = None) -> int:
    """0: nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets, with a comma between")
    parser.add_argument("--write", action="store_true", help="write docs/fuzzing.md")
    given = parser.parse_args(words)
    logging.disable(logging.CRITICAL)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for target in every(Path(folder)):
            if not given.only or target.name in given.only.split(","):
                outcomes.append(fuzz(target, given.runs, given.seed, _say))
                _say(outcomes[-1])
    for outcome in outcomes:
        for number, what, body in outcome.findings:
            kept = Path(tempfile.gettempdir(), f"fuzz-{outcome.target}-{outcome.seed}-{number}.bin")
            kept.write_bytes(body)
            print(f"FOUND by {outcome.target}, run {number}: {what}\n    {kept}")
    if given.write:
        PAGE.write_text(page(outcomes), "utf-8")
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def _say(outcome: Outcome) -> None:
    counts = ", ".join(f"{count} {word}" for word, count in sorted(outcome.counts.items()))
    print(
        f"{outcome.target:10} {outcome.runs:8} tried in {outcome.seconds:6.0f} s: {counts}; {len(outcome.findings)} found",
        flush=True,
    )


def page(outcomes: list[Outcome]) -> str:
    """docs/fuzzing.md."""
    rows = "\n".join(
        f"| {one.target} | {one.seed} | {one.runs:,} | {one.counts['done']:,} | {one.counts['refused']:,} | {one.seconds:.0f} | {len(one.findings)} |"
        for one in outcomes
    )
    return f"""# Fuzzing

<!-- Made by `python -m tests.fuzz --write`: change the text there. -->

Messages, settings and contracts that were good once, bent at random: bytes changed, cut out, repeated, moved, whole elements put elsewhere, pieces of one put into another.
The same seed gives the same mutations, each by itself, so that any can be tried again.

    make fuzz                                          20,000 mutations of each
    make fuzz ARGS="--runs 1000000 --only security"    as many as there is time for

| target | what is tried | what must hold |
|---|---|---|
| envelope | every sample of the purchasing contract, to a service that answers everybody | an answer or a Fault, in an envelope; no failure of ours; what reaches a handler is admitted by a second validator too (xmlschema, which shares no line with libxml2) |
| security | the good samples, signed (by a caller's certificate and by a stranger's) or with a digest | the same; and what reaches a handler says just what its sender signed, or came with a digest |
| codec | the samples | what is valid is decoded, encoded, decoded and encoded to the same text |
| settings | `bridge.toml` with all its keys | settings, or a SettingsError that says something |
| wsdl | the contracts of the tests | it loads, or a ContractError |

A message of these sizes that takes more than 5 s of CPU counts as a hang. Nonces are taken as often as they come here, so that every mutation is looked at; that each is taken once is tested elsewhere.

## The last run

{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}:

| target | seed | tried | done | refused | seconds | found |
|---|---|---|---|---|---|---|
{rows}

A short form is in `make test`, beside the property tests of each part.
"""


if __name__ == "__main__":
    sys.exit(main())
