"""The mock's socket: requests in by the connections of the real host, answers out in whatever manner was asked for.

The host's `Connection` reads requests, within its limits; a few threads run the stages; the event loop waits, drips,
repeats and cuts. So an answer that is late, slow or never comes holds a connection and no thread. The loop has a
thread of its own, and `close` ends it at once, whatever is still unanswered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog

from bridge.errors import SettingsError
from bridge.host.http import STATUS_LINES, WITHOUT_BODY, Connection, Entrance, HttpLimits, Request
from bridge.mock.service import Outcome

log = structlog.get_logger(__name__)

THREADS = 8
WAITING = 1_000
"""Requests that may be on their way through the stages; one more gets 503."""
STUCK_AFTER = 30.0
"""Seconds after which a request that the stages have not answered (an XPath that does not end) gets 500."""
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _State:
    """What connections expect uvicorn to keep for them."""

    connections: set[Any] = field(default_factory=set)
    total_requests: int = 0
    default_headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class _Connection(Connection):
    """The host's connection; one that will not be answered closes when its client has gone."""

    abandoned = False
    client_gone = False

    def __init__(self, entrance: Entrance, state: _State, stop: asyncio.Event) -> None:
        super().__init__(entrance, state)
        self._stop = stop

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._stop.is_set():
            transport.abort()

    def eof_received(self) -> bool:
        self.client_gone = True
        return not self.abandoned and super().eof_received()

    def abandon(self) -> None:
        """Nothing will be answered any more."""
        self.abandoned = True
        if self.client_gone:
            self.transport.close()


class Server:
    """Listens from `start` to `close`. Port 0 takes any free one; `port` is the real one once it listens.

    Args:
        answer: gives the outcome of a request, in one of the threads; raises nothing.
    """

    def __init__(
        self, answer: Callable[[Request], Outcome], *, host: str, port: int, limits: HttpLimits
    ) -> None:
        self.host = host
        self.port = port
        self._answer = answer
        self._limits = limits
        self._thread: threading.Thread | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="soapbridge-mock")
        self._listening: Future[int] = Future()
        self._unanswered = 0
        self._stuck = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Returns once requests are accepted.

        Raises:
            SettingsError: the address cannot be listened on.
        """
        self._thread = threading.Thread(target=self._run, name="soapbridge-mock-loop", daemon=True)
        self._thread.start()
        try:
            self.port = self._listening.result()
        except OSError as error:
            self.close()
            raise SettingsError(
                f"Cannot listen on {self.host}:{self.port}: {error.strerror or error}.",
                advice="Is another server running there? Choose another port; 0 takes any free one.",
            ) from None

    def close(self) -> None:
        """Stops listening, cuts every connection and ends the threads. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
        # A thread that is stuck in an XPath cannot be ended; whoever closes must not wait for it.
        self._threads.shutdown(wait=not self._stuck, cancel_futures=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        state = _State()
        entrance = Entrance(limits=self._limits, dispatcher=self)
        try:
            listener = await self._loop.create_server(
                lambda: _Connection(entrance, state, self._stop), self.host, self.port
            )
        except (OSError, OverflowError) as error:  # OverflowError: no port has that number
            self._listening.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
            return
        self._listening.set_result(listener.sockets[0].getsockname()[1])
        await self._stop.wait()
        # Connections on their way must be made before the listener closes, else asyncio loses them, open: so nothing is
        # accepted any more, and what was accepted comes to an end by itself, in `connection_made`.
        for one in listener.sockets:
            self._loop.remove_reader(one.fileno())
        for task in self._tasks:
            task.cancel()
        for connection in list(entrance.connections):
            connection.transport.abort()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        if entrance.sweeper is not None:
            entrance.sweeper.cancel()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn
        listener.close()
        await listener.wait_closed()

    # bridge.host.http.Dispatcher

    def submit(self, request: Request) -> bool:
        """Takes a whole request off its connection. In the loop's thread."""
        if self._unanswered >= WAITING:
            return False
        task = self._loop.create_task(self._handle(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _handle(self, request: Request) -> None:
        outcome = await self._outcome(request)
        how = outcome.how
        if how.times_out:
            _connection(request).abandon()
            return
        if how.delay:
            await asyncio.sleep(how.delay)
        if request.connection.closing:
            return
        if how.drop:
            await self._cut(request, outcome)
        elif how.bytes_per_second:
            await self._drip(request, outcome)
        else:
            if how.duplicate == "reply":
                request.connection.transport.write(_reply(request, outcome))
            request.connection.reply(request, outcome.status, outcome.headers, outcome.body)

    async def _outcome(self, request: Request) -> Outcome:
        self._unanswered += 1
        working = self._loop.run_in_executor(self._threads, self._answer, request)
        try:
            done, _ = await asyncio.wait({working}, timeout=STUCK_AFTER)
        finally:
            self._unanswered -= 1
        if done:
            return working.result()
        self._stuck += 1
        working.add_done_callback(self._unstuck)
        log.error(
            "a request was not answered in time; is there an XPath that does not end?", seconds=STUCK_AFTER
        )
        text = f"The mock did not come to an end within {STUCK_AFTER:g} s.\n".encode()
        return Outcome(status=500, headers=[("Content-Type", "text/plain; charset=utf-8")], body=text)

    def _unstuck(self, _: object) -> None:
        self._stuck -= 1

    # Manners

    async def _cut(self, request: Request, outcome: Outcome) -> None:
        """Nothing, by a reset; or half a reply, then the end of the connection."""
        connection = request.connection
        transport = connection.transport
        if outcome.how.drop == "mid-reply":
            whole = _reply(request, outcome)
            body = len(outcome.body)
            # Half of the body; of a reply without one, half of its headers.
            transport.write(whole[: len(whole) - (body - body // 2 if body else len(whole) // 2)])
            transport.close()
            return
        plain: socket.socket = transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()

    async def _drip(self, request: Request, outcome: Outcome) -> None:
        """The headers at once, the body piece by piece, at most ten pieces a second; then the connection closes."""
        connection, speed = request.connection, outcome.how.bytes_per_second
        whole = _reply(request, outcome, close=True)
        head = len(whole) - len(outcome.body)
        piece = max(1, round(speed / 10))
        connection.transport.write(whole[:head])
        for at in range(head, len(whole), piece):
            await asyncio.sleep(piece / speed)
            if connection.closing:
                return
            connection.transport.write(whole[at : at + piece])
        connection.transport.close()


def _connection(request: Request) -> _Connection:
    connection = request.connection
    assert isinstance(connection, _Connection)
    return connection


def _reply(request: Request, outcome: Outcome, *, close: bool = False) -> bytes:
    """The whole reply as bytes, for what the connection itself would never do."""
    head = STATUS_LINES.get(outcome.status) or f"HTTP/1.1 {outcome.status} \r\n".encode()
    lines = [f"{name}: {value}\r\n" for name, value in outcome.headers]
    if outcome.status not in WITHOUT_BODY:
        lines.append(f"Content-Length: {len(outcome.body)}\r\n")
    if close:
        lines.append("Connection: close\r\n")
    return head + f"{''.join(lines)}\r\n".encode("latin-1", "replace") + outcome.body
