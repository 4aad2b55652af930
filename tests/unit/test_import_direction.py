"""Imports point one way: entrances, app, stories, parts that touch something, pure parts, ground.

The tables below are the rule (DESIGN, "Layout"); the tests read every module's imports with `ast`, wherever
in the file they stand. Imports for types only (`if TYPE_CHECKING`) bind nothing at run time and are free.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge

ROOT = Path(bridge.__file__).parent

# Top to bottom. A unit may import the units of lower layers; within its own layer only what WITHIN lists.
LAYERS: tuple[tuple[str, str], ...] = (
    ("package", "bridge bridge.__main__ bridge.testing"),
    (
        "entrances",
        "bridge.cli bridge.console bridge.handover bridge.host bridge.mock bridge.ops",
    ),
    ("app", "bridge.app bridge.checks bridge.upkeep"),
    (
        "stories",
        "bridge.inbound bridge.replay bridge.outbound bridge.sync bridge.reconciliation bridge.process",
    ),
    (
        "parts",
        "bridge.access bridge.audit bridge.atrest bridge.backup bridge.confidential bridge.handlers bridge.exchange bridge.idempotency bridge.answering bridge.forwarding bridge.partners "
        "bridge.store bridge.erp bridge.delivery",
    ),
    (
        "pure",
        "bridge.contract bridge.fields bridge.starter bridge.soap bridge.mapping bridge.delivery.states bridge.delivery.policy "
        "bridge.delivery.by_hand bridge.delivery.circuit bridge.delivery.sender bridge.delivery.turns bridge.delivery.due",
    ),
    # bridge.soap.limits is data without imports: settings shows its fields as keys, so that none is written twice.
    # bridge.shipped is where the contracts' files are. bridge.delivery.timetable reads a form that settings have checked.
    (
        "ground",
        "bridge.errors bridge.ids bridge.once bridge.settings bridge.log bridge.soap.limits bridge.shipped bridge.delivery.timetable",
    ),
)

# Neighbours in one layer that may import each other: (importer, imported).
WITHIN: frozenset[tuple[str, str]] = frozenset(
    {
        ("bridge.__main__", "bridge"),
        ("bridge.app", "bridge.checks"),
        ("bridge.app", "bridge.upkeep"),
        ("bridge.checks", "bridge.upkeep"),
        ("bridge.app", "bridge.host"),  # `Bridge.wsgi()`, when it is called: users have one object, not two
        ("bridge.testing", "bridge"),
        ("bridge.cli", "bridge.host"),  # `serve` starts the host
        ("bridge.cli", "bridge.handover"),
        ("bridge.cli", "bridge.testing"),  # `demo company` plays with a simulated CRM, when it is called
        ("bridge.cli", "bridge.mock"),  # `mock` starts one
        ("bridge.mock", "bridge.host"),  # reads requests and shows contracts as the real host does
        (
            "bridge.app",
            "bridge.host",
        ),  # `Bridge.wsgi()`, inside the method: the one way up, for users' convenience
        ("bridge.console", "bridge.host"),
        ("bridge.cli", "bridge.ops"),  # `check` looks at disks
        ("bridge.host", "bridge.ops"),  # shows the figures, and has exchanges observed
        ("bridge.replay", "bridge.inbound"),  # the same stages, twice
        ("bridge.handlers", "bridge.store"),
        ("bridge.fields", "bridge.contract"),
        ("bridge.fields", "bridge.soap"),
        ("bridge.confidential", "bridge.exchange"),
        ("bridge.access", "bridge.store"),
        ("bridge.access", "bridge.audit"),
        ("bridge.audit", "bridge.store"),
        ("bridge.atrest", "bridge.store"),
        ("bridge.backup", "bridge.store"),
        ("bridge.backup", "bridge.atrest"),  # one form of key files, one name for a key
        ("bridge.exchange", "bridge.access"),
        ("bridge.exchange", "bridge.handlers"),
        ("bridge.exchange", "bridge.store"),
        ("bridge.handlers", "bridge.forwarding"),  # `Service.forward`, when it is called
        ("bridge.forwarding", "bridge.handlers"),
        ("bridge.forwarding", "bridge.idempotency"),
        ("bridge.answering", "bridge.exchange"),
        ("bridge.answering", "bridge.handlers"),
        ("bridge.answering", "bridge.idempotency"),
        ("bridge.answering", "bridge.store"),
        ("bridge.idempotency", "bridge.handlers"),
        ("bridge.idempotency", "bridge.store"),
        ("bridge.partners", "bridge.store"),
        ("bridge.erp", "bridge.store"),
        ("bridge.delivery", "bridge.store"),
        ("bridge.soap", "bridge.contract"),  # a fault's detail carries violations
        ("bridge.delivery.policy", "bridge.delivery.states"),
        ("bridge.delivery.by_hand", "bridge.delivery.states"),
        ("bridge.delivery.sender", "bridge.delivery.policy"),
        ("bridge.mapping", "bridge.contract"),
        ("bridge.starter", "bridge.contract"),
        ("bridge.settings", "bridge.errors"),
        ("bridge.settings", "bridge.soap.limits"),
        ("bridge.settings", "bridge.delivery.timetable"),
        ("bridge.log", "bridge.settings"),
        ("bridge.log", "bridge.errors"),
    }
)

# Pure parts touch no network, no database, no clock, no other process.
IMPURE_MODULES = frozenset(
    {
        "socket", "ssl", "http", "urllib.request", "requests", "zeep", "spyne", "granian", "smtplib", "ftplib",
        "sqlalchemy", "alembic", "psycopg", "sqlite3",
        "time", "sched", "asyncio", "subprocess", "multiprocessing",
    }
)  # fmt: skip
IMPURE_ON_REQUEST: frozenset[tuple[str, str]] = frozenset(
    {
        # fetches a contract's documents while it is loaded, only where settings say `remote`
        ("bridge.contract.sources.document", "urllib.request"),
    }
)
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if "migrations" in parts:
            continue  # run by Alembic, by path
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


def imports(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """(imported module, line) of every import that runs; `from package import module` names the module."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    stack: list[ast.AST] = [ast.parse(path.read_bytes())]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno
        stack.extend(ast.iter_child_nodes(node))


def unit_of(module: str) -> tuple[int, str] | None:
    """(layer number, unit): the longest name in LAYERS that holds this module."""
    best: tuple[int, str] | None = None
    for number, (_, units) in enumerate(LAYERS):
        for unit in units.split():
            inside = module == unit or (unit != "bridge" and module.startswith(unit + "."))
            if inside and (best is None or len(unit) > len(best[1])):
                best = (number, unit)
    return best


def test_every_module_has_its_place_in_the_layers() -> None:
    homeless = [name for name in MODULES if unit_of(name) is None]
    assert not homeless, f"give these a layer in LAYERS, or a better home: {homeless}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_lies_below_it(name: str) -> None:
    place = unit_of(name)
    assert place is not None
    layer, unit = place
    wrong = []
    for imported, line in imports(name, MODULES[name]):
        target = unit_of(imported) if imported.split(".")[0] == "bridge" else None
        if target is None or target[1] == unit or target[0] > layer:
            continue
        if (unit, target[1]) in WITHIN:
            continue
        if imported == "bridge" and imported not in MODULES:
            continue
        wrong.append(f"{MODULES[name]}:{line} imports {imported} ({LAYERS[target[0]][0]})")
    assert not wrong, (
        f"{unit} is of the layer {LAYERS[layer][0]!r}, which imports only downwards:\n" + "\n".join(wrong)
    )


PURE = [name for name in MODULES if (place := unit_of(name)) and LAYERS[place[0]][0] == "pure"]


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_touches_no_network_database_or_clock(name: str) -> None:
    wrong = [
        f"{MODULES[name]}:{line} imports {imported}"
        for imported, line in imports(name, MODULES[name])
        if any(imported == bad or imported.startswith(bad + ".") for bad in IMPURE_MODULES)
        and (name, imported) not in IMPURE_ON_REQUEST
    ]
    for node in ast.walk(ast.parse(MODULES[name].read_bytes())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCK_CALLS
            and "date" in ast.unparse(node.func.value)
        ):
            wrong.append(f"{MODULES[name]}:{node.lineno} reads the clock: {ast.unparse(node)}")
    assert not wrong, "pure code is given what it needs:\n" + "\n".join(wrong)


def test_the_reader_of_imports_sees_nested_relative_and_aliased_imports(tmp_path: Path) -> None:
    file = tmp_path / "reader.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import zeep\n"
        "from .. import errors\n"
        "def f():\n    import socket as s\n    from bridge.contract import model\n"
    )
    found = {imported for imported, _ in imports("bridge.contract.guard", file)}
    assert found == {"__future__", "typing", "bridge.errors", "socket", "bridge.contract.model"}
