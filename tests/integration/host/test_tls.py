"""TLS at the bridge itself: who calls is shown to the application, and a new certificate is taken up while running."""

from __future__ import annotations

import dataclasses
import http.client
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from bridge.access import directory
from bridge.errors import SettingsError
from bridge.host import server
from bridge.host.server import ServerOptions
from bridge.settings import Caller, Role, Settings, Tls
from tests.integration.host.conftest import TYPES, Running, echo, running


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


def test_tls_that_cannot_start_is_told_before_anything_listens(tmp_path: Path, authority: trustme.CA) -> None:
    with pytest.raises(SettingsError, match="only one"):
        ServerOptions.of(Settings(tls=Tls(certificate=tmp_path / "cert.pem")))
    options = ServerOptions.of(settings(tmp_path, authority))
    with pytest.raises(SettingsError, match=r"TLS cannot start with .*cert\.pem"):
        server.run(lambda: pytest.fail("nothing should be made"), options)
