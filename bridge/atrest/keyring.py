"""The data keys in memory: what encrypts and opens contents (`bridge.store.cipher`).

All processes look every few seconds which keys there are (`Store` calls `refresh`), so that a rotation reaches them without a
restart; a key that was retired meanwhile still opens what it encrypted, for ever.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from bridge.atrest.wrapping import WrappingKey
from bridge.errors import StoreError
from bridge.store import Session, Store, data_keys
from bridge.store.cipher import KEY_BYTES, MAGIC, NONCE_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_AT: Final = len(MAGIC)
_NONCE_AT: Final = _KEY_AT + KEY_BYTES
_TEXT_AT: Final = _NONCE_AT + NONCE_BYTES


class Keyring:
    """`Cipher` with the data keys of a store, as far as `wrapping` opens them.

    A nonce is 96 random bits: a key is good for billions of contents (NIST SP 800-38D, 8.3), and is replaced long before
    (`at_rest.renew`).
    """

    def __init__(self, store: Store, wrapping: WrappingKey) -> None:
        self._store = store
        self.wrapping = wrapping
        self._ciphers: dict[int, AESGCM] = {}
        self._current: tuple[bytes, AESGCM] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Have a key to encrypt with: the newest that there is, or the first.

        Raises:
            StoreError: the newest was wrapped by other keys than this one.
        """
        self.refresh()
        if self._current is not None:
            return
        self._store.run(lambda transaction: self._make_first(transaction.session))
        self.refresh()

    def _make_first(self, session: Session) -> None:
        keys = data_keys.all_keys(session)
        if not keys:
            data_keys.add(session, {self.wrapping.name: self.wrapping.wrap(os.urandom(32))})
            return
        wrapped = keys[-1].wraps.get(self.wrapping.name)
        if wrapped is not None and self.wrapping.unwrap(wrapped) is not None:
            return  # another process was quicker
        raise StoreError(
            f"The key that the settings give ({self.wrapping.name}) opens nothing of the store {self._store.shown}: its data keys are "
            f"wrapped by {', '.join(data_keys.names(keys)) or 'none'}.",
            advice="Set the one that was there before; to replace it: soapbridge keys rotate --to FILE",
        )

    def refresh(self) -> None:
        with self._store.reading() as session:
            keys = data_keys.all_keys(session)
        with self._lock:
            for key in keys:
                if key.id not in self._ciphers:
                    self._take(key)
            usable = [key.id for key in keys if key.retired_at is None and key.id in self._ciphers]
            if usable:
                newest = usable[-1]
                self._current = (MAGIC + newest.to_bytes(KEY_BYTES, "big"), self._ciphers[newest])

    def _take(self, key: data_keys.DataKey) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        wrapped = key.wraps.get(self.wrapping.name)
        secret = None if wrapped is None else self.wrapping.unwrap(wrapped)
        if secret is not None:
            self._ciphers[key.id] = AESGCM(secret)

    def seal(self, plain: bytes, place: str) -> bytes:
        assert self._current is not None
        head, cipher = self._current
        nonce = os.urandom(NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, plain, place.encode())

    def open(self, kept: bytes, place: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not kept.startswith(MAGIC):
            return kept
        number = int.from_bytes(kept[_KEY_AT:_NONCE_AT], "big")
        cipher = self._ciphers.get(number)
        if cipher is None:
            self.refresh()  # made by another process a moment ago
            cipher = self._ciphers.get(number)
        if cipher is None:
            raise StoreError(
                f"{place} is encrypted with data key {number}, which the key of the settings ({self.wrapping.name}) does not open.",
                advice="`soapbridge keys list` tells which key does; set that one.",
            )
        try:
            return cipher.decrypt(kept[_NONCE_AT:_TEXT_AT], kept[_TEXT_AT:], place.encode())
        except InvalidTag:
            raise StoreError(
                f"{place} was changed or moved after it was written: it does not open.",
                advice="Restore that row from a backup, and find out who can write to the database.",
            ) from None

    def seals_with(self, kept: bytes) -> bool:
        """Whether this was encrypted with the key that is used now."""
        assert self._current is not None
        return kept.startswith(self._current[0])
