"""The head of an HTTP answer, read strictly; its body is left to http.client.

http.client reads headers with the parser of e-mails, which takes a third of the time that a small answer may cost, and
passes over no interim answer but 100 (RFC 9110, section 15.2).
"""

from __future__ import annotations

import http.client
import io
import re
from typing import Any

_LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 200
_MOST_INTERIM = 20
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII).fullmatch
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n").fullmatch
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?\n").fullmatch


class Headers(dict[str, str]):
    """HTTP headers by name in small letters; of one that comes twice all values, with commas between."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


class Response(http.client.HTTPResponse):
    """An answer to a POST. `headers` are `Headers`; `begin` reads the head, `read` the body."""

    def begin(self) -> None:
        """Reads up to the body. Raises HTTPException for what is no HTTP/1."""
        fp: io.BufferedReader = self.fp
        for _ in range(_MOST_INTERIM):
            line = fp.readline(_LONGEST_LINE)
            if not line:
                raise http.client.RemoteDisconnected("")
            found = _STATUS.fullmatch(line)
            if found is None:
                raise http.client.BadStatusLine(line[:100].decode("latin-1"))
            self.status = self.code = int(found[2])
            self.headers = self.msg = _read_headers(fp)  # type: ignore[assignment]
            if self.status >= 200 or self.status == 101:
                break
        else:
            raise http.client.HTTPException("only interim answers came")
        self.version = 11 if found[1] == b"1" else 10
        self.reason = (found[3] or b"").decode("latin-1")
        self._frame()

    def _frame(self) -> None:
        """Where the body ends (RFC 9112, section 6.3), and whether the connection lasts."""
        coding = self.headers.get("Transfer-Encoding")
        announced = self.headers.get("Content-Length")
        connection = (self.headers.get("Connection") or "").lower()
        self.will_close = "close" in connection or (self.version == 10 and "keep-alive" not in connection)
        self.chunked = coding is not None
        self.chunk_left = None
        self.length = None
        if coding is not None:
            if coding.lower() != "chunked":
                raise http.client.UnknownTransferEncoding(coding[:100])
            self.will_close = self.will_close or announced is not None  # both: somebody is mistaken
        elif self.status < 200 or self.status in (204, 304):
            self.length = 0
        elif announced is not None:
            lengths = {part.strip() for part in announced.split(",")}
            if len(lengths) != 1 or not _LENGTH(text := lengths.pop()):
                raise http.client.HTTPException("Content-Length is no number")
            self.length = int(text)
        else:
            self.will_close = True

    def _read_next_chunk_size(self) -> int:
        # http.client's own takes whatever int() does: a chunk of -1 bytes would be all that ever comes.
        line = self.fp.readline(_LONGEST_LINE)
        found = _CHUNK_SIZE(line)
        if found is None:
            raise ValueError("no size of a chunk")  # http.client makes IncompleteRead of it
        return int(found[1], 16)


def _read_headers(fp: io.BufferedReader) -> Headers:
    found: dict[str, str] = {}
    for _ in range(_MOST_HEADERS + 1):
        line = fp.readline(_LONGEST_LINE)
        if line in (b"\r\n", b"\n"):
            return Headers(found)
        if not line.endswith(b"\n"):
            raise (
                http.client.IncompleteRead(b"")
                if len(line) < _LONGEST_LINE
                else http.client.LineTooLong("header")
            )
        header = _HEADER(line)
        if header is None:
            raise http.client.HTTPException("a header is malformed")
        name, value = header[1].decode("ascii").lower(), header[2].decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    raise http.client.HTTPException(f"more than {_MOST_HEADERS} headers")
