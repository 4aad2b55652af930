"""JSON of partners: no float, within bounds, written with every digit."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.partners.http import json_body

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abc/é\"", max_size=5), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_what_is_written_is_json_and_reads_as_what_was_given(value: object) -> None:
    written = json_body.write(value)
    json.loads(written)
    assert json_body.read(written) == value


def test_amounts_keep_their_digits_and_are_never_floats() -> None:
    found = json_body.read(b"[0.1, 1e3, 12345678901234567890.10, -0.00]")
    assert [str(one) for one in found] == ["0.1", "1E+3", "12345678901234567890.10", "0.00"] or all(
        isinstance(one, Decimal) for one in found
    )
    assert json_body.write([Decimal("1E+3"), Decimal("0.10")]) == b"[1000,0.10]"


@pytest.mark.parametrize(
    ("content", "content_type", "words"),
    [
        (b"", "", "no JSON"),
        (b"{", "", "no JSON"),
        (b"[1e999999999]", "", "larger or smaller"),
        (b"[" + b"9" * 5000 + b"]", "", "larger or smaller"),
        (b"[Infinity]", "", "Infinity is no number"),
        (b"[" * 101 + b"]" * 101, "", "nested deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "", "nested deeper"),
        (b'["\\ud800"]', "", "half a surrogate pair"),
        (b"\xff", "", "not in utf-8"),
        (b"[]", "application/json; charset=ebcdic", "not known"),
        (b"[" + b"0," * 2_000_001 + b"0]", "", "more than 2000000 values"),
    ],
)
def test_what_is_no_json_or_beyond_the_bounds_is_refused(
    content: bytes, content_type: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        json_body.read(content, content_type)


def test_a_declared_charset_is_believed() -> None:
    assert json_body.read('{"a":"大连"}'.encode("gb18030"), "application/json; charset=GBK") == {"a": "大连"}
    assert json_body.read(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_places_are_found_and_set_by_names_and_numbers() -> None:
    value = {"data": [{"id": 7}], "none": None}
    assert json_body.at(value, "data/0/id") == 7
    assert json_body.at(value, "") is value
    for path in ("data/1/id", "data/x", "none/a", "data/0/id/x"):
        assert json_body.at(value, path) is None
    made: dict[str, object] = {}
    json_body.put(made, "a/b", 1)
    json_body.put(made, "a/c", 2)
    assert made == {"a": {"b": 1, "c": 2}}


def test_what_json_has_no_form_for_is_an_error() -> None:
    for value in (1.5, Decimal("NaN"), object()):
        with pytest.raises(TypeError):
            json_body.write([value])
