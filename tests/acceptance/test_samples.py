"""Every line of samples/**/expected.txt holds: over HTTP at a bridge that began empty, and for `soapbridge validate`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.shipped_erp import SAMPLES, Answer, ErpProcess
from tests.conftest import Sample, read_expected

CONTRACTS = sorted({path.parts[-3] for path in SAMPLES.glob("*/*/expected.txt")})


class Sender:
    """Sends each sample once, after those it needs, with the numbers that their answers gave."""

    def __init__(self, erp: ErpProcess) -> None:
        self.erp = erp
        self.answers: dict[Path, Answer] = {}

    def send(self, file: Path) -> Answer:
        if file not in self.answers:
            sample = listed(file)
            for before in sample.after:
                assert self.send(before).status == 200
            self.answers[file] = self.erp.post(
                sample.contract, self.filled(sample), version=sample.soap_version
            )
        return self.answers[file]

    def filled(self, sample: Sample) -> bytes:
        envelope = sample.file.read_bytes()
        for name, source in sample.put:
            text = self.given(sample, source)
            assert text is not None, f"no answer before {sample.file.name} has {source}"
            envelope, count = re.subn(
                rb"(<[\w:]*%b>)[^<]*" % name.encode(), rb"\g<1>" + text.encode(), envelope
            )
            assert count == 1, f"{sample.file.name} has {count} times {name}"
        return envelope

    def given(self, sample: Sample, element: str) -> str | None:
        """What the latest answer before this sample says of `element`."""
        for before in reversed(sample.after):
            text = self.answers[before].find(element) or self.given(listed(before), element)
            if text is not None:
                return text
        return None


def listed(file: Path) -> Sample:
    """The line of its folder's expected.txt that is about this file."""
    (sample,) = (one for one in read_expected(file.parent / "expected.txt") if one.file == file)
    return sample


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    with ErpProcess(tmp_path_factory.mktemp("samples")) as erp:
        yield Sender(erp)


def test_a_sample_gets_the_answer_that_is_written_beside_it(sender: Sender, listed_sample: Sample) -> None:
    answer = sender.send(listed_sample.file)
    assert answer.status == listed_sample.status, answer.text
    assert answer.headers["x-exchange-id"]
    fault = answer.fault
    if listed_sample.status == 200:
        assert fault is None
        return
    assert fault is not None
    assert fault.reason
    if listed_sample.verdict == "valid":
        assert fault.declared == listed_sample.fault
        assert fault.code == ("Client" if listed_sample.soap_version == "1.1" else "Sender")
        return
    assert fault.code == listed_sample.verdict
    assert fault.declared is None
    assert_told(listed_sample, fault.total, fault.paths)


def assert_told(sample: Sample, total: int | None, paths: list[str]) -> None:
    if sample.violations is None:
        assert not total
    elif sample.exact:
        assert total == len(paths) == sample.violations
        assert Counter(paths) == Counter(sample.paths)
    else:
        assert total is not None
        assert total >= sample.violations
        assert set(sample.paths) <= set(paths)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_validate_command_finds_what_the_bridge_finds(sender: Sender, contract: str) -> None:
    files = sorted(SAMPLES.glob(f"{contract}/*/expected.txt"))
    samples = [sample for file in files for sample in read_expected(file)]
    bad = any(sample.verdict != "valid" for sample in samples)
    report = sender.erp.command("validate", *(sample.file for sample in samples), status=int(bad))
    for sample, found in zip(samples, report["files"], strict=True):
        assert Path(found["file"]) == sample.file
        assert found["valid"] is (sample.verdict == "valid"), found
        if sample.violations is not None:  # else it is no request at all: the command may know it as a reply
            assert_told(sample, *told(found))


def told(found: dict[str, Any]) -> tuple[int | None, list[str]]:
    violations = found.get("violations") or []
    return (len(violations) or None), [violation["path"] for violation in violations]
