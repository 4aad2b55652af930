"""docs/first-order.md as a newcomer follows it: every command is run, in order, and what the page promises must come."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.shipped_erp import ROOT, environment
from tests.ports import free_port

PAGE = ROOT / "docs/first-order.md"
SERVERS = ("make run", "soapbridge serve", "soapbridge mock")
"""What runs until it is stopped; the next one takes its place, as the page says."""


@dataclass
class Command:
    text: str
    promised: list[str] = field(default_factory=list)


@dataclass
class Code:
    file: str
    text: str


def steps() -> Iterator[Command | Code]:
    """The page's commands with the lines promised below them, and its pieces of Python with the file they go into."""
    named, lines = "", iter(PAGE.read_text("utf-8").splitlines())
    command: Command | None = None
    for line in lines:
        if line == "```python":
            code = []
            for inner in lines:
                if inner == "```":
                    break
                code.append(inner)
            yield Code(named, "\n".join(code) + "\n")
        elif line.startswith("    $ "):
            if command is not None:
                yield command
            command = Command(line.removeprefix("    $ "))
        elif line.startswith("    ") and command is not None:
            command.promised.append(line.removeprefix("    "))
        elif command is not None:
            yield command
            command = None
        if files := re.findall(r"`([\w/]+\.py)`", line):
            named = files[0]


class Newcomer:
    """Two terminals: one for what runs until it is stopped, one for the rest. Ports are free ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        bin_folder = Path(sys.executable).parent
        self.environment = environment(
            SOAPBRIDGE_SERVER_PORT=str(self.port),
            PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            MYPY_CACHE_DIR=str(ROOT / ".mypy_cache" / "first-order"),
        )

    def follow(self, step: Command | Code) -> None:
        if isinstance(step, Code):
            self.write(step)
        elif step.text.startswith("cd "):
            self.folder /= step.text.removeprefix("cd ")
            assert self.folder.is_dir()
        elif step.text.startswith(SERVERS):
            self.serve(step.text)
        else:
            self.run(step)

    def run(self, step: Command) -> None:
        done = subprocess.run(
            ["sh", "-c", step.text.replace("8080", str(self.port))],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        said = done.stdout.replace(str(self.port), "8080")
        refused = step.text.startswith("soapbridge validate") and "bad-" in step.text
        assert done.returncode == (1 if refused else 0), (step.text, done.stdout, done.stderr)
        assert promised(step).search(said), f"{step.text}\n\npromised:\n{step.promised}\n\ncame:\n{said}"

    def serve(self, text: str) -> None:
        """As in the first terminal; returns when it listens."""
        self.stop()
        text = f"{text} PORT={self.port}" if text.startswith("make ") else text
        self.server = subprocess.Popen(
            ["sh", "-c", f"exec {text}"], cwd=self.folder, env=self.environment, start_new_session=True
        )
        for _ in range(400):
            assert self.server.poll() is None, text
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"{text} does not listen")

    def stop(self) -> None:
        """Ctrl-C: to make and what it started alike."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGINT)
            self.server.wait(timeout=30)
            self.server = None

    def write(self, step: Code) -> None:
        """The code in the place of the function it defines, or at the end of the file."""
        path = self.folder.parent / step.file
        text = path.read_text("utf-8")
        names = {node.name for node in ast.parse(step.text).body if isinstance(node, ast.FunctionDef)}
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name in names:
                lines = text.splitlines(keepends=True)
                lines[node.decorator_list[0].lineno - 1 : node.end_lineno] = [step.text]
                path.write_text("".join(lines), encoding="utf-8")
                return
        path.write_text(f"{text}\n\n{step.text}", encoding="utf-8")


def promised(step: Command) -> re.Pattern[str]:
    """The lines promised, in order; `…` is anything, alone on a line any number of lines."""
    pattern = ""
    for line in step.promised:
        words = (re.escape(word).replace("…", ".*") for word in line.split())
        pattern += r"(?:.*\n)*?" if line == "…" else r"\s*" + r"\s+".join(words) + r".*\n?"
    return re.compile(pattern)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    """In a folder that is like a checkout with its .venv made, whose data is its own."""
    for name in ("Makefile", "bridge", "samples", "wsdl", "xsd", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / ".venv/.installed").touch()
    made = Newcomer(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("curl")), reason="make or curl is not installed"
)
def test_every_command_of_the_page_does_what_it_promises(newcomer: Newcomer) -> None:
    followed = list(steps())
    assert sum(isinstance(step, Command) for step in followed) > 12
    for step in followed:
        newcomer.follow(step)
