"""Values ⇄ JSON, by the contract, losing nothing: what `call` reads and prints, and scripts are written in.

| value                           | JSON                                                                             |
|---------------------------------|----------------------------------------------------------------------------------|
| complex type                    | object; its keys are the names that handlers use                                 |
| absent; `NIL`                   | left out; null. A nil with attributes: `{"$nil": {attribute: text}}`             |
| repeats; repeating group, mixed | array; array of `{name: value}`, of texts, of `{"$xml": …}`                      |
| bool, int, float                | boolean, number (an int beyond 2^53, INF and NaN: text)                          |
| any other simple value          | its text in XML: decimals `"12.50"`, dates, base64, hex; a QName as a Clark name |
| a type named by xsi:type        | `"$type": "{namespace}name"` among the fields; `{"$type": …, "value": …}`        |
| substitution group member       | `{"$element": "{namespace}name", "value": …}`                                    |
| wildcard, any type              | `{"$xml": "<…/>"}`                                                               |
| anyAttribute                    | object by Clark name                                                             |

Reading is more generous: a decimal may be a number (it never becomes a float: `read`), a key may be the XML name
(`unit-code`, `@currency`, `{namespace}local`), null is NIL where the element is nillable and absent elsewhere.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Field, Layouts
from bridge.contract.codec.reading import type_identity
from bridge.contract.codec.simple import Scalar, Scalars
from bridge.contract.codec.values import NIL, ComplexValue, Element, Nil, TypedValue
from bridge.contract.model import ANY_TYPE, ComplexType, ElementDecl, Model, SimpleType
from bridge.errors import EncodeError

_EXACT = 2**53
"""Up to here every integer is a double too, which is what most readers of JSON make of a number."""
_LARGEST_EXPONENT = 400
_PLAIN_NUMBER = re.compile(r"[ \t\r\n]*[+-]?[0-9]*\.?[0-9]*[ \t\r\n]*").fullmatch
_NUMBERS = frozenset({"int", "Decimal", "float"})


def read(text: str | bytes) -> Any:
    """JSON as Python values for `AsJson.values`: a number with a fraction is a Decimal.

    Raises:
        ValueError: it is not JSON, an object has a key twice, a number is NaN, or it is nested too deeply.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f'{constant} is not JSON; write it in quotes: "{constant.replace("inity", "").upper()}"')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


class AsJson:
    """One contract's values as JSON and back. Safe to use from several threads."""

    def __init__(self, model: Model, layouts: Layouts, classes: Classes, scalars: Scalars) -> None:
        self._model = model
        self._layouts = layouts
        self._classes = classes
        self._scalars = scalars

    # -- value to JSON ------------------------------------------------------------------------------------------

    def document(self, name: str, value: Any) -> Any:
        """What `json.dumps` takes, for a value of the global element `name` (Clark), as `Codec.decode` gives it."""
        return self._shown(self._model.element(name), value)

    def _shown(self, declaration: ElementDecl, value: Any) -> Any:
        if isinstance(value, Nil):
            return _nil(value)
        if isinstance(value, etree._Element):
            return _xml(value)
        if isinstance(value, Element):
            return {
                "$element": value.name,
                "value": self._shown(self._model.element(value.name), value.value),
            }
        if isinstance(value, TypedValue):
            named = self._model.type(value.type)
            assert isinstance(named, SimpleType)
            return {"$type": value.type, "value": self._scalar(self._scalars.of(named), value.value)}
        declared = self._model.type(declaration.type)
        if isinstance(declared, SimpleType):
            return self._scalar(self._scalars.of(declared), value)
        return self._object(declared, value)

    def _object(self, declared: ComplexType, value: ComplexValue) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        actual = declared
        if value.xml_type != declared.identity:
            shown["$type"] = value.xml_type
            found = self._model.type(value.xml_type)
            assert isinstance(found, ComplexType)
            actual = found
        for f in self._layouts.of(actual).fields:
            given = getattr(value, f.name)
            if given is not None and given != [] and given != {}:
                shown[f.name] = self._field(actual, f, given)
        return shown

    def _field(self, owner: ComplexType, f: Field, given: Any) -> Any:
        if f.kind == "any_attribute":
            return dict(given)
        if f.kind == "text":
            assert owner.simple is not None
            return self._scalar(self._scalars.of(owner.simple), given)
        if f.use is not None:
            return self._scalar(self._scalars.of(f.use.type), given)
        if f.kind == "wildcard":
            return [_xml(item) for item in given]
        if f.kind == "items":
            return [self._item(f, item) for item in given]
        assert f.declaration is not None
        if f.repeated:
            return [self._shown(f.declaration, item) for item in given]
        return self._shown(f.declaration, given)

    def _item(self, f: Field, item: Any) -> Any:
        if isinstance(item, str):
            return item
        if isinstance(item, etree._Element):
            return _xml(item)
        name, value = item
        return {name: self._shown(self._declaration(f, name), value)}

    def _declaration(self, f: Field, name: str) -> ElementDecl:
        """What stands in a repeating group under this name: declared there, or a substitute. KeyError for neither."""
        found = f.item_declaration(name)
        if found is not None:
            return found
        for declaration in f.items.values():
            if declaration.is_global:
                for member in self._model.substitutes(declaration.name):
                    if member.name == name:
                        return member
        raise KeyError(name)

    def _scalar(self, scalar: Scalar, value: Any) -> Any:
        if isinstance(value, list | tuple):
            item = scalar.item or scalar
            return [self._scalar(item, one) for one in value]
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) <= _EXACT else str(int(value))
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, str):
            return str(value)
        return scalar.encode(value)

    # -- JSON to value ------------------------------------------------------------------------------------------

    def values(self, name: str, data: Any) -> Any:
        """The value of the global element `name` (Clark) that `data` describes, for `Codec.encode`.

        `data` is what `read` gives. Missing fields are left to the guard.
        Raises EncodeError with a path: an unknown field, an array where nothing repeats, a text that is no date.
        """
        declaration = self._model.element(name)
        path = f"/{_local(name)}"
        return self._meant(declaration, data, path)

    def _meant(self, declaration: ElementDecl, data: Any, path: str) -> Any:
        if data is None:
            if not declaration.nillable:
                raise EncodeError(
                    f"{_local(declaration.name)} is null, and the contract does not allow nil there.",
                    path=path,
                )
            return NIL
        special = {key for key in data if key.startswith("$")} if isinstance(data, Mapping) else set()
        if "$xml" in special:
            return _element(data["$xml"], path)
        if "$nil" in special:
            return Nil(_texts(data["$nil"], path), data.get("$type"))
        if "$element" in special:
            return self._substitute(declaration, data, path)
        if "$type" in special:
            return self._typed(data, path)
        if special:
            raise EncodeError(f"There is no {min(special)}.", path=path, advice=_SPECIAL)
        declared = self._model.type(declaration.type)
        if isinstance(declared, SimpleType):
            return self._read_scalar(self._scalars.of(declared), data, path)
        if type_identity(declaration.type) == ANY_TYPE:
            raise EncodeError(
                "The contract allows any type here.", path=path, advice='Give {"$xml": "<…/>"}, or "$type".'
            )
        return self._instance(declared, data, path)

    def _substitute(self, head: ElementDecl, data: Mapping[str, Any], path: str) -> Element:
        name = data["$element"]
        members = {head.name: head}
        if head.is_global:
            members |= {member.name: member for member in self._model.substitutes(head.name)}
        if name not in members:
            raise EncodeError(
                f"{name} cannot stand for {head.name}.", path=path, advice=_known(name, members)
            )
        return Element(name, self._meant(members[name], data.get("value"), path))

    def _typed(self, data: Mapping[str, Any], path: str) -> Any:
        name = data["$type"]
        if not isinstance(name, str) or not self._model.has_type(name):
            raise EncodeError(f"There is no type {name}.", path=path, advice="Write it as {namespace}name.")
        named = self._model.type(name)
        if isinstance(named, SimpleType):
            return TypedValue(name, self._read_scalar(self._scalars.of(named), data.get("value"), path))
        return self._instance(named, {key: item for key, item in data.items() if key != "$type"}, path)

    def _instance(self, declared: ComplexType, data: Any, path: str) -> ComplexValue:
        made = self._classes.of(declared)
        fields = {f.name: f for f in self._layouts.of(declared).fields}
        if not isinstance(data, Mapping):
            raise EncodeError(
                f"Expected an object, got {_called(data)}.",
                path=path,
                advice=f"Its fields are: {', '.join(fields) or 'none'}.",
            )
        found: dict[str, Any] = {}
        for key, given in data.items():
            f = fields.get(key) or fields.get(made.xml_names.get(key, ""))
            if f is None:
                raise EncodeError(
                    f"{made.__name__} has no field {key!r}.", path=path, advice=_known(key, fields)
                )
            if f.name in found:
                raise EncodeError(f"{key!r} is given twice, under two names.", path=path)
            if given is not None or (f.declaration is not None and f.declaration.nillable and not f.repeated):
                found[f.name] = self._read_field(declared, f, given, path)
        return made(**found)

    def _read_field(self, owner: ComplexType, f: Field, given: Any, path: str) -> Any:
        if f.kind == "any_attribute":
            return _texts(given, path)
        if f.kind == "text":
            assert owner.simple is not None
            return self._read_scalar(self._scalars.of(owner.simple), given, path)
        if f.use is not None:
            return self._read_scalar(self._scalars.of(f.use.type), given, f"{path}/@{_local(f.use.name)}")
        if f.kind == "wildcard":
            return [_wild(item, path) for item in _array(f, given, path)]
        if f.kind == "items":
            return [self._read_item(f, item, path) for item in _array(f, given, path)]
        assert f.declaration is not None
        path = f"{path}/{_local(f.declaration.name)}"
        if not f.repeated:
            return self._meant(f.declaration, given, path)
        return [
            self._meant(f.declaration, item, f"{path}[{index}]")
            for index, item in enumerate(_array(f, given, path), 1)
        ]

    def _read_item(self, f: Field, item: Any, path: str) -> Any:
        if f.mixed and isinstance(item, str):
            return item
        if not isinstance(item, Mapping) or len(item) != 1:
            raise EncodeError(
                f"{f.name} takes objects with one key, the name of an element; got {_called(item)}.",
                path=path,
            )
        name, data = next(iter(item.items()))
        if name == "$xml":
            return _element(data, path)
        try:
            declaration = self._declaration(f, name)
        except KeyError:
            known = [f.item_name(tag) for tag in f.items]
            raise EncodeError(
                f"{f.name} has no element {name!r}.", path=path, advice=_known(name, known)
            ) from None
        return name, self._meant(declaration, data, f"{path}/{_local(declaration.name)}")

    def _read_scalar(self, scalar: Scalar, data: Any, path: str) -> Any:
        if scalar.item is not None:
            if not isinstance(data, list):
                raise EncodeError(f"Expected an array, got {_called(data)}.", path=path)
            return [self._read_scalar(scalar.item, one, path) for one in data]
        try:
            if isinstance(data, str):
                return (
                    data if scalar.scoped or scalar.python == "str" else scalar.decode(_numeral(scalar, data))
                )
            return scalar.decode(_as_text(scalar, data))
        except (ValueError, ArithmeticError, TypeError) as error:
            said = repr(data)[:80] if isinstance(data, str | int | Decimal) else _called(data)
            raise EncodeError(
                f"{said} cannot be read as {scalar.type.builtin or scalar.type.variety}.",
                path=path,
                advice=f"Expected {scalar.python}, as JSON or as its text in XML.",
            ) from error


_SPECIAL = "There are $xml, $nil, $type and $element."


def _as_text(scalar: Scalar, data: Any) -> str:
    """A JSON number or boolean as XML text, where the type is one."""
    union = scalar.choose is not None
    if isinstance(data, bool):
        if scalar.python != "bool" and not union:
            raise TypeError
        return "true" if data else "false"
    if not isinstance(data, int | Decimal) or not (scalar.python in _NUMBERS or union):
        raise TypeError
    if isinstance(data, Decimal):
        if abs(data.adjusted()) > _LARGEST_EXPONENT:
            raise ValueError  # written out, 1e999999999 would fill the memory
        return format(data, "f")
    return str(data)


def _numeral(scalar: Scalar, text: str) -> str:
    """Python reads `1_000` as a number, and `1e3` as a Decimal; XML does not."""
    if scalar.python in ("int", "Decimal") and not _PLAIN_NUMBER(text):
        raise ValueError(text)
    return text


def _nil(value: Nil) -> Any:
    if not value.attributes and value.xsi_type is None:
        return None
    shown = {"$nil": {name: str(given) for name, given in value.attributes.items()}}
    return shown if value.xsi_type is None else {"$type": value.xsi_type, **shown}


def _xml(element: etree._Element) -> dict[str, str]:
    return {"$xml": etree.tostring(element, encoding="unicode", with_tail=False)}


def _wild(item: Any, path: str) -> etree._Element:
    if not isinstance(item, Mapping) or set(item) != {"$xml"}:
        raise EncodeError('A wildcard takes {"$xml": "<…/>"}.', path=path)
    return _element(item["$xml"], path)


def _element(text: Any, path: str) -> etree._Element:
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, AttributeError, UnicodeEncodeError) as error:
        raise EncodeError("What $xml holds is not one XML element.", path=path) from error


def _texts(given: Any, path: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
        raise EncodeError("Free attributes are an object of texts by Clark name.", path=path)
    return dict(given)


def _array(f: Field, given: Any, path: str) -> list[Any]:
    if not isinstance(given, list):
        raise EncodeError(f"{f.name} repeats: expected an array, got {_called(given)}.", path=path)
    return given


def _called(data: Any) -> str:
    match data:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | Decimal():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
        case _:
            return "an object"


def _known(name: Any, names: Iterable[str]) -> str:
    """Advice for a misspelt name: the nearest first, then all there are."""
    listed = list(names)
    near = difflib.get_close_matches(str(name), listed, n=1) or [
        one for one in listed if one.lower() == str(name).lower()
    ]
    known = f"There are: {', '.join(listed) or 'none'}."
    return f"Did you mean {near[0]!r}? {known}" if near else known


def _local(clark: str) -> str:
    return clark.rpartition("}")[2]
