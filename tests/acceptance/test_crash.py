"""kill -9 in the middle of load: what was answered is kept, whole; what was not is there whole or not at all."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

from tests.acceptance.shipped_erp import ErpProcess, ask, get_order, order

THREADS = 6
ROUNDS = 2


class Buyer(threading.Thread):
    """Places orders on one connection until it breaks. `answered`: requestId -> order number; `exchanges` their ids."""

    def __init__(self, erp: ErpProcess, name: str, enough: threading.Event) -> None:
        super().__init__(name=name)
        self.erp, self.enough = erp, enough
        self.answered: dict[str, str] = {}
        self.exchanges: set[str] = set()
        self.asked: set[str] = set()
        self.wrong: list[str] = []

    def run(self) -> None:
        connection = self.erp.connection()
        try:
            while True:
                mine = f"{self.name}-{len(self.asked)}"
                self.asked.add(mine)
                got = ask(connection, "POST", "/services/purchasing", order(mine), Content_Type="text/xml")
                number = got.find("orderNumber")
                if got.status != 200 or number is None:
                    self.wrong.append(got.text)
                    return
                self.answered[mine] = number
                self.exchanges.add(got.headers["x-exchange-id"])
                if len(self.answered) >= 15:
                    self.enough.set()
        except (OSError, http.client.HTTPException):
            pass  # the server is gone
        finally:
            connection.close()


def test_every_answered_order_outlives_kill_9(tmp_path: Path) -> None:
    answered: dict[str, str] = {}
    asked: set[str] = set()
    exchanges: set[str] = set()
    erp = ErpProcess(tmp_path)
    for round_ in range(ROUNDS):
        erp.start()
        enough = threading.Event()
        buyers = [Buyer(erp, f"crash-{round_}-{number}", enough) for number in range(THREADS)]
        for buyer in buyers:
            buyer.start()
        assert enough.wait(30)
        erp.kill()
        for buyer in buyers:
            buyer.join(30)
            assert not buyer.wrong
            answered |= buyer.answered
            asked |= buyer.asked
            exchanges |= buyer.exchanges
    assert len(answered) >= 15 * ROUNDS

    with erp:
        assert "Traceback" not in erp.log
        connection = erp.connection()
        found = {}
        for request_id in sorted(asked):
            got = ask(
                connection, "POST", "/services/purchasing", get_order(request_id), Content_Type="text/xml"
            )
            number = got.find("orderNumber") if got.status == 200 else None
            if number is not None:
                found[request_id] = number
                assert got.find("sku") == "BRG-6204-2RS"
            else:
                assert got.fault is not None
                assert got.fault.declared == "NotFound"
        # One line of the journal for each order, committed with it: none without an order, no order without a line.
        journaled = accepted_orders(erp)
        assert exchanges <= set(journaled)
        assert sorted(journaled.values()) == sorted(found.values())
        assert found.items() >= answered.items()
        assert len(set(found.values())) == len(found)

        # Sent again, as a client would that never got its answer: the first answer, or a new order; never a second one.
        for request_id in sorted(asked - set(answered)):
            got = ask(connection, "POST", "/services/purchasing", order(request_id), Content_Type="text/xml")
            assert got.status == 200
            number = got.find("orderNumber") or ""
            assert found.setdefault(request_id, number) == number
        connection.close()
        assert len(set(found.values())) == len(asked)


def accepted_orders(erp: ErpProcess) -> dict[str, str]:
    """Exchange ids of the accepted CreatePurchaseOrder in the journal, with the number of the order."""
    words = ("--operation", "CreatePurchaseOrder", "--verdict", "accepted", "--limit", 10_000)
    listed = erp.command("journal", "list", *words)["exchanges"]
    return {entry["exchange_id"]: entry["reference"] for entry in listed}
