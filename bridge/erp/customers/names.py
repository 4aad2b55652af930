"""Legal names as people spell them, and what two spellings of one name have in common. Pure.

`MÜLLER Maschinenbau G.m.b.H.`, `Mueller Maschinenbau GmbH` and `Ｍüller  Maschinenbau` are one name: `mueller maschinenbau`.
What is taken away in turn: width and composition of letters (NFKC), case, accents, points, what joins words, and the legal form, whose own
spellings (`Co., Ltd.`, `Limited`, `有限责任公司`) are one form each. A name that is nothing but a legal form stays whole.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple


class Name(NamedTuple):
    """One name.

    Args:
        shown: as it came, with plain letters and single blanks.
        matched: what is compared; empty for a name without a letter or digit.
        legal_form: how the form is written here, such as `GmbH`; None where there is none that is known.
    """

    shown: str
    matched: str
    legal_form: str | None


_FORMS: Final = {
    "GmbH & Co. KG": ("gmbh co kg", "gmbh co", "ug haftungsbeschraenkt co kg"),
    "AG & Co. KG": ("ag co kg",),
    "GmbH": ("gmbh", "gesellschaft mit beschraenkter haftung", "ges mbh", "gesmbh", "mbh"),
    "UG": ("ug haftungsbeschraenkt", "ug"),
    "AG": ("ag", "aktiengesellschaft"),
    "KGaA": ("kgaa", "kommanditgesellschaft auf aktien"),
    "KG": ("kg", "kommanditgesellschaft"),
    "OHG": ("ohg", "offene handelsgesellschaft"),
    "GbR": ("gbr",),
    "e.K.": ("ek", "eingetragener kaufmann", "eingetragene kauffrau"),
    "e.V.": ("ev", "eingetragener verein"),
    "eG": ("eg",),
    "SE": ("se", "societas europaea"),
    "Ltd": (
        "co ltd",
        "co limited",
        "company limited",
        "ltd",
        "limited",
        "ltd co",
        "limited company",
        "limited liability co",
    ),
    "Pte Ltd": ("pte ltd", "private limited", "pvt ltd", "co pte ltd"),
    "Pty Ltd": ("pty ltd", "proprietary limited"),
    "Sdn Bhd": ("sdn bhd", "sendirian berhad"),
    "Bhd": ("bhd", "berhad"),
    "PLC": ("plc", "public limited company"),
    "Inc": ("inc", "incorporated"),
    "Corp": ("corp", "corporation"),
    "LLC": ("llc", "limited liability company"),
    "LLP": ("llp", "limited liability partnership"),
    "LP": ("lp", "limited partnership"),
    "SA": ("sa", "societe anonyme", "sociedad anonima", "sociedade anonima"),
    "SA de CV": ("sa de cv",),
    "SAS": ("sas", "societe par actions simplifiee"),
    "SARL": ("sarl", "societe a responsabilite limitee"),
    "Ltda": ("ltda", "limitada"),
    "SRL": ("srl", "societa a responsabilita limitata", "sociedad de responsabilidad limitada"),
    "SL": ("sl", "slu", "sociedad limitada"),
    "SpA": ("spa", "societa per azioni"),
    "BV": ("bv", "besloten vennootschap"),
    "NV": ("nv", "naamloze vennootschap"),
    "AB": ("ab", "aktiebolag"),
    "AS": ("as", "aksjeselskap", "anonim sirketi", "akciova spolecnost"),
    "A/S": ("aktieselskab",),
    "ApS": ("aps", "anpartsselskab"),
    "Oy": ("oy", "osakeyhtio"),
    "Oyj": ("oyj",),
    "Sp. z o.o.": ("sp z oo", "spolka z ograniczona odpowiedzialnoscia"),
    "s.r.o.": ("sro", "spol s r o", "spol sro"),
    "Kft": ("kft",),
    "d.o.o.": ("doo",),
    "Ltd Şti": ("ltd sti", "limited sirketi"),
    "OOO": ("ооо", "ooo"),
    "PAO": ("пао", "pao"),
    "AO": ("ао",),
    "KK": ("kk", "co kk", "kabushiki kaisha"),
}
"""By how it is written, the spellings in words as `_words` gives them."""

_LEADING: Final = {"PT": "pt", "OOO": "ооо", "PAO": "пао", "AO": "ао"}
"""Forms that stand before the name."""

_SCRIPT_FORMS: Final = {
    "股份有限公司": ("股份有限公司", "股份公司"),
    "有限公司": ("有限责任公司", "有限責任公司", "责任有限公司", "責任有限公司", "有限公司"),
    "株式会社": ("株式会社", "株式會社"),
    "有限会社": ("有限会社",),
    "合同会社": ("合同会社",),
    "주식회사": ("주식회사",),
    "유한회사": ("유한회사",),
}
"""Forms that are written without blanks, before the name or after it."""

_ENDINGS: Final = sorted(
    ((tuple(spelling.split()), form) for form, spellings in _FORMS.items() for spelling in spellings),
    key=lambda ending: -len(ending[0]),
)
_WITHOUT_BLANKS_FORMS: Final = sorted(
    ((spelling, form) for form, spellings in _SCRIPT_FORMS.items() for spelling in spellings),
    key=lambda spelled: -len(spelled[0]),
)
_JOINING: Final = frozenset(("and", "und", "et", "y", "og", "och", "en"))
_IN_BRACKETS: Final = (
    (re.compile(r"\(\s*株\s*\)"), " 株式会社 "),
    (re.compile(r"\(\s*有\s*\)"), " 有限会社 "),
    (re.compile(r"\(\s*주\s*\)"), " 주식회사 "),
)
_LETTERS: Final = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ø": "oe",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "þ": "th",
        "ı": "i",
    }
)
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_INITIALS: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_][./] ?)+[^\W\d_]?(?![^\W_])")
"""`s.a.`, `a/s`, `o.o`: letters that stand for words."""
_BETWEEN: Final = re.compile(r"[\W_]+")
_WITHOUT_BLANKS: Final = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_NEEDLESS: Final = re.compile(f"(?<=[{_WITHOUT_BLANKS}]) (?=[{_WITHOUT_BLANKS}])")
_APOSTROPHES: Final = re.compile("['’‘`´]")


def plain(text: str) -> str:
    """Letters of one width and composition (NFKC), nothing invisible, single blanks, none at the ends."""
    folded = unicodedata.normalize("NFKC", text)
    visible = "".join(
        one
        if unicodedata.category(one) not in ("Cc", "Cf", "Co", "Cn", "Cs")
        else " "
        if one.isspace()
        else ""
        for one in folded
    )
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def name(text: str) -> Name:
    """A legal name, cleansed."""
    shown = plain(text)
    words = _words(shown)
    kept = [word for word in words if word not in _JOINING] or words
    found: str | None = None
    while True:
        shorter, form = _without_form(kept)
        if form is None:
            return Name(shown, " ".join(kept), found)
        kept = shorter
        found = found or form


def words(text: str) -> list[str]:
    """Any text in the words that are compared: one width, one case, without accents and points."""
    return _words(plain(text))


def _words(shown: str) -> list[str]:
    text = shown
    for bracket, form in _IN_BRACKETS:
        text = bracket.sub(form, text)
    text = unicodedata.normalize("NFC", text.casefold()).translate(_LETTERS)
    text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFKC", text)
    text = _APOSTROPHES.sub("", text)
    text = _INITIALS.sub(lambda initials: re.sub("[./ ]", "", initials[0]), text)
    return _NEEDLESS.sub("", " ".join(_BETWEEN.sub(" ", text).split())).split()


def _without_form(kept: list[str]) -> tuple[list[str], str | None]:
    """One legal form taken away, and which; None where there is none, or nothing would be left."""
    for spelling, form in _ENDINGS:
        if len(kept) > len(spelling) and tuple(kept[-len(spelling) :]) == spelling:
            return kept[: -len(spelling)], form
    for form, leading in _LEADING.items():
        if len(kept) > 1 and kept[0] == leading:
            return kept[1:], form
    for sign, form in _WITHOUT_BLANKS_FORMS:
        if not kept or kept == [sign]:
            break
        if kept[-1].endswith(sign):
            return [*kept[:-1], *_rest(kept[-1].removesuffix(sign))], form
        if kept[0].startswith(sign):
            return [*_rest(kept[0].removeprefix(sign)), *kept[1:]], form
    return kept, None


def _rest(word: str) -> list[str]:
    return [word] if word else []
