"""The steps by their names in a mapping file, and functions that a user adds.

A function takes the value (a list, where the rule has several sources) and gives another; None for "there is none". It is named in the
mapping, `[functions] clean = "mycompany.cleaning:clean"`, or by an entry point of the group `soapbridge.mapping`. ValueError says that
a value cannot be taken; its text is what was expected. A function that has `back` (another function) as an attribute can be turned round.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.metadata import entry_points
from typing import Any, Final

from bridge.mapping import moments, numbers, tables, texts
from bridge.mapping.steps import Step, Unfit

GROUP: Final = "soapbridge.mapping"
"""The group of entry points that are functions for mappings."""

_STEPS: Final[Mapping[str, Callable[[Any], Step]]] = {
    "trim": texts.trim,
    "collapse": texts.collapse,
    "no_spaces": texts.no_spaces,
    "upper": texts.upper,
    "lower": texts.lower,
    "half_width": texts.half_width,
    "cut": texts.cut,
    "part_from": texts.part_from,
    "keep": texts.keep,
    "without": texts.without,
    "replace": texts.replaced,
    "prefix": texts.prefix,
    "without_prefix": texts.without_prefix,
    "pad": texts.pad,
    "unpad": texts.unpad,
    "split": texts.split,
    "join": texts.join,
    "first": numbers.first,
    "last": numbers.last,
    "count": numbers.count,
    "sum": numbers.total,
    "text": numbers.text_from,
    "number": numbers.number_from,
    "number_text": numbers.number_text,
    "integer": numbers.integer_from,
    "round": numbers.rounded,
    "factor": numbers.factor,
    "boolean": numbers.boolean_from,
    "boolean_text": numbers.boolean_text,
    "date": moments.date_from,
    "date_text": moments.date_text,
    "moment": moments.moment_from,
    "moment_text": moments.moment_text,
    "zone": moments.in_zone,
    "day": moments.day_in,
    "start_of_day": moments.start_of_day,
}
ALONE: Final = frozenset(
    "trim collapse no_spaces upper lower half_width first last count sum text number number_text integer".split()
)
"""Those that need nothing said: `do = ["trim"]`."""

NAMES: Final = (*_STEPS, "lookup", "unit", "currency", "function")


@dataclass(frozen=True, slots=True)
class Tools:
    """What steps of one mapping refer to by name."""

    lookups: Mapping[str, tables.Lookup] = field(default_factory=dict)
    rates: Mapping[str, tables.Rates] = field(default_factory=dict)
    units: Mapping[str, tuple[str, Decimal]] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def step(self, name: str, given: Any) -> Step:
        """
        Args:
            given: what stands behind its name; True where it stands alone.

        Raises:
            ValueError: there is no such step, or it cannot be what it is given.
        """
        if name not in NAMES:
            raise ValueError(f"there is no step {name!r}{nearest(name, NAMES)}")
        if given is True and name not in ALONE:
            raise ValueError(f"{name} needs to be told more: {{ {name} = … }}")
        try:
            if name == "lookup":
                return tables.lookup(self._named("lookup", given, self.lookups))
            if name == "currency":
                return tables.currency(given, self.rates, lambda said: nearest(said, self.rates))
            if name == "unit":
                return tables.unit(given, self.units)
            if name == "function":
                return self._function(given)
            return _STEPS[name](given)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None

    def _named(self, what: str, given: Any, known: Mapping[str, Any]) -> Any:
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"must name one of this file, not {given!r}{nearest(str(given), known)}")
        return known[given]

    def _function(self, given: Any) -> Step:
        if not isinstance(given, str):
            raise ValueError(f'must be the name of one: function = "clean", not {given!r}')
        found = self.functions.get(given) or _from_entry_point(given)
        if found is None:
            raise ValueError(
                f'{given!r} is not known{nearest(given, self.functions)}; write [functions] {given} = "module:name", '
                f"or install one in the group {GROUP}"
            )
        return function_step(given, found)


def function_step(name: str, function: Callable[..., Any]) -> Step:
    """A user's function as a step."""

    def run(value: Any) -> Any:
        try:
            return function(value)
        except ValueError as error:
            raise Unfit(str(error) or f"a value that the function {name} takes") from error
        except Exception as error:
            raise Unfit(
                f"a value that the function {name} takes; it failed with {type(error).__name__}: {error}",
                "correct the function, or the record",
            ) from error

    back = getattr(function, "back", None)
    return Step(
        name="function",
        says=f"function {name}",
        run=run,
        gives="any",
        whole=True,
        back=None if back is None else lambda: function_step(f"{name}, turned round", back),
    )


def imported(reference: Any) -> Callable[..., Any]:
    """The function at `module:name`.

    Raises:
        ValueError: it cannot be imported, or is no function.
    """
    module, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not module or not name:
        raise ValueError(f'must be like "module:name", not {reference!r}')
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - a module may do anything when it is imported
        raise ValueError(f"{reference} cannot be imported: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise ValueError(f"{reference} is no function")
    return found


def _from_entry_point(name: str) -> Callable[..., Any] | None:
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:  # noqa: BLE001 - a plug-in may do anything when it is imported
            raise ValueError(
                f"{name} of {point.value} cannot be imported: {type(error).__name__}: {error}"
            ) from None
        if not callable(found):
            raise ValueError(f"{name} of {point.value} is no function")
        return found  # type: ignore[no-any-return]
    return None


def nearest(name: str, real: Any) -> str:
    """`; did you mean …?`, or what there is."""
    known = [str(one) for one in real]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"
