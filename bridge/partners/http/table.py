"""A table of a partner's file, read key by key: what is wrong, or not known, is told with its line, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bridge.mapping.converters import nearest
from bridge.partners.entities import PartnerFile

T = TypeVar("T")
_A = {str: "a text", int: "a whole number", bool: "true or false", dict: "a table", list: "a list"}


class Keys:
    """The keys of one table, each taken once; what nobody took is not known.

    Args:
        section: where the table stands: `partner`, `entities.accounts.list`.
        mistakes: what is wrong is added here.
    """

    def __init__(
        self, file: PartnerFile, section: str, table: Mapping[str, Any], mistakes: list[str]
    ) -> None:
        self.section = section
        self.mistakes = mistakes
        self._file = file
        self._table = table
        self._taken: list[str] = []

    def text(self, name: str, default: str = "", *, required: bool = False) -> str:
        value = self._take(name, str, default)
        if required and not value:
            self.mistake(name, "must be given")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> Any:
        value = self._take(name, str, default)
        if value in choices:
            return value
        self.mistake(name, f"must be one of {', '.join(choices)}, not {value!r}")
        return default

    def number(self, name: str, default: int = 0, *, least: int = 0) -> int:
        value = self._take(name, int, default)
        if value < least:
            self.mistake(name, f"must be at least {least}, not {value}")
            return default
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        return self._take(name, bool, default)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self._take(name, list, [])
        if all(isinstance(one, str) for one in found):
            return tuple(found)
        self.mistake(name, "must be a list of texts")
        return ()

    def pairs(self, name: str) -> dict[str, str]:
        """A table of texts; numbers and booleans are written as JSON has them."""
        found = self._take(name, dict, {})
        for key, value in found.items():
            if isinstance(value, dict | list):
                self.mistake(name, f"has {key} = {value!r}, which must be a text")
        return {
            str(key): str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in found.items()
        }

    def table(self, name: str) -> Keys | None:
        """A table within; None where there is none."""
        if name not in self._table:
            self._taken.append(name)
            return None
        return Keys(self._file, f"{self.section}.{name}", self._take(name, dict, {}), self.mistakes)

    def raw(self, name: str) -> Any:
        """Whatever stands there."""
        self._taken.append(name)
        return self._table.get(name)

    def finish(self) -> None:
        """Tells of every key that nobody has taken."""
        for name in self._table:
            if name not in self._taken:
                self.mistake(name, f"is not known{nearest(name, self._taken)}")

    def mistake(self, name: str, what: str) -> None:
        """`name` is the key that is wrong, "" for the table itself."""
        dotted = f"{self.section}.{name}" if name else self.section
        self.mistakes.append(f"{self._file.place(self.section, name)}: {dotted} {what}")

    def _take(self, name: str, kind: type[T], default: T) -> T:
        self._taken.append(name)
        value = self._table.get(name, default)
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
            return value
        self.mistake(name, f"must be {_A[kind]}, not {value!r}")
        return default
