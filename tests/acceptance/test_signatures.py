"""Signatures made by others hold here, and ours hold there: Debian's xmlsec1, and zeep's own (which is xmlsec in Python)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from zeep.exceptions import SignatureVerificationFailed

from bridge.errors import Refusal
from bridge.soap.security import DS, WSU
from bridge.soap.security.signing import BODY, TIMESTAMP, NamedBy, sign
from bridge.soap.xml import parse
from tests.signatures import ADDRESSING, HEADERS, MESSAGE_ID, Identity, body_of, envelope, identity, verified

XMLSEC1 = shutil.which("xmlsec1")
needs_xmlsec1 = pytest.mark.skipif(XMLSEC1 is None, reason="no xmlsec1 (Debian: apt-get install xmlsec1)")

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENVELOPED = f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
IDS = (f"{SOAP}:Body", f"{WSU}:Timestamp", f"{ADDRESSING}:MessageID")

PAYLOAD = (
    '<o:order xmlns:o="urn:orders" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:t="urn:types" xsi:type="t:big">'
    '<o:item note="a&#10;b &lt;&quot;&gt;"> bearing &#13; ü </o:item><item xmlns="urn:d"><x xmlns=""/></item></o:order>'
)


def xmlsec1(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert XMLSEC1 is not None
    ids = [argument for one in IDS for argument in ("--id-attr:Id", one)]
    return subprocess.run(
        [XMLSEC1, arguments[0], *ids, *arguments[1:]], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture(params=["rsa", "ec"])
def who(request: pytest.FixtureRequest, tmp_path: Path) -> Identity:
    """Who signs; key and certificate are in the folder too."""
    found = identity() if request.param == "rsa" else identity("Bob", "ec", 256)
    (tmp_path / "key.pem").write_bytes(found.key)
    (tmp_path / "certificate.pem").write_bytes(found.certificate)
    return found


@needs_xmlsec1
@pytest.mark.interop
@pytest.mark.parametrize(
    "named_by", ["token", "issuer_serial", "key_identifier", "thumbprint", "certificate"]
)
def test_xmlsec1_finds_our_signature_right_and_a_changed_message_wrong(
    who: Identity, named_by: NamedBy, tmp_path: Path
) -> None:
    source = sign(envelope(PAYLOAD, HEADERS), who.signer(named_by), (BODY, TIMESTAMP, MESSAGE_ID))
    told = []
    for octets in (source, source.replace(b"bearing", b"nothing")):
        (tmp_path / "message.xml").write_bytes(octets)
        told.append(
            xmlsec1(
                "--verify",
                "--pubkey-cert-pem", tmp_path / "certificate.pem",
                "--enabled-key-data", "key-name",
                tmp_path / "message.xml",
            )
        )  # fmt: skip
    assert "SignedInfo References (ok/all): 3/3" in told[0].stderr
    assert [one.returncode == 0 for one in told] == [True, False]


def template(method: str, digest: str, form: str, transforms: str, key_info: str) -> bytes:
    """An envelope with a Signature that is still to be filled in."""
    references = "".join(
        f'<ds:Reference URI="#{one}"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/>'
        "<ds:DigestValue/></ds:Reference>"
        for one in ("b", "t")
    ).replace("<ds:Transforms></ds:Transforms>", "")
    signature = (
        f'<ds:Signature xmlns:ds="{DS}">\n<ds:SignedInfo>\n<ds:CanonicalizationMethod Algorithm="{form}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{references}</ds:SignedInfo>\n<ds:SignatureValue/>'
        f"<ds:KeyInfo><ds:X509Data>{key_info}</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    return (
        envelope(PAYLOAD, around=f'xmlns:u="{WSU}" xmlns="urn:around" xmlns:v="urn:values"')
        .replace(b"<s:Body>", b'<s:Body u:Id="b">')
        .replace(b"<u:Timestamp", b'<u:Timestamp u:Id="t"')
        .replace(b"</w:Security>", signature.encode() + b"</w:Security>")
    )


def transform(algorithm: str, prefixes: str = "") -> str:
    listed = f'<c:InclusiveNamespaces xmlns:c="{EXCLUSIVE}" PrefixList="{prefixes}"/>' if prefixes else ""
    return f'<ds:Transform Algorithm="{algorithm}">{listed}</ds:Transform>'


def signed_by_xmlsec1(source: bytes, folder: Path) -> etree._Element:
    (folder / "template.xml").write_bytes(source)
    keys = f"{folder / 'key.pem'},{folder / 'certificate.pem'}"
    made = xmlsec1("--sign", "--privkey-pem", keys, "--output", folder / "made.xml", folder / "template.xml")
    assert made.returncode == 0, made.stderr
    return parse((folder / "made.xml").read_bytes())[0]


CERTIFICATE = "<ds:X509Certificate/>"
SERIAL = "<ds:X509IssuerSerial/>"


@needs_xmlsec1
@pytest.mark.interop
@pytest.mark.parametrize(
    ("size", "form", "transforms", "key_info"),
    [
        (256, EXCLUSIVE, transform(EXCLUSIVE, "t"), CERTIFICATE),
        (384, EXCLUSIVE, transform(EXCLUSIVE, "t v s"), SERIAL),
        (512, EXCLUSIVE, transform(EXCLUSIVE, "#default t"), "<ds:X509SKI/>"),
        (256, EXCLUSIVE, transform(f"{EXCLUSIVE}WithComments", "t"), CERTIFICATE),
        (256, EXCLUSIVE, ENVELOPED + transform(EXCLUSIVE, "t"), CERTIFICATE),
        (256, INCLUSIVE, transform(INCLUSIVE), CERTIFICATE),
        (256, f"{INCLUSIVE}#WithComments", transform(f"{INCLUSIVE}#WithComments"), CERTIFICATE),
        (
            256,
            "http://www.w3.org/2006/12/xml-c14n11",
            transform("http://www.w3.org/2006/12/xml-c14n11"),
            CERTIFICATE,
        ),
        (256, INCLUSIVE, "", CERTIFICATE),
        (256, INCLUSIVE, ENVELOPED, CERTIFICATE),
    ],
)
def test_what_xmlsec1_signs_holds_here(
    who: Identity, size: int, form: str, transforms: str, key_info: str, tmp_path: Path
) -> None:
    digest = f"{MORE}sha384" if size == 384 else f"http://www.w3.org/2001/04/xmlenc#sha{size}"
    family = "rsa" if who is identity() else "ecdsa"
    root = signed_by_xmlsec1(
        template(f"{MORE}{family}-sha{size}", digest, form, transforms, key_info), tmp_path
    )
    found = verified(root, who.trusted)
    assert found.covers(body_of(root))
    assert found.covers(root[0][0][0])
    body_of(root)[0][0].text = "nothing"
    with pytest.raises(Refusal, match="`Body` is not what was signed"):
        verified(root, who.trusted)


# -- zeep


@pytest.fixture
def zeep_signature() -> Any:
    """zeep.wsse.signature, where the Python binding of xmlsec is there and has the libxml2 that lxml has."""
    try:
        import xmlsec
    except (ImportError, SystemError) as error:
        pytest.skip(f"no xmlsec for Python ({error})")
    except Exception as error:  # its own class, of a module that could not be imported
        pytest.skip(f"xmlsec does not fit lxml ({error})")
    from zeep.wsse import signature

    assert xmlsec
    return signature


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["Signature", "BinarySignature"])
def test_what_zeep_signs_holds_here(zeep_signature: Any, kind: str, tmp_path: Path) -> None:
    import xmlsec

    who = identity()
    (tmp_path / "key.pem").write_bytes(who.key)
    (tmp_path / "certificate.pem").write_bytes(who.certificate)
    root = etree.fromstring(envelope(PAYLOAD.replace(' xsi:type="t:big"', "")))
    getattr(zeep_signature, kind)(
        str(tmp_path / "key.pem"),
        str(tmp_path / "certificate.pem"),
        signature_method=xmlsec.Transform.RSA_SHA256,
        digest_method=xmlsec.Transform.SHA256,
    ).apply(root, {})
    root = parse(etree.tostring(root))[0]
    assert verified(root, who.trusted).covers(body_of(root))


@pytest.mark.interop
def test_zeep_finds_our_signature_right(zeep_signature: Any, tmp_path: Path) -> None:
    who = identity()
    root = etree.fromstring(sign(envelope(PAYLOAD), who.signer()))
    zeep_signature._verify_envelope_with_key(root, zeep_signature._make_verify_key(who.certificate))
    root[1][0][0].text = "nothing"
    with pytest.raises(SignatureVerificationFailed):
        zeep_signature._verify_envelope_with_key(root, zeep_signature._make_verify_key(who.certificate))
