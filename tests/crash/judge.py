"""Whether what was promised was kept. Pure: receipts, the partner's log and the outbox give violations and counts.

For every kind of partner:

    lost        accepted, and never done by the partner (nor refused by it)
    unfinished  the entry has no ending, though everybody had time to give it one
    twice put   one document has two entries
    unasked     done by the partner, and nobody put it there: undone before the commit, or never accepted
    unwritten   a request reached the partner without an attempt written down before, or twice under one attempt
    misjudged   done by the partner in an attempt that the bridge takes for certainly not done
    unexplained delivered, says the bridge, and the partner never did it
    undecided   an attempt after the first one that names no reason

Where the partner keeps our id also:

    out of order    within a key and stream, n was first done after n+1, or not at all though n+1 was
    applied twice   done more than once

Where it keeps none, doing it twice cannot be ruled out. Then:

    sent again  after an attempt of which nobody knows whether it was done, without a person or the partner having said so
    unnoticed   done twice, and none of its attempts was ever in doubt
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.crash.documents import Receipt, Reception
from tests.crash.receiver import Kind

NOT_DONE: Final = frozenset({"NotSent", "Unpresentable", "Unavailable", "Unauthorised", "Refused"})
"""Outcomes after which an attempt counts as without effect."""

DONE: Final = frozenset({"Delivered", "DeliveredUnreadable"})
SETTLED: Final = frozenset({"delivered", "refused", "unreadable", "expired"})
FIRST: Final = "first"
AFTER_DOUBT: Final = ("by hand", "after NotThere")
"""How decisions begin that may send again what is in doubt: a person's, or the partner's answer that it has it not."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of the table `attempt`. Without `outcome` nobody lived to write down what became of it."""

    number: int
    exchange: str
    decision: str
    outcome: str | None

    @property
    def in_doubt(self) -> bool:
        return self.outcome is None or self.outcome == "InDoubt"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the outbox. `document` is its reference, `by_hand` the verbs of what people did to it."""

    entry: str
    document: str
    key: str
    seq: int
    state: str
    attempts: tuple[Attempt, ...] = ()
    by_hand: tuple[str, ...] = ()

    @property
    def was_in_doubt(self) -> bool:
        return any(attempt.in_doubt for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept, with what to look for in the logs."""

    kind: str
    document: str
    text: str


@dataclass
class Verdict:
    """`counts` are figures for people; only violations decide."""

    violations: list[Violation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        return not self.violations

    def found(self, kind: str, document: str, text: str) -> None:
        self.violations.append(Violation(kind, document, text))


def judge(
    receipts: Sequence[Receipt],
    receptions: Sequence[Reception],
    entries: Sequence[Entry],
    *,
    kind: Kind,
    final: bool = True,
) -> Verdict:
    """Look at everything.

    Args:
        receptions: in the order in which the partner handled them.
        final: people have settled what was in doubt; else in doubt and held are endings, for a partner that keeps no id.
    """
    case = _Case(receipts, receptions, entries, kind)
    verdict = Verdict()
    _whether_all_arrived(case, verdict)
    _whether_all_ended(case, verdict, open_by_design=not final and kind == "keeps-none")
    _whether_only_what_was_put(case, verdict)
    _attempts(case, verdict)
    if kind == "keeps-id":
        _order(case, verdict)
        for document, times in case.applied.items():
            if times > 1:
                verdict.found("applied twice", document, f"{times} times")
    else:
        _doubts(case, verdict)
    verdict.counts = _counts(case)
    return verdict


class _Case:
    """The evidence, by what it is looked up by."""

    def __init__(
        self,
        receipts: Sequence[Receipt],
        receptions: Sequence[Reception],
        entries: Sequence[Entry],
        kind: Kind,
    ) -> None:
        self.kind = kind
        self.receipts = {receipt.document: receipt for receipt in receipts}
        self.receptions = receptions
        self.entries = entries
        self.accepted = {name for name, receipt in self.receipts.items() if not receipt.undone}
        self.of_document: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self.of_document[entry.document].append(entry)
        self.applied = Counter(one.document for one in receptions if one.applied)
        self.refused = {one.document for one in receptions if one.answer == "refused"}


def _whether_all_arrived(case: _Case, verdict: Verdict) -> None:
    for name in sorted(case.accepted - case.applied.keys() - case.refused):
        entries = case.of_document.get(name, [])
        if not entries:
            verdict.found("lost", name, f"accepted as {case.receipts[name].entry}, and not in the outbox")
        elif any(entry.state == "delivered" for entry in entries):
            verdict.found(
                "unexplained", name, f"{entries[0].entry} counts as delivered, the partner never did it"
            )
        elif all(entry.state in SETTLED for entry in entries):
            verdict.found(
                "lost", name, f"{entries[0].entry} ended as {entries[0].state}, the partner never did it"
            )
        # else it is still open, which `_whether_all_ended` judges


def _whether_all_ended(case: _Case, verdict: Verdict, *, open_by_design: bool) -> None:
    design = {"in_doubt", "held"} if open_by_design else set()
    for entry in case.entries:
        if entry.state not in SETTLED and entry.state not in design:
            verdict.found("unfinished", entry.document, f"{entry.entry} is still {entry.state}")


def _whether_only_what_was_put(case: _Case, verdict: Verdict) -> None:
    for name, entries in case.of_document.items():
        if len(entries) > 1:
            verdict.found("twice put", name, ", ".join(entry.entry for entry in entries))
        if name in case.receipts and case.receipts[name].undone:
            verdict.found("unasked", name, f"rolled back, and {entries[0].entry} is in the outbox")
    for receipt in case.receipts.values():
        known = {entry.entry for entry in case.of_document.get(receipt.document, [])}
        if known and receipt.entry and receipt.entry not in known:
            verdict.found(
                "twice put", receipt.document, f"told as {receipt.entry}, put as {', '.join(known)}"
            )
    for name in sorted(case.applied.keys() - case.of_document.keys()):
        verdict.found("unasked", name, "done by the partner, and no entry was ever put")


def _attempts(case: _Case, verdict: Verdict) -> None:
    attempts = {
        (entry.entry, attempt.exchange): attempt for entry in case.entries for attempt in entry.attempts
    }
    seen: set[tuple[str, str]] = set()
    for one in case.receptions:
        made = (one.entry, one.exchange)
        attempt = attempts.get(made)
        if attempt is None:
            verdict.found(
                "unwritten", one.document, f"came as exchange {one.exchange}: no such attempt of {one.entry}"
            )
        elif made in seen:
            verdict.found("unwritten", one.document, f"exchange {one.exchange} came twice")
        elif one.applied and attempt.outcome in NOT_DONE:
            verdict.found(
                "misjudged",
                one.document,
                f"done in exchange {one.exchange}, which counts as {attempt.outcome}",
            )
        seen.add(made)
    for entry in case.entries:
        for attempt in entry.attempts:
            if attempt.number > 1 and attempt.decision in ("", FIRST):
                verdict.found("undecided", entry.document, f"attempt {attempt.number} of {entry.entry}")
            if attempt.outcome in DONE and (entry.entry, attempt.exchange) not in seen:
                verdict.found(
                    "unexplained",
                    entry.document,
                    f"{attempt.outcome} in exchange {attempt.exchange}, which never came",
                )


def _order(case: _Case, verdict: Verdict) -> None:
    """First applications only: a late repeat is recognised by its id."""
    first: dict[str, int] = {}
    for place, one in enumerate(case.receptions):
        if one.applied:
            first.setdefault(one.document, place)
    for (key, stream), receipts in _streams(case).items():
        behind = -1
        for receipt in receipts:
            place = first.get(receipt.document)
            if place is None:
                continue  # lost, refused or unfinished: said elsewhere
            if place < behind:
                verdict.found(
                    "out of order",
                    receipt.document,
                    f"number {receipt.number} of {key}/{stream} came after a later one",
                )
            behind = max(behind, place)


def _streams(case: _Case) -> dict[tuple[str, str], list[Receipt]]:
    streams: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
    for name in case.accepted:
        receipt = case.receipts[name]
        streams[receipt.key, receipt.stream].append(receipt)
    return {of: sorted(receipts, key=lambda one: one.number) for of, receipts in streams.items()}


def _doubts(case: _Case, verdict: Verdict) -> None:
    for entry in case.entries:
        for before, after in zip(entry.attempts, entry.attempts[1:], strict=False):
            if before.in_doubt and not after.decision.startswith(AFTER_DOUBT):
                verdict.found(
                    "sent again",
                    entry.document,
                    f"attempt {after.number} of {entry.entry} because of {after.decision!r}, {before.number} being in doubt",
                )
        if case.applied[entry.document] > 1 and not entry.was_in_doubt:
            verdict.found(
                "unnoticed", entry.document, f"done {case.applied[entry.document]} times, never in doubt"
            )


def _counts(case: _Case) -> dict[str, int]:
    states = Counter(entry.state for entry in case.entries)
    return {
        "accepted": len(case.accepted),
        "undone": len(case.receipts) - len(case.accepted),
        "received": len(case.receptions),
        "attempts": sum(len(entry.attempts) for entry in case.entries),
        "were in doubt": _sum(entry.was_in_doubt for entry in case.entries),
        "done twice": _sum(times > 1 for times in case.applied.values()),
        "by hand": _sum(bool(entry.by_hand) for entry in case.entries),
        **{f"entries {state}": count for state, count in sorted(states.items())},
        **{
            f"answers {answer}": count
            for answer, count in sorted(Counter(one.answer for one in case.receptions).items())
        },
    }


def _sum(facts: Iterable[bool]) -> int:
    return sum(facts)
