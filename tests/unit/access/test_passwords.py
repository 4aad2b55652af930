"""Passwords are checked by few at a time, and remembered only when they were right."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bridge.access.passwords import AT_ONCE, REMEMBERED, WAITING, Passwords, new_hash
from bridge.errors import Refusal

HASH = new_hash("correct horse battery")


class Counting:
    """In the place of argon2's hasher: counts, and may be held up."""

    def __init__(self, hasher: Any) -> None:
        self.hasher = hasher
        self.checks = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def verify(self, hashed: str, password: str) -> bool:
        self.checks += 1
        assert self.go_on.wait(10)
        return bool(self.hasher.verify(hashed, password))


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def passwords(now: list[float]) -> Passwords:
    made = Passwords(lambda: now[0])
    made.__dict__["_checks"] = Counting(made._checks)
    return made


def checks(passwords: Passwords) -> int:
    return int(passwords.__dict__["_checks"].checks)


def test_a_hash_is_argon2id_with_a_salt_of_its_own() -> None:
    assert HASH.startswith("$argon2id$")
    assert new_hash("correct horse battery") != HASH


def test_the_right_password_is_found_and_known_again_for_a_while(
    passwords: Passwords, now: list[float]
) -> None:
    kept = [(7, HASH)]
    assert passwords.find("crm", "correct horse battery", kept, checks=1) == 7
    assert passwords.find("crm", "correct horse battery", kept, checks=1) == 7
    assert checks(passwords) == 1
    now[0] += REMEMBERED
    assert passwords.find("crm", "correct horse battery", kept, checks=1) == 7
    assert checks(passwords) == 2


def test_a_password_that_was_revoked_or_belongs_to_another_name_is_not_remembered(
    passwords: Passwords,
) -> None:
    assert passwords.find("crm", "correct horse battery", [(7, HASH)], checks=1) == 7
    assert passwords.find("crm", "correct horse battery", [], checks=1) is None
    assert passwords.find("shop", "correct horse battery", [], checks=1) is None
    assert passwords.find("crm", "correct horse batter", [(7, HASH)], checks=1) is None
    assert passwords.find("crmc", "orrect horse battery", [(7, HASH)], checks=1) is None


def test_a_wrong_password_and_a_name_that_is_not_there_cost_the_same(passwords: Passwords) -> None:
    costs = []
    for kept in ([(1, HASH), (2, HASH)], [(1, HASH)], []):
        before = checks(passwords)
        assert passwords.find("crm", "wrong", kept, checks=2) is None
        costs.append(checks(passwords) - before)
    assert costs == [2, 2, 2]


def test_what_is_no_hash_lets_nobody_in(passwords: Passwords) -> None:
    assert passwords.find("crm", "", [(1, "")], checks=1) is None


def test_when_too_many_are_checked_at_once_the_next_is_told_to_come_back(passwords: Passwords) -> None:
    counting: Counting = passwords.__dict__["_checks"]
    counting.go_on.clear()
    found: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(passwords.find("crm", "wrong", [(1, HASH)], checks=1)))
        for _ in range(AT_ONCE + WAITING)
    ]
    for thread in threads:
        thread.start()
    while passwords._admitted._value:
        threading.Event().wait(0.005)
    with pytest.raises(Refusal) as refused:
        passwords.find("crm", "wrong", [(1, HASH)], checks=1)
    assert refused.value.status == 503
    assert counting.checks <= AT_ONCE
    counting.go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == [None] * (AT_ONCE + WAITING)
