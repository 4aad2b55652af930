"""What a bridge does by the clock of its own accord: retention, keys, backups, reconciliations, flows, channels of notifications."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bridge import atrest
from bridge.delivery import retention
from bridge.delivery.due import Cron, Every
from bridge.delivery.schedules import Firing, Schedule
from bridge.errors import SettingsError
from bridge.settings import Settings
from bridge.store import Store

if TYPE_CHECKING:
    from bridge.app import Bridge

_BACKUP: Final = "backup"
_FLOWS: Final = "flows"
_RENEWAL: Final = "notifications of {}"
"""Of what renews a partner's channels."""
_RENEW_SECONDS: Final = 1800.0


def names(settings: Settings) -> set[str]:
    """Of these schedules: no other may have them."""
    flows = (f"flow {one}" for one in settings.flows)
    renewed = (_RENEWAL.format(one) for one in _notifying(settings))
    return {retention.NAME, atrest.NAME, _BACKUP, _FLOWS, *flows, *renewed}


def schedules(bridge: Bridge, store: Store) -> Iterator[Schedule]:
    """Those that the settings ask for. Raises SettingsError for a rule that cannot be read."""
    settings = bridge.settings
    yield retention.schedule(store, settings, bridge.audit.removing)
    if store.cipher is not None:
        renew = Every(atrest.EVERY_SECONDS)
        yield Schedule(atrest.NAME, renew, lambda _: atrest.renewed(store, settings.at_rest))
    if settings.backup.folder is not None:
        yield Schedule(_BACKUP, backup_rule(settings), lambda _: bridge.backups.make())
    if any(rule.cron for rule in settings.reconcile.values()):
        yield from bridge.reconciliations.schedules()
    if settings.flows:
        yield from bridge.flows.schedules()
    for name in _notifying(settings):
        yield Schedule(_RENEWAL.format(name), Every(_RENEW_SECONDS), partial(_renew, bridge, name))


def backup_rule(settings: Settings) -> Cron:
    """When a backup is made by itself. Raises SettingsError where it is not said so that it can be read."""
    try:
        return Cron(settings.backup.cron, settings.contracts.zone)
    except ValueError as error:
        raise SettingsError(f"backup.cron: {error}.", advice='Write it like "30 2 * * *".') from None


def _notifying(settings: Settings) -> list[str]:
    """Partners that may tell of changes, by channels that have to be renewed."""
    return [name for name, partner in settings.partners.items() if partner.kind == "zoho"]


def _renew(bridge: Bridge, name: str, _: Firing) -> None:
    backend: Any = getattr(bridge.any_partner(name), "backend", None)
    backend.notifications.renew()
