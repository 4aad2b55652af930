"""`soapbridge call`: JSON in, JSON out, and what became of it as exit status, text and document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from typer.testing import CliRunner, Result

from bridge.cli import app

from .conftest import DESK, ECHOED, GOOD, NS, SOAP12, RawServer, answering, envelope, fault, http

Start = Callable[..., RawServer]


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["call", *arguments], input=text)


def call(listening: RawServer, *arguments: str, text: str | None = None) -> Result:
    return run(str(DESK), "Echo", "--endpoint", listening.url, *arguments, text=text)


def sent(listening: RawServer) -> etree._Element:
    return etree.fromstring(listening.requests[-1].partition(b"\r\n\r\n")[2])


def test_json_goes_in_and_json_comes_out(server: Start) -> None:
    listening = server(answering(http(body=GOOD)))
    result = call(listening, "--json", '{"text": "hello", "number": 3}')
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"text": "hello", "count": 1}
    assert "answered in" in result.stderr
    assert [child.text for child in sent(listening)[-1][0]] == ["hello", "3"]


@pytest.mark.parametrize("from_file", [True, False])
def test_json_comes_from_a_file_or_from_standard_input(
    server: Start, tmp_path: Path, from_file: bool
) -> None:
    listening = server(answering(http(body=GOOD)))
    (tmp_path / "r.json").write_text('{"text": "from outside"}')
    result = call(
        listening, "--json", f"@{tmp_path / 'r.json'}" if from_file else "@-", text='{"text": "from outside"}'
    )
    assert result.exit_code == 0
    assert b"from outside" in listening.requests[0]


def test_the_whole_exchange_for_programs(server: Start) -> None:
    listening = server(answering(http(body=envelope(ECHOED, headers=f'<Credit xmlns="{NS}">7</Credit>'))))
    result = call(listening, "--json", '{"text": "x"}', "--header", "Session=s-1", "--output", "json")
    document = json.loads(result.stdout)
    assert document["ok"] is True
    assert document["reply"] == {"text": "hello", "count": 1}
    assert document["headers"] == {f"{{{NS}}}Credit": 7}
    assert (document["operation"], document["soap"], document["status"]) == ("Echo", "1.1", 200)
    assert document["exchange"] in listening.requests[0].decode()
    assert sent(listening)[0][0].text == "s-1"


def test_the_envelope_as_it_came(server: Start) -> None:
    listening = server(answering(http(body=envelope(ECHOED, SOAP12), content_type="application/soap+xml")))
    result = call(listening, "--json", '{"text": "x"}', "--output", "xml", "--soap", "1.2")
    assert result.stdout.strip() == envelope(ECHOED, SOAP12)


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (http("500 Internal Server Error", fault("s:Client", "bad")), "Refused", 1),
        (http(body=envelope("<x/>")), "DeliveredUnreadable", 1),
        (http("500 Internal Server Error", fault()), "InDoubt", 2),
        (http("503 Busy", "", "Retry-After: 9"), "Unavailable", 2),
        (http("401 Unauthorized"), "Unauthorised", 2),
    ],
)
def test_each_outcome_is_named_and_ends_with_its_status(
    server: Start, answer: bytes, outcome: str, status: int
) -> None:
    listening = server(answering(answer))
    result = call(listening, "--json", '{"text": "x"}')
    assert result.exit_code == status
    assert result.stderr.startswith(f"{outcome}: ")
    assert "Repeat: " in result.stderr
    assert result.stdout == ""
    document: dict[str, Any] = json.loads(
        call(listening, "--json", '{"text": "x"}', "--output", "json").stdout
    )
    assert (document["ok"], document["outcome"]) == (False, outcome)
    assert document["next"]


def test_a_declared_fault_is_shown_with_its_name_and_detail(server: Start) -> None:
    detail = f'<Closed xmlns="{NS}"><until>2026-02-01</until></Closed>'
    listening = server(answering(http("500 Internal Server Error", fault("s:Server", "closed", detail))))
    document = json.loads(call(listening, "--json", '{"text": "x"}', "--output", "json").stdout)
    assert document["name"] == "Closed"
    assert document["fault"]["reason"] == "closed"
    assert "2026-02-01" in document["fault"]["detail"]
    said = call(listening, "--json", '{"text": "x"}').stderr
    assert "fault Closed" in said
    assert "2026-02-01" in said


def test_nobody_there_is_status_2() -> None:
    result = run(str(DESK), "Echo", "--endpoint", "http://127.0.0.1:9/", "--json", '{"text": "x"}')
    assert result.exit_code == 2
    assert result.stderr.startswith("NotSent: Nobody listens at 127.0.0.1:9.")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"txt": "x"}', "Did you mean 'text'?"),
        ('{"text": "x", "number": "many"}', "/Echo/number"),
        ("{text: x}", "--json cannot be read"),
        ('{"number": 1}', "/Echo"),
    ],
)
def test_a_request_that_breaks_the_contract_is_status_1_and_never_leaves(
    server: Start, data: str, said: str
) -> None:
    listening = server(answering(http(body=GOOD)))
    result = call(listening, "--json", data)
    assert result.exit_code == 1
    assert said in result.stderr
    assert listening.connections == 0
    document = json.loads(call(listening, "--json", data, "--output", "json").stdout)
    assert (document["outcome"], document["repeat"]) == ("Unpresentable", "useless")


def test_the_time_given_is_kept(server: Start) -> None:
    listening = server(lambda _, one: one.over.wait(5))
    result = call(listening, "--json", '{"text": "x"}', "--timeout", "0.2")
    assert result.exit_code == 2
    assert "0.2 seconds" in result.stderr


def test_a_partner_of_the_settings_is_called_by_its_name_and_journaled(server: Start, tmp_path: Path) -> None:
    listening = server(answering(http(body=GOOD)))
    (tmp_path / "bridge.toml").write_text(
        f'[data]\nfolder = "data"\n[partners.branch]\nwsdl = "{DESK}"\nendpoint = "{listening.url}"\n'
        'username = "u"\npassword = "hush"\n'
    )
    config = str(tmp_path / "bridge.toml")
    result = run("branch", "Echo", "--json", '{"text": "x"}', "--config", config)
    assert result.exit_code == 0, result.stderr
    assert b"Authorization: Basic" in listening.requests[0]
    listed = CliRunner().invoke(
        app, ["journal", "list", "--way", "out", "--partner", "branch", "--config", config]
    )
    assert "branch" in listed.stdout
    assert "accepted" in listed.stdout
    none = CliRunner().invoke(app, ["journal", "list", "--way", "in", "--config", config])
    assert "nothing like that" in none.stdout


def test_a_sample_gives_the_json_to_fill_in(server: Start) -> None:
    sample = CliRunner().invoke(app, ["sample", str(DESK), "Echo", "--values"])
    assert "soapbridge call" in sample.stderr
    listening = server(answering(http(body=GOOD)))
    assert call(listening, "--json", sample.stdout).exit_code == 0


def test_without_json_the_way_to_some_is_shown(server: Start) -> None:
    listening = server(answering(http(body=GOOD)))
    result = call(listening)
    assert result.exit_code != 0
    assert "--values" in str(result.exception)
