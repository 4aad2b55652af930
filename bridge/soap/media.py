"""HTTP's words about a body: Content-Type, charset, SOAPAction and Content-Encoding.

SOAP 1.1 travels as text/xml (Basic Profile 1.1, R1119 and R1115), SOAP 1.2 as application/soap+xml (Part 2, section
7.1.4). application/xml is neither: a client that sends it has not been told that it speaks SOAP, and is answered 415.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bridge.errors import Refusal
from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.refusals import refuse

Version = Literal["1.1", "1.2"]

MEDIA_TYPES: dict[str, Version] = {"text/xml": "1.1", "application/soap+xml": "1.2"}
CONTENT_TYPES: dict[Version, str] = {
    "1.1": "text/xml; charset=utf-8",
    "1.2": "application/soap+xml; charset=utf-8",
}
"""Content-Type of our answers."""

# Long enough for any action URI; a longer header is no media type of ours.
_LONGEST_HEADER = 4096
_PARAMETER = re.compile(r';[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"]*)')


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type that may carry SOAP. `charset` and `action` are None where not given; `action` "" is given empty."""

    media_type: str
    version: Version
    charset: str | None = None
    action: str | None = None


def read_content_type(header: str | None) -> ContentType:
    """The Content-Type header, its media type without regard to case.

    Raises:
        Refusal: 415, when the header is missing or its media type is not SOAP's.
    """
    if header is None or not header.strip():
        raise refuse("content_type_missing")
    if len(header) > _LONGEST_HEADER:
        raise refuse("media_type", found=header)
    return _content_type(header)


@lru_cache(maxsize=256)
def _content_type(header: str) -> ContentType:
    media_type = header.partition(";")[0].strip().lower()
    version = MEDIA_TYPES.get(media_type)
    if version is None:
        if media_type == "multipart/related":
            raise refuse("attachments")
        raise refuse("media_type", found=media_type)
    parameters: dict[str, str] = {}
    for found in _PARAMETER.finditer(header):
        # The first of two counts: a second charset is how a filter in front of us is made to see another text.
        parameters.setdefault(found[1].lower(), _unquote(found[2]))
    return ContentType(media_type, version, parameters.get("charset") or None, parameters.get("action"))


def version_hint(header: str | None) -> Version:
    """SOAP version for a Fault to a request whose envelope is not read: that of the Content-Type, else 1.1."""
    media_type = (header or "").partition(";")[0].strip().lower()
    return MEDIA_TYPES.get(media_type, "1.1")


def read_soap_action(header: str | None) -> str | None:
    """The SOAPAction header (SOAP 1.1, section 6.1.1) without its quotes; None where absent, "" where empty.

    It names an intent and never decides what is done: dispatch goes by the Body's child (Basic Profile R1127).
    """
    return None if header is None else _unquote(header)


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def decode_body(body: bytes, content_encoding: str | None, limits: Limits = DEFAULT) -> bytes:
    """The body without its Content-Encoding; see `BodyDecoder`."""
    decoder = BodyDecoder(content_encoding, limits)
    return b"".join([*decoder.feed(body), *decoder.finish()])


class BodyDecoder:
    """Undoes a Content-Encoding chunk by chunk, and stops at a limit before the memory is spent.

    gzip (several members too), deflate (with zlib's header, or raw as some clients send it) and identity are known
    (RFC 9110, section 8.4.1).

    Raises:
        Refusal: from all methods: 415 for another coding or for several, 413 beyond `max_bytes` or
            `max_compressed_ratio`, 400 for data that are broken or cut off.
    """

    _PIECE = 64 * 1024
    _FREE = 1024 * 1024  # the first MiB of output is never called a bomb
    # pigz makes a few members; a body of empty ones would keep us busy for minutes.
    _MOST_MEMBERS = 100

    def __init__(self, content_encoding: str | None, limits: Limits = DEFAULT) -> None:
        coding = (content_encoding or "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise refuse(
                "content_encoding", found=content_encoding, headers=(("Accept-Encoding", "gzip, deflate"),)
            )
        self._coding = coding.removeprefix("x-")
        self._limits = limits
        self._size_in = self._size_out = self._members = 0
        self._first = b""
        self._inflater: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """What `chunk` decodes to, in pieces."""
        self._size_in += len(chunk)
        if self._size_in > self._limits.max_bytes:
            raise refuse("too_large", most=self._limits.max_bytes)
        if self._coding not in ("gzip", "deflate"):
            return [chunk]
        if self._inflater is None:
            self._first += chunk
            if len(self._first) < 2:
                return []
            self._inflater, chunk = self._inflater_for(self._first), self._first
        pieces: list[bytes] = []
        try:
            # Small slices, because zlib copies what it leaves over each time.
            for start in range(0, len(chunk), self._PIECE):
                self._inflate(chunk[start : start + self._PIECE], pieces)
        except zlib.error:
            raise self._broken("it cannot be decompressed") from None
        return pieces

    def finish(self) -> list[bytes]:
        """Nothing more comes: refuses data that are cut off."""
        cut_off = not self._inflater.eof if self._inflater else bool(self._first)
        if cut_off:
            raise self._broken("it is cut off")
        return []

    def _inflater_for(self, start: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > self._MOST_MEMBERS:
            raise self._broken("it has too many parts")
        if self._coding == "gzip":
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # RFC 1950, section 2.2: the first two bytes tell whether zlib's header is there.
        zlib_header = start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)

    def _inflate(self, data: bytes, pieces: list[bytes]) -> None:
        assert self._inflater is not None
        while data:
            if self._inflater.eof:
                if self._coding != "gzip":
                    raise self._broken("something follows its end")
                self._inflater = self._inflater_for(data)
            piece = self._inflater.decompress(data, self._PIECE)
            data = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            self._keep(piece, pieces)
            while piece and not data and not self._inflater.eof:  # all input taken, output may be left
                piece = self._inflater.decompress(b"", self._PIECE)
                self._keep(piece, pieces)

    def _keep(self, piece: bytes, pieces: list[bytes]) -> None:
        pieces.append(piece)
        self._size_out += len(piece)
        if self._size_out > self._limits.max_bytes:
            raise refuse("too_large", most=self._limits.max_bytes)
        if self._size_out > max(self._FREE, self._size_in * self._limits.max_compressed_ratio):
            raise refuse("compression_ratio", most=self._limits.max_compressed_ratio)

    def _broken(self, problem: str) -> Refusal:
        return refuse("compression", found=self._coding, problem=problem)
