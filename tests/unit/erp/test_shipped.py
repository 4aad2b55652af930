from __future__ import annotations

from lxml import etree

from bridge.erp.shipped import Rules, handlers
from bridge.shipped import contracts


def test_every_operation_of_every_shipped_contract_has_a_handler() -> None:
    bound = {name: sorted(operations) for name, operations in handlers(Rules()).items()}
    declared = {
        name: sorted(one.get("name", "") for one in etree.parse(path).iterfind("{*}portType/{*}operation"))
        for name, path in contracts("erp").items()
    }
    assert bound == declared
