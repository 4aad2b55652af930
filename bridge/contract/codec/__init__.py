"""Payload ⇄ values: the contract's codec.

`decode` reads an element that the guard has admitted; `encode` gives the text of an element. Plain messages go through
generated code, the others (xsi:nil, xsi:type, comments; dicts with XML names, subclasses, mistakes) through the complete
reader and writer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from bridge.contract.codec.as_json import AsJson
from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Layout, Layouts
from bridge.contract.codec.generated import Generated
from bridge.contract.codec.markup import Prefixes
from bridge.contract.codec.reading import Reader, holds_rarities
from bridge.contract.codec.simple import Scalars
from bridge.contract.codec.values import ComplexValue, Payload
from bridge.contract.codec.writing import Writer
from bridge.contract.model import ANY_TYPE, ComplexType, ElementDecl
from bridge.contract.schema.reader import SchemaModel
from bridge.errors import DecodeError

Decoder = Callable[[etree._Element], Any]
Encoder = Callable[[Any], str]


class Codec:
    """Reads and writes the payloads of one contract. Safe to use from several threads."""

    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._layouts = Layouts(model)
        self._classes = Classes(model, self._layouts)
        self._scalars = Scalars()
        self._reader = Reader(model, self._layouts, self._classes, self._scalars)
        self._prefixes = Prefixes(model.prefixes())
        self._generated = Generated(
            model, self._layouts, self._classes, self._scalars, self._reader, self._prefixes
        )
        self._hybrid = Reader(model, self._layouts, self._classes, self._scalars, self._generated.reader)
        self.json = AsJson(model, self._layouts, self._classes, self._scalars)
        self._decoders: dict[str, tuple[Decoder, Decoder, Decoder]] = {}
        self._encoders: dict[str, Encoder] = {}

    def decode(self, name: str, element: etree._Element, *, plain: bool | None = None) -> Any:
        """The value of a global element (Clark name) that the schema has admitted.

        `plain=True` promises that the element holds no xsi attribute, comment or processing instruction, and saves
        the look; `plain=False` reads all of it with the complete reader.
        Raises DecodeError for what libxml2 admits and Python cannot read.
        """
        found = self._decoders.get(name)
        if found is None:
            found = self._decoders.setdefault(name, self._decoder(self._model.element(name)))
        read_plain, read_hybrid, read_completely = found
        if plain is None:
            read = read_hybrid if holds_rarities(element) else read_plain
        else:
            read = read_plain if plain else read_completely
        try:
            return read(element)
        except (ValueError, ArithmeticError) as error:
            if read is not read_completely:
                return read_completely(element)  # which says where it was
            raise DecodeError(f"{name} cannot be read: {error}"[:300]) from error

    def encode(self, name: str, value: Any) -> str:
        """The text of a global element (Clark name); a `Payload` is that already. Raises EncodeError with a path."""
        if isinstance(value, Payload):
            return value
        encoder = self._encoders.get(name)
        if encoder is None:
            encoder = self._encoders.setdefault(name, self._encoder(self._model.element(name)))
        return encoder(value)

    def class_of(self, complex_type: ComplexType) -> type[ComplexValue]:
        """The class of any complex type of the contract, anonymous ones too."""
        return self._classes.of(complex_type)

    def type(self, name: str) -> type[ComplexValue]:
        """The class of a complex type, by Clark name, or by the Clark name of a global element of that type.

        KeyError for a name that is neither.
        """
        ref = name if self._model.has_type(name) else self._model.element(name).type
        found = self._model.type(ref)
        if not isinstance(found, ComplexType):
            raise KeyError(f"{name} is a simple type: its values are plain Python values")
        return self._classes.of(found)

    def layout_of(self, complex_type: ComplexType) -> Layout:
        """The fields of its class, and how they stand in a document."""
        return self._layouts.of(complex_type)

    def _decoder(self, declaration: ElementDecl) -> tuple[Decoder, Decoder, Decoder]:
        """Readers for a message without rarities, for one with some, and for any."""

        def complete(element: etree._Element) -> Any:
            return self._reader.element(declaration, element)

        def hybrid(element: etree._Element) -> Any:
            return self._hybrid.element(declaration, element)

        resolved = self._model.type(declaration.type)
        if not isinstance(resolved, ComplexType) or resolved.name == ANY_TYPE or declaration.default:
            return complete, complete, complete
        return self._generated.reader(resolved), hybrid, complete

    def _encoder(self, declaration: ElementDecl) -> Encoder:
        def complete(value: Any) -> str:
            writer = Writer(self._model, self._layouts, self._classes, self._scalars, self._prefixes)
            return writer.payload(declaration, value)

        resolved = self._model.type(declaration.type)
        if not isinstance(resolved, ComplexType) or resolved.name == ANY_TYPE:
            return complete
        write = self._generated.writer(resolved)
        tag = self._prefixes.qualified(declaration.name)
        declarations = self._prefixes.declarations(self._generated.namespaces(declaration))
        start = 1 + len(tag)

        def encode(value: Any) -> str:
            try:
                text = write(value, tag)
            except (TypeError, AttributeError, ValueError, LookupError):
                return complete(value)
            return f"{text[:start]}{declarations}{text[start:]}"

        return encode
