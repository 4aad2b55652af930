"""What a test expects, and what it is told when that does not happen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import load
from bridge.errors import BridgeError, EncodeError, HandlerError, InvalidReply
from bridge.mock.answers import Facts
from bridge.mock.expect import Expectation
from bridge.mock.received import Received
from bridge.mock.values import Values

DESK = load(Path(__file__).resolve().parents[2] / "integration" / "host" / "desk-1.wsdl")
VALUES = Values(DESK)


@pytest.fixture
def expectation() -> Expectation:
    return Expectation(DESK.operation("Echo"), VALUES, "test_x.py:12")


def echo(text: str = "hello", number: int | None = None, *, at: int = 1, headers=()) -> Facts:
    inner = "" if number is None else f"<number>{number}</number>"
    body = etree.fromstring(f'<Echo xmlns="urn:test:desk:1"><text>{text}</text>{inner}</Echo>')
    value = DESK.codec.decode("{urn:test:desk:1}Echo", body)
    return Facts("Echo", at, at, tuple(headers), body, value)


def words(expectation: Expectation, *facts: Facts) -> list[str | None]:
    answers = [expectation.take(one) for one in facts]
    return [None if answer is None else answer.words for answer in answers]


def test_steps_are_used_in_order_each_once(expectation):
    expectation.times_out().then_reply({"text": "x", "count": 1}).then_fault("Closed").times(2)
    assert words(expectation, *[echo()] * 5) == ["no answer", "reply", "fault Closed", "fault Closed", None]
    assert expectation.report([]) == ""


def test_without_an_answer_it_is_one_sample(expectation):
    assert words(expectation, echo(), echo()) == ["sample reply", None]


def test_always_is_for_ever_and_needs_nobody(expectation):
    expectation.status(503).then_reply().always()
    assert "not asked for: HTTP 503" in expectation.report([])
    assert words(expectation, *[echo()] * 4) == ["HTTP 503", "sample reply", "sample reply", "sample reply"]
    assert expectation.report([]) == ""


def test_every_answer_can_be_named(expectation):
    expectation.drops().then_drops("before").then_off_contract("html").then_status(401).delayed(2)
    expectation.then_fault("Server", text="down").then_times_out().then_reply().duplicated("reply")
    assert words(expectation, *[echo()] * 7) == [
        "sample reply, dropped after processing",
        "dropped before processing",
        "off contract: html",
        "HTTP 401 after 2 s",
        "fault Server",
        "no answer",
        "sample reply, reply twice",
    ]


@pytest.mark.parametrize(
    ("matching", "meant", "other"),
    [
        ({"xpath": "//text = 'a'"}, echo("a"), echo("b")),
        ({"xpath": "/tns:Echo/tns:text[. = 'a']"}, echo("a"), echo("b")),
        ({"xpath": "/d:Echo[d:number > 1]"}, echo("a", 2), echo("a", 1)),
        ({"xpath": "//my:text = 'a'", "namespaces": {"my": "urn:test:desk:1"}}, echo("a"), echo("b")),
        ({"predicate": lambda value: value.number == 2}, echo("a", 2), echo("a")),
        ({"values": {"text": "a"}}, echo("a", 9), echo("b", 9)),
        ({"values": {"number": "7"}}, echo("a", 7), echo("a", 8)),
        (
            {"headers": {"X-Tenant": "n*"}},
            echo(headers=[("x-tenant", "north")]),
            echo(headers=[("x-tenant", "s")]),
        ),
    ],
)
def test_only_requests_that_are_meant_are_taken(expectation, matching, meant, other):
    expectation.matching(**matching).always()
    assert words(expectation, other, meant) == [None, "sample reply"]
    assert not expectation.matches(other)


def test_a_predicate_may_stand_first(expectation):
    expectation.matching(lambda value: value.text == "a").always()
    assert words(expectation, echo("b"), echo("a")) == [None, "sample reply"]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda one: one.reply({"text": "x"}), InvalidReply, "count"),
        (lambda one: one.reply({"text": "x", "count": 1, "more": 2}), EncodeError, "more"),
        (lambda one: one.reply({"text": "x", "count": object()}), BridgeError, "count"),
        (lambda one: one.fault("Closd"), HandlerError, "Did you mean 'Closed'"),
        (lambda one: one.fault("Closed", {"until": "x"}), BridgeError, "until"),
        (lambda one: one.drops("sometimes"), HandlerError, "There are: after, before, mid-reply"),
        (lambda one: one.off_contract("as-given"), HandlerError, "no such way"),
        (lambda one: one.duplicated("both"), HandlerError, "reply, request"),
        (lambda one: one.matching("//["), HandlerError, "cannot be read"),
        (lambda one: one.matching(values={"txt": "x"}), EncodeError, "txt"),
        (lambda one: one.times(0), ValueError, "at least 1"),
    ],
)
def test_what_makes_no_sense_raises_where_it_is_written(expectation, wrong, error, said):
    with pytest.raises(error, match=said):
        wrong(expectation)


def test_a_reply_may_hold_python_values(expectation):
    made = DESK.codec.type("{urn:test:desk:1}EchoResponse")(text="x", count=3)
    expectation.reply(made).then_reply({"text": "x", "count": Decimal(3)})
    assert words(expectation, echo(), echo()) == ["reply", "reply"]


def received(number: int, operation: str | None, refused: str = "") -> Received:
    return Received(
        number=number,
        operation=operation,
        value=None,
        envelope=b"",
        headers=(),
        exchange_id="x",
        at=datetime.now(UTC),
        soap_version="1.1",
        answered="",
        status=200,
        refused=refused,
    )


def test_the_report_names_place_expectation_and_what_is_missing(expectation):
    expectation.matching("//text = 'a'").times_out().then_reply({"text": "x", "count": 1})
    expectation.take(echo("a"))
    assert expectation.report([]).splitlines()[:3] == [
        "Echo where //text = 'a'  (test_x.py:12)",
        "  expected 2 requests: no answer, then reply",
        "  came: 1; not asked for: reply",
    ]


def test_the_report_shows_the_nearest_difference(expectation):
    expectation.matching(values={"text": "a", "number": 2})
    expectation.take(echo("b", 3, at=4))
    expectation.take(echo("a", 3, at=5))
    assert "nearest is #5: number is 3, expected 2" in expectation.report([])


def test_the_report_says_what_came_instead(expectation):
    expectation.reply()
    assert "nothing came at all" in expectation.report([])
    assert "what came: #1 Ping, #2 an unknown operation" in expectation.report(
        [received(1, "Ping"), received(2, None)]
    )
    assert "#3 was refused: 2 mistakes" in expectation.report([received(3, "Echo", "2 mistakes")])


def test_one_too_many_is_told(expectation):
    expectation.reply()
    expectation.take(echo())
    expectation.note_extra(2)
    assert "1 too many: #2" in expectation.report([])
