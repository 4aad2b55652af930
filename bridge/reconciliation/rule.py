"""A rule as it is run: what settings say, held against what both partners have."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Protocol

from bridge.errors import BridgeError, SettingsError
from bridge.mapping.shapes import Shape
from bridge.partners.entities import Entity
from bridge.partners.partner import Partner, Query
from bridge.reconciliation.compare import Same, plain_same, within
from bridge.settings import Settings
from bridge.settings.reconcile import Reconcile

_KEYS: Final = ("text", "integer")
"""Kinds of fields whose text is the same whoever writes it."""

Maps = Callable[[Any], Any]


class Systems(Protocol):
    """Gives a partner by its name, as `Bridge.any_partner` does."""

    def __call__(self, name: str, /) -> Partner: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side: where its records are and which of their fields are looked at. `day` is the field that says whether one is in the window."""

    partner: Partner
    entity: Entity
    key: str
    fields: tuple[str, ...]
    day: str

    @property
    def name(self) -> str:
        return f"{self.partner.name}.{self.entity.name}"

    @property
    def by_id(self) -> bool:
        """Whether the key is the record's id."""
        return self.key == self.entity.id

    def asking_for(self, keys: Iterable[str], *, limit: int) -> Query | None:
        """What asks for the records with these keys; None where there is nothing to ask by: a record may have no key."""
        wanted = tuple(key for key in keys if key)
        if not wanted:
            return None
        if self.by_id:
            return Query(ids=wanted, limit=limit)
        found = self.entity.shape.find(self.key)
        whole = found is not None and found.kind == "integer"
        return Query(among=(self.key, tuple(map(int, wanted)) if whole else wanted), limit=limit)

    def query(self, first: date | None, before: date | None) -> Query:
        """What is asked for: everything, or what is in the window."""
        return Query(between=(self.day, first, before) if self.day and (first or before) else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    Args:
        same: whether two values are the same, for each pair of fields in turn.
        translate: the target's word by the source's, by the position of a field.
        amounts: (source field, target field). currency: the same for the currency, or None.
        mapping: makes the repairing message of a source record.
        writer: the partner that repairs are sent to.
    """

    name: str
    source: Side
    target: Side
    writer: Partner
    same: tuple[Same, ...]
    translate: Mapping[int, Mapping[Any, Any]]
    amounts: tuple[tuple[str, str], ...]
    currency: tuple[str, str] | None
    days: int
    grace: timedelta
    operation: str
    delete: str
    mapping: Maps | None
    most: int
    settle: bool

    def window(self, today: date) -> tuple[date | None, date | None]:
        """The first day looked at, and the day after the last one; (None, None): everything."""
        if not self.days:
            return None, None
        return today - timedelta(days=self.days - 1), today + timedelta(days=1)

    def ordering_key(self, source_id: str) -> str:
        """By which deliveries of one record are kept in order, as flows do it."""
        return f"{self.source.entity.name}/{source_id}"

    def sums(self) -> tuple[dict[str, str | None], dict[str, str | None]]:
        """What each side adds up: the field with the currency by the field with the amount."""
        ours, theirs = self.currency or (None, None)
        return {one: ours for one, _ in self.amounts}, {other: theirs for _, other in self.amounts}


def read(settings: Settings, name: str, partner: Systems, mapping: Callable[[Path, Shape], Maps]) -> Rule:
    """
    Args:
        mapping: loads a mapping's file, for records of this shape.

    Raises:
        SettingsError: with every mistake.
    """
    found = settings.reconcile.get(name)
    if found is None:
        there = ", ".join(settings.reconcile) or "none"
        raise SettingsError(f"There is no rule [reconcile.{name}].", advice=f"There are: {there}.")
    found = _as_its_flow(settings, name, found)
    return _Reader(settings, name, found, partner).rule(mapping)


def _as_its_flow(settings: Settings, name: str, options: Reconcile) -> Reconcile:
    """What the rule leaves open, as its flow has it."""
    if not options.flow:
        return options
    flow = settings.flows.get(options.flow)
    if flow is None:
        there = ", ".join(settings.flows) or "none"
        raise SettingsError.of([f"reconcile.{name}.flow: there is no flow {options.flow}; there are {there}"])
    entity = flow.back_entity or flow.operation.rpartition(".")[0]
    return replace(
        options,
        source=options.source or flow.source,
        target=options.target or (f"{flow.target}.{entity}" if entity else flow.target),
        through=options.through or flow.target,
        operation=options.operation or flow.operation,
        delete=options.delete or flow.deletes,
        mapping=options.mapping or flow.mapping,
    )


class _Reader:
    def __init__(self, settings: Settings, name: str, options: Reconcile, partner: Systems) -> None:
        self._settings = settings
        self._name = name
        self._options = options
        self._partner = partner
        self._mistakes: list[str] = []

    def rule(self, mapping: Callable[[Path, Shape], Maps]) -> Rule:
        options = self._options
        source = self._side("source", options.source)
        target = self._side("target", options.target)
        if source is None or target is None:
            raise SettingsError.of(self._mistakes)
        key = self._pair("key", options.key, source[1], target[1]) or (source[1].id, target[1].id)
        for name, entity in zip(key, (source[1], target[1]), strict=True) if options.key else ():
            found = entity.shape.find(name)
            if found is not None and found.kind not in _KEYS:
                self._mistake("key", f"names {name}, which is {found.kind}; a key is {' or '.join(_KEYS)}")
        day = self._pair("date", options.date, source[1], target[1]) or ("", "")
        currency = self._pair("currency", options.currency, source[1], target[1])
        if options.days and not day[0]:
            self._mistake("days", "needs `date`: by which field a record is in the window")
        for name in ("fields", "amounts"):
            for ours, theirs in getattr(options, name).items():
                self._known(name, ours, source[1])
                self._known(name, theirs, target[1])
        fields = tuple(options.fields)
        same = tuple(self._same(one) for one in fields)
        translate = dict(self._tables(fields))
        for name in ("tolerance", "translate"):
            for one in getattr(options, name):
                if one not in options.fields:
                    self._mistake(name, f"speaks of {one}, which `fields` does not compare")
        writer = self._writer(target[0])
        for name in ("operation", "delete"):
            self._operation(name, getattr(options, name), writer)
        maps = self._mapping(mapping, source[1])
        if self._mistakes:
            raise SettingsError.of(self._mistakes)
        theirs = tuple(options.fields.values())
        return Rule(
            name=self._name,
            source=Side(partner=source[0], entity=source[1], key=key[0], fields=fields, day=day[0]),
            target=Side(partner=target[0], entity=target[1], key=key[1], fields=theirs, day=day[1]),
            writer=writer,
            same=same,
            translate=translate,
            amounts=tuple(options.amounts.items()),
            currency=currency,
            days=options.days,
            grace=timedelta(seconds=options.grace),
            operation=options.operation,
            delete=options.delete,
            mapping=maps,
            most=options.most,
            settle=options.settle,
        )

    def _side(self, which: str, given: str) -> tuple[Partner, Entity] | None:
        name, _, entity = given.partition(".")
        if not entity:
            self._mistake(which, f'names a partner and its entity: {which} = "crm.accounts", not {given!r}')
            return None
        try:
            partner = self._partner(name)
        except BridgeError as error:
            self._mistake(which, str(error))
            return None
        found = partner.entities.get(entity)
        if found is None:
            there = ", ".join(partner.entities) or "none that can be read"
            self._mistake(which, f"names {given}; the partner {name} has {there}")
            return None
        return partner, found

    def _writer(self, target: Partner) -> Partner:
        if not self._options.through:
            return target
        try:
            return self._partner(self._options.through)
        except BridgeError as error:
            self._mistake("through", str(error))
            return target

    def _pair(self, name: str, given: str, source: Entity, target: Entity) -> tuple[str, str] | None:
        if not given:
            return None
        ours, sign, theirs = (one.strip() for one in given.partition("="))
        if not sign:
            theirs = ours
        self._known(name, ours, source)
        self._known(name, theirs, target)
        return ours, theirs

    def _known(self, name: str, field: str, entity: Entity) -> None:
        if entity.shape.find(field) is None:
            self._mistake(name, f"names {field!r}; {entity.name} has {', '.join(entity.shape.fields)}")

    def _same(self, field: str) -> Same:
        given = self._options.tolerance.get(field)
        if given is None:
            return plain_same
        try:
            tolerance = Decimal(given)
        except InvalidOperation:
            tolerance = Decimal(-1)
        if not tolerance.is_finite() or tolerance < 0:
            self._mistake("tolerance", f"of {field} is an amount like 0.01, not {given!r}")
            return plain_same
        return within(tolerance)

    def _tables(self, fields: Sequence[str]) -> Iterator[tuple[int, dict[Any, Any]]]:
        folder = self._settings.file.parent if self._settings.file is not None else Path()
        for place, field in enumerate(fields):
            given = self._options.translate.get(field)
            if given is None:
                continue
            try:
                with (folder / given).open(encoding="utf-8-sig", newline="") as lines:
                    rows = [row for row in csv.reader(lines) if row]
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                self._mistake("translate", f"of {field}: {folder / given} cannot be read: {error}")
                continue
            wrong = [number for number, row in enumerate(rows, 1) if len(row) != 2]
            if wrong:
                self._mistake(
                    "translate", f"of {field}: {folder / given}:{wrong[0]}: two values are expected"
                )
                continue
            yield place, {row[0].strip(): row[1].strip() for row in rows}

    def _operation(self, name: str, given: str, target: Partner) -> None:
        if not given:
            return
        there = tuple(getattr(target, "operations", ())) or tuple(target.contract.operations)  # type: ignore[attr-defined]
        if given not in there:
            self._mistake(name, f"{given!r} is no operation of {target.name}; there are {', '.join(there)}")

    def _mapping(self, load: Callable[[Path, Shape], Maps], source: Entity) -> Maps | None:
        if self._options.mapping is None:
            return None
        try:
            return load(self._options.mapping, source.shape)
        except BridgeError as error:
            self._mistake("mapping", str(error))
            return None

    def _mistake(self, name: str, what: str) -> None:
        place = self._settings.sources.get(f"reconcile.{self._name}.{name}", "default")
        where = "" if place == "default" else f"{place}: "
        self._mistakes.append(f"{where}reconcile.{self._name}.{name} {what}")
