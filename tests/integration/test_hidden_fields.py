"""Hidden and secret fields, the whole way: answers, faults, duplicates, journal, log and commands."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.access import Caller
from bridge.access.permits import EVERYTHING, Permits
from bridge.access.sight import Sight
from bridge.app import Bridge
from bridge.cli import app
from bridge.errors import SettingsError
from bridge.exchange import Exchange
from bridge.inbound import Inbound
from bridge.settings import Access, Role, Settings, load
from bridge.store import Entry

HERE = Path(__file__).parents[1]
NS = "urn:test:zoo:1"
PIN = "271828"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


class Doorman:
    """A gatekeeper that believes whatever `Exchange.remote` says."""

    understood = frozenset({f"{{{WSSE}}}Security"})

    def identify(self, exchange: Exchange) -> None:
        if exchange.remote:
            exchange.partner = exchange.remote
            exchange.caller = Caller(exchange.remote, "partner", (exchange.remote,))

    def permits(self, exchange: Exchange) -> Permits:
        return EVERYTHING

    def authorise(self, exchange: Exchange) -> None:
        """Everybody may."""

    def answer_headers(self, exchange: Exchange) -> str:
        return ""

    def protect(self, exchange: Exchange) -> None:
        """Nothing is signed."""

    def release(self, exchange: Exchange) -> None:
        """Nothing is held."""


SETTINGS = """
[data]
folder = "data"

[services.zoo]
secret = ["Get pin", "Get animal/@chip", "Get dog/@chip"]
idempotency_key = "name"

[roles.keeper]
operations = ["zoo.*"]
sees = "all"

[roles.visitor]
operations = ["zoo.Get"]
hidden = ["zoo.Get animal/owner", "zoo.Get price", "zoo.Get keeper"]

[roles.clerk]
operations = ["zoo.Get"]
hidden = ["zoo.Get tag/@number"]
"""


class Zoo:
    def __init__(self, folder: Path) -> None:
        self.config = folder / "bridge.toml"
        self.config.write_text(SETTINGS)
        self.bridge = Bridge(load(self.config))
        service = self.bridge.serve(HERE / "unit/fields/zoo-1.wsdl")
        self.answered = 0
        self.own_only: list[bool] = []

        @service.operation("Get")
        def get(request: Any, call: Any) -> Any:
            call.session  # noqa: B018 - so that the answer is kept for repeats
            self.answered += 1
            self.own_only.append(call.own_only)
            if request.name == "gone":
                raise service.fault("Gone", since=None, keeper="Ann Owner")
            if request.name == "broken":
                raise RuntimeError(f"no animal of {request.pin!r}")
            if request.name == "wrong":
                return {"price": {"value": request.pin, "currency": "EUR"}, "amount": None}
            dog = service.types.Dog(id="1", chip=f"chip-{PIN}", name="Rex", breed="pug", owner=["Bob Owner"])
            return {
                "animal": [dog],
                "price": {"value": 7, "currency": "EUR"},
                "cash": "x",
                "amount": {"value": 3, "unit": "kg"},
                "tag": [{"number": "T-4711"}] if request.name == "tagged" else [],
            }

        assert self.run("migrate").exit_code == 0
        self.bridge.check()
        self.inbound = Inbound(service, self.bridge.settings, self.bridge.store, gatekeeper=Doorman())

    def ask(self, name: str, caller: str | None, pin: str = PIN, header: str = "") -> Exchange:
        body = (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{header}</s:Header><s:Body>'
            f'<Get xmlns="{NS}"><name>{name}</name><pin>{pin}</pin></Get></s:Body></s:Envelope>'
        )
        exchange = Exchange(body=body.encode(), content_type="text/xml; charset=utf-8", remote=caller)
        inbound = self.inbound
        try:
            for stage in (
                inbound.open,
                inbound.identify,
                inbound.admit,
                inbound.authorise,
                inbound.recall,
                inbound.validate,
                inbound.decode,
                inbound.answer,
            ):
                stage(exchange)
        except Exception as error:
            inbound.fail(exchange, error)
        inbound.close(exchange)
        return exchange

    def kept(self, exchange: Exchange) -> Entry:
        assert self.bridge.store is not None
        entry = self.bridge.store.journal.show(exchange.id)
        assert entry is not None
        return entry

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        zoo = Zoo(folder)
        yield zoo
        assert zoo.bridge.store is not None
        zoo.bridge.store.close()


def test_each_caller_gets_what_its_roles_show(zoo: Zoo) -> None:
    whole, less = zoo.ask("one", "keeper").reply, zoo.ask("two", "visitor").reply
    assert b"Bob Owner" in whole
    assert b"EUR" in whole
    assert b"Bob Owner" not in less
    assert b"EUR" not in less
    assert b'nil="true"' in less
    assert b"Rex" in less
    assert zoo.own_only[-2:] == [False, True]


def test_an_answer_that_its_contract_does_not_admit_without_the_field_never_leaves(zoo: Zoo) -> None:
    """An optional attribute, and yet a key of the schema demands it."""
    assert b"T-4711" in zoo.ask("tagged", "keeper").reply
    failed = zoo.ask("tagged", "clerk")
    assert failed.verdict == "invalid_reply"
    assert b"T-4711" not in failed.reply
    before = zoo.answered
    assert zoo.ask("tagged", "clerk").verdict == "invalid_reply"
    assert zoo.answered == before + 1  # nothing of the first was kept


def test_the_journal_has_what_left(zoo: Zoo) -> None:
    less = zoo.ask("two", "visitor")
    assert zoo.kept(less).reply == less.reply


def test_the_answer_is_kept_whole_and_shown_to_each_repeat_as_its_caller_may_see_it(zoo: Zoo) -> None:
    before = zoo.answered
    first = zoo.ask("same", "visitor")
    again = zoo.ask("same", "visitor")
    assert again.duplicate_of == first.id
    assert zoo.answered == before + 1
    assert b"Bob Owner" not in again.reply
    assert "Bob Owner" in again.payload  # a role that sees more sees it, whoever asked first


def test_declared_faults_go_without_the_field_too_also_when_repeated(zoo: Zoo) -> None:
    assert b"Ann Owner" in zoo.ask("gone", "keeper").reply
    for _ in range(2):
        fault = zoo.ask("gone", "visitor")
        assert fault.verdict == "fault"
        assert b"Ann Owner" not in fault.reply
        assert b"Gone" in fault.reply


def test_who_is_not_told_apart_sees_all(zoo: Zoo) -> None:
    assert b"Bob Owner" in zoo.ask("one", None).reply


def test_who_is_not_told_apart_sees_what_the_role_anonymous_shows(zoo: Zoo) -> None:
    roles = zoo.bridge.settings.roles
    (service,) = zoo.bridge.services.values()
    sight = Sight("zoo", service.contract, {**roles, "anonymous": replace(roles["visitor"], sees="own")})
    element = service.contract.operation("Get").output or ""
    assert sight.hidden(None, "Get", element) == sight.hidden(
        Caller("x", "partner", ("visitor",)), "Get", element
    )
    assert sight.hidden(None, "Get", element)
    assert sight.own_only(None, "Get")
    assert not Sight("zoo", service.contract, roles).hidden(None, "Get", element)


def test_what_the_role_anonymous_hides_does_not_leave_in_answers_and_faults(zoo: Zoo) -> None:
    roles = zoo.bridge.settings.roles
    (service,) = zoo.bridge.services.values()
    settings = replace(zoo.bridge.settings, roles={**roles, "anonymous": roles["visitor"]})
    before = zoo.inbound
    zoo.inbound = Inbound(service, settings, zoo.bridge.store, gatekeeper=Doorman())
    try:
        answer, fault = zoo.ask("nobody's", None).reply, zoo.ask("gone", None).reply
    finally:
        zoo.inbound = before
    assert b"Rex" in answer
    assert b"Bob Owner" not in answer
    assert b"Gone" in fault
    assert b"Ann Owner" not in fault


def test_the_role_anonymous_counts_where_nobody_else_has_to_be_known() -> None:
    everybody = Settings(access=Access(anonymous="yes"), roles={"anonymous": Role(operations=("zoo.Get",))})
    assert Bridge(everybody, store=False).gatekeeper is not None
    assert Bridge(Settings(access=Access(anonymous="yes")), store=False).gatekeeper is None


@pytest.mark.parametrize("name", ["refused", "broken", "wrong"])
def test_a_secret_value_is_in_no_fault_no_words_of_the_journal_and_no_log(
    zoo: Zoo, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pin = f"{PIN}x" if name == "refused" else PIN
    with caplog.at_level(logging.DEBUG):
        failed = zoo.ask(name, "keeper", pin)
    assert (
        failed.verdict == {"refused": "invalid_request", "broken": "failed", "wrong": "invalid_reply"}[name]
    )
    entry = zoo.kept(failed)
    assert PIN not in failed.reply.decode()
    assert PIN not in repr((entry.fault_reason, entry.violations))
    assert PIN not in caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert PIN.encode() in (entry.request or b"")  # the message itself is kept: it may have to be done again


SHOWS: dict[str, Callable[[str], list[str]]] = {
    "show": lambda one: ["journal", "show", one],
    "show as JSON": lambda one: ["journal", "show", one, "--json"],
    "list": lambda one: ["journal", "list", "--json"],
    "find": lambda one: ["journal", "find", one, "--json"],
}


@pytest.mark.parametrize("show", SHOWS)
def test_commands_show_secret_fields_masked(zoo: Zoo, show: str) -> None:
    for exchange in (
        zoo.ask("one", "keeper"),
        zoo.ask("bad", "keeper", f"{PIN}x"),
        zoo.ask("broken", "keeper"),
    ):
        result = zoo.run(*SHOWS[show](exchange.id))
        assert result.exit_code == 0, result.output
        assert PIN not in result.output
        if show.startswith("show"):
            assert "***" in result.output


def test_whoever_unmasks_says_why_and_it_is_written_down(zoo: Zoo) -> None:
    exchange = zoo.ask("one", "keeper")
    assert "not said why" in str(zoo.run("journal", "show", exchange.id, "--unmask").exception)
    result = zoo.run(
        "journal", "show", exchange.id, "--unmask", "--who", "ann", "--why", "asked by the partner"
    )
    assert PIN in result.output
    (act,) = json.loads(zoo.run("deliveries", "acts", "--json").output)["acts"]
    assert (act["who"], act["verb"], act["exchange_id"]) == ("ann", "unmask", exchange.id)


def test_validate_shows_no_secret_value(zoo: Zoo, tmp_path: Path) -> None:
    message = tmp_path / "message.xml"
    message.write_text(f'<Get xmlns="{NS}"><name>x</name><pin>{PIN}x</pin></Get>')
    result = zoo.run("validate", str(message), "--wsdl", str(HERE / "unit/fields/zoo-1.wsdl"))
    assert result.exit_code == 1
    assert PIN not in result.output
    assert "/Get/pin" in result.output


def test_the_journal_keeps_no_password_of_a_request_accepted_or_refused(zoo: Zoo) -> None:
    token = f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Password>hush</w:Password></w:UsernameToken></w:Security>'
    for pin in (PIN, "bad"):
        entry = zoo.kept(zoo.ask("one", "keeper", pin, token))
        assert entry.request is not None
        assert b"hush" not in entry.request
        assert b"<name>one</name>" in entry.request


def test_check_tells_of_every_field_that_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(
        SETTINGS.replace('"zoo.Get price"', '"zoo.Get animal/name", "zoo.Get nothing", "park.Get x"').replace(
            '"Get dog/@chip"', '"Get nowhere", "pin"'
        )
    )
    bridge = Bridge(load(config), store=False)
    service = bridge.serve(HERE / "unit/fields/zoo-1.wsdl")
    service.operation("Get")(lambda request, call: None)
    with pytest.raises(SettingsError) as caught:
        bridge.check()
    said = str(caught.value)
    for part in (
        "animal/name cannot be hidden",
        "no answer of Get has nothing",
        "'park.Get x', names no service",
        "no message of Get has nowhere",
        "does not name an operation",
        "may stand in the place of what is named: dog",
    ):
        assert part in said, said
    with pytest.raises(SettingsError):
        bridge.inbound(service)  # nothing is served while what should be hidden is not
