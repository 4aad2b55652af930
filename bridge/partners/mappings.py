"""Mapping files as partners need them: where they are, which shapes they go between, and the rows that partners have.

A file says what it goes between, `source = "crm#accounts"`, `target = "backoffice#CreateSalesOrder"`. In front of `#` stands a
partner of the settings, a partner's file or a WSDL (both beside the mapping), or a shipped contract; behind it the entity, or the operation,
of which its input is meant, or with `GetStock output` its output.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bridge import contract as contracts
from bridge.contract import Contract, Operation
from bridge.errors import BridgeError, SettingsError
from bridge.mapping import Asked, Mapping, proved, reader
from bridge.mapping.converters import nearest
from bridge.mapping.rules import Rules
from bridge.mapping.shapes import Shape, shape_of
from bridge.partners import entities
from bridge.partners.partner import Query
from bridge.shipped import contracts as shipped_contracts

if TYPE_CHECKING:
    from bridge.partners.entity_partner import EntityPartner
    from bridge.partners.soap import SoapPartner

Given: TypeAlias = "Callable[[Any], Any] | str | os.PathLike[str]"
"""What `mapping=` takes: a function or a `Mapping`, or a mapping's file."""

FOLDER = "mappings"
"""Beside the settings: the mappings that are proved when a bridge is checked."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a mapping: its shape, and for a WSDL message where it is."""

    shape: Shape
    contract: Contract | None = None
    operation: Operation | None = None
    message: Literal["input", "output"] = "input"


class Mappings:
    """Mapping files, each read and proved once for each target. Safe to use from several threads.

    Args:
        folder: where relative files begin: that of the settings.
        partners: the names of those in the settings.
        partner: gives one of them.
        open_contract: loads a WSDL.
    """

    def __init__(
        self,
        folder: Path = Path(),
        partners: Iterable[str] = (),
        partner: Callable[[str], SoapPartner | EntityPartner] | None = None,
        open_contract: Callable[[str | os.PathLike[str]], Contract] = contracts.load,
    ) -> None:
        self._folder = folder
        self._partners = tuple(partners)
        self._partner = partner
        self._open = open_contract
        self._known: dict[tuple[Path, int], Mapping] = {}
        self._shapes: dict[int, Shape] = {}
        self._lock = threading.RLock()

    def files(self) -> list[Path]:
        """Those in the folder `mappings` beside the settings."""
        return sorted((self._folder / FOLDER).glob("*.toml"))

    def take(
        self, given: Given, target: Callable[[], Shape] | None = None, *, source: Shape | None = None
    ) -> Callable[[Any], Any]:
        """What makes the values: the function itself, or the file, read and proved at its first use.

        Args:
            target, source: the shapes that the values are for, and that they have, instead of those that the file names.

        Raises:
            SettingsError: with every mistake of the file.
        """
        if callable(given):
            return given
        return self.load(given, source=source, target=None if target is None else target())

    def load(
        self, file: str | os.PathLike[str], *, source: Shape | None = None, target: Shape | None = None
    ) -> Mapping:
        """A mapping, proved against the shapes that are given, else against those that its file names.

        Raises:
            SettingsError: with every mistake.
        """
        path = self._folder / file
        with self._lock:
            known = self._known.get((path, id(target)))
            if known is not None and source in (None, known.source):
                return known
            rules = reader.read(path, self.rows)
            # What is given goes before what the file names, which is then not looked for.
            known_sides = {
                name for name, given in (("source", source), ("target", target)) if given is not None
            }
            sides, mistakes = self.sides(rules, without=known_sides)
            source = source or (sides["source"].shape if "source" in sides else None)
            of_target = target or (sides["target"].shape if "target" in sides else None)
            made = proved(rules, source, of_target, mistakes)
            if target is not None:
                self._shapes[id(target)] = target  # kept, so that its id stays its own
            self._known[path, id(target)] = made
            return made

    def sides(self, rules: Rules, without: Collection[str] = ()) -> tuple[dict[str, Side], list[str]]:
        """`source` and `target`, where the file names them; and what is wrong with the names."""
        found: dict[str, Side] = {}
        mistakes: list[str] = []
        for name, reference in (("source", rules.source), ("target", rules.target)):
            if not reference or name in without:
                continue
            try:
                found[name] = self.side(reference, rules.file.parent)
            except SettingsError as error:
                mistakes += [f"{rules.place}: {name} = {reference!r}: {one}" for one in error.mistakes]
            except (BridgeError, KeyError) as error:
                mistakes.append(f"{rules.place}: {name} = {reference!r}: {error}")
        return found, mistakes

    def side(self, reference: str, beside: Path) -> Side:
        """
        Args:
            beside: the folder that files are looked for in.

        Raises:
            SettingsError: nothing is there by that name. ContractError, KeyError: the message has no fields.
        """
        where, _, what = reference.partition("#")
        if not where or not what:
            raise SettingsError('It must be like "crm#accounts" or "orders-1.wsdl#SubmitOrder".')
        if where.endswith(".toml"):
            described = entities.read(beside / where).entities
            return Side(_entity(described, what, where).shape)
        if where in self._partners and self._partner is not None:
            return self._of_partner(where, what)
        shipped = shipped_contracts("erp") | shipped_contracts("crm")
        if where.endswith(".wsdl"):
            return _message(self._open(beside / where), what)
        if where in shipped:
            return _message(self._open(shipped[where]), what)
        known = [*self._partners, *shipped]
        raise SettingsError(f"There is no partner and no shipped contract {where}{nearest(where, known)}")

    def _of_partner(self, name: str, what: str) -> Side:
        assert self._partner is not None
        partner = self._partner(name)
        contract: Contract | None = getattr(partner, "contract", None)
        if what in partner.entities:
            return Side(partner.entities[what].shape)
        if contract is None:
            return Side(_entity(partner.entities, what, name).shape)
        return _message(contract, what)

    def rows(self, asked: Asked) -> Iterable[tuple[Any, Any]]:
        """The rows of a lookup that a partner has.

        Raises:
            BridgeError: it has none, or cannot be read now.
        """
        if self._partner is None or asked.partner not in self._partners:
            raise SettingsError(
                f"There is no partner {asked.partner} in the settings{nearest(asked.partner, self._partners)}"
            )
        partner = self._partner(asked.partner)
        for batch in partner.scan(asked.entity, [asked.source, asked.target], Query()):
            for _, source, target in batch:
                if source is not None and target is not None:
                    yield source, target


def _entity(described: Any, name: str, where: str) -> entities.Entity:
    if name not in described:
        raise SettingsError(f"{where} has no entity {name}{nearest(name, described)}")
    found: entities.Entity = described[name]
    return found


def _message(contract: Contract, what: str) -> Side:
    name, _, which = what.partition(" ")
    if which not in ("", "input", "output"):
        raise SettingsError(f"{which} is no message of {name}: input or output.")
    if name not in contract.operations:
        raise SettingsError(f"{contract.name} has no operation {name}{nearest(name, contract.operations)}")
    operation = contract.operation(name)
    message: Literal["input", "output"] = "output" if which == "output" else "input"
    return Side(shape_of(contract, operation, message), contract, operation, message)
