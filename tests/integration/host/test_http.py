"""The HTTP entrance itself, byte by byte: pipelines, chunks, limits, slow clients, and the end."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any

import pytest

from bridge.app import Bridge
from bridge.host.http import Entrance, HttpLimits
from bridge.settings import Server, Settings
from bridge.soap.limits import Limits
from tests.integration.host.conftest import Running, echo, envelope, read_answer, running, wait_until

HEAD = b"POST /services/desk HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\n"


def post(body: bytes, extra: bytes = b"") -> bytes:
    return HEAD + extra + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body: bytes, size: int = 50) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    text = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + text + b"0\r\n\r\n"


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    """Impatient and narrow: 64 KiB, a second for headers and body, two threads, eight connections."""
    server = Server(header_timeout=1, body_timeout=1, threads=2, connections=40, waiting=2, max_headers=20)
    with running(Settings(server=server, limits=Limits(max_bytes=65536)), prepare=add_slow) as made:
        yield made


def add_slow(bridge: Bridge) -> None:
    desk = bridge.services["/services/desk"]
    handler = desk.handlers["Echo"]

    def slow(request: Any, call: Any) -> Any:
        if request.text == "slow":
            time.sleep(0.7)
        return handler(request, call)

    desk.handlers["Echo"] = slow


def test_a_chunked_request_is_answered(desk: Running) -> None:
    answer = desk.send(chunked(echo("in pieces")))
    assert answer is not None
    assert answer.status == 200
    assert "in pieces" in answer.text


def test_a_connection_is_kept_and_a_pipeline_is_answered_in_order(desk: Running) -> None:
    with desk.connect() as connection:
        connection.sendall(b"".join(post(echo(f"number {n}")) for n in range(20)))
        stream = connection.makefile("rb")
        for n in range(20):
            answer = read_answer(stream)
            assert answer is not None
            assert f"number {n}<" in answer.text


def test_a_request_may_arrive_byte_by_byte(desk: Running) -> None:
    with desk.connect() as connection:
        for byte in post(echo("drip")):
            connection.sendall(bytes([byte]))
        answer = read_answer(connection.makefile("rb"))
        assert answer is not None
        assert answer.status == 200


def test_expect_100_continue_is_answered_before_the_body(desk: Running) -> None:
    body = echo("patient")
    with desk.connect() as connection:
        connection.sendall(HEAD + f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        answer = read_answer(connection.makefile("rb"))
        assert answer is not None
        assert answer.status == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(small: Running) -> None:
    answer = small.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n")
    assert answer is not None
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


def test_a_chunked_body_that_grows_too_large_is_refused(small: Running) -> None:
    answer = small.send(chunked(b"x" * 70_000, 8000))
    assert answer is not None
    assert answer.status == 413


def test_the_refusal_of_a_large_body_is_readable_by_a_client_that_sends_first_and_reads_then(
    small: Running,
) -> None:
    answer = small.send(post(b"x" * 3_000_000))
    assert answer is not None
    assert answer.status == 413


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: abc\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\r\n\r\n",  # HTTP/0.9
    ],
)
def test_what_is_not_http_is_400_and_the_end_of_the_connection(desk: Running, raw: bytes) -> None:
    answer = desk.send(raw)
    assert answer is not None
    assert answer.status == 400
    assert desk.post(echo()).status == 200


def test_headers_too_large_or_too_many_are_431(small: Running) -> None:
    for extra in (b"X-A: " + b"a" * 40_000 + b"\r\n", b"".join(b"X-%d: 1\r\n" % n for n in range(30))):
        answer = small.send(post(echo(), extra))
        assert answer is not None
        assert answer.status == 431
    with small.connect() as connection:  # a header that never ends
        connection.sendall(HEAD + b"X-A: ")
        try:
            for _ in range(200):
                connection.sendall(b"a" * 10_000)
                time.sleep(0.001)
        except OSError:
            pass
        answer = read_answer(connection.makefile("rb"))
        assert answer is None or answer.status == 431


def test_stalled_headers_and_bodies_hold_no_thread_and_are_closed(small: Running) -> None:
    stalled = [small.connect() for _ in range(20)]
    try:
        for number, connection in enumerate(stalled):
            connection.sendall(HEAD + (b"X-A: " if number % 2 else b"Content-Length: 300\r\n\r\n<a"))
        for _ in range(5):
            assert small.post(echo()).status == 200
        started = time.monotonic()
        answers = [connection.makefile("rb").read() for connection in stalled]
        assert time.monotonic() - started < 5
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers[::2])
        assert all(answer == b"" for answer in answers[1::2])
    finally:
        for connection in stalled:
            connection.close()


def test_a_dripping_body_does_not_move_its_deadline(small: Running) -> None:
    with small.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 3000\r\n\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() - started < 8:
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - started < 7


def test_too_many_waiting_requests_are_told_to_come_back(small: Running) -> None:
    statuses: list[tuple[int, str]] = []

    def ask() -> None:
        answer = small.post(echo("slow"))
        statuses.append((answer.status, answer.headers.get("retry-after", "")))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in statuses} == {200, 503}
    assert all(after for status, after in statuses if status == 503)
    assert small.post(echo()).status == 200


def test_too_many_connections_are_told_to_come_back(small: Running) -> None:
    held = []
    try:
        statuses = []
        for _ in range(45):
            connection = small.connect()
            held.append(connection)
        for connection in held[40:]:
            answer = read_answer(connection.makefile("rb"))
            statuses.append(answer.status if answer else None)
        assert 503 in statuses
    finally:
        for connection in held:
            connection.close()
    wait_until(lambda: small.post(echo()).status == 200)


def test_a_client_that_does_not_read_gets_no_further_answers_made_and_all_of_them_once_it_reads() -> None:
    many = 5000
    page = b"GET /services/desk?wsdl HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(Settings()) as made, made.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(page * many,))
        sender.start()
        state = made.server.server_state
        wait_until(lambda: state.total_requests > 0)
        answered = -1
        while answered != state.total_requests:  # until no more are made
            answered = state.total_requests
            time.sleep(0.2)
        assert answered < many
        (open_connection,) = state.connections
        assert open_connection.transport.get_write_buffer_size() < 1_000_000
        stream = connection.makefile("rb")
        for _ in range(many):
            answer = read_answer(stream)
            assert answer is not None
            assert answer.status == 200
        sender.join()


def test_one_address_cannot_take_all_connections_and_a_proxy_is_not_counted_by_address() -> None:
    narrow = Server(connections_per_address=3)
    with running(Settings(server=narrow)) as made, ExitStack() as stack:
        kept = [stack.enter_context(made.connect()) for _ in range(3)]
        entrance = made.server.config.http_protocol_class.entrance
        wait_until(lambda: entrance.open == 3)
        refused = made.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert refused is not None
        assert refused.status == 503
        assert refused.headers["retry-after"] == "5"
        assert refused.text == "Too many connections from your address.\n"
        with socket.create_connection(("127.0.0.1", made.port), 10, source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_answer(other.makefile("rb"))
            assert answer is not None
            assert answer.status == 200
        kept[0].close()
        wait_until(lambda: entrance.places == {"127.0.0.1": 2})
        assert made.request("GET", "/healthz").status == 200
    behind = Server(connections_per_address=1, trusted_proxies=("127.0.0.0/8",))
    with running(Settings(server=behind)) as made, made.connect(), made.connect():
        assert made.request("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        (("10.1.2.3", 5), ""),
        (("::ffff:10.1.2.3", 5, 0, 0), ""),
        ("", ""),
        (None, ""),
    ],
)
def test_connections_are_counted_by_where_a_machine_is_and_not_by_each_address_it_has(
    peer: Any, place: str
) -> None:
    limits = HttpLimits(proxies=(ip_network("10.0.0.0/8"),))
    assert Entrance(limits=limits, dispatcher=None).place(peer) == place  # type: ignore[arg-type]


def test_an_offer_to_upgrade_is_declined_by_answering(desk: Running) -> None:
    offer = (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    )
    answer = desk.send(post(echo("java"), offer))
    assert answer is not None
    assert answer.status == 200
    assert "java" in answer.text


def test_http_1_0_and_connection_close_end_the_connection(desk: Running) -> None:
    for raw in (post(echo()).replace(b"HTTP/1.1", b"HTTP/1.0"), post(echo(), b"Connection: close\r\n")):
        with desk.connect() as connection:
            connection.sendall(raw)
            stream = connection.makefile("rb")
            answer = read_answer(stream)
            assert answer is not None
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
            assert stream.read() == b""


def test_a_client_that_hangs_up_leaves_no_trace(desk: Running) -> None:
    for _ in range(20):
        with desk.connect() as connection:
            connection.sendall(post(echo())[:-5])
    for _ in range(20):
        with desk.connect() as connection:
            connection.sendall(post(echo()))
    assert desk.post(echo()).status == 200


def test_a_half_closed_client_still_gets_its_answer(desk: Running) -> None:
    with desk.connect() as connection:
        connection.sendall(post(echo("half")))
        connection.shutdown(1)
        answer = read_answer(connection.makefile("rb"))
        assert answer is not None
        assert answer.status == 200


def test_a_head_request_has_a_length_and_no_body(desk: Running) -> None:
    answer = desk.request("HEAD", "/services/desk")
    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 100
    assert answer.body == b""


def test_underscored_headers_are_not_taken_for_dashed_ones(desk: Running) -> None:
    answer = desk.request(
        "GET", "/", headers={"X_Forwarded_Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil" not in answer.text


def test_a_large_request_and_its_answer_pass(desk: Running) -> None:
    text = "字" * 1_000_000
    answer = desk.post(echo(text))
    assert answer.status == 200
    assert text in answer.text


def test_what_is_in_hand_is_answered_when_the_server_stops() -> None:
    with running(Settings(), prepare=add_slow) as made:
        body = post(echo("slow"))
        with made.connect() as busy, made.connect() as arriving, made.connect() as idle:
            busy.sendall(body)
            arriving.sendall(body[:-20])
            time.sleep(0.2)
            made.server.should_exit = True
            time.sleep(0.3)
            arriving.sendall(body[-20:])
            for connection in (busy, arriving):
                stream = connection.makefile("rb")
                answer = read_answer(stream)
                assert answer is not None
                assert answer.status == 200
                assert answer.headers["connection"] == "close"
            assert idle.recv(10) == b""
        with pytest.raises(OSError, match="refused"):
            made.connect()


def test_who_has_just_connected_when_the_server_stops_is_answered_and_who_was_answered_is_sent_away() -> None:
    with running(Settings()) as made, made.connect() as fresh, made.connect() as served:
        stream = served.makefile("rb")
        served.sendall(post(echo()))
        assert read_answer(stream) is not None
        made.server.should_exit = True
        assert stream.read() == b""  # so the server is stopping
        fresh.sendall(post(echo()))
        answer = read_answer(fresh.makefile("rb"))
        assert answer is not None
        assert answer.status == 200
        assert answer.headers["connection"] == "close"


def test_handlers_that_wait_hold_up_nobody_else_while_threads_are_left() -> None:
    release, waiting = threading.Event(), threading.Semaphore(0)

    def wait(request: Any, call: Any) -> None:
        waiting.release()
        release.wait(20)

    def hang(bridge: Bridge) -> None:
        bridge.services["/services/desk"].handlers["Notify"] = wait

    notify = post(envelope('<Notify xmlns="urn:test:desk:1"><text>x</text></Notify>'))
    with running(Settings(server=Server(threads=4)), prepare=hang) as made, ExitStack() as stack:
        held = [stack.enter_context(made.connect(20)) for _ in range(6)]
        for connection in held[:3]:
            connection.sendall(notify)
        assert all(waiting.acquire(timeout=5) for _ in range(3))
        assert made.post(echo()).status == 200  # by the fourth thread, while three wait
        for connection in held[3:]:
            connection.sendall(notify)  # more than there are threads: the last two queue
        release.set()
        answers = [read_answer(connection.makefile("rb")) for connection in held]
        assert [answer and answer.status for answer in answers] == [202] * 6
        assert made.post(echo()).status == 200


def test_a_thread_that_is_stuck_is_replaced() -> None:
    release = threading.Event()

    def hang(bridge: Bridge) -> None:
        bridge.services["/services/desk"].handlers["Notify"] = lambda request, call: release.wait(20) and None

    server = Server(threads=1, stuck_after=1)
    with running(Settings(server=server), prepare=hang) as made, made.connect() as stuck:
        stuck.sendall(post(envelope('<Notify xmlns="urn:test:desk:1"><text>x</text></Notify>')))
        started = time.monotonic()
        assert made.post(echo()).status == 200
        assert 0.5 < time.monotonic() - started < 6
        release.set()
        answer = read_answer(stuck.makefile("rb"))
        assert answer is not None
        assert answer.status == 202


def test_every_thread_lives_on_after_errors(small: Running) -> None:
    for text in ("break", "exit", "nothing") * 4:
        assert small.post(echo(text)).status == 500
    assert small.post(echo()).status == 200


def test_all_bodies_together_are_bounded() -> None:
    with running(Settings(limits=Limits(max_bytes=65536))) as made:
        assert made.post(echo()).status == 200
        held = [made.connect() for _ in range(20)]
        try:
            for connection in held:
                connection.sendall(HEAD + b"Content-Length: 65536\r\n\r\n" + b"x" * 60_000)
            entrance = made.server.config.http_protocol_class.entrance
            wait_until(lambda: len(_readable(held)) >= 3)  # the other 17 are less than 16 whole ones
            answer = read_answer(_readable(held)[0].makefile("rb"))
            assert answer is not None
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            wait_until(lambda: entrance.held_bytes <= 16 * 65536)  # what was refused goes with its connection
        finally:
            for connection in held:
                connection.close()
        wait_until(lambda: entrance.held_bytes == 0)
        assert made.post(echo()).status == 200


def _readable(connections: list[socket.socket]) -> list[socket.socket]:
    return select.select(connections, [], [], 0)[0]
