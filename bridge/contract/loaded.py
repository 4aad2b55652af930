"""What loading gives: read from the documents (`Bundle`), or kept from an earlier load (`SavedBundle`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from lxml import etree

from bridge.contract.model import Documentation
from bridge.contract.schema.bundle import Bundle
from bridge.contract.schema.compiler import compile_schemas
from bridge.contract.schema.reader import SchemaModel
from bridge.contract.sources.document import parse
from bridge.contract.wsdl.operations import Operation, Port
from bridge.contract.wsdl.served import Served
from bridge.errors import ContractError


class SavedDocument:
    """A schema document whose tree is read when somebody asks for it: an operation needs few of them.

    Unlike in a new bundle the tree is the user's as it stands: what was withdrawn is still in it, and nothing that is
    declared (`Declarations`) leads there. `path` leads from the root of `content` to the schema, by numbers of children.
    `lines` are those of all its elements where we wrote the schema ourselves.
    """

    def __init__(
        self,
        content: bytes,
        path: Sequence[int],
        namespace: str,
        *,
        chameleon: bool,
        file: str,
        base_line: int,
        lines: Sequence[int] = (),
    ) -> None:
        self._content = content
        self._path = path
        self._lines = lines
        self.namespace = namespace
        self.chameleon = chameleon
        self.file = file
        self.base_line = base_line

    @cached_property
    def root(self) -> etree._Element:
        found = parse(self._content, file=self.file)
        for element, line in zip(found.iter(), self._lines, strict=False):
            cast("Any", element).sourceline = line
        for position in self._path:
            found = found[position]
        return found


class SavedBundle:
    """The schemas of a contract that compiled before. `texts` are namespace and text of each document."""

    def __init__(
        self,
        documents: Sequence[SavedDocument],
        texts: Sequence[tuple[str, bytes]],
        digest: str,
        model: SchemaModel,
    ) -> None:
        self.documents = tuple(documents)
        self.digest = digest
        self.model = model
        self.problems: list[ContractError] = []
        self.mentions_references = any(b"IDREF" in text for _, text in texts)
        self._texts = texts
        self._lock = threading.Lock()
        self._schema: etree.XMLSchema | None = None

    def compile(self) -> etree.XMLSchema:
        """As `Bundle.compile`."""
        with self._lock:
            if self._schema is None:
                self._schema = self.compile_anew()
            return self._schema

    def compile_anew(self) -> etree.XMLSchema:
        """As `Bundle.compile_anew`."""
        try:
            return compile_schemas(self._texts)
        except etree.XMLSchemaParseError as error:
            raise ContractError(
                f"The schemas compiled once and do not any more: {error}",
                advice="Empty the cache (the folder `cache` in the data folder).",
            ) from error


@dataclass(slots=True, kw_only=True)
class Loaded:
    """All that a contract knows of itself. `documentation` is the WSDL's own; `problems` include the bundle's."""

    file: str
    documentation: tuple[Documentation, ...]
    operations: list[Operation]
    ports: list[Port]
    problems: list[ContractError]
    served: Served
    bundle: Bundle | SavedBundle

    def model(self) -> SchemaModel:
        return (
            self.bundle.model if isinstance(self.bundle, SavedBundle) else SchemaModel(self.bundle.documents)
        )
