"""Processes that wait for documents: what they use while there are none, and when they send the first.

    python -m benchmarks.waiting URL     a runner on this store; prints id and moment of each document it sends

It ends when its standard input does, so that none outlives the benchmark that started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
SETTLES = 2.0
WATCHED = 6.0
"""Seconds: until a worker that has started is at rest, and for how long it is watched."""


def cpu_of(process_id: int) -> float:
    """Seconds of CPU that a process has used so far, all its threads, user and system; not those of its children."""
    # Linux's clock of another process (clock_getcpuclockid); ticks of /proc are too coarse for a process at rest.
    return time.clock_gettime((~process_id << 3) | 2)


def idle_share(url: str) -> float:
    """CPU time of a `soapbridge worker` that has a partner and no documents, as a part of the time that passes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "bridge.toml"
        settings.write_text(
            f'[store]\nurl = "{url}"\n[partners.crm]\nwsdl = "events"\nendpoint = "http://127.0.0.1:9/"\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "worker", "--json", "--config", str(settings)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(f"the worker ended with status {process.wait()}; its reason is above")
            time.sleep(SETTLES)
            cpu, began = cpu_of(process.pid), time.monotonic()
            time.sleep(WATCHED)
            return (cpu_of(process.pid) - cpu) / (time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


class Receiver:
    """A runner in a process of its own, whose partner tells what it was sent and when."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.waiting", url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def next(self) -> tuple[str, float]:
        """Id of the next document that is sent, and when: seconds of the clock that all processes of a machine share."""
        entry_id, moment = self._line().split()
        return entry_id, float(moment)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the runner ended with status {self._process.wait()}; its reason is above")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _run(url: str) -> None:
    from benchmarks.delivery import runner_of
    from bridge.store import Store

    store = Store(url)
    runner = runner_of(store, lambda document: print(document.id, time.monotonic(), flush=True))
    runner.start()
    if not runner.listener.connected.wait(10):
        raise RuntimeError(f"nobody listens to {store.shown}")
    print("ready", flush=True)
    for _ in sys.stdin:
        pass
    runner.stop(5.0)
    store.close()


if __name__ == "__main__":
    _run(sys.argv[1])
