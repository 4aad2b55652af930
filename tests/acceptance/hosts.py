"""Hosts of their own on one machine: network namespaces on a switch, each with its address, its host name and a cable to pull.

Nothing of the machine's own network is touched: the switch is in a namespace too. Needs root on Linux.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any, Self

from tests.acceptance.shipped_erp import environment

NETWORK = "192.0.2"  # reserved for documentation: nobody's


def why_not() -> str | None:
    """Why there can be no such hosts here; None where there can be."""
    missing = [name for name in ("ip", "unshare", "setpriv") if shutil.which(name) is None]
    if missing:
        return f"there is no command {missing[0]}"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Hosts("probe"):
            return None
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.strip()}"


class Hosts:
    """`with Hosts("a", "b") as hosts`: they see each other and nothing else, and are gone afterwards with all that runs on them."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.processes: list[subprocess.Popen[str]] = []
        self._prefix = f"soapbridge-{os.getpid()}"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._make("switch")
            self._ip("switch", "link", "add", "switch", "type", "bridge")
            self._ip("switch", "link", "set", "switch", "up")
            for name in self.names:
                self._plug_in(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate(timeout=20)
        for namespace in self._made:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def address(self, name: str) -> str:
        return f"{NETWORK}.{self.names.index(name) + 1}"

    def pull_cable(self, name: str) -> None:
        """What it sends gets nowhere, and nothing reaches it. It is not told."""
        self._ip("switch", "link", "set", name, "down")

    def plug_cable(self, name: str) -> None:
        self._ip("switch", "link", "set", name, "up")

    def lose_way(self, name: str, to: str) -> None:
        """What it sends to this one gets nowhere, and its other ways are what they were."""
        self._ip(name, "route", "add", "blackhole", self.address(to))

    def find_way(self, name: str, to: str) -> None:
        self._ip(name, "route", "del", "blackhole", self.address(to))

    def start(
        self, name: str, *words: object, folder: Path, log: IO[str], user: str | None = None, **variables: str
    ) -> subprocess.Popen[str]:
        """A process on a host; what it prints is to be read, what it logs goes to `log`."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name]
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._namespace(name), *named, *as_user, *map(str, words)],
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        self.processes.append(process)
        return process

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _make(self, name: str) -> None:
        _run("ip", "netns", "add", self._namespace(name))
        self._made.append(self._namespace(name))

    def _plug_in(self, name: str) -> None:
        self._make(name)
        peer = ("peer", "name", "eth0", "netns", self._namespace(name))
        self._ip("switch", "link", "add", name, "type", "veth", *peer)
        self._ip("switch", "link", "set", name, "master", "switch", "up")
        self._ip(name, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            self._ip(name, "link", "set", link, "up")

    def _ip(self, host: str, *words: str) -> None:
        _run("ip", "-n", self._namespace(host), *words)


def _run(*words: str) -> Any:
    return subprocess.run(words, capture_output=True, text=True, check=True)
