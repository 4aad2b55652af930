"""The verbs of a backend that is made of a reader and a writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from bridge.delivery.sender import Document
from bridge.partners.entities import Entity
from bridge.partners.partner import Page, Query, Totals, Verb, Written


class Reads(Protocol):
    """The reading half of `bridge.partners.partner.Backend`."""

    def fetch(self, entity: Entity, query: Query) -> Page: ...

    def scan(
        self, entity: Entity, fields: Sequence[str], query: Query
    ) -> Iterator[list[tuple[Any, ...]]]: ...

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals: ...


class Writes(Protocol):
    """The writing half."""

    @property
    def can_find(self) -> bool: ...

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written: ...

    def find(self, document: Document) -> bool | None: ...


class Verbs:
    """Hands each verb on to who does it. Its file was looked at when it was made: `check` finds nothing more."""

    def __init__(self, reader: Reads, writer: Writes) -> None:
        self._reader = reader
        self._writer = writer

    def check(self) -> list[str]:
        return []

    def fetch(self, entity: Entity, query: Query) -> Page:
        return self._reader.fetch(entity, query)

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        return self._reader.scan(entity, fields, query)

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        return self._reader.totals(entity, query, sums)

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        return self._writer.write(entity, verb, values, document)

    @property
    def can_find(self) -> bool:
        return self._writer.can_find

    def find(self, document: Document) -> bool | None:
        return self._writer.find(document)
