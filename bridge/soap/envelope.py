"""The Envelope around a document: read strictly, written by concatenation.

SOAP 1.1 sections 4 and 4.2.3, SOAP 1.2 Part 1 sections 2.4, 5.1 to 5.3; where 1.1 leaves a choice, the WS-I Basic
Profile decides (R9981: one child in Body; R1011: nothing after Body).
"""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from lxml import etree

from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.media import Version
from bridge.soap.refusals import refuse
from bridge.soap.security import WSU
from bridge.soap.text import local_name, namespace
from bridge.soap.xml import read_own

NAMESPACES: dict[Version, str] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
VERSIONS: tuple[Version, ...] = ("1.2", "1.1")

# A header block addressed to one of these is ours: absent or empty, the next node, the last receiver.
_OUR_ROLES = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        f"{NAMESPACES['1.2']}/role/next",
        f"{NAMESPACES['1.2']}/role/ultimateReceiver",
    }
)
_NO_ENCODING = frozenset({"", f"{NAMESPACES['1.2']}/encoding/none"})
_MUST_UNDERSTAND = {"1": True, "true": True, "0": False, "false": False}
_XML_SPACE = " \t\r\n"
_MOST_NAMED = 20  # header blocks that one MustUnderstand fault names


@dataclass(frozen=True, slots=True)
class _Names:
    """The Clark names of one version."""

    envelope: str
    header: str
    body: str
    fault: str
    must_understand: str
    role: str
    encoding_style: str

    @classmethod
    def of(cls, version: Version) -> _Names:
        ns = NAMESPACES[version]
        role = "actor" if version == "1.1" else "role"
        names = ("Envelope", "Header", "Body", "Fault", "mustUnderstand", role, "encodingStyle")
        return cls(*(f"{{{ns}}}{name}" for name in names))


_NAMES: dict[Version, _Names] = {version: _Names.of(version) for version in VERSIONS}
_VERSION_OF: dict[str, Version] = {names.envelope: version for version, names in _NAMES.items()}


@dataclass(slots=True, eq=False)
class Envelope:
    """One envelope. `headers` are all header blocks, `body` is the Body's only child, None where the Body is empty.

    The elements stay in their tree: signatures and prefixes depend on where they stand.
    """

    version: Version
    root: etree._Element
    headers: tuple[etree._Element, ...]
    body: etree._Element | None

    @property
    def our_headers(self) -> tuple[etree._Element, ...]:
        """The header blocks that are addressed to us; those for other nodes are none of our business."""
        return tuple(block for block in self.headers if self.addresses_us(block))

    @property
    def body_element(self) -> etree._Element:
        """The Body itself, which a signature is to cover."""
        return next(self.root.iterchildren(_NAMES[self.version].body))

    @property
    def fault(self) -> etree._Element | None:
        """The Fault where the Body holds one; only a reply may."""
        body = self.body
        return body if body is not None and body.tag == _NAMES[self.version].fault else None

    def addresses_us(self, block: etree._Element) -> bool:
        """Whether a header block's actor or role is one of ours."""
        return block.get(_NAMES[self.version].role, "").strip(_XML_SPACE) in _OUR_ROLES


def fault_version(
    root: etree._Element | None, hint: Version, spoken: Collection[Version] = VERSIONS
) -> Version:
    """SOAP version of a Fault: that of the request where it can be told, else `hint` (from the Content-Type).

    A 1.1 message always gets a 1.1 Fault, from a node that speaks only 1.2 too (SOAP 1.2 Part 1, appendix A); a node
    that speaks only 1.1 knows no other.
    """
    version = _VERSION_OF.get(str(root.tag), hint) if root is not None else hint
    return version if version == "1.1" or version in spoken else "1.1"


def open_envelope(
    root: etree._Element,
    *,
    spoken: Collection[Version] = VERSIONS,
    limits: Limits = DEFAULT,
    reply: bool = False,
) -> Envelope:
    """Reads the envelope whose root element is `root`; its SOAP version is that of the tag.

    With `reply` the payload may be a Fault.

    Raises:
        Refusal: VersionMismatch for another root or a version not in `spoken`, DataEncodingUnknown for an encodingStyle
            on a 1.2 payload, Client for every other breach of the envelope's form. An empty Body is none.
    """
    version = _version(root, spoken)
    names = _NAMES[version]
    header, body = _header_and_body(root, names)
    headers = _children(header, "Header") if header is not None else []
    payloads = _children(body, "Body")
    if len(payloads) > 1:
        raise refuse("body_children", count=len(payloads))
    payload = payloads[0] if payloads else None
    if payload is not None and payload.tag == names.fault and not reply:
        raise refuse("fault_request")
    for named in (*headers, *payloads):
        _check_name(named, limits)
    if version == "1.2":
        _check_encoding_style(names, root, header, body, payload)
    return Envelope(version, root, tuple(headers), payload)


def _version(root: etree._Element, spoken: Collection[Version]) -> Version:
    tag = str(root.tag)
    version = _VERSION_OF.get(tag)
    if version is not None and version in spoken:
        return version
    found, ns = local_name(tag), namespace(tag)
    if ns == NAMESPACES["1.1"] and version is None:
        # In 1.1 only the namespace tells the version (section 4.4); in 1.2 the name as well.
        raise refuse("not_envelope", found=found)
    known = " or ".join(f"`{NAMESPACES[one]}` (SOAP {one})" for one in VERSIONS if one in spoken)
    raise refuse("envelope_version", found=found, namespace=ns, spoken=known)


def _header_and_body(root: etree._Element, names: _Names) -> tuple[etree._Element | None, etree._Element]:
    header: etree._Element | None = None
    body: etree._Element | None = None
    for child in _children(root, "Envelope"):
        tag = child.tag
        if tag == names.body and body is None:
            body = child
        elif tag == names.header and header is None and body is None:
            header = child
        else:
            wanted = "nothing" if body is not None else "Body" if header is not None else "Header or Body"
            raise refuse("envelope_child", found=local_name(str(tag)), wanted=wanted)
    if body is None:
        raise refuse("no_body")
    return header, body


def _children(parent: etree._Element, place: str) -> list[etree._Element]:
    """Its elements; comments are passed over, text is refused."""
    text = parent.text
    if text is not None and text.strip(_XML_SPACE):
        raise refuse("stray_text", place=place)
    elements = []
    for child in parent:
        if child.tag.__class__ is str:
            elements.append(child)
        tail = child.tail
        if tail is not None and tail.strip(_XML_SPACE):
            raise refuse("stray_text", place=place)
    return elements


def _check_name(element: etree._Element, limits: Limits) -> None:
    """Answers and journals repeat these names, so they are bounded here. `}` has no meaning for the length."""
    if len(element.tag) > limits.max_name:
        tag = str(element.tag)
        if max(len(local_name(tag)), len(namespace(tag))) > limits.max_name:
            raise refuse("name_too_long", most=limits.max_name)


def _check_encoding_style(
    names: _Names,
    root: etree._Element,
    header: etree._Element | None,
    body: etree._Element,
    payload: etree._Element | None,
) -> None:
    """SOAP 1.2 Part 1, section 5.1.1: not on Envelope, Header and Body; what is encoded is not understood here."""
    for element in (root, header, body):
        if element is not None and element.get(names.encoding_style) is not None:
            raise refuse("encoding_style_place", place=local_name(str(element.tag)))
    style = payload.get(names.encoding_style) if payload is not None else None
    if style is not None and style.strip(_XML_SPACE) not in _NO_ENCODING:
        raise refuse("encoding_style", found=style)


def check_understood(envelope: Envelope, understood: Container[str]) -> None:
    """Refuses a request whose mandatory header blocks we do not all understand, before anything is done with it.

    `understood` holds Clark names. Only direct children of Header with the attribute of the envelope's own version
    count (SOAP 1.2 Part 1, section 5.2.3), only those for our roles, and every one is named in the Fault (R1027).

    Raises:
        Refusal: MustUnderstand; Client for a value of mustUnderstand that is no boolean.
    """
    if not envelope.headers:
        return
    attribute = _NAMES[envelope.version].must_understand
    missing = []
    for block in envelope.headers:
        value = block.get(attribute)
        if value is None:
            continue
        mandatory = _MUST_UNDERSTAND.get(value.strip(_XML_SPACE))
        if mandatory is None:
            raise refuse("must_understand_value", found=local_name(str(block.tag)), value=value)
        if mandatory and block.tag not in understood and envelope.addresses_us(block):
            missing.append(str(block.tag))
    if missing:
        missing = missing[:_MOST_NAMED]
        raise refuse("not_understood", names=", ".join(missing), not_understood=missing)


_NOT_THEIRS = (*(f"{{{namespace}}}" for namespace in NAMESPACES.values()), f"{{{WSU}}}Id")


def without_soap_attributes(block: etree._Element) -> etree._Element:
    """A header block as its author declared it: mustUnderstand, actor and the like are the envelope's affair, and wsu:Id, by which
    a signature refers to it, is the signature's.

    A copy where there are any, by way of text, which keeps the prefixes that only values use.
    """
    theirs = [name for name in block.attrib if str(name).startswith(_NOT_THEIRS)]
    if not theirs:
        return block
    copy = read_own(etree.tostring(block, encoding="utf-8", with_tail=False))
    for name in theirs:
        del copy.attrib[name]
    return copy


_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_OPEN: dict[Version, str] = {
    version: f'{_DECLARATION}<soap:Envelope xmlns:soap="{ns}">' for version, ns in NAMESPACES.items()
}
_CLOSE = "</soap:Body></soap:Envelope>"


def seal(version: Version, payload: str, headers: str = "") -> bytes:
    """The envelope around `payload` as UTF-8. Both texts are XML that declares every prefix it uses.

    `soap` is the only prefix they inherit, and there is no default namespace.
    """
    header = f"<soap:Header>{headers}</soap:Header>" if headers else ""
    return f"{_OPEN[version]}{header}<soap:Body>{payload}{_CLOSE}".encode()
