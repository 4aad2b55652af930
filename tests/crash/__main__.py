"""`python -m tests.crash`: kill -9 everything for a while, and see whether what was accepted has arrived. docs/crash-kit.md."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.crash.plan import STORES, Options
from tests.crash.receiver import KINDS
from tests.crash.report import Report
from tests.crash.run import run

DEFAULT = Options()


def main(words: list[str] | None = None) -> int:
    """0: every promise was kept. 1: a violation was found, or a long run missed a named point."""
    given = _parser().parse_args(words)
    stores = STORES if given.store == "both" else (given.store,)
    partners = KINDS if given.partner == "both" else (given.partner,)
    reports = [_one(given, store, partner) for store in stores for partner in partners]
    proved = all(report.proves for report in reports)
    if given.json:
        json.dump({"ok": proved, "runs": [report.as_data() for report in reports]}, sys.stdout, indent=1)
    return 0 if proved else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seed", type=int, default=DEFAULT.seed)
    parser.add_argument("--documents", type=int, default=DEFAULT.documents, help="in each run")
    parser.add_argument("--kills", type=int, default=DEFAULT.kills, help="in each run")
    parser.add_argument("--store", choices=(*STORES, "both"), default="both")
    parser.add_argument("--partner", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--minutes", type=float, default=DEFAULT.minutes, help="that a run kills at most")
    parser.add_argument(
        "--topologies", type=int, default=0, help="sets of processes, one after the other; 0: all"
    )
    parser.add_argument("--folder", type=Path, help="keep the logs here; else only those of a run that fails")
    parser.add_argument("--json", action="store_true", help="one document for programs")
    return parser


def _one(given: argparse.Namespace, store: str, partner: str) -> Report:
    names = ("seed", "documents", "kills", "minutes", "topologies")
    options = Options(store=store, partner=partner, **{name: getattr(given, name) for name in names})
    name = f"crash-{store}-{partner}-{options.seed}"
    folder = given.folder / name if given.folder else Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL's user must pass through
    report = run(options, folder.resolve(), (lambda _: None) if given.json else _say)
    if not given.json:
        _say("\n".join(report.lines()))
    if given.folder or not report.proves:
        print(f"logs: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
