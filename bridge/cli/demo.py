"""`soapbridge demo`: a bridge, a CRM that is a mock, and an afternoon between them in a few seconds.

The bridge is a process of its own, as `soapbridge up` starts it, in a folder that is gone afterwards. Whatever is shown
was done over HTTP, the events by the bridge itself, and the demo checks it: it ends with 1 where something did not go as
it should.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.output import AsJson, finish, say, table, writing
from bridge.errors import InDoubt, PartnerError, Refused, SettingsError

if TYPE_CHECKING:
    from bridge.cli.demo_story import Story

_START_SECONDS = 60
_SETTINGS = """\
[erp]
events_to = "crm"

[partners.crm]
wsdl = "events"
endpoint = "{crm}"
deadline = 0.5                  # the CRM answers too late, once
keeps_id = true
first_delay = 0.1

[delivery]
lease = 10
"""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the table. `well` tells whether it went as it should, a refusal that was due included."""

    way: str
    operation: str
    what: str
    outcome: str
    well: bool
    milliseconds: float


def demo(
    story: Annotated[
        Literal["afternoon", "company"],
        typer.Argument(
            help="afternoon: a few messages, in seconds. company: an exporter's month, in two minutes."
        ),
    ] = "afternoon",
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FOLDER", help="Leave what was made in this new folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A bridge at work: `afternoon`, orders and events between a bridge and a mock CRM, one refused, one sent twice; or `company`, 5,000 documents
    of an exporter's month over web services, staging tables and databases, with everything that goes wrong, reconciled at the end."""
    if story == "company":
        from bridge.cli.company.told import play

        with _folder(keep) as folder, _silence():
            play(folder, keep=keep, as_json=as_json)
    _afternoon(keep, as_json=as_json)


def _afternoon(keep: Path | None, *, as_json: bool) -> None:
    from bridge.cli.demo_story import Story
    from bridge.mock import Mock
    from bridge.shipped import contracts

    happened: list[Happening] = []

    def tell(happening: Happening) -> None:
        happened.append(happening)

    crm_contract = contracts("crm")["events"]
    with (
        _folder(keep) as folder,
        _silence(),
        Mock(crm_contract) as crm,
        _bridge(folder, crm.url) as urls,
    ):
        if not as_json:
            say(
                "The bridge answers the ERP's contracts; the CRM is a mock of wsdl/crm/events-1.wsdl.", "bold"
            )
            for name, url in urls.items():
                say(f"  {name:<12} {url}")
            say(f"  {'CRM':<12} {crm.url}\n")
        played = Story(urls, crm, lambda *words, deed: tell(_timed(*words, deed=deed)))
        try:
            played.run()
        finally:
            played.close()
    well = all(one.well for one in happened) and played.consistent
    if not as_json:
        _print(happened, played)
    finish(
        _next(keep, well),
        ok=well,
        as_json=as_json,
        content={
            "happened": [
                {
                    "way": one.way,
                    "operation": one.operation,
                    "what": one.what,
                    "outcome": one.outcome,
                    "well": one.well,
                }
                for one in happened
            ],
            "violations": played.violations,
        },
    )


def _timed(way: str, operation: str, what: str, *, deed: Callable[[], tuple[str, bool]]) -> Happening:
    """Does it, and says what became of it; an outcome that nobody expected included."""
    began = time.perf_counter()
    try:
        outcome, well = deed()
    except Refused as error:
        outcome, well = f"refused: {error.name or error.message}", False
    except (InDoubt, PartnerError) as error:
        outcome, well = f"{type(error).__name__}: {error.message}", False
    return Happening(way, operation, what, outcome, well, (time.perf_counter() - began) * 1000)


def _print(happened: list[Happening], story: Story) -> None:
    table(
        ("", "who calls whom", "operation", "what", "what became of it", "ms"),
        (
            (
                "✓" if one.well else "✗",
                one.way,
                one.operation,
                one.what,
                one.outcome,
                f"{one.milliseconds:.0f}",
            )
            for one in happened
        ),
    )
    say("\nThe refused order broke its contract here:", "bold")
    for path, message in story.violations:
        say(f"  {path}: {message}")
    say(f"\n{story.summary}")


def _next(keep: Path | None, well: bool) -> str:
    if not well:
        return "Something did not go as it should: see the lines with ✗."
    if keep is not None:
        store = (keep / "bridge.sqlite").absolute()
        return f"What came in: SOAPBRIDGE_STORE_URL=sqlite:///{store} soapbridge journal list"
    return "Your own contract next: soapbridge init NAME --wsdl FILE"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="soapbridge-demo-") as folder:
            yield Path(folder)
        return
    if keep.exists():
        raise SettingsError(f"{keep} is there already.", advice="Name a folder that is not.")
    with writing(keep):
        keep.mkdir(parents=True)
    yield keep


@contextmanager
def _silence() -> Iterator[None]:
    """What goes wrong here is meant to, and stands in the table."""
    ours = logging.getLogger("bridge")
    level = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ours.setLevel(level)


@contextmanager
def _bridge(folder: Path, crm: str) -> Iterator[dict[str, str]]:
    """`soapbridge up` in a process of its own, which tells the CRM; the addresses of its services by name."""
    (folder / "bridge.toml").write_text(_SETTINGS.format(crm=crm), encoding="utf-8")
    # This package wherever it is, and no settings but the demo's own.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPBRIDGE_")}
    place = str(Path(__file__).parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([place, *filter(None, [kept.get("PYTHONPATH")])])
    kept |= {"SOAPBRIDGE_DATA_FOLDER": str(folder.absolute()), "SOAPBRIDGE_LOG_LEVEL": "error"}
    with (folder / "bridge.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "up", "--port", "0", "--json"],
            cwd=folder,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield _announced(process, folder)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _announced(process: subprocess.Popen[bytes], folder: Path) -> dict[str, str]:
    assert process.stdout is not None
    text = b""
    for line in process.stdout:
        text += line
        if line == b"}\n":
            listed: list[dict[str, Any]] = json.loads(text)["services"]
            return {service["name"]: service["url"] for service in listed}
    said = (folder / "bridge.log").read_text("utf-8", "replace").strip()
    raise SettingsError(f"The bridge did not start: {said or 'it said nothing'}.")
