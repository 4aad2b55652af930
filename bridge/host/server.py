"""The HTTP server: uvicorn's processes, sockets and signals around our connection and our threads.

SIGTERM stops accepting, finishes what is in hand within `grace` seconds, and ends with exit status 0. With TLS (`tls.py`),
replaced files are taken up within a few seconds by new connections; nothing is restarted.
A socket that was handed over is served instead of one of our own (`platform.py`), and outlives us.
docs/http-servers.md says why it is built this way, docs/operations.md how to run it.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import structlog
import uvicorn
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from bridge.app import Bridge
from bridge.delivery import background
from bridge.delivery.background import Background
from bridge.errors import SettingsError
from bridge.host.http import Connection, Entrance, HttpLimits, Request
from bridge.host.platform import Notifier, inherited, listen
from bridge.host.pool import Pool, WsgiApplication
from bridge.host.tls import Contexts, Handshake, Tls
from bridge.ops.metrics import PATH, Metrics
from bridge.settings import Settings

log = structlog.get_logger(__name__)

CERTIFICATE_CHECK = 2.0
"""Seconds between two looks at the files of TLS."""
START = 10
"""Seconds that a process may take to answer its supervisor, which it cannot before it has imported what it needs."""
FIGURES = PATH.encode()
LEAST_GRACE = 1.0
"""Seconds for what runs beside requests, where these have used up the whole of `grace`."""
FEW = 4
"""Requests for figures that may wait for their thread: they come one at a time."""

Beside = Callable[[WsgiApplication], Sequence[Background]]
"""Gives what runs beside the requests of an application. Picklable: a function of a module."""


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
    metrics: tuple[str, int] | None = None
    """Address and port for figures alone; None has them beside the services, where `metrics.allow` lets them be seen."""

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
            connections_per_address=server.connections_per_address,
            proxies=tuple(ip_network(proxy, strict=False) for proxy in server.trusted_proxies),
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
            metrics=(settings.metrics.host, settings.metrics.port) if settings.metrics.port else None,
        )


class _Config(uvicorn.Config):
    """uvicorn's configuration with our connections. Picklable until loaded, for processes that are spawned;
    the application is made by `load`, in the process that answers. `metrics` listens already."""

    def __init__(
        self,
        make: Callable[[], WsgiApplication],
        options: ServerOptions,
        metrics: socket.socket | None = None,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(
            "bridge.host.server:run",  # never called: connections talk to `make()` themselves
            host=options.host,
            port=options.port,
            workers=options.workers,
            ws="none",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(options.grace)),
            timeout_worker_healthcheck=START,
        )
        self.make = make
        self.options = options
        self.metrics = metrics
        self.beside = beside

    def load(self) -> None:
        super().load()
        application = self.make()
        beside = self.beside(application) if self.beside is not None else ()
        self.doors = _Doors(application, self.options, self.metrics, beside)
        self.http_protocol_class = self.doors  # type: ignore[assignment]
        self.lifespan_class = _Lifespan
        self.notifier = Notifier()
        self.callback_notify = self._alive
        self.timeout_notify = self.notifier.interval or 3600  # type: ignore[assignment]

    async def _alive(self) -> None:
        """uvicorn calls this from its loop: first when it accepts connections."""
        self.notifier.alive()


class _Lifespan:
    """What uvicorn runs in its loop before it accepts connections, and after the last one is closed."""

    should_exit = False

    def __init__(self, config: _Config) -> None:
        self.doors = config.doors
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        await self.doors.open()

    async def shutdown(self) -> None:
        self.doors.close()
        await self.doors.end_beside()


@runtime_checkable
class HasFigures(Protocol):
    """An application with figures to show: `bridge.host.root.Root`. Any other is served without."""

    metrics: Metrics

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]: ...

    def figures(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]: ...


class _Doors:
    """What stands behind the sockets of one process: entrances, threads, the application.

    uvicorn calls it for each connection to the services. `metrics` is a socket for figures alone.
    """

    def __init__(
        self,
        application: WsgiApplication,
        options: ServerOptions,
        metrics: socket.socket | None,
        beside: Sequence[Background] = (),
    ) -> None:
        self.application = application
        self.beside_requests = beside
        self.grace_ends: float | None = None
        self.root = application if isinstance(application, HasFigures) else None
        self.options = options
        # uvicorn knows nothing of TLS: a connection would count only once its handshake is over.
        self.contexts = Contexts(options.tls) if options.tls is not None else None
        self.socket = metrics
        self.beside = ServerState()
        self.server: asyncio.Server | None = None

    async def open(self) -> None:
        """Starts the threads, and what else runs beside requests."""
        background.start(self.beside_requests)
        options = self.options
        if self.contexts is not None:
            self.renewal = asyncio.create_task(self.contexts.renew(CERTIFICATE_CHECK))
        self.pools: list[Pool] = []
        self.pool = self._threads(self.application, options.threads, options.waiting)
        self.entrance = Entrance(limits=options.limits, dispatcher=self)
        self.figures: Pool | None = None
        if self.root is None:
            return
        # Figures are wanted most when all threads are busy, so they have one of their own.
        if self.socket is None:
            self.figures = self._threads(self.root, 1, FEW)
        else:
            pool = self._threads(self.root.figures, 1, FEW)
            entrance = Entrance(limits=replace(options.limits, connections=4 * FEW), dispatcher=pool)
            self.server = await asyncio.get_running_loop().create_server(
                lambda: Connection(entrance, self.beside), sock=self.socket
            )
        self.root.metrics.meter.sources.append(self._state)
        if options.workers > 1:
            self._publish(self.root.metrics)

    def close(self) -> None:
        for pool in self.pools:
            pool.stop()
        if self.server is not None:
            self.server.close()
            for connection in list(self.beside.connections):
                connection.shutdown()

    def begin_stop(self) -> None:
        """The last requests are being answered: nothing new begins beside them, and all has one grace to end in."""
        self.entrance.stopping = True
        self.grace_ends = time.monotonic() + self.options.grace
        for one in self.beside_requests:
            one.rest()

    async def end_beside(self) -> None:
        """After the last request: waits for what was begun beside them."""
        if self.beside_requests:
            left = (self.grace_ends or 0.0) - time.monotonic()
            await asyncio.to_thread(background.stop, self.beside_requests, max(LEAST_GRACE, left))

    def submit(self, request: Request) -> bool:
        pool = self.pool
        if self.figures is not None and request.url.startswith(FIGURES):
            pool = self.figures
        return pool.submit(request)

    def __call__(
        self, *, config: Any, server_state: Any, app_state: Any, _loop: Any = None
    ) -> asyncio.Protocol:
        make = partial(Connection, self.entrance, server_state)
        return make() if self.contexts is None else Handshake(self.entrance, self.contexts, make)

    def _threads(self, application: WsgiApplication, threads: int, waiting: int) -> Pool:
        pool = Pool(application, threads=threads, waiting=waiting, stuck_after=self.options.stuck_after)
        self.pools.append(pool)
        return pool

    def _state(self) -> dict[str, int]:
        """How this process stands, by the names of `bridge.ops.meter.FIGURES`."""
        pool, entrance = self.pool, self.entrance
        waiting = len(pool.requests)
        return {
            "in_flight": max(0, pool.unanswered - waiting),
            "waiting": waiting,
            "connections": entrance.open,
            "held_bytes": entrance.held_bytes,
            "threads_replaced": pool.started - pool.threads,
            **{f"refused_{status}": count for status, count in entrance.refused.copy().items()},
        }

    def _publish(self, metrics: Metrics) -> None:
        """Once a second, for the other processes: any of them may be asked for the figures of all."""
        metrics.meter.publish()
        asyncio.get_running_loop().call_later(1.0, self._publish, metrics)


class _Server(uvicorn.Server):
    """uvicorn's server, ending with status 0 after a graceful stop."""

    ready: Callable[[int], None] | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.ready is not None:
            self.ready(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: Any = None) -> None:
        config: Any = self.config
        config.notifier.stopping()
        config.doors.begin_stop()
        await super().shutdown(sockets=sockets)
        self._captured_signals.clear()  # else uvicorn raises them again, and we end by the signal


def serve(
    make: Callable[[], Bridge],
    settings: Settings,
    *,
    ready: Callable[[int], None] | None = None,
    delivers: bool = False,
) -> None:
    """Serves a bridge as its settings say, until SIGTERM or SIGINT; in the main thread.

    Args:
        make: gives the bridge with its handlers bound; called in each process that answers. With `server.workers` > 1
            it must be picklable: a function of a module, or functools.partial of one.
        settings: section `server` and the limits.
        ready: called with the port once connections are accepted (with one process only).
        delivers: each process that answers delivers to partners as well (`Bridge.background`): from before its first
            request until after its last.

    Raises:
        SettingsError: the address cannot be listened on, TLS cannot start, or several processes on SQLite.
    """
    if settings.server.workers > 1 and settings.store_url.startswith("sqlite"):
        raise SettingsError(
            f"{settings.server.workers} processes cannot share an SQLite file.",
            advice="Use PostgreSQL (`store.url`), or one process with more threads (`server.threads`).",
        )
    options = ServerOptions.of(settings)
    beside = _beside if delivers else None
    if options.workers == 1:
        run(partial(_application, make, None), options, ready=ready, beside=beside)
        return
    with tempfile.TemporaryDirectory(prefix="soapbridge-figures-") as folder:
        run(partial(_application, make, Path(folder)), options, beside=beside)


def _beside(application: WsgiApplication) -> Sequence[Background]:
    from bridge.host.root import Root

    assert isinstance(application, Root)
    return application.bridge.background()


def _application(make: Callable[[], Bridge], figures: Path | None) -> WsgiApplication:
    # Spyne takes its time, and a new process is to answer its supervisor before.
    from bridge.host.root import Root

    return Root(make(), figures=figures)


def run(
    make: Callable[[], WsgiApplication],
    options: ServerOptions,
    *,
    ready: Callable[[int], None] | None = None,
    beside: Beside | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, in the main thread.

    Args:
        make: gives the application; called in each process that answers. With `workers` > 1 it must be picklable
            (a function of a module, or functools.partial of one).
        options: how to listen; port 0 takes any free one. A socket that was handed over (LISTEN_FDS) comes first.
        ready: called with the port once connections are accepted (`workers` = 1 only).
        beside: gives what runs beside requests in each of these processes; picklable as `make` is.

    Raises:
        SettingsError: the address cannot be listened on, or TLS cannot start.
    """
    if options.tls is not None:
        options.tls.context()  # fails here, not in each process
    handed = inherited()
    config = _Config(make, options, _metrics_socket(options), beside)
    try:
        if options.workers > 1:
            Multiprocess(config, sockets=handed or [config.bind_socket()]).run()
        else:
            server = _Server(config)
            server.ready = ready
            server.run(handed or None)
    except SystemExit as stop:
        if stop.code:
            raise SettingsError(
                f"Cannot listen on {options.host}:{options.port}.",
                advice="Is another server running there? Choose another --port.",
            ) from None


def _metrics_socket(options: ServerOptions) -> socket.socket | None:
    if options.metrics is None:
        return None
    host, port = options.metrics
    try:
        return listen(host, port)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}:{port} for figures: {error.strerror or error}.",
            advice="Choose another `metrics.port`, or leave it out.",
        ) from None
