"""The Body of an rpc/literal message written down as a schema, after which rpc is the same as document.

The wrapper is named after the operation (the reply's with `Response`), in the namespace of soap:body; each part is
a child without a namespace, in the order of the WSDL message (WS-I Basic Profile 1.1, 4.7.1, R2712, R2735, R2301,
R2729, R2717). xsi:nil is not allowed on an accessor (R2211).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from lxml import etree

from bridge.contract.model import XSD, Documentation, Source
from bridge.contract.schema.components import local_part, namespace_of
from bridge.contract.schema.xsd import clark
from bridge.contract.wsdl.definitions import Part
from bridge.errors import OperationUnavailable

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class Wrappers:
    """Collects the wrapper elements of a contract; the same wrapper asked for twice is made once."""

    def __init__(self) -> None:
        self._wanted: dict[
            tuple[str, str], list[tuple[str, tuple[Part, ...], tuple[Documentation, ...], Source]]
        ] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}

    def add(
        self,
        namespace: str,
        local: str,
        parts: Sequence[Part],
        documented: tuple[Documentation, ...],
        source: Source,
    ) -> str:
        """The wrapper's Clark name. Raises OperationUnavailable when the parts cannot make one."""
        for part in parts:
            if part.type is None:
                raise OperationUnavailable(
                    f"The part {part.name} of an rpc operation has no type.",
                    file=part.source.file,
                    line=part.source.line,
                    advice="Give rpc parts a type=; element= is for style document (WS-I BP R2203).",
                )
        name = clark(namespace, local)
        known = self._parts.get(name)
        if known is None:
            self._parts[name] = tuple(parts)
            self._wanted.setdefault((namespace, source.file), []).append(
                (local, tuple(parts), documented, source)
            )
        elif _accessors(known) != _accessors(parts):
            raise OperationUnavailable(
                f"Another rpc operation has the same wrapper {name} with other parts.",
                file=source.file,
                line=source.line,
                advice="Give the two different namespaces in soap:body.",
            )
        return name

    def schemas(self) -> Iterator[tuple[etree._Element, str]]:
        """One schema per namespace and WSDL file, with that file."""
        for (namespace, file), wanted in self._wanted.items():
            used = {namespace_of(part.type or "") for _, parts, _, _ in wanted for part in parts} - {"", XSD}
            nsmap = {"xs": XSD, **{f"n{index}": name for index, name in enumerate(sorted(used))}}
            root = etree.Element(f"{{{XSD}}}schema", nsmap=nsmap)
            if namespace:
                root.set("targetNamespace", namespace)
            prefixes = {name: f"{prefix}:" for prefix, name in nsmap.items()}
            for local, parts, documented, source in wanted:
                _wrapper(root, local, parts, documented, source, prefixes)
            yield root, file


def _accessors(parts: Sequence[Part]) -> list[tuple[str, str | None]]:
    return [(part.name, part.type) for part in parts]


def _wrapper(
    root: etree._Element,
    local: str,
    parts: Sequence[Part],
    documented: tuple[Documentation, ...],
    source: Source,
    prefixes: dict[str, str],
) -> None:
    element = _add(root, "element", source, name=local)
    _document(element, documented, source)
    sequence = _add(_add(element, "complexType", source), "sequence", source)
    for part in parts:
        type_ = part.type or ""
        reference = prefixes.get(namespace_of(type_), "") + local_part(type_)
        accessor = _add(sequence, "element", part.source, name=part.name, type=reference)
        _document(accessor, part.documentation, part.source)


def _document(element: etree._Element, documented: tuple[Documentation, ...], source: Source) -> None:
    if documented:
        annotation = _add(element, "annotation", source)
        for words in documented:
            node = _add(annotation, "documentation", source)
            node.text = words.text
            if words.language:
                node.set(_XML_LANG, words.language)


def _add(parent: etree._Element, local: str, source: Source, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{XSD}}}{local}", attributes)
    # So that whoever reads this schema points at the user's WSDL; lxml holds 16 bits here.
    cast("Any", child).sourceline = min(source.line, 0xFFFF)
    return child
