"""XSD documents → the model: each component is read on first use, and kept.

libxml2 has already judged the schema when it compiled it, so the reader trusts what it reads: it resolves names,
inherits, and says file and line where a name leads nowhere. It is our own, and not built on xmlschema's components,
because those are built all at once (4 s for 1,500 types) where a request needs the dozen types of one operation.

Source: XML Schema 1.0 Part 1, section 3 (components) and 4.2.3 (chameleon includes).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, cast

from bridge.contract.model import (
    ANY_SIMPLE_TYPE,
    ANY_TYPE,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Group,
    Particle,
    SimpleType,
    TypeRef,
    Wildcard,
)
from bridge.contract.schema.builtins import ANY_TYPE_DEFINITION, BUILTINS, builtin_base
from bridge.contract.schema.declarations import Declarations
from bridge.contract.schema.xsd import (
    Document,
    Node,
    blocks,
    clark,
    documentation_of,
    inherit_attributes,
    is_true,
    local_declaration_name,
    occurs,
    prohibited_attributes,
    restrict,
    wildcard_of,
)


class SchemaModel:
    """The model of a contract's schemas (see `model.Model`). Safe to use from several threads.

    What would need a look at every document may be given, when it is known from an earlier time: `declarations`,
    the elements that stand for each `heads` of a substitution group, and `prefixes`.
    """

    def __init__(
        self,
        documents: Iterable[Document],
        *,
        declarations: Declarations | None = None,
        heads: Mapping[str, list[str]] | None = None,
        prefixes: Mapping[str, str] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._anonymous: dict[str, Node] = {}
        self._identities: dict[tuple[int, str], str] = {}
        self._elements: dict[str, ElementDecl] = {}
        self._types: dict[str, SimpleType | ComplexType] = {ANY_TYPE: ANY_TYPE_DEFINITION, **BUILTINS}
        self._heads = heads
        self._prefixes = prefixes
        self._children: dict[str, list[str]] | None = None
        self._documents = tuple(documents)
        self._declared = declarations if declarations is not None else Declarations.of(self._documents)

    # -- what codec, explain and example ask ------------------------------------------------------------------

    def has_element(self, name: str) -> bool:
        return self._declared.has("element", name)

    def has_type(self, name: str) -> bool:
        declared = self._declared
        return name in self._types or declared.has("complexType", name) or declared.has("simpleType", name)

    def element(self, name: str) -> ElementDecl:
        found = self._elements.get(name)
        if found is None:
            with self._lock:
                found = self._elements.setdefault(
                    name, self._global_element(self._declared.get("element", name))
                )
        return found

    def type(self, ref: TypeRef) -> SimpleType | ComplexType:
        if not isinstance(ref, str):
            return ref
        found = self._types.get(ref)
        if found is None:
            with self._lock:
                found = self._types.setdefault(ref, self._read_type(ref))
        return found

    def base_of(self, name: str) -> str | None:
        """The named type's base type; None for anyType."""
        if name in BUILTINS or name == ANY_TYPE:
            return builtin_base(name)
        found = self.type(name)
        if isinstance(found, ComplexType):
            return found.base or ANY_TYPE
        return self._simple_base(self._declared.get("simpleType", name))

    def is_derived(self, name: str, base: str) -> bool:
        """Whether the named type is `base` or derived from it."""
        current: str | None = name
        while current is not None:
            if current == base:
                return True
            current = self.base_of(current) if self.has_type(current) else None
        return False

    def substitutes(self, head: str) -> tuple[ElementDecl, ...]:
        """Every non-abstract global element that may stand for `head`, itself first (Part 1, 3.3.6)."""
        heads = self.heads()
        if head not in heads:
            return () if self.element(head).abstract else (self.element(head),)
        node = self._declared.get("element", head)
        if blocks(node, "substitution"):
            return (self.element(head),)
        found, waiting = [], [head]
        while waiting:
            name = waiting.pop(0)
            declaration = self.element(name)
            if not declaration.abstract:
                found.append(declaration)
            waiting.extend(heads.get(name, ()))
        return tuple(found)

    def derived(self, name: str) -> tuple[str, ...]:
        """The global types derived from the named type, transitively, nearest first."""
        if self._children is None:
            children: dict[str, list[str]] = {}
            for kind in ("complexType", "simpleType"):
                for own, node in self._declared.all(kind):
                    base = self._complex_base(node) if kind == "complexType" else self._simple_base(node)
                    children.setdefault(base, []).append(own)
            self._children = children
        found, waiting = [], [name]
        while waiting:
            for child in self._children.get(waiting.pop(0), ()):
                found.append(child)
                waiting.append(child)
        return tuple(found)

    def global_elements(self) -> tuple[str, ...]:
        """The names of all global elements."""
        return self._declared.names("element")

    def heads(self) -> Mapping[str, list[str]]:
        """For each head of a substitution group the elements that name it, themselves no further."""
        if self._heads is None:
            self._heads = self._index("element", "substitutionGroup")
        return self._heads

    def prefixes(self) -> Mapping[str, str]:
        """Namespace → the prefix its own documents use for it (first come), for envelopes people can read."""
        if self._prefixes is not None:
            return self._prefixes
        found: dict[str, str] = {}
        for document in self._documents:
            for prefix, namespace in document.root.nsmap.items():
                if prefix and namespace not in found and prefix not in found.values():
                    found[namespace] = prefix
        return found

    def _index(self, kind: str, attribute: str) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for name, node in self._declared.all(kind):
            target = node.reference(attribute)
            if target is not None:
                index.setdefault(target, []).append(name)
        return index

    # -- elements and particles -------------------------------------------------------------------------------

    def _global_element(self, node: Node) -> ElementDecl:
        return self._element(node, node.global_name(), is_global=True)

    def _element(self, node: Node, name: str, *, is_global: bool) -> ElementDecl:
        return ElementDecl(
            name=name,
            type=self._element_type(node),
            nillable=is_true(node.get("nillable")),
            abstract=is_true(node.get("abstract")),
            default=node.get("default"),
            fixed=node.get("fixed"),
            is_global=is_global,
            documentation=documentation_of(node),
            source=node.source,
        )

    def _element_type(self, node: Node) -> TypeRef:
        named = node.reference("type")
        if named is not None:
            if not self.has_type(named):
                raise node.error(f"The type {named} is not declared.", "Import the schema that declares it.")
            return named
        inline = node.child("simpleType", "complexType")
        if inline is not None:
            return self._simple(inline) if inline.kind == "simpleType" else self._identity(inline)
        head = node.reference("substitutionGroup")
        return self.element(head).type if head is not None and self.has_element(head) else ANY_TYPE

    def _identity(self, node: Node) -> str:
        """A readable name for an anonymous complex type: the declarations around it, joined."""
        place = (id(node.document), node.element.getroottree().getpath(node.element))
        identity = self._identities.get(place)
        if identity is None:
            names = [a.get("name") for a in node.element.iterancestors() if a.get("name") is not None]
            base = clark(node.document.namespace, "/".join(reversed(cast("list[str]", names)))) + "/"
            identity, count = base, 1
            while identity in self._anonymous:
                count += 1
                identity = f"{base}{count}"
            self._identities[place] = identity
            self._anonymous[identity] = node
        return identity

    def _particle(self, node: Node) -> Particle | None:
        low, high = occurs(node)
        if high == 0:
            return None
        term = self._term(node)
        return None if term is None else Particle(term, low, high)

    def _term(self, node: Node) -> ElementDecl | Group | Wildcard | None:
        if node.kind == "any":
            return wildcard_of(node)
        if node.kind == "element":
            ref = node.reference("ref")
            if ref is None:
                return self._element(
                    node, local_declaration_name(node, "elementFormDefault"), is_global=False
                )
            if not self.has_element(ref):
                raise node.error(f"The element {ref} is not declared.", "Import the schema that declares it.")
            return self.element(ref)
        if node.kind == "group":
            target = self._lookup("group", node, node.reference("ref") or "")
            inner = target.child("sequence", "choice", "all")
            group = self._term(inner) if inner is not None else None
            return replace(group, name=target.get("name")) if isinstance(group, Group) else None
        particles = (
            self._particle(child) for child in node.children("element", "group", "choice", "sequence", "any")
        )
        kind = cast('Literal["sequence", "choice", "all"]', node.kind)
        return Group(kind=kind, particles=tuple(p for p in particles if p is not None))

    def _lookup(self, kind: str, node: Node, name: str) -> Node:
        found = self._declared.find(kind, name)
        if found is None:
            raise node.error(f"The {kind} {name} is not declared.", "Import the schema that declares it.")
        return found

    # -- complex types ----------------------------------------------------------------------------------------

    def _read_type(self, name: str) -> SimpleType | ComplexType:
        node = self._anonymous.get(name)
        if node is not None:
            return self._complex(node, None, name)
        complex_type = self._declared.find("complexType", name)
        if complex_type is not None:
            return self._complex(complex_type, name, name)
        return self._simple(self._declared.get("simpleType", name))

    def _complex_base(self, node: Node) -> str:
        content = node.child("simpleContent", "complexContent")
        step = content.child("extension", "restriction") if content is not None else None
        return (step.reference("base") if step is not None else None) or ANY_TYPE

    def _complex(self, node: Node, name: str | None, identity: str) -> ComplexType:
        content = node.child("simpleContent", "complexContent")
        step = content.child("extension", "restriction") if content is not None else None
        shell = ComplexType(
            name=name,
            identity=identity,
            abstract=is_true(node.get("abstract")),
            documentation=documentation_of(node),
            source=node.source,
        )
        if content is None or step is None:
            attributes, wildcard = self._attributes(node)
            return self._with_content(
                shell,
                self._model_group(node),
                mixed=is_true(node.get("mixed")),
                attributes=attributes,
                wildcard=wildcard,
            )
        base_name = step.reference("base") or ANY_TYPE
        if not self.has_type(base_name):
            raise step.error(
                f"The base type {base_name} is not declared.", "Import the schema that declares it."
            )
        derivation = cast('Literal["extension", "restriction"]', step.kind)
        shell = replace(shell, base=base_name, derivation=derivation)
        base = self.type(base_name)
        own, own_wildcard = self._attributes(step)
        attributes, wildcard = inherit_attributes(
            base, derivation, own, own_wildcard, prohibited_attributes(step)
        )
        if content.kind == "simpleContent":
            simple = self._simple_content(base, step, derivation)
            return replace(
                shell, content="simple", simple=simple, attributes=attributes, any_attribute=wildcard
            )
        mixed = is_true(content.get("mixed")) or is_true(node.get("mixed"))
        return self._derive(shell, base, self._model_group(step), mixed, attributes, wildcard)

    def _derive(
        self,
        shell: ComplexType,
        base: SimpleType | ComplexType,
        own: Particle | None,
        mixed: bool,
        attributes: tuple[AttributeUse, ...],
        wildcard: Wildcard | None,
    ) -> ComplexType:
        """Extension puts the base's content first; restriction states its own anew (Part 1, 3.4.2)."""
        if shell.derivation == "restriction" or not isinstance(base, ComplexType):
            return self._with_content(shell, own, mixed=mixed, attributes=attributes, wildcard=wildcard)
        whole = own if base.particle is None else base.particle
        if own is not None and base.particle is not None:
            whole = Particle(Group(kind="sequence", particles=(base.particle, own)))
        derived = self._with_content(
            replace(shell, own_particle=own),
            whole,
            mixed=mixed or base.content == "mixed",
            attributes=attributes,
            wildcard=wildcard,
        )
        if base.content == "simple" and whole is None:
            return replace(derived, content="simple", simple=base.simple)
        return derived

    def _with_content(
        self,
        shell: ComplexType,
        particle: Particle | None,
        *,
        mixed: bool,
        attributes: tuple[AttributeUse, ...],
        wildcard: Wildcard | None,
    ) -> ComplexType:
        return replace(
            shell,
            content="mixed" if mixed else "empty" if particle is None else "elements",
            particle=particle,
            attributes=attributes,
            any_attribute=wildcard,
        )

    def _model_group(self, node: Node) -> Particle | None:
        group = node.child("sequence", "choice", "all", "group")
        particle = self._particle(group) if group is not None else None
        if particle is not None and isinstance(particle.term, Group) and not particle.term.particles:
            return None
        return particle

    def _simple_content(self, base: SimpleType | ComplexType, step: Node, derivation: str) -> SimpleType:
        inherited = base.simple if isinstance(base, ComplexType) else base
        if derivation == "extension":
            return inherited or BUILTINS[ANY_SIMPLE_TYPE]
        inline = step.child("simpleType")
        start = self._simple(inline) if inline is not None else inherited or BUILTINS[ANY_SIMPLE_TYPE]
        return restrict(start, step, None)

    # -- attributes -------------------------------------------------------------------------------------------

    def _attributes(self, node: Node) -> tuple[tuple[AttributeUse, ...], Wildcard | None]:
        """The attribute uses and the wildcard that stand directly here or come through attribute groups."""
        uses: dict[str, AttributeUse] = {}
        wildcard: Wildcard | None = None
        for child in node.children("attribute", "attributeGroup", "anyAttribute"):
            if child.kind == "attribute":
                use = self._attribute(child)
                if use is not None:
                    uses[use.name] = use
            elif child.kind == "anyAttribute":
                wildcard = wildcard_of(child)
            else:
                group = self._lookup("attributeGroup", child, child.reference("ref") or "")
                inner, inner_wildcard = self._attributes(group)
                uses.update((use.name, use) for use in inner)
                wildcard = wildcard or inner_wildcard
        return tuple(uses.values()), wildcard

    def _attribute(self, node: Node) -> AttributeUse | None:
        if node.get("use") == "prohibited":
            return None
        ref = node.reference("ref")
        declaration = self._lookup("attribute", node, ref) if ref is not None else node
        inline, named = declaration.child("simpleType"), declaration.reference("type")
        if inline is not None:
            simple = self._simple(inline)
        else:
            simple = self._simple_named(named, declaration) if named else BUILTINS[ANY_SIMPLE_TYPE]
        return AttributeUse(
            name=declaration.global_name()
            if ref is not None
            else local_declaration_name(node, "attributeFormDefault"),
            type=simple,
            required=node.get("use") == "required",
            default=node.get("default") or declaration.get("default"),
            fixed=node.get("fixed") or declaration.get("fixed"),
            documentation=documentation_of(node) or documentation_of(declaration),
        )

    # -- simple types -----------------------------------------------------------------------------------------

    def _simple_named(self, name: str, node: Node) -> SimpleType:
        found = self.type(name) if self.has_type(name) else None
        if not isinstance(found, SimpleType):
            raise node.error(f"{name} is not a simple type.", "Only a simple type can stand here.")
        return found

    def _simple_base(self, node: Node) -> str:
        restriction = node.child("restriction")
        return (restriction.reference("base") if restriction is not None else None) or ANY_SIMPLE_TYPE

    def _simple(self, node: Node) -> SimpleType:
        name = node.global_name() if node.get("name") else None
        documentation = documentation_of(node)
        step = node.child("restriction", "list", "union")
        if step is None:
            raise node.error("This simpleType has no restriction, list or union.", "Give it one.")
        if step.kind == "list":
            item = self._one(step, "itemType")
            return SimpleType(name=name, variety="list", item=item, documentation=documentation)
        if step.kind == "union":
            named = (step.qname(text) for text in (step.get("memberTypes") or "").split())
            members = [self._simple_named(member, step) for member in named]
            members.extend(self._simple(inline) for inline in step.children("simpleType"))
            return SimpleType(name=name, variety="union", members=tuple(members), documentation=documentation)
        return replace(restrict(self._one(step, "base"), step, name), documentation=documentation)

    def _one(self, node: Node, attribute: str) -> SimpleType:
        named, inline = node.reference(attribute), node.child("simpleType")
        if named is not None:
            return self._simple_named(named, node)
        return self._simple(inline) if inline is not None else BUILTINS[ANY_SIMPLE_TYPE]
