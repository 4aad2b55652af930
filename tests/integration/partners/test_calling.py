"""A partner that behaves: what is sent, what comes back, who is told, and what is written down."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trustme
from lxml import etree

from bridge import Bridge
from bridge.contract import Contract, load
from bridge.errors import (
    CallInsideTransaction,
    InDoubt,
    NotSent,
    PartnerError,
    SettingsError,
    Unavailable,
    Unpresentable,
)
from bridge.partners.soap import SoapPartner
from bridge.settings import Data, Partner, Settings

from .conftest import DESK, ECHOED, GOOD, NS, SOAP12, RawServer, answering, envelope, fault, http

Start = Callable[..., RawServer]
Make = Callable[..., Any]

ECHO = {"text": "hello", "number": 3}


def head_and_body(request: bytes) -> tuple[dict[str, str], etree._Element]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return {"": lines[0]} | dict(line.split(": ", 1) for line in lines[1:]), etree.fromstring(body)


def test_a_reply_comes_as_handlers_get_messages(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=GOOD)))
    reply = partner(listening.url).call("Echo", ECHO)
    assert (type(reply).__name__, reply.text, reply.count) == ("EchoResponse", "hello", 1)
    head, sent = head_and_body(listening.requests[0])
    assert head[""] == "POST /desk HTTP/1.1"
    assert head["SOAPAction"] == '"urn:test:desk:1/Echo"'
    assert head["Content-Type"] == "text/xml; charset=utf-8"
    assert head["Host"] == f"localhost:{listening.port}"
    assert re.fullmatch(r"[0-9a-f]{12}-\w+-\w+", head["X-Exchange-Id"])
    assert [child.text for child in sent[-1][0]] == ["hello", "3"]


@pytest.mark.parametrize("action", ["urn:订单", "urn:a&#10;X-Header: b"])
def test_an_action_that_no_header_can_hold_leaves_nothing_sent_and_nothing_in_doubt(
    server: Start, tmp_path: Path, action: str
) -> None:
    listening = server(answering(http(body=GOOD)))
    wsdl = tmp_path / "desk-1.wsdl"
    wsdl.write_text(DESK.read_text().replace("urn:test:desk:1/Echo", action))
    told: list[object] = []
    partner = SoapPartner(wsdl, endpoint=listening.url, after_call=told.append)
    with pytest.raises(Unpresentable, match="SOAPAction"):
        partner.call("Echo", ECHO)
    partner.close()
    assert (told, listening.requests) == ([], [])


def test_time_that_is_over_before_a_kept_connection_is_used_leaves_nothing_sent(
    server: Start, partner: Make
) -> None:
    listening = server(answering(http(body=GOOD)))
    desk = partner(listening.url)
    desk.call("Echo", ECHO)
    with pytest.raises(NotSent, match="Nothing was sent"):
        desk.call("Echo", ECHO, deadline=1e-9)
    assert len(listening.requests) == 1


def test_values_may_be_an_instance(server: Start, partner: Make, desk: Contract) -> None:
    listening = server(answering(http(body=GOOD)))
    request = desk.codec.type(f"{{{NS}}}Echo")(text="an instance", number=1)
    partner(listening.url).call("Echo", request)
    assert b"an instance" in listening.requests[0]


def test_a_value_of_another_contracts_class_is_a_type_error_that_names_mapping(
    server: Start, partner: Make, tmp_path: Path
) -> None:
    (tmp_path / "desk-1.wsdl").write_text(DESK.read_text())
    foreign = load(tmp_path / "desk-1.wsdl").codec.type(f"{{{NS}}}Echo")(text="x")
    listening = server(answering(http(body=GOOD)))
    with pytest.raises(TypeError, match="mapping="):
        partner(listening.url).call("Echo", foreign)
    assert not listening.requests


def test_soap_12_carries_the_action_in_its_media_type(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=envelope(ECHOED, SOAP12), content_type="application/soap+xml")))
    assert partner(listening.url, soap="1.2").call("Echo", ECHO).count == 1
    head, sent = head_and_body(listening.requests[0])
    assert head["Content-Type"] == 'application/soap+xml; charset=utf-8; action="urn:test:desk:1/Echo"'
    assert "SOAPAction" not in head
    assert etree.QName(sent).namespace == SOAP12


def test_an_operation_without_action_sends_an_empty_one(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=envelope(f'<PingResponse xmlns="{NS}">pong</PingResponse>'))))
    assert partner(listening.url).call("Ping") == "pong"
    head, sent = head_and_body(listening.requests[0])
    assert head["SOAPAction"] == '""'
    assert len(sent[-1]) == 0


def test_headers_go_out_and_come_back_decoded(server: Start, partner: Make) -> None:
    credit = f'<Credit xmlns="{NS}" xmlns:s2="urn:x">7</Credit>'
    listening = server(answering(http(body=envelope(ECHOED, headers=credit))))
    exchange = partner(listening.url).exchange("Echo", ECHO, headers={"Session": "s-1"})
    assert exchange.headers == {f"{{{NS}}}Credit": 7}
    _, sent = head_and_body(listening.requests[0])
    assert [(str(block.tag), block.text) for block in sent[0]] == [(f"{{{NS}}}Session", "s-1")]
    assert exchange.request == listening.requests[0].partition(b"\r\n\r\n")[2]
    assert exchange.reply == http(body=envelope(ECHOED, headers=credit)).partition(b"\r\n\r\n")[2]


def test_basic_authentication_goes_out_in_utf_8(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=GOOD)))
    partner(listening.url, username="brücke", password="pass:wörd").call("Echo", ECHO)
    head, _ = head_and_body(listening.requests[0])
    assert head["Authorization"] == "Basic YnLDvGNrZTpwYXNzOnfDtnJk"


def test_nothing_of_the_environment_is_used(
    server: Start, partner: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login stranger password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    listening = server(answering(http(body=GOOD)))
    partner(listening.url).call("Echo", ECHO)
    assert b"Authorization" not in listening.requests[0]


def test_addressing_headers_go_out_where_they_are_used_and_come_back_understood(
    server: Start, partner: Make
) -> None:
    wsa = "http://www.w3.org/2005/08/addressing"
    back = f'<w:RelatesTo xmlns:w="{wsa}" s:mustUnderstand="1">urn:x</w:RelatesTo>'
    listening = server(answering(http(body=envelope(ECHOED, headers=back))))
    exchange = partner(listening.url, addressing="yes").exchange("Echo", ECHO)
    _, sent = head_and_body(listening.requests[0])
    said = {etree.QName(block).localname: "".join(block.itertext()) for block in sent[0]}
    assert said == {
        "MessageID": f"urn:soapbridge:exchange:{exchange.id}",
        "Action": "urn:test:desk:1/Echo",
        "To": listening.url,
        "ReplyTo": f"{wsa}/anonymous",
    }


# -- connections ----------------------------------------------------------------------------------------------------


def test_a_connection_is_used_again(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=GOOD)))
    called = partner(listening.url)
    for _ in range(5):
        called.call("Echo", ECHO)
    assert (listening.connections, len(listening.requests)) == (1, 5)


def test_a_connection_with_tls_is_used_again_too(server: Start, partner: Make, tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listening = server(answering(http(body=GOOD)), context)
    called = partner(listening.url, ca=tmp_path / "ca.pem")
    for _ in range(4):
        called.call("Echo", ECHO)
    assert (listening.connections, len(listening.requests)) == (1, 4)


def test_a_connection_that_the_partner_closed_meanwhile_is_replaced(server: Start, partner: Make) -> None:
    closed = threading.Event()

    def once(connection: Any, listening: RawServer) -> None:
        listening.read(connection)
        connection.sendall(http(body=GOOD))
        connection.close()
        closed.set()

    listening = server(once)
    called = partner(listening.url)
    for _ in range(3):
        closed.clear()
        called.call("Echo", ECHO)
        assert closed.wait(5)
    assert listening.connections == 3


@pytest.mark.parametrize("broken", [fault("s:Client"), envelope("<no/>"), "<html/>"])
def test_a_call_that_ended_badly_spoils_no_later_one(server: Start, partner: Make, broken: str) -> None:
    listening = server(answering(http("500 Internal Server Error", broken), http(body=GOOD)))
    called = partner(listening.url)
    with pytest.raises(PartnerError):
        called.call("Echo", ECHO)
    assert called.call("Echo", ECHO).count == 1
    assert listening.connections == 1


def test_a_late_answer_is_never_taken_for_that_of_the_next_request(server: Start, partner: Make) -> None:
    late = envelope(ECHOED.replace("hello", "late"))

    def slow_first(connection: Any, listening: RawServer) -> None:
        while listening.read(connection):
            first = len(listening.requests) == 1
            listening.over.wait(0.4 if first else 0)
            connection.sendall(http(body=late if first else GOOD))

    listening = server(slow_first)
    called = partner(listening.url)
    with pytest.raises(InDoubt):
        called.call("Echo", ECHO, deadline=0.2)
    assert called.call("Echo", ECHO).text == "hello"


def test_many_threads_share_one_partner_and_none_gets_anothers_answer(server: Start, partner: Make) -> None:
    def echo(connection: Any, listening: RawServer) -> None:
        while request := listening.read(connection):
            text = etree.fromstring(request.partition(b"\r\n\r\n")[2])[-1][0][0].text
            connection.sendall(http(body=envelope(ECHOED.replace("hello", text or ""))))

    listening = server(echo)
    called = partner(listening.url)
    wrong: list[str] = []

    def run(name: str) -> None:
        for number in range(25):
            if called.call("Echo", {"text": f"{name}-{number}"}).text != f"{name}-{number}":
                wrong.append(name)

    threads = [threading.Thread(target=run, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(listening.requests) == 200
    assert listening.connections <= 8


def test_time_limits_of_one_call_leave_others_alone(server: Start, partner: Make) -> None:
    def slow(connection: Any, listening: RawServer) -> None:
        while listening.read(connection):
            listening.over.wait(0.3)
            connection.sendall(http(body=GOOD))

    called = partner(server(slow).url)
    with pytest.raises(InDoubt):
        called.call("Echo", ECHO, deadline=0.1)
    assert called.call("Echo", ECHO).count == 1


# -- ping -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["200 OK", "405 Method Not Allowed", "500 Internal Server Error", "404 Not Found"]
)
def test_any_http_answer_to_a_get_is_a_sign_of_life(server: Start, partner: Make, status: str) -> None:
    listening = server(answering(http(status, "")))
    assert partner(listening.url).ping().status == int(status[:3])
    assert listening.requests[0].startswith(b"GET /desk HTTP/1.1\r\n")


def test_a_ping_says_what_is_wrong(server: Start, partner: Make) -> None:
    with pytest.raises(Unavailable):
        partner(server(lambda _, listening: listening.over.wait(5)).url, read_timeout=0.2).ping()
    with pytest.raises(NotSent):
        partner("http://127.0.0.1:9/").ping()
    with pytest.raises(Unavailable):
        partner(server(answering(http("502 Bad Gateway", ""))).url).ping()
    with pytest.raises(PartnerError, match="let us in"):
        partner(server(answering(http("401 Unauthorized", ""))).url).ping()


# -- hooks --------------------------------------------------------------------------------------------------------------


def test_who_waits_for_the_outcome_is_told_once(server: Start, partner: Make) -> None:
    told: list[Any] = []
    options = {"before_call": lambda: told.append("before"), "after_call": told.append}
    listening = server(answering(http(body=GOOD), http("500 Internal Server Error", fault())))
    called = partner(listening.url, **options)
    called.call("Echo", ECHO)
    assert told == ["before", None]
    told.clear()
    with pytest.raises(InDoubt) as caught:
        called.call("Echo", ECHO)
    assert told == ["before", caught.value]
    told.clear()
    with pytest.raises(Unpresentable):
        called.call("Echo", {})
    assert told == []


def test_what_before_call_raises_stops_the_call(server: Start, partner: Make) -> None:
    def stop() -> None:
        raise CallInsideTransaction("no")

    told: list[Any] = []
    listening = server(answering(http(body=GOOD)))
    with pytest.raises(CallInsideTransaction):
        partner(listening.url, before_call=stop, after_call=told.append).call("Echo", ECHO)
    assert not told
    assert listening.connections == 0


# -- from a bridge ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bridge(server: Start, tmp_path: Path) -> Any:
    """A bridge that calls a desk as `branch`; `bridge.desk` is the server behind it."""

    def make(*answers: bytes, **options: Any) -> Bridge:
        listening = server(answering(*answers))
        branch = Partner(wsdl=str(DESK), endpoint=listening.url, **options)
        made = Bridge(Settings(data=Data(folder=tmp_path / "data"), partners={"branch": branch}))
        made.listening = listening  # type: ignore[attr-defined]
        return made

    return make


def test_what_is_called_is_in_the_journal_with_its_direction_and_partner(bridge: Any) -> None:
    answers = [
        http(body=GOOD),
        http("500 Internal Server Error", fault("s:Server", "closed", f'<Closed xmlns="{NS}"><until>2026-02-01</until></Closed>')),
        http("500 Internal Server Error", fault("s:Client", "bad order")),
        http(body=envelope("<x/>")),
        http(body="<html>", content_type="text/html"),
    ]  # fmt: skip
    made = bridge(*answers)
    branch = made.partner("branch")
    assert made.partner("branch") is branch
    ids = [branch.exchange("Echo", ECHO).id]
    for _ in answers[1:]:
        with pytest.raises(PartnerError) as caught:
            branch.call("Echo", ECHO)
        ids.append(caught.value.exchange_id)
    with pytest.raises(Unpresentable):
        branch.call("Echo", {"txt": ""})
    entries = made.store.journal.list(direction="out", partner="branch")[::-1]
    assert [(one.verdict, one.fault_code, one.http_status) for one in entries] == [
        ("accepted", None, 200),
        ("fault", "Server", 500),
        ("refused", "Refused", 500),
        ("invalid_reply", "DeliveredUnreadable", 200),
        ("failed", "InDoubt", 200),
        ("invalid_request", "Unpresentable", None),
    ]
    assert [one.exchange_id for one in entries[:5]] == ids
    assert {(one.contract, one.operation, one.soap_version) for one in entries} == {("desk", "Echo", "1.1")}
    whole = made.store.journal.show(ids[0])
    assert whole.request == made.listening.requests[0].partition(b"\r\n\r\n")[2]
    assert whole.reply == GOOD.encode()
    assert entries[3].violation_count == 1
    made.store.close()


def test_credentials_are_neither_in_the_journal_nor_in_the_log(
    bridge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made = bridge(http(body=GOOD), username="u", password="hush-hush", secret_headers=("Session",))
    with caplog.at_level(0):
        made.partner("branch").call("Echo", ECHO, headers={"Session": "top-secret"})
    (entry,) = made.store.journal.list()
    kept = made.store.journal.show(entry.exchange_id)
    assert b"top-secret" in made.listening.requests[0]
    assert b"top-secret" not in kept.request
    assert b"***" in kept.request
    assert "top-secret" not in caplog.text
    assert "hush" not in caplog.text
    assert "aHVzaC1odXNo" not in caplog.text
    made.store.close()


def test_what_is_wrong_with_a_secret_is_not_told(bridge: Any, caplog: pytest.LogCaptureFixture) -> None:
    made = bridge(http(body=GOOD), secret_headers=("Session",))
    with pytest.raises(Unpresentable) as caught:
        made.partner("branch").call("Echo", ECHO, headers={"Session": "top secret \x01"})
    (entry,) = made.store.journal.list()
    kept = made.store.journal.show(entry.exchange_id)
    assert "top" not in f"{caught.value} {kept.fault_reason} {kept.violations} {kept.request} {caplog.text}"
    made.store.close()


def test_a_handler_that_began_to_write_may_not_call(bridge: Any) -> None:
    made = bridge(http(body=GOOD))
    branch = made.partner("branch")
    desk = made.serve(DESK)
    caught: list[BaseException] = []

    @desk.operation("Echo")
    def echo(request: Any, call: Any) -> Any:
        if request.text == "first":
            call.session  # noqa: B018 - opens the transaction
        try:
            reply = branch.call("Echo", {"text": request.text})
        except CallInsideTransaction as error:
            caught.append(error)
            raise
        return {"text": reply.text, "count": reply.count}

    assert answer(made, "read")[0] == 200
    assert answer(made, "first")[0] == 500
    assert len(caught) == 1
    assert len(made.listening.requests) == 1
    made.store.close()


def answer(bridge: Bridge, text: str) -> tuple[int, bytes]:
    import io

    body = envelope(f'<Echo xmlns="{NS}"><text>{text}</text></Echo>').encode()
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/services/desk", "QUERY_STRING": "",
        "SERVER_NAME": "t", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "text/xml", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": "127.0.0.1",
    }  # fmt: skip
    reply = b"".join(bridge.wsgi()(environ, lambda status, headers, exc=None: statuses.append(status)))
    return int(statuses[0][:3]), reply


def test_a_partner_that_the_settings_do_not_have_is_told_with_those_they_have(bridge: Any) -> None:
    made = bridge(http(body=GOOD))
    with pytest.raises(SettingsError, match="Did you mean branch"):
        made.partner("brnch")


def test_the_check_of_a_bridge_covers_its_partners(tmp_path: Path) -> None:
    partners = {"a": Partner(wsdl=str(tmp_path / "none.wsdl")), "b": Partner(wsdl=str(DESK)), "c": Partner()}
    made = Bridge(Settings(partners=partners), store=False)
    with pytest.raises(SettingsError) as caught:
        made.check()
    told = str(caught.value)
    assert "partner a" in told
    assert "partner b" in told
    assert "DeskService" in told
    assert "partners.c has no contract" in told


def test_the_shipped_contract_can_be_called_with_decimals_and_dates(server: Start) -> None:
    wsdl = Path(__file__).parents[3] / "wsdl" / "erp" / "purchasing-1.wsdl"
    contract = load(wsdl)
    ns = "urn:soapbridge:erp:purchasing:1"
    reply = (
        f'<p:CreatePurchaseOrderResponse xmlns:p="{ns}"><p:orderNumber>PO-2026-000001</p:orderNumber>'
        '<p:state>open</p:state><p:total currency="EUR">12.50</p:total>'
        "<p:createdAt>2026-11-22T08:00:00Z</p:createdAt></p:CreatePurchaseOrderResponse>"
    )
    listening = server(answering(http(body=envelope(reply))))
    called = SoapPartner(contract, endpoint=listening.url)
    values = {
        "requestId": "R-1",
        "order": {
            "orderDate": date(2026, 11, 22), "currency": "EUR", "buyer": {"code": "BUYER", "name": "b"},
            "supplier": {"code": "SUPPLIER", "name": "s"}, "shipTo": {"warehouse": "MAIN"},
            "line": [{"lineNumber": 1, "item": {"sku": "AB-1"}, "quantity": {"value": Decimal("1.50"), "unit": "H87"},
                      "unitPrice": Decimal("8.33")}],
        },
    }  # fmt: skip
    answered = called.call("CreatePurchaseOrder", values)
    assert (answered.orderNumber, answered.total.value) == ("PO-2026-000001", Decimal("12.50"))
    assert b">1.50<" in listening.requests[0]
    called.close()
