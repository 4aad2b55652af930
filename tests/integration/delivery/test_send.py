"""Documents from `partner.send` to the partner's socket, and what becomes of each outcome that a socket can bring about."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select

from bridge.app import Bridge
from bridge.delivery.drain import Drain
from bridge.errors import CallInsideTransaction, HandlerError, SettingsError, Unpresentable
from bridge.partners.soap import SoapPartner
from bridge.settings import Partner, Settings
from bridge.settings import Store as StoreSettings
from bridge.store import Store
from bridge.store.tables import journal, outbox
from bridge.testing import ask

from ..partners.conftest import DESK, GOOD, NS, RawServer, answering, envelope, fault, http, server
from .conftest import LEASE, OpenGate, Outbox

assert server  # a fixture

Start = Callable[..., RawServer]
ECHO = {"text": "hello"}


MakeBridge = Callable[..., Bridge]


@pytest.fixture
def make_bridge(store_url: str) -> Iterator[MakeBridge]:
    made: list[Bridge] = []

    def make(endpoint: str = "http://127.0.0.1:1/", **partner: Any) -> Bridge:
        times = {"connect_timeout": 2.0, "read_timeout": 0.5, "deadline": 1.0}
        settings = Settings(
            store=StoreSettings(url=store_url),
            partners={"desk": Partner(wsdl=str(DESK), endpoint=endpoint, **(times | partner))},
        )
        made.append(Bridge(settings))
        return made[-1]

    yield make
    for bridge in made:
        assert bridge.store is not None
        bridge.store.close()


def drain(bridge: Bridge, key: str) -> None:
    assert bridge.store is not None
    Drain(
        bridge.store,
        bridge.partner("desk"),
        OpenGate(),
        owner="test",
        lease=LEASE,
        stopping=lambda: False,
    )(key)


def send(bridge: Bridge, values: Any = ECHO, operation: str = "Echo", **options: Any) -> str:
    with bridge.transaction():
        return bridge.partner("desk").send(operation, values, **({"ordering_key": "K"} | options)).id


def test_a_document_is_sent_as_it_was_accepted_and_its_id_goes_with_it(
    make_bridge: MakeBridge, server: Start, box: Outbox
) -> None:
    desk = server(answering(http(body=GOOD)))
    bridge = make_bridge(desk.url)
    entry_id = send(bridge, reference="PO-1")
    drain(bridge, "K")
    assert box.states() == ["delivered"]
    (request,) = desk.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert f'Idempotency-Key: "{entry_id}"'.encode() in head
    sent = etree.fromstring(body).find("{*}Body")[0]  # type: ignore[index]
    kept = etree.fromstring(box.entries()[0].payload)
    assert etree.tostring(sent, method="c14n", exclusive=True) == etree.tostring(
        kept, method="c14n", exclusive=True
    )


def test_every_attempt_has_the_same_id_and_an_exchange_of_its_own(
    make_bridge: MakeBridge, server: Start, box: Outbox, store: Store
) -> None:
    busy = http("503 Service Unavailable", "", "Retry-After: 0")
    desk = server(answering(busy, http(body=GOOD)))
    bridge = make_bridge(desk.url, addressing="yes")
    entry_id = send(bridge, reference="PO-1")
    for _ in range(2):
        drain(bridge, "K")
        box.make_due()
    ids = [re.search(rb'Idempotency-Key: "([^"]+)"', one)[1].decode() for one in desk.requests]  # type: ignore[index]
    exchanges = [re.search(rb"X-Exchange-Id: (\S+)", one)[1].decode() for one in desk.requests]  # type: ignore[index]
    messages = [re.search(rb"MessageID[^>]*>([^<]+)<", one)[1].decode() for one in desk.requests]  # type: ignore[index]
    assert ids == [entry_id] * 2
    assert messages == [f"urn:soapbridge:entry:{entry_id}"] * 2
    assert len(set(exchanges)) == 2
    with store.reading() as session:
        rows = session.execute(
            select(journal.c.exchange_id, journal.c.verdict, journal.c.reference).order_by(journal.c.id)
        )
        assert [tuple(row) for row in rows] == [
            (exchanges[0], "failed", "PO-1"),
            (exchanges[1], "accepted", "PO-1"),
        ]


def silent(connection: socket.socket, desk: RawServer) -> None:
    desk.read(connection)
    desk.over.wait(10)


def dropping(connection: socket.socket, desk: RawServer) -> None:
    desk.read(connection)


CLOSED = f'<Closed xmlns="{NS}"><until>2026-02-01</until></Closed>'
OUTCOMES = {
    "an answer": (answering(http(body=GOOD)), "delivered", None),
    "a reply that breaks the contract": (
        answering(http(body=envelope(f'<EchoResponse xmlns="{NS}"/>'))),
        "unreadable",
        "DeliveredUnreadable",
    ),
    "a declared fault": (
        answering(http("500 no", fault("s:Client", "closed", CLOSED))),
        "refused",
        "Refused Closed",
    ),
    "a Client fault": (answering(http("500 no", fault("s:Client"))), "refused", "Refused Client"),
    "503 with Retry-After": (
        answering(http("503 busy", "", "Retry-After: 3")),
        "waiting",
        "Unavailable 503",
    ),
    "429": (answering(http("429 slowly")), "waiting", "Unavailable 429"),
    "another address": (answering(http("301 moved", "", "Location: /x")), "waiting", "Unavailable 301"),
    "401": (answering(http("401 who")), "waiting", "Unauthorised 401"),
    "a Server fault": (answering(http("500 no", fault("s:Server"))), "in_doubt", "InDoubt Server"),
    "502 without a fault": (
        answering(http("502 no", "<html/>", content_type="text/html")),
        "in_doubt",
        "InDoubt 502",
    ),
    "an HTML page": (answering(http(body="<html/>", content_type="text/html")), "in_doubt", "InDoubt 200"),
    "a connection that drops": (dropping, "in_doubt", "InDoubt"),
    "silence": (silent, "in_doubt", "InDoubt"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_leaves_its_document_in_its_state_with_a_reason(
    make_bridge: MakeBridge, server: Start, box: Outbox, name: str
) -> None:
    behave, state, cause = OUTCOMES[name]
    bridge = make_bridge(server(behave).url, read_timeout=0.2)
    send(bridge)
    drain(bridge, "K")
    (entry,) = box.entries()
    assert (entry.state, entry.cause) == (state, cause)
    assert entry.state == "delivered" or entry.reason
    assert (entry.settled_at is not None) == (state in ("delivered", "unreadable", "refused"))


def test_nobody_listening_leaves_it_waiting(make_bridge: MakeBridge, box: Outbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    bridge = make_bridge(f"http://127.0.0.1:{port}/")
    send(bridge)
    drain(bridge, "K")
    assert [(entry.state, entry.cause) for entry in box.entries()] == [("waiting", "NotSent")]
    assert "Nobody listens" in (box.entries()[0].reason or "")


def test_a_document_that_breaks_the_contract_is_not_accepted(make_bridge: MakeBridge, box: Outbox) -> None:
    bridge = make_bridge()
    with pytest.raises(Unpresentable, match="Nothing was accepted"):
        send(bridge, {"text": "hello", "number": 10**12})
    assert box.entries() == []


def test_a_mapping_makes_what_is_sent(make_bridge: MakeBridge, box: Outbox) -> None:
    bridge = make_bridge()
    send(bridge, "order", mapping=lambda order: {"text": f"{order}, mapped"})
    assert "order, mapped" in box.entries()[0].payload


def test_a_document_without_an_ordering_key_waits_for_none(make_bridge: MakeBridge, box: Outbox) -> None:
    bridge = make_bridge()
    entry_id = send(bridge, ordering_key=None)
    assert len(box.entries(entry_id)) == 1


def test_documents_of_one_block_are_kept_together_or_not_at_all(make_bridge: MakeBridge, box: Outbox) -> None:
    bridge = make_bridge()
    partner = bridge.partner("desk")

    def block() -> None:
        with bridge.transaction():
            partner.send("Echo", ECHO, ordering_key="K")
            partner.send("Echo", ECHO, ordering_key="L")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert box.entries("K") == box.entries("L") == []


def test_sending_needs_a_transaction_and_says_so(make_bridge: MakeBridge) -> None:
    partner = make_bridge().partner("desk")
    with pytest.raises(HandlerError, match=r"with bridge\.transaction"):
        partner.send("Echo", ECHO)


def test_a_partner_without_a_bridge_has_no_outbox() -> None:
    partner = SoapPartner(DESK, endpoint="http://127.0.0.1:1/")
    with pytest.raises(HandlerError, match="no outbox"):
        partner.send("Echo", ECHO)


def test_calling_after_sending_in_one_block_is_refused(make_bridge: MakeBridge) -> None:
    bridge = make_bridge()
    partner = bridge.partner("desk")

    def block() -> None:
        with bridge.transaction():
            partner.send("Echo", ECHO)
            partner.call("Echo", ECHO)

    with pytest.raises(CallInsideTransaction):
        block()


def test_an_operation_that_the_partner_does_not_have_is_named(make_bridge: MakeBridge) -> None:
    bridge = make_bridge()
    with pytest.raises(HandlerError, match="Did you mean 'Echo'"):
        send(bridge, operation="Ecko")


def test_credentials_are_not_kept_for_later(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(secret_headers=("Session",))
    with pytest.raises(HandlerError, match="credentials"):
        send(bridge, headers={"Session": "s3cret"})


def test_declared_headers_are_kept_and_sent(make_bridge: MakeBridge, server: Start, box: Outbox) -> None:
    desk = server(answering(http(body=GOOD)))
    bridge = make_bridge(desk.url)
    send(bridge, headers={"Session": "S-1"})
    drain(bridge, "K")
    assert b"S-1" in desk.requests[0]


def test_a_partner_that_has_gone_from_the_settings_is_named() -> None:
    bridge = Bridge(Settings(), store=False)
    with pytest.raises(SettingsError, match="no partner desc"):
        bridge.partner("desc")


def test_what_the_contract_no_longer_has_is_refused_and_not_lost(
    make_bridge: MakeBridge, store: Store, box: Outbox
) -> None:
    bridge = make_bridge()
    send(bridge)
    with store.transaction() as transaction:
        transaction.session.execute(outbox.update().values(operation="Gone"))
    drain(bridge, "K")
    (entry,) = box.entries()
    assert (entry.state, entry.cause) == ("refused", "Unpresentable")
    assert "no operation 'Gone'" in (entry.reason or "")


@pytest.mark.parametrize("rolls_back", [False, True])
def test_what_a_handler_sends_is_kept_with_its_answer_or_not_at_all(
    make_bridge: MakeBridge, box: Outbox, rolls_back: bool
) -> None:
    bridge = make_bridge()
    partner = bridge.partner("desk")
    service = bridge.serve(DESK)

    @service.operation("Echo")
    def echo(request: Any, call: Any) -> dict[str, Any]:
        entry = partner.send("Echo", {"text": request.text}, ordering_key="K")
        if rolls_back:
            raise call.fault("Closed", until="2026-02-01")
        return {"text": entry.id, "count": 1}

    answer = ask(bridge, envelope(f'<Echo xmlns="{NS}"><text>hello</text></Echo>').encode())
    if rolls_back:
        assert answer.fault is not None
        assert box.entries() == []
    else:
        assert box.states() == ["waiting"]
        with bridge.store.reading() as session:  # type: ignore[union-attr]
            entry_id, exchange_id = session.execute(select(outbox.c.entry_id, outbox.c.exchange_id)).one()
        assert answer.value.text == entry_id
        assert exchange_id


@pytest.mark.parametrize(
    ("answer", "state"),
    [(True, "delivered"), (False, "waiting"), (None, "in_doubt"), (OSError(), "in_doubt")],
)
def test_a_function_finds_out_what_became_of_a_document(
    make_bridge: MakeBridge, server: Start, box: Outbox, answer: Any, state: str
) -> None:
    bridge = make_bridge(server(dropping).url)
    asked: list[Any] = []

    @bridge.partner("desk").asks
    def was_it_done(document: Any) -> bool | None:
        asked.append(document)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    entry_id = send(bridge, reference="PO-1")
    drain(bridge, "K")
    box.make_due()
    drain(bridge, "K")
    assert [(one.id, one.reference) for one in asked] == [(entry_id, "PO-1")]
    assert box.states() == [state]


@pytest.mark.parametrize("name", ["", "k" * 501, "ä" * 251, "a\0b", "a\ud800", 17])
@pytest.mark.parametrize("place", ["ordering_key", "reference"])
def test_a_name_that_not_every_database_can_keep_is_refused_at_once(
    make_bridge: MakeBridge, name: Any, place: str
) -> None:
    bridge = make_bridge()
    with bridge.transaction(), pytest.raises(HandlerError, match="Nothing was accepted"):
        bridge.partner("desk").send("Echo", ECHO, **{place: name})


def test_the_longest_ordering_key_and_reference_are_kept(make_bridge: MakeBridge) -> None:
    bridge = make_bridge()
    assert bridge.store is not None
    key = "".join(
        chr(0x4E00 + number * 7919 % 20000) for number in range(166)
    )  # nothing that can be compressed
    with bridge.transaction():
        bridge.partner("desk").send("Echo", ECHO, ordering_key=key, reference=key)
    with bridge.store.reading() as session:
        assert session.execute(select(outbox.c.ordering_key)).scalar_one() == key
