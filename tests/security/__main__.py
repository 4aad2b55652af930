"""`python -m tests.security`: attacks a bridge and shows what happened. docs/attacks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.security.report import line, page
from tests.security.run import Result, every, run


def main(words: list[str] | None = None) -> int:
    """0: everything happened as it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__)
    parser.add_argument("--only", default="", help="attacks whose theme or name has this in it")
    parser.add_argument("--page", type=Path, help="write the table here, as Markdown")
    given = parser.parse_args(words)
    wanted = [one for one in every() if given.only.lower() in f"{one.theme}: {one.name}".lower()]
    with tempfile.TemporaryDirectory(prefix="security-") as folder:
        results = run(wanted, Path(folder), _say)
    bad = [result for result in results if result.problems]
    print(
        f"\n{len(results)} attacks, {sum(result.tries for result in results)} tries, {len(bad)} not as they must be"
    )
    if given.page:
        given.page.write_text(page(results), "utf-8")
    return 1 if bad else 0


def _say(result: Result) -> None:
    print(line(result), flush=True)
    for problem in result.problems:
        print(f"    WRONG: {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
