"""What can be known to be wrong with a forward shows when the module is loaded, with the names there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import contract
from bridge.errors import HandlerError, NotSent, SettingsError
from bridge.forwarding import Forward, handlers_of
from bridge.handlers import Call, Service, called_out, calling_out
from bridge.idempotency import Once
from bridge.partners.soap import SoapPartner
from bridge.settings import Service as ServiceSettings
from bridge.settings import Settings
from bridge.soap.fault import from_error
from bridge.store.outbox import NewEntry

FOLDER = Path(__file__).parents[1] / "integration"
SHOP = contract.load(FOLDER / "forwarding/shop-1.wsdl")
BACKOFFICE = contract.load(FOLDER / "forwarding/backoffice-1.wsdl")
DESK = contract.load(FOLDER / "host/desk-1.wsdl")
OF_A_BRIDGE: dict[str, Any] = {
    "endpoint": "http://127.0.0.1:9/",
    "before_call": calling_out,
    "after_call": called_out,
}
HEADERS = Path(__file__).parents[1] / "contracts/headers.wsdl"


def _accept(entry: NewEntry) -> None:
    """An outbox that nothing is put into here."""


@pytest.fixture
def shop() -> Service:
    return Service(SHOP)


@pytest.fixture
def backoffice() -> Iterator[SoapPartner]:
    partner = SoapPartner(BACKOFFICE, name="backoffice", accept=_accept, **OF_A_BRIDGE)
    yield partner
    partner.close()


@pytest.fixture
def desk() -> Iterator[SoapPartner]:
    partner = SoapPartner(DESK, name="desk", **OF_A_BRIDGE, service="BranchService")
    yield partner
    partner.close()


def good(**changed: Any) -> dict[str, Any]:
    """What CancelOrder is forwarded with, as far as the test does not say otherwise."""
    options = {
        "operation": "CancelSalesOrder",
        "mapping": lambda order: {"Document": order.Order.Number},
        "reply": lambda answer: {"Accepted": True},
    }
    return options | changed


def test_a_forward_is_the_operations_handler(shop: Service, backoffice: SoapPartner) -> None:
    shop.forward("CancelOrder", to=backoffice, **good())
    assert isinstance(shop.handlers["CancelOrder"], Forward)
    assert shop.unbound == ["Remind"]
    with pytest.raises(HandlerError, match="has a handler already"):
        shop.forward("CancelOrder", to=backoffice, **good())


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("CancelOrdr", {}, r"no operation 'CancelOrdr'.*Did you mean 'CancelOrder'"),
        ("CancelOrder", {"operation": "CancelSaleOrder"}, r"backoffice .* no operation.*Did you mean 'CancelSalesOrder'"),
        ("CancelOrder", {"operation": ""}, r"backoffice .* has no operation 'CancelOrder'"),
        ("CancelOrder", {"mapping": None}, r"takes \{urn:test:shop:1\}CancelOrder, .*mapping="),
        ("CancelOrder", {"reply": None}, r"is answered with .*CancelOrderResponse.*reply=lambda answer"),
        ("CancelOrder", {"durable": True}, r"answered before the partner.*reply=lambda values, entry"),
        ("CancelOrder", {"reply": lambda: None}, r"neither with the answer nor with values and entry"),
        ("CancelOrder", {"mapping": lambda: None}, r"cannot be called with one argument"),
        ("CancelOrder", {"faults": {"NotFoud": "UnknownOrder"}}, r"CancelSalesOrder of backoffice declares no fault 'NotFoud'.*'NotFound'"),
        ("CancelOrder", {"faults": {"NotFound": "UnknwnOrder"}}, r"CancelOrder of shop declares no fault 'UnknwnOrder'.*'UnknownOrder'"),
        ("CancelOrder", {"faults": {"NotFound": "Closed"}}, r"other fields than .*Closed.*lambda detail"),
        ("CancelOrder", {"ordering_key": "Order/Numbr"}, r"has no 'Numbr' there.*Did you mean 'Number'"),
        ("CancelOrder", {"ordering_key": "Order/@brnch"}, r"has no '@brnch' there.*'@branch'"),
        ("CancelOrder", {"ordering_key": "Order"}, r"has no text of its own"),
        ("CancelOrder", {"ordering_key": "Reason/Code"}, r"has no 'Code' there. There are: none"),
        ("CancelOrder", {"ordering_key": "Order/@"}, r"no path of names"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_at_once(
    shop: Service, backoffice: SoapPartner, name: str, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(HandlerError, match=said):
        shop.forward(name, to=backoffice, **good(**changed))
    assert not shop.handlers


@pytest.mark.parametrize("path", ["Order/Number", "Order/@branch", "Reason"])
def test_a_path_that_the_schema_has_is_taken(shop: Service, backoffice: SoapPartner, path: str) -> None:
    reply = {"durable": True, "reply": lambda values, entry: {"Accepted": True}}
    shop.forward("CancelOrder", to=backoffice, **good(ordering_key=path, **reply))


def test_a_path_into_what_the_schema_leaves_open_is_taken(desk: SoapPartner) -> None:
    wild = contract.load(Path(__file__).parents[1] / "contracts/any.wsdl")
    (name, *_) = wild.operations
    partner = SoapPartner(wild, name="wild", **OF_A_BRIDGE)
    Service(wild).forward(name, to=partner, ordering_key="Lax/Whatever/Number")
    partner.close()


def test_the_same_contract_on_both_sides_needs_nothing(desk: SoapPartner) -> None:
    service = Service(DESK)
    for name in ("Echo", "Notify", "Ping"):
        service.forward(name, to=desk)
    assert not service.unbound


def test_a_partner_of_no_bridge_is_refused(shop: Service) -> None:
    """Nothing would claim the request before it is called."""
    alone = SoapPartner(BACKOFFICE, endpoint="http://127.0.0.1:9/")
    with pytest.raises(HandlerError, match=r"bridge\.partner"):
        shop.forward("CancelOrder", to=alone, **good())
    alone.close()


def test_headers_that_the_partner_must_have_have_to_be_given() -> None:
    contract_ = contract.load(HEADERS)
    wanting = [
        key
        for key, one in contract_.operations.items()
        if one.problem is None
        and any(header.required for header in one.input_headers)
        and not any(header.required for header in one.output_headers)
    ]
    assert wanting
    partner = SoapPartner(contract_, name="same", **OF_A_BRIDGE)
    service = Service(contract_)
    with pytest.raises(HandlerError, match="headers are not forwarded by themselves"):
        service.forward(wanting[0], to=partner)
    service.forward(wanting[0], to=partner, headers=lambda came: came)
    partner.close()


def test_settings_choose_how_and_what_they_cannot_choose_is_named(
    shop: Service, backoffice: SoapPartner
) -> None:
    shop.forward("CancelOrder", to=backoffice, **good(reply=lambda answer, entry=None: {"Accepted": True}))

    def chosen(**forward: str) -> tuple[bool | None, list[str]]:
        settings = Settings(services={"shop": ServiceSettings(forward=forward)})
        handlers, mistakes = handlers_of(shop, settings, has_store=True)
        made = handlers["CancelOrder"]
        return made.durable if isinstance(made, Forward) else None, mistakes

    assert chosen() == (False, [])
    assert chosen(CancelOrder="durable") == (True, [])
    assert chosen(CancelOrder="synchronous") == (False, [])
    handlers, mistakes = handlers_of(
        shop,
        Settings(services={"shop": ServiceSettings(forward={"CancelOrder": "durable"})}),
        has_store=False,
    )
    assert not isinstance(handlers["CancelOrder"], Forward)
    assert "without a store" in mistakes[0]
    refused, mistakes = chosen(CancelOrder="sometimes")
    assert refused is None
    assert "must be one of synchronous, durable" in mistakes[0]


# -- what a call hands on


class Known:
    """As much of a `Once` as an id needs."""

    def __init__(self, *identity: str) -> None:
        self.identity = identity
        self.reached = True


def call(once: Any = None) -> Call:
    operation = SHOP.operation("CancelOrder")
    assert once is None or isinstance(once, Known | Once)
    return Call("e-1", operation, Service(SHOP), None, once=once)


def test_a_repeat_has_the_same_onward_id_and_no_other_request_has_it() -> None:
    identity = ("crm", "shop", "CancelOrder", "O-1")
    assert call(Known(*identity)).onward_id == call(Known(*identity)).onward_id
    others = {call(Known(*identity[:place], "x", *identity[place + 1 :])).onward_id for place in range(4)}
    assert len(others | {call(Known(*identity)).onward_id}) == 5
    assert call(Known("a", "bc", "", "")).onward_id != call(Known("ab", "c", "", "")).onward_id


def test_without_an_id_it_is_the_exchanges() -> None:
    assert call().onward_id == "e-1"
    call().may_call_again()


def test_a_call_that_the_other_system_knows_may_be_made_again() -> None:
    once = Known("", "", "", "")
    call(once).may_call_again()
    assert once.reached is False


def test_the_fault_about_a_partner_names_no_partner() -> None:
    said = from_error(NotSent("Nobody listens at 10.0.0.7.", partner="backoffice", exchange_id="x-9"), "e-1")
    assert "x-9" in said.reasons["en"]
    assert not {"10.0.0.7", "backoffice"} & set(said.reasons["en"].split())
    assert "x-9" in said.reasons["zh"]


def test_a_mapping_may_be_a_file_and_is_proved_against_both_operations(
    shop: Service, backoffice: SoapPartner, tmp_path: Path
) -> None:
    file = tmp_path / "cancel.toml"
    file.write_text('[fields]\nDocument = "Order/Number"\nCause = { from = "Reason", default = "none" }\n')
    shop.forward("CancelOrder", to=backoffice, **good(mapping=file))
    made = shop.handlers["CancelOrder"]
    assert isinstance(made, Forward)
    assert made.mapping is not None
    assert made.mapping({"Order": {"Number": "7"}}) == {"Document": "7", "Cause": "none"}

    file.write_text('[fields]\nDocument = "Order/Numbr"\nCouse = "Reason"\n')
    with pytest.raises(SettingsError) as caught:
        Service(SHOP).forward("CancelOrder", to=SoapPartner(BACKOFFICE, **OF_A_BRIDGE), **good(mapping=file))
    told = [one.removeprefix(f"{file}:") for one in caught.value.mistakes]
    assert told[0] == "2: Order/Numbr: Order has no field Numbr in the source; did you mean Number?"
    assert told[1].startswith("3: Couse: CancelSalesOrder has no field Couse there; did you mean Cause?")
