"""`soapbridge check`: everything that can be known before the first request."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from bridge.cli.bridges import Target, open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say
from bridge.errors import BridgeError, SettingsError
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.access.doors import Door


def check(target: Target = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Check settings, contracts, handlers and the store; with MODULE:BRIDGE those of your own bridge."""
    mistakes: list[str] = []
    warnings: list[str] = []
    services: list[str] = []
    found: list[Door] = []
    from bridge.access.doors import unprotected

    try:
        with closing(open_bridge(target, config)) as bridge:
            services = sorted(service.name for service in bridge.services.values())
            bridge.check()
            _check_tls(bridge.settings)
            found = bridge.open_doors()
            if bridge.store is not None:
                found += unprotected(bridge.settings)
            warnings = [door.says for door in found] + bridge.misread_partners()
            if bridge.store is not None:
                from bridge.ops.probe import folder_warnings

                warnings += bridge.store.warnings() + bridge.waiting_for_nobody()
                warnings += folder_warnings(bridge.settings.data.folder, bridge.store.file)
                if bridge.settings.backup.folder is not None:
                    warnings += bridge.backups.warnings()
    except SettingsError as error:
        mistakes = list(error.mistakes)
    except BridgeError as error:
        mistakes = [str(error)]
    if not as_json:
        for mistake in mistakes:
            say(f"mistake: {mistake}", "red")
        for warning in warnings:
            say(f"warning: {warning}", "yellow")
        if not mistakes:
            say(f"Services: {', '.join(services) or 'none'}.")
    command = f"soapbridge serve {target}" if target else "soapbridge serve"
    finish(
        f"Nothing wrong. Next: {command}" if not mistakes else "Mend these, then check again.",
        ok=not mistakes,
        as_json=as_json,
        content={
            "services": services,
            "mistakes": mistakes,
            "warnings": warnings,
            "doors": sorted({door.name for door in found}),
        },
    )


def _check_tls(settings: Settings) -> None:
    from bridge.host.server import ServerOptions

    tls = ServerOptions.of(settings).tls
    if tls is not None:
        tls.context()
