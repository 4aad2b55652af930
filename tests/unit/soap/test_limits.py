from __future__ import annotations

import dataclasses

import pytest

from bridge.soap.limits import DEFAULT, Limits


@pytest.mark.parametrize("field", dataclasses.fields(Limits), ids=lambda field: field.name)
def test_every_limit_says_its_unit_and_reason_and_its_default_lies_within_its_bounds(
    field: dataclasses.Field[int],
) -> None:
    assert field.metadata["unit"]
    assert len(field.metadata["help"]) > 20
    assert field.metadata["least"] <= getattr(DEFAULT, field.name) <= field.metadata["most"]


def test_limits_cannot_change_under_a_running_request() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.max_bytes = 1  # type: ignore[misc]
