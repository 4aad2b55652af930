from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Refusal
from bridge.soap.charset import to_utf8
from bridge.soap.xml import parse

TEXT = "<a>采购 €é</a>"


def declared(encoding: str, text: str) -> bytes:
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.encode(encoding)


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (TEXT.encode(), None),
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), None),
        (TEXT.encode("utf-16"), None),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("utf-16-le"), None),
        (TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-be"), None),
        (declared("UTF-16", TEXT), None),
        (declared("gb18030", TEXT), None),
        (TEXT.encode("gb18030"), "GB2312"),
        (TEXT.encode("gb18030"), "GBK"),
    ],
)
def test_rule_4_utf_8_utf_16_bom_declaration_and_chinese_encodings_are_read(
    body: bytes, charset: str | None
) -> None:
    root, utf8 = parse(body, charset=charset)
    assert root.text == "采购 €é"
    assert TEXT.encode() in utf8


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("iso-8859-1", "é"),
        ("windows-1252", "€"),
        ("big5", "採購"),
        ("shift_jis", "日本語"),
        ("us-ascii", "abc"),
        ("gbk", "采购"),
    ],
)
def test_the_declaration_or_the_http_header_names_an_older_encoding(encoding: str, text: str) -> None:
    assert parse(declared(encoding, f"<a>{text}</a>"))[0].text == text
    assert parse(f"<a>{text}</a>".encode(encoding), charset=encoding.upper())[0].text == text


def test_the_bom_goes_before_the_http_charset_and_that_before_the_declaration() -> None:
    assert parse(TEXT.encode("utf-16"), charset="gbk")[0].text == "采购 €é"
    body = '<?xml version="1.0" encoding="gbk"?><a>é</a>'.encode()
    assert parse(body, charset="utf-8")[0].text == "é"


def test_the_utf_8_form_declares_no_other_encoding_and_keeps_its_lines() -> None:
    utf8 = to_utf8(declared("gbk", "<a>\n采</a>"), None)
    assert utf8 == '<?xml version="1.0"?>\n<a>\n采</a>'.encode()


def test_plain_utf_8_is_not_copied() -> None:
    body = declared("utf-8", TEXT)
    assert to_utf8(body, None) is body
    assert to_utf8(body, "utf-8") is body


@pytest.mark.parametrize(
    "name", ["rot13", "zlib", "idna", "utf-7", "base64", "cp037", "x" * 100_000, "../etc", ""]
)
def test_rule_13_charset_names_come_from_a_list_and_an_echo_is_bounded(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        to_utf8(b"<a/>", name)
    assert caught.value.status == 415
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", [b"rot13", b"utf-16", b"bogus"])
def test_an_xml_declaration_with_an_encoding_that_cannot_be_is_the_senders_fault(name: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        to_utf8(b'<?xml version="1.0" encoding="' + name + b'"?><a/>', None)
    assert caught.value.code == "Client"
    assert caught.value.status is None


@pytest.mark.parametrize(
    ("body", "charset", "offset"),
    [
        (b"<a>\xff</a>", None, 3),
        (b"<a>\xed\xa0\x80</a>", None, 3),
        (b"<a>\xc3", "utf-8", 3),
        (codecs.BOM_UTF8 + b"<a>\xff</a>", None, 6),
        ("<a>é</a>".encode(), "us-ascii", 3),
        (b"<a>\x81</a>", "windows-1252", 3),
        (b"<\0a\0\0\xd8>\0", "utf-16le", 4),
        (b"<a>\xff\xff</a>", "gbk", 3),
    ],
)
def test_bytes_that_are_not_what_was_announced_are_refused_with_their_place(
    body: bytes, charset: str | None, offset: int
) -> None:
    with pytest.raises(Refusal, match=f"from {offset} on"):
        to_utf8(body, charset)


@given(
    st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "gbk", "big5", "shift_jis", "cp1252"])
)
def test_any_bytes_become_valid_utf_8_or_are_refused(body: bytes, charset: str | None) -> None:
    with contextlib.suppress(Refusal):
        to_utf8(body, charset).decode()
