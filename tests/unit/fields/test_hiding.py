"""What is hidden is nowhere in the answer, in whatever spelling the contract admits, and the answer is valid."""

from __future__ import annotations

import dataclasses
import random
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.access import Caller
from bridge.access.sight import Sight, unknown_services
from bridge.contract import Contract, load
from bridge.errors import InvalidReply
from bridge.fields import places
from bridge.fields.hiding import hide
from bridge.fields.path import Field, FieldPath
from bridge.settings import Role
from bridge.soap.xml import read_own

NS = "urn:test:zoo:1"
REPLY = f"{{{NS}}}GetResponse"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.fixture(scope="module")
def zoo() -> Contract:
    contract = load(Path(__file__).parent / "zoo-1.wsdl")
    contract.compile()
    return contract


def reply(animals: str = "", rest: str = "", text: str = "") -> str:
    return (
        f'<GetResponse xmlns="{NS}" {XSI}>{animals}<price currency="EUR">7</price>{rest or "<cash>now</cash>"}'
        f'<amount unit="kg">3</amount>{text}</GetResponse>'
    )


def hidden(zoo: Contract, text: str, *paths: str) -> str:
    zoo.guard.check(REPLY, read_own(text.encode()), error=InvalidReply)
    found = [places.find(zoo.model, REPLY, FieldPath.read(path)) for path in paths]
    assert all(place is not None and place.how is not None for place in found)
    shown = hide(text, [place for place in found if place is not None])
    zoo.guard.check(REPLY, read_own(shown.encode()), error=InvalidReply)
    return shown


DOG = (
    '<animal xsi:type="Dog" id="1" chip="hush"><name>Rex</name><weight>hush</weight><breed>hush</breed><owner>hush</owner>'
    "<owner>hush</owner></animal>"
).replace("<weight>hush</weight>", "<weight>4711.25</weight>")


def test_a_field_is_hidden_in_every_derived_type_and_every_repetition(zoo: Contract) -> None:
    shown = hidden(zoo, reply(DOG + DOG), "animal/owner", "animal/@chip", "animal/breed", "animal/weight")
    assert "hush" not in shown
    assert "4711.25" not in shown
    assert shown.count("Rex") == 2
    assert shown.count('nil="true"') == 2  # breed is not optional; nothing else is null


def test_a_field_is_hidden_in_elements_that_stand_for_the_one_named(zoo: Contract) -> None:
    dog = '<dog id="2" chip="hush"><name>Rex</name><breed>pug</breed></dog>'
    assert "hush" not in hidden(zoo, reply(dog), "animal/@chip")
    assert "Rex" not in hidden(zoo, reply(dog), "animal")


def test_only_the_substitute_is_hidden_where_it_alone_is_named(zoo: Contract) -> None:
    both = '<dog id="2"><name>Rex</name><breed>pug</breed></dog><animal id="3"><name>Tom</name></animal>'
    shown = hidden(zoo, reply(both), "dog")
    assert "Rex" not in shown
    assert "Tom" in shown


def test_a_null_field_keeps_no_attribute(zoo: Contract) -> None:
    shown = hidden(zoo, reply(), "price")
    assert "EUR" not in shown
    assert ">7<" not in shown


def test_text_around_what_is_left_out_stays(zoo: Contract) -> None:
    shown = hidden(zoo, reply(text="<text>one <b>hush</b> two <b>hush</b> three</text>"), "text/b")
    assert "<text>one  two  three</text>" in shown


def test_an_answer_without_the_field_stays_the_very_text(zoo: Contract) -> None:
    text = reply()
    assert hidden(zoo, text, "animal/owner") is text


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("animal", "leave out"),
        ("animal/owner", "leave out"),
        ("animal/weight", "leave out"),
        ("animal/breed", "nil"),
        ("animal/@chip", "leave out"),
        ("animal/@id", None),
        ("animal/name", None),
        ("animal/lives", None),
        ("price", "nil"),
        ("price/@currency", "leave out"),
        ("phone", "leave out"),
        ("cash", None),
        ("from", None),
        ("amount", None),  # null it may be, and would still have to say its unit
    ],
)
def test_what_the_contract_can_do_without(zoo: Contract, path: str, how: str | None) -> None:
    place = places.find(zoo.model, REPLY, FieldPath.read(path))
    assert place is not None
    assert place.how == how
    assert bool(place.why) == (how is None)


@pytest.mark.parametrize("path", ["nothing", "animal/nothing", "animal/@nothing", "price/value"])
def test_a_field_that_is_not_there(zoo: Contract, path: str) -> None:
    assert places.find(zoo.model, REPLY, FieldPath.read(path)) is None


_HIDEABLE = [
    "animal/owner",
    "animal/weight",
    "animal/breed",
    "animal/@chip",
    "price",
    "phone",
    "text/b",
    "animal",
    "mail",
]
_WORDS = st.text(string.ascii_letters, min_size=6, max_size=9)


@given(seed=st.integers(0, 2**32), paths=st.sets(st.sampled_from(_HIDEABLE), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_hidden_value_is_left_and_every_answer_stays_valid(
    zoo: Contract, seed: int, paths: set[str]
) -> None:
    chance = random.Random(seed)
    animals = []
    for number in range(chance.randrange(4)):
        kind = chance.choice(["", "Dog", "Cat", "dog"])
        tag = "dog" if kind == "dog" else "animal"
        type_ = f' xsi:type="{kind}"' if kind in ("Dog", "Cat") else ""
        chip = ' chip="C4NARY-animal/@chip"' if chance.random() < 0.5 else ""
        weight = "<weight>12345.6789</weight>" if chance.random() < 0.5 else ""
        own = {
            "Dog": "<breed>C4NARY-animal/breed</breed><owner>C4NARY-animal/owner</owner>",
            "dog": "<breed>C4NARY-animal/breed</breed>"
            + "<owner>C4NARY-animal/owner</owner>" * chance.randrange(3),
            "Cat": "<lives>9</lives>",
            "": "",
        }[kind]
        animals.append(f'<{tag} id="{number}"{type_}{chip}><name>C4NARY-animal</name>{weight}{own}</{tag}>')
    rest = chance.choice(["", "<phone>C4NARY-phone</phone>", "<mail>C4NARY-mail</mail>"]) + "<card>x</card>"
    text = "<text>a<b>C4NARY-text/b</b>c</text>" if chance.random() < 0.5 else ""
    shown = hidden(zoo, reply("".join(animals), rest, text), *paths)
    for path in paths:
        assert f"C4NARY-{path}<" not in shown
        assert f'C4NARY-{path}"' not in shown
    if "animal/weight" in paths:
        assert "12345.6789" not in shown
    for path in {"phone", "mail", "text/b"} - paths:
        assert (f"C4NARY-{path}" in shown) == (f"C4NARY-{path}" in rest + text)


# -- roles


def role(*hidden: str, operations: tuple[str, ...] = ("zoo.*",), sees: str = "own") -> Role:
    return Role(operations=operations, hidden=hidden, sees=sees)  # type: ignore[arg-type]


def caller(*roles: str) -> Caller:
    return Caller("acme", "partner", roles)


def seen(zoo: Contract, roles: dict[str, Role], *mine: str) -> list[tuple[str, ...]]:
    sight = Sight("zoo", zoo, roles)
    assert sight.mistakes == []
    found = sight.hidden(caller(*mine), "Get", REPLY)
    return sorted(tuple(min(step).rpartition("}")[2] for step in place.steps) for place in found)


def test_what_one_role_shows_is_seen(zoo: Contract) -> None:
    roles = {"a": role("zoo.Get animal", "zoo.Get price"), "b": role("zoo.Get animal/owner"), "c": role()}
    assert seen(zoo, roles, "a") == [("animal",), ("price",)]
    assert seen(zoo, roles, "a", "b") == [("animal", "owner")]  # of an animal `b` shows all but that
    assert seen(zoo, roles, "a", "c") == []


def test_a_role_that_does_not_allow_the_operation_shows_nothing_of_it(zoo: Contract) -> None:
    roles = {"a": role("zoo.Get price"), "other": role(operations=("shop.*",), sees="all")}
    assert seen(zoo, roles, "a", "other") == [("price",)]
    assert Sight("zoo", zoo, roles).own_only(caller("a", "other"), "Get")


def test_everybody_sees_all_who_is_not_told_apart_or_has_a_role_that_says_so(zoo: Contract) -> None:
    sight = Sight("zoo", zoo, {"own": role("zoo.Get price"), "all": role(sees="all")})
    assert not sight.own_only(None, "Get")
    assert sight.hidden(None, "Get", REPLY) == ()
    assert sight.own_only(caller("own"), "Get")
    assert sight.own_only(caller(), "Get")
    assert not sight.own_only(caller("own", "all"), "Get")


def test_a_declared_fault_goes_without_the_field_too(zoo: Contract) -> None:
    sight = Sight("zoo", zoo, {"a": role("zoo.Get keeper")})
    assert sight.mistakes == []
    (place,) = sight.hidden(caller("a"), "Get", f"{{{NS}}}Gone")
    assert hide(f'<Gone xmlns="{NS}"><keeper>Ann</keeper></Gone>', [place]) == f'<Gone xmlns="{NS}"/>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zoo.Get animal/name", "neither optional nor nillable"),
        ("zoo.Get nothing", "no answer of Get has nothing"),
        ("zoo.Gett price", "did you mean Get?"),
        ("zoo.Get", "does not name"),
        ("zoo.Get a//b", "is no path"),
        ("zoo.Get pin", "no answer of Get has pin"),  # the request has it: nobody hides that from its sender
    ],
)
def test_what_cannot_be_hidden_is_a_mistake_that_says_why(zoo: Contract, text: str, says: str) -> None:
    (mistake,) = Sight("zoo", zoo, {"a": role(text)}).mistakes
    assert "roles.a.hidden" in mistake
    assert says in mistake


def test_a_service_that_is_not_there(zoo: Contract) -> None:
    (mistake,) = unknown_services({"a": role("zooo.Get price")}, {"zoo": zoo})
    assert "Did you mean zoo?" in mistake


def test_fields_are_read_and_written_alike() -> None:
    field = Field.read("  Get  animal/@chip ")
    assert field == Field("Get", FieldPath(("animal",), "chip"))
    assert Field.read(str(field)) == field
    assert dataclasses.asdict(Field.read("Get price"))["path"] == {"steps": ("price",), "attribute": None}
