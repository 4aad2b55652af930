"""The judge of the crash kit finds what is planted, and nothing where all is well."""

from __future__ import annotations

import dataclasses

import pytest

from tests.crash.documents import Receipt, Reception
from tests.crash.judge import Attempt, Entry, Verdict, judge
from tests.crash.receiver import Kind

KEYS = ("k1", "k2")
NUMBERS = (1, 2, 3)
KINDS: tuple[Kind, ...] = ("keeps-id", "keeps-none")


class Case:
    """Six documents over two keys that all went well; tests spoil them."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.receptions: list[Reception] = []
        self.entries: list[Entry] = []
        for number in NUMBERS:
            for key in KEYS:
                name = f"{key}-{number}"
                self.receipts.append(Receipt(name, key, "s", number, f"e-{name}"))
                self.receptions.append(self.reception(name))
                attempt = Attempt(1, f"x-{name}-1", "first", "Delivered")
                self.entries.append(Entry(f"e-{name}", name, key, number, "delivered", (attempt,)))

    @staticmethod
    def reception(name: str, attempt: int = 1, *, applied: bool = True, answer: str = "good") -> Reception:
        key, _, number = name.partition("-")
        exchange = f"x-{name}-{attempt}"
        return Reception(0.0, name, key, "s", int(number), f"e-{name}", exchange, applied, answer)

    def change_entry(self, name: str, **what: object) -> None:
        self.entries = [
            dataclasses.replace(one, **what) if one.document == name else one  # type: ignore[arg-type]
            for one in self.entries
        ]

    def never_arrives(self, name: str) -> None:
        self.receptions = [one for one in self.receptions if one.document != name]

    def sent_twice(self, name: str, *, decision: str, outcome: str | None = "InDoubt", applied: bool) -> None:
        """The answer to the first attempt got lost, and it was sent again."""
        first, second = (
            Attempt(1, f"x-{name}-1", "first", outcome),
            Attempt(2, f"x-{name}-2", decision, "Delivered"),
        )
        self.change_entry(name, attempts=(first, second))
        self.receptions.append(self.reception(name, 2, applied=applied))

    def verdict(self, kind: Kind = "keeps-id", *, final: bool = True) -> Verdict:
        return judge(self.receipts, self.receptions, self.entries, kind=kind, final=final)

    def found(self, kind: Kind = "keeps-id", *, final: bool = True) -> list[tuple[str, str]]:
        return [(one.kind, one.document) for one in self.verdict(kind, final=final).violations]


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_where_all_is_well(case: Case, kind: Kind) -> None:
    verdict = case.verdict(kind)
    assert verdict.kept
    assert verdict.counts["accepted"] == 6
    assert verdict.counts["entries delivered"] == 6


@pytest.mark.parametrize("kind", KINDS)
def test_an_accepted_document_that_is_nowhere_is_lost(case: Case, kind: Kind) -> None:
    case.never_arrives("k1-2")
    case.entries = [one for one in case.entries if one.document != "k1-2"]
    assert case.found(kind) == [("lost", "k1-2")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_was_given_up_is_lost(case: Case, kind: Kind) -> None:
    case.never_arrives("k1-2")
    case.change_entry("k1-2", state="expired", attempts=())
    assert case.found(kind) == [("lost", "k1-2")]


@pytest.mark.parametrize("kind", KINDS)
def test_delivered_and_never_done_is_found_in_the_entry_and_in_the_attempt(case: Case, kind: Kind) -> None:
    case.never_arrives("k2-3")
    assert case.found(kind) == [("unexplained", "k2-3"), ("unexplained", "k2-3")]


def test_what_the_partner_refused_is_not_lost(case: Case) -> None:
    case.receptions = [
        case.reception("k1-3", applied=False, answer="refused") if one.document == "k1-3" else one
        for one in case.receptions
    ]
    case.change_entry("k1-3", state="refused", attempts=(Attempt(1, "x-k1-3-1", "first", "Refused"),))
    assert case.found() == []


def test_a_swapped_pair_is_out_of_order(case: Case) -> None:
    places = {one.document: place for place, one in enumerate(case.receptions)}
    one, other = places["k1-2"], places["k1-3"]
    case.receptions[one], case.receptions[other] = case.receptions[other], case.receptions[one]
    assert case.found() == [("out of order", "k1-3")]
    assert case.found("keeps-none") == []


def test_keys_and_streams_do_not_wait_for_each_other(case: Case) -> None:
    case.receptions.sort(key=lambda one: one.key)
    assert case.found() == []
    case.receipts = [dataclasses.replace(one, stream=str(one.number)) for one in case.receipts]
    case.receptions.reverse()
    assert case.found() == []


def test_a_late_repeat_that_the_partner_recognised_is_in_order(case: Case) -> None:
    case.sent_twice("k1-1", decision="in doubt, and the partner keeps our id", applied=False)
    assert case.found() == []


def test_done_twice_is_found_where_the_partner_keeps_our_id(case: Case) -> None:
    case.sent_twice("k1-1", decision="in doubt, and the partner keeps our id", applied=True)
    assert ("applied twice", "k1-1") in case.found()


def test_done_twice_after_a_recorded_act_is_only_counted_where_it_keeps_none(case: Case) -> None:
    case.sent_twice("k1-1", decision="by hand", applied=True)
    verdict = case.verdict("keeps-none")
    assert verdict.kept
    assert verdict.counts["done twice"] == 1
    assert verdict.counts["were in doubt"] == 1


@pytest.mark.parametrize("outcome", ["InDoubt", None])
def test_sent_again_in_doubt_without_a_decision_is_found(case: Case, outcome: str | None) -> None:
    case.sent_twice("k1-1", decision="after InDoubt", outcome=outcome, applied=False)
    assert case.found("keeps-none") == [("sent again", "k1-1")]


def test_done_twice_without_ever_being_in_doubt_is_found(case: Case) -> None:
    case.sent_twice("k1-1", decision="after Unavailable", outcome="Unavailable", applied=True)
    assert case.found("keeps-none") == [("misjudged", "k1-1"), ("unnoticed", "k1-1")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeat_without_a_reason_is_found(case: Case, kind: Kind) -> None:
    case.sent_twice("k1-1", decision="first", outcome="Unavailable", applied=False)
    case.receptions[0] = case.reception("k1-1", applied=False, answer="busy")
    assert ("undecided", "k1-1") in case.found(kind)


@pytest.mark.parametrize("state", ["waiting", "sending"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_without_an_ending_is_found(case: Case, kind: Kind, state: str) -> None:
    case.change_entry("k2-1", state=state)
    assert case.found(kind, final=False) == [("unfinished", "k2-1")]


def test_in_doubt_and_held_are_endings_only_until_people_have_settled_them(case: Case) -> None:
    case.never_arrives("k2-3")
    case.change_entry("k2-3", state="in_doubt", attempts=(Attempt(1, "x", "first", "InDoubt"),))
    assert case.found("keeps-none", final=False) == []
    assert case.found("keeps-none") == [("unfinished", "k2-3")]
    assert case.found("keeps-id", final=False) == [("unfinished", "k2-3")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_without_its_attempt_written_down_is_found(case: Case, kind: Kind) -> None:
    case.receptions.append(case.reception("k1-1", 7, applied=False))
    assert case.found(kind) == [("unwritten", "k1-1")]


@pytest.mark.parametrize("kind", KINDS)
def test_one_attempt_that_came_twice_is_found(case: Case, kind: Kind) -> None:
    case.receptions.append(case.reception("k1-1", applied=False))
    assert case.found(kind) == [("unwritten", "k1-1")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_rolled_back_must_not_be_put(case: Case, kind: Kind) -> None:
    case.receipts.append(Receipt("k1-9", "k1", "s", 9, "", undone=True))
    assert case.found(kind) == []
    case.entries.append(
        Entry("e-k1-9", "k1-9", "k1", 9, "delivered", (Attempt(1, "x-k1-9-1", "first", "Delivered"),))
    )
    case.receptions.append(case.reception("k1-9"))
    assert case.found(kind) == [("unasked", "k1-9")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_put_is_found(case: Case, kind: Kind) -> None:
    case.receptions.append(case.reception("k1-9"))
    assert ("unasked", "k1-9") in case.found(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_two_entries_of_one_document_are_found(case: Case, kind: Kind) -> None:
    case.entries.append(dataclasses.replace(case.entries[0], entry="e-other", attempts=()))
    assert case.found(kind) == [("twice put", "k1-1")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_receipt_for_another_entry_is_found(case: Case, kind: Kind) -> None:
    case.receipts[0] = dataclasses.replace(case.receipts[0], entry="e-other")
    assert case.found(kind) == [("twice put", "k1-1")]
