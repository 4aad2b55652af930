"""The page of a service as its reader uses it: what can be copied from it works, and it speaks both languages."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from lxml import etree

from tests.acceptance.shipped_erp import Answer, ErpProcess


@pytest.fixture(
    params=["purchasing", "inventory", "suppliers", "customers", "catalog", "sales", "receivables"]
)
def page(erp: ErpProcess, request: pytest.FixtureRequest) -> etree._Element:
    return etree.HTML(erp.request("GET", f"/services/{request.param}").text)


def test_every_command_of_the_page_can_be_pasted_into_a_shell(page: etree._Element) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    commands = [text for text in page.xpath("//pre/text()") if text.startswith("curl ")]
    assert len(commands) == 2 * len(page.xpath("//section"))  # two versions of SOAP for each operation
    for command in commands:
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=20, check=True)
        fault = Answer(0, {}, done.stdout).fault
        # What is made up keeps the contract; what it speaks of need not exist.
        assert fault is None or fault.declared is not None, done.stdout


def test_every_operation_is_explained_in_two_languages_with_the_faults_it_declares(
    page: etree._Element,
) -> None:
    for section in page.xpath("//section"):
        for language in ("en", "zh"):
            assert section.xpath(f"./p[@lang='{language}']")
            rows = section.xpath("./table//tr[td]")
            assert rows
            for row in rows:
                assert row.xpath(f"./td[1]/code and ./td[2]/p[@lang='{language}']")


def test_every_link_of_the_page_leads_somewhere_here(erp: ErpProcess, page: etree._Element) -> None:
    links = page.xpath("//a/@href")
    assert len(links) >= 4
    for link in links:
        if link.startswith("#"):
            assert page.xpath("//*[@id=$id]", id=link[1:])
            continue
        assert link.startswith(erp.announced["url"])
        assert erp.request("GET", link.removeprefix(erp.announced["url"])).status == 200
    assert not page.xpath("//script | //link | //img | //@src | //@onclick")
