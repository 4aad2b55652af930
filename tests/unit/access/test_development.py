"""Certificates to develop with: what they are good for, who may read them, and that none is lost."""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from bridge.access.development import Authority
from bridge.errors import SettingsError


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certs") / "made")
    made.server(["bridge.example.com", "192.0.2.7", "münchen.example"])
    made.client("crm")
    return made


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


@pytest.mark.parametrize("name", ["localhost", "bridge.example.com", "xn--mnchen-3ya.example"])
def test_the_servers_certificate_is_that_of_the_names_it_was_made_for(
    authority: Authority, name: str
) -> None:
    policy = PolicyBuilder().store(Store([authority.certificate]))
    policy.build_server_verifier(x509.DNSName(name)).verify(certificate(authority.server()), [])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
def test_the_servers_certificate_is_that_of_the_addresses_it_was_made_for(
    authority: Authority, address: str
) -> None:
    policy = PolicyBuilder().store(Store([authority.certificate]))
    subject = x509.IPAddress(ipaddress.ip_address(address))
    policy.build_server_verifier(subject).verify(certificate(authority.server()), [])


def test_a_client_is_no_server_and_an_authority_signs_no_other_authority(authority: Authority) -> None:
    made = certificate(authority.client("crm"))
    made.verify_directly_issued_by(authority.certificate)
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    limits = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert limits.path_length == 0
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_each_certificate_has_its_key_and_only_its_owner_may_read_them(authority: Authority) -> None:
    assert len(authority.made) == 6
    for name in ("ca", "server", "crm"):
        key = serialization.load_pem_private_key((authority.folder / f"{name}.key").read_bytes(), None)
        assert key.public_key() == certificate(authority.folder / f"{name}.pem").public_key()
    for file in (authority.folder, *authority.made):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077


def test_what_is_there_stays_and_the_same_authority_goes_on(authority: Authority) -> None:
    before = {file: file.read_bytes() for file in authority.made}
    again = Authority(authority.folder)
    again.server()
    again.client("crm")
    assert again.made == []
    certificate(again.client("erp")).verify_directly_issued_by(authority.certificate)
    assert {file: file.read_bytes() for file in authority.made} == before


@pytest.mark.parametrize("name", ["ca", "server", "../out", "", "a/b", "-x", "a" * 65])
def test_a_client_whose_files_could_not_be_named_for_it_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be called"):
        authority.client(name)


def test_half_an_authority_and_one_with_the_key_of_another_are_refused(tmp_path: Path) -> None:
    Authority(tmp_path)
    key = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.key").unlink()
    with pytest.raises(SettingsError, match="other half"):
        Authority(tmp_path)
    (tmp_path / "ca.key").write_bytes(key[:40])
    with pytest.raises(SettingsError, match="cannot be read"):
        Authority(tmp_path)
    Authority(tmp_path / "other")
    (tmp_path / "ca.key").write_bytes((tmp_path / "other/ca.key").read_bytes())
    with pytest.raises(SettingsError, match="is not the key of"):
        Authority(tmp_path)


def test_a_name_that_is_no_host_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither a host name"):
        Authority(tmp_path).server(["a" * 64 + ".example"])
