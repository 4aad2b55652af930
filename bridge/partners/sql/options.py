"""The keys of a partner's file that are a kind's own, read one by one; every mistake is told with its line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from bridge.partners.entities import PartnerFile
from bridge.partners.sql.database import Bounds


class Keys:
    """The keys of one section. What has not been asked for at the end, `unknown` makes a mistake of.

    Args:
        section: `partner`, `entities.accounts` …
        mistakes: where they go, a sentence each.
    """

    def __init__(
        self, file: PartnerFile, section: str, table: Mapping[str, Any], mistakes: list[str]
    ) -> None:
        self._file = file
        self._section = section
        self._table = table
        self._mistakes = mistakes
        self._asked: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        value: str = self._typed(name, str, "a text", default)
        return value

    def flag(self, name: str) -> bool:
        value: bool = self._typed(name, bool, "true or false", False)
        return value

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self._typed(name, (int, float), "a number", default)
        if isinstance(value, bool) or not least <= value <= most:
            self.mistake(name, f"must be from {least:g} to {most:g}, not {value!r}")
            return default
        return float(value)

    def names(self, name: str) -> tuple[str, ...]:
        value = self._typed(name, list, "a list of texts", [])
        if not all(isinstance(one, str) for one in value):
            self.mistake(name, "must be a list of texts")
            return ()
        return tuple(value)

    def texts(self, name: str) -> dict[str, str]:
        """A table of texts by name."""
        value = self._typed(name, dict, "a table of texts", {})
        if not all(isinstance(one, str) for one in value.values()):
            self.mistake(name, "must be a table of texts")
            return {}
        return dict(value)

    def unknown(self) -> None:
        for name in self._table.keys() - self._asked:
            near = difflib.get_close_matches(name, sorted(self._asked), n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._asked))}"
            self.mistake(name, f"there is no such key; {hint}")

    def mistake(self, name: str, what: str) -> None:
        place = self._file.place(self._section, name)
        self._mistakes.append(
            f"{place}: {self._section}.{name}: {what}" if name else f"{place}: {self._section}: {what}"
        )

    def _typed(self, name: str, kind: type | tuple[type, ...], shown: str, default: Any) -> Any:
        self._asked.add(name)
        value = self._table.get(name, default)
        if isinstance(value, kind):
            return value
        self.mistake(name, f"must be {shown}, not {value!r}")
        return default


def bounds(keys: Keys, *, connect_timeout: float) -> Bounds:
    """`pool`, `statement_timeout`, `scan_timeout`, `lock_timeout` of the section [partner]."""
    usual = Bounds()
    return Bounds(
        pool=int(keys.number("pool", usual.pool, least=1, most=100)),
        statement_timeout=keys.number("statement_timeout", usual.statement_timeout, least=0.1, most=86_400),
        scan_timeout=keys.number("scan_timeout", usual.scan_timeout, least=1, most=86_400),
        lock_timeout=keys.number("lock_timeout", usual.lock_timeout, least=0.1, most=3600),
        connect_timeout=connect_timeout,
    )
