from __future__ import annotations

from typing import Any, cast

import pytest

from bridge.erp.call import sender
from bridge.handlers import Call


@pytest.mark.parametrize(("partner", "name"), [("crm", "crm"), (None, "")])
def test_request_ids_are_those_of_the_partner_that_the_host_names(partner: str | None, name: str) -> None:
    nothing = cast("Any", None)
    assert sender(Call("x", nothing, nothing, None, partner=partner)) == name
