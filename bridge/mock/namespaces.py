"""XPaths as their authors write them: with the contract's own prefixes, with those they declare, or with none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from lxml import etree

from bridge.contract import Contract
from bridge.errors import HandlerError
from bridge.mock.answers import Match
from bridge.soap.text import namespace

_LONGEST = 2_000
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_PREFIX = re.compile(r"([A-Za-z_][\w.-]*):(?=[A-Za-z_*])")


def compiled(text: str, contract: Contract, namespaces: Mapping[str, str]) -> Match:
    """The XPath, ready to be asked. `namespaces` (prefix → namespace) are added to the contract's own,
    in which `tns` is the namespace of the first operation's request where no document of the contract says otherwise.

    Raises:
        HandlerError: it is too long, cannot be read, or has a prefix that nobody declares.
    """
    known = {prefix: uri for uri, prefix in contract.model.prefixes().items()}
    inputs = [found.input for found in contract.operations.values() if found.input is not None]
    if inputs:
        known.setdefault("tns", namespace(inputs[0]))
    known |= namespaces
    if len(text) > _LONGEST:
        raise HandlerError(f"The XPath has {len(text)} characters, more than {_LONGEST}.")
    # An axis (`child::x`) has two colons, and the second is followed by no prefix.
    used = set(_PREFIX.findall(_LITERAL.sub("''", text).replace("::", " ")))
    for prefix in sorted(used - known.keys()):
        near = difflib.get_close_matches(prefix, known, n=1)
        hint = f"Did you mean {near[0]} ({known[near[0]]})? " if near else ""
        listed = ", ".join(f"{one} = {known[one]}" for one in sorted(known)) or "none"
        raise HandlerError(
            f"The XPath {text} has the prefix {prefix}, which is not declared. {hint}Known are {listed}.",
            advice="Declare it in [namespaces], or write the XPath without prefixes: then it is about local names.",
        )
    try:
        return Match(text, {prefix: known[prefix] for prefix in used}, prefixed=bool(used))
    except etree.XPathError as error:
        raise HandlerError(f"The XPath {text} cannot be read: {error}.") from None
