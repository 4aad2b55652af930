"""The files in deploy/ name things of ours: settings, commands, paths, metrics. Each of them exists."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bridge import Bridge
from bridge.cli import app
from bridge.ops import exposition
from bridge.ops.meter import CODES, VERDICTS, Meter
from bridge.ops.probe import Disk, StoreState
from bridge.settings import Server, Settings, keys, load
from bridge.shipped import contracts
from bridge.store.backlog import Backlog
from bridge.store.flows import FlowFigures
from tests.unit.ops.conftest import ended

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs/operations.md").read_text("utf-8")
VARIABLES = {key.variable for key in keys()} | {f"{key.variable}_FILE" for key in keys() if key.secret}
COMMANDS = set(getattr(typer.main.get_command(app), "commands", {}))


BACKLOG = Backlog("backoffice", {"waiting": 2, "sending": 0, "in_doubt": 1, "held": 0}, 1, "open", True)


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """Every sample name that /metrics can show, with its labels."""
    bridge = Bridge(Settings(), store=False)
    service = bridge.serve(contracts()["purchasing"])
    meter = Meter([service])
    meter.observer(service)(ended(bridge.inbound(service)), 0.1)
    meter.sources.append(lambda: {"pid": 1})
    meter.publish()
    flows = (FlowFigures("accounts", None, 1),)
    state = StoreState(True, {"request": 1.0}, (BACKLOG,), backup_age=1.0, flows=flows)
    text = exposition.text(meter, state, [Disk("data", 1, 2)]).decode()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_the_page_says_what_to_do(
    rule: dict[str, Any], samples: dict[str, set[str]]
) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    expression: str = rule["expr"]
    named = set(re.findall(r"\b(?:soapbridge|process)_\w+", expression))
    assert named <= set(samples)
    assert named or 'up{job="soapbridge"}' in expression
    assert expression.count("(") == expression.count(")")
    for name, label, value in re.findall(r'(\w+)\{(\w+)=~?"([^"]*)"\}', expression):
        if name != "up":
            assert label in samples[name]
        for word in value.split("|"):
            assert label != "verdict" or word in VERDICTS
            assert label != "code" or word in CODES
    labels = set().union(*(samples[name] for name in named)) | {"instance"}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels
    assert f"`{rule['alert']}`" in PAGE


def test_the_page_explains_every_metric_and_no_other(samples: dict[str, set[str]]) -> None:
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in samples if name.startswith("soapbridge_")}
    explained = set(re.findall(r"^\| `(soapbridge_\w+)`", PAGE, re.MULTILINE))
    assert explained == ours
    assert set(re.findall(r"`(Soapbridge\w+)`", PAGE)) == {rule["alert"] for rule in RULES}


def directives(name: str) -> list[tuple[str, str]]:
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    return [
        (key.lstrip("#"), value)
        for key, equals, value in (line.partition("=") for line in lines)
        if equals and " " not in key
    ]


@pytest.mark.parametrize("name", ["soapbridge", "soapbridge-worker"])
def test_a_unit_starts_a_command_of_ours_with_settings_of_ours(name: str) -> None:
    unit = directives(f"{name}.service")
    one = dict(unit)
    assert Path(one["ExecStart"].split()[0]).name == "soapbridge"
    assert one["ExecStart"].split()[1] in COMMANDS
    variables = dict(value.split("=", 1) for key, value in unit if key == "Environment")
    assert set(variables) <= VARIABLES | {"SOAPBRIDGE_CONFIG"}
    assert variables["SOAPBRIDGE_DATA_FOLDER"] == f"/var/lib/{one['StateDirectory']}"
    assert one["WorkingDirectory"] == variables["SOAPBRIDGE_DATA_FOLDER"]
    assert int(one["TimeoutStopSec"]) > Server().grace


def test_the_bridge_answers_on_the_socket_that_stays() -> None:
    assert dict(directives("soapbridge.service"))["Requires"] == "soapbridge.socket"
    (address,) = [value for key, value in directives("soapbridge.socket") if key == "ListenStream"]
    assert address == f"{Server().host}:{Server().port}"


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def test_the_container_file_copies_what_there_is_and_runs_as_nobody_special() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    assert {word for word, _ in instructions()} <= known
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            missing = [name for name in rest.split()[:-1] if not (ROOT / name).exists()]
            assert not missing
        if word == "FROM":
            version = re.match(r"python:(\d\.\d+)-slim", rest)
            assert version
            assert f"Python :: {version[1]}" in (ROOT / "setup.cfg").read_text("utf-8")
    (user,) = [rest for word, rest in instructions() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_the_container_s_settings_are_settings_and_its_command_is_a_command() -> None:
    (pairs,) = [rest for word, rest in instructions() if word == "ENV"]
    variables = dict(pair.split("=", 1) for pair in shlex.split(pairs))
    ours = {name: value for name, value in variables.items() if name.startswith("SOAPBRIDGE_")}
    assert set(ours) <= VARIABLES
    settings = load(environ=ours)
    given = dict(instructions())
    assert json.loads(given["ENTRYPOINT"]) == ["soapbridge"]
    assert json.loads(given["CMD"])[0] in COMMANDS
    assert given["VOLUME"] == str(settings.data.folder)
    assert given["EXPOSE"].split() == [str(settings.server.port), str(settings.metrics.port)]
    program, option, code = json.loads(given["HEALTHCHECK"].partition("CMD ")[2])
    assert (program, option) == ("python", "-c")
    ast.parse(code)
    assert f"http://127.0.0.1:{settings.server.port}/healthz" in code
