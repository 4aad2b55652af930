"""Encryption at rest: envelopes, documents and kept answers in the store, with keys that are not in it (docs/at-rest.md).

wrapping key    from `at_rest.key_file` or `at_rest.key_command`; never in the store
data keys       in the store, wrapped; each encrypts contents for a few months (`at_rest.renew`)
contents        AES-256-GCM (`bridge.store.cipher` says which columns, and in what form)
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from bridge.errors import StoreError
from bridge.settings import AtRest
from bridge.store import Store, data_keys

if TYPE_CHECKING:
    from bridge.atrest.keyring import Keyring

log = logging.getLogger(__name__)

NAME: Final = "data-keys"
"""Of the schedule that renews data keys."""
EVERY_SECONDS: Final = 6 * 3600.0


def protect(store: Store, settings: AtRest) -> Keyring | None:
    """Give the store its cipher, as the settings say. Its schema must be there and fit.

    Raises:
        SettingsError: the key cannot be read.
        StoreError: it is not the one that wrapped the store's data keys, or there are some and the settings give none.
    """
    from bridge.atrest.wrapping import wrapping_key

    key = wrapping_key(settings)
    if key is None:
        with store.reading() as session:
            keys = data_keys.all_keys(session)
        if keys:
            raise StoreError(
                f"What the store {store.shown} keeps is encrypted, and the settings give no key.",
                advice=f"Set `at_rest.key_file` or `at_rest.key_command`: the key {', '.join(data_keys.names(keys))}.",
            )
        return None
    from bridge.atrest.keyring import Keyring

    keyring = Keyring(store, key)
    keyring.prepare()
    store.cipher = keyring
    return keyring


def renewed(store: Store, settings: AtRest) -> None:
    """What the schedule does: a new data key where the present one is too old."""
    from bridge.atrest.keyring import Keyring
    from bridge.atrest.rotation import renew

    if isinstance(store.cipher, Keyring) and settings.renew:
        made = renew(store, store.cipher, days=settings.renew)
        if made is not None:
            log.info("data key %d is used from now on", made)
