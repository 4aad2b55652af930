"""Two sides, each in the order of a key, held against each other in bounded memory. Pure.

Rows come as (key, *values), where the key is the record's id, or as (key, *values, id); the values in the same order on both sides. What is
found has them as (key, id, *values). Where both sides are the same, whole batches are compared at once; only around a difference rows are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Kind = Literal["missing", "extra", "fields", "duplicate"]
"""missing: the source has it, the target does not. extra: the other way round. fields: both have it, and not the same values.
duplicate: one side has it twice, as records of their own."""

VALUES = 2
"""Where in a row of what is found the values begin."""


class Found(NamedTuple):
    """A difference: the rows of each side with this key, and what of their values is not the same (by position)."""

    kind: Kind
    key: str
    source: tuple[Row, ...]
    target: tuple[Row, ...]
    fields: tuple[int, ...] = ()


class Counts:
    """Rows seen of each side, while they are compared."""

    def __init__(self) -> None:
        self.source = 0
        self.target = 0


Same = Callable[[Any, Any], bool]


class OutOfOrder(ValueError):
    """A side did not come in the order of its keys."""


def plain_same(one: Any, other: Any) -> bool:
    """Whether two values say the same: absent and empty do, and so do texts that differ in spaces at their end, which
    columns of fixed length add."""
    if one == other:
        return True
    if one in (None, "") or other in (None, ""):
        return _blank(one) and _blank(other)
    return isinstance(one, str) and isinstance(other, str) and one.rstrip() == other.rstrip()


def within(tolerance: Decimal) -> Same:
    """The same for amounts that may differ by so much."""

    def same(one: Any, other: Any) -> bool:
        if _is_number(one) and _is_number(other):
            return abs(Decimal(one) - Decimal(other)) <= tolerance
        return plain_same(one, other)

    return same


def translated(
    batches: Iterable[list[Row]], tables: Mapping[int, Mapping[Any, Any]], *, values_at: int = 1
) -> Iterator[list[Row]]:
    """The rows with values of the target's own words; what a table does not have stays as it is, and is a difference.

    Args:
        values_at: where in a row the values begin.
    """
    places = [(place + values_at, table) for place, table in tables.items()]
    for batch in batches:
        rows = []
        for row in batch:
            values = list(row)
            for place, table in places:
                values[place] = table.get(values[place], values[place])
            rows.append(tuple(values))
        yield rows


def differences(
    source: Iterable[list[Row]],
    target: Iterable[list[Row]],
    same: Sequence[Same],
    counts: Counts,
    *,
    with_ids: tuple[bool, bool] = (False, False),
) -> Iterator[Found]:
    """Every key of which the two sides do not hold the same, in their order.

    Args:
        same: says of each value in turn whether two are the same.
        counts: counts the rows as they go by.
        with_ids: whether the rows of the source, and those of the target, have an id at their end.

    Raises:
        OutOfOrder: a side's keys go back.
    """
    left, right = _Side(source, "source", with_ids[0]), _Side(target, "target", with_ids[1])
    while True:
        alike = left.skip_alike(right)
        counts.source += alike
        counts.target += alike
        here, there = left.head, right.head
        ours: tuple[Row, ...] = ()
        theirs: tuple[Row, ...] = ()
        if here is None and there is None:
            return
        if there is None or (here is not None and here < there):
            ours = left.take_key()
        elif here is None or there < here:
            theirs = right.take_key()
        else:
            ours, theirs = left.take_key(), right.take_key()
        counts.source += len(ours)
        counts.target += len(theirs)
        found = _judge(ours, theirs, same)
        if found is not None:
            yield found


def _judge(ours: tuple[Row, ...], theirs: tuple[Row, ...], same: Sequence[Same]) -> Found | None:
    key = (ours or theirs)[0][0]
    if len(ours) > 1 or len(theirs) > 1:
        return Found("duplicate", key, ours, theirs)
    if not theirs:
        return Found("missing", key, ours, theirs)
    if not ours:
        return Found("extra", key, ours, theirs)
    unlike = unequal(ours[0], theirs[0], same)
    return Found("fields", key, ours, theirs, unlike) if unlike else None


def unequal(ours: Row, theirs: Row, same: Sequence[Same]) -> tuple[int, ...]:
    """Which values of two rows (key, id, *values) are not the same, by position."""
    pairs = zip(same, ours[VALUES:], theirs[VALUES:], strict=True)
    return tuple(place for place, (alike, one, other) in enumerate(pairs) if not alike(one, other))


class _Side:
    """One side's rows, batch by batch; at most two batches are held, and the rows of one key."""

    def __init__(self, batches: Iterable[list[Row]], name: str, with_ids: bool) -> None:
        self._batches = iter(batches)
        self._with_ids = with_ids
        self._rows: list[Row] = []
        self._ids: list[Any] = []
        self._at = 0
        self._name = name
        self._last: str | None = None

    @property
    def head(self) -> str | None:
        """The next row's key; None at the end."""
        return self._rows[self._at][0] if self._fill() else None

    def skip_alike(self, other: _Side) -> int:
        """Pass over as many rows as both sides have alike from here on; how many those were. The last of a batch stays, since the
        first of the next may have its key."""
        skipped = 0
        while self._fill() and other._fill():
            length = min(len(self._rows) - self._at, len(other._rows) - other._at) - 1
            alike = _alike(self._rows, self._at, other._rows, other._at, length)
            self._at += alike
            other._at += alike
            skipped += alike
            if alike < length or alike == 0:
                return skipped
        return skipped

    def take_key(self) -> tuple[Row, ...]:
        """The rows with the next row's key; of a record that was read twice, as its page moved meanwhile, what was read last."""
        key = self.head
        taken: dict[str, Row] = {}
        while self.head == key:
            row = self._rows[self._at]
            id_ = str(self._ids[self._at]) if self._with_ids else row[0]
            taken[id_] = (row[0], id_, *row[1:])
            self._at += 1
        return tuple(taken.values())

    def _fill(self) -> bool:
        """Whether there is a row at hand, read if need be."""
        while self._at >= len(self._rows):
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._check(batch)
            self._at = 0
            if self._with_ids:
                # Apart: ids that each side gives its own would make every row another.
                self._ids = [row[-1] for row in batch]
                self._rows = [row[:-1] for row in batch]
            else:
                self._rows = batch
        return True

    def _check(self, batch: list[Row]) -> None:
        keys = [row[0] for row in batch]
        if self._last is not None:
            keys.insert(0, self._last)
        if keys != sorted(keys):
            before, after = next((one, other) for one, other in pairwise(keys) if other < one)
            raise OutOfOrder(
                f"The {self._name} does not come in the order of its ids: {after!r} after {before!r}"[:300]
            )
        self._last = keys[-1] if keys else self._last


def _alike(ours: list[Row], at: int, theirs: list[Row], there: int, length: int) -> int:
    """How many rows from here on are equal and have keys of their own; found by halves, compared in C."""
    if length <= 0:
        return 0
    if ours[at : at + length] == theirs[there : there + length]:
        return min(_single(ours, at, length), _single(theirs, there, length))
    half = length // 2
    if half == 0:
        return 0
    alike = _alike(ours, at, theirs, there, half)
    if alike < half:
        return alike
    return half + _alike(ours, at + half, theirs, there + half, length - half)


def _single(rows: list[Row], at: int, length: int) -> int:
    """How many of so many rows from here on have a key that the row after does not have."""
    keys = [row[0] for row in rows[at : at + length + 1]]
    if len(set(keys)) == len(keys):
        return length
    return next(number for number, (one, other) in enumerate(pairwise(keys)) if one == other)


def _blank(value: Any) -> bool:
    return value is None or value == ""


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool)
