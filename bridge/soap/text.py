"""Text that goes into an answer: escaped, legal in XML 1.0, and bounded where it repeats input.

A fault that quotes its request without bounds is an amplifier, and one illegal character in it breaks the answer.
"""

from __future__ import annotations

import re

ECHO = 200
"""Longest piece of a request that an answer repeats, in characters."""

# XML 1.0 section 2.2: what is no Char, lone surrogates included. Named one by one: the class of all others takes as long
# to compile as a module takes to import.
_NO_CHARACTER = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_ILLEGAL = re.compile(f"[{_NO_CHARACTER}]")
_SPECIAL = re.compile(f"[&<>\"'\t\n\r{_NO_CHARACTER}]")
_REFERENCES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}


def escape(text: str) -> str:
    """Character data of an element. What XML 1.0 has no character for becomes U+FFFD; CR survives as a reference."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ILLEGAL.sub("\ufffd", text).replace("\r", "&#13;")


def attribute(text: str) -> str:
    """A quoted attribute value; white space as references, for a parser would turn it into spaces."""
    return '"' + _SPECIAL.sub(lambda found: _REFERENCES.get(found[0], "\ufffd"), text) + '"'


def echo(text: str, most: int = ECHO) -> str:
    """`text` cut to `most` characters, control characters replaced: fit to be quoted in one line."""
    line = " ".join(text[:most].split())
    line = "".join(char if char.isprintable() else "\ufffd" for char in line)
    return line if len(text) <= most else line[: most - 1] + "…"


def clip(text: str, most: int) -> str:
    """`text` cut to `most` characters, line breaks kept."""
    return text if len(text) <= most else text[: most - 1] + "…"


def local_name(clark: str) -> str:
    """`Order` of `{urn:x}Order`."""
    return clark.rpartition("}")[2]


def namespace(clark: str) -> str:
    """`urn:x` of `{urn:x}Order`, "" where there is none."""
    return clark[1:].rpartition("}")[0] if clark.startswith("{") else ""
