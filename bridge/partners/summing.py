"""Counts and sums by currency, worked out of records one by one: for partners that cannot be asked for them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

from bridge.errors import DeliveredUnreadable
from bridge.partners.partner import Totals, value_at

_DIGITS = 60
"""Of a sum: exact for any number of amounts that there can be."""


class Sums:
    """`sums` has the field with the currency by the field with the amount; None: there is none."""

    def __init__(self, sums: Mapping[str, str | None]) -> None:
        self._sums = sums
        self._count = 0
        self._found: dict[tuple[str, str], Decimal] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        """
        Raises:
            DeliveredUnreadable: an amount is no number.
        """
        self._count += 1
        for field, currency_field in self._sums.items():
            amount = value_at(values, field)
            if amount is None:
                continue
            if not isinstance(amount, Decimal | int):
                raise DeliveredUnreadable(
                    f"{field}: {amount!r} is no amount."[:200], advice="Tell the partner."
                )
            currency = str(value_at(values, currency_field) or "") if currency_field else ""
            with localcontext(prec=_DIGITS):
                self._found[field, currency] = self._found.get((field, currency), Decimal()) + amount

    def totals(self) -> Totals:
        return Totals(self._count, dict(self._found))
