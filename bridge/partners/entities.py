"""A partner's file: how it is reached, and which business objects it has.

    [partner]                       # what its kind needs, once
    base_url = "https://crm.example/api"

    [entities.accounts]
    id = "account_no"               # the field that names a record
    changed = "updated_at"          # the field with the moment of its last change
    path = "/accounts"              # further keys are the kind's own
    [entities.accounts.fields]
    account_no = "text"
    level = { type = "text", one_of = ["A", "B", "C"] }
    lines = { type = "list", fields = { sku = "text", quantity = "decimal" } }

Every mistake is told with its line, all at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import SettingsError
from bridge.mapping.converters import nearest
from bridge.mapping.lines import Lines
from bridge.mapping.shapes import Field, Kind, Shape

_TYPES: Final[Mapping[str, Kind]] = {
    "text": "text",
    "integer": "integer",
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "object": "object",
    "list": "object",
    "any": "any",
}
_FIELD_KEYS: Final = (
    "type", "of", "required", "one_of", "shortest", "longest", "digits", "fraction", "least", "most", "zone", "fields", "note",
)  # fmt: skip
_OWN_KEYS: Final = ("id", "changed", "fields", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A kind of business object that a partner has.

    Args:
        id: the field that names a record.
        changed: the field with the moment of the last change; "" where it cannot be asked for changes.
        options: the kind's own keys.
        place: where it is declared, `file:line`.
    """

    name: str
    id: str
    changed: str = ""
    shape: Shape
    options: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFile:
    """What a partner's file says. `options` is its table `[partner]`."""

    file: Path
    options: Mapping[str, Any]
    entities: Mapping[str, Entity]
    lines: Lines

    def place(self, section: str, name: str = "") -> str:
        """`file:line` of a section (`partner`, `entities.accounts`) or of a key in it."""
        return _place(self.file, self.lines, section, name)


def read(file: Path, *, with_fields: bool = True) -> PartnerFile:
    """
    Args:
        with_fields: entities must say which fields they have. Without it a contract says so.

    Raises:
        SettingsError: with every mistake.
    """
    try:
        text = file.read_text("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise SettingsError(
            f"There is no partner's file {file}.",
            advice="Name one in `entities`; docs/partner-files.md says what is in it.",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError.of([f"{file}: {error}"]) from error
    lines = Lines(text)
    reader = _Reader(file, lines, with_fields=with_fields)
    entities = reader.entities(table)
    if reader.mistakes:
        raise SettingsError.of(reader.mistakes)
    return PartnerFile(file=file, options=table.get("partner", {}), entities=entities, lines=lines)


class _Reader:
    def __init__(self, file: Path, lines: Lines, *, with_fields: bool) -> None:
        self.with_fields = with_fields
        self.file = file
        self.lines = lines
        self.mistakes: list[str] = []

    def entities(self, table: Mapping[str, Any]) -> dict[str, Entity]:
        for name in table:
            if name not in ("partner", "entities"):
                self._mistake(
                    name, "", f"there is no section [{name}]; there are [partner] and [entities.NAME]"
                )
        if not isinstance(table.get("partner", {}), dict):
            self._mistake("partner", "", "partner is a section: write [partner] and its keys below")
        found = table.get("entities", {})
        if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
            self._mistake("entities", "", "entities has a section for each: write [entities.NAME]")
            return {}
        return {name: self._entity(name, one) for name, one in found.items()}

    def _entity(self, name: str, table: Mapping[str, Any]) -> Entity:
        section = f"entities.{name}"
        fields = table.get("fields", {})
        if not isinstance(fields, dict) or (self.with_fields and not fields):
            self._mistake(section, "", f"the entity {name} has no fields: write [{section}.fields]")
            fields = {}
        if fields and not self.with_fields:
            self._mistake(
                f"{section}.fields",
                next(iter(fields)),
                f"the fields of {name} are those of the contract: leave them out here",
            )
        shape = Shape(name, dict(self._fields(f"{section}.fields", fields)))
        for name_of, needed in (("id", True), ("changed", False)):
            given = table.get(name_of)
            if given is None and not needed:
                continue
            if not isinstance(given, str) or (self.with_fields and given not in shape.fields):
                hint = (
                    nearest(str(given), list(shape.fields))
                    if given
                    else f"; there are {', '.join(shape.fields)}"
                )
                self._mistake(
                    section, name_of, f"{section}.{name_of} must name a field of it, not {given!r}{hint}"
                )
        options = {key: value for key, value in table.items() if key not in _OWN_KEYS}
        return Entity(
            name=name,
            id=str(table.get("id", "")),
            changed=str(table.get("changed", "")),
            shape=shape,
            options=options,
            place=self._place(section),
        )

    def _fields(self, section: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Field]]:
        for name, given in table.items():
            described = {"type": given} if isinstance(given, str) else given
            if not isinstance(described, dict):
                self._mistake(
                    section, name, f'{section}.{name} must be a type ("text") or a table, not {given!r}'
                )
                continue
            yield name, self._field(section, name, described)

    def _field(self, section: str, name: str, given: Mapping[str, Any]) -> Field:
        for unknown in given.keys() - set(_FIELD_KEYS):
            self._mistake(
                section, name, f"{section}.{name} has no key {unknown}{nearest(unknown, _FIELD_KEYS)}"
            )
        kind = given.get("type", "object" if "fields" in given else None)
        if kind not in _TYPES:
            self._mistake(
                section, name, f"{section}.{name}: there is no type {kind!r}; there are {', '.join(_TYPES)}"
            )
            kind = "any"
        repeats = kind == "list"
        inner: Shape | None = None
        if isinstance(given.get("fields"), dict):
            inner = Shape(name, dict(self._fields(f"{section}.{name}", given["fields"])))
        elif kind == "object":
            self._mistake(
                section,
                name,
                f"{section}.{name} is an object without fields: say which it has, or that it is any",
            )
        kind_of: Kind = _TYPES[kind]
        if repeats and inner is None:
            of = given.get("of", "any")
            if of not in _TYPES or of in ("object", "list"):
                self._mistake(
                    section,
                    name,
                    f'{section}.{name}: a list of {of!r} is not known; give its fields, or of = "text"',
                )
                of = "any"
            kind_of = _TYPES[of]
        return Field(
            name=name,
            kind=kind_of,
            required=self._typed(section, name, given, "required", bool, False),
            repeats=repeats,
            nillable=True,
            one_of=tuple(str(one) for one in self._typed(section, name, given, "one_of", list, [])),
            shortest=self._typed(section, name, given, "shortest", int, None),
            longest=self._typed(section, name, given, "longest", int, None),
            digits=self._typed(section, name, given, "digits", int, None),
            fraction=self._typed(section, name, given, "fraction", int, None),
            least=_decimal(self._typed(section, name, given, "least", (int, float, str), None)),
            most=_decimal(self._typed(section, name, given, "most", (int, float, str), None)),
            zone=self._zone(section, name, given),
            shape=inner,
            documentation={"en": note}
            if (note := self._typed(section, name, given, "note", str, ""))
            else {},
            place=self._place(section, name),
        )

    def _zone(self, section: str, name: str, given: Mapping[str, Any]) -> str:
        zone: str = self._typed(section, name, given, "zone", str, "")
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError):
                self._mistake(
                    section,
                    name,
                    f'{section}.{name}: there is no time zone {zone!r}; write it like "Asia/Shanghai"',
                )
        return zone

    def _typed(
        self,
        section: str,
        name: str,
        given: Mapping[str, Any],
        key: str,
        kind: type | tuple[type, ...],
        default: Any,
    ) -> Any:
        value = given.get(key, default)
        if value is default or (
            isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
        ):
            return value
        self._mistake(section, name, f"{section}.{name}: {key} cannot be {value!r}")
        return default

    def _place(self, section: str, name: str = "") -> str:
        return _place(self.file, self.lines, section, name)

    def _mistake(self, section: str, name: str, what: str) -> None:
        self.mistakes.append(f"{self._place(section, name)}: {what}")


def _decimal(value: float | str | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _place(file: Path, lines: Lines, section: str, name: str = "") -> str:
    """`file:line` of a section, or of a key in it; of the nearest thing around where it hides."""
    return f"{file}:{lines.of((*section.split('.'), *([name] if name else [])))}"
