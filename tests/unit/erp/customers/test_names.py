"""Legal names: whatever the spelling, one normal form."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.erp.customers.names import name, plain

LETTERS = st.sampled_from("abcdefgßäöüéñøłåжйщ宁波东方贸株가の0189 .,-&()'/")
NAMES = st.text(LETTERS, min_size=1, max_size=30)
WORDS = st.lists(
    st.text(st.sampled_from("bcdfghkmnprstvwz"), min_size=3, max_size=9), min_size=1, max_size=4
).map(" ".join)


@pytest.mark.parametrize(
    ("spellings", "matched"),
    [
        (
            [
                "Müller Maschinenbau GmbH",
                "MÜLLER MASCHINENBAU G.M.B.H.",
                "Mueller  Maschinenbau Gesellschaft mit beschränkter Haftung",
                "Ｍüller Maschinenbau　ＧｍｂＨ",
                "Mu\u0308ller-Maschinenbau",
                "Müller\u200b Maschinenbau (GmbH)",
            ],
            "mueller maschinenbau",
        ),
        (["Foo Co., Ltd.", "FOO LIMITED", "Foo Company Limited", "foo ltd", "Foo Private Limited"], "foo"),
        (
            [
                "宁波东方贸易有限公司",
                "宁波东方贸易有限责任公司",
                "宁波东方贸易有限責任公司",
                " 宁波 东方贸易 有限公司",
            ],
            "宁波东方贸易",
        ),
        (["上海海达股份有限公司", "上海海达"], "上海海达"),
        (["株式会社トヨタ", "㈱トヨタ", "トヨタ（株）", "ﾄﾖﾀ株式会社"], "トヨタ"),
        (["삼성전자 주식회사", "㈜삼성전자"], "삼성전자"),
        (["Nestlé S.A.", "NESTLE SA", "Nestle S. A."], "nestle"),
        (["Smith & Sons, Inc.", "Smith and Sons Incorporated"], "smith sons"),
        (["Schmidt GmbH & Co. KG", "Schmidt GmbH und Co KG", "SCHMIDT GMBH CO. KG"], "schmidt"),
        (["Kowalski Sp. z o.o.", "KOWALSKI SP Z OO"], "kowalski"),
        (["ООО «Ромашка»", "Ромашка, ООО"], "ромашка"),
        (["PT Maju Jaya", "Maju Jaya"], "maju jaya"),
        (["Maersk A/S", "Maersk AS"], "maersk"),
        (["O'Neill Ltd", "ONeill", "O’Neill"], "oneill"),
    ],
)
def test_spellings_of_one_name_are_one_name(spellings: list[str], matched: str) -> None:
    assert {name(spelling).matched for spelling in spellings} == {matched}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Müller G.m.b.H.", "GmbH"),
        ("Schmidt GmbH & Co. KG", "GmbH & Co. KG"),
        ("宁波东方贸易有限责任公司", "有限公司"),
        ("上海海达股份有限公司", "股份有限公司"),
        ("㈱トヨタ", "株式会社"),
        ("Müller", None),
        ("Ltd", None),
    ],
)
def test_the_legal_form_is_told_in_one_spelling(text: str, form: str | None) -> None:
    assert name(text).legal_form == form


@pytest.mark.parametrize("text", ["Ltd", "GmbH", "有限公司", "S.A.", "And"])
def test_a_name_that_is_nothing_but_a_form_stays(text: str) -> None:
    assert name(text).matched


@pytest.mark.parametrize("one", ["宁波东方贸易有限公司", "Müller GmbH"])
def test_other_names_stay_other_names(one: str) -> None:
    others = [
        "宁波东风贸易有限公司",
        "宁波东方贸易有限公司上海分公司",
        "Möller GmbH",
        "Müller Verwaltungs GmbH",
    ]
    assert name(one).matched not in {name(other).matched for other in others}


@given(NAMES)
@example("ltd and")
@example("AG AG")
@example("株 株式会社")
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    once = name(text)
    assert name(once.matched).matched == once.matched
    assert plain(once.shown) == once.shown


@given(NAMES)
def test_case_does_not_matter(text: str) -> None:
    assert name(text.upper()).matched == name(text).matched == name(text.casefold()).matched


@given(NAMES)
def test_width_and_composition_do_not_matter(text: str) -> None:
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    assert name(wide).matched == name(text).matched
    assert name(unicodedata.normalize("NFD", text)).matched == name(text).matched


@given(NAMES, st.sampled_from([" ", "  ", "\u3000", "\t", "\u200b"]))
def test_blanks_at_the_ends_do_not_matter(text: str, blank: str) -> None:
    assert name(f"{blank}{text}{blank}") == name(text)


@given(WORDS, st.sampled_from(["GmbH", "Ltd.", "Co., Ltd.", "Inc", "S.A.", "有限公司", "股份有限公司"]))
def test_a_legal_form_behind_a_name_does_not_matter(words: str, form: str) -> None:
    assert name(f"{words} {form}").matched == name(words).matched
    assert name(f"{words} {form}").legal_form is not None


@given(st.text(max_size=200))
def test_any_text_has_a_normal_form(text: str) -> None:
    found = name(text)
    assert found.matched == " ".join(found.matched.split())
    assert len(found.matched) <= 8000  # as the contract's NormalText says
    assert len(found.shown) <= 8000
