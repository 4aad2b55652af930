"""Documentation that fails the build when it lies: errors, links, files, commands and settings it names must exist."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bridge import errors
from bridge.cli import app
from bridge.exchange import Exchange
from bridge.inbound import Inbound
from bridge.settings import NAMED_SECTIONS, Settings, keys, named_keys
from bridge.soap.refusals import REASONS

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in PAGES}

# Folders of ours: a path in the text that begins with one of them must exist.
OURS = r"(?:bridge|docs|tests|samples|wsdl|xsd|benchmarks|deploy|\.ci)"


@pytest.fixture(params=TEXTS)
def page(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_error_has_its_row_and_every_row_its_error() -> None:
    rows = {
        match[1]: (match[2], match[3])
        for match in re.finditer(r"^\| `(\w+)` \| (\w+) \| (\w+) \|", TEXTS["docs/errors.md"], re.MULTILINE)
        if match[1] not in ("Client", "Server", "MustUnderstand", "VersionMismatch")
    }
    real = {
        name: (cls.whose, cls.repeat)
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.BridgeError)
    }
    assert rows == real


def test_the_tree_at_the_head_of_errors_names_every_error() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"BridgeError"}
    assert drawn == {
        name
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.BridgeError)
    }


def test_links_between_pages_resolve(page: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (ROOT / page).parent / path if path else ROOT / page
        lost = (
            anchor
            and file.suffix == ".md"
            and file.exists()
            and anchor not in anchors(file.read_text("utf-8"))
        )
        if not file.exists() or lost:
            broken.append(target)
    assert not broken


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_files_that_the_text_names_exist(page: str) -> None:
    if page == "CHANGELOG.md":
        return  # tells of the past
    named = set(re.findall(rf"(?<![\w/.]){OURS}/[\w./-]*\w/?", TEXTS[page]))
    assert not sorted(name for name in named if not (ROOT / name).exists())


def test_make_targets_that_the_text_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z]+(?:-[a-z]+)*)", TEXTS[page], re.MULTILINE))
    assert named <= targets


COMMAND = typer.main.get_command(app)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        yield f"{prefix}{name}", command
        yield from commands(command, f"{prefix}{name} ")


def test_commands_that_the_text_names_exist_with_their_options(page: str) -> None:
    if page == "CHANGELOG.md":
        return
    real = dict(commands(COMMAND))
    lies = []
    for line in re.findall(r"(?:^ {4}(?:\$ )?|`)soapbridge ([^`\n]+)", TEXTS[page], re.MULTILINE):
        words = re.split(r"\s{2,}|\s#|\s[|>]\s", line)[0].split()
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in real), None)
        if name is None:
            lies += [line] if not words[0].startswith("-") else []
            continue
        options = {option for parameter in real[name].params for option in parameter.opts} | {"--help"}
        lies += [f"{name} {word}" for word in words if word.startswith("--") and word not in options]
    assert not lies


def test_settings_and_variables_that_the_text_names_exist(page: str) -> None:
    if page == "CHANGELOG.md":
        return
    sections = {key.section for key in keys()}
    paths = {key.path for key in keys()}
    named = {f"{s}.{k}" for s, k in re.findall(r"`(\w+)\.(\w+)`", TEXTS[page]) if s in sections}
    named = {name for name in named if not name.endswith((".py", ".toml"))}
    assert named <= paths
    variables = {key.variable for key in keys()} | {"SOAPBRIDGE_CONFIG"}
    named = set(re.findall(r"SOAPBRIDGE_\w*[A-Z]", TEXTS[page])) - variables
    found = {re.sub(r"_FILE$", "", name) for name in named}
    # Of sections that come once for each name the page may take any name.
    named_sections = [key.variable for group in NAMED_SECTIONS for key in named_keys(group)]
    patterns = [variable.replace("_NAME_", r"_\w+_", 1) for variable in named_sections]
    assert not [name for name in found - variables if not any(re.fullmatch(one, name) for one in patterns)]


def test_the_version_has_its_heading_in_the_changelog_or_is_unreleased() -> None:
    text = (ROOT / "setup.cfg").read_text("utf-8")
    version = re.search(r"^version = (.+)$", text, re.MULTILINE)
    assert version
    assert f"## [{version[1]}]" in TEXTS["CHANGELOG.md"] or "## [Unreleased]" in TEXTS["CHANGELOG.md"]


def test_pages_are_reached_from_the_readme() -> None:
    """Those of docs/ by the README itself, those in folders below by one of them."""

    def linked(page: str) -> set[str]:
        folder = Path(page).parent
        return {(folder / name).as_posix() for name in re.findall(r"\]\(([\w/-]+\.md)", TEXTS[page])}

    top = {name for name in TEXTS if re.fullmatch(r"docs/[^/]+", name)}
    below = {name for name in TEXTS if name.startswith("docs/")} - top
    assert top <= linked("README.md")
    assert below <= {name for page in top for name in linked(page)}


def test_symbolic_links_are_in_git_as_links() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-s", "bridge/shipped"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    modes = {line.split("\t")[1]: line.split()[0] for line in listed.stdout.splitlines()}
    assert modes["bridge/shipped/wsdl"] == modes["bridge/shipped/xsd"] == "120000"


def definitions(file: Path) -> set[str]:
    """`name` of every class and function of a module, `Class.name` of every method."""
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef)
    found = {node.name for node in tree.body if isinstance(node, kinds)}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            found |= {f"{owner.name}.{node.name}" for node in owner.body if isinstance(node, kinds)}
    return found


def test_the_figures_of_the_ways_to_connect_are_those_that_were_measured_last() -> None:
    table = TEXTS["docs/choosing.md"].partition("<!-- modes -->")[2].partition("<!-- /modes -->")[0].strip()
    assert len(table.splitlines()) == 6
    assert table in TEXTS["docs/benchmarks.md"]


def test_functions_that_the_text_places_in_a_file_are_there(page: str) -> None:
    lies = []
    for file, name in re.findall(r"`(bridge/[\w/]+\.py)`\s+`([\w.]+)`", TEXTS[page]):
        if name not in definitions(ROOT / file):
            lies.append(f"{file} {name}")
    stages = definitions(ROOT / "bridge/inbound.py")
    lies += [name for name in re.findall(r"`(Inbound\.\w+)`", TEXTS[page]) if name not in stages]
    assert not lies


def test_the_service_in_the_readme_answers_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name in ("wsdl", "xsd"):
        (tmp_path / name).symlink_to(ROOT / name)
    namespace: dict[str, Any] = {}
    exec(compile(source, "service.py", "exec"), namespace)
    inbound = Inbound(namespace["stock"], Settings())

    def answer(sku: str) -> Exchange:
        envelope = (
            '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
            f'<GetStock xmlns="urn:soapbridge:erp:inventory:1"><sku>{sku}</sku></GetStock></Body></Envelope>'
        )
        exchange = Exchange(body=envelope.encode(), content_type="text/xml")
        try:
            for stage in (inbound.open, inbound.admit, inbound.validate, inbound.decode, inbound.answer):
                stage(exchange)
        except errors.BridgeError as error:
            inbound.fail(exchange, error)
        return exchange

    assert answer("A-1").status == 200
    assert b">10</" in answer("A-1").reply
    assert b"NotFound" in answer("UNKNOWN").reply
    assert namespace["stock"].unbound[0] == "UpdateStock"
    assert "GetStock" not in namespace["stock"].unbound


def test_every_http_status_that_is_answered_is_explained() -> None:
    answered = {str(reason.status) for reason in REASONS.values() if reason.status}
    entrance = (ROOT / "bridge/host/http.py").read_text("utf-8")
    answered |= set(re.findall(r"_refuse\((\d{3})", entrance))
    explained = set(re.findall(r"^\| (\d{3}) \|", TEXTS["docs/errors.md"], re.MULTILINE))
    assert answered <= explained
