"""A value of the codec as Python source: what a person would have typed, to be edited by one.

An instance becomes a dict wherever a dict says the same; where the type must be said (xsi:type), it is made by
`<service>.types.Name(...)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract import Contract
from bridge.contract.codec.fields import Field
from bridge.contract.codec.values import ComplexValue, Element, Lexical, Nil, TypedValue
from bridge.contract.model import ComplexType, ElementDecl
from bridge.contract.stubs import TypeNames
from bridge.contract.stubs.documentation import english

WIDTH = 100
_LONGEST_COMMENT = 70


@dataclass(frozen=True, slots=True)
class Source:
    """An expression, laid out in lines when it is long. `opening` and `closing` hold the inner lines together."""

    opening: str
    closing: str = ""
    inner: tuple[tuple[Source, str], ...] = ()
    """What stands in between, each with its comment."""
    flat: bool = field(default=True)
    """Whether it may stand on one line."""

    @property
    def on_one_line(self) -> str:
        return self.opening + ", ".join(part.on_one_line for part, _ in self.inner) + self.closing

    def lines(self, indent: str, before: str = "", behind: str = "") -> Iterator[str]:
        """Its lines; `before` and `behind` are what stands on the first and the last."""
        whole = f"{indent}{before}{self.on_one_line}{behind}"
        if not self.inner or (self.flat and len(whole) <= WIDTH):
            yield whole
            return
        yield f"{indent}{before}{self.opening}"
        for part, comment in self.inner:
            *head, last = part.lines(f"{indent}    ", behind=",")
            yield from head
            remark = f"{last}  # {comment}"
            yield remark if comment and not head and len(remark) <= WIDTH + 20 else last
        yield f"{indent}{self.closing}{behind}"


class Literals:
    """Writes values of one contract. `used` collects the names that the source needs: `Decimal`, `date`, `etree` …"""

    def __init__(self, contract: Contract, names: TypeNames, service: str) -> None:
        self._model = contract.model
        self._codec = contract.codec
        self._names = names
        self._service = service
        self.used: set[str] = set()

    def payload(self, element: str, value: Any) -> Source:
        """The value of a message, by the Clark name of its element."""
        return self._element(self._model.element(element), value)

    def _element(self, declaration: ElementDecl, value: Any) -> Source:
        if isinstance(value, Element):
            member = self._model.element(value.name)
            self.used.add("Element")
            parts = (Source(repr(value.name)), self._element(member, value.value))
            return Source("Element(", ")", tuple((part, "") for part in parts))
        if isinstance(value, ComplexValue):
            return self._complex(declaration, value)
        return self._plain(value)

    def _complex(self, declaration: ElementDecl, value: ComplexValue) -> Source:
        declared = self._model.type(declaration.type)
        assert isinstance(declared, ComplexType)
        said = value.xml_type == declared.identity
        actual = declared if said else self._model.type(value.xml_type)
        assert isinstance(actual, ComplexType)
        entries = []
        for one in self._codec.layout_of(actual).fields:
            given = getattr(value, one.name)
            if given is None or given in ([], {}):
                continue
            source = self._field(one, given)
            name = f"{one.name!r}: ".replace("'", '"') if said else f"{one.name}="
            entries.append((_prefixed(name, source), self._comment(one)))
        if said:
            return Source("{", "}", tuple(entries), flat=len(entries) < 4)
        return Source(f"{self._service}.types.{self._names.of(actual)}(", ")", tuple(entries))

    def _field(self, one: Field, given: Any) -> Source:
        if not one.repeated:
            return (
                self._element(one.declaration, given) if one.declaration is not None else self._plain(given)
            )
        items = [self._item(one, item) for item in given]
        return Source(
            "[", "]", tuple((item, "") for item in items), flat=not any(item.inner for item in items)
        )

    def _item(self, one: Field, item: Any) -> Source:
        if one.declaration is not None:
            return self._element(one.declaration, item)
        if one.kind == "items" and isinstance(item, tuple):
            name, value = item
            declaration = one.item_declaration(name) or self._model.element(name)
            return Source("(", ")", ((Source(quoted(name)), ""), (self._element(declaration, value), "")))
        return self._plain(item)

    def _comment(self, one: Field) -> str:
        documented = one.use.documentation if one.use is not None else ()
        if one.declaration is not None and not isinstance(
            self._model.type(one.declaration.type), ComplexType
        ):
            documented = one.declaration.documentation
        text = english(documented).partition(". ")[0]
        return text if len(text) <= _LONGEST_COMMENT else ""

    # -- plain values -----------------------------------------------------------------------------------------

    def _plain(self, value: Any) -> Source:
        if isinstance(value, list):
            return Source("[", "]", tuple((self._plain(item), "") for item in value))
        if isinstance(value, dict):
            pairs = (_prefixed(f"{quoted(name)}: ", self._plain(item)) for name, item in value.items())
            return Source("{", "}", tuple((pair, "") for pair in pairs))
        if isinstance(value, Nil):
            return self._nil(value)
        if isinstance(value, TypedValue):
            self.used.add("TypedValue")
            return Source(
                "TypedValue(", ")", ((Source(quoted(value.type)), ""), (self._plain(value.value), ""))
            )
        return Source(self._scalar(value))

    def _nil(self, value: Nil) -> Source:
        if not value.attributes and value.xsi_type is None:
            self.used.add("NIL")
            return Source("NIL")
        self.used.add("Nil")
        parts = [self._plain(dict(value.attributes))]
        parts += [] if value.xsi_type is None else [Source(quoted(value.xsi_type))]
        return Source("Nil(", ")", tuple((part, "") for part in parts))

    def _scalar(self, value: Any) -> str:
        if isinstance(value, Lexical):
            return f"{self._use(type(value).__name__)}({quoted(str(value))})"
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, Decimal):
            return f'{self._use("Decimal")}("{value}")'
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if isinstance(value, datetime):
            return self._datetime(value)
        if isinstance(value, date):
            return f"{self._use('date')}({value.year}, {value.month}, {value.day})"
        if isinstance(value, time):
            return f'{self._use("time")}.fromisoformat("{value.isoformat()}")'
        if isinstance(value, timedelta):
            return f"{self._use('timedelta')}(seconds={value.total_seconds()})"
        if isinstance(value, etree._Element):
            self.used.add("etree")
            return f"etree.fromstring({quoted(etree.tostring(value, encoding='unicode', with_tail=False))})"
        return repr(value)

    def _datetime(self, value: datetime) -> str:
        self.used.add("datetime")
        if value.tzinfo is None or value.utcoffset() != UTC.utcoffset(value):
            return f'datetime.fromisoformat("{value.isoformat()}")'
        self.used.add("UTC")
        shown = [value.year, value.month, value.day, value.hour, value.minute]
        shown += [value.second] if value.second or value.microsecond else []
        shown += [value.microsecond] if value.microsecond else []
        return f"datetime({', '.join(map(str, shown))}, tzinfo=UTC)"

    def _use(self, name: str) -> str:
        self.used.add(name)
        return name


def quoted(text: str) -> str:
    """The text as a Python string in double quotes, where that needs no more escapes than single ones."""
    single = repr(text)
    return f'"{single[1:-1]}"' if single[0] == "'" and '"' not in text else single


def _prefixed(prefix: str, source: Source) -> Source:
    return Source(prefix + source.opening, source.closing, source.inner, source.flat)
