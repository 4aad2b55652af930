"""The company's systems: the ERP in a process of its own, the CRM over HTTP, the shop's and the bank's databases, and the accounting,
whose job claims rows of the staging tables and books them."""

from __future__ import annotations

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import requests

from bridge.errors import SettingsError
from bridge.testing.fxiaoke import Fxiaoke

CURRENCIES: Final = ("EUR", "USD", "CNY")
_NAMES: Final = (
    "Hansa", "Baltic", "Rhein", "Pacific", "Golden Bridge", "Northern", "Delta", "Orient", "Atlas", "Summit", "Harbour", "Riverside",
    "宁波远洋", "上海新桥", "深圳前海", "青岛海丰",
)  # fmt: skip
_TRADES: Final = (
    "Tools",
    "Textiles",
    "Machinery",
    "Lighting",
    "Ceramics",
    "Furniture",
    "Bearings",
    "Valves",
    "Trading",
    "Logistics",
)
_FORMS: Final = {"EUR": ("GmbH", "DE"), "USD": ("Inc.", "US"), "CNY": ("有限公司", "CN")}
_START_SECONDS: Final = 60


class Erp:
    """The shipped ERP with its modules customers and sales, in a process of its own that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Raises:
            SettingsError: it did not come up.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPBRIDGE_")}
        place = str(Path(__file__).parents[3])
        kept["PYTHONPATH"] = os.pathsep.join([place, *filter(None, [kept.get("PYTHONPATH")])])
        with (self.folder / "erp.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "serve", "--config", "bridge.toml", "--json"],
                cwd=self.folder,
                env=kept,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/services/customers?wsdl", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise SettingsError(f"The ERP did not start: see {self.folder / 'erp.log'}.")

    def kill(self) -> None:
        """As a power failure would: no warning, nothing is finished."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_START_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


class Crm(Fxiaoke):
    """The sales people's CRM."""

    def __init__(self) -> None:
        super().__init__(calls=1_000_000)
        texts = ("account_no__c", "name", "country__c", "tax__c", "level__c", "currency__c", "edition__c")
        self.define(
            "AccountObj", {**dict.fromkeys(texts, "text"), "credit__c": "currency"}, required=("name",)
        )

    def account(self, number: int, name: str, currency: str, **values: Any) -> str:
        self.wait(timedelta(seconds=1))
        made = {
            "account_no__c": f"C-{number:05}",
            "name": name,
            "country__c": _FORMS[currency][1],
            "level__c": ("VIP", "key", "regular")[number % 3],
            "credit__c": "50000000.00",
            "currency__c": currency,
            "edition__c": "1",
        }
        return self.put("AccountObj", **{**made, **values})


class Accounting:
    """Claims rows of the staging tables now and then and books them. `ledger` is its own table."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.booked = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="accounting", daemon=True)
        with closing(sqlite3.connect(file)) as database:
            database.execute(
                "CREATE TABLE ledger (payment_no TEXT NOT NULL PRIMARY KEY, invoice TEXT NOT NULL, amount TEXT NOT NULL, "
                "currency TEXT NOT NULL, booked_at TEXT NOT NULL)"
            )
            database.commit()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _work(self) -> None:
        while not self._over.is_set():
            if not self._book():
                self._over.wait(0.1)

    def _book(self) -> int:
        with closing(sqlite3.connect(self.file, timeout=30, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            rows = database.execute(
                "SELECT seq, payment_no, invoice, amount, currency FROM acc_payments_outbox WHERE state = 'new' ORDER BY seq LIMIT 200"
            ).fetchall()
            now = datetime.now(UTC).isoformat()
            for seq, *booked in rows:
                database.execute(
                    "INSERT INTO ledger VALUES (?, ?, ?, ?, ?) ON CONFLICT (payment_no) DO UPDATE SET invoice = excluded.invoice, "
                    "amount = excluded.amount, currency = excluded.currency, booked_at = excluded.booked_at",
                    (*booked, now),
                )
                database.execute(
                    "UPDATE acc_payments_outbox SET state = 'done', done_at = CURRENT_TIMESTAMP WHERE seq = ?",
                    (seq,),
                )
            database.execute("COMMIT")
        self.booked += len(rows)
        return len(rows)

    def run(self, statement: str, *values: object) -> None:
        """What somebody does to the ledger by hand."""
        _run(self.file, statement, *values)


class World:
    """All of them, filled with a month's records.

    Args:
        customers, orders, payments: how many there are.
    """

    def __init__(self, folder: Path, *, customers: int, orders: int, payments: int, seed: int = 7) -> None:
        self.folder = folder
        self.crm = Crm()
        self.erp = Erp(folder / "erp")
        self.shop = folder / "shop.sqlite"
        self.bank = folder / "bank.sqlite"
        self.staging = folder / "accounting.sqlite"
        self.counts = customers, orders, payments
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._today = datetime.now(UTC).date()

    def fill(self) -> None:
        """A month's records in the systems that they come from."""
        customers, orders, payments = self.counts
        (self.folder / "erp").mkdir(parents=True, exist_ok=True)
        names: list[tuple[str, str, str]] = []
        for number in range(1, customers + 1):
            currency = CURRENCIES[number % 3]
            name = (
                f"{self._chance.choice(_NAMES)} {self._chance.choice(_TRADES)} {number} {_FORMS[currency][0]}"
            )
            self.crm.account(number, name, currency)
            names.append((f"C-{number:05}", name, currency))
        with closing(sqlite3.connect(self.shop)) as database:
            database.execute(
                "CREATE TABLE orders (order_no TEXT NOT NULL PRIMARY KEY, ordered_on TEXT NOT NULL, customer_no TEXT NOT NULL, customer_name TEXT NOT NULL, "
                "currency TEXT NOT NULL, total TEXT NOT NULL, lines TEXT NOT NULL, changed_at TEXT NOT NULL)"
            )
            rows = (self._order(number, *self._chance.choice(names)) for number in range(1, orders + 1))
            database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            database.commit()
        with closing(sqlite3.connect(self.bank)) as database:
            database.execute(
                "CREATE TABLE payments (payment_no TEXT NOT NULL PRIMARY KEY, invoice TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL, "
                "received_on TEXT NOT NULL, changed_at TEXT NOT NULL)"
            )
            rows = (self._payment(number) for number in range(1, payments + 1))
            database.executemany("INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?)", rows)
            database.commit()

    def _order(self, number: int, customer: str, name: str, currency: str) -> tuple[str, ...]:
        lines = [
            {
                "sku": f"SKU-{self._chance.randint(1, 400):04}",
                "quantity": str(self._chance.randint(1, 40)),
                "price": f"{self._chance.randint(100, 25000) / 100:.2f}",
            }
            for _ in range(self._chance.randint(1, 5))
        ]
        total = sum((Decimal(one["quantity"]) * Decimal(one["price"]) for one in lines), Decimal())
        day, moment = self._moment(number)
        return (
            f"SO-{number:06}",
            str(day),
            customer,
            name,
            currency,
            f"{total:.2f}",
            json.dumps(lines),
            moment,
        )

    def _payment(self, number: int) -> tuple[str, ...]:
        day, moment = self._moment(number)
        amount = f"{self._chance.randint(5_000, 2_000_000) / 100:.2f}"
        return (f"P-{number:06}", f"INV-{number:06}", amount, CURRENCIES[number % 3], str(day), moment)

    def _moment(self, number: int) -> tuple[date, str]:
        day = self._today - timedelta(days=30 - number % 30)
        at = datetime(day.year, day.month, day.day, 8, tzinfo=UTC) + timedelta(milliseconds=number)
        return day, at.isoformat(timespec="microseconds")

    def shop_does(self, statement: str, *values: object) -> None:
        """What somebody does to the shop's orders; the moment of the change is its last parameter."""
        _run(self.shop, statement, *values)


def now() -> str:
    """This moment, as the company's databases keep it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _run(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file, timeout=30)) as database:
        database.execute(statement, values)
        database.commit()
