"""Which kinds of partners there are, and what makes each; a kind is imported when the first of it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.partners.entities import PartnerFile
    from bridge.partners.partner import Backend
    from bridge.settings import Partner as Options
    from bridge.soap.limits import Limits
    from bridge.store import Store


class Setting(NamedTuple):
    """What a backend is made of. `store` gives the store where the bridge has one, at the first look."""

    name: str
    options: Options
    file: PartnerFile
    limits: Limits
    store: Callable[[], Store | None]


KINDS: Final[Mapping[str, str]] = {
    "rest": "bridge.partners.rest:backend",
    "staging": "bridge.partners.staging:backend",
    "database": "bridge.partners.database:backend",
    "fxiaoke": "bridge.partners.fxiaoke:backend",
    "zoho": "bridge.partners.zoho:backend",
}
"""Where the function `backend(setting)` of each kind is."""


def backend(setting: Setting) -> Backend:
    """The backend of a partner, by its kind.

    Raises:
        SettingsError: what it is made of is wrong.
    """
    kind = setting.options.kind
    module, _, function = KINDS[kind].partition(":")
    made: Backend = getattr(import_module(module), function)(setting)
    mistakes = made.check()
    if mistakes:
        raise SettingsError.of(mistakes)
    return made
