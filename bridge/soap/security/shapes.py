"""SignedInfo, read once for each way in which it is built.

What a signer sends differs from message to message in a few values: what is referred to, and the digests. The rest (`Shape`) is the same
text for years, and so are its canonical form and what it says; reading it again takes as long as the RSA operation. Where a SignedInfo
has a known shape, its values are put into the known canonical form, and that is what the signature is verified over.

A shape is only remembered of a signature that held: whoever has no key that we trust cannot fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from bridge.soap.security.algorithms import Digest, SignatureMethod
from bridge.soap.security.canonical import Canonical
from bridge.soap.xml import read_own

MOST_SHAPES = 200
"""That are remembered; with more, all are forgotten. A signer has one for each set of parts that it signs."""

_VALUE = rb"[^\"'<>&\s]*"
_VALUES = re.compile(rb' URI="(%b)"(.*?)DigestValue>(%b)</' % (_VALUE, _VALUE), re.DOTALL)
"""The values of one reference, and the text between them.

A value has no character that would be written in another way in canonical XML, or end what it stands in: whatever is put in its place, the
text around it means the same.
"""


class Reference(NamedTuple):
    """What one Reference says. `value` is the digest, in base64."""

    uri: str
    form: Canonical
    digest: Digest
    value: str


class SignedInfo(NamedTuple):
    """What a SignedInfo says: its canonical octets, how they are signed, and its references."""

    canonical: bytes
    method: SignatureMethod
    references: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a SignedInfo says, but for its values. `canonical` has `%b` in place of each of them."""

    canonical: bytes
    method: SignatureMethod
    references: tuple[tuple[Canonical, Digest], ...]


class Shapes:
    """Those that were met. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], Shape] = {}

    def find(self, source: bytes) -> SignedInfo | None:
        """What a SignedInfo says; None where its shape is not known.

        `source` is what lxml writes for the element, with the namespaces around it declared on it.
        """
        pieces = _VALUES.split(source)
        shape = self._known.get(tuple(pieces[::2]))
        if shape is None:
            return None
        values = pieces[1::2]
        texts = b" ".join(values).decode().split(" ")
        references = [
            Reference(uri, form, digest, value)
            for uri, value, (form, digest) in zip(texts[::2], texts[1::2], shape.references, strict=True)
        ]
        return SignedInfo(shape.canonical % tuple(values), shape.method, references)

    def remember(self, source: bytes, read: Callable[[etree._Element], SignedInfo]) -> None:
        """The shape of a SignedInfo whose signature holds; nothing of one that is not built as most are.

        Tried out with made-up values in their places: they are read as these, and are what the canonical form has there.
        """
        pieces = _VALUES.split(source)
        values = [b"#%d" % number for number in range(len(pieces) // 2)]
        canonical, method, references = read(read_own(_template(pieces) % tuple(values)))
        written = _VALUES.split(canonical)
        if [text.encode() for one in references for text in (one.uri, one.value)] != values:
            return
        forms = [(one.form, one.digest) for one in references if one.form.exclusive]
        if written[1::2] != values or len(forms) < len(references):
            return  # what is not exclusive depends on the elements around
        if len(self._known) >= MOST_SHAPES:
            self._known = {}
        self._known[tuple(pieces[::2])] = Shape(_template(written), method, tuple(forms))


def _template(pieces: list[bytes]) -> bytes:
    """What `_VALUES` took apart, as a format with `%b` for each value."""
    fixed = [piece.replace(b"%", b"%%") for piece in pieces[::2]]
    return fixed[0] + b"".join(
        b' URI="%%b"%bDigestValue>%%b</%b' % (between, after)
        for between, after in zip(fixed[1::2], fixed[2::2], strict=True)
    )
