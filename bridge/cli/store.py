"""`soapbridge migrate`: make the store's tables, or bring them to what this program needs."""

from __future__ import annotations

from bridge.cli.output import AsJson, ConfigFile, finish
from bridge.settings import load


def migrate(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Make the store's tables, or bring them to what this program needs. Changes nothing when they are."""
    from bridge.store import Store

    store = Store(load(config).store_url)
    try:
        store.migrate()
        store.check()
    finally:
        store.close()
    finish(
        f"{store.shown} is ready. Next: soapbridge serve",
        as_json=as_json,
        content={"store": store.shown},
    )
