"""Every client against every operation, and the page that tells what came of it (docs/interop.md)."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import zeep
from lxml import etree

from tests.acceptance.shipped_erp import ROOT, SOAP, ErpProcess
from tests.interop.clients import CLIENTS, Client
from tests.interop.driver import Driver, qualified
from tests.interop.scenario import Scenario, Step, judge, resolved, row_of, scenarios

VERSIONS = ("1.1", "1.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one step; `wrong` is "" where it went as it must."""

    step: Step
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One client with one contract and version. `version` is the client's own."""

    client: Client
    soap: str
    contract: str
    version: str
    outcomes: tuple[Outcome, ...]

    def wrong(self, row: str) -> str:
        """What went wrong in a row of the table."""
        told = [
            f"{one.step.name}: {one.wrong}" for one in self.outcomes if row_of(one.step) == row and one.wrong
        ]
        return "; ".join(told)


def run(erp: ErpProcess, client: Client, scenario: Scenario, soap: str, folder: Path) -> Run:
    """All steps of a scenario, knowing nothing but ?wsdl. `folder` is where a client may build its program."""
    wsdl = f"{erp.url(scenario.contract)}?wsdl"
    own = f"{client.name.upper()}-{uuid.uuid4().hex[:12].upper()}"
    known: dict[str, Any] = {"own": own}
    outcomes = []
    with Driver(client.command, wsdl, soap, folder=folder, cwd=ROOT) as driver:
        for step in scenario.steps:
            request = resolved(step.request, known)
            if driver.error:
                outcomes.append(Outcome(step=step, wrong=driver.error))
                continue
            answer = driver.call(step.operation, request, _qualified(wsdl, step.operation, request))
            wrong = judge(step, answer, known)
            outcomes.append(Outcome(step=step, wrong=wrong))
            known[step.name] = {"request": request, **_fields(answer.get("reply"))}
    return Run(
        client=client, soap=soap, contract=scenario.contract, version=driver.version, outcomes=tuple(outcomes)
    )


def _fields(reply: Any) -> dict[str, Any]:
    return reply if isinstance(reply, dict) else {}


def _qualified(wsdl: str, operation: str, request: dict[str, Any]) -> list[Any]:
    """The request with qualified names in the schema's order, for clients that read no schema: zeep knows."""
    client = _reader(wsdl)
    envelope = client.create_message(client.service, operation, **_for_zeep(request))
    body = envelope.find(f"{{{SOAP['1.1']}}}Body")
    assert isinstance(body, etree._Element)
    return qualified(body[0])


@cache
def _reader(wsdl: str) -> zeep.Client:
    return zeep.Client(wsdl)


def _for_zeep(value: Any) -> Any:
    if isinstance(value, list):
        return [_for_zeep(one) for one in value]
    if isinstance(value, dict):
        return {"_value_1" if name == "_" else name: _for_zeep(one) for name, one in value.items()}
    return value


def spoken(erp: ErpProcess, client: Client) -> set[str]:
    """The SOAP versions in which a client's requests really came, by the journal."""
    with contextlib.closing(
        sqlite3.connect(f"file:{erp.folder}/data/bridge.sqlite?mode=ro", uri=True)
    ) as store:
        rows = store.execute(
            "select distinct soap_version from journal where instr(cast(request as text), ?)",
            (f"{client.name.upper()}-",),
        ).fetchall()
    store.close()
    return {version for (version,) in rows}


# -- the page ------------------------------------------------------------------------------------------------

HEAD = """# Clients of other languages

Written by `make interop`, which starts the shipped bridge and drives each client against every operation of every shipped
contract. A client is given nothing but the address of `?wsdl`. The calls are in `tests/interop/scenarios`, with what
must come back; an operation that no scenario calls yet gets a request made up from its schema, and a reply or a declared fault will do. One small driver per client is in `tests/interop/clients`. `make test` runs all of them but gSOAP, which has to be
compiled, where they are installed. How to write a client of your own is in [clients.md](clients.md).

"""

KINDS = {
    "fault": "a declared fault, its detail read",
    "violations": "a refused request, its violations read",
}


def page(runs: list[Run]) -> str:
    """docs/interop.md."""
    return (
        HEAD + _clients(runs) + "".join(_table(scenario, runs) for scenario in scenarios()) + _failures(runs)
    )


def _clients(runs: list[Run]) -> str:
    lines = ["| client | version | SOAP | what to know |", "|---|---|---|---|"]
    for client in CLIENTS:
        version = next((run.version for run in runs if run.client is client and run.version), "not run")
        silent = f" {client.silent}" if client.silent else ""
        lines.append(
            f"| {client.language}: {client.title} | {version} | {', '.join(client.speaks)} | {client.notes}{silent} |"
        )
    return "\n".join(lines) + "\n"


def _table(scenario: Scenario, runs: list[Run]) -> str:
    lines = [
        f"\n## {scenario.contract}\n",
        f"| operation | {' | '.join(map(str, CLIENTS))} |",
        f"|---|{'---|' * len(CLIENTS)}",
    ]
    for row in scenario.rows:
        cells = [_cell(client, scenario.contract, row, runs) for client in CLIENTS]
        lines.append(f"| {KINDS.get(row, row)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(client: Client, contract: str, row: str, runs: list[Run]) -> str:
    told = []
    for soap in VERSIONS:
        if soap not in client.speaks:
            told.append(f"{soap} –")
            continue
        found = next(
            (run for run in runs if (run.client, run.contract, run.soap) == (client, contract, soap)), None
        )
        state = "not run" if found is None else "fails" if found.wrong(row) else "ok"
        told.append(f"{soap} {state}")
    return ", ".join(told)


def _failures(runs: list[Run]) -> str:
    lines = [
        f"* {run.client.language} {run.client.title}, {run.contract}, SOAP {run.soap}, {KINDS.get(row, row)}: "
        f"{run.client.reason(run.soap, row) or ' '.join(wrong.split())[:300]}"
        for run, row, wrong in _wrong(runs)
    ]
    silent = [f"* {client.language} {client.title}: {client.silent}" for client in CLIENTS if client.silent]
    return "\n## What does not work, and why\n\n" + "\n".join([*silent, *lines]) + "\n"


def _wrong(runs: list[Run]) -> Iterator[tuple[Run, str, str]]:
    for run in runs:
        for row in dict.fromkeys(row_of(one.step) for one in run.outcomes):
            if wrong := run.wrong(row):
                yield run, row, wrong
