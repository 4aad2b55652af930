from __future__ import annotations

import itertools

import pytest

from bridge.contract.example.regex_sample import UnreadablePattern, matching
from bridge.contract.model import Facets, SimpleType
from bridge.contract.schema.facets import Leaves

PATTERNS = (
    "[A-Z]{2}-[0-9]{4}", r"\d{4}(-\d{2}){2}", "(EA|KG|M[0-9]?)", "[^a-z]{3}", "[a-z-[aeiou]]{5}", r"\i\c*",
    r"[\i-[:]][\c-[:]]*", r"\p{Lu}\p{L}{2,4}", r"\P{L}+", r"\p{IsBasicLatin}{2}", ".*", "", "a|", r"\\\.\*\[",
    r"[\-\\\]]{3}", "[+-]?[0-9]{1,3}(,[0-9]{3})*", r"\S+@\S+", r"[\w.]+@[\w.]+\.[a-z]{2,}", "[一-龥]{2,4}", "x{0}y",
    r"(a(b(c)?)+)*", "[A-]{2}", "[-A]{2}", r"[\d\s]{4}", r"\D\W\S", "[#-&]{3}", r"[\n\t ]", r"[&#x2D;]",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_libxml2_agrees_that_the_samples_match(pattern: str) -> None:
    leaves = Leaves()
    simple = SimpleType(
        name=None, builtin="string", white_space="preserve", steps=(Facets(patterns=(pattern,)),)
    )
    samples = list(itertools.islice(matching(pattern, longest=6, seed=1), 40))
    assert any(leaves.valid(simple, text) for text in samples)
    # Beyond ASCII libxml2's tables of characters are its own: to it 文 is no \\p{L}.
    assert [text for text in samples if text.isascii() and not leaves.valid(simple, text)] == []


def test_equal_seeds_give_equal_samples_and_others_vary() -> None:
    first, again, other = (list(matching("[a-z]{8}", longest=3, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("pattern", ["(", "[a", "a{x}", "a)", r"\p{L", "\\"])
def test_what_cannot_be_read_is_said(pattern: str) -> None:
    with pytest.raises(UnreadablePattern):
        list(matching(pattern, longest=3, seed=1))
