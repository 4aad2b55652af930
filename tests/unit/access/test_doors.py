"""When nobody has to be known, when nobody could get in, and what an operator is told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge
from bridge.access import doors
from bridge.errors import SettingsError
from bridge.settings import Access, Caller, Metrics, Role, Server, Settings, load
from bridge.settings.security import AtRest, Audit, Backup
from bridge.store.credentials import CredentialRow
from tests.certificates import self_signed

NOW = datetime(2026, 7, 1, tzinfo=UTC)
CRM = {"crm": Caller(roles=("buyer",))}
BUYER = {"buyer": Role(operations=("buy.*",))}
FAR = Server(host="0.0.0.0")
HTTPS = Server(public_url="https://b.example")
ANYBODY = Access(anonymous="yes")


@pytest.mark.parametrize(
    ("server", "more", "admitted"),
    [
        ({}, {}, True),
        ({"host": "localhost"}, {}, True),
        ({"host": "::1"}, {}, True),
        ({"host": "127.1.2.3"}, {}, True),
        ({"host": "0.0.0.0"}, {}, False),
        ({"host": "::"}, {}, False),
        ({"host": ""}, {}, False),
        ({"host": "bridge.example"}, {}, False),
        ({"public_url": "https://bridge.example"}, {}, False),
        ({"trusted_proxies": ("10.0.0.1",)}, {}, False),
        ({}, {"callers": CRM, "roles": BUYER}, False),
        ({"host": "0.0.0.0"}, {"access": Access(anonymous="yes")}, True),
        ({}, {"access": Access(anonymous="no")}, False),
        ({}, {"callers": CRM, "access": Access(anonymous="yes")}, True),
    ],
)
def test_without_credentials_only_this_machine_is_answered_unless_settings_say_so(
    server: dict[str, Any], more: dict[str, Any], admitted: bool
) -> None:
    settings = Settings(server=Server(**server), **more)
    assert doors.admits_anonymous(settings) is admitted


def test_where_nobody_has_to_be_known_there_is_no_gatekeeper() -> None:
    assert Bridge(Settings(), store=False).gatekeeper is None
    assert Bridge(Settings(callers=CRM, roles=BUYER), store=False).gatekeeper is not None
    assert Bridge(Settings(server=Server(host="0.0.0.0")), store=False).gatekeeper is not None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(server=Server(host="0.0.0.0")), "listens on 0.0.0.0"),
        (Settings(server=Server(public_url="https://bridge.example")), "server.public_url"),
        (Settings(access=Access(anonymous="no")), 'access.anonymous is "no"'),
    ],
)
def test_a_bridge_that_nobody_could_get_into_is_a_mistake(settings: Settings, reason: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Bridge(settings, store=False).check()
    (mistake,) = wrong.value.mistakes
    assert reason in mistake
    assert "soapbridge credentials add" in mistake


def credential(caller: str, **more: Any) -> CredentialRow:
    given = {"expires_at": None, "revoked_at": None, **more}
    return CredentialRow(id=1, caller=caller, kind="api_key", created_at=NOW, **given)


def told(settings: Settings, *kept: CredentialRow) -> str:
    return "\n".join(door.says for door in doors.open_doors(settings, kept, NOW))


def test_a_bridge_behind_an_https_proxy_with_one_caller_and_its_key_has_no_open_door() -> None:
    settings = Settings(server=Server(public_url="https://b.example"), callers=CRM, roles=BUYER)
    assert told(settings, credential("crm")) == ""
    assert told(Settings()) == ""


OPEN: list[tuple[str, Settings, tuple[CredentialRow, ...], str]] = [
    ("anonymous", Settings(server=FAR, access=ANYBODY), (), "all operations"),
    (
        "anonymous",
        Settings(server=FAR, access=ANYBODY, roles={"anonymous": Role()}),
        (),
        "what [roles.anonymous] names",
    ),
    (
        "pages",
        Settings(server=HTTPS, callers=CRM, roles=BUYER, access=Access(pages="everybody")),
        (credential("crm"),),
        "access.pages",
    ),
    ("wide-network", Settings(metrics=Metrics(allow=("0.0.0.0/0",))), (), "metrics.allow names 0.0.0.0/0"),
    ("wide-network", Settings(server=Server(trusted_proxies=("::/0",))), (), "trusted_proxies names ::/0"),
    ("readable-line", Settings(server=FAR, callers=CRM, roles=BUYER), (credential("crm"),), "without TLS"),
    ("readable-line", Settings(server=Server(public_url="http://b.example")), (), "can be read on the way"),
    (
        "every-operation",
        Settings(callers={"crm": Caller(roles=("all",))}, roles={"all": Role(operations=("*",))}),
        (credential("crm"),),
        "every operation there is",
    ),
    ("nothing-allowed", Settings(callers={"crm": Caller()}), (credential("crm"),), "may ask for nothing"),
    ("no-way-in", Settings(callers=CRM, roles=BUYER), (), "crm cannot get in"),
    (
        "no-way-in",
        Settings(callers=CRM, roles=BUYER),
        (credential("crm", expires_at=NOW - timedelta(seconds=1)),),
        "crm cannot get in",
    ),
    (
        "unknown-caller",
        Settings(callers=CRM, roles=BUYER),
        (credential("crm"), credential("old")),
        "credentials of old",
    ),
]


@pytest.mark.parametrize(("name", "settings", "kept", "says"), OPEN)
def test_each_open_door_is_named(
    name: str, settings: Settings, kept: tuple[CredentialRow, ...], says: str
) -> None:
    found = [door for door in doors.open_doors(settings, kept, NOW) if door.name == name]
    assert says in "".join(door.says for door in found)


def test_a_certificate_that_ends_is_named(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, "crm", days=30)
    settings = Settings(callers={"crm": replace(CRM["crm"], certificates=(pair.certificate,))}, roles=BUYER)
    early, late = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 5))
    assert doors.open_doors(settings, (), early) == []
    (door,) = doors.open_doors(settings, (), late)
    assert door.name == "certificate-ends"


UNPROTECTED = [
    ("readable-store", {}),
    ("no-trail", {"audit": Audit(enabled=False)}),
    ("no-checkpoints", {}),
    ("no-backup", {}),
]


@pytest.mark.parametrize(("name", "more"), UNPROTECTED)
def test_what_does_not_protect_a_store_is_named_where_others_come_in(name: str, more: dict[str, Any]) -> None:
    assert name in [door.name for door in doors.unprotected(Settings(server=HTTPS, **more))]
    assert doors.unprotected(Settings(**more)) == []


def test_a_store_that_is_protected_has_no_open_door() -> None:
    somewhere = Path("/elsewhere")
    settings = Settings(
        server=HTTPS,
        at_rest=AtRest(key_file=somewhere),
        audit=Audit(checkpoints=somewhere),
        backup=Backup(folder=somewhere),
    )
    assert doors.unprotected(settings) == []


def test_the_checklist_of_the_page_is_the_one_that_check_goes_through() -> None:
    page = (Path(__file__).parents[3] / "docs/security.md").read_text("utf-8")
    _, _, after = page.partition("\n## The checklist\n")
    checklist, _, _ = after.partition("\n## ")
    assert tuple(re.findall(r"^\| `([\w-]+)` \|", checklist, re.MULTILINE)) == doors.NAMES
    source = Path(doors.__file__).read_text("utf-8")
    assert set(re.findall(r'Door\(\s*"([\w-]+)"', source)) == set(doors.NAMES)
    tried = {name for name, *_ in OPEN} | {name for name, _ in UNPROTECTED} | {"certificate-ends"}
    assert tried == set(doors.NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[callers.crm]\nroles = ["byer"]\n[roles.buyer]\noperations = ["*"]\n', "did you mean buyer?"),
        ('[callers.crm]\nroles = ["buyer"]\n', "add [roles.buyer]"),
        ('[callers."a:b"]\n', "a caller's name"),
        ('[server]\nclient_certificate_header = "X-Client-Cert"\n', "set server.trusted_proxies too"),
        (
            '[server]\nclient_certificate_header = "X Cert"\ntrusted_proxies = ["10.0.0.1"]\n',
            "no name of a header",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_mistakes(tmp_path: Any, text: str, says: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=says.replace("[", r"\[").replace("?", r"\?")):
        load(file, environ={})


@pytest.mark.parametrize(
    ("environ", "here"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "127.8.8.8"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({}, True),
        ({"REMOTE_ADDR": ""}, False),
        ({"REMOTE_ADDR": "192.0.2.1"}, False),
        ({"REMOTE_ADDR": "unix:"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_PROTO": "https"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_HOST": "bridge.example"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_ORIGIN": "http://evil.example:8000"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1.evil.example"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_ORIGIN": "null"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_ORIGIN": "http://localhost:8000"}, True),
        ({"REMOTE_ADDR": "::1", "HTTP_ORIGIN": "http://[::1]:8000"}, True),
    ],
)
def test_a_request_through_a_proxy_or_by_a_page_of_another_name_is_not_from_here(
    environ: dict[str, str], here: bool
) -> None:
    assert doors.comes_from_here(environ) is here
