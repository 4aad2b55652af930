"""Outgoing exchanges in the journal: each in a transaction of its own, after the call, without its secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from lxml import etree

from bridge.contract.explain.violation import Violation
from bridge.errors import PartnerError, Refused
from bridge.soap.envelope import NAMESPACES
from bridge.soap.xml import read_own
from bridge.store import ExchangeRecord, Store, Verdict
from bridge.store.journal import record

log = logging.getLogger(__name__)

_WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}Security"
_HEADERS = tuple(f"{{{namespace}}}Header" for namespace in NAMESPACES.values())
_VERDICTS: Mapping[str, Verdict] = {
    "Refused": "refused",
    "Unpresentable": "invalid_request",
    "DeliveredUnreadable": "invalid_reply",
}


class OutgoingJournal:
    """Writes what became of calls. Never raises: the call was made, whatever becomes of its row.

    `store` gives the store, or None: then nothing is written. `keep` is the setting journal.keep_bodies.
    """

    def __init__(self, store: Callable[[], Store | None], keep: Literal["all", "refused", "none"]) -> None:
        self._store = store
        self._keep = keep

    def keeps(self, *, accepted: bool) -> bool:
        """Whether envelopes are wanted: making them fit to be kept costs something."""
        return self._keep == "all" or (self._keep == "refused" and not accepted)

    def write(self, row: ExchangeRecord) -> None:
        try:
            store = self._store()
            if store is None:
                return
            with store.transaction() as transaction:
                record(transaction.session, row)
        except Exception:
            log.exception("exchange %s with %s could not be journaled", row.exchange_id, row.partner)


def verdict_of(error: PartnerError | None) -> Verdict:
    """The journal's word: a declared fault is `fault`, what has no word of its own `failed`, its outcome the fault code."""
    if error is None:
        return "accepted"
    if isinstance(error, Refused) and error.name:
        return "fault"
    return _VERDICTS.get(error.outcome, "failed")


def violations_of(error: PartnerError | None) -> list[dict[str, object]]:
    """What a person looks for first in each violation."""
    found: Sequence[Violation] = getattr(error, "violations", ())
    return [
        {
            "kind": violation.kind,
            "path": violation.path,
            "line": violation.line,
            "found": violation.found,
            "expected": violation.expected,
            "message": violation.messages.get("en", ""),
        }
        for violation in found
    ]


def _parser() -> etree.XMLParser:
    """With libxml2's limits: for what came from outside."""
    return etree.XMLParser(resolve_entities=False, no_network=True)


def is_secret(name: str, secret: Collection[str]) -> bool:
    """Whether a header block (Clark name) holds credentials: `wsse:Security`, and those of these local or Clark names."""
    return name == _WSSE or name in secret or name.rpartition("}")[2] in secret


def masked(envelope: bytes, secret: Collection[str] = (), *, ours: bool = False) -> bytes:
    """The envelope with the content of its secret header blocks replaced; else the very bytes.

    `wsse:Security` is always one; `secret` are local or Clark names of others. `ours` is what we wrote, which can be
    read whatever its size. What cannot be read came from the partner and is kept as it is: our secrets are in what we
    wrote.
    """
    if not secret and b"Security" not in envelope:
        return envelope
    try:
        root = read_own(envelope) if ours else etree.fromstring(envelope, _parser())
    except etree.XMLSyntaxError:
        return envelope
    hidden = [
        block
        for header in root.iterchildren(*_HEADERS)
        for block in header.iterchildren("*")
        if is_secret(str(block.tag), secret)
    ]
    for block in hidden:
        tail = block.tail
        block.clear()
        block.text, block.tail = "***", tail
    return etree.tostring(root, encoding="utf-8", xml_declaration=True) if hidden else envelope
