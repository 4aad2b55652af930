"""A contract out of the cache is the contract that was read: the same in everything that can be asked of it."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import Contract, load
from bridge.contract.example import example
from bridge.contract.loaded import SavedBundle
from bridge.errors import ContractError, DecodeError, InvalidRequest
from bridge.shipped import contracts as shipped

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
EVERY = [
    *sorted(CONTRACTS.glob("*.wsdl")),
    *sorted(CONTRACTS.glob("broken/*.wsdl")),
    *shipped("erp").values(),
]


class Memory(dict[str, bytes]):
    """A cache."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


def from_cache(contract: Contract) -> bool:
    return isinstance(contract.bundle, SavedBundle)


def cold_and_warm(wsdl: Path, cache: Memory | None = None) -> tuple[Contract, Contract]:
    cache = Memory() if cache is None else cache
    cold = load(wsdl, cache=cache)
    cold.compile()
    warm = load(wsdl, cache=cache)
    assert (from_cache(cold), from_cache(warm)) == (False, True)
    warm.compile()
    return cold, warm


def said(contract: Contract) -> dict[str, object]:
    """What a contract says of itself, in values that compare."""

    def error(found: ContractError | None) -> object:
        return found and (type(found), found.message, found.file, found.line, found.advice)

    def operation(found: object) -> dict[str, object]:
        assert dataclasses.is_dataclass(found)
        values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return {**values, "problem": error(values["problem"])}

    return {
        "names": (contract.file, contract.name, contract.major, contract.documentation),
        "operations": {key: operation(found) for key, found in contract.operations.items()},
        "ports": contract.ports,
        "problems": [error(problem) for problem in contract.problems],
        "documents": list(contract.documents.items()),
        "digest": contract.bundle.digest,
        "prefixes": list(contract.model.prefixes().items()),
        "elements": contract.model.global_elements(),
        "services": list(contract.definitions.services),
    }


def served(contract: Contract) -> list[bytes]:
    addresses = lambda service, port: f"https://us/{service}/{port}"  # noqa: E731 - nothing to name
    return [contract.served_document(name, "https://us/x", addresses) for name in contract.documents]


def elements(contract: Contract) -> Iterator[str]:
    """Every element that a message of the contract may have."""
    for found in contract.operations.values():
        if found.problem is None:
            yield from dict.fromkeys((*found.elements, *found.optional_elements))


def refusal(contract: Contract, name: str, element: etree._Element, source: bytes) -> list[object] | None:
    try:
        contract.guard.check(name, element, source=source)
    except InvalidRequest as error:
        return [dataclasses.astuple(violation) for violation in error.violations]
    return None


def read_and_written(contract: Contract, name: str, element: etree._Element) -> tuple[str, str]:
    value = contract.codec.decode(name, element)
    return re.sub(" at 0x[0-9a-f]+", "", repr(value)), contract.codec.encode(name, value)


def spoilt(element: etree._Element) -> Iterator[etree._Element]:
    """The message with something wrong: a child too many, an attribute nobody declared, nothing inside."""
    for kind in ("child", "attribute", "empty"):
        copy = etree.fromstring(etree.tostring(element, encoding="utf-8"))
        if kind == "child":
            etree.SubElement(copy, "{urn:nobody}child").text = "x"
        elif kind == "attribute":
            copy.set("nobodys", "x")
        else:
            for inside in list(copy):
                copy.remove(inside)
            copy.text = "x"
        yield copy


def loads(wsdl: Path) -> bool:
    try:
        load(wsdl).compile()
    except ContractError:
        return False
    return True


LOADABLE = [pytest.param(wsdl, id=wsdl.name) for wsdl in EVERY if loads(wsdl)]


@pytest.mark.parametrize("wsdl", LOADABLE)
def test_a_contract_out_of_the_cache_says_the_same(wsdl: Path) -> None:
    cold, warm = cold_and_warm(wsdl)
    assert said(warm) == said(cold)
    assert served(warm) == served(cold)
    for found in cold.operations.values():
        for version in ("1.1", "1.2"):
            asked = [contract.dispatch(found.input, version) for contract in (cold, warm)]
            assert [answer and answer.key for answer in asked] == [asked[0] and asked[0].key] * 2


@pytest.mark.parametrize("wsdl", LOADABLE)
def test_a_contract_out_of_the_cache_accepts_refuses_reads_and_writes_the_same(wsdl: Path) -> None:
    cold, warm = cold_and_warm(wsdl)
    for name in elements(cold):
        for seed in (0, 1):
            text = example(cold.model, name, seed=seed)
            assert example(warm.model, name, seed=seed) == text
            element = etree.fromstring(text)
            assert refusal(warm, name, element, text.encode()) is None
            assert read_and_written(warm, name, element) == read_and_written(cold, name, element)
            for wrong in spoilt(element):
                source = etree.tostring(wrong, encoding="utf-8")
                assert refusal(warm, name, wrong, source) == refusal(cold, name, wrong, source)


@pytest.mark.parametrize("wsdl", LOADABLE)
def test_every_declaration_out_of_the_cache_names_the_same_line(wsdl: Path) -> None:
    cold, warm = cold_and_warm(wsdl)
    assert [warm.model.element(name) for name in cold.model.global_elements()] == [
        cold.model.element(name) for name in cold.model.global_elements()
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(CONTRACTS, tmp_path / "contracts")


@pytest.mark.parametrize(
    ("wsdl", "file"),
    [
        ("import.wsdl", "import.wsdl"),
        ("import.wsdl", "schemas/party.xsd"),
        ("include.wsdl", "schemas/invoice-lines.xsd"),
        ("chameleon.wsdl", "schemas/money.xsd"),
    ],
)
def test_a_change_in_any_file_is_noticed(folder: Path, wsdl: str, file: str) -> None:
    cache = Memory()
    cold_and_warm(folder / wsdl, cache)
    before = (folder / file).stat()
    (folder / file).write_bytes((folder / file).read_bytes() + b"<!-- -->")
    os.utime(folder / file, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = load(folder / wsdl, cache=cache)
    assert not from_cache(changed)
    changed.compile()
    assert from_cache(load(folder / wsdl, cache=cache))


def test_a_stricter_schema_refuses_at_once_what_the_kept_one_took(folder: Path) -> None:
    cache = Memory()
    cold_and_warm(folder / "import.wsdl", cache)
    party = folder / "schemas" / "party.xsd"
    party.write_text(party.read_text().replace('minOccurs="0"', ""))
    name = "{urn:test:order}PlaceOrder"
    text = (
        '<o:PlaceOrder xmlns:o="urn:test:order" xmlns:p="urn:test:party"><o:buyer><p:name>A</p:name></o:buyer>'
        "<o:total>1</o:total></o:PlaceOrder>"
    )
    verdicts = [
        refusal(load(place / "import.wsdl", cache=cache), name, etree.fromstring(text), text.encode()) is None
        for place in (CONTRACTS, folder)
    ]
    assert verdicts == [True, False]


def test_a_file_that_was_missing_and_appears_is_noticed(folder: Path) -> None:
    cache = Memory()
    cold, _ = cold_and_warm(folder / "broken" / "missing-file.wsdl", cache)
    missing = next(problem for problem in cold.problems if "does not exist" in problem.message)
    (folder / "broken" / missing.message.split("'")[1]).write_text(
        '<schema xmlns="http://www.w3.org/2001/XMLSchema"/>'
    )
    assert not from_cache(load(folder / "broken" / "missing-file.wsdl", cache=cache))


def test_a_file_that_disappears_is_told_as_without_a_cache(folder: Path) -> None:
    cache = Memory()
    cold_and_warm(folder / "import.wsdl", cache)
    (folder / "schemas" / "party.xsd").unlink()
    assert [str(problem) for problem in load(folder / "import.wsdl", cache=cache).problems] == [
        str(problem) for problem in load(folder / "import.wsdl").problems
    ]
    (folder / "import.wsdl").unlink()
    with pytest.raises(ContractError):
        load(folder / "import.wsdl", cache=cache)


def test_another_catalog_is_another_contract(folder: Path) -> None:
    cache = Memory()
    cold_and_warm(folder / "import.wsdl", cache)
    assert not from_cache(
        load(folder / "import.wsdl", cache=cache, catalog={"urn:x": folder / "schemas" / "money.xsd"})
    )
    assert not from_cache(load(folder / "import.wsdl", cache=cache, remote=True))


def test_the_names_of_files_are_those_the_user_gave(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Memory()
    monkeypatch.chdir(folder)
    cold_and_warm(Path("import.wsdl"), cache)
    monkeypatch.chdir(folder.parent)
    assert load("contracts/import.wsdl", cache=cache).file == "contracts/import.wsdl"
    monkeypatch.chdir(folder)
    assert load("import.wsdl", cache=cache).file == "import.wsdl"


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "json", "length", "more", "swapped"])
def test_bytes_that_are_not_what_was_kept_are_ignored_and_replaced(damage: str) -> None:
    wsdl, cache = CONTRACTS / "chameleon.wsdl", Memory()
    cold_and_warm(wsdl, cache)
    ((key, good),) = cache.items()
    cache[key] = {
        "cut": good[:-10],
        "empty": b"",
        "text": b"something else altogether",
        "json": good[:8] + b"[]" + good[10:],
        "length": b"\xff" * 8 + good[8:],
        "more": good + b"x",
        "swapped": good.replace(b'"schemas":', b'"Schemas":'),
    }[damage]
    cold = load(wsdl, cache=cache)
    assert not from_cache(cold)
    assert said(cold) == said(load(wsdl))
    cold.compile()
    assert cache[key] == good
    assert from_cache(load(wsdl, cache=cache))


def test_what_another_version_kept_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Memory()
    cold_and_warm(CONTRACTS / "import.wsdl", cache)
    monkeypatch.setattr("bridge.contract.saved._own_digest", lambda: "another")
    assert not from_cache(load(CONTRACTS / "import.wsdl", cache=cache))


def test_nothing_is_kept_before_the_schemas_have_compiled() -> None:
    cache = Memory()
    contract = load(CONTRACTS / "import.wsdl", cache=cache)
    assert not cache
    contract.compile()
    assert len(cache) == 1


def test_documents_out_of_the_cache_are_parsed_when_they_are_needed() -> None:
    _, warm = cold_and_warm(CONTRACTS / "two-namespaces.wsdl")
    assert [document for document in warm.bundle.documents if "root" in vars(document)] == []


def test_a_value_that_cannot_be_read_is_told_as_before() -> None:
    cold, warm = cold_and_warm(CONTRACTS / "numbers.wsdl")
    name = next(iter(elements(cold)))
    element = etree.fromstring(
        f"<x:{name.partition('}')[2]} xmlns:x='{name[1:].partition('}')[0]}'>?</x:{name.partition('}')[2]}>"
    )
    told = []
    for contract in (cold, warm):
        try:
            told.append(repr(contract.codec.decode(name, element)))
        except DecodeError as error:
            told.append(str(error))
    assert told[0] == told[1]
