"""Notifications of Zoho CRM: channels that are renewed, and what comes through them, to the flow and out again."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge
from bridge.delivery.schedules import Firing
from bridge.errors import Refusal, SettingsError, Unavailable
from bridge.settings import load
from bridge.testing.served import CUT, Asked, Said, Served
from bridge.testing.zoho import ZohoCrm
from tests.integration.partners.zoho.conftest import Making

NOTIFICATIONS = '[partner.notifications]\nurl = "http://bridge.example/notifications/crm"'
SETTINGS = """
[store]
url = "{store}"
[partners.crm]
kind = "zoho"
entities = "crm.toml"
client_id = "{zoho.client_id}"
client_secret = "{zoho.client_secret}"
refresh_token = "{zoho.refresh_token}"
[partners.shop]
kind = "rest"
entities = "shop.toml"
endpoint = "{shop.url}"
[flows.accounts]
source = "crm.accounts"
target = "shop"
operation = "customers.upsert"
trigger = "event"
"""
SHOP = """
[partner]
[entities.customers]
id = "no"
[entities.customers.upsert]
path = "/customers/{no}"
[entities.customers.fields]
no = "text"
name = "text"
updated = "datetime"
"""
CRM = """
[partner]
accounts = "{url}"
[partner.notifications]
url = "https://bridge.example/notifications/crm"
[entities.accounts]
module = "Accounts"
id = "no"
changed = "updated"
names = {{ no = "Account_No", name = "Account_Name", updated = "Modified_Time" }}
[entities.accounts.fields]
no = "text"
name = "text"
updated = "datetime"
"""


class Shop(Served):
    """Takes customers."""

    def __init__(self) -> None:
        super().__init__()
        self.customers: dict[str, Any] = {}

    def answer(self, request: Asked) -> Said:
        self.customers[request.segments[1]] = request.json
        return Said(200, {})


def test_a_channel_for_each_module_is_made_and_then_renewed(zoho: ZohoCrm, making: Making) -> None:
    notifications: Any = making(more=NOTIFICATIONS, deals="notify = false").backend
    notifications = notifications.notifications
    notifications.renew()
    ((channel, made),) = zoho.channels.items()
    assert made["events"] == ["Accounts.all"]
    assert made["notify_url"] == "http://bridge.example/notifications/crm"
    assert 20 <= len(made["token"]) <= 50
    assert [one.method for one in zoho.asked if "watch" in one.path] == ["PUT", "POST"]
    notifications.renew()
    assert list(zoho.channels) == [channel]
    assert [one.method for one in zoho.asked if "watch" in one.path] == ["PUT", "POST", "PUT"]


def test_every_process_makes_the_same_token_and_another_secret_another(making: Making) -> None:
    one, two = (making(more=NOTIFICATIONS).backend for _ in range(2))
    other: Any = making(more=NOTIFICATIONS, client_secret="other").backend
    tokens = [backend.notifications.token for backend in (one, two, other)]  # type: ignore[attr-defined]
    assert tokens[0] == tokens[1] != tokens[2]


def test_one_channel_that_cannot_be_renewed_leaves_the_others(zoho: ZohoCrm, making: Making) -> None:
    backend: Any = making(more=NOTIFICATIONS).backend
    zoho.goes_wrong(CUT, when="PUT")
    with pytest.raises(Unavailable):
        backend.notifications.renew()
    assert [one["events"] for one in zoho.channels.values()] == [["Deals.all"]]


def test_without_a_place_to_notify_nothing_is_renewed(zoho: ZohoCrm, making: Making) -> None:
    backend: Any = making().backend
    backend.notifications.renew()
    assert zoho.asked == []
    with pytest.raises(SettingsError, match=r"notifications\.url must be given"):
        making(more="[partner.notifications]")


def test_a_notification_gives_the_records_as_they_are_now(zoho: ZohoCrm, making: Making) -> None:
    backend: Any = making(more=NOTIFICATIONS).backend
    deal = zoho.put("Deals", {"Deal_Name": "D"})
    told = {
        "module": "Deals",
        "ids": [deal, "404"],
        "operation": "update",
        "token": backend.notifications.token,
    }
    (one,) = backend.notifications.read(json.dumps(told).encode())
    assert one.entity == "deals"
    assert [(record.id, record.deleted) for record in one.records] == [(deal, False), ("404", True)]
    zoho.put("Accounts", {"Account_No": "A-1", "Account_Name": "A"})
    account = next(iter(zoho.modules["Accounts"].rows))
    (one,) = backend.notifications.read(
        json.dumps(told | {"module": "Accounts", "ids": [account, "404"]}).encode()
    )
    assert [record.id for record in one.records] == ["A-1"]
    assert backend.notifications.read(json.dumps(told | {"module": "Leads"}).encode()) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": "guessed"}, 403),
        ({"token": None}, 403),
        ({"token": "schlüssel"}, 403),
        ({"ids": "4"}, 400),
        ({"ids": [4]}, 400),
        ({"ids": ["1"] * 1001}, 400),
    ],
)
def test_what_is_not_from_zoho_is_refused_before_anything_is_asked(
    zoho: ZohoCrm, making: Making, change: dict[str, Any], status: int
) -> None:
    backend: Any = making(more=NOTIFICATIONS).backend
    told = {"module": "Deals", "ids": ["1"], "token": backend.notifications.token}
    with pytest.raises(Refusal) as caught:
        backend.notifications.read(json.dumps(told | change).encode())
    assert caught.value.status == status
    assert zoho.asked == []


# -- in the bridge


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture
def bridge(
    zoho: ZohoCrm, shop: Shop, tmp_path: Path, sqlite_url: str, migrated_sqlite: Path
) -> Iterator[Bridge]:
    shutil.copyfile(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    (tmp_path / "crm.toml").write_text(CRM.format(url=zoho.url), "utf-8")
    (tmp_path / "shop.toml").write_text(SHOP, "utf-8")
    (tmp_path / "bridge.toml").write_text(SETTINGS.format(zoho=zoho, shop=shop, store=sqlite_url), "utf-8")
    bridge = Bridge(load(tmp_path / "bridge.toml"))
    yield bridge
    for partner in bridge.partners.values():
        partner.close()
    if bridge.store is not None:
        bridge.store.close()


Posting = Callable[..., tuple[int, str]]


def post(
    bridge: Bridge, body: bytes, *, path: str = "/notifications/crm", method: str = "POST", **environ: Any
) -> tuple[int, str]:
    given = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": "127.0.0.1",
        **environ,
    }
    statuses: list[str] = []
    pieces = bridge.wsgi()(given, lambda status, _: statuses.append(status))
    return int(statuses[0][:3]), b"".join(pieces).decode()


def notification(zoho: ZohoCrm) -> bytes:
    return json.dumps({name: value for name, value in zoho.untold[-1].items() if name != "_url"}).encode()


def renew(bridge: Bridge, zoho: ZohoCrm) -> None:
    (schedule,) = (one for one in bridge.all_schedules() if one.name == "notifications of crm")
    schedule.work(Firing(schedule.name, zoho.now))


def test_a_change_in_the_crm_is_in_the_outbox_once_it_is_answered(bridge: Bridge, zoho: ZohoCrm) -> None:
    renew(bridge, zoho)
    zoho.put("Accounts", {"Account_No": "A-1", "Account_Name": "Example"})
    assert post(bridge, notification(zoho)) == (200, "1 taken.\n")
    (entry,) = bridge.deliveries.list()
    assert (entry.entry.partner, entry.entry.operation) == ("shop", "customers.upsert")
    # The same again changes nothing.
    assert post(bridge, notification(zoho))[0] == 200
    assert len(bridge.deliveries.list()) == 1


def test_what_cannot_be_fetched_now_is_answered_so_that_zoho_may_try_again(
    bridge: Bridge, zoho: ZohoCrm
) -> None:
    renew(bridge, zoho)
    zoho.put("Accounts", {"Account_No": "A-1", "Account_Name": "Example"})
    zoho.goes_wrong(CUT, when="/coql")
    assert post(bridge, notification(zoho))[0] == 503
    assert not bridge.deliveries.list()
    assert post(bridge, notification(zoho))[0] == 200


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"path": "/notifications/nobody"}, 404),
        ({"path": "/notifications/shop"}, 404),
        ({"path": "/notifications/crm/more"}, 404),
        ({"method": "GET"}, 405),
        ({"body": b"{"}, 400),
        ({"body": b"[]"}, 403),
        ({"body": b" " * (256 * 1024 + 1)}, 413),
        ({"REMOTE_ADDR": "203.0.113.7"}, 403),
    ],
)
def test_the_entrance_is_narrow(bridge: Bridge, zoho: ZohoCrm, about: dict[str, Any], status: int) -> None:
    given = {"body": b"{}", **about}
    assert post(bridge, given.pop("body"), **given)[0] == status
    assert zoho.asked == []


def test_the_name_of_the_renewal_is_taken(bridge: Bridge) -> None:
    with pytest.raises(Exception, match="two schedules"):
        bridge.schedule("notifications of crm", every=5)
