"""What commands show of messages: fields that the settings declare secret are `***`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from bridge.fields.path import FieldPath
    from bridge.settings import Settings
    from bridge.store import Entry

_VALID = frozenset({"accepted", "fault"})


class Masking:
    """By the settings of services and partners. Raises SettingsError for a field that cannot be read."""

    def __init__(self, settings: Settings) -> None:
        from bridge.errors import SettingsError
        from bridge.fields.masking import Secrets

        self._of: dict[tuple[str, str], Secrets] = {}
        for kind, sections in (("services", settings.services), ("partners", settings.partners)):
            for name, section in sections.items():
                try:
                    secrets = Secrets.read(section.secret)
                except ValueError as error:
                    raise SettingsError(f"{kind}.{name}.secret: {error}.") from None
                if secrets:
                    self._of[kind, name] = secrets

    def exchange(self, entry: Entry) -> Entry:
        """As it may be shown. Of a message that cannot be read nothing is."""
        from bridge.fields import masking

        paths = self._paths(entry)
        if not paths:
            return entry
        anywhere = entry.verdict not in _VALID
        secret: list[str] = [
            str(row["found"])
            for row in entry.violations
            if row.get("found") and masking.is_secret(str(row.get("path") or ""), paths)
        ]
        request, found = _masked(entry.request, paths, anywhere=anywhere)
        secret += found
        reply, found = _masked(entry.reply, paths, anywhere=anywhere)
        secret += found
        reason = entry.fault_reason
        return dataclasses.replace(
            entry,
            request=request,
            reply=reply,
            fault_reason=None if reason is None else masking.masked_text(reason, secret),
            violations=tuple(masking.masked_row(row, paths, secret) for row in entry.violations),
        )

    def document(self, partner: str, operation: str, payload: str) -> tuple[str, list[str]]:
        """What is sent to a partner as it may be shown, and the values that were replaced."""
        secrets = self._of.get(("partners", partner))
        paths = () if secrets is None else secrets.of(operation)
        shown, values = _masked(payload.encode(), paths, anywhere=False) if paths else (None, [])
        return (payload if shown is None else shown.decode()), values

    def of_partner(self, partner: str) -> bool:
        """Whether anything of what goes to this partner is secret."""
        return ("partners", partner) in self._of

    def answer(self, entry: Entry, envelope: bytes) -> bytes:
        """What a request of the journal would be answered today, as it may be shown."""
        paths = self._paths(entry)
        return (_masked(envelope, paths, anywhere=True)[0] or b"") if paths else envelope

    def _paths(self, entry: Entry) -> tuple[FieldPath, ...]:
        """Of a service every major: the journal has the contract's name alone."""
        if entry.direction == "out":
            named = [self._of.get(("partners", entry.partner or ""))]
        else:
            contract = entry.contract or ""
            named = [
                secrets
                for (kind, name), secrets in self._of.items()
                if kind == "services" and (not contract or name.partition("/")[0] == contract)
            ]
        return tuple(path for secrets in named if secrets is not None for path in secrets.of(entry.operation))


def _masked(
    envelope: bytes | None, paths: tuple[FieldPath, ...], *, anywhere: bool
) -> tuple[bytes | None, list[str]]:
    """The message without secret values, and those; the very bytes where it has none."""
    from bridge.fields import masking
    from bridge.soap.masking import outside_parser

    if not envelope:
        return envelope, []
    try:
        root = etree.fromstring(envelope, outside_parser())
    except (etree.XMLSyntaxError, ValueError):
        return b"*** (not readable; it may hold secret fields)", []
    # Before they are replaced: what is inside another one is gone then.
    values = masking.values(root, paths, anywhere=anywhere)
    if not masking.mask(root, paths, anywhere=anywhere):
        return envelope, []
    return etree.tostring(root, encoding="utf-8", xml_declaration=envelope.lstrip()[:5] == b"<?xml"), values
