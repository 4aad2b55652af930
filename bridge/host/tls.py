"""TLS at the bridge itself: what is spoken, files that are replaced while running, connections until they are secure.

TLS 1.2 and 1.3; of 1.2 only what is forward secret and authenticated (ECDHE with AES-GCM or ChaCha20). No compression, no
renegotiation. A replaced file (certificate, key, authorities, revocations) makes a new context for the connections from then on;
what is open goes on with its own, and a session of the old one is not resumed by the new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from bridge.errors import SettingsError
from bridge.host.http import LINGER, Connection, Entrance
from bridge.settings import Tls as TlsSettings

log = structlog.get_logger(__name__)

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; all that 1.3 has are of this kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """`certificate` and `key` are PEM files; with `client_ca`, clients must show a certificate signed by it
    (optional=True: may), which the application finds as SSL_CLIENT_CERT in its environ, and which `client_crl`, where it is
    given, must not name."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_crl: Path | None = None
    optional: bool = False

    @classmethod
    def of(cls, settings: TlsSettings) -> Tls | None:
        """None when no certificate is set. Raises SettingsError when only one of the two files is."""
        if settings.certificate is None and settings.key is None:
            return None
        if settings.certificate is None or settings.key is None:
            raise SettingsError(
                "TLS needs a certificate and its key, and only one of them is set.",
                advice="Set both tls.certificate and tls.key.",
            )
        if settings.client_crl is not None and settings.client_ca is None:
            raise SettingsError(
                "Revoked certificates are set, and no authority that clients' certificates come from.",
                advice="Set tls.client_ca too, or leave tls.client_crl out.",
            )
        return cls(
            certificate=settings.certificate,
            key=settings.key,
            client_ca=settings.client_ca,
            client_crl=settings.client_crl,
            optional=settings.client_certificate == "optional",
        )

    def context(self) -> ssl.SSLContext:
        """Raises SettingsError when a file is missing or does not fit the others."""
        try:
            return self._context()
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"TLS cannot start with {', '.join(map(str, self._files()))}: {error}.",
                advice="Give a PEM certificate with its chain, and its unencrypted key.",
            ) from None

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL if self.optional else ssl.CERT_REQUIRED
        if self.client_crl is not None:
            context.load_verify_locations(self.client_crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    def _files(self) -> list[Path]:
        every = (self.certificate, self.key, self.client_ca, self.client_crl)
        return [file for file in every if file is not None]

    def version(self) -> tuple[int, ...]:
        """Changes whenever one of the files was replaced. Raises OSError."""
        return tuple(file.stat().st_mtime_ns for file in self._files())


class Contexts:
    """The context that connections begin with. Raises SettingsError as `Tls.context` does."""

    def __init__(self, tls: Tls) -> None:
        self.tls = tls
        self.current = tls.context()

    async def renew(self, every: float) -> None:
        """Takes up replaced files, looking at them every so many seconds. Ends when it is cancelled."""
        loaded = self.tls.version()
        told = ""
        while True:
            await asyncio.sleep(every)
            try:
                version = self.tls.version()
                if version != loaded:
                    self.current = self.tls.context()
                    loaded, told = version, ""
                    log.info("certificate renewed", file=str(self.tls.certificate))
            except (
                OSError,
                SettingsError,
            ) as error:  # half written, or certificate and key of two generations
                if str(error) != told:
                    log.warning(
                        "certificate not renewed yet", file=str(self.tls.certificate), reason=str(error)
                    )
                told = str(error)


class Handshake(asyncio.Protocol):
    """A connection until TLS stands; then the one that `make` gives goes on with it.

    It counts from its first packet on, and has `header_timeout` for the handshake: else those who never end one would be
    bounded by nothing. One too many is closed without a word, which would need the handshake first.
    """

    def __init__(self, entrance: Entrance, contexts: Contexts, make: Callable[[], Connection]) -> None:
        self.entrance = entrance
        self.contexts = contexts
        self.make = make
        self.received: list[bytes] = []
        """What came before the handshake was begun; then what came right behind it, before `make` was asked."""
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        place = self.entrance.place(transport.get_extra_info("peername"))
        if self.entrance.enter(place) is not None:
            self.entrance.refused[503] += 1
            transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(transport, place))
        self.entrance.handshakes.add(task)
        task.add_done_callback(self.entrance.handshakes.discard)

    async def _serve(self, transport: Any, place: str) -> None:
        connection: Connection | None = None
        try:
            secure = await self._shake_hands(transport)
            if not self.lost:
                connection = self.make()
                connection.place = place
        except OSError as error:  # ssl.SSLError is one; so is a client that went away, or took too long
            log.debug("no TLS", reason=str(error))
            transport.abort()
        finally:
            if connection is None:
                self.entrance.leave(place)
        if connection is not None:
            secure.set_protocol(connection)
            connection.connection_made(secure)
            for data in self.received:
                connection.data_received(data)

    async def _shake_hands(self, transport: Any) -> Any:
        """The transport of what is secure. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.lost or transport.is_closing():
            raise ConnectionResetError("gone before the handshake")
        transport.pause_reading()
        beginning = loop.create_task(
            loop.start_tls(
                transport,
                self,
                self.contexts.current,
                server_side=True,
                ssl_handshake_timeout=self.entrance.limits.header_timeout,
                ssl_shutdown_timeout=LINGER,
            )
        )
        await asyncio.sleep(0)  # it has set its protocol, and in the next turn will call its connection_made
        hello, self.received = self.received, []
        if hello:
            loop.call_soon(_feed, transport.get_protocol(), b"".join(hello))
        return await beginning

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """What came before TLS was listening, as if it came now."""
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
