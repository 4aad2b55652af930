"""What a command costs before it does anything: CPU of a new process, the best of several, nothing left out.

`init` makes a whole project of the inventory contract: reads and copies it, makes samples, handlers and types.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Budget

ROUNDS = 7
_LONGEST = 0.5


def _seconds(*arguments: str) -> float:
    """CPU seconds of a Python process with these arguments, its modules compiled as they are once installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=kept)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


def run() -> tuple[list[str], list[Budget]]:
    bare, shown, made = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            bare.append(_seconds("-c", "pass"))
            shown.append(_seconds("-m", "bridge", "--help"))
            made.append(
                _seconds("-m", "bridge", "init", str(Path(folder) / f"stock-{number}"), "--wsdl", "inventory")
            )
    lines = [
        "| command | CPU ms |",
        "|---|---|",
        f"| python -c pass | {min(bare) * 1000:.0f} |",
        f"| soapbridge --help | {min(shown) * 1000:.0f} |",
        f"| soapbridge init, 2 operations | {min(made) * 1000:.0f} |",
    ]
    return lines, [
        Budget("`soapbridge --help`", min(shown), _LONGEST, unit="s"),
        Budget("`soapbridge init`", min(made), _LONGEST, unit="s"),
    ]


if __name__ == "__main__":
    rows, budgets = run()
    print(*rows, *(budget.row() for budget in budgets), sep="\n")
