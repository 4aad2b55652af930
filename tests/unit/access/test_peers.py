"""Who is at the other end, with and without a proxy that is trusted."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from bridge.access import certificates
from bridge.errors import SettingsError
from bridge.host.peers import Peers, read_certificate
from bridge.settings import Caller, Server

PEM = trustme.CA().issue_cert("crm.example").cert_chain_pems[0].bytes().decode().strip()
DER = ssl.PEM_cert_to_DER_cert(PEM)
BASE64 = base64.b64encode(DER).decode()

BEHIND = Peers(Server(trusted_proxies=("10.0.0.0/8", "fd00::/8"), client_certificate_header="X-Client-Cert"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, rubbish", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.1"),
        ("", "198.51.100.7", None),
    ],
)
def test_the_address_is_the_last_that_is_no_proxy_of_ours(
    remote: str, forwarded: str, address: str | None
) -> None:
    assert BEHIND.address({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}) == address


@pytest.mark.parametrize(
    "value",
    [
        PEM.replace("\n", " "),
        PEM,
        quote(PEM),
        quote(PEM, safe=""),
        BASE64,
        f":{BASE64}:",
        quote(BASE64, safe=""),
    ],
    ids=["PEM with spaces", "PEM", "escaped", "all escaped", "base64", "RFC 9440", "escaped base64"],
)
def test_a_certificate_is_read_in_every_form_that_proxies_write(value: str) -> None:
    read = read_certificate(value)
    assert read is not None
    assert ssl.PEM_cert_to_DER_cert(read) == DER


@pytest.mark.parametrize("value", [None, "", "(null)", f"{BASE64},{BASE64}", PEM + PEM, "%%%", "a" * 7, "—"])
def test_what_is_no_certificate_or_more_than_one_is_none(value: str | None) -> None:
    assert read_certificate(value) is None


def test_only_a_trusted_proxy_is_believed_about_certificate_and_tls() -> None:
    headers = {"HTTP_X_CLIENT_CERT": BASE64, "HTTP_X_FORWARDED_PROTO": "https", "wsgi.url_scheme": "http"}
    stranger = BEHIND.credentials({"REMOTE_ADDR": "192.0.2.1", **headers})
    assert (stranger.certificate, stranger.secure) == (None, False)
    proxy = BEHIND.credentials({"REMOTE_ADDR": "10.0.0.1", **headers})
    assert proxy.certificate is not None
    assert proxy.secure
    doubted = BEHIND.credentials(
        {"REMOTE_ADDR": "10.0.0.1", **headers, "HTTP_X_FORWARDED_PROTO": "https, http"}
    )
    assert not doubted.secure


def test_tls_between_the_proxy_and_us_does_not_hide_that_the_client_came_without() -> None:
    proxy = {"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "https"}
    assert BEHIND.credentials(proxy).secure
    assert not BEHIND.credentials({**proxy, "HTTP_X_FORWARDED_PROTO": "http"}).secure
    assert not BEHIND.credentials({**proxy, "HTTP_X_FORWARDED_PROTO": "https, http"}).secure
    assert BEHIND.credentials({**proxy, "HTTP_X_FORWARDED_PROTO": "HTTPS"}).secure


def test_the_certificate_of_the_proxy_itself_is_nobodys() -> None:
    environ: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "https", "SSL_CLIENT_CERT": PEM}
    assert BEHIND.credentials(environ).certificate is None
    environ["REMOTE_ADDR"] = "192.0.2.1"
    assert BEHIND.credentials(environ).certificate == PEM


def test_files_of_certificates_give_each_its_caller_and_mistakes_are_told_all_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    first.write_text(PEM)
    second.write_text(trustme.CA().issue_cert("shop.example").cert_chain_pems[0].bytes().decode())
    known = certificates.read({"crm": Caller(certificates=(first,)), "shop": Caller(certificates=(second,))})
    assert known[certificates.fingerprint(DER)].caller == "crm"
    assert len(known) == 2
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    broken = {
        "crm": Caller(certificates=(first, tmp_path / "gone.pem")),
        "shop": Caller(certificates=(first, empty)),
    }
    with pytest.raises(SettingsError) as wrong:
        certificates.read(broken)
    assert len(wrong.value.mistakes) == 3
    assert "also a certificate of crm" in str(wrong.value)
