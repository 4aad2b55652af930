"""Which customers may be the same: what is found, and what it weighs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.erp.customers.cleansing import Tax, normal_form
from bridge.erp.customers.duplicates import (
    CANDIDATE,
    Profile,
    compare,
    match_keys,
    name_key,
    profile,
    tax_key,
)
from bridge.erp.customers.names import name

BASE = {
    "name": "Nordwind Maschinenbau GmbH",
    "country": "DE",
    "taxNumber": "DE136695976",
    "email": "info@nordwind.example",
    "phone": "+494055500200",
    "address": [
        {"address": {"street": ["Kai 1"], "city": "Hamburg", "postalCode": "20457", "country": "DE"}}
    ],
}
BARE = {"name": BASE["name"], "country": "DE"}


def of(**details: Any) -> Profile:
    return profile(details, normal_form(details))


@pytest.mark.parametrize(
    ("other", "score", "why"),
    [
        ({**BARE, "taxNumber": "136 695 976", "name": "Other"}, 100, ("sameTaxNumber",)),
        (BARE, 90, ("sameName",)),
        ({**BARE, "name": "NORDWIND maschinenbau"}, 90, ("sameName",)),
        ({**BARE, "name": "Maschinenbau Nordwind"}, 90, ("sameName",)),
        ({**BARE, "name": "Nordwind Maschinenbau AG"}, 75, ("sameName",)),
        ({**BARE, "country": "AT"}, 75, ("sameName",)),
        ({**BARE, "name": "Nordwind Maschinenbau AG", "country": "AT"}, 60, ("sameName",)),
        ({**BARE, "name": "Nordwnd Maschinenbau"}, 75, ("similarName",)),
        ({**BARE, "name": "Maschinenbau Nordwnd"}, 75, ("similarName",)),
        ({**BARE, "name": "Nordwnd Maschinenbau", "country": "AT"}, 60, ("similarName",)),
        ({"name": "X", "country": "DE", "email": "INFO@nordwind.example"}, 60, ("sameEmail",)),
        ({"name": "X", "country": "DE", "email": "x@nordwind.example"}, 25, ("sameEmailDomain",)),
        ({"name": "X", "country": "DE", "phone": "040 5550 0200"}, 50, ("samePhone",)),
        (
            {"name": "X", "country": "DE", "phone": "040 5550 0200", "email": "info@nordwind.example"},
            80,
            ("sameEmail", "samePhone"),
        ),
        (
            {
                "name": "X",
                "country": "DE",
                "address": [
                    {"address": {"street": ["KAI  1."], "city": "HH", "postalCode": "20457", "country": "DE"}}
                ],
            },
            30,
            ("sameAddress",),
        ),
        # A name that is equal and a tax number that is another's: two companies of one name.
        ({**BARE, "taxNumber": "DE129274202"}, 45, ("sameName",)),
        # A wrong check digit says nothing.
        ({**BARE, "taxNumber": "DE136695977"}, 90, ("sameName",)),
    ],
)
def test_what_two_have_in_common_and_what_it_weighs(
    other: dict[str, Any], score: int, why: tuple[str, ...]
) -> None:
    assert compare(of(**BASE), of(**other)) == (score, why)


def test_nothing_in_common_is_nothing() -> None:
    assert compare(of(**BASE), of(name="Südstern", country="DE")) is None
    both = [of(name=text, country="DE", email=f"{text}@qq.com") for text in ("Ostmark", "Westend")]
    assert compare(*both) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beispiel Werk 1 Betriebsgesellschaft", "Beispiel Werk 2 Betriebsgesellschaft"),
        ("宁波东方贸易有限公司", "宁波东风贸易有限公司"),
        ("宁波东方贸易有限公司", "宁波海达贸易有限公司"),
    ],
)
def test_names_that_look_alike_and_are_others_are_no_candidates(one: str, other: str) -> None:
    found = compare(of(name=one, country="CN"), of(name=other, country="CN"))
    assert found is None or found.score < CANDIDATE


TEXTS = st.sampled_from(
    ["Nordwind", "Nordwnd", "Nordwind Handel", "Handel Nordwind AG", "宁波东方贸易", "X1", "X2"]
)
PROFILES = st.builds(
    lambda **fields: of(**{name: value for name, value in fields.items() if value is not None}),
    name=TEXTS,
    country=st.sampled_from(["DE", "AT", "CN"]),
    taxNumber=st.sampled_from([None, "DE136695976", "136695976", "DE129274202", "ATU13585627", "1"]),
    email=st.sampled_from([None, "a@x.example", "A@X.example", "b@x.example", "a@qq.com", "-"]),
    phone=st.sampled_from([None, "+494055500200", "040 55500200", "-"]),
    otherName=st.sampled_from([None, ["Nordwind GmbH"], ["北风"]]),
)


@given(PROFILES, PROFILES)
def test_who_is_compared_with_whom_does_not_matter(one: Profile, other: Profile) -> None:
    assert compare(one, other) == compare(other, one)


@given(PROFILES)
def test_everybody_is_a_candidate_for_itself(one: Profile) -> None:
    found = compare(one, one)
    assert found is not None
    assert found.score >= CANDIDATE


@given(PROFILES, PROFILES)
def test_a_score_is_a_score_of_the_contract(one: Profile, other: Profile) -> None:
    found = compare(one, other)
    assert found is None or (1 <= found.score <= 100 and found.why)


WORDS = st.lists(
    st.text(st.sampled_from("abcdefghijklmnoprstuvwz"), min_size=3, max_size=12), min_size=1, max_size=3
)


@given(WORDS, st.data())
def test_a_name_with_one_letter_changed_shares_a_match_key(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    assume(len("".join(words)) >= 9)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    edit = data.draw(st.sampled_from(["put in", "left out", "another", "exchanged"]))
    changed = {
        "put in": text[:at] + letter + text[at:],
        "left out": text[:at] + text[at + 1 :],
        "another": text[:at] + letter + text[at + 1 :],
        "exchanged": text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
    }[edit]
    keys = [match_keys(of(name=one, country="DE")) for one in (text, changed)]
    if name(text).legal_form is name(changed).legal_form is None:
        assert keys[0] & keys[1], (text, changed)


@given(PROFILES, PROFILES)
def test_whoever_would_be_refused_for_another_is_found_by_a_shared_key(one: Profile, other: Profile) -> None:
    found = compare(one, other)
    if found is not None and found.score >= CANDIDATE:
        assert match_keys(one) & match_keys(other)


def test_match_keys_are_64_bit_and_the_same_in_every_process() -> None:
    assert name_key("nordwind") == name_key("nordwind")
    assert -(2**63) <= name_key("nordwind") < 2**63
    assert name_key("maschinenbau nordwind") == name_key("nordwind maschinenbau")
    assert tax_key("DE136695976", "DE") == tax_key("136695976", "DE")


def test_a_profile_has_names_numbers_and_places() -> None:
    found = of(**BASE, otherName=["Nordwind Maschinenbau", "北风"])
    assert found == Profile(
        country="DE",
        names=("nordwind maschinenbau", "北风"),
        legal_form="GmbH",
        tax=Tax("DE136695976", "DE", True),
        emails=frozenset(["info@nordwind.example"]),
        phones=frozenset(["+494055500200"]),
        places=frozenset(["de/20457/kai1"]),
    )
