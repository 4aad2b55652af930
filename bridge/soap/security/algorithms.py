"""The algorithms of XML Signature that are used here, all others being refused by their absence.

No HMAC: where a certificate is expected, its public key would serve as the secret. No SHA-1, no DSA, no XSLT, no XPath.
Identifiers: RFC 9231, sections 2.1 to 2.3; XML Signature 1.1, section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

_DSIG_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_DSIG_2007 = "http://www.w3.org/2007/05/xmldsig-more#"

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

Digest = Callable[[bytes], "hashlib._Hash"]

DIGESTS: dict[str, Digest] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    f"{_DSIG_MORE}sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
"""By identifier."""


@dataclass(frozen=True, slots=True)
class SignatureMethod:
    """One signature algorithm. `scheme` says which kind of key it takes, and RSA's padding."""

    identifier: str
    scheme: Literal["pkcs1", "pss", "ecdsa"]
    digest: hashes.HashAlgorithm

    def holds(self, public_key: PublicKey, signature: bytes, octets: bytes) -> bool:
        """Whether `signature` over `octets` was made with the private half; False too for a key of another kind."""
        try:
            if self.scheme == "ecdsa":
                if not isinstance(public_key, ec.EllipticCurvePublicKey):
                    return False
                size = _coordinate(public_key)
                if len(signature) != 2 * size:
                    return False
                halves = (int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
                public_key.verify(encode_dss_signature(*halves), octets, ec.ECDSA(self.digest))
            else:
                if not isinstance(public_key, rsa.RSAPublicKey):
                    return False
                public_key.verify(signature, octets, self._padding(), self.digest)
        except InvalidSignature:
            return False
        return True

    def make(self, private_key: PrivateKey, octets: bytes) -> bytes:
        """The signature over `octets`. The key fits: `Signer` has seen to it."""
        if isinstance(private_key, rsa.RSAPrivateKey):
            return private_key.sign(octets, self._padding(), self.digest)
        size = _coordinate(private_key)
        r, s = decode_dss_signature(private_key.sign(octets, ec.ECDSA(self.digest)))
        return r.to_bytes(size) + s.to_bytes(size)

    def _padding(self) -> padding.AsymmetricPadding:
        if self.scheme == "pkcs1":
            return padding.PKCS1v15()
        # The salt is as long as the digest (RFC 9231, section 2.3.10).
        return padding.PSS(padding.MGF1(self.digest), self.digest.digest_size)


def _coordinate(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> int:
    """Bytes of r and of s: XML Signature writes the two one after the other, not as DER."""
    return (key.curve.key_size + 7) // 8


_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
SIGNATURES: dict[str, SignatureMethod] = {
    method.identifier: method
    for size, digest in _HASHES.items()
    for method in (
        SignatureMethod(f"{_DSIG_MORE}rsa-sha{size}", "pkcs1", digest),
        SignatureMethod(f"{_DSIG_2007}sha{size}-rsa-MGF1", "pss", digest),
        SignatureMethod(f"{_DSIG_MORE}ecdsa-sha{size}", "ecdsa", digest),
    )
}
"""By identifier."""
