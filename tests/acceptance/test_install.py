"""The package as users get it: a wheel and an sdist with the contracts inside, an editable checkout, an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARRIED = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "bridge", "wsdl", "xsd")
CONTRACTS = {
    path.relative_to(ROOT).as_posix() for kind in ("wsdl", "xsd") for path in (ROOT / kind).rglob(f"*.{kind}")
}

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHONPATH", "SOAPBRIDGE_"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: building writes into the tree it builds."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in CARRIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """A folder with the wheel and the sdist, made with the setuptools at hand: no network."""
    pytest.importorskip("setuptools", reason="setuptools is needed to build (pip install '.[dev]')")
    make = "from setuptools import build_meta as b; b.build_wheel('dist'); b.build_sdist('dist')"
    (checkout / "dist").mkdir()
    run(sys.executable, "-c", make, cwd=checkout)
    return checkout / "dist"


def test_the_wheel_carries_every_contract_and_schema(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert CONTRACTS
    assert {f"bridge/shipped/{name}" for name in CONTRACTS} <= names
    assert "bridge/py.typed" in names
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/"))}


def test_the_wheel_carries_every_module_and_migration(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bridge").rglob("*.py")}
    assert ours <= names


def test_the_sdist_carries_every_contract_and_schema_as_files(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert {f"bridge/shipped/{name}" for name in CONTRACTS} <= files


def environment(folder: Path, *install: object) -> Path:
    """A virtual environment with the package installed, borrowing its dependencies from this one. Its bin folder."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", *install, cwd=folder)
    return folder / "bin"


def works_from_an_empty_folder(bin_folder: Path, empty: Path) -> None:
    where = run(bin_folder / "python", "-c", "import bridge; print(bridge.__file__)", cwd=empty)
    assert Path(where.strip()).is_file()
    assert not where.startswith(str(ROOT))
    assert run(bin_folder / "soapbridge", "--version", cwd=empty).startswith("soapbridge 0.")
    assert "CreatePurchaseOrder" in run(
        bin_folder / "soapbridge", "contract", "show", "purchasing", cwd=empty
    )
    run(bin_folder / "soapbridge", "check", cwd=empty)


def test_installed_from_the_wheel_it_works_from_an_empty_folder(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (tmp_path / "empty").mkdir()
    works_from_an_empty_folder(environment(tmp_path / "venv", wheel), tmp_path / "empty")


def test_installed_editable_it_works_from_an_empty_folder(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="setuptools is needed to build (pip install '.[dev]')")
    (tmp_path / "empty").mkdir()
    bin_folder = environment(tmp_path / "venv", "--no-build-isolation", "--editable", checkout)
    works_from_an_empty_folder(bin_folder, tmp_path / "empty")


def test_a_bridge_py_in_the_working_folder_does_not_shadow_the_package(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    bin_folder = environment(tmp_path / "venv", wheel)
    (tmp_path / "bridge.py").write_text("raise SystemExit('the wrong bridge')\n")
    run(bin_folder / "soapbridge", "settings", cwd=tmp_path)
