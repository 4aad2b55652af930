"""Steps over numbers, and between numbers and texts. Decimals throughout: nothing here is a float."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from bridge.mapping.shapes import Kind
from bridge.mapping.steps import NUMBER, TEXT, Facts, Step, Unfit, number, options, single

_ROUNDING: Final = {
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
    "up": decimal.ROUND_UP,
    "down": decimal.ROUND_DOWN,
}
EXACT: Final = decimal.Context(prec=60, traps=[decimal.InvalidOperation, decimal.DivisionByZero])
"""More digits than amounts have, so that only what is said to be rounded is."""


def as_decimal(given: Any, what: str) -> Decimal:
    """A number of the file, in quotes or without.

    Raises:
        ValueError: it is none.
    """
    try:
        found = (
            Decimal(given) if isinstance(given, str | int | Decimal) and not isinstance(given, bool) else None
        )
    except decimal.InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise ValueError(f'{what} must be a number: "12.5", not {given!r}')
    return found


def number_from(given: Any) -> Step:
    """A number written as a text, with this point and these separators of thousands; turned round: `number_text`."""
    form = '{ point = ",", thousands = "." }'
    found = options({} if given is True else given, {"point": str, "thousands": str}, form)
    point, thousands = found.get("point", "."), found.get("thousands", "")
    if len(point) != 1 or len(thousands) > 1 or point == thousands:
        raise ValueError(f"must be like {form}: one character each, and not the same")
    grouped = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|" if thousands else ""
    form_of = re.compile(rf"\s*([+-]?)\s*((?:{grouped}\d+)(?:{re.escape(point)}\d*)?)\s*", re.ASCII)
    example = f"-1{thousands}250{point}5"
    plain = re.compile(rf"(?:{grouped}\d+)(?:{re.escape(point)}\d*)?", re.ASCII).fullmatch
    digits = f".replace({thousands!r}, '')" if thousands else ""
    digits += f".replace({point!r}, '.')" if point != "." else ""

    def run(value: Any) -> Decimal:
        if isinstance(value, Decimal | int) and not isinstance(value, bool):
            return Decimal(value)
        match = form_of.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Unfit(f"a number like {example}")
        written = match[2].replace(thousands, "") if thousands else match[2]
        return Decimal(match[1] + written.replace(point, "."))

    return Step(
        name="number",
        says="number" if given is True else f"number like {example}",
        run=run,
        code=f"(Decimal({{v}}{digits}) if plain_number({{v}}) else misfit())",
        names={"plain_number": plain},
        takes=(*TEXT, *NUMBER),
        gives="decimal",
        facts=lambda before: before if before.kind in NUMBER else before.plain("decimal"),
        back=lambda: number_text({"point": point}),
    )


def number_text(given: Any) -> Step:
    """A number as a text; with so many digits behind the point, or with those it has."""
    form = '{ fraction = 2, point = ",", thousands = "." }'
    found = options({} if given is True else given, {"fraction": int, "point": str, "thousands": str}, form)
    fraction, point, thousands = found.get("fraction"), found.get("point", "."), found.get("thousands", "")
    if (fraction is not None and fraction < 0) or len(point) != 1 or len(thousands) > 1:
        raise ValueError(f"must be like {form}")

    def run(value: Any) -> str:
        exact = Decimal(number(value))
        if fraction is not None:
            exact = exact.quantize(Decimal(1).scaleb(-fraction), decimal.ROUND_HALF_UP, EXACT)
        written = f"{exact:,f}" if thousands else f"{exact:f}"
        return written.translate(str.maketrans({",": thousands, ".": point}))

    return Step(
        name="number_text",
        says="number_text",
        run=run,
        takes=NUMBER,
        gives="text",
        facts=lambda before: before.plain("text"),
        back=None if fraction is not None else lambda: number_from({"point": point, "thousands": thousands}),
    )


def text_from(_: Any) -> Step:
    """A number, date or boolean as a text, in XML's form."""

    def run(value: Any) -> str:
        if isinstance(single(value), bool):
            return "true" if value else "false"
        if isinstance(value, Decimal):
            return f"{value:f}"
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    return Step(name="text", says="text", run=run, gives="text", facts=_as_text)


def _as_text(before: Facts) -> Facts:
    return before if before.kind == "text" else replace(before.plain("text"), one_of=before.one_of)


def integer_from(_: Any) -> Step:
    """A whole number, from a number or a text; 12.0 is one, 12.5 is not."""

    def run(value: Any) -> int:
        try:
            exact = Decimal(value) if isinstance(value, str) else Decimal(number(value))
        except decimal.InvalidOperation:
            raise Unfit("a whole number") from None
        if not exact.is_finite() or exact != exact.to_integral_value():
            raise Unfit("a whole number", "write `round = 0` as the step before where parts may be dropped")
        return int(exact)

    def facts(before: Facts) -> Facts:
        return replace(before if before.kind in NUMBER else before.plain(), kind="integer", fraction=0)

    return Step(name="integer", says="integer", run=run, takes=(*TEXT, *NUMBER), gives="integer", facts=facts)


def factor(given: Any) -> Step:
    """Multiplied by; turned round: divided by, where that ends."""
    return multiplied(as_decimal(given, "a factor"), "factor", f"factor {given}")


def multiplied(by: Decimal, name: str, says: str) -> Step:
    """
    Raises:
        ValueError: by nothing or less.
    """
    if by <= 0:
        raise ValueError(f"must be more than 0, not {by}")
    inverse = EXACT.divide(Decimal(1), by)
    ends = EXACT.multiply(inverse, by) == 1
    behind = max(0, -int(by.as_tuple().exponent))

    def facts(before: Facts) -> Facts:
        return replace(
            before.plain("decimal"),
            fraction=None if before.fraction is None else before.fraction + behind,
            least=None if before.least is None else EXACT.multiply(before.least, by),
            most=None if before.most is None else EXACT.multiply(before.most, by),
        )

    return Step(
        name=name,
        says=says,
        run=lambda value: _plain(EXACT.multiply(Decimal(number(value)), by)),
        takes=NUMBER,
        gives="decimal",
        facts=facts,
        back=(lambda: multiplied(inverse.normalize(EXACT), name, f"turned round: {says}")) if ends else None,
    )


def _plain(value: Decimal) -> Decimal:
    """Without zeros at the end and without an exponent: 1200, not 1.2E+3 and not 1200.0000."""
    short = value.normalize(EXACT)
    return short if int(short.as_tuple().exponent) <= 0 else short.quantize(Decimal(1), context=EXACT)


def rounded(given: Any) -> Step:
    """To so many digits behind the point; half up unless `how` says otherwise."""
    form = '2 or { to = 2, how = "half_even" }'
    found = {"to": given} if isinstance(given, int) else given
    found = options(found, {"to": int, "how": str}, form)
    digits, how = found.get("to", 0), found.get("how", "half_up")
    if how not in _ROUNDING or digits < 0:
        raise ValueError(f"must be like {form}; how is one of {', '.join(_ROUNDING)}")
    unit = Decimal(1).scaleb(-digits)

    def facts(before: Facts) -> Facts:
        known = digits if before.fraction is None else min(before.fraction, digits)
        # 9.99 becomes 10.0: the bounds are rounded as values are.
        least, most = (
            None if edge is None else edge.quantize(unit, _ROUNDING[how], EXACT)
            for edge in (before.least, before.most)
        )
        return replace(before, kind="decimal", fraction=known, digits=None, one_of=(), least=least, most=most)

    return Step(
        name="round",
        says=f"round to {digits} digits, {how}",
        run=lambda value: Decimal(number(value)).quantize(unit, _ROUNDING[how], EXACT),
        takes=NUMBER,
        gives="decimal",
        facts=facts,
    )


def boolean_from(given: Any) -> Step:
    """True and false from what the other system writes for them; turned round: `boolean_text`."""
    form = '{ yes = "Y", no = "N" }'
    found = options(given, {"yes": (str, list), "no": (str, list)}, form)
    yes, no = (
        [str(one) for one in (side if isinstance(side, list) else [side])]
        for side in (found.get("yes", []), found.get("no", []))
    )
    if not yes or not no or set(yes) & set(no):
        raise ValueError(f"must be like {form}: both, and not the same")
    table = dict.fromkeys(yes, True) | dict.fromkeys(no, False)

    def run(value: Any) -> bool:
        found = value if isinstance(value, bool) else table.get(str(value))
        if found is None:
            raise Unfit(f"one of {', '.join(table)}", "add it to yes or no of this rule")
        return bool(found)

    return Step(
        name="boolean",
        says=f"boolean: {'/'.join(yes)} is true, {'/'.join(no)} is false",
        run=run,
        takes=(*TEXT, "integer", "boolean"),
        gives="boolean",
        needs=frozenset(table),
        facts=lambda before: before.plain("boolean"),
        back=lambda: boolean_text({"yes": yes[0], "no": no[0]}),
    )


def boolean_text(given: Any) -> Step:
    """What the other system writes for true and false."""
    found = options(given, {"yes": str, "no": str}, '{ yes = "Y", no = "N" }')
    yes, no = found.get("yes"), found.get("no")
    if yes is None or no is None or yes == no:
        raise ValueError('must be like { yes = "Y", no = "N" }: both, and not the same')

    def run(value: Any) -> str:
        if not isinstance(value, bool):
            raise Unfit("true or false")
        return str(yes if value else no)

    return Step(
        name="boolean_text",
        says=f"boolean_text: {yes} for true, {no} for false",
        run=run,
        code=f"({yes!r} if {{v}} is True else {no!r} if {{v}} is False else misfit())",
        takes=("boolean",),
        gives="text",
        facts=lambda before: replace(before.plain("text"), one_of=(yes, no)),
        back=lambda: boolean_from({"yes": yes, "no": no}),
    )


def _over(name: str, run: Callable[[list[Any]], Any], takes: tuple[Kind, ...] = ()) -> Callable[[Any], Step]:
    """A step over a whole list, without what is not there."""

    def make(_: Any) -> Step:
        def over(value: Any) -> Any:
            values = value if isinstance(value, list | tuple) else [value]
            return run([one for one in values if one not in (None, "")])

        gives: Kind | None = "integer" if name == "count" else "decimal" if name == "sum" else None
        return Step(
            name=name,
            says=name,
            run=over,
            takes=takes,
            gives=gives,
            whole=True,
            facts=(lambda before: before) if gives is None else None,
        )

    return make


count = _over("count", len)
total = _over("sum", lambda values: sum((Decimal(number(one)) for one in values), Decimal(0)), NUMBER)
first = _over("first", lambda values: values[0] if values else None)
last = _over("last", lambda values: values[-1] if values else None)
