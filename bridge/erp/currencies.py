"""Which currencies there are: the codes of ISO 4217 that somebody can pay in. Pure.

Without metals, bond market units and test codes. A code that was withdrawn is not here: nothing new is owed in it.
"""

from __future__ import annotations

from typing import Final

from bridge.erp.call import Call
from bridge.erp.figures import MONEY_DIGITS, minor_unit_digits

CURRENCIES: Final = frozenset(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP "
    "GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR "
    "KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG".split()
)


def known_currency(currency: str, path: str, call: Call) -> None:
    """Refuse a code that no currency has.

    Raises:
        the fault UnknownCurrency.
    """
    if currency not in CURRENCIES:
        raise call.fault("UnknownCurrency", currency=currency, path=path)


def is_payable(amount: int, currency: str) -> bool:
    """Whether a scaled amount has no more digits after the point than the currency is paid in."""
    step: int = 10 ** (MONEY_DIGITS - minor_unit_digits(currency))
    return amount % step == 0
