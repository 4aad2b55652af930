"""WS-Addressing, as far as a synchronous answer needs it: ids, action, and the promise to answer on this connection.

Two versions are met: 1.0 (2005/08) and the submission of 2004/08. Read: WS-Addressing 1.0 Core, section 3.4 (the
reply) and SOAP Binding, section 6.4 (faults).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.envelope import Envelope
from bridge.soap.refusals import refuse
from bridge.soap.text import attribute, escape, local_name, namespace

WSA = "http://www.w3.org/2005/08/addressing"
WSA_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"

_ANONYMOUS = {WSA: f"{WSA}/anonymous", WSA_2004: f"{WSA_2004}/role/anonymous"}
_SINGLE = ("MessageID", "Action", "To", "From", "ReplyTo", "FaultTo")
_LOCAL_NAMES = (*_SINGLE, "RelatesTo")
_XML_SPACE = " \t\r\n"

UNDERSTOOD = frozenset(f"{{{ns}}}{name}" for ns in (WSA, WSA_2004) for name in _LOCAL_NAMES)
"""Clark names of the header blocks read here, for `envelope.check_understood`."""

LONGEST = 1000
"""Longest id or address, in characters: the answer repeats the id in full, so it must be bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """The addressing headers of one request; "" where one is absent. `ns` is the version's namespace.

    `reference_headers` is XML that the reply must carry: the reference parameters of the ReplyTo endpoint.
    """

    ns: str
    message_id: str = ""
    action: str = ""
    to: str = ""
    relates_to: tuple[str, ...] = field(default=())
    reference_headers: str = ""

    def reply_headers(self, *, action: str, message_id: str) -> str:
        """Header blocks of the answer, as XML text. `message_id` is the answer's own new id (an IRI)."""
        blocks = [
            self._block("To", _ANONYMOUS[self.ns]),
            self._block("Action", action),
            self._block("MessageID", message_id),
        ]
        if self.message_id:
            blocks.append(self._block("RelatesTo", self.message_id))
        return "".join(blocks) + self.reference_headers

    def fault_headers(self, *, action: str = "", message_id: str) -> str:
        """Like `reply_headers` for a Fault; `action` is what the contract names for a declared one, else generic."""
        if not action:
            action = f"{WSA}/soap/fault" if self.ns == WSA else f"{WSA_2004}/fault"
        return self.reply_headers(action=action, message_id=message_id)

    def _block(self, name: str, value: str) -> str:
        return f"<wsa:{name} xmlns:wsa={attribute(self.ns)}>{escape(value)}</wsa:{name}>"


def read(envelope: Envelope) -> Addressing | None:
    """The addressing headers that are for us; None where there are none.

    Raises:
        Refusal: a header twice, headers of both versions, an id beyond LONGEST, a ReplyTo or FaultTo without Address,
            or one that is not anonymous. Its subcodes are the specification's.
    """
    blocks: dict[str, etree._Element] = {}
    relates_to = []
    ns = ""
    for block in envelope.our_headers:
        tag = str(block.tag)
        if tag not in UNDERSTOOD:
            continue
        name = local_name(tag)
        if ns and namespace(tag) != ns:
            raise _invalid("addressing_mixed", ns, "", header=name)
        ns = namespace(tag)
        if name == "RelatesTo":
            relates_to.append(_text(block))
        elif name in blocks:
            raise _invalid("addressing_repeated", ns, "InvalidCardinality", header=name)
        blocks[name] = block
    if not blocks:
        return None
    for name in ("ReplyTo", "FaultTo"):
        if name in blocks:
            _check_anonymous(blocks[name], ns)
    return Addressing(
        ns=ns,
        message_id=_text(blocks.get("MessageID")),
        action=_text(blocks.get("Action")),
        to=_text(blocks.get("To")),
        relates_to=tuple(relates_to),
        reference_headers=_reference_headers(blocks.get("ReplyTo"), ns),
    )


def _text(block: etree._Element | None) -> str:
    if block is None:
        return ""
    text = "".join(str(piece) for piece in block.itertext(str(block.tag))).strip(_XML_SPACE)
    if len(text) > LONGEST:
        tag = str(block.tag)
        raise _invalid("addressing_too_long", namespace(tag), "", header=local_name(tag), most=LONGEST)
    return text


def _check_anonymous(endpoint: etree._Element, ns: str) -> None:
    addresses = endpoint.findall(f"{{{ns}}}Address")
    name, anonymous = local_name(str(endpoint.tag)), _ANONYMOUS[ns]
    if len(addresses) != 1:
        raise _invalid("address_missing", ns, "MissingAddressInEPR", header=name, anonymous=anonymous)
    address = _text(addresses[0])
    if address != anonymous:
        raise _invalid(
            "address_not_anonymous",
            ns,
            "OnlyAnonymousAddressSupported",
            header=name,
            found=address,
            anonymous=anonymous,
        )


def _reference_headers(reply_to: etree._Element | None, ns: str) -> str:
    """What the ReplyTo endpoint wants back as headers: it finds its own context by them (Core, section 3.4)."""
    if reply_to is None:
        return ""
    holders = [f"{{{ns}}}ReferenceParameters"] + ([f"{{{ns}}}ReferenceProperties"] if ns == WSA_2004 else [])
    parts = [
        part for holder in holders for found in reply_to.findall(holder) for part in found.iterchildren("*")
    ]
    return "".join(_as_header(part, ns) for part in parts)


def _as_header(part: etree._Element, ns: str) -> str:
    # A copy by way of text: it keeps prefixes that only values use, and leaves the request as it was.
    text = etree.tostring(part, encoding="unicode", with_tail=False)
    if len(text) > LONGEST:
        raise _invalid("addressing_too_long", ns, "", header="ReplyTo", most=LONGEST)
    if ns != WSA:
        return text
    copy = etree.fromstring(text)
    copy.set(f"{{{WSA}}}IsReferenceParameter", "true")
    return etree.tostring(copy, encoding="unicode")


def _invalid(key: str, ns: str, special: str, **values: Any) -> Refusal:
    """An addressing Fault; the 2004 version has one general code only."""
    if ns == WSA_2004:
        return refuse(key, subcodes=(f"{{{ns}}}InvalidMessageInformationHeader",), **values)
    subcodes = [f"{{{ns}}}InvalidAddressingHeader"] + ([f"{{{ns}}}{special}"] if special else [])
    return refuse(key, subcodes=subcodes, **values)
