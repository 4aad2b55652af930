"""The threads that answer: whole requests in from the event loop, replies out to it.

One thread answers as long as it keeps up. Another joins when the one waits for something (a disk, a partner), which its
own CPU clock tells, or has worked on one message for long, so that libxml2's share is worth a core. Threads that are awake together hand the interpreter lock to each other at every
call of libxml2, which works without it: with small messages that cost a third of the CPU, measured, and gained nothing.

A thread that has been busy with one request for `stuck_after` seconds is written off: another takes its place, and
it ends when (if) its request is done; that reply still goes out. Nothing can interrupt libxml2 or a database driver
in a thread, so replacing it is all there is.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from bridge.host.http import Headers, Request

log = logging.getLogger(__name__)

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

Reply = tuple[Request, int, Headers, bytes]

WAITING = 0.001
"""Seconds after which a thread that has used less than `SHARE` of them as CPU counts as waiting, and another is woken."""
SHARE = 0.2
LOOK = 0.005
"""Seconds between two looks while requests wait and none arrives; an arrival looks by itself."""
WORKING = 0.010
"""Seconds after which another is woken in any case."""

ENVIRON: dict[str, Any] = {
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "0",
    "SERVER_SOFTWARE": "soapbridge",
}


class _Start:
    """`start_response` of one request: keeps what it was given until the body is whole."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = []

    def __call__(self, status: str, headers: Headers, exc_info: object = None) -> None:
        self.status = int(status[:3])
        self.headers = headers


class _Worker(threading.Thread):
    """One thread. `since` is when its present request began (monotonic), 0.0 while it waits for one."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"soapbridge-{number}", daemon=True)
        self.pool = pool
        self.since = 0.0
        self.written_off = False
        self._clock: int | None = None
        self._bell = threading.Semaphore(0)

    def run(self) -> None:
        if hasattr(time, "pthread_getcpuclockid"):
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        while (request := self._next()) is not None:
            self.since = time.monotonic()
            self.pool.finish(self.pool.answer(request))
            self.since = 0.0

    def wake(self) -> None:
        self._bell.release()

    def used(self) -> float:
        """Seconds of CPU this thread has used; 0.0 where that cannot be told."""
        try:
            return time.clock_gettime(self._clock) if self._clock is not None else 0.0
        except OSError:  # the thread has ended
            return 0.0

    def _next(self) -> Request | None:
        while not self.written_off:
            request = self.pool.take(self)
            if request is not None or self.pool.stopping:
                return request
            self._bell.acquire()
        return None


class Pool:
    """`threads` workers in front of a WSGI application.

    `waiting` requests may queue; one more gets 503, because a queue longer than that is answered too late anyway.
    """

    def __init__(
        self, application: WsgiApplication, *, threads: int = 8, waiting: int = 256, stuck_after: float = 30.0
    ) -> None:
        self.application = application
        self.loop = asyncio.get_running_loop()
        self.lock = threading.Lock()
        """Over the next four, and `workers`."""
        self.requests: deque[Request] = deque()
        self.idle: list[_Worker] = []
        self.taken = 0.0
        """When a request was last taken, or a thread woken to take one (monotonic),"""
        self.taker: _Worker | None = None
        """and which thread it was,"""
        self.used = 0.0
        """and the CPU time it had used by then."""
        self.stopping = False
        self.looking = False
        self.threads = threads
        self.waiting = waiting
        self.stuck_after = stuck_after
        self.replies: deque[Reply] = deque()
        self.waking = False
        self.unanswered = 0
        """Requests taken and not yet replied to, those of threads that were written off included."""
        self.workers: list[_Worker] = []
        self.started = 0
        for _ in range(threads):
            self._start_worker()
        self.loop.call_later(1.0, self._watch)

    def submit(self, request: Request) -> bool:
        """Queues a request; False when too many wait. In the loop's thread."""
        if self.unanswered >= self.started + self.waiting:
            return False
        self.unanswered += 1
        with self.lock:
            self.requests.append(request)
            wanted = len(self.idle) == len(self.workers) or self._is_held_up()
            helper = self._helper() if wanted else None
            # A thread that is woken takes the oldest request, which need not be this one.
            look_again = bool(self.idle) and (helper is None or len(self.requests) > 1)
        if helper is not None:
            helper.wake()
        if look_again and not self.looking:
            self.looking = True
            self.loop.call_later(LOOK, self._look)
        return True

    def _helper(self) -> _Worker | None:
        """The thread to wake: the one that slept last, whose memory is still warm. Under the lock."""
        if not self.idle:
            return None
        helper = self.idle.pop()
        self._note(helper)
        return helper

    def _note(self, worker: _Worker) -> None:
        self.taken, self.taker, self.used = time.monotonic(), worker, worker.used()

    def _is_held_up(self) -> bool:
        """Whether nobody has taken a request for a while, and the thread that took the last one is no reason to wait."""
        since = time.monotonic() - self.taken
        if since < WAITING or self.taker is None:
            return False
        return since >= WORKING or self.taker.used() - self.used < since * SHARE

    def take(self, worker: _Worker) -> Request | None:
        """The next request; None where there is none, and the worker is to sleep until it is woken."""
        with self.lock:
            if self.requests:
                self._note(worker)
                return self.requests.popleft()
            self.idle.append(worker)
            return None

    def _look(self) -> None:
        """Whether requests are being taken; if none was for a while, one more thread is woken."""
        self.looking = False
        with self.lock:
            if not self.requests or not self.idle:
                return
            helper = self._helper() if self._is_held_up() else None
        if helper is not None:
            helper.wake()
        self.looking = True
        self.loop.call_later(LOOK, self._look)

    def stop(self) -> None:
        """Lets the threads end, each after what it is doing and what still waits."""
        with self.lock:
            self.stopping = True
            idle, self.idle = self.idle, []
        for worker in idle:
            worker.wake()

    def answer(self, request: Request) -> Reply:
        """Runs the application, in a worker. Whatever it raises becomes a 500 without details."""
        start = _Start()
        try:
            environ = ENVIRON | request.environ()
            environ["wsgi.input"] = io.BytesIO(request.body)
            environ.setdefault("CONTENT_LENGTH", str(len(request.body)))
            result = self.application(environ, start)
            body = result[0] if isinstance(result, list) and len(result) == 1 else b"".join(result)
            if not isinstance(result, list) and hasattr(result, "close"):
                result.close()
        except BaseException:  # the last line: a worker must outlive any request
            log.exception("the application failed on %s", request.method)
            return request, 500, [("Content-Type", "text/plain; charset=utf-8")], b"Internal error.\n"
        headers = start.headers
        if request.method != b"HEAD":
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        return request, start.status, headers, body

    def finish(self, reply: Reply) -> None:
        """Hands a reply to the loop. One wake-up serves all replies that are ready by then."""
        self.replies.append(reply)
        if not self.waking:
            self.waking = True
            try:
                self.loop.call_soon_threadsafe(self._send)
            except RuntimeError:  # the loop has closed: the grace was over before this reply was ready
                log.warning("a reply was ready after the server had stopped")

    def _send(self) -> None:
        self.waking = False  # before the replies are taken: one that comes later wakes us again
        while self.replies:
            request, status, headers, body = self.replies.popleft()
            self.unanswered -= 1
            request.connection.reply(request, status, headers, body)

    def _start_worker(self) -> None:
        self.started += 1
        worker = _Worker(self, self.started)
        with self.lock:
            self.workers.append(worker)
        worker.start()

    def _watch(self) -> None:
        """Once a second: replaces workers that are stuck, up to four times as many as there should be."""
        overdue = time.monotonic() - self.stuck_after
        for worker in list(self.workers):
            if worker.since and worker.since < overdue and self.started < self.threads * 4:
                log.error("a request has run for %g s; its thread is replaced", self.stuck_after)
                worker.written_off = True
                with self.lock:
                    self.workers.remove(worker)
                self._start_worker()
        self.loop.call_later(1.0, self._watch)
