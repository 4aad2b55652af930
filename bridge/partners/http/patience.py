"""All pages of a partner that may be busy: reading in bulk waits for it, where a single request would be told to come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from bridge.errors import Unavailable
from bridge.partners.partner import Page, Query

PATIENCE: Final = 120.0
"""Seconds that a partner is waited for, all in all."""

_UNSAID: Final = 5.0
"""Seconds for one that does not say when to come back."""


def pages(
    fetch: Callable[[Query], Page], query: Query, *, is_busy: Callable[[Unavailable], bool] = lambda _: True
) -> Iterator[Page]:
    """Every page from the beginning of the query on.

    Raises:
        Unavailable: the partner is not busy but away, or was waited for long enough.
    """
    asked, left = query, PATIENCE
    while True:
        try:
            page = fetch(asked)
        except Unavailable as error:
            wait = _UNSAID if error.retry_after is None else error.retry_after
            if wait > left or not is_busy(error):
                raise
            left -= wait
            time.sleep(wait)
            continue
        yield page
        if page.next is None:
            return
        asked = replace(asked, after=page.next)
