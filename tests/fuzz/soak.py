"""`python -m tests.fuzz.soak`: a million hostile messages over HTTP to one server, and how much memory it has meanwhile.

The server is `soapbridge up` as it ships, on an SQLite file, in a process of its own. Most messages are mutations, some are the samples as they are;
each client sends the next when the last is answered. After the first tenth, in which caches fill, memory may grow by no more than GROWTH.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import SAMPLES

GROWTH = 24 * 1024 * 1024
"""Bytes: of a process that has 150 to 200 MB. A leak of 100 bytes a message would be 90 MB in a million."""
CLIENTS = 4
POOL = 4000
"""Mutations that are sent round and round: to make a new one for each message takes longer than to answer it."""


@dataclass
class Soaked:
    """`memory` are (messages sent, resident bytes), `statuses` HTTP's."""

    sent: int = 0
    seconds: float = 0.0
    memory: list[tuple[int, int]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    honest: bool = False

    @property
    def growth(self) -> int:
        """Bytes that the last third's least is above the most of the second tenth of the run."""
        early = [size for count, size in self.memory if self.sent * 0.1 <= count <= self.sent * 0.25]
        late = [size for count, size in self.memory if count >= self.sent * 0.67]
        return min(late) - max(early)


def soak(messages: int, folder: Path, seed: int = 1, tell: bool = False) -> Soaked:
    """Sends so many, then asks whether an honest request is still answered."""
    seeds = [file.read_bytes() for file in sorted(SAMPLES.glob("*/*.xml"))]
    random = Random(seed)
    pool = seeds + [mutated(random, random.choice(seeds), seeds) for _ in range(POOL)]
    soaked = Soaked()
    with Server(folder) as server:
        begun = time.monotonic()
        lock = threading.Lock()
        step = max(1, messages // 200)
        wrong: list[BaseException] = []

        def client(number: int) -> None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                for turn in range(number, messages, CLIENTS):
                    body = pool[turn % len(pool)]
                    kind = "application/soap+xml" if b"2003/05/soap-envelope" in body else "text/xml"
                    connection.request("POST", "/services/purchasing", body, {"Content-Type": kind})
                    answer = connection.getresponse()
                    answer.read()
                    with lock:
                        soaked.sent += 1
                        soaked.statuses[answer.status] += 1
                        if soaked.sent % step == 0:
                            soaked.memory.append((soaked.sent, server.resident()))
                            if tell and soaked.sent % (step * 10) == 0:
                                print(
                                    f"{soaked.sent:9,} messages, {soaked.memory[-1][1] / 1e6:6.1f} MB",
                                    flush=True,
                                )
                connection.close()
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise wrong[0]
        soaked.seconds = time.monotonic() - begun
        soaked.honest = server.answers(
            next(
                body
                for file, body in zip(sorted(SAMPLES.glob("*/*.xml")), seeds, strict=True)
                if "good" in file.name
            )
        )
    return soaked


class Server:
    """`soapbridge up` in a process of its own, on any free port; its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        environ = {
            **os.environ,
            "SOAPBRIDGE_DATA_FOLDER": str(folder),
            "SOAPBRIDGE_LOG_REQUESTS": "none",
            "SOAPBRIDGE_LOG_LEVEL": "error",
        }
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "up", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environ,
            text=True,
        )
        self.port = self._find_port()

    def _find_port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
                self._reader.start()
                return int(found[1])
        raise RuntimeError(f"the server ended with status {self._process.wait()}")

    def resident(self) -> int:
        """Bytes of memory that it has."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    def answers(self, body: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            "POST",
            "/services/purchasing",
            body,
            {"Content-Type": "text/xml" if b"soap/envelope/" in body else "application/soap+xml"},
        )
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status == 200 or b"Server" not in text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._reader.join(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._log.close()


def main(words: list[str] | None = None) -> int:
    """0: memory stayed as it was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soaked = soak(given.messages, Path(folder), given.seed, tell=True)
    statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(soaked.statuses.items()))
    flat = soaked.growth <= GROWTH
    print(
        f"{soaked.sent:,} messages in {soaked.seconds:.0f} s ({statuses}); memory grew by {soaked.growth / 1e6:.1f} MB, "
        f"{'which is flat' if flat else 'TOO MUCH'}; an honest request is {'answered' if soaked.honest else 'NOT ANSWERED'}"
    )
    return 0 if flat and soaked.honest else 1


if __name__ == "__main__":
    sys.exit(main())
