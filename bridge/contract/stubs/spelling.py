"""How names of other modules, and of the stub itself, are written where a field or a type has the same name.

A field `date` of type xs:date, or a field `Line` of type `Line`, hides that name in the body of its class.
There, and only there, it goes by another: `_date`, `_Line`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

_VALUES = "bridge.contract.codec.values"
_XSD = "XsdDate XsdDateTime XsdDuration XsdGDay XsdGMonth XsdGMonthDay XsdGYear XsdGYearMonth XsdTime"

HOMES: Mapping[str, str] = {
    **dict.fromkeys("bool bytearray bytes dict float int list property str tuple type".split(), "builtins"),
    **dict.fromkeys(("Callable", "Mapping", "Sequence"), "collections.abc"),
    **dict.fromkeys(("date", "datetime", "time", "timedelta"), "datetime"),
    "Decimal": "decimal",
    **dict.fromkeys(
        "Any Literal Never NotRequired Protocol TypeAlias TypeVar TypedDict Unpack overload".split(), "typing"
    ),
    **dict.fromkeys(("Call", "DeclaredFault"), "bridge"),
    **dict.fromkeys(("ComplexValue", "Element", "Nil", "TypedValue", "XmlElement", *_XSD.split()), _VALUES),
    "Contract": "bridge.contract",
}
"""Where each name comes from that an annotation may use."""


class Spellings:
    """The names of one stub, and what must be imported or aliased for them. `own` are those it defines itself."""

    def __init__(self, own: Collection[str]) -> None:
        self._meanings = {name: (name, True) for name in own}
        self._imported: dict[tuple[str, str], None] = {}
        self._aliased: dict[str, str] = {}

    def beside(self, fields: Collection[str] = ()) -> Spelling:
        """The spelling inside a class with these fields; without any, that of the module's level."""
        return Spelling(self, frozenset(fields))

    def spell(self, name: str, hidden: frozenset[str], *, own: bool) -> str:
        spelt = name
        while spelt in hidden or self._meanings.get(spelt, (name, own)) != (name, own):
            spelt = f"_{spelt}"
        self._meanings[spelt] = (name, own)
        if not own:
            self._imported[name, spelt] = None
        elif spelt != name:
            self._aliased[spelt] = name
        return spelt

    def imports(self) -> list[str]:
        """The import lines, sorted; a builtin only where it goes by another name."""
        by_home: dict[str, set[str]] = {}
        for name, spelt in self._imported:
            if spelt != name:
                by_home.setdefault(HOMES[name], set()).add(f"{name} as {spelt}")
            elif HOMES[name] != "builtins":
                by_home.setdefault(HOMES[name], set()).add(name)
        return [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(by_home.items())]

    def aliases(self) -> list[tuple[str, str]]:
        """(other name, name) of the stub's own types that a field hides somewhere, sorted."""
        return sorted(self._aliased.items())


class Spelling:
    """Called with a name, says how it is written at one place."""

    def __init__(self, all_names: Spellings, hidden: frozenset[str]) -> None:
        self._all = all_names
        self._hidden = hidden

    def __call__(self, name: str, *, own: bool = False) -> str:
        return self._all.spell(name, self._hidden, own=own)
