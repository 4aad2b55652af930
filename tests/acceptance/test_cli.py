"""Every command as a process of its own, in a folder of its own: what it prints, what it ends with."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.shipped import contracts

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
GOOD_ORDER = SAMPLES / "purchasing/CreatePurchaseOrder/good-1-line-soap11.xml"
BAD_ORDER = SAMPLES / "purchasing/CreatePurchaseOrder/bad-sku-pattern-soap11.xml"
CONTRACT = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:greet" targetNamespace="urn:greet">
  <types><x:schema targetNamespace="urn:greet" elementFormDefault="qualified">
    <x:element name="Greet"><x:complexType><x:sequence><x:element name="name" type="x:string"/></x:sequence></x:complexType></x:element>
    <x:element name="Greeting"><x:complexType><x:sequence><x:element name="text" type="x:string"/></x:sequence></x:complexType></x:element>
  </x:schema></types>
  <message name="in"><part name="p" element="t:Greet"/></message>
  <message name="out"><part name="p" element="t:Greeting"/></message>
  <portType name="Port"><operation name="Greet"><input message="t:in"/><output message="t:out"/></operation></portType>
  <binding name="B" type="t:Port"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Greet"><s:operation soapAction="greet"/><input><s:body use="literal"/></input><output><s:body use="literal"/></output></operation>
  </binding>
  <service name="S"><port name="P" binding="t:B"><s:address location="http://localhost/"/></port></service>
</definitions>"""
SERVICE = """from bridge import Bridge

bridge = Bridge.load()
greet = bridge.serve("greet-1.wsdl")


@greet.operation("Greet")
def answer(request, call):
    return {"text": f"Hello {request.name}"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPBRIDGE_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"} | more


def run(folder: Path, *words: object, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *map(str, words)],
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(folder: Path, *words: object, status: int = 0, stdin: str = "") -> dict[str, Any]:
    """What a command says with --json; `ok` must agree with how it ended."""
    done = run(folder, *words, "--json", stdin=stdin)
    assert done.returncode == status, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    assert content["ok"] is (status == 0)
    return content


def last_line(text: str) -> str:
    return text.rstrip().splitlines()[-1]


@contextmanager
def served(folder: Path, *words: str, **variables: str) -> Iterator[dict[str, Any]]:
    """A bridge in a process; what it announced. It must end with status 0 on SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve", *words, "--port", "0", "--json"],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        assert lines, process.communicate()[1]
        yield json.loads("".join(lines))
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors


def post(url: str, body: bytes) -> tuple[int, bytes, str]:
    """(status, body, exchange id)"""
    request = urllib.request.Request(url, body, {"Content-Type": "text/xml"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read(), reply.headers["X-Exchange-Id"]
    except urllib.error.HTTPError as reply:
        with reply:
            return reply.code, reply.read(), reply.headers["X-Exchange-Id"]


# help


def test_help_brings_none_of_what_takes_long_to_import(folder: Path) -> None:
    """How long it takes is measured by `python -m benchmarks --only start_up`."""
    code = (
        "import sys\nsys.argv = ['soapbridge', '--help']\nfrom bridge.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('sqlalchemy', 'zeep', 'spyne', 'uvicorn', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")


def test_a_misspelt_command_is_refused(folder: Path) -> None:
    done = run(folder, "serv")
    assert done.returncode == 2
    assert "serv" in done.stderr


# settings


def test_settings_tells_each_value_and_where_it_came_from(folder: Path) -> None:
    (folder / "bridge.toml").write_text("[log]\nlevel = 'debug'\n")
    content = answer(folder, "settings")
    assert content["settings"]["log.level"] == {"value": "debug", "source": "bridge.toml:2"}
    assert content["settings"]["server.port"]["value"] == "8080"


def test_settings_hides_the_password_of_the_store(folder: Path) -> None:
    done = run(folder, "settings", SOAPBRIDGE_STORE_URL="postgresql+psycopg://me:hunter2@host/name")
    assert "me:***@host" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_wrong_settings_end_every_command_with_all_mistakes_and_no_trace(folder: Path) -> None:
    (folder / "bridge.toml").write_text("[server]\nprot = 1\nworkers = 0\n")
    for command in (("settings",), ("serve",), ("journal", "list")):
        done = run(folder, *command)
        assert done.returncode == 2
        assert "bridge.toml:2: there is no key server.prot; did you mean port?" in done.stderr
        assert "bridge.toml:3: server.workers must be at least 1" in done.stderr
        assert "Traceback" not in done.stderr


# contract


def test_contract_show_lists_operations_elements_and_faults(folder: Path) -> None:
    content = answer(folder, "contract", "show", "purchasing")
    (create,) = [one for one in content["operations"] if one["key"] == "CreatePurchaseOrder"]
    assert create["input"] == "{urn:soapbridge:erp:purchasing:1}CreatePurchaseOrder"
    assert "KeyReused" in create["faults"]
    done = run(folder, "contract", "show", "purchasing")
    assert "CreatePurchaseOrderResponse" in done.stdout
    assert (
        last_line(done.stdout) == "A message to start from: soapbridge sample purchasing CreatePurchaseOrder"
    )


def test_contract_check_passes_what_is_shipped(folder: Path) -> None:
    for name in ("purchasing", "inventory"):
        assert answer(folder, "contract", "check", name)["problems"] == []


def test_contract_check_names_file_and_line_of_what_cannot_be_used(folder: Path) -> None:
    (folder / "greet.wsdl").write_text(CONTRACT.replace('element="t:Greet"', 'element="t:Gret"'))
    content = answer(folder, "contract", "check", "greet.wsdl", status=1)
    assert content["usable"] == 0
    assert any(problem["file"].endswith("greet.wsdl") and problem["line"] for problem in content["problems"])


def test_a_contract_that_is_not_there_lists_those_that_are(folder: Path) -> None:
    done = run(folder, "contract", "show", "nothing")
    assert done.returncode == 2
    assert "inventory, purchasing" in done.stderr


def test_contract_corpus_puts_every_contract_of_a_folder_to_the_test(folder: Path) -> None:
    for name, text in (
        ("good", CONTRACT),
        ("bad", CONTRACT.replace('element="t:Greet"', 'element="t:Gret"')),
    ):
        (folder / "all" / name).mkdir(parents=True)
        (folder / "all" / name / "greet.wsdl").write_text(text)
    content = answer(folder, "contract", "corpus", "all", status=1)
    assert {one["name"]: one["complete"] for one in content["contracts"]} == {"good": "yes", "bad": "no"}
    assert answer(folder, "contract", "corpus", "all", "--least", 1)["complete"] == 1
    assert "| good | yes | 1 | 1 |" in run(folder, "contract", "corpus", "all", "--markdown").stdout


# sample and validate


@pytest.mark.parametrize("operation", ["CreatePurchaseOrder", "GetPurchaseOrder"])
def test_what_sample_prints_validate_accepts(folder: Path, operation: str) -> None:
    files = []
    for more in ((), ("--soap", "1.2"), ("--reply",), ("--seed", 7), ("--minimal",), ("--payload",)):
        sample = run(folder, "sample", "purchasing", operation, *more)
        assert sample.returncode == 0, sample.stderr
        assert sample.stdout.startswith("<")
        files.append(folder / f"{len(files)}.xml")
        files[-1].write_text(sample.stdout, "utf-8")
    content = answer(folder, "validate", *files)
    assert [file["operation"] for file in content["files"]] == [operation] * 6


def test_the_same_seed_gives_the_same_sample(folder: Path) -> None:
    first, again, other = (
        run(folder, "sample", "inventory", "UpdateStock", "--seed", seed).stdout for seed in (3, 3, 4)
    )
    assert first == again != other


def test_sample_of_an_operation_that_is_not_there_lists_those_that_are(folder: Path) -> None:
    done = run(folder, "sample", "purchasing", "CreateOrder")
    assert done.returncode == 2
    assert "CreatePurchaseOrder, GetPurchaseOrder" in done.stderr


def test_validate_accepts_good_files_and_names_their_operation(folder: Path) -> None:
    done = run(folder, "validate", GOOD_ORDER)
    assert done.returncode == 0
    assert "valid (request of purchasing CreatePurchaseOrder)" in done.stdout


def test_validate_lists_each_violation_with_path_line_and_the_contracts_words(folder: Path) -> None:
    content = answer(folder, "validate", GOOD_ORDER, BAD_ORDER, status=1)
    good, bad = content["files"]
    assert good["valid"]
    (violation,) = bad["violations"]
    assert violation["path"] == "/CreatePurchaseOrder/order/line[2]/item/sku"
    assert violation["line"]
    assert violation["documentation"]
    done = run(folder, "validate", BAD_ORDER)
    assert done.returncode == 1
    assert "/CreatePurchaseOrder/order/line[2]/item/sku" in done.stdout


def test_validate_checks_against_a_contract_of_ones_own(folder: Path) -> None:
    (folder / "greet.wsdl").write_text(CONTRACT)
    payload = '<Greet xmlns="urn:greet"><name>x</name></Greet>'
    assert (
        answer(folder, "validate", "-", "--wsdl", "greet.wsdl", stdin=payload)["files"][0]["what"]
        == "payload"
    )
    content = answer(
        folder, "validate", "-", "--wsdl", "greet.wsdl", status=1, stdin=payload.replace("name>", "nam>")
    )
    assert content["files"][0]["violations"]


def test_validate_refuses_what_is_no_message_and_says_why(folder: Path) -> None:
    contents = ["", "no xml", "<a>", "<!DOCTYPE a><a/>", "<a/>", '<Envelope xmlns="urn:x"/>']
    files = [folder / f"{number}.xml" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    reports = answer(folder, "validate", *files, status=1)["files"]
    assert len(reports) == len(contents)
    assert all(report["reason"] for report in reports)
    (report,) = answer(folder, "validate", "-", status=1, stdin=contents[0])["files"]
    assert report["reason"]


def test_validate_of_a_file_that_is_not_there_says_so(folder: Path) -> None:
    (report,) = answer(folder, "validate", "missing.xml", status=1)["files"]
    assert "No such file" in report["reason"]


# check, migrate


def test_check_passes_the_shipped_bridge(folder: Path) -> None:
    content = answer(folder, "check")
    assert content["services"] == sorted(contracts("erp"))
    assert content["mistakes"] == []


def test_check_of_ones_own_bridge_lists_operations_without_handler(folder: Path) -> None:
    (folder / "greet-1.wsdl").write_text(CONTRACT)
    (folder / "service.py").write_text(SERVICE.split("@")[0])
    content = answer(folder, "check", "service:bridge", status=1)
    assert any("Greet has no handler" in mistake for mistake in content["mistakes"])


def test_a_bridge_that_is_not_there_says_where_to_look(folder: Path) -> None:
    done = run(folder, "serve", "service:bridge")
    assert done.returncode == 2
    assert "There is no module service." in done.stderr
    assert "Run the command in the folder of service.py." in run(folder, "check", "service:bridge").stdout
    (folder / "service.py").write_text("other = 1\n")
    assert "no bridge named bridge" in run(folder, "serve", "service:bridge").stderr


def test_migrate_makes_the_store_and_again_changes_nothing(folder: Path) -> None:
    assert answer(folder, "migrate")["store"].endswith("data/bridge.sqlite")
    assert (folder / "data/bridge.sqlite").is_file()
    answer(folder, "migrate")


# serve and journal


def test_serve_answers_and_the_journal_tells_what_came_in(folder: Path) -> None:
    with served(folder) as announced:
        services = {one["name"]: one for one in announced["services"]}
        url = services["purchasing"]["url"]
        assert url == f"{announced['url']}/services/purchasing"
        with urllib.request.urlopen(services["purchasing"]["wsdl"], timeout=20) as reply:
            assert b"CreatePurchaseOrder" in reply.read()
        status, body, accepted = post(url, GOOD_ORDER.read_bytes())
        assert status == 200, body
        status, body, refused = post(url, BAD_ORDER.read_bytes())
        assert status == 500
        assert refused.encode() in body

    exchanges = answer(folder, "journal", "list")["exchanges"]
    assert [(one["exchange_id"], one["verdict"]) for one in exchanges] == [
        (refused, "invalid_request"),
        (accepted, "accepted"),
    ]
    assert [
        one["exchange_id"] for one in answer(folder, "journal", "list", "--verdict", "accepted")["exchanges"]
    ] == [accepted]
    assert [one["exchange_id"] for one in answer(folder, "journal", "find", "item/sku")["exchanges"]] == [
        refused
    ]
    shown = answer(folder, "journal", "show", refused)["exchange"]
    assert "CreatePurchaseOrder" in shown["request"]
    assert refused in shown["reply"]
    assert shown["violation_count"] == 1
    text = run(folder, "journal", "show", accepted).stdout
    assert "accepted" in text
    assert "CreatePurchaseOrderResponse" in text


def test_the_journal_says_so_when_there_is_nothing(folder: Path) -> None:
    done = run(folder, "journal", "list")
    assert done.returncode == 2
    assert "soapbridge migrate" in done.stderr
    answer(folder, "migrate")
    assert answer(folder, "journal", "list")["exchanges"] == []
    assert answer(folder, "journal", "find", "x", status=1)["exchanges"] == []
    assert answer(folder, "journal", "show", "x", status=1)["exchange"] is None
    assert run(folder, "journal", "list", "--since", "yesterday").returncode == 2
    assert run(folder, "journal", "list", "--verdict", "fine").returncode == 2


def test_serve_runs_a_bridge_of_ones_own(folder: Path) -> None:
    (folder / "greet-1.wsdl").write_text(CONTRACT)
    (folder / "service.py").write_text(SERVICE)
    (folder / "bridge.toml").write_text("[data]\nfolder = 'kept'\n")
    with served(folder, "service:bridge") as announced:
        (service,) = announced["services"]
        status, body, _ = post(
            service["url"],
            b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
            b'<Greet xmlns="urn:greet"><name>Ada</name></Greet></Body></Envelope>',
        )
    assert status == 200
    assert b"Hello Ada" in body
    assert (folder / "kept/bridge.sqlite").is_file()


def test_serve_prints_a_curl_line_that_can_be_pasted(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "bridge", "serve", "--port", "0"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if line.strip().startswith("curl "))
        words = shlex.split(line)
        status, body, _ = post(words[-1], words[words.index("--data-binary") + 1].encode())
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert status == 200, body


def test_serve_says_when_the_port_is_taken(folder: Path) -> None:
    with served(folder) as announced:
        port = announced["url"].rpartition(":")[2]
        (folder / "second").mkdir()
        done = run(folder / "second", "serve", "--port", port)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}." in done.stderr


def test_several_workers_on_sqlite_are_refused_with_the_way_out(folder: Path) -> None:
    done = run(folder, "serve", "--workers", 2)
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr
