"""The shipped purchasing service without handlers, and exchanges that ended one way or another."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import Bridge
from bridge.exchange import Exchange
from bridge.handlers import Service
from bridge.inbound import Inbound
from bridge.settings import Settings
from bridge.shipped import contracts
from bridge.store import Verdict


@pytest.fixture(scope="session")
def service() -> Service:
    return Bridge(Settings(), store=False).serve(contracts()["purchasing"])


@pytest.fixture(scope="session")
def inbound(service: Service) -> Inbound:
    return Inbound(service, Settings())


def ended(
    inbound: Inbound, operation: str | None = "GetPurchaseOrder", verdict: Verdict = "accepted", **more: Any
) -> Exchange:
    exchange = Exchange(b"x" * 100, remote="10.0.0.7", verdict=verdict, reply=b"y" * 40, **more)
    exchange.plan = None if operation is None else inbound.plans[operation]
    return exchange
