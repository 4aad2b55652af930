"""Rows in the order of their first value, however many: for partners that give them in another order.

So many as fit are sorted in memory; where there are more, each such run is put into a temporary file, and the runs are merged. Texts are
compared as Python does it, by code points.
"""

from __future__ import annotations

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import IO, Any, Final, TypeAlias

from bridge.partners.partner import Record, value_at

Row: TypeAlias = tuple[Any, ...]

BATCH: Final = 2000
HELD: Final = 50_000
"""Rows that are sorted in memory."""
_PART: Final = 500
"""Rows of a run that are read back at a time: while runs are merged, so many of each are held."""

_FIRST: Final = itemgetter(0)


def rows(records: Iterable[Record], fields: Sequence[str], by: str = "") -> list[Row]:
    """(id, *fields) of each record; with `by` the text of that field first, "" where it has none."""
    if not by:
        return [(one.id, *(value_at(one.values, name) for name in fields)) for one in records]
    return [
        (text_of(value_at(one.values, by)), *(value_at(one.values, name) for name in fields))
        for one in records
    ]


def text_of(key: Any) -> str:
    """A value that rows are ordered by."""
    return "" if key is None else str(key)


def in_order(
    batches: Iterable[Sequence[Row]], *, batch: int = BATCH, held: int = HELD
) -> Iterator[list[Row]]:
    """The rows by their first value, a text, in batches. Of two rows with one id both come, in the order in which they were given."""
    with tempfile.TemporaryFile() as file:
        runs: list[Iterator[Row]] = []
        last: list[Row] = []
        for some in batches:
            last.extend(some)
            if len(last) >= held:
                last.sort(key=_FIRST)
                runs.append(_read(file, _write(file, last)))
                last = []
        last.sort(key=_FIRST)
        merged = heapq.merge(*runs, last, key=_FIRST) if runs else iter(last)
        while found := list(islice(merged, batch)):
            yield found


def _write(file: IO[bytes], run: Sequence[Row]) -> list[int]:
    """Puts a run at the end of the file; where its parts stand."""
    places = []
    for start in range(0, len(run), _PART):
        places.append(file.tell())
        pickle.dump(run[start : start + _PART], file, pickle.HIGHEST_PROTOCOL)
    return places


def _read(file: IO[bytes], places: Sequence[int]) -> Iterator[Row]:
    for place in places:
        file.seek(place)
        yield from pickle.load(file)  # noqa: S301 - ours, in a file that has no name
