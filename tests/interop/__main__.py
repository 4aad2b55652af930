"""`python -m tests.interop`: every client that is installed, then docs/interop.md written anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.acceptance.shipped_erp import ROOT, ErpProcess
from tests.interop.clients import CLIENTS
from tests.interop.matrix import Run, page, run
from tests.interop.scenario import scenarios


def main() -> int:
    runs: list[Run] = []
    unexplained = 0
    with tempfile.TemporaryDirectory() as folder, ErpProcess(Path(folder)) as erp:
        for client in CLIENTS:
            if why := client.missing():
                print(f"{client.name}: not run: {why}")
                continue
            for scenario in scenarios():
                for soap in client.speaks:
                    done = run(erp, client, scenario, soap, Path(folder))
                    runs.append(done)
                    for row in scenario.rows:
                        wrong, known = done.wrong(row), client.reason(soap, row)
                        unexplained += bool(wrong) != bool(known)
                        print(
                            f"{client.name} {done.version}, SOAP {soap}, {scenario.contract} {row}: {wrong or 'ok'}"
                        )
    (ROOT / "docs" / "interop.md").write_text(page(runs), "utf-8")
    return 1 if unexplained else 0


sys.exit(main())
