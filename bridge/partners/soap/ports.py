"""Which port of a contract is called, and how its operations travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from lxml import etree

from bridge.contract import Contract, Operation, Port
from bridge.contract.sources.document import parse
from bridge.contract.wsdl.definitions import WSDL
from bridge.errors import SettingsError
from bridge.soap.addressing import WSA
from bridge.soap.media import Version
from bridge.soap.text import attribute, escape

_WSAW = "http://www.w3.org/2006/05/addressing/wsdl"
_WSAM = "http://www.w3.org/2007/05/addressing/metadata"
_USES_ADDRESSING = (f"{{{_WSAW}}}UsingAddressing", f"{{{_WSAM}}}Addressing")


@dataclass(frozen=True, slots=True)
class Target:
    """The port that is called. `port` None: the contract has none, so that address and version were given.

    `operations` are the keys of those it offers.
    """

    version: Version
    address: str
    port: Port | None
    operations: tuple[str, ...]

    @property
    def named(self) -> str:
        return f"{self.port.service} / {self.port.name}" if self.port else "no port"


def choose(
    contract: Contract,
    *,
    endpoint: str = "",
    service: str = "",
    port: str = "",
    soap: Literal["auto", "1.1", "1.2"] = "auto",
    operation: str = "",
) -> Target:
    """The one port that the settings leave. Of two that differ in the SOAP version alone, 1.1.

    `operation` (a key) leaves only ports that offer it.

    Raises:
        SettingsError: no port is left, several are, or there is no address.
    """
    offered = [found for found in contract.ports if found.soap_version is not None]
    if not offered:
        return _without_ports(contract, endpoint, soap, asked=bool(service or port))
    left = [
        found
        for found in offered
        if service in ("", found.service)
        and port in ("", found.name)
        and soap in ("auto", found.soap_version)
        and (not operation or operation in found.operations)
    ]
    if not left:
        asked = ", ".join(
            f"{what} {value}"
            for what, value in (("service", service), ("port", port), ("SOAP", soap.replace("auto", "")), ("operation", operation))
            if value
        )  # fmt: skip
        raise SettingsError(
            f"{contract.file} has no port with {asked}.", advice=f"It has: {_listed(offered)}."
        )
    lowest = min(found.soap_version or "" for found in left)
    alike = [found for found in left if found.soap_version == lowest]
    if len({found.binding if endpoint else (found.service, found.name) for found in alike}) > 1:
        raise SettingsError(
            f"{contract.file} has {len(alike)} ports that would do: {_listed(alike)}.",
            advice="Say which with `service` and `port`.",
        )
    chosen = alike[0]
    assert chosen.soap_version is not None
    return Target(
        chosen.soap_version, _address(endpoint or chosen.address, contract), chosen, chosen.operations
    )


def _without_ports(
    contract: Contract, endpoint: str, soap: Literal["auto", "1.1", "1.2"], *, asked: bool
) -> Target:
    if asked:
        raise SettingsError(
            f"{contract.file} has no SOAP port.",
            advice="Leave `service` and `port` out, and give `endpoint`.",
        )
    if not endpoint:
        raise SettingsError(f"{contract.file} names no address for SOAP.", advice="Give one: `endpoint`.")
    keys = [key for key, found in contract.operations.items() if found.problem is None]
    spoken = {version for key in keys for version in contract.operations[key].soap_versions} or {"1.1"}
    version: Version = ("1.1" if "1.1" in spoken else "1.2") if soap == "auto" else soap
    return Target(version, _address(endpoint, contract), None, tuple(keys))


def _address(address: str, contract: Contract) -> str:
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError for what is no number
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or not address.isascii() or any(letter <= " " for letter in address):
        raise SettingsError(
            f"The address {address!r} of {contract.file} cannot be called.",
            advice="`endpoint` wants http:// or https://, a host, and no password (that is `username` and `password`).",
        )
    return address


def _listed(ports: list[Port]) -> str:
    return "; ".join(
        f"service {found.service}, port {found.name} (SOAP {found.soap_version}, {found.address or 'no address'})"
        for found in ports
    )


def soap_action(contract: Contract, operation: Operation, target: Target) -> str:
    """The action that the chosen binding gives the operation; "" where it gives none."""
    if len(operation.soap_actions) <= 1 or target.port is None:
        return next(iter(sorted(operation.soap_actions)), "")
    binding = contract.definitions.bindings[target.port.binding]
    found = [bound.soap_action for bound in binding.operations if bound.name == operation.name]
    matching = [action for action in found if action in operation.soap_actions]
    return (matching or found or [""])[0]


class AddressingOf:
    """What a contract's WSDLs say of WS-Addressing (WSDL Binding 1.0, sections 3 and 4)."""

    def __init__(self, contract: Contract) -> None:
        self._wsdls = [
            root
            for name, content in contract.documents.items()
            if (root := parse(content, file=name)).tag == f"{{{WSDL}}}definitions"
        ]

    @property
    def used(self) -> bool:
        """Whether a binding or a policy asks for the headers. Actions alone say nothing: many tools always write them."""
        return any(next(root.iter(*_USES_ADDRESSING), None) is not None for root in self._wsdls)

    def action(self, operation: Operation, soap_action: str) -> str:
        """The action of a request: the one named for the input, the SOAP action, else the pattern of section 4.4.4."""
        local = operation.port_type.rpartition("}")[2]
        for declared in self._inputs(local, operation.name):
            named = declared.get(f"{{{_WSAM}}}Action") or declared.get(f"{{{_WSAW}}}Action")
            if named:
                return named
        if soap_action:
            return soap_action
        namespace = operation.port_type.removeprefix("{").rpartition("}")[0]
        separator = ":" if namespace.startswith("urn:") else "/"
        return separator.join((namespace.rstrip("/"), local, f"{operation.name}Request"))

    def _inputs(self, port_type: str, operation: str) -> Iterator[etree._Element]:
        for root in self._wsdls:
            for place in root.iter(f"{{{WSDL}}}portType"):
                if place.get("name") == port_type:
                    for found in place.iterfind(f"{{{WSDL}}}operation"):
                        if found.get("name") == operation:
                            yield from found.iterfind(f"{{{WSDL}}}input")


def addressing_headers(action: str, to: str, message_id: str) -> str:
    """MessageID, Action, To and ReplyTo as XML text (WS-Addressing 1.0)."""
    declared = f" xmlns:wsa={attribute(WSA)}"
    blocks = (("MessageID", message_id), ("Action", action), ("To", to))
    simple = "".join(f"<wsa:{name}{declared}>{escape(text)}</wsa:{name}>" for name, text in blocks)
    return f"{simple}<wsa:ReplyTo{declared}><wsa:Address>{WSA}/anonymous</wsa:Address></wsa:ReplyTo>"
