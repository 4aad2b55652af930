"""The same element on both sides: what the partner gets is the document that came, and what it answers leaves likewise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge import contract as contracts
from bridge.app import Bridge
from bridge.contract import Contract
from bridge.contract.example import example
from bridge.errors import ContractError
from bridge.mock import Mock
from bridge.partners.soap.partner import Outgoing
from bridge.settings import Partner, Settings
from bridge.testing import ask
from tests.integration.forwarding.conftest import SOAP11, Bench, envelope

Make = Callable[..., Bench]

DESK = Path(__file__).parents[1] / "host/desk-1.wsdl"
NS = "urn:test:desk:1"
CONTRACTS = Path(__file__).parents[2] / "contracts"


def canonical(payload: Any) -> bytes:
    root = etree.fromstring(payload) if isinstance(payload, str | bytes) else payload
    return etree.tostring(root, method="c14n", exclusive=True, with_tail=False)


@pytest.fixture
def desk() -> Iterator[Mock]:
    with Mock(DESK) as mock:
        yield mock


@pytest.fixture
def through(make: Make, desk: Mock) -> Bench:
    """The desk behind a bridge that answers the desk's contract."""
    return make(desk.url, wsdl=DESK, partner_wsdl=DESK)


def echo(text: str = "a") -> str:
    return f'<Echo xmlns="{NS}"><text>{text}</text></Echo>'


def test_request_and_reply_go_through_as_they_are(through: Bench, desk: Mock) -> None:
    desk.expect("Echo").reply({"text": "b &amp; <c>", "count": 3})
    through.forward("Echo")
    sent = f'<d:Echo xmlns:d="{NS}"><!-- by hand --><d:text>  a &amp; 你好 </d:text><d:number>+7</d:number></d:Echo>'
    answer = through.send(sent)
    assert (answer.find("text"), answer.find("count")) == ("b &amp; <c>", "3")
    got = etree.fromstring(desk.received[0].envelope)
    assert canonical(got.find("{*}Body/{*}*")) == canonical(sent)


def test_prefixes_of_the_envelope_that_values_need_go_along(through: Bench, desk: Mock) -> None:
    desk.expect("Echo").reply({"text": "b", "count": 1})
    through.forward("Echo")
    through.send(
        f'<Echo xmlns="{NS}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="http://www.w3.org/2001/XMLSchema">'
        '<text i:type="x:token">a</text></Echo>'
    )
    typed = etree.fromstring(desk.received[0].envelope).find(".//{*}text")
    assert typed is not None
    prefix, _, _ = typed.get("{http://www.w3.org/2001/XMLSchema-instance}type", "").partition(":")
    assert typed.nsmap[prefix] == "http://www.w3.org/2001/XMLSchema"


def test_a_fault_of_both_sides_goes_through_by_itself(through: Bench, desk: Mock) -> None:
    desk.expect("Echo").fault("Closed", {"until": date(2028, 2, 29)})
    through.forward("Echo")
    answer = through.send(echo())
    assert answer.find("until") == "2028-02-29"
    assert "Client" in (answer.find("faultcode") or "")


def test_a_one_way_request_is_handed_on(through: Bench, desk: Mock) -> None:
    through.forward("Notify")
    answer = through.send(f'<Notify xmlns="{NS}"><text>news</text></Notify>')
    assert (answer.status, answer.body) == (202, b"")
    assert [one.operation for one in desk.received] == ["Notify"]


def test_an_empty_body_is_handed_on(through: Bench, desk: Mock) -> None:
    desk.expect("Ping").reply("here")
    through.forward("Ping")
    assert through.send("<!-- -->").payload.text == "here"


def test_the_same_document_is_stored_when_it_is_durable(through: Bench) -> None:
    through.forward("Notify", durable=True)
    sent = f'<d:Notify xmlns:d="{NS}"><d:text> x </d:text></d:Notify>'
    assert through.send(sent).status == 202
    ((_, _, _, payload),) = through.outbox
    assert canonical(payload) == canonical(sent)


# -- headers

SESSION = f'<d:Session xmlns:d="{NS}">s-1</d:Session>'


def sessions(desk: Mock) -> list[str | None]:
    root = etree.fromstring(desk.received[-1].envelope)
    return [one.text for one in root.iterfind(f"{{{SOAP11}}}Header/{{{NS}}}Session")]


def test_declared_headers_stay_here_unless_they_are_asked_for(through: Bench, desk: Mock) -> None:
    desk.expect("Echo").reply({"text": "b", "count": 1})
    through.forward("Echo")
    assert through.send(echo(), SESSION).status == 200
    assert sessions(desk) == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (lambda came: came, ["s-1"]),
        (lambda came: {"Session": came[f"{{{NS}}}Session"] + "-b"}, ["s-1-b"]),
        (lambda came: {}, []),
    ],
)
def test_a_function_says_which_headers_go_on(
    through: Bench, desk: Mock, headers: Any, expected: list[str]
) -> None:
    desk.expect("Echo").reply({"text": "b", "count": 1})
    through.forward("Echo", headers=headers)
    assert through.send(echo(), SESSION).status == 200
    assert sessions(desk) == expected


def test_headers_of_what_is_durable_are_stored_with_it_unless_they_are_secret(make: Make, desk: Mock) -> None:
    for secret, status in ((), 200), (("Session",), 500):
        bench = make(desk.url, wsdl=DESK, partner_wsdl=DESK, partner={"secret_headers": secret})
        bench.forward(
            "Echo",
            durable=True,
            headers=lambda came: came,
            reply=lambda values, entry: {"text": entry.id, "count": 1},
        )
        assert bench.send(echo(), SESSION).status == status
    ((headers,),) = bench.rows("SELECT headers FROM outbox")
    assert canonical(headers) == canonical(SESSION)


# -- whatever the contract


@cache
def forwarded(file: str) -> tuple[Contract, Bridge, list[Outgoing]]:
    """A bridge that hands every operation of the contract on to a mock of it, and what was exchanged; both live as long as
    the tests."""
    path = CONTRACTS / file
    mock = Mock(path).start()
    _mocks.append(mock)
    partner = Partner(wsdl=str(path), endpoint=mock.url)
    bridge = Bridge(Settings(partners={"same": partner}), store=False)
    service, to = bridge.serve(path), bridge.partner("same")
    for key in operations(file):
        service.forward(key, to=to)
    exchanged: list[Outgoing] = []
    exchange = to.exchange

    def look(*args: Any, **options: Any) -> Outgoing:
        exchanged.append(exchange(*args, **options))
        return exchanged[-1]

    to.exchange = look  # type: ignore[method-assign]
    return service.contract, bridge, exchanged


_mocks: list[Mock] = []


@pytest.fixture(scope="module", autouse=True)
def _close_mocks() -> Iterator[None]:
    yield
    for bridge in (forwarded(file)[1] for file in RICH):
        bridge.partner("same").close()
    for mock in _mocks:
        mock.close()


@cache
def operations(file: str) -> list[str]:
    """Those with a Body in and out, and no header that must come."""
    contract = contracts.load(CONTRACTS / file)
    return [
        key
        for key, one in contract.operations.items()
        if one.problem is None and one.input and one.output and not any(h.required for h in one.input_headers)
    ]


RICH = [
    file
    for file in (
        "any.wsdl",
        "any-attribute.wsdl",
        "any-type.wsdl",
        "substitution-group.wsdl",
        "xsi-type.wsdl",
        "mixed.wsdl",
        "nillable.wsdl",
        "unions.wsdl",
        "qnames.wsdl",
        "rpc-literal.wsdl",
        "choice-sharing-names.wsdl",
        "recursion.wsdl",
    )
    if operations(file)
]


@pytest.mark.parametrize("file", RICH)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), data=st.data())
def test_what_the_partner_gets_and_what_the_caller_gets_are_the_same_documents(
    file: str, seed: int, data: st.DataObject
) -> None:
    contract, bridge, exchanged = forwarded(file)
    operation = contract.operation(data.draw(st.sampled_from(operations(file))))
    assert operation.input is not None
    try:
        payload = example(contract.model, operation.input, seed=seed)
    except ContractError:
        return  # no example can be made
    answer = ask(bridge, envelope(payload))
    assert answer.fault is None, answer.fault
    assert body(exchanged[-1].request) == canonical(payload)
    assert body(answer.reply) == body(exchanged[-1].reply)


def body(message: bytes) -> bytes:
    return canonical(etree.fromstring(message).find("{*}Body/{*}*"))
