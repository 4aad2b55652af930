from __future__ import annotations

from pathlib import Path

import pytest

from bridge.contract.sources.catalog import STANDARD, Catalog
from bridge.errors import ContractError

XML = "http://www.w3.org/XML/1998/namespace"


def _schema(file: Path, namespace: str) -> Path:
    file.write_text(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{namespace}"/>')
    return file


def test_every_standard_schema_is_really_there() -> None:
    assert all(file.is_file() for file in STANDARD.values())


def test_an_entry_of_the_users_wins_over_a_standard_one(tmp_path: Path) -> None:
    mine = _schema(tmp_path / "mine.xsd", XML)
    assert Catalog().find(XML) == STANDARD[XML]
    assert Catalog({XML: mine}).find(XML) == mine


def test_a_folder_gives_every_schema_under_its_target_namespace(tmp_path: Path) -> None:
    first = _schema(tmp_path / "a.xsd", "urn:one")
    _schema(tmp_path / "b.xsd", "urn:one")
    other = _schema(tmp_path / "c.xsd", "urn:other")
    catalog = Catalog.of(tmp_path)
    assert (catalog.find("urn:one"), catalog.find("urn:other")) == (first, other)
    assert catalog.find("urn:none") is None


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="nowhere"):
        Catalog(tmp_path / "nowhere")
