"""What roles let their callers ask for, and how a role that names nothing is told of."""

from __future__ import annotations

import pytest

from bridge.access.permits import EVERYTHING, NOTHING, Permits, unknown_operations, unknown_requirements
from bridge.settings import Caller, Role


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        ((), set()),
        (("*",), {"buy.Order", "buy.Cancel", "stock.Get", "shop/2.Get"}),
        (("buy.*",), {"buy.Order", "buy.Cancel"}),
        (("buy.Order",), {"buy.Order"}),
        (("shop/2.*", "buy.Cancel"), {"shop/2.Get", "buy.Cancel"}),
        (("bu.*", "buy.Ord", "Order", "buy"), set()),
    ],
)
def test_a_role_allows_what_it_names_and_nothing_else(patterns: tuple[str, ...], allowed: set[str]) -> None:
    permits = Permits.of(patterns)
    asked = [("buy", "Order"), ("buy", "Cancel"), ("stock", "Get"), ("shop/2", "Get")]
    assert {
        f"{service}.{operation}" for service, operation in asked if permits.allow(service, operation)
    } == allowed


def test_of_several_roles_each_adds_to_the_others_and_one_that_is_not_there_adds_nothing() -> None:
    roles = {"buyer": Role(operations=("buy.Order",)), "keeper": Role(operations=("stock.*",))}
    permits = Permits.of_roles(("buyer", "keeper", "ghost"), roles)
    assert permits.allow("buy", "Order")
    assert permits.allow("stock", "Get")
    assert not permits.allow("buy", "Cancel")
    assert Permits.of_roles(("ghost",), roles) == NOTHING


def test_a_service_of_which_one_operation_is_allowed_may_be_seen_but_is_not_allowed_whole() -> None:
    permits = Permits.of(("buy.Order",))
    assert permits.allow_some_of("buy")
    assert not permits.allow_all_of("buy")
    assert not permits.allow_some_of("bu")
    assert EVERYTHING.allow_all_of("buy")
    assert not NOTHING.allow_some_of("buy")


def test_a_role_that_names_what_nobody_answers_is_a_mistake_with_a_guess() -> None:
    roles = {"buyer": Role(operations=("buy.Ordr", "buy.*", "*", "sell.*", "buy.Order"))}
    mistakes = unknown_operations(roles, {"buy": ["Order", "Cancel"]})
    assert len(mistakes) == 2
    assert "roles.buyer names buy.Ordr" in mistakes[0]
    assert "Did you mean buy.Order?" in mistakes[0]
    assert "sell.*" in mistakes[1]


def test_a_requirement_for_what_nobody_answers_is_a_mistake_for_nothing_would_be_required() -> None:
    callers = {"crm": Caller(requires_for={"buy.*": "timestamp", "buy.Ordr": "signature", "*": "timestamp"})}
    mistakes = unknown_requirements(callers, {"buy": ["Order", "Cancel"]})
    assert mistakes == [
        "callers.crm.requires_for names buy.Ordr, which nobody answers. Did you mean buy.Order?"
    ]
