"""TAB in a real bash: the script that `--show-completion` prints is loaded, and asked as bash asks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.shipped_erp import ROOT, environment

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def offered(folder: Path, line: str) -> list[str]:
    """What bash offers when TAB is pressed at the end of `line`."""
    program = Path(sys.executable).parent / "soapbridge"
    if not program.is_file():
        pytest.skip("soapbridge is not installed in this environment")
    script = (
        'eval "$(soapbridge --show-completion bash)"; COMP_WORDS=($1); [[ "$1" == *" " ]] && COMP_WORDS+=(""); '
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _soapbridge_completion soapbridge; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", line],
        cwd=folder, env=environment(PATH=f"{program.parent}:/usr/bin:/bin"), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_commands_operations_and_wsdl_files_are_offered(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    shutil.copy(ROOT / "tests/contracts/faults.wsdl", tmp_path / "contracts")
    assert "contract" in offered(tmp_path, "soapbridge con")
    assert offered(tmp_path, "soapbridge sample cont") == ["contracts/faults.wsdl"]
    assert offered(tmp_path, "soapbridge sample inventory GetS") == ["GetStock"]
    assert offered(tmp_path, "soapbridge call inventory GetS") == ["GetStock"]
    assert "GetStock" in offered(tmp_path, "soapbridge init stock --wsdl inventory --operation ")
    assert offered(tmp_path, "soapbridge sample no-such.wsdl ") == []
