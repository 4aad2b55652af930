"""What a mapping does to a value on its way: one `Step` after the other, each with what it takes, gives and loses.

A step is a function of one value and of what else is needed to run it fast, prove it and turn it round. Those that are shipped are in
`texts`, `numbers`, `moments` and `tables`; `converters` finds them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from bridge.mapping.shapes import Field, Kind


class Unfit(Exception):
    """A value that a step cannot take. Both texts end a sentence: "expected …", "so …"."""

    def __init__(self, expected: str, advice: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a value before there is one. None and () are "not known", or "any".

    `certain`: there is a value, whenever there is the object around it.
    """

    kind: Kind = "any"
    many: bool = False
    certain: bool = False
    one_of: tuple[str, ...] = ()
    shortest: int | None = None
    longest: int | None = None
    digits: int | None = None
    fraction: int | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    zone: str = ""

    @classmethod
    def of(cls, found: Field, *, many: bool, certain: bool) -> Facts:
        return cls(
            kind=found.kind,
            many=many,
            certain=certain,
            one_of=found.one_of,
            shortest=found.shortest,
            longest=found.longest,
            digits=found.digits,
            fraction=0 if found.kind == "integer" else found.fraction,
            least=found.least,
            most=found.most,
            zone=found.zone,
        )

    def plain(self, kind: Kind | None = None) -> Facts:
        """The same with nothing known but the kind."""
        return Facts(kind=kind or self.kind, many=self.many, certain=self.certain)


Change = Callable[[Facts], Facts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    Args:
        says: for people, in the words of the file: `cut 40`.
        run: the value, then those at `reads`. Raises Unfit.
        takes: kinds that it takes; none: all.
        gives: the kind that comes out; None: the one that went in.
        whole: a list is taken whole; other steps are done to each of its elements.
        listed: a list comes out.
        reads: paths of further fields.
        code: the same as `run` where all is well, as an expression over `{v}` with `names`; "" calls `run`.
        facts: what is known of the value afterwards; None: nothing but the kind.
        back: the step that turns this one round; None: nothing does.
        cleans: turned round it does nothing, as what was cleaned away was no information.
        needs: the values that it knows, where it takes no others.
    """

    name: str
    says: str
    run: Callable[..., Any]
    takes: tuple[Kind, ...] = ()
    gives: Kind | None = None
    whole: bool = False
    listed: bool = False
    reads: tuple[str, ...] = ()
    code: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)
    facts: Change | None = None
    back: Callable[[], Step] | None = None
    cleans: bool = False
    needs: frozenset[str] | None = None

    def after(self, before: Facts) -> Facts:
        """What is known of the value when this is done."""
        known = before.plain(self.gives) if self.facts is None else self.facts(before)
        if self.gives is not None and known.kind != self.gives:
            known = replace(known, kind=self.gives)
        if self.whole or self.listed:
            known = replace(known, many=self.listed)
        return known


TEXT: Final[tuple[Kind, ...]] = ("text",)
NUMBER: Final[tuple[Kind, ...]] = ("decimal", "integer")


def text(value: Any) -> str:
    """The value, which must be a text."""
    if not isinstance(value, str):
        raise Unfit("a text", "write `text` as the step before where a number is meant to become one")
    return value


def number(value: Any) -> Decimal | int:
    """The value, which must be a number, and no float."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Unfit("a number", "write `number` as the step before where it comes as a text")


def single(value: Any) -> Any:
    """The value, which must be one, and no list or object."""
    if isinstance(value, list | tuple | dict):
        raise Unfit("one value", "`first`, `join` or `sum` makes one of a list")
    return value


def option(given: Any, kind: type | tuple[type, ...], form: str) -> Any:
    """What a step was given, of the right type.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
        raise ValueError(f"must be {form}, not {given!r}")
    return given


def options(given: Any, known: Mapping[str, type | tuple[type, ...]], form: str) -> dict[str, Any]:
    """A table of options, of which none is unknown and each is of its type.

    Raises:
        ValueError: with what is wrong, and `form` as it should be.
    """
    if not isinstance(given, dict):
        raise ValueError(f"must be like {form}, not {given!r}")
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"has no {name}; there are {', '.join(known)}")
        if not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
            raise ValueError(f"{name} cannot be {value!r}: it must be like {form}")
    return given
