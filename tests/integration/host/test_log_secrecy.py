"""What may never be in a log, planted wherever a request can hold it, and looked for in every line of every level."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from bridge import log
from bridge.app import Bridge
from bridge.settings import Access, Data, Journal, Log, Settings
from tests.integration.host.conftest import Running, echo, envelope, running

WORD = "Zanzibar4711"
BASIC = base64.b64encode(f"user:{WORD}".encode()).decode()
ENTITY = "".join(f"&#{ord(letter)};" for letter in WORD)


def answer(request: Any, call: Any) -> Any:
    """A handler whose exceptions say what they were given, as exceptions do."""
    match request.text.split()[0]:
        case "raise":
            raise ValueError(f"no price for {request.text}")
        case "chain":
            try:
                return {}[request.text]
            except KeyError as error:
                raise RuntimeError("no price") from error
        case "database":
            call.session.execute(text("INSERT INTO nowhere VALUES (:it)"), {"it": request.text})
        case "constraint":
            call.session.execute(text("CREATE TABLE once (it TEXT UNIQUE)"))
            for _ in range(2):
                call.session.execute(text("INSERT INTO once VALUES (:it)"), {"it": request.text})
        case "off-contract":
            return {"text": request.text, "count": 0}
        case "field":
            return {"text": "x", "count": 1, request.text: 1}
        case "not-a-number":
            return {"text": "x", "count": request.text}
        case "log":
            structlog.get_logger("service").info("mine", password=request.text, envelope=request.text)
    return {"text": request.text, "count": 1}


def prepare(bridge: Bridge) -> None:
    bridge.services["/services/desk"].handlers["Echo"] = answer


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure(LOG, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


LOG = Log(level="debug", format="json", requests="all")


@pytest.mark.parametrize("per_minute", [600, 0])
def test_no_line_of_any_level_holds_what_a_request_held(
    tmp_path: Path, lines: io.StringIO, per_minute: int
) -> None:
    settings = Settings(
        log=LOG,
        data=Data(folder=tmp_path),
        journal=Journal(refused_per_minute=per_minute),
        access=Access(anonymous="yes"),
    )
    with running(settings, store=True, prepare=prepare) as desk:
        exchanges = send_everything(desk)
    assert WORD not in lines.getvalue()
    assert BASIC not in lines.getvalue()
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    told = {event["exchange"] for event in events if event["event"] == "request"}
    assert exchanges <= told
    failed = [event for event in events if event["level"] == "error"]
    assert len(failed) == 7
    assert {event["exchange"] for event in failed} <= told
    assert any("ValueError" in event["exception"] for event in failed)


def send_everything(desk: Running) -> set[str]:
    """Sends WORD in every way; the ids of what reached the service."""
    words = [
        "raise",
        "chain",
        "database",
        "constraint",
        "off-contract",
        "field",
        "not-a-number",
        "log",
        "good",
    ]
    answers = [desk.post(echo(f"{word} {WORD}")) for word in words]
    ns = "urn:test:desk:1"
    answers += [
        desk.post(envelope(f'<Echo xmlns="{ns}"><text>a</text><number>{WORD}</number></Echo>')),
        desk.post(envelope(f'<Echo xmlns="{ns}"><{WORD}/><text>{ENTITY}</text></Echo>')),
        desk.post(envelope(f'<{WORD} xmlns="{ns}"/>')),
        desk.post(echo(headers=f'<h:{WORD} xmlns:h="urn:h" s:mustUnderstand="1">{WORD}</h:{WORD}>')),
        desk.post(f"<{WORD}".encode()),
        desk.post(f"<!DOCTYPE a [<!ENTITY b '{WORD}'>]><a/>".encode()),
        desk.post(b"\xff" + WORD.encode()),
        desk.post(echo(WORD), Authorization=f"Basic {BASIC}", Cookie=WORD, SOAPAction=f'"{WORD}"'),
        desk.post(echo(WORD), Content_Encoding=WORD),
        desk.post(echo(WORD), Accept_Language=WORD, User_Agent=WORD, X_Forwarded_For=WORD),
        desk.request("POST", f"/services/desk?password={WORD}", echo(WORD), {"Content-Type": "text/xml"}),
        desk.request("POST", "/services/desk", echo(WORD), {"Content-Type": f"text/{WORD}"}),
        desk.request("POST", "/services/desk", echo(WORD), {"Content-Type": f"text/xml; charset={WORD}"}),
        desk.request("PUT", "/services/desk", WORD.encode(), {"Content-Type": "text/xml"}),
    ]
    for method, path in (("GET", f"/{WORD}"), ("GET", f"/services/desk?xsd={WORD}"), ("POST", f"/{WORD}")):
        desk.request(method, path, WORD.encode(), {"Host": WORD, "Authorization": f"Basic {BASIC}"})
    desk.request("POST", "/services/desk", headers={"X-Long": WORD * 4_000})
    desk.request("POST", f"/{WORD}", headers={"Content-Length": "999999999"})
    desk.send(f"{WORD} / HTTP/1.1\r\n\r\n".encode())
    return {one.exchange for one in answers}


def test_the_journal_has_the_words_that_the_log_has_not(tmp_path: Path, lines: io.StringIO) -> None:
    with running(Settings(log=LOG, data=Data(folder=tmp_path)), store=True, prepare=prepare) as desk:
        exchange = desk.post(echo(f"raise {WORD}")).exchange
        assert desk.bridge.store is not None
        entry = desk.bridge.store.journal.show(exchange)
    assert entry is not None
    assert f"no price for raise {WORD}" in (entry.fault_reason or "")
