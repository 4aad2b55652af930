"""What it takes to verify a signature over Body and Timestamp (RSA 2048, SHA-256, BinarySecurityToken), against the RSA operation and
the canonicalisation of the same elements alone: orders of 1, 20 and 200 lines, CPU time.

What comes on top of these two is finding the certificate, reading the references, digests, and that no Id stands there twice.
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from benchmarks.measure import Budget, cpu_microseconds
from benchmarks.messages import SIZES, order
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.certificates import Trusted
from bridge.soap.security.signature import verify
from bridge.soap.security.signing import Signer, sign
from bridge.soap.security.tokens import octets
from bridge.soap.xml import parse

TIMES = 1.5
_SECURITY = (
    f'<soap:Header><wsse:Security xmlns:wsse="{WSSE}"><wsu:Timestamp xmlns:wsu="{WSU}">'
    "<wsu:Created>2026-11-22T08:00:00Z</wsu:Created></wsu:Timestamp></wsse:Security></soap:Header>"
)


def run() -> tuple[list[str], list[Budget]]:
    key = rsa.generate_private_key(65537, 2048)
    now = datetime.datetime.now(datetime.UTC)
    certificate = _certificate(key, now)
    signer = Signer.of(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certificate)
    trusted, seconds = Trusted.of([certificate]), now.timestamp()
    lines = ["| lines | verify, µs | RSA and canonicalisation alone, µs | sign, µs |", "|---|---|---|---|"]
    budgets = []
    for size in SIZES:
        source = order("SubmitOrder", size).replace(b"<soap:Body>", f"{_SECURITY}<soap:Body>".encode())
        root = parse(sign(source, signer))[0]
        (signature,) = root.findall(f"*/{SECURITY}/{{{DS}}}Signature")
        value, elements = octets(signature[1]), (signature[0], *verify(signature, trusted, seconds).elements)

        def alone() -> None:
            info, *_ = [etree.tostring(one, method="c14n", exclusive=True) for one in elements]  # noqa: B023
            key.public_key().verify(value, info, padding.PKCS1v15(), hashes.SHA256())  # noqa: B023

        taken = cpu_microseconds(
            {
                "verify": lambda: verify(signature, trusted, seconds),  # noqa: B023
                "alone": alone,
                "sign": lambda: sign(source, signer),  # noqa: B023
            },
            seconds=0.5,
        )
        lines.append(f"| {size} | {taken['verify']:.0f} | {taken['alone']:.0f} | {taken['sign']:.0f} |")
        if size == 20:
            budgets.append(
                Budget(
                    "a signature verified, of RSA and canonicalisation",
                    taken["verify"] / taken["alone"],
                    TIMES,
                )
            )
    return lines, budgets


def _certificate(key: rsa.RSAPrivateKey, now: datetime.datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)
