"""From one Fxiaoke to another by a flow, the outbox and delivery, on a real store: polled, overlapped, delivered once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge import Bridge
from bridge.delivery.destinations import destination
from bridge.settings import load
from bridge.store.outbox import due_keys
from bridge.store.runners import open_partners
from bridge.testing.fxiaoke import APP, PERMANENT, SECRET, Fxiaoke
from bridge.testing.served import CUT, Said
from tests.integration.partners.fxiaoke.conftest import company

SETTINGS = """
[store]
url = "{store}"
[partners.crm]
kind = "fxiaoke"
entities = "crm.toml"
endpoint = "{crm}"
client_id = "{app}"
client_secret = "{secret}"
refresh_token = "{permanent}"
[partners.branch]
kind = "fxiaoke"
entities = "branch.toml"
endpoint = "{branch}"
client_id = "{app}"
client_secret = "{secret}"
refresh_token = "{permanent}"
first_delay = 0.01
max_delay = 0.02
[flows.accounts]
source = "crm.accounts"
target = "branch"
operation = "customers.upsert"
trigger = "request"
overlap = 60.0
"""
CRM = """
[partner]
user = "1000"
[entities.accounts]
object = "AccountObj"
id = "_id"
changed = "last_modified_time"
employees = ["owner"]
[entities.accounts.fields]
_id = "text"
name = "text"
credit__c = "decimal"
owner = "text"
last_modified_time = "datetime"
"""
BRANCH = """
[partner]
user = "1000"
[entities.customers]
object = "AccountObj"
id = "account_no__c"
document_field = "document__c"
[entities.customers.fields]
account_no__c = { type = "text", required = true }
name = { type = "text", required = true }
credit__c = { type = "decimal", digits = 8 }
"""


class Group:
    """A company and its branch, each with a Fxiaoke, and the bridge between them."""

    def __init__(self, url: str, folder: Path, crm: Fxiaoke, branch: Fxiaoke) -> None:
        self.crm, self.branch = crm, branch
        branch.define(
            "AccountObj",
            {"name": "text", "account_no__c": "text", "credit__c": "currency", "document__c": "text"},
            unique=("account_no__c",),
        )
        (folder / "crm.toml").write_text(CRM, "utf-8")
        (folder / "branch.toml").write_text(BRANCH, "utf-8")
        places = {
            "crm": crm.url,
            "branch": branch.url,
            "app": APP,
            "secret": SECRET,
            "permanent": PERMANENT,
            "store": url,
        }
        (folder / "bridge.toml").write_text(SETTINGS.format(**places), "utf-8")
        self.bridge = Bridge(load(folder / "bridge.toml"))

        @self.bridge.flows.maps("accounts")
        def to_customer(account: dict[str, object]) -> dict[str, object]:
            return {
                "account_no__c": account["_id"],
                "name": account["name"],
                "credit__c": account["credit__c"],
            }

    def run(self) -> dict[str, int]:
        counts = self.bridge.flows.run("accounts").counts
        self.deliver()
        return dict(counts)

    def deliver(self) -> None:
        """Deliver what waits, with what is tried again after a moment."""
        store = self.bridge.store
        assert store is not None
        drain = destination(
            store, self.bridge.settings, "branch", lambda: self.bridge.any_partner("branch")
        ).drains(owner="test", lease=60_000_000, stopping=lambda: False, crowded=lambda: False)
        for _ in range(200):
            with store.reading() as session:
                if not open_partners(session):
                    return
                keys = due_keys(session, "branch", lease=60_000_000, most=1000)
            for key in keys:
                drain(key)
            time.sleep(0.01)
        raise AssertionError("it was not delivered")

    def there(self) -> dict[str, str]:
        return {row["account_no__c"]: row["name"] for row in self.branch.rows("AccountObj").values()}


@pytest.fixture
def group(
    sqlite_url: str, migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Group]:
    monkeypatch.chdir(tmp_path)
    with company(Fxiaoke(lag=timedelta(seconds=20))) as crm, Fxiaoke() as branch:
        shutil.copyfile(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
        group = Group(sqlite_url, tmp_path, crm, branch)
        yield group
        for partner in group.bridge.partners.values():
            partner.close()
        assert group.bridge.store is not None
        group.bridge.store.close()


def test_records_go_over_once_and_late_ones_are_found_by_the_overlap(group: Group) -> None:
    first = group.crm.put("AccountObj", name="North", credit__c="1.50")
    group.crm.wait(timedelta(seconds=10))
    late = group.crm.put("AccountObj", name="South")
    group.crm.wait(timedelta(seconds=15))
    assert group.run() == {"send": 1}
    group.crm.wait(timedelta(seconds=15))
    assert group.run() == {"known": 1, "send": 1}
    assert group.run() == {"known": 2}
    assert group.there() == {first: "North", late: "South"}
    group.crm.change("AccountObj", first, name="North Ltd")
    group.crm.wait(timedelta(seconds=30))
    assert group.run()["send"] == 1
    assert group.there()[first] == "North Ltd"
    assert len(group.branch.rows("AccountObj")) == 2


def test_what_was_cut_off_after_it_was_made_is_found_and_not_made_again(group: Group) -> None:
    group.crm.put("AccountObj", name="North")
    group.crm.wait(timedelta(minutes=1))
    group.branch.goes_wrong(CUT, when="/create", after=True)
    group.run()
    assert len(group.branch.rows("AccountObj")) == 1
    assert group.branch.paths().count("create") == 1


def test_a_value_that_does_not_fit_is_a_problem_and_the_others_go(group: Group) -> None:
    group.crm.put("AccountObj", name="Wrong", credit__c="n/a")
    right = group.crm.put("AccountObj", name="Right", credit__c="2")
    group.crm.wait(timedelta(minutes=1))
    assert group.run() == {"send": 1, "problem": 1}
    (problem,) = group.bridge.flows.problems()
    assert "credit__c" in problem.explanation
    assert group.there() == {right: "Right"}


def test_what_was_not_taken_for_now_is_delivered_later(group: Group) -> None:
    first = group.crm.put("AccountObj", name="North")
    group.crm.wait(timedelta(minutes=1))
    group.branch.end_tokens()
    group.branch.goes_wrong(Said(503), when="/query")
    group.run()
    assert group.there() == {first: "North"}
