"""The programs in docs/clients run as they stand there, against a live bridge, and print what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.shipped_erp import ROOT, ErpProcess, environment
from tests.interop.clients import CLIENTS

FOLDER = ROOT / "docs" / "clients"
ADDRESS = "http://127.0.0.1:8080"

# page: language of its blocks, file name, command
PAGES = {
    "php": ("php", "order.php", ["php", "-d", "soap.wsdl_cache_enabled=0"]),  # ports come again
    "node": ("js", "order.js", ["node"]),
    "python": ("python", "order.py", [sys.executable, "-W", "error"]),
    "curl": ("sh", "order.sh", ["bash", "-eu"]),
}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (FOLDER / f"{page}.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.interop
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_and_prints_what_it_says(page: str, erp: ErpProcess, tmp_path: Path) -> None:
    language, file, command = PAGES[page]
    missing = next((client.missing() for client in CLIENTS if client.name == page), "")
    if missing or shutil.which(command[0]) is None:
        pytest.skip(missing or f"{command[0]} is not installed")
    program = "".join(blocks(page, language))
    assert program.count(ADDRESS) == 1
    (tmp_path / file).write_text(program.replace(ADDRESS, erp.announced["url"]), "utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    done = subprocess.run(
        [*command, file],
        cwd=tmp_path,
        env=environment(PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (said,) = blocks(page, "text")
    assert re.sub(r"PO-2\d{3}-\d{6}", "PO-2026-000001", done.stdout) == said, done.stderr
    assert done.returncode == 0, done.stderr


SETTINGS = """
[tls]
certificate = "certs/server.pem"
key = "certs/server.key"
client_ca = "certs/ca.pem"
client_certificate = "optional"
[at_rest]
key_file = "at-rest.key"
[callers.crm]
certificates = ["certs/client.pem"]
roles = ["buyer"]
[roles.buyer]
operations = ["purchasing.GetPurchaseOrder"]
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ErpProcess, dict[str, str]]]:
    """A bridge over TLS that knows one caller, made with the commands of docs/access.md, and what the caller was given."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "bridge.toml").write_text(SETTINGS, "utf-8")

    def command(*words: str, told: str = "") -> str:
        return subprocess.run(
            [sys.executable, "-m", "bridge", *words],
            cwd=folder,
            env=environment(),
            input=told,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    command("certs", "--client", "client")
    command("keys", "new", "at-rest.key")
    given = {
        "BRIDGE_KEY": command("credentials", "add", "crm").split()[0],
        "BRIDGE_PASSWORD": "horse battery",
    }
    command("credentials", "add", "crm", "--wss-password", "--from", "-", told=given["BRIDGE_PASSWORD"])
    with ErpProcess(folder) as served:
        yield served, given


@pytest.mark.interop
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_how_to_say_who_one_is(
    page: str, guarded: tuple[ErpProcess, dict[str, str]], tmp_path: Path
) -> None:
    served, given = guarded
    language, file, command = PAGES[page]
    missing = next((client.missing() for client in CLIENTS if client.name == page), "")
    if missing or shutil.which(command[0]) is None:
        pytest.skip(missing or f"{command[0]} is not installed")
    (program,) = blocks(page, f"{language} who")
    assert program.count("https://localhost:8443") == 1
    program = program.replace("https://localhost:8443", f"https://localhost:{served.port}")
    (tmp_path / file).write_text(program, "utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    for name in ("ca.pem", "client.pem", "client.key"):
        shutil.copy(served.folder / "certs" / name, tmp_path)
    done = subprocess.run(
        [*command, file],
        cwd=tmp_path,
        env=environment(
            PATH=os.environ["PATH"],
            NODE_EXTRA_CA_CERTS="ca.pem",
            REQUESTS_CA_BUNDLE="",
            CURL_CA_BUNDLE="",
            **given,
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (said,) = blocks(page, "text who")
    assert (done.stdout, done.returncode) == (said, 0), done.stderr


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_says_at_its_top_whether_it_is_run(page: Path) -> None:
    _, empty, note, *_ = page.read_text("utf-8").splitlines()
    assert not empty
    if page.stem in PAGES:
        assert note.startswith("> Run by the tests, as it stands here, with ")
    else:
        assert re.match(r"> Not run here\. Written from the documentation of \S+", note)


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_tells_the_whole_way(page: Path) -> None:
    text = page.read_text("utf-8")
    for told in ("?wsdl", "CreatePurchaseOrder", "requestId", "NotFound", "violations", "60"):
        assert told.lower() in text.lower().replace("_", "").replace(" ", ""), told
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles[-4:] == [
        "A declared fault",
        "A request that breaks the contract",
        "Repeating safely",
        "TLS",
    ]
