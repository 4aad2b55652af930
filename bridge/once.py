"""What is made at the first look, once, whatever the number of threads that look at the same time."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    made_once = cached_property
else:

    class made_once(cached_property):  # noqa: N801 - read as a decorator
        """As `functools.cached_property`, which since Python 3.12 lets several threads make one each."""

        def __init__(self, make):
            super().__init__(make)
            self._making = threading.RLock()

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            with self._making:
                return super().__get__(instance, owner)
