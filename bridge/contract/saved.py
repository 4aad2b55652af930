"""A loaded contract as bytes, and back: what a warm start reads instead of working it out again.

Plain data only: JSON, followed by the texts that libxml2 compiles, without documentation (half the time of compiling is
reading). Bytes that are not exactly what `freeze` made give nothing, and the contract is loaded anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache as once
from pathlib import Path
from typing import Any, TypeAlias

from lxml import etree

from bridge.contract.loaded import Loaded, SavedBundle, SavedDocument
from bridge.contract.model import XSD, Documentation, Source
from bridge.contract.schema.bundle import Bundle
from bridge.contract.schema.compiler import text_of
from bridge.contract.schema.declarations import KINDS, Declarations
from bridge.contract.schema.reader import SchemaModel
from bridge.contract.schema.schemas import SchemaDocument
from bridge.contract.schema.xsd import XSD_CHILDREN, clark, local_name
from bridge.contract.sources.document import line_of
from bridge.contract.sources.inputs import Cache, Trace, unchanged
from bridge.contract.wsdl.operations import Header, Operation, Port
from bridge.contract.wsdl.served import Published, Served
from bridge.errors import ContractError, OperationUnavailable

Plain: TypeAlias = "dict[str, Any]"

_ERRORS: dict[str, type[ContractError]] = {"contract": ContractError, "operation": OperationUnavailable}


def key_of(location: str, catalog: Mapping[str, Path], *, remote: bool) -> str:
    """Where the contract of a WSDL is kept: by everything that it is read with, but for the files' contents."""
    entries = sorted((name, str(path)) for name, path in catalog.items())
    # Names in errors start at the working folder, as the user's own path does.
    asked = [_own_digest(), etree.LIBXML_VERSION, location, str(Path.cwd()), remote, entries]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


@once
def _own_digest() -> str:
    """Of the code that makes and reads these bytes: what another version kept is not ours."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


# -- to bytes ---------------------------------------------------------------------------------------------------------


def freeze(loaded: Loaded, bundle: Bundle, trace: Trace) -> bytes:
    """The contract as bytes, once its schemas have compiled."""
    model = loaded.model()
    errors = _Errors()
    blobs: list[bytes] = []
    positions = {component.node: component.position for component in bundle.surviving()}
    head: Plain = {
        "inputs": trace.plain(),
        "file": loaded.file,
        "documentation": _words(loaded.documentation),
        "operations": [_operation(found, errors) for found in loaded.operations],
        "ports": [
            [port.service, port.name, port.address, port.soap_version, port.binding, port.operations]
            for port in loaded.ports
        ],
        "problems": [errors.number(problem) for problem in loaded.problems],
        "published": [[found.name, found.location, found.is_schema] for found in loaded.served.published],
        "links": [[*link, target] for link, target in loaded.served.links.items()],
        "schemas": [_schema(document, positions, blobs) for document in bundle.documents],
        "heads": dict(model.heads()),
        "prefixes": dict(model.prefixes()),
        "digest": bundle.digest,
    }
    head["errors"] = errors.rows
    head["blobs"] = [len(blob) for blob in blobs]
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((len(text).to_bytes(8, "big"), text, *blobs))


class _Errors:
    """Every error once: which problem is the cause of which says what is reported twice."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._numbers: dict[int, int] = {}

    def number(self, error: ContractError) -> int:
        known = self._numbers.get(id(error))
        if known is not None:
            return known
        cause = error.__cause__
        row = [
            "operation" if isinstance(error, OperationUnavailable) else "contract",
            error.message,
            error.file,
            error.line,
            error.advice,
            self.number(cause) if isinstance(cause, ContractError) else None,
        ]
        self.rows.append(row)
        self._numbers[id(error)] = len(self.rows) - 1
        return len(self.rows) - 1


def _operation(found: Operation, errors: _Errors) -> list[Any]:
    return [
        found.name,
        found.key,
        found.port_type,
        found.bindings,
        found.style,
        sorted(found.soap_actions),
        sorted(found.soap_versions),
        found.one_way,
        found.input,
        found.output,
        [[header.name, header.required] for header in found.input_headers],
        [[header.name, header.required] for header in found.output_headers],
        list(found.faults.items()),
        _words(found.documentation),
        [found.source.file, found.source.line],
        None if found.problem is None else errors.number(found.problem),
    ]


def _words(documentation: Iterable[Documentation]) -> list[tuple[str, str]]:
    return [(words.language, words.text) for words in documentation]


def _schema(document: SchemaDocument, positions: Mapping[etree._Element, int], blobs: list[bytes]) -> Plain:
    text = text_of(document)
    blobs.append(_undocumented(text))
    row: Plain = {
        "namespace": document.namespace,
        "chameleon": document.chameleon,
        "file": document.file,
        "base_line": document.base_line,
    }
    if document.document is not None:
        row["location"] = document.document.location
        row["path"] = _path(document.root)
    else:
        row["lines"] = [line_of(element) for element in document.root.iter()]
        blobs.append(text)
        positions = {child: number for number, child in enumerate(document.root)}
    row["declared"] = [
        [KINDS.index(local_name(child)), child.get("name"), positions[child]]
        for child in document.root.iterchildren(XSD_CHILDREN)
        if local_name(child) in KINDS and child.get("name") is not None
    ]
    return row


def _path(element: etree._Element) -> list[int]:
    path: list[int] = []
    while (parent := element.getparent()) is not None:
        path.insert(0, parent.index(element))
        element = parent
    return path


def _undocumented(text: bytes) -> bytes:
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, remove_blank_text=True, huge_tree=True)
    root = etree.fromstring(text, parser)
    etree.strip_elements(root, f"{{{XSD}}}annotation")
    return etree.tostring(root, encoding="utf-8")


# -- and back ---------------------------------------------------------------------------------------------------------


def thaw(saved: bytes, cache: Cache) -> Loaded | None:
    """What `freeze` kept; None when an input has changed since, or the bytes are not its."""
    try:
        return _thaw(saved, cache)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _thaw(saved: bytes, cache: Cache) -> Loaded | None:
    end = 8 + int.from_bytes(saved[:8], "big")
    head = json.loads(saved[8:end])
    contents = unchanged(head["inputs"], cache)
    if contents is None:
        return None
    errors: list[ContractError] = []
    for kind, message, file, line, advice, cause in head["errors"]:
        error = _ERRORS[kind](message, file=file, line=line, advice=advice)
        error.__cause__ = None if cause is None else errors[cause]
        errors.append(error)
    published = [
        Published(name, location, contents[location], is_schema)
        for name, location, is_schema in head["published"]
    ]
    links = {(location, reference): target for location, reference, target in head["links"]}
    return Loaded(
        file=head["file"],
        documentation=_documentation(head["documentation"]),
        operations=[_thaw_operation(row, errors) for row in head["operations"]],
        ports=[_thaw_port(row) for row in head["ports"]],
        problems=[errors[number] for number in head["problems"]],
        served=Served(published, links),
        bundle=_bundle(head, _blobs(saved, end, head["blobs"]), contents),
    )


def _blobs(saved: bytes, at: int, lengths: Iterable[int]) -> list[bytes]:
    blobs = []
    for length in lengths:
        blobs.append(saved[at : at + length])
        at += length
    if at != len(saved):
        raise ValueError("cut off")
    return blobs


def _bundle(head: Plain, blobs: list[bytes], contents: Mapping[str, bytes]) -> SavedBundle:
    waiting = iter(blobs)
    documents, texts, declarations = [], [], Declarations()
    for row in head["schemas"]:
        namespace = row["namespace"]
        texts.append((namespace, next(waiting)))
        location = row.get("location")
        document = SavedDocument(
            next(waiting) if location is None else contents[location],
            row.get("path", ()),
            namespace,
            chameleon=row["chameleon"],
            file=row["file"],
            base_line=row["base_line"],
            lines=row.get("lines", ()),
        )
        documents.append(document)
        for kind, name, position in row["declared"]:
            declarations.add(KINDS[kind], clark(namespace, name), (document, position))
    model = SchemaModel(documents, declarations=declarations, heads=head["heads"], prefixes=head["prefixes"])
    return SavedBundle(documents, texts, head["digest"], model)


def _thaw_port(row: list[Any]) -> Port:
    service, name, address, soap_version, binding, operations = row
    return Port(service, name, address, soap_version, binding, tuple(operations))


def _thaw_operation(row: list[Any], errors: list[ContractError]) -> Operation:
    (name, key, port_type, bindings, style, actions, versions, one_way, input_, output) = row[:10]
    (input_headers, output_headers, faults, documentation, source, problem) = row[10:]
    return Operation(
        name=name,
        key=key,
        port_type=port_type,
        bindings=tuple(bindings),
        style=style,
        soap_actions=frozenset(actions),
        soap_versions=frozenset(versions),
        one_way=one_way,
        input=input_,
        output=output,
        input_headers=tuple(Header(*header) for header in input_headers),
        output_headers=tuple(Header(*header) for header in output_headers),
        faults=dict(faults),
        documentation=_documentation(documentation),
        source=Source(*source),
        problem=None if problem is None else errors[problem],
    )


def _documentation(rows: Iterable[tuple[str, str]]) -> tuple[Documentation, ...]:
    return tuple(Documentation(language, text) for language, text in rows)
