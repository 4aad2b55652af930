"""A flow as it is declared, put together: partners, entities, operations, mappings; and what is wrong with one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bridge.errors import BridgeError, SettingsError
from bridge.mapping.shapes import Shape, shape_of
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import VERBS, Queue
from bridge.settings import Flow as Options
from bridge.store.flow_links import Kind
from bridge.store.flow_problems import Side
from bridge.sync.compare import Winner

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.partners.entities import Entity
    from bridge.partners.soap import SoapPartner

AnyPartner = Any
"""An `EntityPartner` or a `SoapPartner`: what can be done is asked of it, not of its class."""

Make = Callable[[Any], Mapping[str, Any]]
"""A mapping: target values out of source values. Raises BridgeError where it cannot."""


class Mapped(Protocol):
    """A mapping that was read from a file."""

    def __call__(self, values: Any) -> Mapping[str, Any]: ...

    def turned(self, *, whole: bool = False) -> Make:
        """The way back; `whole`: with all that a record needs. Raises SettingsError where it goes one way, or something is missing."""
        ...


class MakeOf(Protocol):
    """Loads a mapping's file, proved against both shapes. Raises SettingsError with every mistake."""

    def __call__(self, file: Path, *, source: Shape, target: Shape) -> Mapped: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of a flow's directions.

    Args:
        kind: `there`, or `back`.
        reads: the side whose records are read.
        reader, entity: the partner they are read from, and as what.
        writer, operation: the partner they go to, and by which operation.
        there: the writer's entity, where its present values can be looked at.
        make: makes values for the operation out of a record's.
        theirs: fields of what is sent that belong to the writer.
        owner_wins: whose value goes by the rule `owner`.
    """

    flow: str
    kind: Kind
    reads: Side
    reader: AnyPartner
    entity: Entity
    writer: AnyPartner
    operation: str
    there: Entity | None
    make: Make
    theirs: frozenset[str]
    owner_wins: Winner

    @property
    def writes(self) -> Side:
        return "target" if self.reads == "source" else "source"

    @property
    def update(self) -> str | None:
        """The operation that changes some fields of a record that is there, where an upsert is what the flow sends."""
        entity, _, verb = self.operation.rpartition(".")
        return f"{entity}.update" if self.there is not None and verb in ("upsert", "update") else None

    @property
    def is_queue(self) -> bool:
        """Whether the reader leaves its changes to be claimed, instead of being asked for them."""
        return isinstance(getattr(self.reader, "backend", None), Queue)

    @property
    def only_tells(self) -> bool:
        """Whether the reader tells of changes and can never be asked."""
        return bool(getattr(getattr(self.reader, "backend", None), "only_tells", False))

    def ordering_key(self, record_id: str) -> str:
        """What goes out of one record goes in order. With the entity's name: record 17 of another must not wait for it."""
        return f"{self.entity.name}/{record_id}"

    def id_there(self, values: Mapping[str, Any]) -> str | None:
        """The id that a record has over there, where what is sent says it."""
        found = None if self.there is None else values.get(self.there.id)
        return None if found in (None, "") else str(found)

    def is_theirs(self, name: str) -> bool:
        return name in self.theirs or "*" in self.theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow that can run. `back` is None where it goes one way."""

    name: str
    options: Options
    forth: Way
    back: Way | None

    @property
    def two_way(self) -> bool:
        return self.back is not None

    @property
    def looks_there(self) -> bool:
        """Whether the other side is looked at before something is sent to it."""
        options = self.options
        careful = options.conflict != "owner" or bool(options.target_owns)
        return self.two_way or (careful and self.forth.there is not None)

    def way(self, side: Side) -> Way | None:
        """The way that reads this side."""
        return self.forth if side == "source" else self.back


class Reader:
    """Puts flows together. Every mistake of one is told at once.

    Args:
        partner: gives a partner by its name.
        load: loads a mapping's file.
        functions: mappings that are functions, by flow and kind; they go before files.
    """

    def __init__(
        self,
        flows: Mapping[str, Options],
        partner: Callable[[str], AnyPartner],
        load: MakeOf,
        functions: Mapping[tuple[str, Literal["there", "back"]], Make],
    ) -> None:
        self._flows = flows
        self._partner = partner
        self._load = load
        self._functions = functions

    def read(self, name: str) -> Flow:
        """
        Raises:
            SettingsError: there is no such flow, or with every mistake in it.
        """
        options = self._flows.get(name)
        if options is None:
            raise self.unknown(name)
        mistakes: list[str] = []
        found = self._whole(name, options, mistakes)
        if found is None or mistakes:
            raise SettingsError.of(mistakes)
        return found

    def unknown(self, name: str) -> SettingsError:
        """What is to be said of a flow that there is not."""
        near = difflib.get_close_matches(name, list(self._flows), n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        return SettingsError(
            f"There is no flow {name}.", advice=f"{guess}There are: {', '.join(self._flows) or 'none'}."
        )

    def mistakes(self, name: str) -> Iterator[str]:
        """A sentence for each mistake in a flow."""
        try:
            self.read(name)
        except SettingsError as error:
            yield from error.mistakes

    def _whole(self, name: str, options: Options, mistakes: list[str]) -> Flow | None:
        where = f"flows.{name}"
        source_name, dot, entity_name = options.source.partition(".")
        if not dot or not entity_name:
            mistakes.append(
                f"{where}.source: {options.source!r} names no partner and entity: write it like crm.accounts"
            )
        if not options.target or not options.operation:
            missing = "target" if not options.target else "operation"
            mistakes.append(f"{where}.{missing}: is missing: name the partner and its operation")
        if options.trigger == "schedule" and not options.cron and not options.every:
            mistakes.append(f"{where}.trigger: is the schedule, and neither cron nor every says when")
        if options.cron and options.every:
            mistakes.append(f"{where}.cron: cron and every are both set: leave one out")
        if mistakes:
            return None
        source = self._named(source_name, f"{where}.source", mistakes)
        target = self._named(options.target, f"{where}.target", mistakes)
        if source is None or target is None:
            return None
        entity = _entity(source, entity_name, f"{where}.source", mistakes)
        if entity is None:
            return None
        forth = self._way(name, options, "there", source, entity, target, options.operation, mistakes)
        if options.deletes:
            self._check_deletes(target, options, where, mistakes)
        back = None
        if options.direction == "two-way":
            back = self._back(name, options, source, entity, target, mistakes)
        if forth is not None:
            _check_fields(forth, options, where, mistakes)
        if mistakes or forth is None:
            return None
        return Flow(name=name, options=options, forth=forth, back=back)

    def _back(
        self,
        name: str,
        options: Options,
        source: AnyPartner,
        entity: Entity,
        target: AnyPartner,
        mistakes: list[str],
    ) -> Way | None:
        where = f"flows.{name}"
        wanted = options.back_entity or options.operation.rpartition(".")[0]
        found = _entity(target, wanted, f"{where}.back_entity", mistakes)
        if found is None:
            return None
        operation = options.back_operation or f"{entity.name}.upsert"
        return self._way(name, options, "back", target, found, source, operation, mistakes)

    def _way(
        self,
        name: str,
        options: Options,
        kind: Literal["there", "back"],
        reader: AnyPartner,
        entity: Entity,
        writer: AnyPartner,
        operation: str,
        mistakes: list[str],
    ) -> Way | None:
        forth = kind == "there"
        where = f"flows.{name}.{'operation' if forth else 'back_operation'}"
        shape = _takes(writer, operation, where, mistakes)
        if shape is None:
            return None
        there = (
            writer.entities.get(operation.rpartition(".")[0]) if isinstance(writer, EntityPartner) else None
        )
        make = self._mapping(name, kind, options, entity.shape, shape, mistakes)
        target_owns, source_owns = frozenset(options.target_owns), frozenset(options.source_owns)
        return Way(
            flow=name,
            kind=kind,
            reads="source" if forth else "target",
            reader=reader,
            entity=entity,
            writer=writer,
            operation=operation,
            there=there,
            make=make,
            theirs=target_owns if forth else source_owns,
            owner_wins="ours" if (options.owner == "source") == forth else "theirs",
        )

    def _mapping(
        self,
        name: str,
        kind: Literal["there", "back"],
        options: Options,
        source: Shape,
        target: Shape,
        mistakes: list[str],
    ) -> Make:
        """The function, the file, or for the way back the other's file turned round; without any, records go as they are."""
        function = self._functions.get((name, kind))
        if function is not None:
            return function
        file = options.mapping if kind == "there" else options.back_mapping
        try:
            if file is not None:
                return self._load(file.absolute(), source=source, target=target)
            if kind == "back" and options.mapping is not None:
                whole = not options.back_operation.endswith(".update")
                return self._load(options.mapping.absolute(), source=target, target=source).turned(
                    whole=whole
                )
        except BridgeError as error:
            mistakes.extend(getattr(error, "mistakes", None) or [f"flows.{name}: {error}"])
        return dict

    def _named(self, name: str, where: str, mistakes: list[str]) -> AnyPartner | None:
        try:
            return self._partner(name)
        except BridgeError as error:
            mistakes.append(f"{where}: {error}")
            return None

    def _check_deletes(self, target: AnyPartner, options: Options, where: str, mistakes: list[str]) -> None:
        entity, _, verb = options.deletes.rpartition(".")
        if not isinstance(target, EntityPartner) or verb != "delete" or entity not in target.entities:
            mistakes.append(
                f"{where}.deletes: {options.deletes!r} is no delete of an entity that {options.target} has: write it like "
                f"{next(iter(getattr(target, 'entities', {})), 'customers')}.delete, or leave it out"
            )


def _entity(partner: AnyPartner, name: str, where: str, mistakes: list[str]) -> Entity | None:
    entities: Mapping[str, Entity] = getattr(partner, "entities", {})
    found = entities.get(name)
    if found is None:
        near = difflib.get_close_matches(name, list(entities), n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        has = ", ".join(entities) or "none: give it a file (`entities`)"
        mistakes.append(f"{where}: {partner.name} has no entity {name!r}; {guess}it has {has}")
    return found


def _takes(partner: AnyPartner, operation: str, where: str, mistakes: list[str]) -> Shape | None:
    """The shape of what an operation takes."""
    if isinstance(partner, EntityPartner):
        name, _, verb = operation.rpartition(".")
        entity = partner.entities.get(name)
        if entity is None or verb not in VERBS:
            near = difflib.get_close_matches(operation, partner.operations, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            mistakes.append(
                f"{where}: {partner.name} has no operation {operation!r}; {guess}it is one of {', '.join(VERBS)} of "
                f"{', '.join(partner.entities) or 'an entity'}, like customers.upsert"
            )
            return None
        return entity.shape
    soap: SoapPartner = partner
    found = soap.contract.operations.get(operation)
    if found is None or operation not in soap.target.operations:
        near = difflib.get_close_matches(operation, list(soap.target.operations), n=1)
        guess = f"did you mean {near[0]}?" if near else f"it has {', '.join(soap.target.operations)}"
        mistakes.append(f"{where}: {soap.name} has no operation {operation!r}; {guess}")
        return None
    try:
        return shape_of(soap.contract, found)
    except KeyError as error:
        mistakes.append(f"{where}: {error.args[0]}: nothing can be mapped to it")
        return None


def _check_fields(forth: Way, options: Options, where: str, mistakes: list[str]) -> None:
    """Fields that settings name and records do not have."""
    of_target = None if forth.there is None else forth.there.shape
    named = (
        ("target_owns", options.target_owns, of_target),
        ("match", options.match, of_target),
        ("source_owns", options.source_owns, forth.entity.shape),
    )
    for key, names, shape in named:
        if shape is None:
            if names:
                mistakes.append(f"{where}.{key}: what {forth.writer.name} has cannot be read: leave it out")
            continue
        for name in names:
            if name != "*" and name not in shape.fields:
                near = difflib.get_close_matches(name, list(shape.fields), n=1)
                guess = f"did you mean {near[0]}?" if near else f"it has {', '.join(shape.fields)}"
                mistakes.append(f"{where}.{key}: {shape.name} has no field {name!r}; {guess}")
