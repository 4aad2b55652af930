from __future__ import annotations

import subprocess
import sys

import bridge


def test_every_public_name_can_be_imported_and_nothing_else_is_promised() -> None:
    assert set(bridge.__all__) == set(bridge._HOMES)
    for name in bridge.__all__:
        assert getattr(bridge, name) is not None
        assert name in dir(bridge)


def test_importing_the_package_loads_no_engine() -> None:
    code = "import sys, bridge.cli; print([n for n in ('lxml', 'spyne', 'zeep', 'sqlalchemy', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
