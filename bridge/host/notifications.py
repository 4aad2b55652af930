"""POST /notifications/NAME: a partner tells that records of its were changed, and flows with the trigger event move them.

It is believed with the token that was agreed on, and answered 200 once what it tells of is taken: kept in one transaction, with the
documents that leave for it. Everything else is answered so that the sender may try again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from bridge.errors import PartnerError, Refusal, StoreError
from bridge.host.protocol import Environ, read_body
from bridge.soap.limits import DEFAULT
from bridge.soap.text import echo

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.partners.partner import Record

log = logging.getLogger(__name__)

PLACE: Final = "/notifications/"
_LIMITS: Final = dataclasses.replace(DEFAULT, max_bytes=256 * 1024)
_KINDS: Final = ("zoho",)


class _Told(Protocol):
    @property
    def entity(self) -> str: ...

    @property
    def records(self) -> Sequence[Record]: ...


def answer(bridge: Bridge, environ: Environ) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Status, text and headers. Raises Refusal for what is no notification."""
    name = environ["PATH_INFO"].removeprefix(PLACE)
    partner = bridge.settings.partners.get(name)
    if environ["REQUEST_METHOD"] != "POST":
        raise Refusal("Notifications are posted.", status=405, headers=(("Allow", "POST"),))
    if partner is None or partner.kind not in _KINDS or not bridge.has_store:
        raise Refusal("Nobody is told of anything here.", status=404)
    body = read_body(environ, _LIMITS)
    try:
        taken = _take(bridge, name, body)
    except (PartnerError, StoreError) as error:
        log.warning("a notification of %s could not be taken: %s", name, echo(str(error), 500))
        return 503, "It could not be taken now.", (("Retry-After", "60"),)
    return 200, f"{taken} taken.", ()


def _take(bridge: Bridge, name: str, body: bytes) -> int:
    backend: Any = getattr(bridge.any_partner(name), "backend", None)
    told: Sequence[_Told] = backend.notifications.read(body)
    with bridge.transaction():
        for one in told:
            bridge.flows.take(name, one.entity, one.records)
    return sum(len(one.records) for one in told)
