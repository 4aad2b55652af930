"""A partner's file of the kind fxiaoke: every mistake with its line; codes and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import SettingsError, Unavailable
from bridge.partners import entities, kinds
from bridge.partners.fxiaoke.codes import Codes, until_midnight
from bridge.partners.http.response import Headers
from bridge.partners.http.wire import Answer
from bridge.partners.rest.api import Request
from bridge.settings import Partner
from bridge.soap.limits import Limits

GOOD = """\
[partner]
user = "1000"
[entities.accounts]
object = "AccountObj"
id = "no"
changed = "last_modified_time"
names = { no = "account_no__c" }
[entities.accounts.fields]
no = "text"
owner = "text"
last_modified_time = "datetime"
lines = { type = "list", of = "text" }
"""


def made(tmp_path: Path, text: str) -> kinds.Backend:
    path = tmp_path / "crm.toml"
    path.write_text(text, "utf-8")
    options = Partner(
        kind="fxiaoke", entities=path, client_id="FSAID_1", client_secret="s", refresh_token="p"
    )
    return kinds.backend(kinds.Setting("crm", options, entities.read(path), Limits(), lambda: None))


def test_a_good_file_makes_a_partner_at_fxiaoke_s_own_address(tmp_path: Path) -> None:
    assert made(tmp_path, GOOD).address() == "open.fxiaoke.com"


def test_the_sample_is_good(tmp_path: Path) -> None:
    sample = Path(__file__).parents[4] / "samples/partners/fxiaoke.toml"
    assert made(tmp_path, sample.read_text("utf-8")).can_find


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('user = "1000"\n', "", 1, "user must be given"),
        ('user = "1000"', 'user = "1000"\naccess = "corp"', 2, "must be an openUserId"),
        ('user = "1000"', 'user = "1000"\naccess = "saml"', 3, "must be one of oauth2, corp"),
        ('user = "1000"', 'user = "1000"\nusers = "1000"', 3, "did you mean user?"),
        ('object = "AccountObj"\n', "", 3, "object must be given"),
        ("AccountObj", "Account Obj", 4, "'Account Obj' is none"),
        ("account_no__c", "account/no", 7, "'account/no' is no API name"),
        ("{ no =", "{ nr =", 7, "nr is no field of it"),
        ('id = "no"', 'id = "no"\nemployees = ["lines"]', 6, "lines must be a text"),
        ('id = "no"', 'id = "no"\nleave_out = ["x"]', 6, "x is no field of it"),
        ('id = "no"', 'id = "no"\ndelete = "never"', 6, "must be one of gone, invalid"),
        ('id = "no"', 'id = "no"\nfilters = [{ field = "a", operator = "LIKES", values = [] }]', 6, "operators are EQ"),
        ('id = "no"', 'id = "no"\nfilters = [{ field = "a", operator = "EQ" }]', 6, "operators are EQ"),
        ('last_modified_time = "datetime"', 'last_modified_time = "integer"', 6, "of the type datetime"),
        ('no = "text"', 'no = "integer"', 5, "of the type text"),
        ("[entities.accounts.fields]", '[entities.accounts.details]\nlines = { object = "X", by = "y" }\n[entities.accounts.fields]', 9, "names no field with a list of objects"),
        ('id = "no"', 'id = "no"\ndetails = "lines"', 6, "must be a table"),
        ('of = "text"', 'fields = { sku = "text" }', 12, "say which in entities.accounts.details"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        made(tmp_path, GOOD.replace(old, new, 1))
    assert len(caught.value.mistakes) == 1
    assert caught.value.mistakes[0].startswith(f"{tmp_path / 'crm.toml'}:{line}: ")
    assert said in caught.value.mistakes[0]


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 3, 2, 15, 59, 30, tzinfo=UTC), 35),
        (datetime(2026, 3, 2, 16, 0, tzinfo=UTC), 86_405),
        (datetime(2026, 3, 2, 1, 0, tzinfo=UTC), 15 * 3600 + 5),
    ],
)
def test_a_day_ends_at_midnight_in_china(now: datetime, seconds: int) -> None:
    assert until_midnight(now) == seconds


def test_when_the_calls_of_a_day_are_used_up_it_is_asked_again_at_midnight_or_in_an_hour() -> None:
    answer = Answer(200, Headers(), b"")
    waits = []
    for hour in (1, 15):
        codes = Codes(lambda hour=hour: datetime(2026, 3, 2, hour, 50, tzinfo=UTC))  # type: ignore[misc]
        error = codes.verdict(Request(method="POST", path="/"), {"errorCode": 30002}, answer).error
        assert isinstance(error, Unavailable)
        waits.append(error.retry_after)
    assert waits == [3600, 605]
