from __future__ import annotations

import pytest

from bridge.errors import StoreError
from bridge.store import Store
from bridge.store.address import parse, shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/lib/b.sqlite", "sqlite:////var/lib/b.sqlite"),
        ("sqlite:///b.sqlite", "sqlite:///b.sqlite"),
        ("postgresql+psycopg://u:secret@h:5433/n", "postgresql+psycopg://u:***@h:5433/n"),
        ("postgres://u:secret@h/n", "postgresql+psycopg://u:***@h/n"),
        ("postgresql://u@h/n?password=secret", "postgresql+psycopg://u@h/n?password=***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, expected: str) -> None:
    assert shown(parse(url)).replace("%2A", "*") == expected


@pytest.mark.parametrize(
    "url",
    ["", "secret", "mysql://u:secret@h/n", "sqlite://", "sqlite:///:memory:", "http://u:secret@h:port/"],
)
def test_what_cannot_be_a_store_is_refused_with_the_forms_and_without_the_url(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:////path") as caught:
        Store(url)
    assert "secret" not in str(caught.value)
