"""Sample replies: valid by the contract, the same for the same seed, and with the request's own numbers in them."""

from __future__ import annotations

import zlib
from collections import Counter
from functools import lru_cache
from typing import Any

from lxml import etree

from bridge.contract import Contract
from bridge.contract.example import example
from bridge.contract.model import XSI


class Samples:
    """Makes values for the elements of one contract.

    Seed 0 gives the sample that people see everywhere: every optional part, the first of each choice. Another seed
    gives another reply for each request of an operation, the n-th always the same.
    """

    def __init__(self, contract: Contract, seed: int = 0) -> None:
        self._contract = contract
        self._seed = seed
        self._text = lru_cache(maxsize=1024)(self._make)

    def value(self, element: str, *, operation: str, nth: int, request: etree._Element | None = None) -> Any:
        """A value of the global element (Clark name) for the n-th request of an operation.

        Raises:
            ContractError: the contract demands something that cannot be made up.
        """
        seed = self._seed and (zlib.crc32(f"{self._seed}/{operation}/{nth}".encode()) or 1)
        tree = etree.fromstring(self._text(element, seed))
        if request is not None:
            tree = self._echoing(element, tree, request)
        return self._contract.codec.decode(element, tree)

    def _make(self, element: str, seed: int) -> str:
        return example(self._contract.model, element, seed=seed)

    def _echoing(self, element: str, tree: etree._Element, request: etree._Element) -> etree._Element:
        """The sample with the request's values where both have the same name once, as `orderNumber` or `requestId`.

        As it was, when the contract does not admit them.
        """
        given = _single_leaves(request)
        before = etree.tostring(tree)
        for name, leaf in _single_leaves(tree).items():
            if name in given:
                leaf.text = given[name].text
        schema = self._contract.compile()
        return tree if schema.validate(tree) else etree.fromstring(before)


def _single_leaves(root: etree._Element) -> dict[str, etree._Element]:
    """Elements with text and nothing else, by local name, where that name stands once."""
    leaves = [
        element
        for element in root.iterdescendants(etree.Element)
        if not len(element)
        and (element.text or "").strip()
        and not any(XSI in name for name in element.attrib)
    ]
    names = [str(etree.QName(leaf).localname) for leaf in leaves]
    counts = Counter(names)
    return {name: leaf for name, leaf in zip(names, leaves, strict=True) if counts[name] == 1}
