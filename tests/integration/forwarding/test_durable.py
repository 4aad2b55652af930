"""An operation that is answered once the document is stored for the partner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from bridge.errors import HandlerError, SettingsError
from bridge.mock import Mock
from bridge.partners.soap import SoapPartner
from tests.integration.forwarding.conftest import Bench, cancel

Make = Callable[..., Bench]


def test_it_is_answered_once_stored_and_nobody_is_called(make: Make) -> None:
    bench = make().forward(durable=True)
    answer = bench.send(cancel("O-1", "late"))
    ((entry_id,),) = bench.rows("SELECT entry_id FROM outbox")
    assert (answer.find("Accepted"), answer.find("Tracking")) == ("true", entry_id)
    ((partner, ordering_key, operation, payload),) = bench.outbox
    assert (partner, ordering_key, operation) == ("backoffice", entry_id, "CancelSalesOrder")
    assert [child.text for child in etree.fromstring(payload)] == ["O-1", "late"]
    assert bench.rows("SELECT exchange_id FROM outbox") == [(answer.exchange,)]


def test_a_repeat_is_stored_once(make: Make) -> None:
    bench = make().forward(durable=True)
    request = cancel()
    assert bench.send(request).find("Tracking") == bench.send(request).find("Tracking")
    assert len(bench.outbox) == 1


@pytest.mark.parametrize(
    ("ordering_key", "expected"),
    [
        ("Order/Number", "O-5"),
        ("Order/@branch", "north"),
        (lambda order: f"{order.Order.branch}/{order.Order.Number}", "north/O-5"),
        (lambda order: 5, "5"),
    ],
)
def test_documents_have_the_ordering_key_that_path_or_function_finds(
    make: Make, ordering_key: Any, expected: str
) -> None:
    bench = make().forward(durable=True, ordering_key=ordering_key)
    bench.send(cancel("O-5", branch="north"))
    assert bench.outbox[0][1] == expected


def test_a_document_without_what_the_path_names_has_a_key_of_its_own(make: Make) -> None:
    bench = make().forward(durable=True, ordering_key="Order/@branch")
    bench.send()
    assert bench.rows("SELECT ordering_key = entry_id FROM outbox") in ([(1,)], [(True,)])


def test_an_ordering_key_that_is_too_long_is_the_sender_s_mistake(make: Make) -> None:
    bench = make().forward(durable=True, ordering_key="Order/@branch")
    answer = bench.send(cancel(branch="北" * 167))
    assert (answer.payload.findtext("faultcode"), answer.repeat) == ("soap:Client", "useless")
    assert bench.outbox == []


def test_a_request_whose_answer_cannot_be_made_is_not_stored(make: Make) -> None:
    bench = make().forward(durable=True, reply=lambda values, entry: {"Accepted": "perhaps"})
    assert bench.send().status == 500
    assert (bench.outbox, bench.records) == ([], [])


def test_values_that_do_not_fit_the_partner_are_not_accepted(make: Make) -> None:
    bench = make().forward(durable=True, mapping=lambda order: {})
    answer = bench.send()
    assert (answer.repeat, bench.outbox) == ("useless", [])


def test_an_answer_with_nothing_to_say_needs_no_reply(make: Make) -> None:
    bench = make().forward(
        "Remind",
        operation="CancelSalesOrder",
        mapping=lambda asked: {"Document": asked.Number},
        durable=True,
    )
    answer = bench.send('<Remind xmlns="urn:test:shop:1"><Number>O-1</Number></Remind>')
    assert answer.payload.tag == "{urn:test:shop:1}RemindResponse"
    assert len(bench.outbox) == 1


# -- by setting


def test_settings_make_a_synchronous_forward_durable(make: Make, backoffice: Mock) -> None:
    bench = make(backoffice.url, service={"forward": {"CancelOrder": "durable"}}).forward()
    assert bench.send().find("Tracking")
    assert len(bench.outbox) == 1
    assert not backoffice.received
    bench.bridge.check(complete=False)


def test_settings_make_a_durable_forward_synchronous(make: Make, backoffice: Mock) -> None:
    backoffice.expect("CancelSalesOrder").reply({"State": "cancelled"})
    bench = make(backoffice.url, service={"forward": {"CancelOrder": "synchronous"}}).forward(durable=True)
    assert bench.send().find("Tracking") is None
    assert bench.outbox == []


@pytest.mark.parametrize(
    ("forward", "store", "said"),
    [
        ({"CancelOrdr": "durable"}, True, "names CancelOrdr, which shop does not forward. Did you mean 'CancelOrder'?"),
        ({"CancelOrder": "later"}, True, "must be one of synchronous, durable, not 'later'"),
        ({"CancelOrder": "durable"}, False, "runs without a store"),
    ],
)  # fmt: skip
def test_check_finds_a_choice_that_cannot_be(
    make: Make, backoffice: Mock, forward: dict[str, str], store: bool, said: str
) -> None:
    bench = make(backoffice.url, service={"forward": forward}, store=store).forward()
    with pytest.raises(SettingsError) as caught:
        bench.bridge.check(complete=False)
    assert said in str(caught.value)


def test_a_choice_that_cannot_be_is_never_made_in_the_other_way(make: Make, backoffice: Mock) -> None:
    wanted = {"forward": {"CancelOrder": "durable"}}
    bench = make(backoffice.url, service=wanted).forward(reply=lambda answer: {"Accepted": True})
    with pytest.raises(SettingsError, match="its answer has to be made"):
        bench.bridge.check(complete=False)
    assert bench.send().status == 500
    assert bench.outbox == []
    assert not backoffice.received


def test_a_partner_that_was_made_without_a_bridge_has_no_outbox(make: Make) -> None:
    bench = make()
    alone = SoapPartner(bench.backoffice.contract, endpoint="http://127.0.0.1:9/")
    with pytest.raises(HandlerError, match="outbox"):
        alone.send("CancelSalesOrder", {"Document": "O-1"})
    alone.close()
