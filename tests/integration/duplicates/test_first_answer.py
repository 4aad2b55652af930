"""A request sent again gets its first answer, and nothing is done a second time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from bridge.settings import Idempotency, Journal
from bridge.settings import Service as ServiceSettings

from .conftest import Desk, done, reply

WSA = "http://www.w3.org/2005/08/addressing"


def test_a_repeat_gets_the_first_answer_and_nothing_is_done_again(desk: Desk) -> None:
    first, again = desk.send("a"), desk.send("a")
    assert first.status == again.status == 200
    assert first.payload == again.payload
    assert (desk.started, desk.rows) == (1, 1)
    assert desk.send("b").payload != first.payload


def test_the_answer_is_wrapped_anew_for_the_other_soap_version(desk: Desk) -> None:
    first, again = desk.send("a"), desk.send("a", version="1.2")
    assert again.payload == first.payload
    assert b"2003/05/soap-envelope" in again.body
    assert again.headers["Content-Type"].startswith("application/soap+xml")
    assert first.exchange != again.exchange


def test_each_answer_has_the_addressing_of_its_own_request(desk: Desk) -> None:
    def message(id_: str) -> str:
        return f'<a:MessageID xmlns:a="{WSA}">urn:uuid:{id_}</a:MessageID>'

    first, again = desk.send("a", headers=message("1")), desk.send("a", headers=message("2"))
    assert first.payload == again.payload
    assert b"RelatesTo" in again.body
    assert b"urn:uuid:2" in again.body
    assert b"urn:uuid:1" not in again.body


def test_the_journal_tells_which_exchange_a_duplicate_repeats(desk: Desk) -> None:
    first, again = desk.send("a"), desk.send("a")
    repeated = desk.store.journal.show(again.exchange)
    assert repeated.duplicate_of == first.exchange
    assert repeated.verdict == "accepted"
    assert repeated.reply == again.body
    assert desk.store.journal.show(first.exchange).duplicate_of is None
    assert {entry.exchange_id for entry in desk.store.journal.find(first.exchange)} == {
        first.exchange,
        again.exchange,
    }


def test_the_same_id_with_another_content_is_refused_and_told_when_it_was_used(desk: Desk) -> None:
    desk.send("a", 1)
    other = desk.send("a", 2)
    assert other.status == 500
    assert b"was used on 20" in other.body
    assert b"Client" in other.body
    assert desk.rows == 1
    assert desk.send("a", 1).status == 200


def test_white_space_of_the_wire_and_prefixes_outside_make_no_other_content(desk: Desk) -> None:
    first = desk.send("a")
    again = desk.send("a", headers='<x:Extra xmlns:x="urn:x"/>')
    assert first.payload == again.payload


def test_a_client_that_makes_up_new_prefixes_sends_the_same_request(desk: Desk) -> None:
    first = desk.send("a", prefix="ns1")
    assert desk.send("a", prefix="ns2").payload == first.payload
    assert b"was used on" in desk.send("a", 2, prefix="ns3").body
    assert desk.rows == 1


def test_where_the_journal_keeps_no_envelopes_new_prefixes_are_another_content(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(settings={"journal": Journal(keep_bodies="none")})
    desk.send("a", prefix="ns1")
    assert b"was used on" in desk.send("a", prefix="ns2").body
    assert desk.rows == 1


def test_a_declared_fault_is_an_answer_too_and_leaves_none_of_its_rows(
    open_desk: Callable[..., Desk],
) -> None:
    def closed(request: Any, call: Any) -> Any:
        done(call)
        raise call.fault("Closed", until=date(2027, 1, 1))

    desk = open_desk(closed)
    first, again = desk.send("a"), desk.send("a", version="1.2")
    assert (first.status, again.status) == (500, 400)
    assert b"2027-01-01" in first.body
    assert b"2027-01-01" in again.body
    assert (desk.started, desk.rows) == (1, 0)
    assert desk.records() == [("answered", "Closed")]
    assert desk.store.journal.show(again.exchange).duplicate_of == first.exchange


def test_an_error_of_ours_is_no_answer_and_the_repeat_is_done(open_desk: Callable[..., Desk]) -> None:
    failures = [RuntimeError("the disk of the ERP was full")]

    def once_broken(request: Any, call: Any) -> Any:
        done(call)
        if failures:
            raise failures.pop()
        return reply(request)

    desk = open_desk(once_broken)
    assert desk.send("a").status == 500
    assert desk.records() == []
    assert desk.send("a").status == 200
    assert (desk.started, desk.rows) == (2, 1)


def test_a_request_that_breaks_its_contract_is_no_answer_either(desk: Desk) -> None:
    assert desk.send("a", number="many").status == 500  # type: ignore[arg-type]
    assert desk.records() == []
    assert desk.send("a").status == 200


def test_a_reply_that_breaks_its_contract_is_no_answer(open_desk: Callable[..., Desk]) -> None:
    replies: list[Any] = [{"text": "x", "count": 0}, {"text": "x", "count": 1}]

    def broken_then_well(request: Any, call: Any) -> Any:
        done(call)
        return replies.pop(0)

    desk = open_desk(broken_then_well)
    assert desk.send("a").status == 500
    assert (desk.records(), desk.rows) == ([], 0)
    assert desk.send("a").status == 200


def test_a_one_way_request_is_done_once(desk: Desk) -> None:
    assert desk.send("a", operation="Notify").status == 202
    assert desk.send("a", operation="Notify").status == 202
    assert desk.rows == 1


def test_reply_headers_are_given_again(open_desk: Callable[..., Desk]) -> None:
    credit = iter((7, 8))

    def with_credit(request: Any, call: Any) -> Any:
        done(call)
        call.reply_headers["{urn:test:desk:1}Credit"] = next(credit)
        return reply(request)

    desk = open_desk(with_credit)
    assert b">7<" in desk.send("a").body
    assert b">7<" in desk.send("a").body


def test_an_answer_is_kept_as_long_as_set_and_no_longer(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(settings={"idempotency": Idempotency(keep=2)})
    first = desk.send("a")
    desk.age_records(1.9)
    assert desk.send("a").payload == first.payload
    desk.age_records(0.2)
    assert desk.send("a").payload != first.payload
    assert desk.rows == 2
    assert desk.records() == [("answered", None)]


def test_what_has_expired_is_removed_while_serving(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(settings={"idempotency": Idempotency(keep=2)})
    for number in range(5):
        desk.send(f"old-{number}")
    desk.age_records(3)
    other = open_desk(settings={"idempotency": Idempotency(keep=2)})
    other.send("new")
    assert len(other.records()) == 1


def test_without_an_id_in_the_payload_the_http_header_tells(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(idempotency_key="")
    first = desk.send("a", idempotency_key='"8e03"')
    assert desk.send("a", idempotency_key="8e03").payload == first.payload
    assert desk.send("a", idempotency_key="8e04").payload != first.payload
    assert desk.send("a").payload != desk.send("a").payload
    assert desk.rows == 4


def test_without_either_the_message_id_tells(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(idempotency_key="")
    message = f'<a:MessageID xmlns:a="{WSA}">urn:uuid:1</a:MessageID>'
    first = desk.send("a", headers=message)
    assert desk.send("a", headers=message).payload == first.payload
    assert desk.rows == 1


def test_a_request_that_only_reads_keeps_nothing_unless_its_payload_carries_the_id(
    open_desk: Callable[..., Desk],
) -> None:
    def read(request: Any, call: Any) -> Any:
        call.reading.connection()
        return reply(request)

    by_header = open_desk(read, idempotency_key="")
    by_header.send("a", idempotency_key="1")
    by_header.send("a", idempotency_key="1")
    assert (by_header.started, by_header.records()) == (2, [])
    by_payload = open_desk(read)
    by_payload.send("a")
    by_payload.send("a")
    assert (by_payload.started, by_payload.records()) == (1, [("answered", None)])


def test_settings_name_the_id_for_a_service_and_for_single_operations(open_desk: Callable[..., Desk]) -> None:
    options = ServiceSettings(idempotency_key="text", idempotency_keys={"Notify": ""})
    desk = open_desk(idempotency_key="", settings={"services": {"desk": options}})
    desk.send("a")
    desk.send("a")
    desk.send("a", operation="Notify")
    desk.send("a", operation="Notify")
    assert desk.rows == 3


def test_settings_that_name_what_is_not_there_are_mistakes(open_desk: Callable[..., Desk]) -> None:
    from bridge.errors import SettingsError

    options = {
        "desk": ServiceSettings(idempotency_keys={"Ecko": "x", "Echo": "a[1]"}),
        "dask": ServiceSettings(),
    }
    desk = open_desk(settings={"services": options})
    with pytest.raises(SettingsError) as caught:
        desk.bridge.check(complete=False)
    assert len(caught.value.mistakes) == 3
    for words in ("names Ecko", "[services.dask]", "a[1]"):
        assert any(words in mistake for mistake in caught.value.mistakes)


def test_a_long_id_is_as_good_as_a_short_one(desk: Desk) -> None:
    first = desk.send("x" * 5000)
    assert desk.send("x" * 5000).payload == first.payload
    assert desk.send("x" * 4999).payload != first.payload


def test_a_handler_that_takes_every_exception_for_its_own_changes_nothing(
    open_desk: Callable[..., Desk],
) -> None:
    barrier = threading.Barrier(2)

    def greedy(request: Any, call: Any) -> Any:
        if barrier.n_waiting < 2 and not barrier.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(5)  # both have looked, and found nothing
        try:
            done(call)
        except BaseException:  # the bare except that people write
            return {"text": "wrong", "count": 1}
        return reply(request)

    desk = open_desk(greedy)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: desk.send("a"), range(2))
    assert first.payload == second.payload
    assert b"wrong" not in first.body
    assert desk.rows == 1


def test_32_at_the_same_instant_are_done_once_and_get_equal_answers(open_desk: Callable[..., Desk]) -> None:
    desks = [open_desk() for _ in range(2)]  # two processes, as far as PostgreSQL can tell
    if desks[0].store.dialect == "sqlite":
        desks = desks[:1]
    start = threading.Barrier(32)

    def send(number: int) -> bytes:
        start.wait(20)
        answer = desks[number % len(desks)].send("a", version="1.2" if number % 3 else "1.1")
        assert answer.status == 200, answer.body
        return answer.payload

    with ThreadPoolExecutor(32) as pool:
        payloads = list(pool.map(send, range(32)))
    assert len(set(payloads)) == 1
    assert desks[0].rows == 1
    assert desks[0].records() == [("answered", None)]


def test_an_answer_and_a_fault_at_the_same_instant_end_in_one_of_them(open_desk: Callable[..., Desk]) -> None:
    turn = iter(range(1000))

    def either(request: Any, call: Any) -> Any:
        if next(turn) % 2:
            raise call.fault("Closed", until=date(2027, 1, 1))
        done(call)
        return reply(request)

    desk = open_desk(either)
    for round_ in range(10):
        with ThreadPoolExecutor(8) as pool:
            payloads = list(pool.map(lambda _, text=f"r{round_}": desk.send(text).payload, range(8)))
        texts = {payload.partition(b"exchange")[0] for payload in payloads}
        assert len(texts) == 1, texts
    assert len(desk.records()) == 10
