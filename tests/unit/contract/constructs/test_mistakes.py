"""What a handler gave does not fit: an EncodeError says where, and what would fit."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from lxml import etree

from bridge.contract.codec.values import NIL, Element, TypedValue
from bridge.contract.codec.writing import ForeignValue
from bridge.errors import DecodeError, EncodeError

from .conftest import Construct

WRONG = [
    ("a float for a decimal", "choice", {"Amount": 9.5, "Card": "1"}, "/Message/Amount", "Expected Decimal, got float; Decimal(str(value))"),
    ("a text for a number", "numbers", {"int": [1, "2"]}, "/Message/int[2]", "Expected int, got str."),
    ("a boolean for a number", "numbers", {"int": [True]}, "/Message/int[1]", "Expected int, got bool."),
    ("a number for a boolean", "numbers", {"boolean": [1]}, "/Message/boolean[1]", "Expected bool, got int."),
    ("a text for a double", "numbers", {"double": ["1.0"]}, "/Message/double[1]", "Expected float, got str."),
    ("a number for a text", "texts", {"string": [5]}, "/Message/string[1]", "Expected str, got int."),
    ("bytes for a text", "texts", {"token": [b"x"]}, "/Message/token[1]", "Expected str, got bytes."),
    ("None among the values of a list", "texts", {"string": ["a", None]}, "/Message/string[2]", "Expected str, got NoneType."),
    ("a text for a date", "dates", {"date": ["2024-01-01"]}, "/Message/date[1]", "Expected date, got str."),
    ("a moment for a date", "dates", {"date": [datetime(2024, 1, 1)]}, "/Message/date[1]", "Expected date, got datetime."),
    ("a date for a moment", "dates", {"dateTime": [date(2024, 1, 1)]}, "/Message/dateTime[1]", "Expected datetime, got date."),
    ("a number for a year", "dates", {"gYear": [2024]}, "/Message/gYear[1]", "Expected str, got int."),
    ("a text for bytes", "binary", {"base64Binary": ["AQID"]}, "/Message/base64Binary[1]", "Expected bytes, got str."),
    ("no number at all", "numbers", {"decimal": [D("NaN")]}, "/Message/decimal[1]", "NaN is no decimal number."),
    ("an infinite decimal", "numbers", {"decimal": [D("-Infinity")]}, "/Message/decimal[1]", "-Infinity is no decimal number."),
    ("a wrong attribute", "attributes", {"Text": {"value": "x"}, "id": "1"}, "/Message/@id", "Expected int, got str."),
    ("a wrong text of simple content", "simple-content-extension", {"Price": [{"value": "1", "currency": "EUR"}]}, "/Message/Price[1]", "Expected Decimal, got str."),
    ("a text for a list", "lists", {"Numbers": "1 2"}, "/Message/Numbers", "Expected list, got str."),
    ("an item of a list with white space", "lists", {"Numbers": [1], "Words": ["a b"]}, "/Message/Words", "An item of a list can neither be empty nor hold white space: 'a b'."),
    ("a text for a list of names", "qnames", {"Name": ["x"], "Names": "ab"}, "/Message/Names", "Expected list, got str."),
    ("no member of a union", "unions", {"Size": [1.5]}, "/Message/Size[1]", "Expected one of int, str, got float."),
    ("a single value where the element repeats", "numbers", {"int": 5}, "/Message/int", "int repeats: expected a list, got int."),
    ("an unknown key", "choice", {"Amount": D(1), "Kard": "1"}, "/Message", "Message has no field 'Kard'. It has: Amount, Card, Account, Cash, Voucher, Note, NoteId."),
    ("an unknown key further in", "recursion", {"Root": {"Label": "l", "Node": [{"Label": "m"}, {"Labl": "n"}]}}, "/Message/Root/Node[2]", "Node has no field 'Labl'. It has: Label, Node."),
    ("both sides of a choice", "choice-of-sequences", {"Street": "s", "City": "c", "Box": 5, "Office": 7}, "/Message", "Only one side of a choice can be set, not all of: Box, City, Office, Street."),
    ("a value that is no structure", "recursion", {"Root": "text"}, "/Message/Root", "Expected Node or a dict, got str. Its fields are: Label, Node."),
    ("a name that a repeating choice does not have", "repeating-choice", {"Title": "t", "choice": [("Kredit", D(1))], "Total": D(1)}, "/Message", "choice has no element 'Kredit'. It has: Credit, Debit, Text."),
    ("an item of a repeating choice without a name", "repeating-choice", {"Title": "t", "choice": [D(1)], "Total": D(1)}, "/Message", "choice takes (name, value) pairs, got Decimal."),
    ("a wrong value in a repeating choice", "repeating-choice", {"Title": "t", "choice": [("Credit", 1.5)], "Total": D(1)}, "/Message/Credit", "Expected Decimal, got float;"),
    ("a dict for a wildcard", "any", {"Lax": {"any": [{}]}}, "/Message/Lax", "A wildcard takes lxml elements, got dict."),
    ("an element where the contract declares a type", "choice", {"Amount": etree.Element("x"), "Card": "1"}, "/Message/Amount", "An lxml element can only stand where the contract allows any type."),
    ("an element of another name", "any-type", {"Data": [etree.Element("x")]}, "/Message/Data[1]", "The element is called x, not {urn:test:any-type}Data."),
    ("a substitute that does not stand for the head", "substitution-group", {"Vehicle": Element("{urn:test:substitution-group}Remark", "r")}, "/Message/Vehicle", "cannot stand for {urn:test:substitution-group}Vehicle."),
    ("a free attribute that is no text", "any-attribute", {"Name": "n", "any_attributes": {"a": 1}}, "/Message", "a: a free attribute takes str, got int."),
    ("a free attribute whose name is markup", "any-attribute", {"Name": "n", "any_attributes": {'a="1" b': "x"}}, '/Message/@a="1" b', "Invalid tag name"),
    ("a type that does not exist", "any-type", {"Data": [TypedValue("{urn:x}y", 1)]}, "/Message/Data[1]", "There is no simple type {urn:x}y."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("contract", "value", "path", "message"), [pytest.param(*case[1:], id=case[0]) for case in WRONG]
)
def test_a_value_that_does_not_fit_is_named(contract: str, value: Any, path: str, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        Construct(contract).encode(value)
    assert caught.value.path == path
    assert message in str(caught.value)


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
@pytest.mark.parametrize(("contract", "make", "path"), [
    ("texts", lambda text: {"string": ["fine", text]}, "/Message/string[2]"), ("texts", lambda text: {"string_": text}, "/Message/@string"),
    ("mixed", lambda text: {"Phrase": {"content": [text]}}, "/Message/Phrase"), ("any-attribute", lambda text: {"Name": "n", "any_attributes": {"a": text}}, "/Message/@a"),
    ("simple-content-extension", lambda text: {"Price": [{"value": D(1), "currency": text}]}, "/Message/Price[1]/@currency"),
    ("unions", lambda text: {"When": [text]}, "/Message/When[1]"), ("enumerations", lambda text: {"Status": text}, "/Message/Status"),
])  # fmt: skip
def test_a_character_that_xml_cannot_hold_is_named(
    character: str, contract: str, make: Any, path: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        Construct(contract).encode(make(f"a{character}b"))
    assert caught.value.path == path
    assert f"The character U+{ord(character):04X} cannot stand in XML." in str(caught.value)


def test_the_value_of_another_contract_is_a_type_error_that_names_mapping() -> None:
    theirs, ours = Construct("mutual-recursion"), Construct("recursion")
    value = theirs.decode("<Message><Name>n</Name></Message>")
    for given, path in ((value, "/Message"), ({"Root": value}, "/Message/Root")):
        with pytest.raises(TypeError, match=r"belongs to another contract.*mapping=") as caught:
            ours.encode(given)
        assert isinstance(caught.value, ForeignValue)
        assert caught.value.path == path


def test_a_class_of_the_same_contract_that_is_not_derived_is_refused() -> None:
    construct = Construct("extension")
    with pytest.raises(EncodeError, match="Party is not Employee nor derived from it"):
        construct.encode({"Employee": construct.type("Party")(Name="n")})


def test_a_dict_for_an_abstract_type_is_told_which_types_there_are() -> None:
    construct = Construct("abstract-type")
    with pytest.raises(EncodeError, match=r"Payment is abstract.*: Card, Transfer") as caught:
        construct.encode({"Payment": [{"Amount": D(1)}]})
    assert caught.value.path == "/Message/Payment[1]"


def test_nothing_where_something_must_stand_is_left_to_the_guard() -> None:
    construct = Construct("choice")
    assert b"Amount" not in construct.contract.codec.encode(construct.element, {"Card": "1"}).encode()


def test_nil_where_the_contract_does_not_let_it_is_left_to_the_guard() -> None:
    construct = Construct("choice")
    assert "nil" in construct.contract.codec.encode(construct.element, {"Amount": NIL, "Card": "1"})


def test_a_value_that_libxml2_admits_and_python_cannot_read_names_its_element() -> None:
    construct = Construct("numbers")
    with pytest.raises(DecodeError, match="'1e' cannot be read as double") as caught:
        construct.decode("<Message><double>1e</double></Message>")
    assert caught.value.path == "double"


def test_a_number_too_long_to_be_a_number_is_an_error_of_the_sender() -> None:
    construct = Construct("numbers")
    with pytest.raises(DecodeError, match="cannot be read as integer"):
        construct.decode(f"<Message><integer>{'9' * 5000}</integer></Message>")
