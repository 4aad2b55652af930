"""SignedInfo, read once for each way in which it is built.

What a signer sends differs from message to message in a few values: what is referred to, and the digests. The rest (`Shape`) is the same
text for years, and so are its canonical form and what it says; reading it again takes as long as the RSA operation. Where a SignedInfo
has a known shape, its values are put into the known canonical form, and that is what the signature is verified over.

A shape is only remembered of a signature that held: whoever has no key that we trust cannot fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.security.algorithms import Digest, SignatureMethod
from bridge.soap.security.canonical import Canonical
from bridge.soap.xml import read_own

MOST_SHAPES = 200
"""That are remembered; with more, all are forgotten. A signer has one for each set of parts that it signs."""

_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=#_.:-"
"""What values are made of that are written in no other way in canonical XML, and end nothing that they may stand in: whatever of these
is put in their place, the text around means the same."""
_URI, _VALUE = b' URI="', b"DigestValue>"


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
    """What a SignedInfo says, but for its values. `written` and `canonical` have `%b` in place of each of them."""

    written: bytes
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
        fixed, values = _apart(source)
        shape = self._known.get(fixed)
        if shape is None or b"".join(values).translate(None, _PLAIN):
            return None
        filled_in = tuple(values)
        if shape.written % filled_in != source:
            return None
        texts = [value.decode() for value in values]
        references = [
            Reference(uri, form, digest, value)
            for uri, value, (form, digest) in zip(texts[::2], texts[1::2], shape.references, strict=True)
        ]
        return SignedInfo(shape.canonical % filled_in, shape.method, references)

    def remember(self, source: bytes, read: Callable[[etree._Element], SignedInfo]) -> None:
        """The shape of a SignedInfo whose signature holds; nothing of one that is not built as most are.

        Tried out with made-up values in their places: they are read as these, and are what the canonical form has there.
        """
        fixed, values = _apart(source)
        tried = [b"#%d" % number for number in range(len(values))]
        template = _template(fixed)
        try:
            canonical, method, references = read(read_own(template % tuple(tried)))
        except (etree.LxmlError, Refusal):
            return  # what was taken for a value was something else
        if [text.encode() for one in references for text in (one.uri, one.value)] != tried:
            return
        forms = [(one.form, one.digest) for one in references if one.form.exclusive]
        written, others = _apart(canonical)
        if others != tried or len(forms) < len(references):
            return  # what is not exclusive depends on the elements around
        if len(self._known) >= MOST_SHAPES:
            self._known = {}
        self._known[fixed] = Shape(template, _template(written), method, tuple(forms))


def _apart(written: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
    """The text around the values of references, and these: a URI, a digest, and so on."""
    fixed: list[bytes] = []
    values: list[bytes] = []
    pieces = written.split(_VALUE)
    for before, after in zip(pieces[::2], pieces[1::2], strict=False):
        around, _, rest = before.partition(_URI)
        uri, _, between = rest.partition(b'"')
        value, _, close = after.partition(b"<")
        fixed += (around, between, close)
        values += (uri, value)
    return (*fixed, pieces[-1]), values


def _template(fixed: tuple[bytes, ...]) -> bytes:
    """What `_apart` took apart, as a format with `%b` for each value."""
    parts = [part.replace(b"%", b"%%") for part in fixed]
    return (
        b"".join(
            b"".join((around, _URI, b'%b"', between, _VALUE, b"%b<", close, _VALUE))
            for around, between, close in zip(parts[:-1:3], parts[1::3], parts[2::3], strict=True)
        )
        + parts[-1]
    )
