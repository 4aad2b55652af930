"""Salesforce's outbound messages over real HTTP: its simulator sends, a bridge answers."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from bridge import Bridge
from bridge.errors import HandlerError, SettingsError
from bridge.host.server import ServerOptions, _Config, _metrics_socket, _Server
from bridge.partners.partner import Record
from bridge.settings import load
from bridge.store.tables import notification
from bridge.testing.salesforce import Queued, Salesforce

FIELDS = {"Name": "string", "Level__c": "string", "Active__c": "boolean"}


def number(count: int) -> str:
    return f"001{count:012d}AAA"


class Told:
    """What reached the flows, in its order; `error` is raised instead, as often as `failures` says."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.failures = 0

    def __call__(self, partner: str, entity: str, records: Sequence[Record]) -> None:
        assert (partner, entity) == ("crm", "Account")
        if self.failures:
            self.failures -= 1
            raise HandlerError("Not today.")
        self.records += records

    @property
    def names(self) -> list[str]:
        return [str(record.values["Name"]) for record in self.records]


@contextmanager
def serving(bridge: Bridge) -> Iterator[str]:
    options = dataclasses.replace(ServerOptions.of(bridge.settings), port=0, grace=5)
    started, ports = threading.Event(), list[int]()
    server = _Server(_Config(bridge.wsgi, options, _metrics_socket(options)))

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    server.ready = ready
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}/services/account"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def org() -> Salesforce:
    return Salesforce("Account", FIELDS)


Listening = Callable[..., tuple[Bridge, Told]]


@pytest.fixture
def listening(tmp_path: Path, store_url: str, org: Salesforce) -> Iterator[Listening]:
    made: list[Bridge] = []

    def make(organization: str = "00D000000000001") -> tuple[Bridge, Told]:
        (tmp_path / "account.wsdl").write_text(org.wsdl("https://bridge.example/services/account"), "utf-8")
        (tmp_path / "bridge.toml").write_text(
            f'[store]\nurl = "{store_url}"\n[partners.crm]\nkind = "salesforce"\nwsdl = "account.wsdl"\n'
            f'client_id = "{organization}"\n',
            "utf-8",
        )
        bridge = Bridge(load(tmp_path / "bridge.toml"))
        made.append(bridge)
        told = Told()
        bridge.listen("crm", told)
        bridge.check()
        return bridge, told

    yield make
    for bridge in made:
        if bridge.store is not None:
            bridge.store.close()


def test_notifications_are_taken_in_batches_with_one_ack_each(listening: Listening, org: Salesforce) -> None:
    bridge, told = listening()
    for count in range(250):
        org.change(number(count), Name=f"Account {count}", Active__c=True)
    with serving(bridge) as endpoint:
        sent = org.send(endpoint)
    assert (sent.acknowledged, sent.messages, sent.queued) == (250, 3, 0)
    assert sorted(told.names) == sorted(f"Account {count}" for count in range(250))
    first = told.records[0]
    assert first.values["Active__c"] is True
    assert first.changed_at is not None


def test_what_is_told_twice_is_taken_once(listening: Listening) -> None:
    org = Salesforce("Account", FIELDS, repeats=0.6, seed=7)
    bridge, told = listening()
    for count in range(40):
        org.change(number(count), Name=f"Account {count}")
    with serving(bridge) as endpoint:
        sent = org.send_all(endpoint)
    assert sent.messages > 3
    assert sent.queued == 0
    assert len(told.names) == len(set(told.names)) == 40


def test_an_older_state_that_comes_later_is_passed_over(listening: Listening, org: Salesforce) -> None:
    bridge, told = listening()
    org.change(number(1), Name="Old")
    old = org.message(org.queue[:1])
    org.change(number(1), Name="New")
    with serving(bridge) as endpoint:
        org.send(endpoint)
        late = old.replace(b"04l000000000001AAA", b"04l000000000099AAA")
        answer = requests.post(
            endpoint, data=late, headers={"Content-Type": "text/xml", "SOAPAction": '""'}, timeout=10
        )
    assert b"true" in answer.content
    assert told.names == ["New"]


def test_what_failed_is_told_again_and_nothing_of_it_was_kept(listening: Listening, org: Salesforce) -> None:
    bridge, told = listening()
    told.failures = 1
    for count in range(3):
        org.change(number(count), Name=f"Account {count}")
    with serving(bridge) as endpoint:
        first = org.send(endpoint)
        assert (first.acknowledged, first.queued) == (0, 3)
        assert first.answers == ["HTTP 500, Ack None"]
        assert bridge.store is not None
        with bridge.store.reading() as session:
            assert session.execute(select(notification)).all() == []
        assert org.send(endpoint).messages == 0  # not due yet
        org.wait(timedelta(minutes=10))
        assert org.send(endpoint).acknowledged == 3
    assert len(told.names) == 3


def test_another_organization_is_not_acknowledged(listening: Listening, org: Salesforce) -> None:
    bridge, told = listening("00D000000000009")
    org.change(number(1), Name="A")
    with serving(bridge) as endpoint:
        sent = org.send(endpoint)
    assert (sent.acknowledged, sent.answers) == (0, ["HTTP 200, Ack false"])
    assert told.records == []


def test_a_batch_that_breaks_the_wsdl_is_refused_with_every_mistake(
    listening: Listening, org: Salesforce
) -> None:
    bridge, told = listening()
    org.change(number(1), Name="A", Active__c="perhaps")
    with serving(bridge) as endpoint:
        sent = org.send(endpoint)
    assert sent.answers == ["HTTP 500, Ack None"]
    assert told.records == []
    assert bridge.store is not None
    (entry,) = bridge.store.journal.list()
    assert entry.verdict == "invalid_request"


def test_the_simulator_drops_after_a_day_and_tells_nothing_of_deletes(org: Salesforce) -> None:
    org.change(number(1), Name="A")
    org.change(number(2), Name="B")
    org.delete(number(2))
    assert [one.record_id for one in org.queue] == [number(1)]
    assert isinstance(org.queue[0], Queued)
    org.wait(timedelta(hours=25))
    assert org.send("http://127.0.0.1:9/none").dropped == 1


def test_such_a_partner_can_be_asked_nothing(listening: Listening) -> None:
    bridge, _ = listening()
    with pytest.raises(HandlerError, match=r"tells of changes by outbound messages, and cannot be read"):
        bridge.any_partner("crm").fetch("Account")
    with pytest.raises(HandlerError, match="cannot be pinged"):
        bridge.any_partner("crm").ping()


def test_only_a_wsdl_of_outbound_messages_is_listened_to(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text(
        '[partners.crm]\nkind = "salesforce"\nwsdl = "purchasing"\n[partners.erp]\nwsdl = "purchasing"\n',
        "utf-8",
    )
    bridge = Bridge(load(tmp_path / "bridge.toml"), store=False)
    with pytest.raises(SettingsError, match="is not the WSDL of a Salesforce outbound message"):
        bridge.listen("crm", Told())
    with pytest.raises(SettingsError, match="tells nothing of its own accord"):
        bridge.listen("erp", Told())


def test_what_is_told_moves_by_a_flow_and_what_cannot_go_is_kept_as_a_problem(
    tmp_path: Path, store_url: str, org: Salesforce
) -> None:
    (tmp_path / "account.wsdl").write_text(org.wsdl("https://bridge.example/services/account"), "utf-8")
    (tmp_path / "erp.toml").write_text(
        '[entities.customers]\nid = "code"\ntable = "customers"\n[entities.customers.write]\n'
        'create = "INSERT INTO customers (code, grade) VALUES (:code, :grade)"\n'
        'update = "UPDATE customers SET grade = :grade WHERE code = :code"\n'
        '[entities.customers.fields]\ncode = { type = "text", required = true }\ngrade = { type = "text", one_of = ["1", "2"] }\n'
        "[partner]\nwritable = true\n",
        "utf-8",
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "erp.sqlite")) as database:
        database.execute("CREATE TABLE customers (code TEXT NOT NULL PRIMARY KEY, grade TEXT)")
    (tmp_path / "account.toml").write_text(
        '[fields]\ncode = { from = "Id", required = true }\ngrade = { from = "Level__c", lookup = "grades" }\n'
        '[lookups.grades]\nrows = { A = "1", B = "2" }\n',
        "utf-8",
    )
    (tmp_path / "bridge.toml").write_text(
        f'[store]\nurl = "{store_url}"\n[partners.crm]\nkind = "salesforce"\nwsdl = "account.wsdl"\n'
        f'[partners.erp]\nkind = "database"\nentities = "erp.toml"\ndatabase = "sqlite:///{tmp_path / "erp.sqlite"}"\n'
        '[flows.accounts]\nsource = "crm.Account"\ntarget = "erp"\noperation = "customers.upsert"\nmapping = "account.toml"\n'
        'trigger = "event"\n',
        "utf-8",
    )
    bridge = Bridge(load(tmp_path / "bridge.toml"))
    try:
        bridge.listen("crm")
        bridge.check()
        org.change(number(1), Level__c="A")
        org.change(number(2), Level__c="platinum")
        org.change(number(3), Level__c="B")
        with serving(bridge) as endpoint:
            sent = org.send(endpoint)
        assert (sent.acknowledged, sent.queued) == (3, 0)
        (problem,) = bridge.flows.problems(flow="accounts")
        assert (problem.stage, problem.record_id) == ("map", number(2))
        assert "platinum" in problem.explanation
        waiting = [one.entry.operation for one in bridge.deliveries.list(partner="erp")]
        assert waiting == ["customers.upsert", "customers.upsert"]
    finally:
        assert bridge.store is not None
        bridge.store.close()
