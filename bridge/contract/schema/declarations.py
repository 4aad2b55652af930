"""The global declarations of a contract by kind and name, each looked up in its document when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from bridge.contract.schema.xsd import XSD_CHILDREN, Document, Node, clark, local_name

KINDS = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")

Place: TypeAlias = "tuple[Document, int]"
"""A document and the number of a child of its root, comments counted."""


class Declarations:
    """Global declarations. Of two with the same name the first added is kept."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Node | Place]] = {kind: {} for kind in KINDS}

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Declarations:
        """Those of whole documents."""
        made = cls()
        for document in documents:
            for child in document.root.iterchildren(XSD_CHILDREN):
                name = child.get("name")
                if name is not None:
                    made.add(local_name(child), clark(document.namespace, name), Node(child, document))
        return made

    def add(self, kind: str, name: str, where: Node | Place) -> None:
        """Add one by its Clark name, as a node or as its place. Other kinds (notations) are left out."""
        if kind in self._found:
            self._found[kind].setdefault(name, where)

    def has(self, kind: str, name: str) -> bool:
        return name in self._found[kind]

    def find(self, kind: str, name: str) -> Node | None:
        where = self._found[kind].get(name)
        if where is None or isinstance(where, Node):
            return where
        document, position = where
        node = self._found[kind][name] = Node(document.root[position], document)
        return node

    def get(self, kind: str, name: str) -> Node:
        """Raises KeyError when there is none."""
        node = self.find(kind, name)
        if node is None:
            raise KeyError(name)
        return node

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(self._found[kind])

    def all(self, kind: str) -> Iterator[tuple[str, Node]]:
        for name in self.names(kind):
            yield name, self.get(kind, name)
