"""The README's example as a newcomer types it: a contract answered by handlers of one's own, some still missing."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.shipped_erp import ROOT, SAMPLES, ErpProcess

GET_STOCK = SAMPLES / "inventory/GetStock/good-1-item-soap11.xml"
UPDATE_STOCK = SAMPLES / "inventory/UpdateStock/good-1-receipt-soap11.xml"


def readme_service(folder: Path) -> None:
    """Writes service.py with the wsdl/ and xsd/ that it speaks of."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (folder / "service.py").write_text(block[1], encoding="utf-8")
    for name in ("wsdl", "xsd"):
        (folder / name).symlink_to(ROOT / name)


def test_the_readmes_service_answers_and_warns_of_the_handler_that_is_missing(tmp_path: Path) -> None:
    readme_service(tmp_path)
    with ErpProcess(tmp_path, "service:bridge") as own:
        assert "UpdateStock has no handler" in own.log
        mistakes = own.command("check", "service:bridge", status=1)["mistakes"]
        assert all("has no handler" in mistake for mistake in mistakes)
        assert any("UpdateStock" in mistake for mistake in mistakes)

        got = own.post("inventory", GET_STOCK.read_bytes())
        assert got.status == 200
        assert got.find("onHand") == "12"

        unanswered = own.post("inventory", UPDATE_STOCK.read_bytes())
        assert unanswered.fault is not None
        assert unanswered.fault.code == "Server"
        assert own.post("inventory", GET_STOCK.read_bytes()).status == 200


def test_a_service_without_any_handler_is_not_served(tmp_path: Path) -> None:
    readme_service(tmp_path)
    text = (tmp_path / "service.py").read_text()
    (tmp_path / "service.py").write_text(text.split("@stock")[0])
    own = ErpProcess(tmp_path, "service:bridge")
    assert own.run("serve", "service:bridge", "--port", 0).returncode == 2
