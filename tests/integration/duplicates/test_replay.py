"""A journaled request through today's code: a rehearsal keeps nothing, in earnest it is done once and written down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.access.issuing import Issuing
from bridge.cli import app
from bridge.errors import SettingsError
from bridge.replay import Replayed
from bridge.settings import Caller, Journal, Role
from bridge.soap.security import WSSE

from .conftest import Desk, done, reply

WHO: dict[str, Any] = {"who": "mei", "why": "handler mended", "dry_run": False}


def breaks(_: Any, call: Any) -> Any:
    done(call)
    raise OSError("a mistake of ours")


def works(request: Any, call: Any) -> Any:
    done(call)
    return reply(request)


def closed(_: Any, call: Any) -> Any:
    raise call.fault("Closed", until=date(2026, 12, 1))


def calls(request: Any, call: Any) -> Any:
    call.before_calling_out()
    raise AssertionError("called")


def replay(desk: Desk, exchange: str, **how: Any) -> Replayed:
    found = desk.bridge.replay(exchange, **how)
    assert found is not None
    return found


def acts(desk: Desk) -> list[tuple[str, str, str | None, str | None]]:
    return [(act.verb, act.who, act.exchange_id, act.before) for act in desk.bridge.deliveries.acts()]


def test_a_rehearsal_shows_what_would_be_answered_and_keeps_nothing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(breaks)
    first = desk.send("a").exchange
    desk.handler = works
    found = replay(desk, first)
    assert (found.first.verdict, found.verdict, found.status) == ("failed", "accepted", 200)
    assert b"EchoResponse" in found.reply
    assert found.went_well
    assert (desk.rows, len(desk.store.journal.list()), acts(desk)) == (0, 1, [])


def test_in_earnest_it_is_an_exchange_of_its_own_and_written_down(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(breaks)
    first = desk.send("a").exchange
    desk.handler = works
    found = replay(desk, first, **WHO)
    assert (found.verdict, desk.rows) == ("accepted", 1)
    kept = desk.store.journal.show(found.exchange_id)
    assert (kept.verdict, kept.operation) == ("accepted", "Echo")
    assert acts(desk) == [("replay", "mei", first, "failed")]
    assert desk.bridge.deliveries.acts()[0].after == f"accepted {found.exchange_id}"
    assert desk.send("a").payload == desk.send("a").payload  # a repeat gets this answer
    assert desk.rows == 1


def test_what_fails_again_is_journaled_and_written_down(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(breaks)
    first = desk.send("a").exchange
    found = replay(desk, first, **WHO)
    assert found.verdict == "failed"
    assert "a mistake of ours" in (found.reason or "")
    assert not found.went_well
    assert (desk.rows, len(desk.store.journal.list())) == (0, 2)
    assert [act[0] for act in acts(desk)] == ["replay"]


def test_a_request_that_was_answered_gets_its_first_answer_unless_it_is_done_anew(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(closed)
    first = desk.send("a").exchange
    desk.handler = works
    tried = replay(desk, first)
    assert tried.verdict == "accepted"
    assert tried.remembered == "answered"
    assert "--anew" in tried.says
    again = replay(desk, first, **WHO)
    assert (again.verdict, again.duplicate_of, again.went_well, desk.rows) == ("fault", first, False, 0)
    anew = replay(desk, first, anew=True, **WHO)
    assert (anew.verdict, anew.duplicate_of, desk.rows) == ("accepted", None, 1)
    repeat = desk.send("a")
    assert (repeat.status, desk.rows) == (200, 1)
    assert desk.records() == [("answered", None)]


def test_the_first_answer_stands_where_doing_it_anew_fails(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(works)
    first = desk.send("a")
    for handler, verdict in ((breaks, "failed"), (closed, "fault")):
        desk.handler = handler
        assert replay(desk, first.exchange, anew=True, **WHO).verdict == verdict
        assert desk.send("a").payload == first.payload
    assert desk.rows == 1


def test_an_id_that_stood_in_http_is_known_again(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(works, idempotency_key="")
    first = desk.send("a", idempotency_key='"k-1"').exchange
    assert replay(desk, first, **WHO).duplicate_of == first
    assert desk.rows == 1


def test_a_rehearsal_ends_where_a_partner_would_be_called(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(breaks)
    first = desk.send("a").exchange
    desk.handler = calls
    found = replay(desk, first)
    assert found.verdict is None
    assert "calls a partner" in found.says


def test_one_that_is_refused_now_says_so(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(works)
    first = desk.send("a", number="many").exchange
    found = replay(desk, first)
    assert (found.first.verdict, found.verdict) == ("invalid_request", "invalid_request")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_both_versions_of_soap(open_desk: Callable[..., Desk], version: str) -> None:
    desk = open_desk(breaks)
    first = desk.send("a", version=version).exchange
    desk.handler = works
    assert replay(desk, first).went_well


def test_what_cannot_be_replayed_says_why(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(works, settings={"journal": Journal(keep_bodies="none")})
    first = desk.send("a").exchange
    assert "not kept" in replay(desk, first).says
    assert desk.bridge.replay("nobody") is None
    with pytest.raises(SettingsError, match="written down"):
        desk.bridge.replay(first, dry_run=False)
    del desk.bridge.services["/services/desk"]
    assert "not kept" in replay(desk, first).says


@pytest.fixture
def command(open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command upon a module that holds the desk's bridge."""

    def run(desk: Desk, *arguments: str) -> Result:
        module = ModuleType("replayed_desk")
        module.bridge = desk.bridge  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "replayed_desk", module)
        return CliRunner().invoke(app, ["journal", "replay", *arguments, "replayed_desk:bridge"])

    return run


def test_the_command_rehearses_and_does(
    open_desk: Callable[..., Desk], command: Callable[..., Result]
) -> None:
    desk = open_desk(breaks)
    first = desk.send("a").exchange
    assert command(desk, first).exit_code == 1
    desk.handler = works
    tried = command(desk, first)
    assert tried.exit_code == 0
    assert "EchoResponse" in tried.stdout
    assert tried.stdout.rstrip().endswith(
        "Nothing was kept. 1 of 1 would be accepted. To do it: --yes --why …"
    )
    result = command(desk, first, "--yes", "--why", "mended", "--json")
    content = json.loads(result.stdout)
    assert (result.exit_code, content["ok"], content["dryRun"]) == (0, True, False)
    assert content["replayed"][0]["before"] == "failed"
    again = command(desk, first, "--yes", "--why", "mended")
    assert (again.exit_code, desk.rows) == (1, 1)
    assert again.stdout.rstrip().endswith("--anew")


def test_all_that_failed_for_one_cause_are_done_in_the_order_in_which_they_came(
    open_desk: Callable[..., Desk], command: Callable[..., Result]
) -> None:
    seen: list[str] = []

    def noting(request: Any, call: Any) -> Any:
        seen.append(request.text)
        return works(request, call)

    desk = open_desk(breaks)
    for text in "abc":
        desk.send(text)
    desk.handler = works
    desk.send("fine")
    desk.handler = noting
    conditions = ("--verdict", "failed", "--cause", "a mistake of ours", "--since", "2020-01-01")
    assert command(desk, *conditions, "--yes", "--why", "mended").exit_code == 0
    assert seen == ["a", "b", "c"]
    nothing = command(desk, "--verdict", "failed", "--cause", "another")
    assert nothing.exit_code == 1


@pytest.mark.parametrize("arguments", [[], ["a", "--verdict", "failed"], ["a", "--yes"]])
def test_what_the_command_cannot_carry_out(
    open_desk: Callable[..., Desk], command: Callable[..., Result], arguments: list[str]
) -> None:
    assert isinstance(command(open_desk(works), *arguments).exception, SettingsError)


def test_a_request_of_a_caller_is_replayed_as_its_own_whatever_its_roles_are_today(
    open_desk: Callable[..., Desk],
) -> None:
    roles = {"asks": Role(operations=("desk.Echo",))}
    callers = {"crm": Caller(roles=("asks",), rate=1.0)}
    desk = open_desk(breaks, settings={"callers": callers, "roles": roles})
    _, key = Issuing(desk.store, desk.bridge.settings, who="mei").api_key("crm")
    security = f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1"/>'
    first = desk.send("a", x_api_key=key).exchange
    seen: list[Any] = []

    def looks(request: Any, call: Any) -> Any:
        seen.append((call.partner, call.caller and call.caller.name))
        return works(request, call)

    desk.handler = looks
    for _ in range(2):
        assert replay(desk, first).verdict == "accepted"
    assert replay(desk, first, **WHO).verdict == "accepted"
    assert seen == [("crm", "crm")] * 3
    # It was let in when it came; a header that was read then is not in the way now.
    second = desk.send("b", headers=security, x_api_key=key)
    assert second.status == 200
    assert replay(desk, second.exchange).verdict == "accepted"
