from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from bridge.contract.sources.catalog import Catalog
from bridge.contract.sources.document import Library, encoding_of, is_url, parse
from bridge.errors import ContractError

TEXT = '<?xml version="1.0" encoding="{}"?>\n<a>\u5ba2\u4eba</a>'


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"<a/>", "utf-8"),
        (codecs.BOM_UTF8 + b"<a/>", "utf-8"),
        (codecs.BOM_UTF16_LE + "<a/>".encode("utf-16-le"), "utf-16-le"),
        ("<a/>".encode("utf-16-be"), "utf-16-be"),
        (b'<?xml version="1.0" encoding="GBK"?><a/>', "gb18030"),
        (b"<?xml version='1.0' encoding='ISO-8859-1' standalone='yes'?><a/>", "iso8859-1"),
    ],
)
def test_the_encoding_is_that_of_mark_or_declaration_or_utf_8(content: bytes, encoding: str) -> None:
    assert encoding_of(content) == encoding


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "GBK", "GB18030", "Big5"])
def test_a_document_is_read_in_its_own_encoding(encoding: str) -> None:
    assert parse(TEXT.format(encoding).encode(encoding), file="x").text == "\u5ba2\u4eba"


def test_internal_entities_are_resolved_and_external_ones_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    inside = parse(b'<!DOCTYPE a [<!ENTITY e "value">]><a b="&e;">&e;</a>', file="x")
    assert (inside.get("b"), inside.text) == ("value", "value")
    with pytest.raises(ContractError):
        parse(f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]><a>&e;</a>'.encode(), file="x")


def test_a_broken_document_is_named_with_its_line() -> None:
    with pytest.raises(ContractError) as caught:
        parse(b"<a>\n<b>\n</a>", file="broken.wsdl")
    assert (caught.value.file, caught.value.line) == ("broken.wsdl", 3)
    with pytest.raises(ContractError) as caught:
        parse(b'<?xml version="1.0" encoding="GBK"?>\n<a>\xff</a>', file="broken.wsdl")
    assert caught.value.line == 2
    with pytest.raises(ContractError, match="UTF-8"):
        parse(b'<?xml version="1.0" encoding="klingon"?><a/>', file="broken.wsdl")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("http://x/y.xsd", True),
        ("urn:a", True),
        ("a/b.xsd", False),
        ("C:/a.xsd", False),
        ("file:///a.xsd", False),
    ],
)
def test_only_a_scheme_of_the_net_makes_a_url(reference: str, expected: bool) -> None:
    assert is_url(reference) is expected


def test_a_reference_leads_to_the_file_beside_the_document(tmp_path: Path) -> None:
    (tmp_path / "sub folder").mkdir()
    (tmp_path / "main.wsdl").write_text("<a/>")
    (tmp_path / "sub folder" / "b.xsd").write_text("<b/>")
    library = Library(Catalog())
    main = library.start(tmp_path / "main.wsdl")
    found = library.follow("sub%20folder\\b.xsd", main)
    assert found.root.tag == "b"
    assert library.follow("../main.wsdl", found) is main


def test_the_catalog_knows_absolute_locations_and_steps_in_where_a_file_is_missing(tmp_path: Path) -> None:
    mine = tmp_path / "mine.xsd"
    mine.write_text("<mine/>")
    (tmp_path / "main.wsdl").write_text("<a/>")
    library = Library(Catalog({"http://example.org/theirs.xsd": mine, "urn:theirs": mine}))
    main = library.start(tmp_path / "main.wsdl")
    assert library.follow("http://example.org/theirs.xsd", main).root.tag == "mine"
    assert library.follow("lost.xsd", main, "urn:theirs").root.tag == "mine"


def test_nothing_is_fetched_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "main.wsdl").write_text("<a/>")
    library = Library(Catalog())
    with pytest.raises(ContractError, match="remote=True"):
        library.follow("http://example.org/x.xsd", library.start(tmp_path / "main.wsdl"))
    with pytest.raises(ContractError, match="cannot be fetched"):
        Library(Catalog(), remote=True).start("ftp://example.org/x.wsdl")
