"""A message that the contract admits: to show people, to mock an answer, and to prove codec and guard.

The same model and seed give the same message. Seed 0 is for people: every optional part, the first branch of each
choice, two of what repeats. Other seeds vary branches, counts, derived types, substitutes and nulls.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.contract.codec.markup import escape, escape_attribute
from bridge.contract.example.value_sample import ValueSamples
from bridge.contract.model import (
    ANY_TYPE,
    XSI,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Group,
    Model,
    Particle,
    SimpleType,
    TypeRef,
    Wildcard,
)
from bridge.contract.schema.facets import Leaves
from bridge.contract.schema.particles import local_of, namespace_of
from bridge.errors import ContractError

_XML = "http://www.w3.org/XML/1998/namespace"
_FOREIGN = "urn:example:other"

_DEEPEST_OPTIONAL = 10
_DEEPEST = 60
_REPEATED_ABOVE = 6
_RECURSION_SHOWN = 3
_ELEMENTS = 2_000
"""Elements after which optional parts are left out, so that a schema of a whole industry stays readable."""


def example(model: Model, element_name: str, *, seed: int = 0, optional: bool = True) -> str:
    """A valid document for the global element (Clark name), as text without an XML declaration.

    Without `optional` only what must be there is there. Raises ContractError when a part that is required cannot be
    made, and says which.
    """
    if not model.has_element(element_name):
        raise ContractError(
            f"The element {element_name} is not declared.", advice="Import the schema that declares it."
        )
    builder = _Builder(model, seed, optional)
    root = builder.element(model.element(element_name), 0)
    builder.settle_references()
    return _written(root, builder.prefixes)


@dataclass(eq=False, slots=True)
class _Node:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[_Node] = field(default_factory=list)


class _Builder:
    def __init__(self, model: Model, seed: int, optional: bool) -> None:
        self._model = model
        self._optional = optional
        self._dice = random.Random(seed) if seed else None  # noqa: S311 - repeatable, not secret
        self._samples = ValueSamples(Leaves(), seed)
        self._left = _ELEMENTS
        self._counts: Counter[str] = Counter()
        self._open: list[str] = []
        self._depths: dict[tuple[str, int], bool] = {}
        self._ids: list[str] = []
        self._references: list[tuple[_Node, str | None, bool]] = []
        self.prefixes: dict[str | None, str] = {}

    # -- elements ---------------------------------------------------------------------------------------------

    def element(self, declaration: ElementDecl, depth: int) -> _Node:
        if depth:  # a substitute for the payload itself would be another operation's
            declaration = self._substitute(declaration)
        self._left -= 1
        node = _Node(declaration.name)
        actual = self._model.type(declaration.type)
        if isinstance(actual, ComplexType):
            actual = self._concrete(node, actual, depth)
            self._attributes(node, actual.attributes)
        if declaration.nillable and declaration.fixed is None and self._chance(0.1):
            node.attributes[f"{{{XSI}}}nil"] = "true"
            return node
        simple = actual.simple if isinstance(actual, ComplexType) else actual
        if simple is not None:
            self._value(node, None, simple, declaration.fixed)
        elif isinstance(actual, ComplexType):
            self._content(node, declaration, actual, depth)
        return node

    def _substitute(self, declaration: ElementDecl) -> ElementDecl:
        if not declaration.is_global:
            return declaration
        usable = self._model.substitutes(declaration.name)
        if not usable:
            raise ContractError(f"No element may stand for the abstract element {declaration.name}.")
        if self._dice is not None:
            usable = tuple(other for other in usable if self._depth_of(other.type) < _DEEPEST) or usable
            return self._dice.choice(usable)
        return min(usable, key=lambda other: (self._is_open(other), self._depth_of(other.type) >= _DEEPEST))

    def _concrete(self, node: _Node, declared: ComplexType, depth: int) -> ComplexType:
        """The type itself or, where it is abstract (or by chance), a derived one said by xsi:type."""
        if (
            declared.name is None
            or declared.name == ANY_TYPE
            or not (declared.abstract or self._chance(0.15))
        ):
            return declared
        found = [self._model.type(name) for name in self._model.derived(declared.name)]
        usable = [other for other in found if isinstance(other, ComplexType) and not other.abstract]
        usable = [other for other in usable if self._depth_of(other.identity) < _DEEPEST] or usable
        if not usable:
            if declared.abstract:
                raise ContractError(f"No type is derived from the abstract type {declared.name}.")
            return declared
        if self._dice is not None and depth < _DEEPEST_OPTIONAL:
            chosen = self._dice.choice(usable)
        else:
            chosen = min(
                usable, key=lambda other: (other.identity in self._open, self._depth_of(other.identity))
            )
        assert chosen.name is not None
        node.attributes[f"{{{XSI}}}type"] = self._qname(namespace_of(chosen.name), local_of(chosen.name))
        return chosen

    def _content(self, node: _Node, declaration: ElementDecl, actual: ComplexType, depth: int) -> None:
        if actual.content == "mixed":
            node.text = declaration.fixed or "text"
            if declaration.fixed is not None:
                return
        if actual.particle is None or depth > _DEEPEST:
            return
        self._open.append(actual.identity)
        self._particle(node, actual.particle, depth + 1)
        self._open.pop()

    # -- particles --------------------------------------------------------------------------------------------

    def _particle(self, node: _Node, particle: Particle, depth: int) -> None:
        for turn in range(self._times(particle, depth)):
            if turn < particle.min_occurs:
                self._term(node, particle.term, depth)
                continue
            kept = len(node.children)
            try:
                self._term(node, particle.term, depth)
            except ContractError:  # an optional part that cannot be made is left out
                del node.children[kept:]
                return

    def _times(self, particle: Particle, depth: int) -> int:
        least, most = particle.min_occurs, particle.max_occurs
        if not self._wants_more(particle, depth):
            return least
        several = 2 if depth <= _REPEATED_ABOVE and (most is None or most > 1) else 1
        if self._dice is not None:
            several = self._dice.randint(0, several + (several > 1))
        wanted = max(least, several)
        return wanted if most is None else min(wanted, most)

    def _wants_more(self, particle: Particle, depth: int) -> bool:
        if not self._optional or self._left <= 0 or depth > _DEEPEST_OPTIONAL:
            return False
        return self._fresh(particle.term)

    def _fresh(self, term: ElementDecl | Group | Wildcard) -> bool:
        """Whether adding it leads into no type that is being written already, and comes to an end."""
        if isinstance(term, Wildcard):
            return False
        if isinstance(term, ElementDecl):
            return not self._is_open(term, twice=True) and self._depth_of(term.type) < _DEEPEST
        parts = [
            self._fresh(part.term) for part in term.particles if part.min_occurs or term.kind == "choice"
        ]
        return (any(parts) if term.kind == "choice" else all(parts)) and bool(term.particles)

    def _is_open(self, declaration: ElementDecl, *, twice: bool = False) -> bool:
        """Whether its type is being written already; near the root it may be so `twice`, to show the recursion."""
        actual = self._model.type(declaration.type)
        if not isinstance(actual, ComplexType):
            return False
        return self._open.count(actual.identity) > (twice and len(self._open) <= _RECURSION_SHOWN)

    def _term(self, node: _Node, term: ElementDecl | Group | Wildcard, depth: int) -> None:
        if isinstance(term, ElementDecl):
            node.children.append(self.element(term, depth))
        elif isinstance(term, Wildcard):
            node.children.append(self._admitted(term, depth))
        elif term.kind == "choice":
            if term.particles:
                self._particle(node, self._branch(term.particles), depth)
        else:
            for particle in term.particles:
                self._particle(node, particle, depth)

    def _branch(self, branches: Sequence[Particle]) -> Particle:
        usable = [branch for branch in branches if self._fresh(branch.term)]
        if usable:
            # At least one of what was chosen, because an empty choice may be none.
            chosen = self._dice.choice(usable) if self._dice is not None else usable[0]
            return Particle(chosen.term, max(chosen.min_occurs, 1), chosen.max_occurs)
        return min(branches, key=self._depth_of_particle)

    def _admitted(self, wildcard: Wildcard, depth: int) -> _Node:
        if wildcard.process == "strict":
            for name in getattr(self._model, "global_elements", tuple)():
                declaration = self._model.element(name)
                fits = wildcard.admits(namespace_of(name)) and not declaration.abstract
                if fits and not self._is_open(declaration) and self._depth_of(declaration.type) < _DEEPEST:
                    return self.element(declaration, depth)
            raise ContractError("No declared element may stand where the schema demands one (xs:any).")
        for namespace in (_FOREIGN, "", *(wildcard.namespaces or ())):
            if wildcard.admits(namespace):
                return _Node(f"{{{namespace}}}anything" if namespace else "anything", text="text")
        raise ContractError("A wildcard of the schema (xs:any) admits no namespace.")

    # -- how deep a type must go -------------------------------------------------------------------------------

    def _depth_of(self, ref: TypeRef) -> int:
        """The fewest levels of elements in which a type comes to an end; _DEEPEST for one that does not."""
        return next((depth for depth in range(_DEEPEST) if self._ends(ref, depth)), _DEEPEST)

    def _ends(self, ref: TypeRef, depth: int) -> bool:
        actual = self._model.type(ref)
        if isinstance(actual, SimpleType) or actual.particle is None:
            return True
        key = (actual.identity, depth)
        known = self._depths.get(key)
        if known is None:
            self._depths[key] = False
            if actual.abstract and actual.name is not None:
                known = any(self._ends(name, depth) for name in self._model.derived(actual.name))
            else:
                known = self._particle_ends(actual.particle, depth)
            self._depths[key] = known
        return known

    def _particle_ends(self, particle: Particle, depth: int) -> bool:
        if particle.min_occurs == 0 or isinstance(particle.term, Wildcard):
            return True
        if isinstance(particle.term, ElementDecl):
            return depth > 0 and any(
                self._ends(other.type, depth - 1) for other in self._standing_for(particle.term)
            )
        ends = (self._particle_ends(part, depth) for part in particle.term.particles)
        return any(ends) or not particle.term.particles if particle.term.kind == "choice" else all(ends)

    def _standing_for(self, declaration: ElementDecl) -> tuple[ElementDecl, ...]:
        return self._model.substitutes(declaration.name) if declaration.is_global else (declaration,)

    def _depth_of_particle(self, particle: Particle) -> int:
        return next((depth for depth in range(_DEEPEST) if self._particle_ends(particle, depth)), _DEEPEST)

    # -- values -----------------------------------------------------------------------------------------------

    def _attributes(self, node: _Node, uses: Sequence[AttributeUse]) -> None:
        for use in uses:
            if not use.required and (not self._optional or self._chance(0.5)):
                continue
            try:
                self._value(node, use.name, use.type, use.fixed, optional=not use.required)
            except ContractError:
                if use.required:
                    raise

    def _value(
        self,
        node: _Node,
        attribute: str | None,
        simple: SimpleType,
        fixed: str | None,
        *,
        optional: bool = False,
    ) -> None:
        word = local_of(attribute or node.name)
        if fixed is not None:
            text = fixed
        else:
            kind = simple.item.builtin if simple.item is not None else simple.builtin
            key = "ID" if kind in ("ID", "IDREF") else word
            self._counts[key] += kind != "IDREF"
            text = self._samples.value(simple, word, max(self._counts[key], 1), self._qname, self.prefixes)
            if kind == "ID":
                self._ids.append(text)
            elif kind == "IDREF":
                self._references.append((node, attribute, optional))
        if attribute is None:
            node.text = text
        else:
            node.attributes[attribute] = text

    def settle_references(self) -> None:
        """Lets every IDREF point at an ID of the document; where there is none, leaves out what can be left out."""
        for node, attribute, optional in self._references:
            if not self._ids:
                if attribute is not None and optional:
                    del node.attributes[attribute]
                continue
            old = node.text if attribute is None else node.attributes[attribute]
            text = " ".join(part if part in self._ids else self._ids[0] for part in old.split())
            if attribute is None:
                node.text = text
            else:
                node.attributes[attribute] = text

    def _qname(self, namespace: str, local: str) -> str:
        if not namespace:
            return local
        known = next((prefix for prefix, uri in self.prefixes.items() if uri == namespace), None)
        if known is None:
            known = "xs" if namespace.endswith("/XMLSchema") else f"q{len(self.prefixes) + 1}"
            self.prefixes[known] = namespace
        return f"{known}:{local}"

    def _chance(self, share: float) -> bool:
        return self._dice is not None and self._dice.random() < share


def _written(root: _Node, prefixes: dict[str | None, str]) -> str:
    """The tree as text; all namespaces are declared at the root, the root's own as the default where that is possible."""
    elements, attributes = _namespaces(root)
    own = namespace_of(root.name)
    names: dict[str, str] = {_XML: "xml:"}
    declarations = {f"xmlns:{prefix}": uri for prefix, uri in prefixes.items()}
    if own and "" not in elements:
        names[own] = ""
        declarations["xmlns"] = own
    for namespace in (*elements, *attributes):
        # An attribute without a prefix has no namespace, so that the default one does not help it.
        if namespace and (namespace not in names or (namespace in attributes and not names[namespace])):
            prefix = "xsi" if namespace == XSI else f"ns{len(names)}"
            declarations[f"xmlns:{prefix}"] = namespace
            names[namespace] = f"{prefix}:"
    parts: list[str] = []
    _write(root, names, declarations, parts)
    return "".join(parts)


def _namespaces(root: _Node) -> tuple[list[str], list[str]]:
    elements: dict[str, None] = {}
    attributes: dict[str, None] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop(0)
        elements[namespace_of(node.name)] = None
        attributes.update(dict.fromkeys(namespace_of(name) for name in node.attributes))
        waiting.extend(node.children)
    return list(elements), [namespace for namespace in attributes if namespace != _XML]


def _write(node: _Node, names: dict[str, str], declarations: dict[str, str], parts: list[str]) -> None:
    tag = names.get(namespace_of(node.name), "") + local_of(node.name)
    pairs = dict(declarations)
    for name, value in node.attributes.items():
        pairs[names.get(namespace_of(name), "") + local_of(name)] = value
    attributes = "".join(f' {name}="{escape_attribute(value)}"' for name, value in pairs.items())
    if not node.text and not node.children:
        parts.append(f"<{tag}{attributes}/>")
        return
    parts.append(f"<{tag}{attributes}>{escape(node.text)}")
    for child in node.children:
        _write(child, names, {}, parts)
    parts.append(f"</{tag}>")
