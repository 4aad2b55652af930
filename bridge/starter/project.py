"""The files of a new project beside its contract: service, settings, samples, tests, and a page with the next steps."""

from __future__ import annotations

import shlex

from bridge.contract.stubs import Stub
from bridge.starter.literals import quoted
from bridge.starter.plan import Answerable, Plan
from bridge.starter.service import service_text


def project(plan: Plan, stub: Stub, *, name: str, wsdl: str, catalog: bool) -> dict[str, str]:
    """Texts by their paths in the project's folder.

    Args:
        name: what the project is called, for people.
        wsdl: the contract's path from the project's folder.
        catalog: the contract finds some of its schemas by namespace in its folder.
    """
    folder = wsdl.rpartition("/")[0]
    files = {
        "service.py": service_text(plan, stub, wsdl),
        "bridge.toml": _settings(folder if catalog else ""),
        "README.md": _readme(plan, name, wsdl),
        ".gitignore": _IGNORED,
        "pyproject.toml": _PYPROJECT,
        f"stubs/{plan.module}.pyi": stub.text(),
        "tests/conftest.py": _CONFTEST,
        "tests/test_service.py": _tests(plan),
    }
    return files | {f"samples/{found.file}.xml": found.sample for found in plan.operations}


_IGNORED = """\
# What the bridge keeps: its SQLite file and caches.
/data/
__pycache__/
.venv/
.pytest_cache/
.mypy_cache/
"""

_PYPROJECT = """\
# For `pytest` and `mypy` (pip install pytest mypy lxml-stubs); the bridge itself reads bridge.toml.
[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]

[tool.mypy]
files = ["service.py", "tests"]
strict = true
"""

_CONFTEST = '''\
"""Tests keep what they write in a folder of their own, never in the store that bridge.toml names."""

from __future__ import annotations

import os
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="bridge-test-")
os.environ["SOAPBRIDGE_DATA_FOLDER"] = _FOLDER
os.environ["SOAPBRIDGE_STORE_URL"] = f"sqlite:///{_FOLDER}/test.sqlite"
'''


def _settings(catalog: str) -> str:
    contracts = (
        f'\n[contracts]\n# Schemas that the contract imports by namespace only.\ncatalog = ["{catalog}"]\n'
        if catalog
        else ""
    )
    return f"""\
# The settings one needs first. All there are: soapbridge settings --toml

[server]
host = "127.0.0.1"  # "0.0.0.0" lets other machines in
port = 8080
# public_url = "https://bridge.example.com"  # what clients reach it by, when a proxy stands before it

[data]
folder = "data"  # the SQLite file with the journal, made on first use
{contracts}"""


def _tests(plan: Plan) -> str:
    parts = [
        '"""Every sample is answered, and by what the contract promises. Say here what your handlers must do."""',
        "",
        "from __future__ import annotations",
        "",
        "from pathlib import Path",
        "",
        "from bridge.testing import ask",
        "from service import bridge",
        "",
        'SAMPLES = Path(__file__).parents[1] / "samples"',
    ]
    for found in plan.operations:
        parts += ["", "", f"def test_{found.handler}() -> None:"]
        parts.append(f'    answer = ask(bridge, SAMPLES / "{found.file}.xml"{_told(found)})')
        parts.append("    assert answer.fault is None, answer.fault")
        if not found.operation.one_way and found.operation.output is not None:
            parts.append(
                "    assert answer.value is not None  # the reply as a client reads it: answer.value.…"
            )
    return "\n".join(parts) + "\n"


def _told(found: Answerable) -> str:
    return "" if found.action is None else f", action={quoted(found.action)}"


def _readme(plan: Plan, name: str, wsdl: str) -> str:
    first = plan.operations[0]
    left_out = "".join(f"* {key}: {' '.join(reason.split())}\n" for key, reason in plan.left_out.items())
    left_out += "".join(f"* {' '.join(problem.split())}\n" for problem in plan.problems)
    unwanted = (
        f"Not asked for, and answered with a Server fault: {', '.join(plan.unwanted)}.\n"
        if plan.unwanted
        else ""
    )
    missing = f"\n## What the contract lacks\n\n{unwanted}{left_out}" if left_out or unwanted else ""
    path = f"/services/{plan.contract.name}" + ("" if plan.contract.major == 1 else f"/{plan.contract.major}")
    return f"""\
# {name}

Answers the contract `{wsdl}` with soapbridge. Handlers are in `service.py`, settings in `bridge.toml`.

    soapbridge check service:bridge       settings, contract, handlers, store
    soapbridge serve service:bridge       http://127.0.0.1:8080{path}
    pytest                                every sample is answered
    mypy                                  handlers fit the contract

While it runs, in another terminal:

    {_curl(first, path)}
    soapbridge journal list

## Next

1. Open `service.py` and put your own values in the place of the made-up ones. A field that is misspelt or has the wrong type
   is found by mypy before a request is, and a reply that breaks the contract never leaves.
2. What a handler writes through `call.session` is committed together with the journal, or not at all.
3. Say in `tests/test_service.py` what the handlers must do; more samples: `soapbridge sample {wsdl} {first.operation.key}`.
4. When the contract changes, put its new files into `wsdl/` and make the types anew: the first lines of
   `stubs/{plan.module}.pyi` say how.
{missing}"""


def _curl(found: Answerable, path: str) -> str:
    operation = found.operation
    version = "1.2" if operation.soap_versions == {"1.2"} else "1.1"
    action = next(iter(sorted(operation.soap_actions)), "")
    kind = f'application/soap+xml; action="{action}"' if version == "1.2" else "text/xml"
    words = ["curl", "-s", "-H", f"Content-Type: {kind}"]
    words += ["-H", f'SOAPAction: "{action}"'] if version == "1.1" and found.action is not None else []
    return shlex.join([*words, "--data-binary", f"@samples/{found.file}.xml", f"http://127.0.0.1:8080{path}"])
