"""Story 4: whether two partners hold the same figures, and which records differ, why, and what mends it.

    settle     deliveries in doubt: the target is asked by looking whether it has the record as it was sent
    total      counts, and sums by currency, as each side works them out itself
    compare    keys, then fields: both sides in the order of their keys, in bounded memory (`compare`)
    look again each candidate is read once more on both sides: what was changed while we read is no difference
    explain    the last delivery of it, the times of change on both sides give the cause (`causes`)
    keep       differences with what differs, in the store; the report is made of them

What mends a difference is a message of its source record as it is when a person says so (`repair`), sent like any other.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from bridge.errors import BridgeError, HandlerError
from bridge.partners.json_text import dump
from bridge.partners.partner import Query, Record, Totals, value_at
from bridge.partners.sorting import text_of
from bridge.reconciliation.causes import Cause, Facts, cause_of
from bridge.reconciliation.compare import (
    VALUES,
    Counts,
    Found,
    Kind,
    OutOfOrder,
    Row,
    differences,
    translated,
    unequal,
)
from bridge.reconciliation.rule import Rule, Side
from bridge.store import Store
from bridge.store import differences as rows
from bridge.store.differences import LastDelivery, NewDifference, Outcome

log = logging.getLogger(__name__)

BATCH = 50
"""Candidates that are looked at again, and kept, at a time: no partner is asked for more values of a field at once."""


@dataclass(slots=True)
class Figures:
    """What a run has found out, in numbers. Sums are by "field currency", source and target."""

    source: int = 0
    target: int = 0
    totals: tuple[int, int] | None = None
    sums: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    causes: Counter[str] = field(default_factory=Counter)
    passing: int = 0
    unkept: int = 0
    settled: int = 0

    @property
    def found(self) -> int:
        return sum(self.causes.values())

    @property
    def differing_sums(self) -> dict[str, tuple[Decimal, Decimal]]:
        return {name: pair for name, pair in self.sums.items() if pair[0] != pair[1]}

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "target": self.target,
            "totals": self.totals,
            "sums": {name: [str(one), str(other)] for name, (one, other) in self.sums.items()},
            "causes": dict(self.causes),
            "passing": self.passing,
            "unkept": self.unkept,
            "settled": self.settled,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a run."""

    run: int
    rule: str
    outcome: Outcome
    reason: str | None
    figures: Figures


Progress = Callable[[int], object]
"""Told now and then how many records of the source have gone by."""


class Run:
    """One run of one rule.

    Args:
        settle: ends deliveries in doubt for the rule's target; how many it has ended.
        now: the moment of the run.
    """

    def __init__(
        self, store: Store, rule: Rule, *, settle: Callable[[Rule], int], now: datetime | None = None
    ) -> None:
        self._store = store
        self._rule = rule
        self._settle = settle
        self._now = now or datetime.now(UTC)
        self.figures = Figures()

    def __call__(self, progress: Progress = lambda _: None) -> Ended:
        """Run it. What fails is written down and raised."""
        rule = self._rule
        first, before = rule.window(self._now.date())
        window = (None, None) if first is None else (str(first), str(self._now.date()))
        with self._store.transaction() as transaction:
            run = rows.begin(transaction.session, rule.name, rule.source.name, rule.target.name, window)
        try:
            if rule.settle:
                self.figures.settled = self._settle(rule)
            self._total(first, before)
            self._compare(run, first, before, progress)
        except BaseException as error:
            told = str(error) if isinstance(error, BridgeError | OutOfOrder) else type(error).__name__
            self._end(run, "failed", told)
            raise
        figures = self.figures
        # What is on its way is counted by one side only.
        same = not figures.found and (not figures.differing_sums or figures.passing > 0)
        return self._end(run, "same" if same else "different", None)

    def _end(self, run: int, outcome: Outcome, reason: str | None) -> Ended:
        with self._store.transaction() as transaction:
            rows.end(transaction.session, run, outcome, reason, self.figures.as_json())
        return Ended(run=run, rule=self._rule.name, outcome=outcome, reason=reason, figures=self.figures)

    # -- total

    def _total(self, first: date | None, before: date | None) -> None:
        rule = self._rule
        ours, theirs = rule.sums()
        source = rule.source.partner.totals(rule.source.entity.name, rule.source.query(first, before), ours)
        target = rule.target.partner.totals(rule.target.entity.name, rule.target.query(first, before), theirs)
        self.figures.totals = (source.count, target.count)
        for one, other in rule.amounts:
            for currency in sorted({*_currencies(source, one), *_currencies(target, other)}):
                pair = (
                    source.sums.get((one, currency), Decimal()),
                    target.sums.get((other, currency), Decimal()),
                )
                self.figures.sums[f"{one} {currency}".strip()] = pair

    # -- compare

    def _compare(self, run: int, first: date | None, before: date | None, progress: Progress) -> None:
        rule, counts = self._rule, Counts()
        source = _counted(_rows(rule.source, first, before), progress)
        if rule.translate:
            source = translated(source, rule.translate)
        with_ids = (not rule.source.by_id, not rule.target.by_id)
        found = differences(source, _rows(rule.target, first, before), rule.same, counts, with_ids=with_ids)
        while candidates := list(islice(found, BATCH)):
            self._keep(run, self._again(candidates))
        self.figures.source, self.figures.target = counts.source, counts.target

    # -- look again

    def _again(self, candidates: Sequence[Found]) -> Iterator[tuple[Found, Record | None, Record | None]]:
        """The candidates that still differ when both sides are read once more, with the records."""
        rule = self._rule
        ours = _read_again(rule.source, candidates)
        theirs = _read_again(rule.target, candidates)
        for candidate in candidates:
            if candidate.kind == "duplicate":
                yield candidate, None, None
                continue
            found = self._judge(candidate, ours, theirs)
            if found is None:
                self.figures.passing += 1
            else:
                yield found, _of(ours, candidate), _of(theirs, candidate)

    def _judge(
        self,
        candidate: Found,
        ours: Mapping[str, Record] | None,
        theirs: Mapping[str, Record] | None,
    ) -> Found | None:
        """The difference as it is now; None where there is none any more."""
        source = _row_again(self._rule.source, candidate.key, candidate.source, ours)
        target = _row_again(self._rule.target, candidate.key, candidate.target, theirs)
        if source is not None and ours is not None and self._rule.translate:
            source = next(translated([[source]], self._rule.translate, values_at=VALUES))[0]
        if source is None and target is None:
            return None
        if target is None or source is None:
            kind: Kind = "missing" if target is None else "extra"
            return Found(
                kind, candidate.key, () if source is None else (source,), () if target is None else (target,)
            )
        unlike = unequal(source, target, self._rule.same)
        return Found("fields", candidate.key, (source,), (target,), unlike) if unlike else None

    # -- explain, keep

    def _keep(self, run: int, found: Iterable[tuple[Found, Record | None, Record | None]]) -> None:
        differing = list(found)
        with self._store.reading() as session:
            keys = [key for one, _, _ in differing for key in self._ordering_keys(one)]
            last = rows.last_deliveries(session, self._rule.writer.name, keys) if keys else {}
        new = []
        for one, source, target in differing:
            delivery = next((last[key] for key in self._ordering_keys(one) if key in last), None)
            cause = self._cause(one, source, target, delivery)
            if cause == "on the way":
                self.figures.passing += 1
                continue
            self.figures.causes[cause] += 1
            if self.figures.found > self._rule.most:
                self.figures.unkept += 1
                continue
            new.append(self._row(one, cause, delivery))
        if new:
            with self._store.transaction() as transaction:
                rows.put(transaction.session, run, new)

    def _ordering_keys(self, found: Found) -> tuple[str, str]:
        """By which deliveries of a record are kept in order: as flows do it, and as who sends by hand mostly does."""
        source_id = str(found.source[0][1]) if found.source else found.key
        return self._rule.ordering_key(source_id), source_id

    def _cause(
        self, found: Found, source: Record | None, target: Record | None, last: LastDelivery | None
    ) -> Cause:
        changed = None if source is None else source.changed_at
        return cause_of(
            Facts(
                kind=found.kind,
                delivery=None if last is None else last.state,
                settled_at=None if last is None else last.settled_at,
                source_changed_at=changed,
                target_changed_at=None if target is None else target.changed_at,
                recent=changed is not None and changed > self._now - self._rule.grace,
                unmappable=source is not None and not self._maps(source),
            )
        )

    def _maps(self, record: Record) -> bool:
        if self._rule.mapping is None:
            return True
        try:
            self._rule.mapping(record.values)
        except BridgeError:
            return False
        return True

    def _row(self, found: Found, cause: Cause, last: LastDelivery | None) -> NewDifference:
        rule = self._rule
        differing = [
            {"source": rule.source.fields[place], "target": rule.target.fields[place]}
            for place in found.fields
        ]
        content = {
            "differing": differing,
            "source": [_shown(rule.source, row) for row in found.source],
            "target": [_shown(rule.target, row) for row in found.target],
            "exchange": None if last is None else last.exchange_id,
            "reason": None if last is None else last.reason,
        }
        return NewDifference(
            kind=found.kind,
            cause=cause,
            record_key=found.key,
            source_id=found.source[0][1] if found.source else None,
            target_id=found.target[0][1] if found.target else None,
            delivery=None if last is None else last.entry_id,
            content=dump(content),
        )


def _rows(side: Side, first: date | None, before: date | None) -> Iterator[list[Row]]:
    """(id, *values) of everything in the window in the order of the id, or (key, *values, id) in that of the key."""
    query = side.query(first, before)
    if side.by_id:
        return side.partner.scan(side.entity.name, side.fields, query)
    fields = (*side.fields, side.entity.id)
    return side.partner.scan(side.entity.name, fields, dataclasses.replace(query, by=side.key))


def _counted(batches: Iterator[list[Row]], progress: Progress) -> Iterator[list[Row]]:
    seen = 0
    for batch in batches:
        seen += len(batch)
        progress(seen)
        yield batch


def _read_again(side: Side, candidates: Sequence[Found]) -> dict[str, Record] | None:
    """Today's records by key; None where the partner cannot be asked for single ones."""
    query = side.asking_for((one.key for one in candidates), limit=BATCH)
    if query is None:
        return {}
    try:
        return {
            record.id if side.by_id else text_of(value_at(record.values, side.key)): record
            for record in _fetch(side, query)
        }
    except HandlerError:
        return None


def _fetch(side: Side, query: Query) -> Iterator[Record]:
    while True:
        page = side.partner.fetch(side.entity.name, query)
        yield from (record for record in page.records if not record.deleted)
        if page.next is None:
            return
        query = dataclasses.replace(query, after=page.next)


def _row_again(side: Side, key: str, seen: tuple[Row, ...], now: Mapping[str, Record] | None) -> Row | None:
    if now is None or not key:  # of records without a key one cannot be asked for
        return seen[0] if seen else None
    record = now.get(key)
    return (
        None if record is None else (key, record.id, *(value_at(record.values, name) for name in side.fields))
    )


def _of(records: Mapping[str, Record] | None, found: Found) -> Record | None:
    return None if records is None else records.get(found.key)


def _shown(side: Side, row: Row) -> dict[str, Any]:
    return {"id": row[1], **dict(zip(side.fields, row[VALUES:], strict=True))}


def _currencies(totals: Totals, amount: str) -> set[str]:
    return {currency for name, currency in totals.sums if name == amount}
