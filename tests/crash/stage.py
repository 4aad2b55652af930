"""Everything that runs in a run: the partner, the bridge's processes, the producers, the person; started, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from typing import Final

from sqlalchemy import create_engine

from bridge.store import Store
from tests.crash.control import Number
from tests.crash.databases import Database
from tests.crash.documents import CONTRACT, Receipt, read
from tests.crash.members import Member, bridge_members, end_all, kill_all
from tests.crash.plan import AT_ACCEPTING, Options, topologies
from tests.crash.report import Report
from tests.crash.table import document
from tests.ports import free_port

STREAMS: Final = {"producer": 0.6, "script": 0.4}
"""The producers, and their share of the documents."""

START: Final = 60.0
"""Seconds until the first document must be accepted."""

Say = Callable[[str], object]

_SETTINGS = """
[store]
url = "{url}"
[delivery]
lease = {options.lease}
sweep = 0.5
[log]
format = "json"
[partners.desk]
wsdl = "{contract}"
endpoint = "http://127.0.0.1:{port}/"
connect_timeout = {options.deadline}
read_timeout = {options.deadline}
deadline = {options.deadline}
keeps_id = {keeps_id}
after_doubt = "continue"
first_delay = 0.1
max_delay = 1.0
concurrency = 8
circuit_pause = 0.3
"""


class Stage:
    """Processes in a folder, around a database.

    Args:
        report: where it is counted what ended by itself, and told what ended wrongly.
    """

    def __init__(self, options: Options, folder: Path, database: Database, report: Report, say: Say) -> None:
        self.options = options
        self.folder = folder
        self.database = database
        self.report = report
        self.say = say
        self.clock = Number(folder / "clock")
        self.bridge: list[Member] = []
        self.producers: list[Member] = []
        self.person: list[Member] = []
        self.partner = self._partner()
        self._budgets = {name: Number(folder / f"{name}.budget") for name in STREAMS}
        self._ports = (free_port(), free_port())
        self._topologies = list(topologies(options))

    @property
    def members(self) -> list[Member]:
        """All that may be killed."""
        return [*self.bridge, *self.producers, *self.person]

    @property
    def has_person(self) -> bool:
        """Whether somebody settles what is in doubt: where the partner keeps no id, and there are commands to do it with."""
        return self.options.partner == "keeps-none" and find_spec("bridge.delivery.acts") is not None

    def start(self) -> None:
        """Returns when the first document is accepted; from then on things may be killed.

        Raises:
            RuntimeError: none is.
        """
        self.partner.start()
        self._write_settings(_first_line(self.partner))
        self._prepare_store()
        self.producers = [self._producer(name) for name in STREAMS]
        if self.has_person:
            words = ("person", "--received", self.folder / "received.jsonl")
            self.person = [Member("person", "person", words, self.folder)]
        self.next_topology()
        for member in (*self.producers, *self.person):
            member.start()
        self.raise_budget(0.0)
        until = time.monotonic() + START
        while not self.receipts():
            if time.monotonic() > until:
                raise RuntimeError(f"nothing was accepted in {START:.0f} s: see the logs in {self.folder}")
            time.sleep(0.1)

    def _partner(self) -> Member:
        options = self.options
        words: list[object] = ["tests.crash.receiver", "--kind", options.partner]
        words += ["--log", self.folder / "received.jsonl", "--seed", options.seed]
        words += ["--pause", 1.5 * options.deadline]
        return Member("partner", "partner", words, self.folder, hooked=False)

    def _write_settings(self, port: int) -> None:
        keeps_id = str(self.options.partner == "keeps-id").lower()
        text = _SETTINGS.format(
            url=self.database.url, options=self.options, contract=CONTRACT, port=port, keeps_id=keeps_id
        )
        (self.folder / "bridge.toml").write_text(text)

    def _prepare_store(self) -> None:
        store = Store(self.database.url)
        store.migrate()
        store.close()
        engine = create_engine(self.database.url)
        document.metadata.create_all(engine)
        engine.dispose()

    def _producer(self, name: str) -> Member:
        count = round(STREAMS[name] * self.options.documents)
        words: list[object] = ["--stream", name, "--receipts", self.folder / f"{name}.receipts.jsonl"]
        words += [
            "--documents",
            count,
            "--seed",
            self.options.seed,
            "--budget",
            self.folder / f"{name}.budget",
        ]
        if name == "script":
            return Member(name, "script", ("script", *words), self.folder, passes=AT_ACCEPTING)
        ports = [word for port in self._ports for word in ("--port", port)]
        return Member(name, "producer", ("tests.crash.producer", *words, *ports), self.folder, hooked=False)

    def next_topology(self) -> None:
        """End the bridge where it runs, and start its next set of processes."""
        self.end_bridge()
        commands = self._topologies.pop(0)
        self.say(f"bridge: {' + '.join(commands)}")
        self.bridge = bridge_members(commands, self._ports, self.folder)
        for member in self.bridge:
            member.start()

    def raise_budget(self, share: float) -> None:
        """Let the producers go on until this share of all documents is put; never lowered."""
        for name, budget in self._budgets.items():
            budget.value = max(budget.value, int(share * STREAMS[name] * self.options.documents) + 1)

    def tend(self) -> None:
        """Start again what has died."""
        self.database.see_to_it()
        for member in self.members:
            if member.runs or member.finished:
                continue
            status = member.process.returncode if member.process is not None else None
            if status == 0 and member in self.producers:
                member.finished = True
                continue
            if status is not None and status >= 0:
                self.report.others[f"{member.role} ended by itself with {status}"] += 1
            member.start()

    def end_bridge(self) -> None:
        """SIGTERM to all of its processes at once: each must end well, whatever it is at."""
        for name, status in end_all(self.bridge).items():
            # The second: it had not come so far yet as to have its own way to end.
            if status not in (0, -SIGTERM):
                how = "did not end" if status is None else f"ended with {status}"
                self.report.verdict.found("bad end", name, f"{how} after SIGTERM; see {name}.log")

    def kill(self) -> None:
        """Nothing runs afterwards."""
        kill_all([*self.members, self.partner])

    def receipts(self) -> list[Receipt]:
        """What producers were told to be accepted."""
        return [one for name in STREAMS for one in read(self.folder / f"{name}.receipts.jsonl", Receipt)]


def _first_line(member: Member) -> int:
    """The port that a server of the kit prints first."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        text = member.log.read_text() if member.log.exists() else ""
        if "\n" in text:
            return int(text.splitlines()[0])
        if not member.runs:
            break
        time.sleep(0.02)
    raise RuntimeError(f"{member.name} did not start: see {member.log}")
