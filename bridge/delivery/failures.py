"""What is written to the log when a thread of delivery has failed and will try again."""

from __future__ import annotations

import structlog

from bridge.store import Store

log = structlog.get_logger(__name__)


def tell_failure(store: Store, event: str, error: BaseException, **fields: object) -> None:
    """A store that cannot be used now is no riddle: one line. Anything else is ours to find: the trace with it."""
    if store.has_failed(error):
        log.warning(event, reason=f"{type(error).__name__}: {error}", **fields)
    else:
        log.error(event, exc_info=error, **fields)
