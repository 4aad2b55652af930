"""Clients of other languages read the shipped contracts from their files."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from lxml import etree

from bridge import shipped

CONTRACTS = shipped.contracts("erp")

LIST_OPERATIONS = """
[$wsdl, $version] = [$argv[1], (int) $argv[2]];
$client = new SoapClient($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE, 'soap_version' => $version]);
echo json_encode($client->__getFunctions());
"""


def _php_has_soap() -> bool:
    php = shutil.which("php")
    return (
        php is not None
        and "soap" in subprocess.run([php, "-m"], capture_output=True, text=True).stdout.split()
    )


@pytest.mark.interop
@pytest.mark.skipif(not _php_has_soap(), reason="php with its soap extension is not installed")
@pytest.mark.parametrize("soap_version", [1, 2], ids=["soap11", "soap12"])
@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_php_reads_a_shipped_contract_with_all_its_imports(name: str, soap_version: int) -> None:
    # PHP answers an import it cannot follow with a fatal error, so an exit status of 0 says that all were read.
    command = ["php", "-r", LIST_OPERATIONS, "--", str(CONTRACTS[name]), str(soap_version)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    functions = set(json.loads(ran.stdout))
    operations = [
        one.get("name") for one in etree.parse(CONTRACTS[name]).iterfind("{*}portType/{*}operation")
    ]
    assert functions == {f"{one}Response {one}({one} $parameters)" for one in operations}
