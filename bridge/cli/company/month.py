"""What happens in the company's month.

move         customers from the CRM, orders from the shop, payments from the bank, by three flows at once
go wrong     the CRM's token ends in mid-page, the ERP dies without warning, a currency that there is not, a customer under two
             spellings, somebody changes the books by hand
mend         people do what each problem says
reconcile    all three pairs of systems: what differs is found, explained, repaired; then nothing differs
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from bridge.cli.company import files
from bridge.cli.company.systems import CURRENCIES, Accounting, World, now
from bridge.errors import InDoubt
from bridge.store.tables import outbox

if TYPE_CHECKING:
    from bridge.app import Bridge

FLOWS: Final = {"customers": "erp", "orders": "orders", "payments": "accounting"}
"""The partner that each flow writes to."""

_PATIENCE: Final = 600.0
WHO: Final = "demo"


@dataclass(slots=True)
class Line:
    """One line of the summary. `well`: it came out as it should."""

    what: str
    outcome: str
    well: bool


@dataclass(slots=True)
class Month:
    """What became of it."""

    documents: int = 0
    seconds: float = 0.0
    lines: list[Line] = field(default_factory=list)
    reconciled: list[dict[str, Any]] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return all(line.well for line in self.lines) and all(
            one["outcome"] == "same" for one in self.reconciled
        )


Progress = Callable[[str, int], object]
"""Told of a flow's name and how many of its documents have arrived."""


class Story:
    """Plays the month once.

    Args:
        tell: gets a line of text when something happens.
        progress: as above.
    """

    def __init__(self, world: World, *, tell: Callable[[str], object], progress: Progress) -> None:
        self._world = world
        self._tell = tell
        self._progress = progress
        self.month = Month()

    def run(self) -> Month:
        began = time.monotonic()
        accounting = self._accounting()
        with self._bridge() as bridge, self._running(bridge):
            try:
                self._move(bridge)
                self._mend(bridge)
                self._reconcile(bridge, accounting)
            finally:
                accounting.stop()
            self.month.documents = sum(self._arrived(bridge, partner) for partner in FLOWS.values())
        self.month.seconds = time.monotonic() - began
        return self.month

    # -- the systems

    @contextmanager
    def _bridge(self) -> Iterator[Bridge]:
        """The bridge with its runner, in this process, on an SQLite file."""
        from bridge.app import Bridge
        from bridge.settings import load
        from bridge.testing.fxiaoke import APP, PERMANENT, SECRET

        world, folder = self._world, self._world.folder
        secrets = {
            "SOAPBRIDGE_DATA_FOLDER": str(folder / "data"),
            "SOAPBRIDGE_PARTNERS_CRM_CLIENT_SECRET": SECRET,
            "SOAPBRIDGE_PARTNERS_CRM_REFRESH_TOKEN": PERMANENT,
            "SOAPBRIDGE_PARTNERS_SHOP_DATABASE": f"sqlite:///{world.shop}",
            "SOAPBRIDGE_PARTNERS_BANK_DATABASE": f"sqlite:///{world.bank}",
            "SOAPBRIDGE_PARTNERS_ACCOUNTING_DATABASE": f"sqlite:///{world.staging}",
            "SOAPBRIDGE_PARTNERS_LEDGER_DATABASE": f"sqlite:///{world.staging}",
        }
        with world.crm:
            files.write(folder, crm=world.crm.url, app=APP, erp=world.erp.url, port=world.erp.port)
            world.erp.start()
            bridge = Bridge(load(folder / "bridge.toml", environ=secrets))
            try:
                bridge.check()
                yield bridge
            finally:
                world.erp.stop()
                bridge.close()

    @contextmanager
    def _running(self, bridge: Bridge) -> Iterator[None]:
        """Deliveries run beside, as `soapbridge up` has them run."""
        background = bridge.background()
        for one in background:
            one.start()
        try:
            yield
        finally:
            for one in background:
                one.stop(10)

    def _accounting(self) -> Accounting:
        """The staging tables as `soapbridge staging ddl` prints them, and the job that reads them."""
        from bridge.partners import entities
        from bridge.partners.sql.database import quoting
        from bridge.partners.staging.ddl import ddl
        from bridge.partners.staging.layout import layouts

        files.write_partners(self._world.folder)
        described = entities.read(self._world.folder / "partners/accounting.toml")
        script = ddl(layouts(described, "sqlite"), "sqlite", quoting("sqlite"))
        with closing(sqlite3.connect(self._world.staging)) as database:
            database.executescript(script)
        accounting = Accounting(self._world.staging)
        accounting.start()
        return accounting

    # -- move, and what goes wrong meanwhile

    def _move(self, bridge: Bridge) -> None:
        world = self._world
        customers, orders, _ = world.counts
        world.crm.account(customers + 1, _other_spelling(world), CURRENCIES[7 % 3])
        world.shop_does(
            "UPDATE orders SET currency = 'EUX', changed_at = ? WHERE order_no = 'SO-000011'", now()
        )
        self._tell("Customers go from the CRM to the ERP; the CRM ends its token in mid-page.")
        ending = threading.Thread(target=self._end_token, daemon=True)
        ending.start()
        bridge.flows.run("customers")
        self._arrive(bridge, "customers", customers)
        ending.join(10)
        self._line(
            "The CRM's token ended in mid-page", f"asked for again, {customers} customers arrived", well=True
        )
        self._tell(
            "Orders go from the shop to the ERP, payments from the bank to the accounting; the ERP dies."
        )
        moving = [threading.Thread(target=bridge.flows.run, args=(name,)) for name in ("orders", "payments")]
        for one in moving:
            one.start()
        self._die_once(bridge, orders // 3)
        for one in moving:
            one.join(_PATIENCE)
        self._arrive(bridge, "orders", orders - 1)
        self._arrive(bridge, "payments", world.counts[2])
        self._line("The ERP died without warning and came back", "every order arrived, none twice", well=True)

    def _end_token(self) -> None:
        """Once a page has been read, the token that was given ends."""
        crm, until = self._world.crm, time.monotonic() + 30
        while time.monotonic() < until and "query" not in crm.paths():
            time.sleep(0.005)
        crm.end_tokens()

    def _die_once(self, bridge: Bridge, arrived: int) -> None:
        until = time.monotonic() + _PATIENCE
        while self._arrived(bridge, "orders") < arrived and time.monotonic() < until:
            self._look(bridge)
        self._world.erp.kill()
        time.sleep(0.5)
        self._world.erp.start()

    def _arrive(self, bridge: Bridge, flow: str, count: int) -> None:
        """Wait until so many documents of a flow are delivered."""
        until = time.monotonic() + _PATIENCE
        while self._arrived(bridge, FLOWS[flow]) < count:
            self._look(bridge)
            if time.monotonic() > until:
                raise InDoubt(f"Only {self._arrived(bridge, FLOWS[flow])} of {count} {flow} arrived.")

    def _look(self, bridge: Bridge) -> None:
        for flow, partner in FLOWS.items():
            self._progress(flow, self._arrived(bridge, partner))
        time.sleep(0.2)

    # -- mend

    def _mend(self, bridge: Bridge) -> None:
        world, flows = self._world, bridge.flows
        for name in FLOWS:
            flows.run(name)
        found = {one.stage: one for one in flows.problems()}
        twice, unknown = found.get("refused"), found.get("map")
        well = twice is not None and "DuplicateCandidates" in twice.explanation
        self._line(
            "A customer under two spellings", "not made twice; somebody merged the two in the CRM", well=well
        )
        if twice is not None:
            world.crm.objects["AccountObj"].rows.pop(twice.record_id, None)
            flows.dismiss(twice.id, who=WHO, why="the same company: merged in the CRM")
        world.shop_does(
            "UPDATE orders SET currency = 'EUR', changed_at = ? WHERE order_no = 'SO-000011'", now()
        )
        flows.run("orders")
        self._arrive(bridge, "orders", world.counts[1])
        flows.run("orders")
        left = flows.problems()
        well = unknown is not None and "EUX" in unknown.explanation and not left
        self._line(
            "An order in a currency that there is not",
            "kept with why, corrected in the shop, went by itself",
            well=well,
        )
        if left:
            self._line("Problems that are left", "; ".join(one.explanation for one in left)[:300], well=False)

    # -- reconcile

    def _reconcile(self, bridge: Bridge, accounting: Accounting) -> None:
        self._tell("Somebody changes the books by hand; all three pairs of systems are reconciled.")
        self._booked(accounting, self._world.counts[2])
        accounting.run("DELETE FROM ledger WHERE payment_no = 'P-000100'")
        accounting.run("UPDATE ledger SET amount = '1.00' WHERE payment_no = 'P-000200'")
        found = {name: bridge.reconciliations.run(name) for name in FLOWS}
        differing = {name: ended.figures.found for name, ended in found.items()}
        well = differing == {"customers": 0, "orders": 0, "payments": 2}
        said = ", ".join(f"{name} {count}" for name, count in differing.items())
        self._line("Changed by hand in the accounting", f"found by reconciliation: {said} differ", well=well)
        mended = bridge.reconciliations.repair_all(found["payments"].run, who=WHO, why="month end")
        self._arrive(bridge, "payments", self._world.counts[2] + 2)
        self._booked(accounting, self._world.counts[2] + 2)
        well = len(mended) == differing["payments"] and all(one.done for one in mended)
        self._line("Repairs", f"{len(mended)} approved, sent and booked", well=well)
        for name in FLOWS:
            ended = bridge.reconciliations.run(name)
            figures = ended.figures
            self.month.reconciled.append(
                {
                    "rule": name,
                    "outcome": ended.outcome,
                    "source": figures.source,
                    "target": figures.target,
                    "differences": figures.found,
                    "sums": {key: [str(one), str(other)] for key, (one, other) in figures.sums.items()},
                }
            )
            bridge.reconciliations.write(ended.run, self._world.folder / "reports")

    def _booked(self, accounting: Accounting, count: int) -> None:
        until = time.monotonic() + 60
        while accounting.booked < count and time.monotonic() < until:
            time.sleep(0.05)

    def _line(self, what: str, outcome: str, *, well: bool) -> None:
        self.month.lines.append(Line(what, outcome, well))

    def _arrived(self, bridge: Bridge, partner: str) -> int:
        assert bridge.store is not None
        with bridge.store.reading() as session:
            query = select(func.count()).where(outbox.c.partner == partner, outbox.c.state == "delivered")
            return int(session.execute(query).scalar_one())


def _other_spelling(world: World) -> str:
    """A customer's name as somebody else would write it."""
    name = next(iter(world.crm.rows("AccountObj").values()))["name"]
    return str(name).upper().replace("GMBH", "G.m.b.H.").replace("INC.", "Incorporated")
