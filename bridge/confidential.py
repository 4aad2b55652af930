"""What of an exchange is kept and told without credentials and secret fields.

The journal keeps envelopes without credentials, and with the fields that are declared secret: they are masked when they are shown. Words
about a message (violations, reasons, errors, logs, faults) never quote them.
"""

from __future__ import annotations

from lxml import etree

from bridge.exchange import Exchange
from bridge.fields import masking, words
from bridge.fields.masking import Secrets
from bridge.fields.path import FieldPath
from bridge.settings import Service
from bridge.soap.masking import masked_request
from bridge.soap.xml import read_own


class Confidential:
    """For one service. Raises ValueError for a field that cannot be read."""

    def __init__(self, settings: Service) -> None:
        self.secrets = Secrets.read(settings.secret)
        self.headers = settings.secret_headers

    def request(self, exchange: Exchange) -> bytes:
        """The request's envelope as it may be kept."""
        return masked_request(exchange.body, exchange.source, self.headers)

    def clean(self, exchange: Exchange, error: BaseException) -> None:
        """Takes secret values out of what an error of ours says, in place: it goes to fault, journal and log."""
        if self.secrets:
            paths = self._paths(exchange)
            words.clean(error, paths, self._values(exchange, paths))

    def text(self, exchange: Exchange, text: str) -> str:
        """Any other words: a trace, what a handler's own error says."""
        if not self.secrets:
            return text
        return masking.masked_text(text, self._values(exchange, self._paths(exchange)))

    def _paths(self, exchange: Exchange) -> tuple[FieldPath, ...]:
        return self.secrets.of(None if exchange.plan is None else exchange.plan.key)

    def _values(self, exchange: Exchange, paths: tuple[FieldPath, ...]) -> list[str]:
        """Of the request wherever they stand in it, and of the reply as far as it was made."""
        root = None if exchange.envelope is None else exchange.envelope.root
        found = masking.values(root, paths, anywhere=True)
        for text in (exchange.payload, exchange.detail):
            if text:
                found += masking.values(_tree(text), paths, anywhere=True)
        return found


def _tree(text: str) -> etree._Element | None:
    try:
        return read_own(text.encode())
    except etree.XMLSyntaxError:
        return None
