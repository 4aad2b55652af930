"""One schema written in a test, with everything the contract engine makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import pytest
from lxml import etree

from bridge.contract.explain import Explainer, Violation
from bridge.contract.guard import Guard
from bridge.contract.schema.reader import SchemaModel

XSD = "http://www.w3.org/2001/XMLSchema"
NAMESPACE = "urn:t"


@dataclass(frozen=True)
class Document:
    root: etree._Element
    namespace: str
    chameleon: bool = False
    file: str = "t.xsd"
    base_line: int = 0


class OneSchema:
    """A schema with elementFormDefault="qualified" in `urn:t`; its root element is `e`."""

    mentions_references = True

    def __init__(self, body: str) -> None:
        self.root = etree.fromstring(
            f'<xs:schema xmlns:xs="{XSD}" xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}"'
            f' elementFormDefault="qualified">{body}</xs:schema>'
        )
        self.documents = (Document(self.root, NAMESPACE),)
        self.model = SchemaModel(self.documents)
        self.guard = Guard(self, self.model)
        self.explainer = Explainer(self.model)

    @cached_property
    def _schema(self) -> etree.XMLSchema:
        return self.compile_anew()

    def compile(self) -> etree.XMLSchema:
        return self._schema

    def compile_anew(self) -> etree.XMLSchema:
        return etree.XMLSchema(self.root)

    def admits(self, element: etree._Element) -> bool:
        return bool(self._schema.validate(element))

    def explain(
        self, element: etree._Element, source: bytes | None = None, **options: object
    ) -> list[Violation]:
        """What our own walk says, without libxml2's words."""
        violations, _ = self.explainer.explain(
            self.model.element(str(element.tag)),
            element,
            source=source,
            **options,  # type: ignore[arg-type]
        )
        return violations

    def said(self, text: str) -> list[tuple[str, str]]:
        """(kind, path) of every violation of a document."""
        return [(v.kind, v.path) for v in self.explain(document(text))]


def document(text: str) -> etree._Element:
    """`<e>…</e>` with the namespaces that tests need."""
    declared = f'<e xmlns="{NAMESPACE}" xmlns:xsi="{XSD}-instance" xmlns:xs="{XSD}"'
    return etree.fromstring(text.replace("<e", declared, 1))


Schemas: TypeAlias = Callable[[str], OneSchema]


@pytest.fixture
def schema() -> Schemas:
    return OneSchema


@pytest.fixture
def doc() -> Callable[[str], etree._Element]:
    return document
