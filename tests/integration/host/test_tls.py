"""TLS at the bridge itself: who calls is shown to the application, and a new certificate is taken up while running."""

from __future__ import annotations

import dataclasses
import http.client
import os
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from bridge.access import directory
from bridge.access.development import Authority
from bridge.errors import SettingsError
from bridge.host import server
from bridge.host.server import ServerOptions
from bridge.settings import Caller, Role, Server, Settings, Tls
from tests.integration.host.conftest import TYPES, Running, echo, running, wait_until


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def put(authority: trustme.CA, folder: Path, name: str) -> Path:
    """cert.pem and key.pem for 127.0.0.1, replaced as a renewal does it."""
    made = authority.issue_cert("127.0.0.1", common_name=name)
    for file, text in (
        ("key.pem", made.private_key_pem.bytes()),
        ("cert.pem", b"".join(pem.bytes() for pem in made.cert_chain_pems)),
    ):
        (folder / f"{file}.new").write_bytes(text)
        os.replace(folder / f"{file}.new", folder / file)  # noqa: PTH105 - both paths are known
    return folder


def settings(folder: Path, authority: trustme.CA, **more: Any) -> Settings:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return Settings(
        tls=Tls(
            certificate=folder / "cert.pem",
            key=folder / "key.pem",
            client_ca=folder / "ca.pem",
            **more,
        )
    )


@pytest.fixture
def secure(tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(server, "CERTIFICATE_CHECK", 0.1)
    put(authority, tmp_path, "first")
    with running(settings(tmp_path, authority, client_certificate="optional")) as made:
        yield made


def context(authority: trustme.CA, client: str | None) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    if client is not None:
        authority.issue_cert(f"{client}@example.org", common_name=client).configure_cert(made)
    return made


def connect(made: Running, ssl_context: ssl.SSLContext) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", made.port, context=ssl_context, timeout=10)


def ask(made: Running, ssl_context: ssl.SSLContext) -> bytes:
    connection = connect(made, ssl_context)
    try:
        connection.request("GET", "/healthz", headers={"SSL-Client-Cert": "forged"})
        return connection.getresponse().read()
    finally:
        connection.close()


def test_soap_is_answered_and_the_wsdl_says_https(secure: Running, authority: trustme.CA) -> None:
    connection = connect(secure, context(authority, None))
    for _ in range(3):
        connection.request("POST", "/services/desk", echo("sealed"), {"Content-Type": TYPES["1.1"]})
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"sealed" in answer.read()
    connection.request("GET", "/services/desk?wsdl")
    assert (
        f'location="https://127.0.0.1:{secure.port}/services/desk"'.encode()
        in connection.getresponse().read()
    )
    connection.close()


def test_the_application_sees_the_clients_certificate(
    secure: Running, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    assert ask(secure, context(authority, None)) == b"ok\n"
    root = secure.server.config.http_protocol_class.application
    monkeypatch.setattr(
        secure.server.config.http_protocol_class.pool,
        "application",
        lambda environ, start: seen.append(environ.get("SSL_CLIENT_CERT")) or root(environ, start),
    )
    for client in ("partner-a", None):
        assert ask(secure, context(authority, client)) == b"ok\n"
    assert seen[0] is not None
    assert seen[0].startswith("-----BEGIN CERTIFICATE-----")
    assert seen[1] is None


def test_a_caller_is_known_by_its_certificate_and_a_renewed_file_is_taken_up(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "REFRESH", 0.0)
    put(authority, tmp_path, "first")
    old, new = (authority.issue_cert("crm@example.org", common_name="crm") for _ in range(2))
    file = tmp_path / "crm.pem"
    old.cert_chain_pems[0].write_to_path(str(file))
    given = dataclasses.replace(
        settings(tmp_path, authority, client_certificate="optional"),
        callers={"crm": Caller(roles=("asks",), certificates=(file,))},
        roles={"asks": Role(operations=("desk.Echo",))},
    )

    def status(made: Running, shown: trustme.LeafCert | None) -> int:
        trusting = context(authority, None)
        if shown is not None:
            shown.configure_cert(trusting)
        connection = connect(made, trusting)
        connection.request("POST", "/services/desk", echo(), {"Content-Type": TYPES["1.1"]})
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    with running(given) as made:
        assert [status(made, shown) for shown in (old, new, None)] == [200, 401, 401]
        file.write_text("half a certificate")
        assert status(made, old) == 200
        new.cert_chain_pems[0].write_to_path(str(file))
        os.utime(file, ns=(1, 1))
        assert [status(made, shown) for shown in (old, new)] == [401, 200]


def test_a_client_without_the_required_certificate_is_sent_away(
    tmp_path: Path, authority: trustme.CA
) -> None:
    put(authority, tmp_path, "first")
    with running(settings(tmp_path, authority)) as made:
        assert ask(made, context(authority, "partner-a")) == b"ok\n"
        stranger, forged = context(authority, None), context(authority, None)
        trustme.CA().issue_cert("partner-a@example.org").configure_cert(forged)
        for refused in (stranger, forged):
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(made, refused)


def test_a_new_certificate_is_taken_up_and_a_broken_one_is_not(
    secure: Running, authority: trustme.CA, tmp_path: Path
) -> None:
    def name() -> str:
        connection = connect(secure, context(authority, None))
        connection.connect()
        assert connection.sock is not None
        subject = dict(part[0] for part in connection.sock.getpeercert()["subject"])  # type: ignore[attr-defined]
        connection.close()
        return str(subject["commonName"])

    assert name() == "first"
    (tmp_path / "key.pem").write_text("half written")
    time.sleep(0.5)
    assert name() == "first"
    put(authority, tmp_path, "second")
    deadline = time.monotonic() + 5
    while name() != "second":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_plain_http_to_the_tls_port_does_no_harm(secure: Running, authority: trustme.CA) -> None:
    assert secure.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None
    test_soap_is_answered_and_the_wsdl_says_https(secure, authority)


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (
            ssl.TLSVersion.TLSv1_2,
            "AES128-GCM-SHA256:@SECLEVEL=0",
        ),  # the key of the session in the hands of who has the server's
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AES+SHA256:ECDHE+AES+SHA384:!AESGCM:@SECLEVEL=0"),  # CBC
    ],
)
def test_old_versions_and_weak_ciphers_are_refused(
    secure: Running, authority: trustme.CA, version: ssl.TLSVersion, ciphers: str
) -> None:
    old = context(authority, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = version
    old.set_ciphers(ciphers)
    with pytest.raises(OSError, match=r"(?i)alert|closed|reset|EOF|unsupported"):
        ask(secure, old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_spoken_is_forward_secret_and_not_compressed(
    secure: Running, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    modern = context(authority, None)
    modern.minimum_version = modern.maximum_version = version
    connection = connect(secure, modern)
    connection.connect()
    assert isinstance(connection.sock, ssl.SSLSocket)
    cipher = connection.sock.cipher()
    assert cipher is not None
    assert cipher[0].startswith(("ECDHE-", "TLS_"))
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    assert connection.sock.compression() is None
    assert connection.sock.selected_alpn_protocol() in (None, "http/1.1")
    connection.close()


def test_a_client_cannot_ask_for_another_handshake_on_the_same_connection(
    secure: Running, authority: trustme.CA
) -> None:
    options = secure.server.config.http_protocol_class.contexts.current.options
    assert options & ssl.OP_NO_RENEGOTIATION
    assert options & ssl.OP_NO_COMPRESSION


def test_clients_that_begin_no_handshake_are_counted_and_closed(
    tmp_path: Path, authority: trustme.CA
) -> None:
    put(authority, tmp_path, "first")
    given = settings(tmp_path, authority, client_certificate="optional")
    impatient = dataclasses.replace(given, server=Server(header_timeout=1, connections_per_address=5))
    with running(impatient) as made, ExitStack() as stack:
        silent = [stack.enter_context(made.connect()) for _ in range(5)]
        silent[0].sendall(b"\x16\x03\x01")  # the beginning of a beginning
        entrance = made.server.config.http_protocol_class.entrance
        wait_until(lambda: entrance.open == 5)
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(made, context(authority, None))
        for one in silent:
            assert one.recv(100) in (b"", b"\x15\x03\x01\x00\x02\x02\x46")  # the end, perhaps after an alert
        wait_until(lambda: entrance.open == 0)
        assert ask(made, context(authority, None)) == b"ok\n"
        wait_until(lambda: entrance.open == 0 and not entrance.places)


def test_a_hello_in_many_pieces_and_clients_that_hang_up_at_any_point_of_the_handshake(
    secure: Running, authority: trustme.CA
) -> None:
    trusted = context(authority, None)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = trusted.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    for length in (0, 1, 5, 100, len(hello) - 1, len(hello)):
        with secure.connect() as connection:
            connection.sendall(hello[:length])
    with secure.connect() as connection:
        for byte in hello:
            connection.sendall(bytes([byte]))
        while True:
            incoming.write(connection.recv(65536))
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        # the request rides with the last of the handshake
        session.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.sendall(outgoing.read())
        answer = b""
        while not answer:
            incoming.write(connection.recv(65536))
            with suppress(ssl.SSLWantReadError):  # tickets come first
                answer = session.read()
        assert answer.startswith(b"HTTP/1.1 200")
    entrance = secure.server.config.http_protocol_class.entrance
    wait_until(lambda: entrance.open == 0 and not entrance.handshakes)


def revocations(authority: Authority, *revoked: Path) -> bytes:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(
        authority.certificate.subject, now, now + timedelta(hours=1)
    )
    for file in revoked:
        serial = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(one)
    key: Any = serialization.load_pem_private_key((authority.folder / "ca.key").read_bytes(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_authorities_and_revocations_are_renewed_too_and_open_connections_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CERTIFICATE_CHECK", 0.1)
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    certificate, authorities, crl = ours.server(), tmp_path / "clients.pem", tmp_path / "crl.pem"
    authorities.write_bytes((ours.folder / "ca.pem").read_bytes())
    crl.write_bytes(revocations(ours))

    def show(client: Path) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(ours.folder / "ca.pem"))
        made.load_cert_chain(client, client.with_suffix(".key"))
        return made

    def admitted(client: ssl.SSLContext) -> bool:
        try:
            return ask(made, client) == b"ok\n"
        except (OSError, http.client.HTTPException):
            return False

    crm, wms, stranger = (
        show(file) for file in (ours.client("crm"), ours.client("wms"), theirs.client("crm"))
    )
    given = Settings(
        tls=Tls(
            certificate=certificate,
            key=certificate.with_suffix(".key"),
            client_ca=authorities,
            client_crl=crl,
        )
    )
    with running(given) as made:
        assert [admitted(one) for one in (crm, wms, stranger)] == [True, True, False]
        long = connect(made, crm)
        long.request("GET", "/healthz")
        assert long.getresponse().read() == b"ok\n"
        first = long.sock

        crl.write_bytes(revocations(ours, ours.client("crm")))
        wait_until(lambda: not admitted(crm))
        assert admitted(wms)
        long.request("GET", "/healthz")
        assert long.getresponse().read() == b"ok\n"
        assert long.sock is first

        authorities.write_bytes((theirs.folder / "ca.pem").read_bytes())
        crl.write_bytes(revocations(theirs))
        wait_until(lambda: admitted(stranger))
        assert not admitted(wms)
        long.request("GET", "/healthz")
        assert long.getresponse().read() == b"ok\n"
        long.close()


def test_revocations_without_an_authority_are_a_mistake_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "any.pem"
    with pytest.raises(SettingsError, match="no authority"):
        ServerOptions.of(Settings(tls=Tls(certificate=file, key=file, client_crl=file)))


def test_tls_that_cannot_start_is_told_before_anything_listens(tmp_path: Path, authority: trustme.CA) -> None:
    with pytest.raises(SettingsError, match="only one"):
        ServerOptions.of(Settings(tls=Tls(certificate=tmp_path / "cert.pem")))
    options = ServerOptions.of(settings(tmp_path, authority))
    with pytest.raises(SettingsError, match=r"TLS cannot start with .*cert\.pem"):
        server.run(lambda: pytest.fail("nothing should be made"), options)
