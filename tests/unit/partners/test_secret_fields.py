"""What a partner's settings declare secret is in no error of a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SettingsError, Unpresentable
from bridge.partners.soap import SoapPartner
from bridge.settings import Partner
from bridge.store.outbox import NewEntry

ZOO = Path(__file__).parents[1] / "fields" / "zoo-1.wsdl"
PIN = "271828x"


def partner(*secret: str, **options: Any) -> SoapPartner:
    return SoapPartner(ZOO, name="zoo", settings=Partner(secret=secret), **options)


def never(entry: NewEntry) -> None:
    raise AssertionError(entry)


@pytest.mark.parametrize("way", ["call", "send"])
@pytest.mark.parametrize("wrong", [PIN, 271828.5])
def test_values_that_do_not_fit_are_not_quoted(way: str, wrong: object) -> None:
    zoo = partner("Get pin", accept=never)
    with pytest.raises(Unpresentable) as caught:
        getattr(zoo, way)("Get", {"name": "x", "pin": wrong})
    error: BaseException | None = caught.value
    while error is not None:
        assert str(wrong) not in str(error) + repr(error.args) + repr(getattr(error, "violations", ()))
        error = error.__cause__
    assert "pin" in str(caught.value)


def test_they_are_where_nothing_is_secret() -> None:
    with pytest.raises(Unpresentable) as caught:
        partner().call("Get", {"name": "x", "pin": PIN})
    assert PIN in repr(caught.value.violations)


def test_a_field_that_cannot_be_read_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="does not name an operation and a field"):
        partner("pin")
