"""The HTTP server: uvicorn's processes, sockets and signals around our connection and our threads.

SIGTERM stops accepting, finishes what is in hand within `grace` seconds, and ends with exit status 0. With TLS, a
new certificate in the same files is taken up within a few seconds by new connections; nothing is restarted.
docs/http-servers.md says why it is built this way.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess

from bridge.app import Bridge
from bridge.errors import SettingsError
from bridge.host.http import Connection, Entrance, HttpLimits
from bridge.host.pool import Pool, WsgiApplication
from bridge.settings import Settings
from bridge.settings import Tls as TlsSettings

log = structlog.get_logger(__name__)

CERTIFICATE_CHECK = 2.0
"""Seconds between two looks at the certificate's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """`certificate` and `key` are PEM files; with `client_ca`, clients must show a certificate signed by it
    (optional=True: may), which the application finds as SSL_CLIENT_CERT in its environ."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
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
        return cls(
            certificate=settings.certificate,
            key=settings.key,
            client_ca=settings.client_ca,
            optional=settings.client_certificate == "optional",
        )

    def context(self) -> ssl.SSLContext:
        """Raises SettingsError when a file is missing or does not fit the others."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            self.load(context)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_OPTIONAL if self.optional else ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"TLS cannot start with {self.certificate}, {self.key}: {error}.",
                advice="Give a PEM certificate with its chain, and its unencrypted key.",
            ) from None
        return context

    def load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.certificate, self.key)

    def version(self) -> tuple[int, ...]:
        """Changes whenever one of the files was replaced."""
        return tuple(path.stat().st_mtime_ns for path in (self.certificate, self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to listen. `grace` and `stuck_after` in seconds; `threads` and `waiting` (requests) per process."""

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 8
    waiting: int = 256
    stuck_after: float = 30.0
    workers: int = 1
    grace: float = 30.0
    limits: HttpLimits = field(default_factory=HttpLimits)
    tls: Tls | None = None

    @classmethod
    def of(cls, settings: Settings) -> ServerOptions:
        server = settings.server
        limits = HttpLimits(
            header_bytes=server.max_header_bytes,
            headers=server.max_headers,
            body_bytes=settings.limits.max_bytes,
            held_bytes=16 * settings.limits.max_bytes,
            header_timeout=server.header_timeout,
            body_timeout=server.body_timeout,
            idle_timeout=server.idle_timeout,
            write_timeout=server.write_timeout,
            connections=server.connections,
        )
        return cls(
            host=server.host,
            port=server.port,
            threads=server.threads,
            waiting=server.waiting,
            stuck_after=server.stuck_after,
            workers=server.workers,
            grace=server.grace,
            limits=limits,
            tls=Tls.of(settings.tls),
        )


class _Config(uvicorn.Config):
    """uvicorn's configuration with our connections. Picklable until loaded, for processes that are spawned;
    the application is made by `load`, in the process that answers."""

    def __init__(self, make: Callable[[], WsgiApplication], options: ServerOptions) -> None:
        super().__init__(
            "bridge.host.server:run",  # never called: connections talk to `make()` themselves
            host=options.host,
            port=options.port,
            workers=options.workers,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(options.grace)),
        )
        self.make = make
        self.options = options

    def load(self) -> None:
        super().load()
        self.http_protocol_class = _Protocols(self.make(), self.options)  # type: ignore[assignment]
        self.ssl = self.options.tls.context() if self.options.tls else None


class _Protocols:
    """What uvicorn calls for each connection: makes ours, and with the first one the pool."""

    def __init__(self, application: WsgiApplication, options: ServerOptions) -> None:
        self.application = application
        self.options = options
        self.entrance: Entrance | None = None
        self.pool: Pool | None = None

    def __call__(self, *, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> Connection:
        if self.entrance is None:
            if self.options.tls is not None:
                self.renewal = asyncio.create_task(_renew_certificate(self.options.tls, config.ssl))
            self.pool = Pool(
                self.application,
                threads=self.options.threads,
                waiting=self.options.waiting,
                stuck_after=self.options.stuck_after,
            )
            self.entrance = Entrance(limits=self.options.limits, dispatcher=self.pool)
        return Connection(self.entrance, server_state)


async def _renew_certificate(tls: Tls, context: ssl.SSLContext) -> None:
    """Takes up replaced files: connections made from then on see the new certificate."""
    loaded = tls.version()
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK)
        try:
            version = tls.version()
            if version != loaded:
                tls.load(
                    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                )  # a trial, so that the one in use stays whole
                tls.load(context)
                loaded = version
                log.info("certificate renewed", file=str(tls.certificate))
        except (OSError, ssl.SSLError) as error:  # half written, or certificate and key of two generations
            log.warning("certificate not renewed yet", file=str(tls.certificate), reason=str(error))


class _Server(uvicorn.Server):
    """uvicorn's server, ending with status 0 after a graceful stop."""

    ready: Callable[[int], None] | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.ready is not None:
            self.ready(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: Any = None) -> None:
        await super().shutdown(sockets=sockets)
        protocols: Any = self.config.http_protocol_class
        if isinstance(protocols, _Protocols) and protocols.pool is not None:
            protocols.pool.stop()
        self._captured_signals.clear()  # else uvicorn raises them again, and we end by the signal


def serve(
    make: Callable[[], Bridge], settings: Settings, *, ready: Callable[[int], None] | None = None
) -> None:
    """Serves a bridge as its settings say, until SIGTERM or SIGINT; in the main thread.

    Args:
        make: gives the bridge with its handlers bound; called in each process that answers. With `server.workers` > 1
            it must be picklable: a function of a module, or functools.partial of one.
        settings: section `server` and the limits.
        ready: called with the port once connections are accepted (with one process only).

    Raises:
        SettingsError: the address cannot be listened on, TLS cannot start, or several processes on SQLite.
    """
    if settings.server.workers > 1 and settings.store_url.startswith("sqlite"):
        raise SettingsError(
            f"{settings.server.workers} processes cannot share an SQLite file.",
            advice="Use PostgreSQL (`store.url`), or one process with more threads (`server.threads`).",
        )
    run(partial(_application, make), ServerOptions.of(settings), ready=ready)


def _application(make: Callable[[], Bridge]) -> WsgiApplication:
    return make().wsgi()


def run(
    make: Callable[[], WsgiApplication],
    options: ServerOptions,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, in the main thread.

    Args:
        make: gives the application; called in each process that answers. With `workers` > 1 it must be picklable
            (a function of a module, or functools.partial of one).
        options: how to listen; port 0 takes any free one.
        ready: called with the port once connections are accepted (`workers` = 1 only).

    Raises:
        SettingsError: the address cannot be listened on, or TLS cannot start.
    """
    if options.tls is not None:
        options.tls.context()  # fails here, not in each process
    config = _Config(make, options)
    try:
        if options.workers > 1:
            Multiprocess(config, sockets=[config.bind_socket()]).run()
        else:
            server = _Server(config)
            server.ready = ready
            server.run()
    except SystemExit as stop:
        if stop.code:
            raise SettingsError(
                f"Cannot listen on {options.host}:{options.port}.",
                advice="Is another server running there? Choose another --port.",
            ) from None
