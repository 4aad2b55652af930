"""The lock files of a release against setup.cfg: nothing is forgotten, everything has its hash, and no place is named."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements", "build"]
PYTHONS = ["3.11.0", "3.12.0", "3.13.0"]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Each pinned package with the number of its hashes; a line that is neither is an error."""
    found: dict[str, tuple[Requirement, int]] = {}
    name = ""
    for line in (ROOT / f"deploy/{lock}.lock").read_text("utf-8").splitlines():
        pin = _PIN.match(line)
        if pin is not None:
            name = canonicalize_name(pin["name"])
            assert name not in found, f"{name} is there twice"
            found[name] = (Requirement(line.removesuffix(" \\")), 0)
            continue
        assert _HASH.match(line), line
        requirement, count = found[name]
        found[name] = (requirement, count + 1)
    return found


def wanted() -> list[Requirement]:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", "utf-8")
    lines = [
        *config["options"]["install_requires"].splitlines(),
        *config["options.extras_require"]["postgres"].splitlines(),
    ]
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_one_version_and_hashes(lock: str) -> None:
    found = pins(lock)
    assert found
    assert not [name for name, (_, hashes) in found.items() if not hashes]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_place_is_named(lock: str) -> None:
    text = (ROOT / f"deploy/{lock}.lock").read_text("utf-8")
    assert not re.findall(r"://|index-url|find-links|trusted-host| @ ", text)


@pytest.mark.parametrize("requirement", wanted(), ids=lambda one: one.name)
def test_what_setup_cfg_asks_for_is_there_in_a_version_that_fits(requirement: Requirement) -> None:
    locked, _ = pins("requirements")[canonicalize_name(requirement.name)]
    (pin,) = locked.specifier
    assert requirement.specifier.contains(Version(pin.version), prereleases=True), "run `make lock`"
    for python in PYTHONS:
        environment = {
            "python_version": python.rpartition(".")[0],
            "python_full_version": python,
            "extra": "",
        }
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert locked.marker is None or locked.marker.evaluate(environment), python


def test_the_build_tool_fits_what_pyproject_asks_for() -> None:
    import tomllib

    asked = Requirement(
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"][0]
    )
    locked, _ = pins("build")[canonicalize_name(asked.name)]
    (pin,) = locked.specifier
    assert asked.specifier.contains(Version(pin.version))
