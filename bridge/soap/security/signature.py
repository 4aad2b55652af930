"""Whether a signature in a Security header holds, and which elements of the message it covers.

What is processed is what was signed, by construction. A reference is not looked up in the document: it may only mean the Body, a
header block, or a child of the Security header that the signature stands in, each where the message's reader finds it, and what
comes back are these very elements. So there is no second element to be read in place of the signed one, wherever it was moved to.

Order: certificate, the signature over SignedInfo, and only then what it refers to. Whoever has no key that we trust makes us
canonicalise nothing but a SignedInfo of bounded length (a canonical form repeats a namespace for each element that uses it, and may
be a thousand times as long as what it is of); and the parts lie apart, so that nothing is canonicalised twice.

Specification: XML Signature, second edition, section 3.2; SOAP Message Security 1.1, section 8.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, WSSE
from bridge.soap.security.algorithms import DIGESTS, SIGNATURES, Digest, SignatureMethod
from bridge.soap.security.canonical import EXCLUSIVE, FORMS, Canonical
from bridge.soap.security.certificates import Certificate, Trusted
from bridge.soap.security.places import Places
from bridge.soap.security.tokens import from_base64, malformed, named_certificates, octets, text
from bridge.soap.text import local_name

MOST_REFERENCES = 20  # Body, Timestamp, a token and every addressing header are ten
MOST_SIGNED_INFO = (
    16 * 1024
)  # octets as written, namespaces around it counted; twenty references take ten thousand
_LONGEST_LIST = 500  # characters of a list of prefixes

_ENVELOPED = f"{DS}enveloped-signature"
_BY_DEFAULT = FORMS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]  # XML Signature, section 4.3.3.2
_FAILED_CHECK = f"{{{WSSE}}}FailedCheck"

_SIGNATURE_PARTS = [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
_METHODS = [f"{{{DS}}}{name}" for name in ("CanonicalizationMethod", "SignatureMethod")]
_REFERENCE, _TRANSFORMS, _TRANSFORM = (f"{{{DS}}}{name}" for name in ("Reference", "Transforms", "Transform"))
_DIGEST_PARTS = [f"{{{DS}}}{name}" for name in ("DigestMethod", "DigestValue")]
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"


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
    """Checks the Signature element `signature` where it stands: in a Security header of an envelope that `soap.xml.parse` read.

    `now` is in seconds since the epoch; certificates are only good within their time. What had to be signed, and how old it may
    be, is for the caller to decide: a signature over nothing that matters holds as well.

    Raises:
        Refusal: with a subcode of SOAP Message Security 1.1, section 12.
    """
    try:
        return _verified(signature, trusted, now)
    except etree.C14NError:
        raise malformed("what was signed has no canonical form: a namespace has a relative name") from None


def _verified(signature: etree._Element, trusted: Trusted, now: float) -> Signed:
    places = Places(signature)
    parts = list(signature)
    if [part.tag for part in parts] != _SIGNATURE_PARTS:
        raise malformed("Signature does not consist of SignedInfo, SignatureValue and KeyInfo")
    info, value, key_info = parts
    named = named_certificates(key_info, trusted, places.find)
    if len(etree.tostring(info, encoding="utf-8", with_tail=False)) > MOST_SIGNED_INFO:
        raise malformed(f"SignedInfo is longer than {MOST_SIGNED_INFO} octets")
    said, signature_value = _signed_info(info), octets(value)
    for certificate in named:
        if not certificate.not_before <= now <= certificate.not_after:
            continue
        if said.method.holds(certificate.public_key, signature_value, said.canonical):
            break
    else:
        # The same words for a certificate that is unknown or has expired, and for a wrong signature.
        raise refuse("signature_wrong", subcodes=(_FAILED_CHECK,))
    covered = [_covered(reference, places) for reference in said.references]
    contents = dict(covered)
    if len(contents) < len(covered):
        raise malformed("two references mean the same element")
    places.check_unique(contents.get(places.body))
    return Signed(certificate, tuple(contents), hashlib.sha256(said.canonical).digest())


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


def _signed_info(info: etree._Element) -> SignedInfo:
    """What a SignedInfo says, read from its elements."""
    found = list(info)
    tags = [child.tag for child in found]
    if tags[:2] != _METHODS or set(tags[2:]) != {_REFERENCE}:
        raise malformed("SignedInfo does not consist of two methods and references")
    if len(tags) - 2 > MOST_REFERENCES:
        raise malformed(f"SignedInfo has more than {MOST_REFERENCES} references")
    canonicalization, signing, *references = found
    identifier = signing.get("Algorithm", "")
    method = SIGNATURES.get(identifier)
    if method is None:
        raise unsupported(identifier)
    if len(signing):
        raise malformed("SignatureMethod has parameters")  # HMACOutputLength, and RSA's of XML Signature 1.1
    form = _form(canonicalization)
    _check_fits(form, info)
    return SignedInfo(form.octets(info), method, [_reference(one) for one in references])


def _form(method: etree._Element) -> Canonical:
    """How a CanonicalizationMethod or a Transform says to canonicalise."""
    identifier = method.get("Algorithm", "")
    form = FORMS.get(identifier)
    if form is None:
        raise unsupported(identifier)
    if len(method):
        parameter = method[0]
        listed = parameter.get("PrefixList", "")
        if len(method) > 1 or parameter.tag != _INCLUSIVE_NAMESPACES or not form.exclusive:
            raise malformed("a canonicalisation has parameters that do not belong to it")
        if len(listed) > _LONGEST_LIST:
            raise malformed("a PrefixList is too long")
        form = replace(form, prefixes=tuple(listed.split()))
    return form


def _check_fits(form: Canonical, element: etree._Element) -> None:
    if not form.fits(element):
        raise unsupported("inclusive canonicalisation within an element that has xml: attributes")


def _reference(reference: etree._Element) -> Reference:
    """What a Reference says: at most one of its transforms, a canonicalisation, does anything.

    `enveloped-signature` takes the signature out of what is signed, which here it is never part of.
    """
    parts = list(reference)
    transforms = list(parts.pop(0)) if parts and parts[0].tag == _TRANSFORMS else []
    if [part.tag for part in parts] != _DIGEST_PARTS:
        raise malformed("a Reference does not consist of Transforms, DigestMethod and DigestValue")
    identifier = parts[0].get("Algorithm", "")
    digest = DIGESTS.get(identifier)
    if digest is None:
        raise unsupported(identifier)
    if any(one.tag != _TRANSFORM for one in transforms):
        raise malformed("Transforms holds more than transforms")
    if transforms and transforms[0].get("Algorithm") == _ENVELOPED:
        transforms = transforms[1:]
    if len(transforms) > 1:
        raise malformed("a Reference has more than one transform besides enveloped-signature")
    form = _form(transforms[0]) if transforms else _BY_DEFAULT
    return Reference(reference.get("URI", ""), form, digest, text(parts[1]))


def _covered(reference: Reference, places: Places) -> tuple[etree._Element, bytes]:
    """The element that a Reference means, and its canonical octets, of which the digest is right.

    Comments are not part of what `#id` means (section 4.3.3.3), whatever the canonicalisation is called: somebody else could put one
    in, and have a reader take half a text for the whole. So there must be none.
    """
    uri, form, digest, value = reference
    element = places.find(uri)
    if not form.exclusive:
        _check_fits(form, element)
    if next(element.iter(etree.Comment), None) is not None:
        raise refuse("signed_comment", place=local_name(str(element.tag)), subcodes=(_FAILED_CHECK,))
    content = form.octets(element)
    if not form.binds(element, content):
        raise refuse("signed_type_loose", place=local_name(str(element.tag)), subcodes=(_FAILED_CHECK,))
    if not hmac.compare_digest(digest(content).digest(), from_base64(value, "DigestValue")):
        raise refuse("signed_part_changed", place=local_name(str(element.tag)), subcodes=(_FAILED_CHECK,))
    return element, content


def unsupported(found: str) -> Refusal:
    """The refusal of an algorithm."""
    return refuse("signature_algorithm", found=found, subcodes=(f"{{{WSSE}}}UnsupportedAlgorithm",))
