"""Makes the partners of a bridge, whatever their kind, of what its settings say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from bridge.contract import Contract
from bridge.errors import PartnerError, SettingsError
from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.journal import OutgoingJournal
from bridge.partners.mappings import Mappings
from bridge.settings import Partner as Options
from bridge.settings import Settings
from bridge.store import Store
from bridge.store.outbox import NewEntry

if TYPE_CHECKING:
    from bridge.partners.soap import SoapPartner

AnyPartner: TypeAlias = "SoapPartner | EntityPartner"
"""A partner of any kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """
    Args:
        store: gives the store; None: the bridge has none, and what is called is not journaled.
        load: loads a contract, by what settings call it.
        mappings: finds the files that `send` is given.
        accept: puts what is sent into the outbox; None: there is none.
        before_call, after_call: as `SoapPartner`.
    """

    settings: Settings
    store: Callable[[], Store | None] | None
    load: Callable[[str], Contract]
    mappings: Mappings
    accept: Callable[[NewEntry], None] | None
    before_call: Callable[[], None]
    after_call: Callable[[PartnerError | None], None]

    def __call__(self, name: str) -> AnyPartner:
        """
        Raises:
            SettingsError: the settings have no such partner, or what they say of it is wrong. ContractError: its WSDL cannot be read.
        """
        options = self.settings.partners.get(name)
        if options is None:
            raise self._unknown(name)
        if options.kind in ("soap", "salesforce") and not options.wsdl:
            raise SettingsError(
                f"partners.{name} has no contract.", advice=f'Give one: wsdl = "…" under [partners.{name}].'
            )
        if options.kind == "soap":
            return self._soap(name, options)
        if options.kind == "salesforce":
            return self._salesforce(name, options)
        return self._with_entities(name, options)

    def _soap(self, name: str, options: Options) -> SoapPartner:
        # zeep takes as long to import as all the rest: only for those who call somebody.
        from bridge.partners.soap import SoapPartner

        return SoapPartner(
            self.load(options.wsdl),
            name=name,
            settings=options,
            limits=self.settings.limits,
            journal=self._journal(),
            before_call=self.before_call,
            after_call=self.after_call,
            accept=self.accept,
            mappings=self.mappings,
            entities=entities.read(options.entities, with_fields=False) if options.entities else None,
        )

    def _salesforce(self, name: str, options: Options) -> EntityPartner:
        from bridge.partners.salesforce import Telling, entity_of

        entity = entity_of(self.load(options.wsdl))
        return EntityPartner(name, options, {entity.name: entity}, Telling(name))

    def _with_entities(self, name: str, options: Options) -> EntityPartner:
        if options.entities is None:
            raise SettingsError(
                f"partners.{name}.entities: a partner of the kind {options.kind} is described in a file.",
                advice=f'Write entities = "partners/{name}.toml"; docs/partner-files.md says what is in it.',
            )
        described = entities.read(options.entities)
        store = self.store or (lambda: None)
        setting = kinds.Setting(name, options, described, self.settings.limits, store)
        return EntityPartner(
            name,
            options,
            described.entities,
            kinds.backend(setting),
            journal=self._journal(),
            accept=self.accept,
            mappings=self.mappings,
        )

    def _journal(self) -> OutgoingJournal | None:
        if self.store is None:
            return None
        return OutgoingJournal(self.store, self.settings.journal.keep_bodies)

    def _unknown(self, name: str) -> SettingsError:
        names = list(self.settings.partners)
        near = get_close_matches(name, names, n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        return SettingsError(
            f"There is no partner {name} in the settings.",
            advice=f"{guess}There are: {', '.join(names) or 'none'}. Add [partners.{name}] with its wsdl.",
        )
