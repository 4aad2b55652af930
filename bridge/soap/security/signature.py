"""Whether a signature in a Security header holds, and which elements of the message it covers.

What is processed is what was signed, by construction. A reference is not looked up in the document: it may only mean the Body, a
header block, or a child of the Security header that the signature stands in, each where the message's reader finds it, and what
comes back are these very elements. So there is no second element to be read in place of the signed one, wherever it was moved to.

Order: form, certificate, the signature over SignedInfo, and only then digests: whoever has no key of ours makes us canonicalise
nothing but a SignedInfo, which has few elements. The signed parts lie apart, so that no part of a message is canonicalised twice.

Specification: XML Signature, second edition, section 3.2; SOAP Message Security 1.1, section 8.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Container
from dataclasses import dataclass

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.envelope import NAMESPACES
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.algorithms import DIGESTS, SIGNATURES, SignatureMethod
from bridge.soap.security.canonical import EXCLUSIVE, Canonical, canonical
from bridge.soap.security.certificates import Certificate, Trusted
from bridge.soap.security.tokens import (
    TOKEN_REFERENCE,
    children,
    exactly,
    malformed,
    named_certificates,
    octets,
    text,
)
from bridge.soap.text import attribute, local_name, namespace

SIGNATURE = f"{{{DS}}}Signature"
MOST_REFERENCES = 20  # Body, Timestamp, a token and every addressing header are ten
MOST_PREFIXES = 50
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"
_STR_TRANSFORM = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
)
_FAILED_CHECK, _INVALID = f"{{{WSSE}}}FailedCheck", f"{{{WSSE}}}InvalidSecurity"
_ENVELOPED = f"{DS}enveloped-signature"
_BY_DEFAULT = Canonical(exclusive=False, comments=False)  # XML Signature, section 4.3.3.2
_IDS = (f"{{{WSU}}}Id", "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")
_SOAP = frozenset(NAMESPACES.values())


@dataclass(frozen=True, slots=True, eq=False)
class Signed:
    """A signature that holds. `elements` are the very elements that it covers; compare them with `is`."""

    certificate: Certificate
    elements: tuple[etree._Element, ...]
    fingerprint: bytes
    """SHA-256 of what was signed: the same for a replay, whatever was changed around it or in the signature's own octets."""

    def covers(self, element: etree._Element | None) -> bool:
        """Whether exactly this element is covered, with all that is in it."""
        return any(element is one for one in self.elements)


def verify(signature: etree._Element, trusted: Trusted, now: float) -> Signed:
    """Checks the Signature element `signature` where it stands: in a Security header of an envelope.

    `now` is in seconds since the epoch; certificates are only good within their time. What had to be signed, and how old it may
    be, is for the caller to decide: a signature over nothing that matters holds as well.

    Raises:
        Refusal: with a subcode of SOAP Message Security 1.1, section 12.
    """
    places = _Places(signature)
    signed_info, value, key_info = exactly(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    form, method, references = _signed_info(signed_info)
    named = named_certificates(key_info, trusted, places.find)
    to_be_signed, signature_value = form.octets(signed_info), octets(value)
    for certificate in named:
        if not certificate.not_before <= now <= certificate.not_after:
            continue
        if method.holds(certificate.public_key, signature_value, to_be_signed):
            break
    else:
        # The same words for a certificate that is unknown or has expired, and for a wrong signature.
        raise refuse("signature_wrong", subcodes=(_FAILED_CHECK,))
    elements = tuple(_covered(_Reference.of(one), places) for one in references)
    if len(set(elements)) < len(elements):
        raise malformed("two references mean the same element")
    places.check_unique()
    return Signed(certificate, elements, hashlib.sha256(to_be_signed).digest())


def _signed_info(info: etree._Element) -> tuple[Canonical, SignatureMethod, list[etree._Element]]:
    """How it is canonicalised, how it is signed, and its references."""
    found = list(children(info))
    names = [child.tag for child in found]
    if names[:2] != [f"{{{DS}}}CanonicalizationMethod", f"{{{DS}}}SignatureMethod"]:
        raise malformed("SignedInfo does not begin with CanonicalizationMethod and SignatureMethod")
    if not 1 <= len(found) - 2 <= MOST_REFERENCES or set(names[2:]) != {f"{{{DS}}}Reference"}:
        raise malformed(f"after these, SignedInfo has 1 to {MOST_REFERENCES} references and nothing else")
    form = _canonicalization(found[0])
    if not form.fits(info):
        raise _unsupported("inclusive canonicalisation below an element with xml: attributes")
    return form, SIGNATURES[_algorithm(found[1], SIGNATURES)], found[2:]


def _algorithm(element: etree._Element, known: Container[str]) -> str:
    """Its Algorithm, one of `known`, without parameters (HMACOutputLength)."""
    identifier = element.get("Algorithm", "")
    if identifier not in known:
        raise _unsupported(identifier)
    if text(element):
        raise malformed(f"{local_name(str(element.tag))} has content")
    return identifier


def _canonicalization(element: etree._Element) -> Canonical:
    identifier = element.get("Algorithm", "")
    prefixes: list[str] = []
    for parameter in children(element):
        if parameter.tag != _INCLUSIVE_NAMESPACES or prefixes or text(parameter):
            raise malformed(f"{local_name(str(element.tag))} has other parameters than a list of prefixes")
        prefixes = parameter.get("PrefixList", "").split()
    form = canonical(identifier, tuple(prefixes))
    if form is None:
        raise _unsupported(identifier)
    if len(prefixes) > MOST_PREFIXES or (prefixes and not form.exclusive):
        raise malformed("a list of prefixes is too long, or where none belongs")
    return form


@dataclass(frozen=True, slots=True)
class _Reference:
    """One Reference. `of_token`: it means the token that a SecurityTokenReference means (STR-Transform)."""

    uri: str
    form: Canonical
    of_token: bool
    digest_method: str
    digest: bytes

    @classmethod
    def of(cls, element: etree._Element) -> _Reference:
        parts = list(children(element))
        form, of_token = _BY_DEFAULT, False
        if parts and parts[0].tag == f"{{{DS}}}Transforms":
            form, of_token = _transforms(list(children(parts.pop(0))))
        if [part.tag for part in parts] != [f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue"]:
            raise malformed("a Reference does not consist of Transforms, DigestMethod and DigestValue")
        return cls(element.get("URI", ""), form, of_token, _algorithm(parts[0], DIGESTS), octets(parts[1]))


def _transforms(transforms: list[etree._Element]) -> tuple[Canonical, bool]:
    """Canonicalisation is the only one that does anything; whether it is that of STR-Transform.

    `enveloped-signature` takes the signature itself out of what is signed, which here it is never part of.
    """
    if any(one.tag != f"{{{DS}}}Transform" for one in transforms):
        raise malformed("Transforms holds more than transforms")
    if transforms and transforms[0].get("Algorithm") == _ENVELOPED:
        _algorithm(transforms.pop(0), (_ENVELOPED,))
    if len(transforms) > 1:
        raise malformed("a Reference has more than one transform besides enveloped-signature")
    if not transforms:
        return _BY_DEFAULT, False
    (transform,) = transforms
    if transform.get("Algorithm") != _STR_TRANSFORM:
        return _canonicalization(transform), False
    found = [method for parameters in children(transform) for method in children(parameters)]
    if [one.tag for one in found] != [f"{{{DS}}}CanonicalizationMethod"]:
        raise malformed("STR-Transform has not one CanonicalizationMethod")
    return _canonicalization(found[0]), True


def _covered(reference: _Reference, places: _Places) -> etree._Element:
    """The element that a reference means, its digest being right."""
    element = places.token(reference.uri) if reference.of_token else places.find(reference.uri)
    if not reference.form.fits(element):
        raise _unsupported("inclusive canonicalisation below an element with xml: attributes")
    content = (
        replaced_token(element, reference.form) if reference.of_token else reference.form.octets(element)
    )
    if not hmac.compare_digest(DIGESTS[reference.digest_method](content).digest(), reference.digest):
        raise refuse("signed_part_changed", part=local_name(str(element.tag)), subcodes=(_FAILED_CHECK,))
    if not reference.form.binds(element):
        raise refuse("signed_type_loose", part=local_name(str(element.tag)), subcodes=(_FAILED_CHECK,))
    return element


class _Places:
    """The elements that a reference from `signature` may mean, by Id. Raises Refusal where it stands in no Security header."""

    def __init__(self, signature: etree._Element) -> None:
        security = signature.getparent()
        header = security.getparent() if security is not None else None
        root = header.getparent() if header is not None else None
        if security is None or header is None or root is None or root.getparent() is not None:
            raise malformed("it stands in no Security header")
        soap = namespace(str(root.tag))
        bodies = [child for child in root if child.tag == f"{{{soap}}}Body"]
        if (
            soap not in _SOAP
            or signature.tag != SIGNATURE
            or security.tag != SECURITY
            or header.tag != f"{{{soap}}}Header"
            or len(bodies) != 1
        ):
            raise malformed("it stands in no Security header")
        self.root, self.signature = root, signature
        self.by_id: dict[str, list[etree._Element]] = {}
        self.used: set[str] = set()
        blocks = (block for block in header if block is not security)
        for element in (*bodies, *blocks, *(child for child in security if child is not signature)):
            for name in _IDS:
                identifier = element.get(name)
                if identifier is not None:
                    self.by_id.setdefault(identifier, []).append(element)

    def find(self, uri: str) -> etree._Element:
        """The part that `uri` means. Raises Refusal for everything else: another place, another document, a pointer."""
        found = self.by_id.get(uri[1:], []) if uri.startswith("#") else []
        if len(found) != 1:
            raise refuse("signed_part_unknown", uri=uri, subcodes=(_INVALID,))
        self.used.add(uri[1:])
        return found[0]

    def token(self, uri: str) -> etree._Element:
        """The token that the signature's own SecurityTokenReference refers to, which `uri` means."""
        for reference in self.signature.iterfind(f"{{{DS}}}KeyInfo/{TOKEN_REFERENCE}"):
            if uri.startswith("#") and any(reference.get(name) == uri[1:] for name in _IDS):
                (hint,) = children(reference)  # `named_certificates` has seen that it is one
                if hint.tag == f"{{{WSSE}}}Reference":
                    self.used.add(uri[1:])
                    return self.find(hint.get("URI", ""))
                raise _unsupported(f"STR-Transform of {local_name(str(hint.tag))}")
        raise refuse("signed_part_unknown", uri=uri, subcodes=(_INVALID,))

    def check_unique(self) -> None:
        """Refuses an Id that was used and stands anywhere else in the message. Nothing here is looked up by Id, but whoever
        sends a message with two of the same wants somebody to read the wrong one."""
        for identifier in self.used:
            if _ids.count(self.root, identifier) != 1:
                raise refuse("id_repeated", found=identifier, subcodes=(_INVALID,))


class _Ids(threading.local):
    """The compiled expression, one for each thread: an expression is locked while it is used."""

    def __init__(self) -> None:
        names = " or ".join(f"local-name() = '{name}'" for name in ("Id", "ID", "id"))
        self.path = etree.XPath(f"count(//@*[. = $value][{names}])")

    def count(self, root: etree._Element, value: str) -> int:
        found = self.path(root, value=value)
        assert isinstance(found, float)
        return int(found)


_ids = _Ids()


def replaced_token(token: etree._Element, form: Canonical) -> bytes:
    """What STR-Transform makes of a reference to `token`: canonical, and always with a default namespace on it, be it the empty
    one (SOAP Message Security 1.1, section 8.3)."""
    content = form.octets(token)
    name_end = len(content.split(b">", 1)[0].split(b" ", 1)[0])
    start_tag = content.split(b">", 1)[0]
    if b' xmlns="' in start_tag:
        return content
    default = attribute(token.nsmap.get(None, "")).encode()
    return content[:name_end] + b" xmlns=" + default + content[name_end:]


def _unsupported(found: str) -> Refusal:
    return refuse("signature_algorithm", found=found, subcodes=(f"{{{WSSE}}}UnsupportedAlgorithm",))
