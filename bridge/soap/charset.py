"""Any accepted encoding to UTF-8, strictly: BOM, then the HTTP charset, then the XML declaration decide.

The order is RFC 7303's, section 3. libxml2 then only ever sees UTF-8, whatever iconv it was built with, and byte
offsets mean the same to everybody.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bridge.soap.refusals import refuse

# Names from a list: Python's registry also answers to `rot13`, `zlib` and `idna`. The Chinese, Taiwanese and Japanese
# names stand for what Windows calls so (GB18030, code pages 950 and 932): senders mean those supersets.
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
    "cp936": "gb18030",
    "big5": "cp950",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
}
ACCEPTED = "UTF-16, US-ASCII, ISO-8859-1, windows-1252, GBK, GB2312, GB18030, Big5, Shift_JIS"

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DECLARATION = re.compile(
    rb"""<\?xml\s[^<>?]{0,100}?encoding\s*=\s*["']([^"'<>?]{0,100})["'][^<>?]{0,100}\?>"""
)
_BARE_DECLARATION = b'<?xml version="1.0"?>'


def to_utf8(body: bytes, charset: str | None) -> bytes:
    """`body` as valid UTF-8 without BOM; its XML declaration names no other encoding. Plain UTF-8 comes back as it is.

    `charset` is the HTTP header's, None where it has none.

    Raises:
        Refusal: 415 for an HTTP charset that is not accepted; a Client fault for one in the XML declaration, and for
            bytes that are not what was announced.
    """
    declaration = _DECLARATION.match(body) if body.startswith(b"<?xml") else None
    codec, skip = _codec(body, charset, declaration[1] if declaration else None)
    if codec == "utf-8":
        if skip:
            body = body[skip:]
            declaration = _DECLARATION.match(body)
        if not body.isascii():
            _decode(body, codec, skip)
        if declaration is None or declaration[1].lower() == b"utf-8":
            return body
    elif codec == "ascii" and body.isascii():
        pass
    else:
        text = _decode(body[skip:], codec, skip)
        try:
            body = text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which UTF-16 in disguise may hold
            raise refuse("encoding", offset=0, charset=codec) from None
        declaration = _DECLARATION.match(body)
    return _BARE_DECLARATION + body[declaration.end() :] if declaration else body


def _codec(body: bytes, charset: str | None, declared: bytes | None) -> tuple[str, int]:
    """Python codec, and how many bytes of BOM to leave out."""
    if body[:1] >= b"\xef":  # none of the other encodings begins a document with such a byte
        for bom, marked in _BOMS:
            if body.startswith(bom):
                return marked, len(bom)
    if charset is not None:
        named = _known(charset)
        if named is None:
            raise refuse("charset", found=charset, accepted=ACCEPTED)
        return _endianness(body) or "utf-16-be" if named == "utf-16" else named, 0
    if (codec := _endianness(body)) is not None:
        return codec, 0
    if declared is None:
        return "utf-8", 0
    name = declared.decode("latin-1")
    named = _known(name)
    # A declaration that can be read byte by byte and says UTF-16 is wrong; what was meant cannot be known.
    if named is None or named.startswith("utf-16"):
        raise refuse("declared_charset", found=name, accepted=ACCEPTED)
    return named, 0


@lru_cache(maxsize=64)
def _known(name: str) -> str | None:
    return _CODECS.get(name.strip(" \t\"'").lower().replace("_", "-")[:20])


def _endianness(body: bytes) -> str | None:
    """UTF-16 without BOM, told by its first `<` (XML 1.0, appendix F)."""
    start = body[:2]
    return {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(start)


def _decode(data: bytes, codec: str, skipped: int) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise refuse("encoding", offset=error.start + skipped, charset=codec) from None
