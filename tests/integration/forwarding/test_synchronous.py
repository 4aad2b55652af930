"""An operation that is answered after the partner has answered: by a mock that does as told, and by sockets that do worse."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from lxml import etree

from bridge.mock import Mock
from bridge.settings import Server
from tests.integration.forwarding.conftest import Bench, Socket, cancel

Make = Callable[..., Bench]

DONE = {"State": "cancelled"}


def cut(connection: socket.socket) -> None:
    """A reset, after the request was read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def saying(status: str, body: str = "", *headers: str) -> Callable[[socket.socket], None]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/xml", *headers]
    return lambda connection: connection.sendall(("\r\n".join(lines) + f"\r\n\r\n{body}").encode())


# -- what goes well


def test_what_the_partner_answers_becomes_the_answer(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").matching(values={"Document": "O-7", "Cause": "late"}).reply(DONE)
    bench = make(backoffice.url).forward()
    answer = bench.send(cancel("O-7", "late"))
    assert (answer.status, answer.find("Accepted")) == (200, "true")
    backoffice.verify()


def test_a_repeat_gets_the_first_answer_and_the_partner_is_called_once(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").reply(DONE).then_reply({"State": "refused"})
    bench = make(backoffice.url).forward()
    request = cancel()
    first, again = bench.send(request), bench.send(request)
    assert (first.find("Accepted"), again.find("Accepted")) == ("true", "true")
    assert len(backoffice.received) == 1
    assert bench.records == ["answered"]


def test_nothing_is_being_written_while_the_partner_is_called(make: Make, backoffice: Mock) -> None:
    seen: list[list[str]] = []

    def look(request: Any) -> bool:
        """Somebody else writes meanwhile, and sees that the request is claimed."""
        assert bench.bridge.store is not None
        with bench.bridge.store.transaction() as transaction:
            transaction.session  # noqa: B018 - on SQLite it waits for who writes
        seen.append(bench.records)
        return True

    backoffice.expect("CancelSalesOrder").matching(look).reply(DONE)
    bench = make(backoffice.url).forward()
    assert bench.send().status == 200
    assert seen[0] == ["running"]


# -- faults


def test_the_partners_fault_becomes_ours_with_the_same_fields(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").fault("NotFound", {"Number": "O-8", "Why": "never seen"})
    bench = make(backoffice.url).forward()
    request = cancel("O-8")
    for answer in (bench.send(request), bench.send(request)):
        assert answer.find("faultcode") is None or "Client" in (answer.find("faultcode") or "")
        detail = answer.payload.find(".//{urn:test:shop:1}UnknownOrder")
        assert detail is not None
        assert [child.text for child in detail] == ["O-8", "never seen"]
    assert len(backoffice.received) == 1, "the verdict is kept for repeats"


def test_a_function_makes_the_detail_of_another_fault(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").fault("Locked", {"by": "2027-05-01"})
    closed = ("Closed", lambda detail: {"until": date.fromisoformat(detail.by)})
    bench = make(backoffice.url).forward(faults={"Locked": closed})
    assert bench.send().find("until") == "2027-05-01"


def test_a_fault_that_nothing_was_named_for_is_a_server_fault_that_does_not_name_the_partner(
    make: Make, backoffice: Mock
) -> None:
    backoffice.expect("CancelSalesOrder").fault("Locked", {"by": "J. Doe"})
    bench = make(backoffice.url).forward()
    answer = bench.send()
    assert (answer.status, answer.repeat) == (500, "useless")
    assert b"refused the request" in answer.body
    assert b"Doe" not in answer.body
    assert b"backoffice" not in answer.body
    assert bench.records == [], "nothing was done: the corrected request is done"


# -- every other outcome


@pytest.mark.parametrize(
    ("behave", "repeat", "said", "kept"),
    [
        (cut, "unknown", "no answer tells what became of it", ["in_doubt"]),
        (saying("200 OK", "<html/>"), "unknown", "no answer tells", ["in_doubt"]),
        (saying("500 Internal Server Error"), "unknown", "no answer tells", ["in_doubt"]),
        (saying("401 Unauthorized"), "safe", "did not let the request in", []),
        (saying("429 Too Many Requests"), "safe", "did not take the request", []),
        (saying("400 Bad Request"), "useless", "refused the request", []),
        (
            saying(
                "200 OK",
                '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Other/></s:Body></s:Envelope>',
            ),
            "useless",
            "was done by another system",
            ["in_doubt"],
        ),
    ],
)
def test_an_outcome_says_whether_to_repeat_and_both_exchanges(
    make: Make, socket_that: Callable[..., Socket], behave: Any, repeat: str, said: str, kept: list[str]
) -> None:
    partner = socket_that(behave)
    bench = make(partner.url).forward()
    answer = bench.send()
    assert (answer.repeat, answer.find("faultcode")) == (repeat, "soap:Server")
    assert said in answer.body.decode()
    assert answer.exchange in answer.body.decode()
    theirs = partner.header("X-Exchange-Id")
    assert theirs in answer.body.decode()
    assert bench.records == kept
    ((reason,),) = bench.rows(f"SELECT fault_reason FROM journal WHERE exchange_id = '{answer.exchange}'")
    assert theirs in reason
    ((direction,),) = bench.rows(f"SELECT direction FROM journal WHERE exchange_id = '{theirs}'")
    assert direction == "out"


def test_nobody_listens_and_the_repeat_is_done_once_somebody_does(make: Make, backoffice: Mock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    bench = make(f"http://127.0.0.1:{port}/").forward()
    request = cancel()
    answer = bench.send(request)
    assert (answer.repeat, bench.records) == ("safe", [])
    assert "could not be reached" in answer.body.decode()
    backoffice.expect("CancelSalesOrder").reply(DONE)
    assert make(backoffice.url).forward().send(request).status == 200


def test_when_to_come_back_is_handed_on(make: Make, socket_that: Callable[..., Socket]) -> None:
    partner = socket_that(saying("503 Service Unavailable", "", "Retry-After: 7"))
    answer = make(partner.url).forward().send()
    assert (answer.status, answer.headers["Retry-After"], answer.repeat) == (503, "7", "safe")


def test_the_answer_is_in_chinese_where_that_is_asked_for(
    make: Make, socket_that: Callable[..., Socket]
) -> None:
    answer = make(socket_that(cut).url).forward().send(accept_language="zh-CN")
    assert "已转发给另一系统" in (answer.find("faultstring") or "")


def test_values_that_do_not_fit_the_partner_never_leave(make: Make, backoffice: Mock) -> None:
    bench = make(backoffice.url).forward(mapping=lambda order: {"Cause": "no document"})
    answer = bench.send()
    assert (answer.repeat, bench.records) == ("useless", [])
    assert "nothing was handed on" in answer.body.decode()
    assert not backoffice.received


def test_a_reply_that_cannot_be_made_leaves_the_request_in_doubt(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").reply(DONE)
    bench = make(backoffice.url).forward(reply=lambda answer: {"Accepted": "perhaps"})
    request = cancel()
    assert bench.send(request).status == 500
    assert bench.records == ["in_doubt"]
    again = bench.send(request)
    assert again.repeat == "unknown"
    assert len(backoffice.received) == 1


# -- ids


def test_a_repeat_after_doubt_is_called_again_under_the_same_id_where_the_partner_keeps_it(
    make: Make, socket_that: Callable[..., Socket], backoffice: Mock
) -> None:
    partner = socket_that(cut)
    request = cancel()
    first = make(partner.url, partner={"keeps_id": True}).forward()
    answer = first.send(request)
    assert (answer.repeat, first.records) == ("unknown", [])
    given = partner.header("Idempotency-Key")
    backoffice.expect("CancelSalesOrder").matching(headers={"Idempotency-Key": given}).reply(DONE)
    assert make(backoffice.url, partner={"keeps_id": True}).forward().send(request).status == 200
    backoffice.verify()


def test_a_repeat_after_doubt_is_told_so_where_the_partner_keeps_no_id(
    make: Make, socket_that: Callable[..., Socket]
) -> None:
    partner = socket_that(cut)
    bench = make(partner.url).forward()
    request = cancel()
    for _ in range(2):
        assert bench.send(request).repeat == "unknown"
    assert len(partner.requests) == 1


def test_requests_have_ids_of_their_own_whatever_operation_or_id_they_come_with(
    make: Make, backoffice: Mock
) -> None:
    backoffice.expect("CancelSalesOrder").reply(DONE).always()
    bench = make(backoffice.url).forward()
    for payload, http in (
        (cancel(), {}),
        (cancel(), {}),
        (cancel(), {"idempotency_key": '"mine"'}),
    ):
        assert bench.send(payload, **http).status == 200
    ids = {one.header("Idempotency-Key") for one in backoffice.received}
    assert len(ids) == 3
    assert not any("mine" in (one or "") for one in ids), "to the partner, all our callers are one"


def test_a_bridge_without_a_store_forwards_too(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").reply(DONE)
    bench = make(backoffice.url, store=False).forward()
    answer = bench.send()
    assert answer.status == 200
    assert backoffice.received[0].header("Idempotency-Key") == f'"{answer.exchange}"'


# -- time


@pytest.mark.parametrize("shortest", ["partner", "operation", "request"])
def test_the_shortest_deadline_ends_the_call(
    make: Make, socket_that: Callable[..., Socket], shortest: str
) -> None:
    partner = socket_that(lambda _: partner.over.wait(20))
    given: dict[str, Any] = {"partner": {"deadline": 20.0, "read_timeout": 20.0}}
    own: dict[str, Any] = {}
    if shortest == "partner":
        given["partner"]["deadline"] = 0.3
    elif shortest == "operation":
        own["deadline"] = 0.3
    else:
        given["settings"] = {"server": Server(stuck_after=1.3)}
    began = time.monotonic()
    answer = make(partner.url, **given).forward(**own).send()
    assert answer.repeat == "unknown"
    assert time.monotonic() - began < 15  # not one of the others, which are 20 and 29 seconds
    assert len(partner.requests) == 1


def test_a_request_without_time_left_is_not_handed_on(make: Make, backoffice: Mock) -> None:
    bench = make(backoffice.url, settings={"server": Server(stuck_after=1.0)}).forward()
    answer = bench.send()
    assert (answer.repeat, bench.records) == ("safe", [])
    assert not backoffice.received


def test_where_addressing_is_on_a_repeat_has_the_same_message_id(
    make: Make, socket_that: Callable[..., Socket]
) -> None:
    partner = socket_that(cut)
    bench = make(partner.url, partner={"keeps_id": True, "addressing": "yes"}).forward()
    request = cancel()
    for payload in (request, request, cancel()):
        bench.send(payload)
    found = [
        etree.fromstring(one.partition(b"\r\n\r\n")[2]).findtext(".//{*}MessageID")
        for one in partner.requests
    ]
    assert None not in found
    assert found[0] == found[1] != found[2]
