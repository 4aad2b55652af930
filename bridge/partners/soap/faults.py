"""A Fault that a partner sent: read as it came, and judged.

SOAP 1.1 section 4.4 and SOAP 1.2 Part 1 section 5.4. Senders take liberties with both (no namespace on the code, a
namespace on its neighbours), so that names are compared without namespace here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.errors import (
    DecodeError,
    InDoubt,
    InvalidReply,
    PartnerError,
    ReceivedFault,
    Refused,
    Unauthorised,
)
from bridge.soap.envelope import Envelope
from bridge.soap.security import WSSE, WSU
from bridge.soap.text import clip

_LONGEST_REASON = 1000
_LONGEST_DETAIL = 4000
_MOST_SUBCODES = 10
_OF_WSSE = (
    "FailedAuthentication", "FailedCheck", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable",
    "UnsupportedAlgorithm", "UnsupportedSecurityToken",
)  # fmt: skip
_NOT_LET_IN = frozenset({*(f"{{{WSSE}}}{name}" for name in _OF_WSSE), f"{{{WSU}}}MessageExpired"})
"""SOAP Message Security 1.1, section 12: found before the message was acted on."""

Blame = Literal["sender", "receiver", "headers", "unknown"]
_BLAME: dict[str, Blame] = {
    "Client": "sender",
    "Sender": "sender",
    "DataEncodingUnknown": "sender",
    "Server": "receiver",
    "Receiver": "receiver",
    "MustUnderstand": "headers",
    "VersionMismatch": "headers",
}


@dataclass(frozen=True, slots=True)
class FoundFault:
    """`said` is the Fault in words, `entries` the elements of its detail, `blame` whose mistake its code says it is."""

    said: ReceivedFault
    entries: tuple[etree._Element, ...]
    blame: Blame


def read(envelope: Envelope) -> FoundFault:
    """The Fault in the Body of `envelope`, which has one."""
    fault = envelope.fault
    assert fault is not None
    parts = {etree.QName(child).localname: child for child in fault.iterchildren("*")}
    code, *subcodes = _codes_11(parts) if envelope.version == "1.1" else _codes_12(parts)
    first = _local(code).partition(".")[0]  # `Client.Authentication`: SOAP 1.1, section 4.4.1
    blame = _BLAME.get(first, "unknown")
    if blame == "unknown" and code:
        subcodes.insert(0, code)
    detail = parts.get("detail" if envelope.version == "1.1" else "Detail")
    said = ReceivedFault(
        code=first if blame != "unknown" else clip(_local(code), 100),
        subcodes=tuple(clip(name, 500) for name in subcodes),
        reason=clip(_reason(parts), _LONGEST_REASON),
        detail="" if detail is None else clip(_inner(detail), _LONGEST_DETAIL),
    )
    return FoundFault(said, () if detail is None else tuple(detail.iterchildren("*")), blame)


def outcome(found: FoundFault, contract: Contract, operation: Operation, status: int) -> PartnerError:
    """What the Fault means for the call: the contract's own fault, else by whose mistake it says it is."""
    declared: dict[str, str] = {}
    for name, element in operation.faults.items():
        declared.setdefault(element, name)
    entry = next((entry for entry in found.entries if entry.tag in declared), None)
    if entry is not None:
        return _declared(found, contract, declared[str(entry.tag)], entry, status)
    return _undeclared(found, status)


def _declared(
    found: FoundFault, contract: Contract, name: str, entry: etree._Element, status: int
) -> PartnerError:
    element = str(entry.tag)
    try:
        contract.guard.check(element, entry, error=InvalidReply, what=f"fault {name}")
        value = contract.codec.decode(element, entry)
    except (InvalidReply, DecodeError) as error:
        plain = _undeclared(found, status)
        plain.message = (
            f"The partner answered with the fault {name}, which breaks the contract. {error.message}"
        )
        if isinstance(plain, Refused):
            plain.name = name
            plain.violations = error.violations if isinstance(error, InvalidReply) else ()
        return plain
    return Refused(
        f"The partner answered with the fault {name}: {found.said.reason or 'it gives no reason'}",
        name=name,
        value=value,
        fault=found.said,
        status=status,
        advice="The contract says what this fault means; the same request gets the same answer.",
    )


def _undeclared(found: FoundFault, status: int) -> PartnerError:
    said = found.said
    reason = said.reason or "it gives no reason"
    if not _NOT_LET_IN.isdisjoint(said.subcodes):
        return Unauthorised(
            f"The partner does not accept our credentials: {reason}",
            fault=said,
            status=status,
            advice="Correct them before anything is sent again.",
        )
    if found.blame == "headers":
        return Refused(
            f"The partner did not act on the request ({said.code}): {reason}",
            fault=said,
            status=status,
            advice="Another SOAP version (`soap`), or other headers, may be what it wants.",
        )
    if found.blame == "sender":
        return Refused(
            f"The partner refused the request: {reason}",
            fault=said,
            status=status,
            advice="Correct the request.",
        )
    whose = (
        "an error of its own" if found.blame == "receiver" else f"the fault {said.code or 'without a code'}"
    )
    return InDoubt(
        f"The partner reports {whose}: {reason}",
        fault=said,
        status=status,
        advice="It may have been done or not: ask the partner, or repeat only where it knows requests by their id.",
    )


def _codes_11(parts: dict[str, etree._Element]) -> list[str]:
    code = parts.get("faultcode")
    return ["" if code is None else _clark(code)]


def _codes_12(parts: dict[str, etree._Element]) -> list[str]:
    codes: list[str] = []
    place = parts.get("Code")
    while place is not None and len(codes) <= _MOST_SUBCODES:
        value = place.find("{*}Value")
        codes.append("" if value is None else _clark(value))
        place = place.find("{*}Subcode")
    return codes or [""]


def _clark(element: etree._Element) -> str:
    prefix, _, local = _text(element).rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    return f"{{{namespace}}}{local}" if namespace else local


def _reason(parts: dict[str, etree._Element]) -> str:
    """SOAP 1.2 gives it in several languages: English where there is some, else the first."""
    if "faultstring" in parts:
        return _text(parts["faultstring"])
    texts = list(parts["Reason"].iterfind("{*}Text")) if "Reason" in parts else []
    english = [text for text in texts if (_language(text) or "").lower().startswith("en")]
    return _text((english or texts)[0]) if texts else ""


def _language(element: etree._Element) -> str | None:
    return element.get("{http://www.w3.org/XML/1998/namespace}lang")


def _inner(detail: etree._Element) -> str:
    children = "".join(etree.tostring(child, encoding="unicode") for child in detail)
    return f"{detail.text or ''}{children}".strip()


def _text(element: etree._Element) -> str:
    return " ".join("".join(str(piece) for piece in element.itertext()).split())


def _local(name: str) -> str:
    return name.rpartition("}")[2]
