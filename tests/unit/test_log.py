from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from bridge import log
from bridge.errors import StoreError
from bridge.settings import Log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    log.configure(Log(format="json", level="debug"), stream)
    return stream


def test_an_event_is_one_json_object_with_time_level_and_fields(stream: io.StringIO) -> None:
    structlog.get_logger("bridge.inbound").info("refused", contract="purchasing", status=413)
    (event,) = events(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "refused",
        "level": "info",
        "logger": "bridge.inbound",
        "contract": "purchasing",
        "status": 413,
    }


def test_events_of_libraries_take_the_same_form_and_carry_the_exchange(stream: io.StringIO) -> None:
    with log.exchange_bound("E-1"):
        logging.getLogger("zeep").warning("slow %s", "partner")
    logging.getLogger("zeep").warning("after")
    first, second = events(stream)
    assert (first["event"], first["exchange"]) == ("slow partner", "E-1")
    assert "exchange" not in second


def test_libraries_that_write_messages_and_statements_below_warning_stay_silent_there(
    stream: io.StringIO,
) -> None:
    logging.getLogger("spyne.protocol.xml").debug("<soap:Envelope>…")
    logging.getLogger("zeep.transports").debug("<soap:Envelope>…")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT …")
    assert events(stream) == []


def test_secrets_are_masked_by_name_in_urls_and_in_traces(stream: io.StringIO) -> None:
    logger = structlog.get_logger("x")
    try:
        raise ValueError("cannot reach postgresql://me:hunter2@host/n")
    except ValueError:
        logger.exception(
            "failed", password="hunter2", Authorization="Basic hunter2", url="https://me:hunter2@host"
        )
    assert "hunter2" not in stream.getvalue()
    (event,) = events(stream)
    assert "ValueError" in event["exception"]


def test_payloads_and_bytes_are_replaced_by_their_size(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("got", envelope="<secret/>", anything=b"<secret/>")
    assert "secret" not in stream.getvalue()
    assert events(stream)[0]["anything"] == "(9 not logged; see the journal)"


def test_a_long_text_is_cut_and_says_so(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("got", text="a" * 5_000)
    assert events(stream)[0]["text"].endswith("a… (3000 more)")


def test_what_lies_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log.configure(Log(format="json", level="warning"), stream)
    structlog.get_logger("x").info("no")
    structlog.get_logger("x").warning("yes")
    assert [event["event"] for event in events(stream)] == ["yes"]


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    log.configure(Log(format="console"), stream)
    structlog.get_logger("x").info("started", port=8080)
    assert "started" in stream.getvalue()
    assert "port=8080" in stream.getvalue()


def fail(value: str) -> None:
    try:
        {}[value]
    except KeyError as error:
        raise ValueError(f"no price for {value}") from error


def test_where_a_log_is_kept_an_exception_is_told_without_its_words(stream: io.StringIO) -> None:
    try:
        fail("ACME-17")
    except ValueError:
        logging.getLogger("bridge.inbound").exception("failed", extra={"exchange": "E-1"})
    (event,) = events(stream)
    assert "ACME-17" not in stream.getvalue()
    assert event["exchange"] == "E-1"
    first, second = event["exception"].split("caused by ")
    assert first.startswith("Traceback, without the words:\nbuiltins.ValueError\n")
    assert second.startswith("builtins.KeyError\n")
    assert re.search(r"  .*test_log.py:\d+ fail\n", first)


def test_errors_about_files_and_databases_keep_their_words(stream: io.StringIO) -> None:
    try:
        raise StoreError("The disk is full.", advice="Make room.")
    except StoreError:
        logging.getLogger("x").exception("failed")
    assert "bridge.errors.StoreError: The disk is full. Make room." in events(stream)[0]["exception"]


@pytest.mark.parametrize(
    ("form", "exceptions", "whole"),
    [
        ("console", "auto", True),
        ("console", "place", False),
        ("json", "auto", False),
        ("json", "whole", True),
    ],
)
def test_people_at_a_terminal_see_the_words_and_the_setting_has_the_last(
    form: Literal["console", "json"], exceptions: Literal["auto", "whole", "place"], whole: bool
) -> None:
    stream = io.StringIO()
    log.configure(Log(format=form, exceptions=exceptions), stream)
    try:
        fail("ACME-17")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert ("ACME-17" in stream.getvalue()) is whole
    assert "ValueError" in stream.getvalue()


def test_an_exception_that_is_its_own_cause_ends(stream: io.StringIO) -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    logging.getLogger("x").error("failed", exc_info=first)
    assert events(stream)[0]["exception"].count("caused by") == 1
