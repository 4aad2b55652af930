"""What a schema says, in our own small form: read once from the XSD, then used by codec, explain and example.

Names are Clark names (`{namespace}local`) everywhere. Every reference to a named type is by name and is
resolved through `Model`, so that recursion is harmless and nothing is read before it is needed.

Source: XML Schema 1.0 Part 1 (structures) section 3 for the components, Part 2 (datatypes) section 4 for facets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

ANY_TYPE = f"{{{XSD}}}anyType"
ANY_SIMPLE_TYPE = f"{{{XSD}}}anySimpleType"

WhiteSpace = Literal["preserve", "replace", "collapse"]


@dataclass(frozen=True, slots=True)
class Documentation:
    """One `xs:documentation`: `language` is its xml:lang (BCP 47, "" where none was given)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a component was declared: the document as the user named it, and the line in it."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The facets of ONE restriction step (Part 2 section 4.3). Values are lexical, as written.

    The patterns of one step are alternatives (or); those of different steps all apply (and).
    """

    enumeration: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    length: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None
    min_inclusive: str | None = None
    min_exclusive: str | None = None
    max_inclusive: str | None = None
    max_exclusive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleType:
    """A simple type with all it inherits.

    `builtin` is the local name of the nearest built-in ancestor of an atomic type (`decimal`, `int`, `token`,
    `dateTime`, `QName`, `anySimpleType` …); for a list or a union it is "".
    `steps` are the restriction steps from the outermost ancestor to this type.
    """

    name: str | None
    variety: Literal["atomic", "list", "union"] = "atomic"
    builtin: str = ""
    white_space: WhiteSpace = "collapse"
    item: SimpleType | None = None
    members: tuple[SimpleType, ...] = ()
    steps: tuple[Facets, ...] = ()
    documentation: tuple[Documentation, ...] = ()
    enumeration_documentation: tuple[tuple[str, tuple[Documentation, ...]], ...] = ()
    namespaces: tuple[tuple[str, str], ...] = ()
    """Prefixes in scope where the facets stand (prefix, namespace): enumerations of QNames need them."""

    @property
    def enumeration(self) -> tuple[str, ...]:
        """The values that are left: those of the last step that enumerates (each step narrows)."""
        for step in reversed(self.steps):
            if step.enumeration:
                return step.enumeration
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeUse:
    """An attribute of a complex type; prohibited ones are left out."""

    name: str
    type: SimpleType
    required: bool = False
    default: str | None = None
    fixed: str | None = None
    documentation: tuple[Documentation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wildcard:
    """`xs:any` or `xs:anyAttribute`.

    `namespaces` is None for ##any; else the namespaces admitted ("" is "no namespace"), unless `negated`
    (##other), when it lists those refused.
    """

    namespaces: tuple[str, ...] | None = None
    negated: bool = False
    process: Literal["strict", "lax", "skip"] = "strict"
    documentation: tuple[Documentation, ...] = ()

    def admits(self, namespace: str) -> bool:
        if self.namespaces is None:
            return True
        return (namespace in self.namespaces) is not self.negated


TypeRef: TypeAlias = "str | SimpleType | ComplexType"
"""A named type by its Clark name, an anonymous one itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementDecl:
    """An element declaration; `is_global` decides whether it may head a substitution group or stand in a Body."""

    name: str
    type: TypeRef
    nillable: bool = False
    abstract: bool = False
    default: str | None = None
    fixed: str | None = None
    is_global: bool = False
    documentation: tuple[Documentation, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A model group. `name` is the local name of the xs:group it came from, else None."""

    kind: Literal["sequence", "choice", "all"]
    particles: tuple[Particle, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Particle:
    """A term with its occurrence: `max_occurs` None means unbounded."""

    term: ElementDecl | Group | Wildcard
    min_occurs: int = 1
    max_occurs: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplexType:
    """A complex type with its *effective* content: what it inherits by extension comes first.

    `content` tells what may stand inside: nothing, text of type `simple`, elements by `particle`, or both mixed.
    `own_particle` is the part that an extension added (None when it added none, or for a restriction).
    `identity` tells apart anonymous types: a path of declarations, unique in the contract; for a named type its name.
    """

    name: str | None
    identity: str
    base: str | None = None
    derivation: Literal["extension", "restriction"] | None = None
    abstract: bool = False
    content: Literal["empty", "simple", "elements", "mixed"] = "empty"
    particle: Particle | None = None
    own_particle: Particle | None = None
    simple: SimpleType | None = None
    attributes: tuple[AttributeUse, ...] = ()
    any_attribute: Wildcard | None = None
    documentation: tuple[Documentation, ...] = ()
    source: Source | None = None


class Model(Protocol):
    """What codec, explain and example ask of a contract's schemas; every answer is read on first use and kept."""

    def element(self, name: str) -> ElementDecl:
        """The global element declaration; KeyError when there is none."""

    def has_element(self, name: str) -> bool: ...

    def type(self, ref: TypeRef) -> SimpleType | ComplexType:
        """The type itself, built-in types (`{XSD}decimal`, `{XSD}anyType` …) included; KeyError when unknown."""

    def has_type(self, name: str) -> bool: ...

    def substitutes(self, head: str) -> tuple[ElementDecl, ...]:
        """Every non-abstract global element that may stand for `head`, itself included, transitively; blocks honoured."""

    def derived(self, name: str) -> tuple[str, ...]:
        """Names of the global types derived from the named type, transitively (for xsi:type)."""
