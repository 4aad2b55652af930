"""Money and quantities as scaled integers: exact on every database, and quick to add.

    quantity, balance   millionths (6 digits): at most 999,999,999,999.999999
    unit price          millionths of the currency
    amount, total       ten-thousandths (4 digits): at most 99,999,999,999,999.9999

All fit a 64-bit integer. The scales are those of xsd/common/types-1.xsd; no currency has more than 4 digits.
"""

from __future__ import annotations

from decimal import Decimal

QUANTITY_DIGITS = 6
PRICE_DIGITS = 6
MONEY_DIGITS = 4

LARGEST = 10**18 - 1
"""Of any scaled figure: 18 digits, as the contracts' totalDigits say."""

_DECIMAL_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_POWERS: tuple[Decimal, ...] = tuple(Decimal(f"1e{digits}") for digits in range(7))


def minor_unit_digits(currency: str) -> int:
    """Digits after the point in amounts of this currency (ISO 4217); 2 for those not in the list of exceptions."""
    return _DECIMAL_DIGITS.get(currency, 2)


def scaled(value: Decimal, digits: int) -> int:
    """`value` as a whole number of 10**-digits.

    Raises:
        ValueError: it has more digits after the point, or more than fit; the contract's schema admits neither.
    """
    try:
        product = value * _POWERS[digits]
        number = int(product)
    except (ArithmeticError, ValueError):
        raise ValueError(f"{value} is no figure that can be kept") from None
    if number != product or not -LARGEST <= number <= LARGEST:
        raise ValueError(f"{value} cannot be kept exactly with {digits} digits after the point")
    return number


def plain(number: int, digits: int, *, at_least: int = 0) -> Decimal:
    """The figure that `scaled` made a number of, without needless zeros.

    Args:
        at_least: digits after the point to keep even where they are zeros (money: 120.50, not 120.5).
    """
    while digits > at_least and number % 10 == 0:
        number //= 10
        digits -= 1
    return Decimal(number).scaleb(-digits)


def line_amount(quantity: int, unit_price: int, minor_digits: int) -> int:
    """Scaled quantity times scaled price, rounded half up to the currency's minor unit, as a scaled amount.

    Neither may be negative.
    """
    step = 10 ** (QUANTITY_DIGITS + PRICE_DIGITS - minor_digits)
    in_minor_units = (2 * quantity * unit_price + step) // (2 * step)
    amount: int = in_minor_units * 10 ** (MONEY_DIGITS - minor_digits)
    return amount


def money(number: int, currency: str) -> Decimal:
    """A scaled amount with the digits its currency is written with."""
    return plain(number, MONEY_DIGITS, at_least=minor_unit_digits(currency))


def price(number: int, currency: str) -> Decimal:
    """A scaled unit price, with at least the digits that its currency is written with."""
    return plain(number, PRICE_DIGITS, at_least=minor_unit_digits(currency))


def quantity(number: int) -> Decimal:
    """A scaled quantity or balance."""
    return plain(number, QUANTITY_DIGITS)
