"""A process of the bridge as the kit runs it: the ordinary command, in a process that can be told to die and to misread its clock.

    python -m tests.crash.entry --trigger FILE --clock FILE -- worker tests.crash.service:bridge

The program's own code has no such switch: an observer of its named points and another clock are put in from here.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

from tests.crash.control import Number, Trigger

BILLION = 1_000_000_000


def die_when_told(trigger: Trigger) -> None:
    """kill -9 of this process at the named point that the trigger is set to."""
    from bridge.delivery.points import POINTS, Point, observers

    def look(point: Point) -> None:
        if trigger.passes(POINTS.index(point)):
            os.kill(os.getpid(), signal.SIGKILL)

    observers.append(look)


def misread_clock(offset: Number) -> None:
    """Have this process's wall clock be off by so many seconds: `time.time`, `time.time_ns`, and by them the store's clock.
    Monotonic time is what it was, as where an operator sets a clock."""
    true_time, true_ns = time.time, time.time_ns
    time.time = lambda: true_time() + offset.value
    time.time_ns = lambda: true_ns() + offset.value * BILLION


def limit_files(most: int) -> None:
    """No file of this process grows beyond `most` bytes: a full disk where no small one can be mounted."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def prepare(words: list[str]) -> list[str]:
    """Put the hooks in, as the words before `--` say; the words after it."""
    cut = words.index("--")
    parser = argparse.ArgumentParser(prog="python -m tests.crash.entry")
    parser.add_argument("--trigger", type=Path, required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--file-limit", type=int, default=0, help="bytes")
    given = parser.parse_args(words[:cut])
    misread_clock(Number(given.clock))
    if given.file_limit:
        limit_files(given.file_limit)
    die_when_told(Trigger(given.trigger))
    return words[cut + 1 :]


def main() -> None:
    words = prepare(sys.argv[1:])
    if words[0] in ("script", "person"):
        import_module(f"tests.crash.{words[0]}").main(words[1:])
        return
    from bridge.cli import main as run_command

    sys.argv = ["soapbridge", *words]
    run_command()


if __name__ == "__main__":
    main()
