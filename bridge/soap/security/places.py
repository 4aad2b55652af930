"""Where the parts of a message are that a signature may cover, and that an Id of one of them stands nowhere else."""

from __future__ import annotations

import threading

from lxml import etree

from bridge.soap.envelope import NAMESPACES
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.tokens import malformed
from bridge.soap.text import namespace

SIGNATURE = f"{{{DS}}}Signature"
INVALID = f"{{{WSSE}}}InvalidSecurity"
_IDS = frozenset({f"{{{WSU}}}Id", "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id"})
_SOAP = frozenset(NAMESPACES.values())
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"
"""What an Id is made of that is written the same wherever it stands."""


class Places:
    """The elements that a reference in `signature` may mean, by Id: the Body, the header blocks, the children of its Security
    header. Neither that header nor the signature is among them, so that none of these is within another.

    Raises Refusal where the signature does not stand in a Security header of an envelope.
    """

    def __init__(self, signature: etree._Element) -> None:
        security = signature.getparent()
        header = security.getparent() if security is not None else None
        root = header.getparent() if header is not None else None
        if security is None or header is None or root is None or root.getparent() is not None:
            raise malformed("it stands in no Security header")
        soap = namespace(str(root.tag))
        bodies = [child for child in root if child.tag == f"{{{soap}}}Body"]
        found = (signature.tag, security.tag, header.tag)
        if soap not in _SOAP or found != (SIGNATURE, SECURITY, f"{{{soap}}}Header") or len(bodies) != 1:
            raise malformed("it stands in no Security header")
        self.root, self.header, self.body, self.signature = root, header, bodies[0], signature
        self._by_id: dict[str, etree._Element | None] = {}
        self._meant: set[str] = set()
        self._add(self.body)
        for block in header:
            if block is not security:
                self._add(block)
        for child in security:
            if child is not signature:
                self._add(child)

    def _add(self, element: etree._Element) -> None:
        for name, value in element.items():
            if name in _IDS:
                self._by_id[str(value)] = None if value in self._by_id else element

    def find(self, uri: str) -> etree._Element:
        """The part that `uri` means. Raises Refusal for another place, two of them, another document, a pointer."""
        identifier = uri[1:]
        found = self._by_id.get(identifier) if uri[:1] == "#" else None
        if found is None:
            if identifier in self._by_id:
                raise refuse("id_repeated", found=identifier, subcodes=(INVALID,))
            raise refuse("signed_part_unknown", found=uri, subcodes=(INVALID,))
        self._meant.add(identifier)
        return found

    def check_unique(self, body: bytes | None) -> None:
        """Refuses an Id that was used and stands anywhere else in the message. Nothing here is looked up by Id, but whoever
        sends a message with two of the same wants somebody to read the wrong one.

        `body` is the canonical Body where there is one.
        """
        alone = len(self.root) == 2 and not self.root.attrib  # nothing but Header and Body could have an Id
        meant = [one.encode() for one in self._meant]
        if body is not None and alone and not b"".join(meant).translate(None, _PLAIN):
            # There is one way to write such an attribute, so that counting octets tells in no time that there is no other.
            written = body + etree.tostring(self.header, encoding="utf-8", with_tail=False)
            if all(written.count(b'="%b"' % one) == 1 for one in meant):
                return
        for one in self._meant:
            if _ids.count(self.root, one) != 1:
                raise refuse("id_repeated", found=one, subcodes=(INVALID,))


class _Ids(threading.local):
    """The compiled expression, one for each thread: an expression is locked while it is used."""

    def __init__(self) -> None:
        names = " or ".join(f"local-name() = '{name}'" for name in ("Id", "ID", "id"))
        self.path = etree.XPath(f"count(//@*[. = $value][{names}])")

    def count(self, root: etree._Element, value: str) -> int:
        """How many attributes in the document are Ids with this value."""
        found = self.path(root, value=value)
        assert isinstance(found, float)
        return int(found)


_ids = _Ids()
