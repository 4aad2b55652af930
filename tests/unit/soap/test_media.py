from __future__ import annotations

import contextlib
import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Refusal
from bridge.soap.limits import Limits
from bridge.soap.media import (
    BodyDecoder,
    ContentType,
    decode_body,
    read_content_type,
    read_soap_action,
    version_hint,
)

DOCUMENT = b"<a>" + b"0123456789" * 20_000 + b"</a>"


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


# -- Content-Type ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("text/xml", ContentType("text/xml", "1.1")),
        ("Text/XML; Charset=UTF-8", ContentType("text/xml", "1.1", "UTF-8")),
        ('text/xml;charset="utf-8"', ContentType("text/xml", "1.1", "utf-8")),
        (
            'application/soap+xml; charset=utf-8; action="urn:x;y\\"z"',
            ContentType("application/soap+xml", "1.2", "utf-8", 'urn:x;y"z'),
        ),
        ('application/soap+xml ; action=""', ContentType("application/soap+xml", "1.2", None, "")),
        ("text/xml; charset=utf-8; charset=gbk", ContentType("text/xml", "1.1", "utf-8")),
        ("text/xml; ;; nonsense", ContentType("text/xml", "1.1")),
    ],
)
def test_a_content_type_of_soap_is_read(header: str, expected: ContentType) -> None:
    assert read_content_type(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "application/json",
        "application/octet-stream",
        "application/xml",
        "text/plain",
        'multipart/related; type="application/xop+xml"',
        "x" * 100_000,
    ],
)
def test_rule_1_every_other_media_type_is_415_and_the_answer_says_what_to_send(header: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        read_content_type(header)
    assert caught.value.status == 415
    assert caught.value.advice
    assert len(str(caught.value)) < 600


def test_a_fault_before_the_envelope_is_read_has_the_version_of_the_content_type() -> None:
    assert version_hint("application/soap+xml; charset=x") == "1.2"
    assert version_hint("text/xml") == version_hint("image/png") == version_hint(None) == "1.1"


@given(st.text(max_size=300))
def test_reading_a_content_type_returns_or_refuses(header: str) -> None:
    read_content_type("text/xml;" + header)
    with contextlib.suppress(Refusal):
        read_content_type(header)


@pytest.mark.parametrize(
    ("header", "action"),
    [(None, None), ("", ""), ('""', ""), ('"urn:x/Do"', "urn:x/Do"), (" urn:x/Do ", "urn:x/Do")],
)
def test_soap_action_loses_its_quotes_and_absent_is_not_empty(header: str | None, action: str | None) -> None:
    assert read_soap_action(header) == action


# -- Content-Encoding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (None, DOCUMENT),
        ("identity", DOCUMENT),
        ("gzip", gzip.compress(DOCUMENT)),
        ("X-GZIP", gzip.compress(DOCUMENT)),
        ("gzip", gzip.compress(DOCUMENT[:10]) + gzip.compress(DOCUMENT[10:])),
        ("deflate", zlib.compress(DOCUMENT)),
        ("deflate", raw_deflate(DOCUMENT)),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_a_body_decodes_to_the_same_however_it_is_cut(coding: str | None, body: bytes, step: int) -> None:
    decoder = BodyDecoder(coding)
    pieces = [piece for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step])]
    assert b"".join([*pieces, *decoder.finish()]) == DOCUMENT


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "compress", "x"])
def test_an_unknown_coding_is_415_and_the_answer_names_the_known_ones(coding: str) -> None:
    with pytest.raises(Refusal) as caught:
        decode_body(b"", coding)
    assert caught.value.status == 415
    assert ("Accept-Encoding", "gzip, deflate") in caught.value.headers


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(DOCUMENT)[:-1]),
        ("gzip", b"\x1f"),
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(DOCUMENT) + b"tail"),
        ("deflate", zlib.compress(DOCUMENT) + b"tail"),
        ("deflate", b"\xff\xff\xff"),
        ("gzip", gzip.compress(b"") * 200_000),
    ],
    ids=["cut off", "one byte", "text", "tail", "deflate tail", "no deflate", "200,000 empty members"],
)
def test_broken_compression_is_400(coding: str, body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decode_body(body, coding)
    assert caught.value.status == 400


def test_a_bomb_is_stopped_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    start = time.process_time()
    with pytest.raises(Refusal) as caught:
        decode_body(bomb, "gzip", Limits(max_bytes=200_000_000, max_compressed_ratio=100))
    assert caught.value.status == 413
    assert time.process_time() - start < 1


@pytest.mark.parametrize(("size", "fits"), [(4096, True), (4097, False)])
def test_the_size_limit_counts_what_comes_out(size: int, fits: bool) -> None:
    body = gzip.compress(b"\0" * size)
    if fits:
        assert len(decode_body(body, "gzip", Limits(max_bytes=4096))) == size
    else:
        with pytest.raises(Refusal, match="4096 bytes"):
            decode_body(body, "gzip", Limits(max_bytes=4096))


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=200))
def test_decoding_anything_returns_or_refuses(coding: str, body: bytes) -> None:
    for candidate in (body, gzip.compress(b"abc")[: len(body)] + body):
        with contextlib.suppress(Refusal):
            decode_body(candidate, coding)
