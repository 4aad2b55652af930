"""`soapbridge deliveries`: what people and programs read, what the last line says, and how it ends."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Rules
from bridge.errors import SettingsError

from .conftest import Outbox, ScriptedPartner

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class Desk:
    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["deliveries", *arguments, "--config", str(self.config)])

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def desk(store_url: str, tmp_path: Path) -> Desk:
    config = tmp_path / "bridge.toml"
    config.write_text(f'[store]\nurl = "{store_url}"\n\n[partners.erp]\nwsdl = "purchasing"\n')
    return Desk(config)


def last_line(result: Result) -> str:
    return result.stdout.rstrip().splitlines()[-1]


def ended(result: Result) -> tuple[int, str]:
    return result.exit_code, last_line(result)


def refused(box: Outbox, partner: ScriptedPartner, drain: Drain, *keys: str) -> list[str]:
    found = []
    for key in keys:
        found += box.put(f"<order>{key}</order>", key=key)
        partner.script = ["Refused"]
        drain(key)
    return found


def test_an_empty_outbox_is_well(desk: Desk) -> None:
    assert ended(desk("list")) == (0, "No delivery is like that.")
    assert ended(desk("list", "--needs-person")) == (0, "Nothing needs a person.")
    assert ended(desk("acts")) == (0, "Nothing was done by hand.")
    assert desk.json("list") == {
        "ok": True,
        "heldPartners": [],
        "deliveries": [],
        "next": "No delivery is like that.",
    }


def test_the_list_shows_what_waits_and_why(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk
) -> None:
    refused(box, partner, drain, "A")
    (b,) = box.put("b", key="A")
    result = desk("list", "--open")
    assert b in result.stdout
    assert "its key is held: Put" in result.stdout
    assert ended(result) == (0, "One of them, and what to do: soapbridge deliveries show ID.")
    (one,) = desk.json("list", "--state", "waiting")["deliveries"]
    assert (one["entry_id"], one["state"], one["ordering_key"]) == (b, "waiting", "A")
    assert one["created_at"].endswith("+00:00")
    assert last_line(desk("list", "-n", "1")).endswith("--before 2")


def test_secret_fields_of_what_is_sent_are_masked_also_in_reasons(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk
) -> None:
    settings = desk.config.read_text()
    desk.config.write_text(settings + 'secret = ["Put card"]\n')
    (a,) = box.put("<order><card>4711-0815</card><sku>A</sku></order>", key="A")
    partner.script = ["Refused"]
    drain("A")
    shown = desk("show", a, "--payload").stdout
    assert "<card>***</card><sku>A</sku>" in shown
    assert "4711" not in shown


def test_one_is_shown_without_its_payload_unless_that_is_asked_for(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk
) -> None:
    (a,) = refused(box, partner, drain, "A")
    result = desk("show", a)
    assert "<order>" not in result.stdout
    assert f"soapbridge deliveries resend {a} --why …" in result.stdout
    assert last_line(result).startswith(
        "Next: Nothing: it is refused. Its last attempt: soapbridge journal show"
    )
    assert "<order>A</order>" in desk("show", a, "--payload").stdout
    content = desk.json("show", a, "--payload")["delivery"]
    assert (content["payload"], content["attempts"][0]["outcome"]) == ("<order>A</order>", "Refused")
    assert "payload" not in desk.json("show", a)["delivery"]
    assert desk("show", f"urn:soapbridge:entry:{a}").exit_code == 0
    assert ended(desk("show", "nobody")) == (
        1,
        "There is no delivery nobody. The newest: soapbridge deliveries list",
    )


def test_one_is_acted_upon_at_once_and_by_whom_is_known(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk
) -> None:
    (a,) = refused(box, partner, drain, "A")
    result = desk("resend", a, "--why", "article created")
    assert ended(result) == (0, "1 sent again. What was done by hand: soapbridge deliveries acts")
    assert box.states("A") == ["waiting"]
    (act,) = desk.json("acts")["acts"]
    assert (act["who"], act["why"], act["verb"]) == (getpass.getuser(), "article created", "resend")
    assert a in desk("acts").stdout
    late = desk("resend", a, "--who", "tom", "--why", "article created")
    assert late.exit_code == 1
    assert f"was {getpass.getuser()} (resend, 2" in " ".join(late.stdout.split())


def test_several_are_acted_upon_only_when_that_is_confirmed(
    box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk
) -> None:
    refused(box, partner, drain, "A", "B")
    command = ("resend", "--cause", "Refused", "--why", "mended")
    tried = desk(*command)
    assert ended(tried) == (
        0,
        "2 would be sent again, nothing was done yet. To do it: the same command with --yes.",
    )
    assert desk.json(*command, "--dry-run")["dryRun"] is True
    assert box.states("A") == box.states("B") == ["refused"]
    done = desk.json(*command, "--yes")
    assert (done["ok"], done["dryRun"], done["done"], done["left"]) == (True, False, 2, 0)
    assert box.states("A") == box.states("B") == ["waiting"]
    assert ended(desk(*command, "--yes"))[0] == 1


def test_what_may_be_done_twice_by_it_has_to_be_confirmed(box: Outbox, drain: Drain, desk: Desk) -> None:
    (a,) = box.put("a")
    drain("K")
    command = ("resend", a, "--why", "they lost it")
    result = desk(*command)
    assert ended(result) == (
        1,
        "Nothing was done: it may be done twice. Where that is well: the same command with --yes.",
    )
    assert box.states() == ["delivered"]
    assert desk(*command, "--yes").exit_code == 0
    assert box.states() == ["waiting"]


def test_a_key_and_a_partner_are_held_and_let_go(box: Outbox, desk: Desk) -> None:
    box.put("a")
    key, whole = ("--partner", "erp", "--key", "K"), ("--partner", "erp")
    for where in (key, whole):
        assert desk("hold", *where, "--why", "counting").exit_code == 0
        assert desk("hold", *where, "--why", "counting").exit_code == 1
        assert desk("release", *where, "--why", "counted").exit_code == 0
        assert desk("release", *where, "--why", "counted").exit_code == 1
    assert [act["verb"] for act in desk.json("acts")["acts"]] == ["release", "hold"] * 2
    desk("hold", *whole, "--who", "mei", "--why", "stocktaking")
    listed = desk("list", "--needs-person")
    assert "Nothing leaves for erp: Held by hand by mei: stocktaking" in listed.stdout
    assert last_line(listed).endswith("soapbridge deliveries release --partner erp --why …")
    assert desk.json("list")["heldPartners"][0]["partner"] == "erp"
    shown = desk("acts").stdout
    assert "key K of erp" in shown
    assert "partner erp" in shown
    assert ended(desk("hold", "--partner", "erp", "--key", "L", "--why", "x"))[0] == 1


def test_one_in_doubt_is_settled(box: Outbox, partner: ScriptedPartner, drain: Drain, desk: Desk) -> None:
    (a,) = box.put("a")
    partner.script = ["InDoubt"]
    drain("K")
    assert a in desk("list", "--needs-person").stdout
    assert ended(desk("settle", a, "--as", "delivered", "--why", "seen over there")) == (
        0,
        "1 settled. What was done by hand: soapbridge deliveries acts",
    )
    assert box.states() == ["delivered"]


BRIDGE = """
from bridge import Bridge
bridge = Bridge.load()
erp = bridge.partner("erp")

@erp.asks
def was_it_done(document):
    return document.payload == "a"
"""


def test_the_partner_is_asked_by_the_function_that_the_bridge_registers(
    box: Outbox,
    partner: ScriptedPartner,
    drain: Drain,
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = (*box.put("a"), *box.put("b", key="B"))
    partner.rules, partner.script = Rules(), ["InDoubt", "InDoubt"]
    drain("K")
    drain("B")
    (tmp_path / "asking_bridge.py").write_text(BRIDGE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(os.environ, "SOAPBRIDGE_CONFIG", "")
    asked = ("--ask", "--bridge", "asking_bridge:bridge", "--why", "found out", "--yes")
    result = desk("settle", a, b, *asked)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert last_line(result).startswith("2 settled by asking.")
    assert (box.states(), box.states("B")) == (["delivered"], ["waiting"])


def test_entries_are_given_up(box: Outbox, desk: Desk) -> None:
    box.put("a", "b")
    command = ("expire", "--partner", "erp", "--key", "K", "--why", "order cancelled")
    assert ended(desk(*command))[0] == 0
    assert box.states() == ["waiting"] * 2
    assert last_line(desk(*command, "--yes")).startswith("2 given up.")
    assert box.states() == ["expired"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hold", "--why", "x"], "not said what to act upon"),
        (["hold", "a", "--partner", "erp", "--why", "x"], "Ids are given"),
        (["hold", "--key", "K", "--why", "x"], "its --partner"),
        (["hold", "a", "--why", " "], "not said why"),
        (["hold", "--partner", "epr", "--why", "x"], "no partner epr"),
        (["resend", "--state", "lost", "--why", "x"], "no state lost"),
        (["resend", "--since", "soon", "--why", "x"], "--since is no time"),
        (["settle", "a", "--why", "x"], "not said what became"),
        (["settle", "a", "--ask", "--as", "delivered", "--why", "x"], "--as says"),
        (["list", "--sort", "by luck"], "no order by luck"),
        (["list", "--state", "lost"], "no state lost"),
    ],
)
def test_what_cannot_be_carried_out_says_why(desk: Desk, arguments: list[str], said: str) -> None:
    result = desk(*arguments)
    assert isinstance(result.exception, SettingsError)  # `main` ends with 2
    assert said in str(result.exception)


def test_why_is_demanded(desk: Desk) -> None:
    assert desk("hold", "a").exit_code == 2
