"""The samples are what their expected.txt says, judged by lxml alone: no guard, no host."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from lxml import etree

from bridge import shipped

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CALLED = {SAMPLES / name for name in shipped.contracts("crm")}
"""What we call: judged in tests/acceptance/test_event_samples.py."""
FOLDERS = sorted(path for path in SAMPLES.glob("*/*") if path.is_dir() and path.parent not in CALLED)
ENVELOPE = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
REFUSED = {  # status and fault code of a request that is refused
    "1.1": {(500, "Client"), (500, "MustUnderstand"), (500, "VersionMismatch")},
    "1.2": {(400, "Sender"), (500, "MustUnderstand")},
}

Sample = Any  # tests/conftest.py


@cache
def _schema(contract: str) -> etree.XMLSchema:
    return etree.XMLSchema(file=shipped.XSD / "erp" / f"{contract}-1.xsd")


@cache
def _strict_schema(contract: str) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(shipped.XSD / "erp" / f"{contract}-1.xsd")


def _payload(sample: Sample) -> etree._Element:
    root = etree.fromstring(sample.file.read_bytes())
    assert root.tag == f"{{{ENVELOPE[sample.soap_version]}}}Envelope"
    body = root.find(f"{{{ENVELOPE[sample.soap_version]}}}Body")
    (payload,) = body.iterchildren(tag=etree.Element)
    assert payload.tag == f"{{urn:soapbridge:erp:{sample.contract}:1}}{sample.operation}"
    return payload


def _at(payload: etree._Element, path: str) -> etree._Element | str | None:
    """What stands at a path of expected.txt: an element, an attribute's value, or None for something missing.

    Everything but the last step must exist, and an index must stand exactly where a name repeats.
    """
    steps = path.removeprefix("/").split("/")
    assert steps[0] == etree.QName(payload).localname
    here = payload
    for step in steps[1:]:
        if step.startswith("@"):
            assert step == path.rpartition("/")[2]
            return here.get(step.removeprefix("@"))
        name, index = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", step).groups()
        same = [
            child for child in here.iterchildren(tag=etree.Element) if etree.QName(child).localname == name
        ]
        assert (len(same) > 1) == (index is not None), f"{path}: {len(same)} times {name}"
        if not same:
            assert path.endswith(f"/{step}"), f"{path}: nothing at {step}"
            return None
        here = same[int(index or 1) - 1]
    return here


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_listed_exactly_once(folder: Path) -> None:
    lines = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    listed = Counter(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))
    assert listed == Counter(path.name for path in folder.glob("*.xml"))


def test_every_operation_of_every_shipped_contract_has_samples_good_and_bad_in_both_versions() -> None:
    for name, wsdl in shipped.contracts("erp").items():
        for operation in etree.parse(wsdl).iterfind("{*}portType/{*}operation"):
            files = {path.name for path in (SAMPLES / name / operation.get("name")).glob("*.xml")}
            for start in ("good-", "bad-"):
                for end in ("-soap11.xml", "-soap12.xml"):
                    assert any(file.startswith(start) and file.endswith(end) for file in files), (
                        name,
                        start,
                        end,
                    )


def test_a_request_id_is_used_once_among_what_is_accepted() -> None:
    """A second use would be a duplicate: the service would answer it without doing anything."""
    used = Counter(
        match.group(1)
        for path in sorted(SAMPLES.glob("*/[ACRSU]*/*.xml"))
        if not path.name.startswith("bad-")
        for match in [re.search(rb"requestId>([^<]+)<", path.read_bytes().replace(b"\0", b""))]
        if match
    )
    assert len(used) > 30
    assert {key: count for key, count in used.items() if count > 1} == {}


def test_the_name_of_a_sample_says_how_it_ends(listed_sample: Sample) -> None:
    start = listed_sample.file.name.partition("-")[0]
    if start == "good":
        assert (listed_sample.status, listed_sample.verdict, listed_sample.fault) == (200, "valid", None)
    elif start == "fault":
        assert (listed_sample.verdict, listed_sample.fault is None) == ("valid", False)
        assert listed_sample.status == {"1.1": 500, "1.2": 400}[listed_sample.soap_version]
    else:
        assert start == "bad"
        assert (listed_sample.status, listed_sample.verdict) in REFUSED[listed_sample.soap_version]


def test_a_sample_that_must_come_first_is_good_and_writes_or_gives_something(listed_sample: Sample) -> None:
    for before in listed_sample.after:
        assert before.is_file()
        assert before.name.startswith("good-")
        assert listed_sample.put or not before.parent.name.startswith(("Get", "List", "Find"))


def test_what_is_put_into_a_sample_stands_in_it_once_and_comes_from_an_answer_before(
    listed_sample: Sample,
) -> None:
    for name, _ in listed_sample.put:
        assert len(re.findall(rb"<[\w:]*%b>" % name.encode(), listed_sample.file.read_bytes())) == 1
        assert listed_sample.after


def test_lxml_agrees_with_the_verdict(listed_sample: Sample) -> None:
    schema = _schema(listed_sample.contract)
    if listed_sample.verdict == "valid":
        assert schema.validate(_payload(listed_sample)), schema.error_log
    elif listed_sample.violations is not None:
        assert not schema.validate(_payload(listed_sample))
    elif listed_sample.verdict == "MustUnderstand":
        assert schema.validate(_payload(listed_sample)), "only the header is refused"


def test_every_violation_told_is_there_and_no_other(refused_sample: Sample) -> None:
    """Against xmlschema, which goes on after a content-model error where libxml2 falls silent.

    It blames the element that holds a wrong value or attribute, and the parent of what is missing or unexpected.
    """
    payload = _payload(refused_sample)
    blamed = {error.elem for error in _strict_schema(refused_sample.contract).iter_errors(payload)}
    told = [_culprits(payload, path) for path in refused_sample.paths]
    assert blamed
    assert all(culprits & blamed for culprits in told)
    if refused_sample.exact:
        assert len(set(refused_sample.paths)) == refused_sample.violations == len(refused_sample.paths)
        assert blamed <= set().union(*told)


def _culprits(payload: etree._Element, path: str) -> set[etree._Element]:
    """The element a path names and the one around it: which of them is to blame depends on the kind of violation."""
    around = _at(payload, path.rpartition("/")[0])
    here = _at(payload, path)
    return {element for element in (around, here) if isinstance(element, etree._Element)}
