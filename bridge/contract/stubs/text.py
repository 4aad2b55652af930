"""The text of a stub: first what a service and a partner of the contract look like, then the types, messages first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.contract.codec.fields import Field
from bridge.contract.model import ANY_TYPE, ComplexType, SimpleType
from bridge.contract.stubs.annotations import Annotations, is_certain
from bridge.contract.stubs.documentation import english
from bridge.contract.stubs.names import TypeNames, module_name
from bridge.contract.stubs.spelling import Spelling, Spellings

if TYPE_CHECKING:
    from bridge.contract import Contract, Operation

_WIDTH = 120


class Stub:
    """The stub of one contract. `made_by` is the command, for the head of the file.

    `operations` are those it speaks of: all that can be used. `service` is the name of the service's protocol.
    The same contract and command give the same text.
    """

    def __init__(self, contract: Contract, *, made_by: str) -> None:
        self._contract = contract
        self._names = names = TypeNames(contract)
        self._made_by = made_by
        self._codec = contract.codec
        self._annotations = Annotations(contract, names)
        self.operations = [found for found in contract.operations.values() if found.problem is None]
        stem = camel(module_name(contract))
        self.service, self._types, self._partner = (
            names.free(stem + role) for role in ("Service", "Types", "Partner")
        )
        self._handlers = {found.key: names.free(f"{camel(found.key)}Handler") for found in self.operations}
        self._binds = {found.key: names.free(f"Binds{camel(found.key)}") for found in self.operations}
        own = {*names.complex_types, *names.enumerations, *self._handlers.values(), *self._binds.values()}
        own |= {f"{name}Dict" for name in names.complex_types} | {self.service, self._types, self._partner}
        self._spellings = Spellings(own)

    def text(self) -> str:
        """The whole file."""
        body = [*self._service_lines(), *self._partner_lines(), *self._types_lines()]
        for name, simple in self._names.enumerations.items():
            body += self._enumeration(name, simple)
        for name, complex_type in self._names.complex_types.items():
            body += self._class(name, complex_type)
        outside = self._spellings.beside()
        aliases = [f"{alias}: {outside('TypeAlias')} = {name}" for alias, name in self._spellings.aliases()]
        lines = [*self._head(), *self._spellings.imports(), "", *aliases, "" if aliases else None, *body]
        return "\n".join(line for line in lines if line is not None).rstrip("\n") + "\n"

    def _head(self) -> Iterator[str]:
        yield f"# Types of the contract {self._contract.name}, made from {Path(self._contract.file).name}."
        yield "# Do not edit: after a change of the contract make it anew with"
        yield f"#   {self._made_by}"
        without = [key for key, found in self._contract.operations.items() if found.problem is not None]
        if without:
            yield f"# Without what cannot be used (soapbridge contract check): {', '.join(without)}."[:_WIDTH]
        yield ""

    # -- the service and the partner --------------------------------------------------------------------------

    def _service_lines(self) -> Iterator[str]:
        """Protocols that `Service` fulfils, so that an annotation is enough and no cast is needed."""
        outside = self._spellings.beside()
        call, callable_ = outside("Call"), outside("Callable")
        for found in self.operations:
            handler = self._handlers[found.key]
            got = self._annotations.payload(found.input, outside)
            given = self._annotations.payload(found.output, outside, given=True)
            bound = f"{callable_}[[{got}, {call}], {given}]"
            yield from wrapped(f'{handler} = {outside("TypeVar")}("{handler}", bound={bound})')
        yield ""
        for found in self.operations:
            handler = self._handlers[found.key]
            yield f"class {self._binds[found.key]}({outside('Protocol')}):"
            yield from _docstring(f"Takes a handler of {found.key}.")
            yield f"    def __call__(self, handler: {handler}, /) -> {handler}: ..."
            yield ""
        yield f"class {self.service}({outside('Protocol')}):"
        yield from _docstring(english(self._contract.documentation) or f"A service of {self._contract.name}.")
        text = outside("str")
        members = (("name", text), ("path", text), ("contract", outside("Contract")), ("types", self._types))
        for name, annotation in members:
            yield f"    @{outside('property')}"
            yield f"    def {name}(self) -> {annotation}: ..."
        yield from self._overloads(
            (
                f"operation(self, name: {outside('Literal')}[{found.key!r}], *, idempotency_key: {text} | None = ...) "
                f"-> {self._binds[found.key]}",
                found,
            )
            for found in self.operations
        )
        yield from self._overloads((signature, None) for signature in self._faults(outside))
        yield ""

    def _faults(self, spelling: Spelling) -> Iterator[str]:
        """`fault` by name: with a ready value, and where there is one shape, with its fields."""
        declared: dict[str, dict[str, None]] = {}
        for found in self.operations:
            for name, element in found.faults.items():
                declared.setdefault(name, {})[element] = None
        made = spelling("DeclaredFault")
        for name, elements in declared.items():
            values = [self._annotations.payload(element, spelling, given=True) for element in elements]
            literal = f"{spelling('Literal')}[{name!r}]"
            yield f"fault(self, name: {literal}, value: {' | '.join(values)}, /) -> {made}"
            shape = self._contract.model.type(self._contract.model.element(next(iter(elements))).type)
            if len(elements) == 1 and isinstance(shape, ComplexType) and shape.name != ANY_TYPE:
                fields = f"{spelling('Unpack')}[{self._names.of(shape)}Dict]"
                yield f"fault(self, name: {literal}, /, **fields: {fields}) -> {made}"

    def _partner_lines(self) -> Iterator[str]:
        """A protocol that `bridge.partner(NAME)` fulfils."""
        outside = self._spellings.beside()
        yield f"class {self._partner}({outside('Protocol')}):"
        yield from _docstring(f"A partner that answers {self._contract.name}, as we call it.")
        headers = f"headers: {outside('Mapping')}[{outside('str')}, {outside('Any')}] | None = ..."
        deadline = f"deadline: {outside('float')} | None = ..."
        yield from self._overloads(
            (
                f"call(self, operation: {outside('Literal')}[{found.key!r}], "
                f"values: {self._annotations.payload(found.input, outside, given=True)}"
                f"{' = ...' if found.input is None else ''}, *, {headers}, {deadline}) -> "
                + ("None" if found.one_way else self._annotations.payload(found.output, outside)),
                None,
            )
            for found in self.operations
        )
        yield f"    def ping(self, *, {deadline}) -> {outside('Any')}: ..."
        yield ""

    def _types_lines(self) -> Iterator[str]:
        names = self._names.complex_types
        inside = self._spellings.beside(names)
        yield f"class {self._types}({self._spellings.beside()('Protocol')}):"
        yield from _docstring(
            "The classes themselves, for `isinstance` and for values whose type a dict cannot say."
        )
        for name in names:
            yield f"    @{inside('property')}"
            yield f"    def {name}(self) -> {inside('type')}[{name}]: ..."
        yield ""

    def _overloads(self, signatures: Iterable[tuple[str, Operation | None]]) -> Iterator[str]:
        """One method a signature; `@overload` wants at least two."""
        listed = list(signatures)
        for signature, operation in listed:
            if len(listed) > 1:
                yield f"    @{self._spellings.beside()('overload')}"
            documented = english(operation.documentation) if operation is not None else ""
            yield from wrapped(f"    def {signature}:" + ("" if documented else " ..."))
            yield from _docstring(documented, "        ") if documented else ()

    # -- types ------------------------------------------------------------------------------------------------

    def _enumeration(self, name: str, simple: SimpleType) -> Iterator[str]:
        outside = self._spellings.beside()
        alias = self._annotations.alias(simple, outside)
        yield from wrapped(f"{name}: {outside('TypeAlias')} = {alias}")
        yield from _docstring(english(simple.documentation), "")
        yield ""

    def _class(self, name: str, complex_type: ComplexType) -> Iterator[str]:
        layout = self._codec.layout_of(complex_type)
        replaced = self._replaced(complex_type)
        own = [*replaced, *layout.fields[layout.inherited :]]
        inside = self._spellings.beside({field.name for field in own})
        outside = self._spellings.beside()
        base = outside("ComplexValue")
        if layout.base is not None:
            inherited = self._contract.model.type(layout.base)
            assert isinstance(inherited, ComplexType)
            base = self._names.of(inherited)
        yield f"class {name}({base}):"
        yield from _docstring(english(complex_type.documentation))
        for field in own:
            certain = is_certain(field, complex_type)
            annotation = self._annotations.got(field, complex_type, inside, certain=certain)
            ignored = "  # type: ignore[assignment]" if field in replaced else ""
            yield from wrapped(f"    {field.name}: {annotation}{ignored}")
            yield from _docstring(self._documented(field))
        unpacked = f"{inside('Unpack')}[{inside(f'{name}Dict', own=True)}]"
        yield (
            f"    def __init__(self, /, **fields: {unpacked}) -> None: ..."
            if layout.fields
            else ("    def __init__(self) -> None: ...")
        )
        yield ""
        inside = self._spellings.beside({field.name for field in layout.fields})
        yield f"class {name}Dict({outside('TypedDict')}):"
        yield from _docstring(f"{name} as a handler may give it.")
        for field in layout.fields:
            certain = is_certain(field, complex_type)
            annotation = self._annotations.given(field, complex_type, inside, certain=certain)
            yield from wrapped(f"    {field.name}: {annotation}")
        yield ""

    def _replaced(self, complex_type: ComplexType) -> list[Field]:
        """Inherited fields that hold here what the base class's annotation does not admit, against Python's typing.

        A restriction may make an xs:int of an xs:decimal, an extension may add to a list of items.
        """
        layout = self._codec.layout_of(complex_type)
        if layout.base is None:
            return []
        base = self._contract.model.type(layout.base)
        assert isinstance(base, ComplexType)
        inherited = zip(layout.fields, self._codec.layout_of(base).fields, strict=False)
        return [
            field
            for field, other in inherited
            if not self._annotations.narrows(field, complex_type, other, base, self._spellings.beside())
        ]

    def _documented(self, field: Field) -> str:
        if field.use is not None:
            return english(field.use.documentation) or english(field.use.type.documentation)
        if field.declaration is None:
            return ""
        own = english(field.declaration.documentation)
        actual = self._contract.model.type(field.declaration.type)
        return own or (english(actual.documentation) if isinstance(actual, SimpleType) else "")


def camel(name: str) -> str:
    """`stock-levels.v2` as `StockLevelsV2`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", name) if part)


def _docstring(text: str, indent: str = "    ") -> Iterator[str]:
    if text:
        shown = text.replace("\\", "\\\\").replace('"', "'")
        yield f'{indent}"""{shown}"""'


def wrapped(line: str) -> Iterator[str]:
    """The line in several where it is long; broken only inside brackets, where Python allows it."""
    if len(line) <= _WIDTH:
        yield line
        return
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    start, rest = "", line
    while len(start + rest) > _WIDTH:
        cut = _break_before(rest, _WIDTH - len(start), open_already=bool(start))
        if cut is None:
            break
        yield (start + rest[:cut]).rstrip()
        start, rest = indent, rest[cut:].lstrip()
    yield start + rest


def _break_before(text: str, width: int, *, open_already: bool) -> int | None:
    """The last place up to `width` where a line may end: behind a space inside brackets, outside quotes; else the next."""
    depth, quote, found = int(open_already), "", None
    escaped = False
    for position, letter in enumerate(text):
        if quote:
            if not escaped and letter == quote:
                quote = ""
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
        elif letter == " " and depth > 0 and position:
            if position > width and found is not None:
                return found
            found = position
    return found
