"""Telephone numbers, e-mail addresses and tax numbers as people write them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.customers.cleansing import Tax, email, normal_form, phone, tax_number


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+49 40 5550 0200", "CN", "+494055500200"),
        ("0049 (0)40 / 5550-0200", "DE", "+494055500200"),
        ("０５７４－８８８８　００００", "CN", "+8657488880000"),
        ("(021) 62889999 转 123", "CN", "+862162889999"),
        ("021-62889999 分机12", "CN", "+862162889999"),
        ("(415) 555-0132 ext. 7", "US", "+14155550132"),
        ("040 55500200", "ZZ", None),
        ("n/a", "DE", None),
        ("12", "DE", None),
        ("+999 1234567", "DE", None),
    ],
)
def test_a_telephone_number_is_read_by_its_country(text: str, country: str, number: str | None) -> None:
    assert phone(text, country) == number


@given(st.integers(2_000_000_000, 9_899_999_999), st.sampled_from(["-", " ", ".", ""]))
def test_a_number_in_normal_form_is_read_as_itself_and_separators_do_not_matter(
    digits: int, separator: str
) -> None:
    text = str(digits)
    number = phone(separator.join((text[:3], text[3:6], text[6:])), "US")
    assert number == f"+1{digits}"
    assert phone(number, "CN") == number


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Einkauf@Nordwind.Example ", "einkauf@nordwind.example"),
        ("ｉｎｆｏ＠nordwind.example", "info@nordwind.example"),
        ("a@xn--fsqu00a.example", "a@例子.example"),
        ("名字@例子.example", "名字@例子.example"),
        ("sales", None),
        ("a@localhost", None),
        ("a..b@x.example", None),
        ("a@x.example, b@x.example", None),
        ("Max <max@x.example>", None),
    ],
)
def test_an_e_mail_address_is_read_or_found_to_be_none(text: str, address: str | None) -> None:
    assert email(text) == address


@given(st.emails())
def test_an_address_in_normal_form_is_read_as_itself_and_case_does_not_matter(text: str) -> None:
    found = email(text)
    if found is not None:
        assert email(found) == found
        assert email(text.upper()) in (found, None)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("DE 136,695 976", "DE", Tax("DE136695976", "DE", True)),
        ("136695976", "DE", Tax("DE136695976", "DE", True)),
        ("de-136.695.976", "DE", Tax("DE136695976", "DE", True)),
        ("DE136695977", "DE", Tax("DE136695977", "DE", False)),
        ("ATU 13585627", "DE", Tax("ATU13585627", "AT", True)),
        ("EL 094259216", "GR", Tax("EL094259216", "GR", True)),
        ("EL 094259216", "CN", Tax("EL094259216", "GR", True)),
        ("9111 0000 6000 37341L", "CN", Tax("91110000600037341L", "CN", True)),
        ("９１１１００００６０００３７３４１L", "CN", Tax("91110000600037341L", "CN", True)),
        ("CHE-107.787.577 IVA", "CH", Tax("CHE107787577", "CH", True)),
        ("che-107.787.577 MWST", "CH", Tax("CHE107787577", "CH", True)),
        ("CHE107787577", "CH", Tax("CHE107787577", "CH", True)),
        ("04-2103594", "US", Tax("042103594", "US", True)),
        ("1234 5678-000", "HK", Tax("12345678000", "HK", None)),
        ("--", "DE", None),
    ],
)
def test_a_tax_number_is_read_by_its_country(text: str, country: str, expected: Tax | None) -> None:
    assert tax_number(text, country) == expected


COUNTRIES = st.sampled_from("AT BR CH CN DE ES FR GB GR HK IN IT JP NL PL RU US ZZ".split())
WRITTEN = st.text(st.sampled_from("0123456789ABDELTUXЖ税 .-/"), min_size=1, max_size=40)


@given(WRITTEN, COUNTRIES)
def test_a_tax_number_in_normal_form_is_read_as_itself(text: str, country: str) -> None:
    found = tax_number(text, country)
    if found is None:
        assert not re.search("[0-9A-Za-z]", text)
    elif found.number:
        assert re.fullmatch("[0-9A-Z]+", found.number)
        assert tax_number(found.number, country) == found


@given(st.text(min_size=1, max_size=50), COUNTRIES)
def test_whatever_is_sent_has_a_normal_form(text: str, country: str) -> None:
    details = {
        "code": "C",
        "name": text,
        "country": country,
        "otherName": [text, "x"],
        "taxNumber": text,
        "email": text,
        "phone": text,
        "contact": [{"name": text, "email": text, "phone": text}],
    }
    normal = normal_form(details)
    assert len(normal.get("finding", ())) <= 50  # as the contract says
    read = {**normal, **normal.get("contact", [{}])[0]}
    assert ("email" in read) == ("email" in normal)


def findings(**details: Any) -> list[tuple[str, str]]:
    normal = normal_form({"code": "C", "name": "Nordwind", "country": "DE", **details})
    return [(one["path"], one["reason"]) for one in normal.get("finding", ())]


def test_what_cannot_be_read_is_found_with_its_place() -> None:
    assert findings() == []
    assert findings(name="?!") == [("name", "nameUnreadable")]
    assert findings(otherName=["北风", "--"]) == [("otherName[2]", "nameUnreadable")]
    assert findings(taxNumber="DE123456789") == [("taxNumber", "taxNumberWrong")]
    assert findings(taxNumber="12345", country="HK") == []
    assert findings(email="sales", phone="call us") == [
        ("email", "emailUnreadable"),
        ("phone", "phoneUnreadable"),
    ]
    assert findings(contact=[{"name": "a", "phone": "-"}]) == [("contact/phone", "phoneUnreadable")]
    assert findings(contact=[{"name": "a"}, {"name": "b", "email": "b"}]) == [
        ("contact[2]/email", "emailUnreadable")
    ]
