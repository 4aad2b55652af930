"""Which customers may be one and the same: by what they are found, and how alike they are. Pure.

Two steps, so that a hundred thousand customers need not be compared with each other. A customer has *match keys*, digests of what it has
in normal form; only those that share one are compared. Then `compare` says what two have in common, and what that weighs. Whatever
is found, is found by a shared key: who holds the locks of its keys (`ledger.py`) knows that no other request is making the same customer.

A name that differs from another by one letter (put in, left out, another one, or two exchanged) shares the first or the last half of it,
so halves are keys too. That two customers have different tax numbers, both with right check digits, speaks against them being one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from bridge.erp.customers.cleansing import Tax
from bridge.erp.customers.names import words
from bridge.erp.documents import Json

CANDIDATE: Final = 70
"""From this score on, somebody has to look."""

_WEIGHTS: Final = {
    "sameTaxNumber": 100,
    "sameName": 90,
    "similarName": 75,
    "sameEmail": 60,
    "samePhone": 50,
    "sameAddress": 30,
    "sameEmailDomain": 25,
}
"""How far each is enough by itself, of 100; in the order in which reasons are told."""
_LESS: Final = 15
"""Less for a name in another country, or with another legal form."""
_CONTRADICTED: Final = 0.5
"""What is left of a score where the tax numbers differ."""
_SHORTEST_SIMILAR: Final = 9
"""Letters in a name below which one letter makes it another: 宁波东方贸易 and 宁波东风贸易 are two companies."""
_SHORTEST_HALF: Final = 4
_SHORTEST_HALF_OF_SIGNS: Final = 3
"""Letters in half of a name below which it tells nothing: 宁波 is a city."""
_PUBLIC: Final = frozenset(
    "126.com 163.com aol.com foxmail.com gmail.com gmx.at gmx.ch gmx.de gmx.net googlemail.com hotmail.com icloud.com "
    "live.com mail.com mail.ru me.com msn.com naver.com outlook.com proton.me protonmail.com qq.com sina.com sohu.com "
    "t-online.de web.de yahoo.co.jp yahoo.com yandex.ru yeah.net".split()
)
"""Domains whose addresses anybody may have."""


class Profile(NamedTuple):
    """What a customer is compared by, in normal form.

    Args:
        names: the legal name first; without legal forms.
        legal_form: of the legal name, as it is written; None where it is not known.
        places: of its addresses, as `_place` has them.
    """

    country: str
    names: tuple[str, ...]
    legal_form: str | None
    tax: Tax | None
    emails: frozenset[str]
    phones: frozenset[str]
    places: frozenset[str]


class Likeness(NamedTuple):
    """How alike two customers are: 1 to 100, and what they have in common in the words of the contract."""

    score: int
    why: tuple[str, ...]


def profile(details: Json, normal: Json) -> Profile:
    """What is compared of a customer.

    Args:
        details: the contract's Customer, as it was sent.
        normal: its NormalForm, as `cleansing.normal_form` made it.
    """
    tax = normal.get("taxNumber")
    reached = [normal, *normal.get("contact", ())]
    return Profile(
        country=details["country"],
        names=names_of(normal),
        legal_form=normal.get("legalForm"),
        tax=None if tax is None else Tax(tax["number"], tax["country"], tax.get("valid")),
        emails=frozenset(one["email"] for one in reached if "email" in one),
        phones=frozenset(one["phone"] for one in reached if "phone" in one),
        places=frozenset(_place(one["address"]) for one in details.get("address", ())),
    )


def names_of(normal: Json) -> tuple[str, ...]:
    """The names of a NormalForm, the legal one first; without legal forms."""
    legal = (normal["matchName"],) if "matchName" in normal else ()
    return tuple(dict.fromkeys((*legal, *normal.get("otherName", ()))))


def match_keys(of: Profile) -> frozenset[int]:
    """By what others are found that may be the same: 64-bit digests of what is compared."""
    return telling_keys(of) | half_keys(of)


def half_keys(of: Profile) -> frozenset[int]:
    """Those of halves of names: many share one, and who shares nothing else is a candidate only where names are `similar`."""
    return frozenset(
        match_key("half", half) for one in of.names for form in _forms(one) for half in _halves(form)
    )


def telling_keys(of: Profile) -> frozenset[int]:
    """Those of whole names, numbers and addresses."""
    keys = {name_key(one) for one in of.names}
    keys |= {match_key("email", one) for one in of.emails}
    keys |= {match_key("phone", one) for one in of.phones}
    if of.tax is not None:
        keys.add(tax_key(of.tax.number, of.tax.country))
    return frozenset(keys)


def match_key(kind: str, value: str) -> int:
    """The digest of one value, as PostgreSQL's bigint and SQLite's INTEGER hold it."""
    digest = hashlib.blake2b(f"{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def name_key(matched: str) -> int:
    """The digest of a name in normal form, whatever the order of its words."""
    return match_key("name", _sorted(matched))


def tax_key(number: str, country: str) -> int:
    """The digest of a tax number in normal form, with or without its country before it."""
    prefix = "EL" if country == "GR" else country
    return match_key("tax", number.removeprefix(prefix))


def compare(one: Profile, other: Profile) -> Likeness | None:
    """How alike two customers are, whichever comes first; None where they have nothing in common."""
    weights = {**_by_numbers(one, other), **_by_names(one, other)}
    if not weights:
        return None
    differs = 1.0
    for weight in weights.values():
        differs *= 1 - weight / 100
    alike = 1 - differs
    if "sameTaxNumber" not in weights and _contradict(one.tax, other.tax):
        alike *= _CONTRADICTED
    return Likeness(max(1, round(100 * alike)), tuple(why for why in _WEIGHTS if why in weights))


def _by_numbers(one: Profile, other: Profile) -> Mapping[str, int]:
    found: list[str] = []
    if one.tax and other.tax and one.tax[:2] == other.tax[:2]:
        found.append("sameTaxNumber")
    if one.emails & other.emails:
        found.append("sameEmail")
    elif _domains(one.emails) & _domains(other.emails):
        found.append("sameEmailDomain")
    if one.phones & other.phones:
        found.append("samePhone")
    if one.places & other.places:
        found.append("sameAddress")
    return {why: _WEIGHTS[why] for why in found}


def _by_names(one: Profile, other: Profile) -> Mapping[str, int]:
    ones, others = ({_sorted(name) for name in of.names} for of in (one, other))
    less = 0 if one.country == other.country else _LESS
    if ones & others:
        if one.legal_form and other.legal_form and one.legal_form != other.legal_form:
            less += _LESS
        return {"sameName": _WEIGHTS["sameName"] - less}
    if similar(one.names, other.names):
        return {"similarName": _WEIGHTS["similarName"] - less}
    return {}


def similar(ones: Iterable[str], others: Iterable[str]) -> bool:
    """Whether one of the names differs from one of the others in one letter."""
    others = tuple(others)
    return any(_similar(this, that) for this in ones for that in others)


def _similar(one: str, other: str) -> bool:
    """Figures tell apart: plant 1 is not plant 2."""
    close = any(_close(this, that) for this, that in zip(_forms(one), _forms(other), strict=True))
    return close and _figures(one) == _figures(other)


def _close(one: str, other: str) -> bool:
    """Whether one letter is put in, left out, another one, or exchanged with its neighbour."""
    if abs(len(one) - len(other)) > 1 or max(len(one), len(other)) < _SHORTEST_SIMILAR:
        return False
    start = _shared(one, other)
    this, that = one[start:], other[start:]
    end = _shared(this[::-1], that[::-1])
    this, that = this[: len(this) - end], that[: len(that) - end]
    exchanged = len(this) == 2 and this == that[::-1]
    return exchanged or max(len(this), len(that)) <= 1


def _shared(one: str, other: str) -> int:
    """Letters that both begin with."""
    return next(
        (at for at, (this, that) in enumerate(zip(one, other, strict=False)) if this != that),
        min(len(one), len(other)),
    )


def _contradict(one: Tax | None, other: Tax | None) -> bool:
    if one is None or other is None or one.country != other.country:
        return False
    return bool(one.valid and other.valid and one.number != other.number)


def _halves(letters: str) -> set[str]:
    """Beginnings and ends of a name, such that one with a single letter changed has one of them too."""
    shortest = _SHORTEST_HALF if letters.isascii() else _SHORTEST_HALF_OF_SIGNS
    lengths = {len(letters) // 2, (len(letters) - 1) // 2}
    halves = [(f"^{letters[:n]}", f"{letters[-n:]}$") for n in lengths if n >= shortest]
    return {half for pair in halves for half in pair}


def _forms(name: str) -> tuple[str, str]:
    """Its letters, in the order of its words and in that of the alphabet's: one of the two outlives a letter changed at a word's beginning."""
    return name.replace(" ", ""), _sorted(name)


def _sorted(name: str) -> str:
    return "".join(sorted(name.split()))


def _figures(name: str) -> list[str]:
    return re.findall(r"\d+", name)


def _domains(emails: Iterable[str]) -> frozenset[str]:
    return frozenset(one.rpartition("@")[2] for one in emails) - _PUBLIC


def _place(address: Json) -> str:
    """Where an address is: country, postal code (else the city) and first line, whatever the spelling."""
    parts = (address["country"], address.get("postalCode") or address["city"], address["street"][0])
    return "/".join("".join(words(part)) for part in parts)
