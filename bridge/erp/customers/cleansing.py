"""What people write of a customer, in its normal form: telephone numbers, e-mail addresses, tax numbers. Pure.

Nothing is refused for being dirty, and nothing that was sent is thrown away: what cannot be read stays as it was sent and becomes a
*finding*, which says where and why. Names are `names.py`'s. The rules behind are libraries', so that they follow the world: phonenumbers
(numbering plans), email-validator (syntax and internationalised domains; nothing is looked up in DNS), python-stdnum (lengths and check
digits of tax numbers by country).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from bridge.erp.customers.names import name, plain
from bridge.erp.documents import Json, without_none


class Tax(NamedTuple):
    """A tax number.

    Args:
        number: capital letters and digits, with its country before it where the European Union writes it so.
        country: whose number it is: another than the customer's where the number says so.
        valid: whether length and check digits are right; None where no rule is known.
    """

    number: str
    country: str
    valid: bool | None


_EXTENSION: Final = re.compile(r"(?:转|轉|分机|內線|内線|доб\.?)\s*[0-9]+\s*$")
_NO_LETTER: Final = re.compile("[^0-9A-Z]")
_KINDS: Final = ("vat", "uid", "tin")
"""Names that python-stdnum gives a country's number of companies, the better first."""
_SHORTEST: Final = 7
"""A telephone number in E.164, with its `+`: what is shorter is a service's, which tells nobody apart."""
_LANGUAGE_SUFFIX: Final = {"CH": ("MWST", "TVA", "IVA", "TPV")}
"""The same number is written with the tax's name in each of the country's languages."""


def phone(text: str, country: str) -> str | None:
    """A telephone number in E.164, without its extension; None where it cannot be one of the country.

    Args:
        country: whose numbering plan holds where the number has no `+`.
    """
    import phonenumbers

    written = _EXTENSION.sub("", plain(text))
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: numbering plans grow faster than their description.
    if not phonenumbers.is_possible_number(number):
        return None
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return found if len(found) >= _SHORTEST else None


def email(text: str) -> str | None:
    """An e-mail address in one case, its domain in letters (not `xn--`); None where it is none."""
    from email_validator import EmailNotValidError, validate_email

    try:
        # Reserved domains may be written, as `.example` in documentation; whether one exists is not asked.
        found = validate_email(plain(text), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return found.normalized.casefold() if "." in found.domain else None


def tax_number(text: str, country: str) -> Tax | None:
    """A tax number as its country writes it; None where there is no letter and no digit in it.

    Args:
        country: of the customer, ISO 3166-1. A number that only another member of the European Union can have given, by the
            letters that it begins with and its check digits, is that one's.
    """
    written = plain(text).upper()
    bare = _NO_LETTER.sub("", written)
    if not bare:
        return None
    own = _tax_number_of(written, country)
    if own is not None and own.valid:
        return own
    # Greece writes EL.
    prefix = {"EL": "GR"}.get(bare[:2], bare[:2])
    if prefix != country and prefix in _members():
        others = _tax_number_of(written, prefix)
        if others is not None and others.valid:
            return others
    return own or Tax(bare, country, None)


def _members() -> frozenset[str]:
    from stdnum.eu.vat import MEMBER_STATES

    return frozenset(one.upper() for one in MEMBER_STATES)


def _tax_number_of(written: str, country: str) -> Tax | None:
    """By the rules of one country; None where there are none."""
    from stdnum.exceptions import ValidationError
    from stdnum.util import get_cc_module

    known = [rules for kind in _KINDS if (rules := get_cc_module(country.lower(), kind)) is not None]
    for rules in known:
        try:
            compact = rules.validate(written)
        except ValidationError:
            continue
        return Tax(_shown(compact, country), country, True)
    # Of a wrong number the rules make anything, such as a longer one.
    return Tax(_shown(written, country), country, False) if known else None


def _shown(number: str, country: str) -> str:
    compact = _NO_LETTER.sub("", number.upper())
    for suffix in _LANGUAGE_SUFFIX.get(country, ()):
        compact = compact.removesuffix(suffix)
    if country not in _members():
        return compact
    prefix = "EL" if country == "GR" else country
    return compact if compact.startswith(prefix) else prefix + compact


def normal_form(details: Json) -> Json:
    """The normal form of a customer, as the contract's NormalForm has it.

    Args:
        details: the contract's Customer, as `documents.py` keeps it.
    """
    findings: list[Json] = []
    country: str = details["country"]

    def find(path: str, reason: str) -> None:
        findings.append({"path": path, "reason": reason})

    legal = name(details["name"])
    if not legal.matched:
        find("name", "nameUnreadable")
    others = []
    for path, text in _each(details, "otherName"):
        other = name(text).matched
        if other:
            others.append(other)
        else:
            find(path, "nameUnreadable")
    tax = _tax_form(details.get("taxNumber"), country)
    if "taxNumber" in details and (tax is None or tax.get("valid") is False):
        find("taxNumber", "taxNumberWrong")
    contacts = []
    for position, (path, contact) in enumerate(_each(details, "contact"), 1):
        read = _reached(contact, country, f"{path}/", find)
        if read:
            contacts.append({"position": position, **read})
    return without_none(
        {
            "name": legal.shown or None,
            "matchName": legal.matched or None,
            "legalForm": legal.legal_form,
            "otherName": others or None,
            "taxNumber": tax,
            **_reached(details, country, "", find),
            "contact": contacts or None,
            "finding": findings or None,
        }
    )


def _each(details: Json, field: str) -> Iterator[tuple[str, Any]]:
    """(path, value) of what repeats; an index stands where there are several."""
    values = details.get(field, ())
    for index, value in enumerate(values, 1):
        yield f"{field}[{index}]" if len(values) > 1 else field, value


def _tax_form(text: str | None, country: str) -> Json | None:
    tax = None if text is None else tax_number(text, country)
    return None if tax is None else without_none(tax._asdict())


def _reached(details: Json, country: str, before: str, find: Callable[[str, str], None]) -> Json:
    """E-mail address and telephone number, as far as they can be read."""
    found = {}
    if "email" in details:
        found["email"] = email(details["email"])
        if found["email"] is None:
            find(f"{before}email", "emailUnreadable")
    if "phone" in details:
        found["phone"] = phone(details["phone"], country)
        if found["phone"] is None:
            find(f"{before}phone", "phoneUnreadable")
    return without_none(found)
