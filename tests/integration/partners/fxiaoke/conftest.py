"""A company's Fxiaoke over real HTTP, and a partner of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.delivery.sender import Document
from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.json_text import dump
from bridge.settings import Partner
from bridge.soap.limits import Limits
from bridge.store import Store
from bridge.testing.fxiaoke import APP, OPEN_USER, PERMANENT, SECRET, Fxiaoke

FILE = """
[partner]
user = "1000"

[entities.accounts]
object = "AccountObj"
id = "no"
changed = "changed"
names = { no = "account_no__c", changed = "last_modified_time", since = "since__c", visited = "visited__c", credit = "credit__c", key_account = "key__c", buyer = "buyer__c" }
employees = ["owner", "buyer"]

[entities.accounts.fields]
no = { type = "text", required = true }
name = { type = "text", required = true }
credit = { type = "decimal", digits = 18, fraction = 2 }
since = "date"
visited = "datetime"
key_account = "boolean"
owner = "text"
buyer = "text"
changed = "datetime"

[entities.leads]
object = "AccountObj"
id = "_id"
changed = "last_modified_time"
[entities.leads.fields]
_id = "text"
name = "text"
last_modified_time = "datetime"

[entities.plans]
object = "object_plan__c"
id = "_id"
document_field = "document__c"
[entities.plans.fields]
_id = "text"
name = "text"
amount__c = "decimal"
"""
OLDER = FILE.replace('user = "1000"', f'access = "corp"\nuser = "{OPEN_USER}"')


def company(crm: Fxiaoke) -> Fxiaoke:
    """The objects of this company."""
    accounts = {
        "name": "text",
        "account_no__c": "text",
        "credit__c": "currency",
        "since__c": "date",
        "visited__c": "date_time",
        "key__c": "true_or_false",
        "buyer__c": "employee",
    }
    crm.define("AccountObj", accounts, required=("name",))
    crm.define("object_plan__c", {"name": "text", "amount__c": "currency", "document__c": "text"})
    return crm


@pytest.fixture
def crm() -> Iterator[Fxiaoke]:
    with company(Fxiaoke()) as crm:
        yield crm


Making = Callable[..., EntityPartner]


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Making]:
    """Makes the partner that a file describes; `settings` are those of `[partners.crm]`."""
    made: list[EntityPartner] = []

    def make(crm: Fxiaoke, file: str = FILE, *, store: Store | None = None, **settings: Any) -> EntityPartner:
        path = tmp_path / f"crm{len(made)}.toml"
        path.write_text(file, "utf-8")
        described = entities.read(path)
        options = Partner(
            kind="fxiaoke",
            entities=path,
            endpoint=crm.url,
            client_id=APP,
            client_secret=SECRET,
            refresh_token=PERMANENT,
            read_timeout=5.0,
        )
        options = replace(options, **settings)
        setting = kinds.Setting("crm", options, described, Limits(), lambda: store)
        made.append(EntityPartner("crm", options, described.entities, kinds.backend(setting)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def partner(crm: Fxiaoke, making: Making) -> EntityPartner:
    return making(crm)


def document(operation: str, values: Any, id_: str = "doc-1") -> Document:
    return Document(id_, "crm", "k", operation, dump(values))
