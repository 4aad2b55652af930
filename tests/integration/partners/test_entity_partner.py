"""A partner that is not reached by SOAP, with a backend in memory: from `send` to the journal, on a real store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge import Bridge
from bridge.delivery.sender import Document
from bridge.errors import HandlerError, InDoubt, PartnerError, Refused, SettingsError, Unpresentable
from bridge.partners import kinds
from bridge.partners.entities import Entity
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Page, Pong, Query, Record, Totals, Written
from bridge.settings import load

FILE = """\
[partner]
[entities.accounts]
id = "no"
[entities.accounts.fields]
no = { type = "text", required = true }
name = { type = "text", required = true }
"""


class Memory:
    """Keeps accounts in a dict; `error` is raised by the next write."""

    def __init__(self, setting: kinds.Setting) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.error: PartnerError | None = None
        self.mistakes: list[str] = list(setting.file.options.get("mistakes", []))

    def check(self) -> list[str]:
        return self.mistakes

    def write(self, entity: Entity, verb: str, values: Mapping[str, Any], document: Document) -> Written:
        if self.error is not None:
            raise self.error
        self.rows[values[entity.id]] = values
        return Written(values[entity.id], b"POST", b"OK", 201)

    def fetch(self, entity: Entity, query: Query) -> Page:
        return Page([Record(no, values) for no, values in sorted(self.rows.items())])

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        yield [(no, *(values[name] for name in fields)) for no, values in sorted(self.rows.items())]

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        return Totals(len(self.rows), {})

    def ping(self) -> Pong:
        raise Refused("not today")

    def find(self, document: Document) -> bool | None:
        return None

    can_find = True

    def address(self) -> str:
        return "memory"

    def close(self) -> None:
        pass


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    (tmp_path / "crm.toml").write_text(FILE, "utf-8")
    (tmp_path / "bridge.toml").write_text(
        f'[data]\nfolder = "{tmp_path}"\n[partners.crm]\nkind = "rest"\nentities = "crm.toml"\n', "utf-8"
    )
    memory = ModuleType("memory_backend")
    memory.backend = Memory  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "memory_backend", memory)
    monkeypatch.setitem(kinds.KINDS, "rest", "memory_backend:backend")  # type: ignore[arg-type]
    bridge = Bridge(load(tmp_path / "bridge.toml"))
    yield bridge
    if bridge.store is not None:
        bridge.store.close()


def crm(bridge: Bridge) -> tuple[EntityPartner, Memory]:
    partner = bridge.any_partner("crm")
    assert isinstance(partner, EntityPartner)
    assert isinstance(partner.backend, Memory)
    return partner, partner.backend


def test_what_is_sent_is_written_to_the_partner_and_journaled(bridge: Bridge) -> None:
    partner, memory = crm(bridge)
    with bridge.transaction():
        document = partner.send("accounts.upsert", {"no": "A-1", "name": "Example"}, reference="A-1")
    delivery = partner.deliver(document, exchange_id="x-1")
    assert delivery.outcome == "Delivered"
    assert memory.rows == {"A-1": {"no": "A-1", "name": "Example"}}
    assert delivery.record is not None
    assert (delivery.record.verdict, delivery.record.request, delivery.record.reply) == (
        "accepted",
        b"POST",
        b"OK",
    )
    assert (delivery.record.partner, delivery.record.operation, delivery.record.reference) == ("crm", "accounts.upsert", "A-1")  # fmt: skip


def test_the_runner_delivers_to_it_like_to_any_other(bridge: Bridge) -> None:
    partner, memory = crm(bridge)
    with bridge.transaction():
        for number in range(3):
            partner.send("accounts.upsert", {"no": f"A-{number}", "name": "E"}, ordering_key="one")
    background = bridge.background()
    for one in background:
        one.start()
    try:
        for _ in range(200):
            if len(memory.rows) == 3:
                break
            __import__("time").sleep(0.05)
    finally:
        for one in background:
            one.stop(5)
    assert sorted(memory.rows) == ["A-0", "A-1", "A-2"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("No.", status=422), "Refused"),
        (InDoubt("Who knows."), "InDoubt"),
    ],
)
def test_what_became_of_it_decides_about_the_document(
    bridge: Bridge, error: PartnerError, outcome: str
) -> None:
    partner, memory = crm(bridge)
    with bridge.transaction():
        document = partner.send("accounts.upsert", {"no": "A-1", "name": "Example"})
    memory.error = error
    delivery = partner.deliver(document, exchange_id="x-1")
    assert delivery.outcome == outcome
    assert delivery.record is not None
    assert delivery.record.fault_code == outcome
    assert error.exchange_id == "x-1"


def test_values_that_do_not_fit_are_not_accepted(bridge: Bridge) -> None:
    partner, _ = crm(bridge)
    with bridge.transaction(), pytest.raises(Unpresentable, match="accounts/name: is required and missing"):
        partner.send("accounts.upsert", {"no": "A-1"})


def test_there_are_four_verbs_for_each_entity(bridge: Bridge) -> None:
    partner, _ = crm(bridge)
    assert partner.operations == ("accounts.create", "accounts.update", "accounts.upsert", "accounts.delete")
    with bridge.transaction(), pytest.raises(HandlerError, match="no entity orders"):
        partner.send("orders.create", {})
    with bridge.transaction(), pytest.raises(HandlerError, match="no operation of the partner crm"):
        partner.send("accounts.merge", {})


def test_a_partner_without_changes_cannot_be_asked_for_them(bridge: Bridge) -> None:
    partner, _ = crm(bridge)
    with pytest.raises(HandlerError, match=r"crm.accounts cannot be asked for changes.*crm\.toml:2"):
        partner.fetch("accounts", Query(order="changed"))
    with pytest.raises(HandlerError, match="no field nam"):
        list(partner.scan("accounts", ["nam"]))


def test_an_error_names_partner_and_operation(bridge: Bridge) -> None:
    partner, _ = crm(bridge)
    with pytest.raises(Refused) as raised:
        partner.ping()
    assert (raised.value.partner, raised.value.operation) == ("crm", "ping")


def test_a_wsdl_is_not_asked_of_it(bridge: Bridge) -> None:
    with pytest.raises(SettingsError, match=r"of the kind rest, and has no WSDL.*any_partner"):
        bridge.partner("crm")


def test_what_its_kind_finds_wrong_is_found_by_check(bridge: Bridge, tmp_path: Path) -> None:
    bridge.check()
    (tmp_path / "crm.toml").write_text(
        FILE.replace("[partner]", '[partner]\nmistakes = ["crm.toml:2: so not"]'), "utf-8"
    )
    other = Bridge(load(tmp_path / "bridge.toml"))
    with pytest.raises(SettingsError, match=r"crm\.toml:2: so not"):
        other.check()
    assert other.store is not None
    other.store.close()


def test_a_partner_without_a_file_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text('[partners.crm]\nkind = "rest"\n', "utf-8")
    with pytest.raises(SettingsError, match=r'partners\.crm\.entities.*entities = "partners/crm\.toml"'):
        Bridge(load(tmp_path / "bridge.toml"), store=False).check()
