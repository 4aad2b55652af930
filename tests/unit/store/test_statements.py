from __future__ import annotations

from typing import NamedTuple

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, select

from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

table = Table(
    "t", MetaData(), Column("id", Integer, primary_key=True), Column("a", Integer), Column("b", Integer)
)


class Row(NamedTuple):
    a: int
    b: int


class Swapped(NamedTuple):
    b: int
    a: int


def test_a_statement_has_the_marks_of_each_driver() -> None:
    statement = insertion(table, Row, returning=table.c.id, unless_there=("a",))
    assert "VALUES (?, ?) ON CONFLICT (a) DO NOTHING RETURNING id" in statement.text("sqlite")
    assert "(%s, %s) ON CONFLICT (a) DO NOTHING RETURNING t.id" in statement.text("postgresql").replace(
        "::INTEGER", ""
    )


def test_a_row_whose_fields_stand_in_another_order_than_the_columns_is_refused() -> None:
    with pytest.raises(AssertionError, match="parameters are bound as"):
        insertion(table, Swapped).text("sqlite")
    with pytest.raises(AssertionError):
        Prepared(select(table).where(table.c.a == bindparam("x")), "y").text("sqlite")


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (2, [4]), (65, [256]), (1025, [1024, 1])])
def test_any_number_of_keys_takes_a_handful_of_texts(count: int, sizes: list[int]) -> None:
    statement = ByKeys("SELECT a FROM t WHERE (a, b) IN (VALUES {keys}){lock}", width=2)
    keys = [(n, -n) for n in range(count)]
    batches = list(statement.batches("sqlite", keys))
    assert [len(parameters) // 2 for _, parameters in batches] == sizes
    assert [text.count("(?, ?)") for text, _ in batches] == sizes
    asked = {pair for _, flat in batches for pair in zip(flat[::2], flat[1::2], strict=True)}
    assert asked == set(keys)


def test_only_postgresql_is_asked_to_lock_rows() -> None:
    statement = ByKeys("SELECT a FROM t WHERE a IN (VALUES {keys}){lock}", width=1)
    assert [text for text, _ in statement.batches("postgresql", [(1,)])] == [
        "SELECT a FROM t WHERE a IN (VALUES (%s)) FOR UPDATE"
    ]
    assert [text for text, _ in statement.batches("sqlite", [(1,)])] == [
        "SELECT a FROM t WHERE a IN (VALUES (?))"
    ]


@pytest.mark.parametrize("microseconds", [0, 1, 1_700_000_000_123_457, -1])
def test_moments_are_stored_to_the_microsecond(microseconds: int) -> None:
    assert stored(moment(microseconds)) == microseconds
