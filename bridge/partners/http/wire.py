"""HTTP towards a partner: one request, one answer, within limits, never twice.

No redirect is followed, nothing is repeated, no proxy or password is taken from the environment. What stops an exchange
becomes the outcome it means, by one fact above all: whether any byte of the request had been written.
"""

from __future__ import annotations

import email.utils
import http.client
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from bridge.errors import InDoubt, NotSent, PartnerError, Refusal, Unauthorised
from bridge.partners.http.connection import Connection, DeadlinePassed, Endpoint, Watch
from bridge.partners.http.response import Headers, Response
from bridge.soap.limits import Limits
from bridge.soap.media import BodyDecoder

_PIECE = 64 * 1024
_CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN", "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_ACCESS_DENIED",
)  # fmt: skip
"""What TLS says when it is our certificate that is not wanted; under TLS 1.3 that comes after the request was written,
and before any of it was given to an application."""


@dataclass(frozen=True, slots=True)
class Times:
    """Time limits, in seconds: for connecting, for each wait after that, for the whole call."""

    connect: float
    read: float
    deadline: float


@dataclass(slots=True)
class Answer:
    """An HTTP answer, whole; `content` is what its Content-Encoding held. The names are those that zeep asks for."""

    status_code: int
    headers: Headers
    content: bytes
    encoding: str | None = None


class Wire:
    """The connections to one endpoint. Safe to use from several threads; each request has a connection for itself."""

    def __init__(self, endpoint: Endpoint, *, max_bytes: int, max_ratio: int, keep: int = 16) -> None:
        self._endpoint = endpoint
        self._limits = Limits(max_bytes=max_bytes, max_compressed_ratio=max_ratio)
        self._keep = keep
        self._idle: deque[Connection] = deque()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes what is idle. A later request opens connections anew."""
        with self._lock:
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        self.close()

    def exchange(self, head: bytes, body: bytes, times: Times) -> Answer:
        """Sends a request, and reads its answer to the end.

        `head` is the request line with all its headers and the empty line; it asks for `keep-alive` or not. An answer to HEAD has no
        body and would be waited for: none is sent.

        Raises:
            NotSent: nothing was written.
            Unauthorised: our certificate was refused.
            InDoubt: something was written, and no whole answer came within the limits.
        """
        request = head + body
        deadline = time.monotonic() + times.deadline
        watch = Watch(deadline, times.read)
        connection = self._idle_connection()
        if connection is not None:
            connection.begin(watch)
            try:
                connection.send(request)
            except OSError as error:
                if connection.written:
                    return self._after_writing(connection, request, error, times)
                connection.close()  # nothing was written: another connection is no repeat
            else:
                return self._answer(connection, times)
        connection = self._connect(deadline, times)
        connection.begin(watch)
        try:
            connection.send(request)
        except OSError as error:
            if not connection.written:
                said = connection.last_word() if self._endpoint.context else None
                connection.close()
                if isinstance(said, ssl.SSLError) and _refuses_us(said):
                    raise _certificate_refused() from said
                raise _not_sent(self._endpoint, error, times, deadline) from error
            return self._after_writing(connection, request, error, times)
        return self._answer(connection, times)

    def _idle_connection(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.is_fresh:
                return connection
            connection.close()

    def _connect(self, deadline: float, times: Times) -> Connection:
        until = min(deadline, time.monotonic() + times.connect)
        try:
            return Connection(self._endpoint, Watch(until, times.connect))
        except ssl.SSLError as error:
            if _refuses_us(error):
                raise _certificate_refused() from error
            raise _not_sent(self._endpoint, error, times, deadline) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that DNS cannot spell
            raise _not_sent(self._endpoint, error, times, deadline) from error

    def _after_writing(self, connection: Connection, request: bytes, error: OSError, times: Times) -> Answer:
        """The request could not be written to its end. A partner that refuses early (413) may have answered all the same."""
        if not isinstance(error, TimeoutError):
            try:
                return self._answer(connection, times)
            except PartnerError:
                pass
        connection.close()
        said = _said(error, times)
        raise InDoubt(
            f"{connection.written} of {len(request)} bytes were written, then {said}.", advice=IN_DOUBT
        ) from error

    def _answer(self, connection: Connection, times: Times) -> Answer:
        whole = False
        # Typeshed wants a socket; http.client asks for makefile() alone.
        response = Response(connection, method="POST")  # type: ignore[arg-type]
        try:
            response.begin()
            content = self._content(response)
            whole = not response.will_close
        except PartnerError as error:
            error.status = _status(response)
            raise
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLError) and _refuses_us(error):
                raise _certificate_refused() from error
            raise InDoubt(
                f"The request was sent, and no whole answer came: {_said(error, times)}.",
                status=_status(response),
                advice=IN_DOUBT,
            ) from error
        finally:
            response.close()
            if whole:
                self._put_back(connection)
            else:
                connection.close()
        return Answer(response.status, cast("Headers", response.headers), content)

    def _put_back(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if len(self._idle) < self._keep:
                self._idle.append(connection)
                return
        connection.close()

    def _content(self, response: http.client.HTTPResponse) -> bytes:
        """The whole body, uncoded. Raises InDoubt beyond the limits, HTTPException for half of one."""
        most = self._limits.max_bytes
        if response.length is not None and response.length > most:
            raise InDoubt(_too_large(most), advice=IN_DOUBT)
        coding = response.headers.get("Content-Encoding")
        if coding is None and response.length is not None:
            return response.read()  # which raises for half of it
        try:
            decoder = BodyDecoder(coding, self._limits)
            pieces: list[bytes] = []
            while piece := response.read(_PIECE):
                pieces += decoder.feed(piece)
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return b"".join([*pieces, *decoder.finish()])
        except Refusal as refusal:
            if refusal.status == 413:
                said = _too_large(self._limits.max_bytes)
                if coding:
                    said += " It was compressed."
            else:
                said = f"The reply's Content-Encoding cannot be undone. {refusal.message}"
            raise InDoubt(said, advice=IN_DOUBT) from refusal


def request_head(method: str, target: str, headers: Mapping[str, str], length: int | None) -> bytes:
    """The request line and headers. ValueError for a line break in a header: it would begin another one."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return f"{text}\r\n\r\n".encode("latin-1")


def retry_after(headers: Headers, now: float) -> float | None:
    """Retry-After in seconds from `now` (POSIX), from a number or a date (RFC 9110, section 10.2.3); None without."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:10])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now)


IN_DOUBT = (
    "It may have been done or not: ask the partner, or repeat only where it knows requests by their id."
)


# What OpenSSL calls a first answer that is no TLS record.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


def _not_sent(endpoint: Endpoint, error: Exception, times: Times, deadline: float) -> NotSent:
    place = f"{endpoint.host}:{endpoint.port}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or (error.reason or "").replace("_", " ").lower()
        if error.reason in _NO_TLS:
            return NotSent(
                f"{place} does not speak TLS. Nothing was sent.",
                advice="Is it an http:// address, or another port? Correct `endpoint`, then repeating is safe.",
            )
        return NotSent(
            f"TLS with {place} failed: {reason or 'no agreement'}. Nothing was sent.",
            advice="Check the partner's certificate against `ca`, and the host name in `endpoint`.",
        )
    if isinstance(error, TimeoutError) and time.monotonic() >= deadline:
        return NotSent(
            f"The time for the call was over before {place} was connected. Nothing was sent.",
            advice="Repeat it; raise `connect_timeout` or `deadline` where the way is long.",
        )
    if isinstance(error, TimeoutError):
        return NotSent(
            f"No connection to {place} within {times.connect:g} seconds. Nothing was sent.",
            advice="Is there a firewall between? Repeating is safe.",
        )
    if isinstance(error, ConnectionRefusedError):
        return NotSent(
            f"Nobody listens at {place}. Nothing was sent.",
            advice="Is the partner up, and `endpoint` right? Repeating is safe.",
        )
    return NotSent(
        f"{place} cannot be reached: {_plain(error)}. Nothing was sent.",
        advice="Check `endpoint` and the network. Repeating is safe.",
    )


def _said(error: BaseException, times: Times) -> str:
    match error:
        case DeadlinePassed():
            return f"the {times.deadline:g} seconds for the whole call were over"
        case TimeoutError():
            return f"nothing came for {times.read:g} seconds"
        case http.client.RemoteDisconnected():
            return "the partner closed the connection without a word"
        case http.client.IncompleteRead():
            return "it ended in the middle"
        case ConnectionError():
            return "the partner broke the connection"
        case http.client.HTTPException():
            return f"it is not HTTP ({type(error).__name__})"
        case _:
            return _plain(error)


def _status(response: http.client.HTTPResponse) -> int | None:
    status: object = response.status  # "UNKNOWN" until it was read
    return status if isinstance(status, int) else None


def _plain(error: Any) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200].rstrip(".")


def _refuses_us(error: ssl.SSLError) -> bool:
    return any(alert in (error.reason or "") for alert in _CERTIFICATE_ALERTS)


def _certificate_refused() -> Unauthorised:
    return Unauthorised(
        "The partner does not take our certificate, or wants one. Nothing was done.",
        advice="Check `certificate` and `certificate_key`, and that the partner knows the issuer.",
    )


def _too_large(most: int) -> str:
    return f"The reply is larger than {most} bytes, or swells beyond reason."
