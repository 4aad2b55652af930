"""Steps by tables: one value for another, one unit or currency for another.

A lookup's rows are in the mapping, in a CSV file beside it, or with a partner; the last are handed in by whoever loads the mapping.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bridge.mapping.numbers import EXACT, as_decimal, multiplied
from bridge.mapping.shapes import Kind
from bridge.mapping.steps import NUMBER, Facts, Step, Unfit, number, option, options, single


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows that a partner has: two fields of an entity."""

    partner: str
    entity: str
    source: str
    target: str


Rows = Callable[[Asked], Iterable[tuple[Any, Any]]]
"""Reads them, when a mapping is loaded. May raise what it wants: `load` tells it with the lookup's line."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """`rows` from the value as a text; `otherwise` for what is not in it, None: that is a mistake."""

    name: str
    rows: Mapping[str, Any]
    otherwise: Any
    place: str


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit of a currency is worth in `base`."""

    name: str
    base: str
    per_unit: Mapping[str, Decimal]
    place: str

    def of(self, currency: Any) -> Decimal:
        """
        Raises:
            Unfit: there is no rate.
        """
        found = self.per_unit.get(currency) if isinstance(currency, str) else None
        if found is None:
            raise Unfit(
                f"a currency of the rates {self.name}: {', '.join(self.per_unit)}; {currency!r} is none",
                f"add its rate at {self.place}, or correct the currency in the record",
            )
        return found


def read_csv(file: Path, source: str, target: str) -> list[tuple[str, str]]:
    """Two columns of a CSV file with a head, UTF-8, separated by comma or semicolon.

    Raises:
        ValueError: it cannot be read, or a column is missing.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read ({type(error).__name__})") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ",")
    columns = list(reader.fieldnames or ())
    for wanted in (source, target):
        if wanted not in columns:
            raise ValueError(f"{file} has no column {wanted!r}; it has {', '.join(columns) or 'none'}")
    return [((row[source] or "").strip(), (row[target] or "").strip()) for row in reader]


def rows_of(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """By the value as a text.

    Raises:
        ValueError: one value has two results.
    """
    rows: dict[str, Any] = {}
    for source, target in pairs:
        known = rows.setdefault(as_key(source), target)
        if known != target:
            raise ValueError(f"{source!r} stands twice, once as {known!r} and once as {target!r}")
    return rows


def as_key(value: Any) -> str:
    """A value as tables have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def kind_of(value: Any) -> Kind:
    """Of a value that stands in a file."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    return "integer" if isinstance(value, int) else "decimal" if isinstance(value, Decimal) else "any"


def lookup(table: Lookup) -> Step:
    """What stands beside the value in the table; turned round where no result stands twice."""
    rows, otherwise = dict(table.rows), table.otherwise
    results = list(
        dict.fromkeys(as_key(one) for one in [*rows.values(), *([] if otherwise is None else [otherwise])])
    )
    kinds = {kind_of(one) for one in rows.values()}
    turned = {as_key(target): source for source, target in rows.items()}

    def run(value: Any) -> Any:
        found = rows.get(as_key(single(value)), otherwise)
        if found is None:
            known = ", ".join(list(rows)[:12]) + (", …" if len(rows) > 12 else "")
            raise Unfit(
                f"a value of the lookup {table.name}: {known}",
                f"add a row for it at {table.place}, give the lookup an `otherwise`, or correct the record",
            )
        return found

    def facts(before: Facts) -> Facts:
        known = [
            as_key(rows.get(one, otherwise)) for one in before.one_of if one in rows or otherwise is not None
        ]
        values = tuple(dict.fromkeys(known)) if before.one_of else tuple(results)
        lengths = [len(one) for one in values] or [0]
        return replace(
            before.plain(next(iter(kinds)) if len(kinds) == 1 else "any"),
            one_of=values,
            shortest=min(lengths),
            longest=max(lengths),
        )

    return Step(
        name="lookup",
        says=f"lookup {table.name}",
        run=run,
        code="(lookup_rows[{v}] if {v}.__class__ is str else lookup_run({v}))",
        names={
            "lookup_rows": rows if otherwise is None else _Otherwise(rows, otherwise),
            "lookup_run": run,
        },
        gives=next(iter(kinds)) if len(kinds) == 1 else None,
        facts=facts,
        needs=None if otherwise is not None else frozenset(rows),
        back=(
            (lambda: lookup(Lookup(f"{table.name}, turned round", turned, None, table.place)))
            if len(turned) == len(rows) and otherwise is None
            else None
        ),
    )


class _Otherwise(dict[str, Any]):
    """What is not in it gives the same."""

    def __init__(self, rows: Mapping[str, Any], otherwise: Any) -> None:
        super().__init__(rows)
        self._otherwise = otherwise

    def __missing__(self, name: Any) -> Any:
        return self._otherwise


UNITS: Final[Mapping[str, tuple[str, Decimal]]] = {
    name: (quantity, Decimal(size))
    for quantity, sizes in {
        "mass": {"mg": "0.000001", "g": "0.001", "kg": "1", "t": "1000", "lb": "0.45359237", "oz": "0.028349523125", "jin": "0.5"},
        "length": {"mm": "0.001", "cm": "0.01", "m": "1", "km": "1000", "in": "0.0254", "ft": "0.3048", "yd": "0.9144"},
        "area": {"mm2": "0.000001", "cm2": "0.0001", "m2": "1", "mu": "666.6666666666666666666667"},
        "volume": {"ml": "0.001", "cl": "0.01", "l": "1", "m3": "1000"},
        "time": {"s": "1", "min": "60", "h": "3600", "d": "86400"},
        "pieces": {"pc": "1", "pair": "2", "dozen": "12", "gross": "144"},
    }.items()
    for name, size in sizes.items()
}  # fmt: skip
"""Name → what it measures, and how much of its base unit it is. International avoirdupois pound and yard of 1959."""


def unit(given: Any, own: Mapping[str, tuple[str, Decimal]]) -> Step:
    """From one unit to another of the same quantity: `unit = "t to kg"`; turned round: the other way.

    Args:
        own: units of the mapping, as `UNITS`; they go before.
    """
    written = option(given, str, 'like "t to kg"')
    source, _, target = (part.strip() for part in written.partition(" to "))
    known = {**UNITS, **own}
    for name in (source, target):
        if name not in known:
            raise ValueError(
                f"there is no unit {name!r}; there are {', '.join(known)}; add yours under [units]"
            )
    if known[source][0] != known[target][0]:
        raise ValueError(f"{source} measures {known[source][0]}, and {target} {known[target][0]}")
    step = multiplied(EXACT.divide(known[source][1], known[target][1]), "unit", f"unit {written}")
    return replace(step, back=(lambda: unit(f"{target} to {source}", own)) if step.back is not None else None)


def currency(given: Any, rates: Mapping[str, Rates], hint: Callable[[str], str]) -> Step:
    """An amount in another currency: from the one a field names (`of`), or always the same (`from`).

    What is in the target's currency already stays as it is; the rest is rounded to `fraction` digits, half up.
    """
    form = '{ of = "currency", to = "CNY", rates = "month_end" }'
    found = options(given, {"of": str, "from": str, "to": str, "rates": str, "fraction": int}, form)
    if ("of" in found) == ("from" in found) or "to" not in found or "rates" not in found:
        raise ValueError(f"must be like {form}: of (a field) or from (a currency), to and rates")
    if found["rates"] not in rates:
        raise ValueError(f"there are no rates {found['rates']!r}{hint(found['rates'])}")
    table, target = rates[found["rates"]], found["to"]
    for fixed in (target, found.get("from", target)):
        if fixed not in table.per_unit:
            raise ValueError(f"the rates {table.name} have no {fixed}; they have {', '.join(table.per_unit)}")
    divisor = table.per_unit[target]
    fraction = found.get("fraction", 2)
    if fraction < 0:
        raise ValueError(f"must be like {form}, with fraction = 0 where the currency has no minor unit")
    smallest = Decimal(1).scaleb(-fraction)

    def run(value: Any, source: Any) -> Decimal:
        amount = Decimal(number(value))
        if source == target:
            return amount
        worth = EXACT.multiply(amount, table.of(source))
        return EXACT.divide(worth, divisor).quantize(smallest, "ROUND_HALF_UP", EXACT)

    always = found.get("from")
    return Step(
        name="currency",
        says=f"currency from {(found.get('of') and 'that in ' + found['of']) or always} to {target}, rates {table.name}, to {fraction} digits",
        run=run if always is None else lambda value: run(value, always),
        reads=(found["of"],) if always is None else (),
        takes=NUMBER,
        gives="decimal",
        facts=lambda before: replace(
            before.plain("decimal"),
            fraction=None if before.fraction is None else max(fraction, before.fraction),
        ),
    )


def rates_of(name: str, given: Any, place: str) -> Rates:
    """
    Raises:
        ValueError: with what is wrong.
    """
    form = '{ base = "CNY", per_unit = { EUR = "7.8" } }'
    found = options(given, {"base": str, "per_unit": dict}, form)
    if "base" not in found or "per_unit" not in found:
        raise ValueError(f"must be like {form}")
    per_unit = {code: as_decimal(rate, f"the rate of {code}") for code, rate in found["per_unit"].items()}
    for code, rate in per_unit.items():
        if rate <= 0:
            raise ValueError(f"the rate of {code} must be more than 0")
    return Rates(name, found["base"], {found["base"]: Decimal(1), **per_unit}, place)
