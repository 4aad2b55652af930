from __future__ import annotations

from types import ModuleType

import pytest

from bridge.erp.ledger import document_number, heading, post
from bridge.erp.posting import legs
from bridge.erp.shipped import Rules
from bridge.store import Store


def test_a_request_id_makes_one_stock_document_and_never_another(erp: ModuleType, store: Store) -> None:
    def receive(transaction: object) -> str:
        call = erp.Call(transaction)
        movements = [erp.receipt("S", "WH-A", "5")]
        document = heading(call, "r-1", movement_count=1)
        return document_number(post(document, list(legs(movements)), call, Rules()), document)

    assert store.run(receive).startswith("SM-")
    with pytest.raises(erp.Fault) as caught:
        store.run(receive)
    assert caught.value.name == "KeyReused"
    assert caught.value.fields["requestId"] == "r-1"
    assert caught.value.fields["firstUsedAt"] is not None
    assert erp.stock(store, "S") == {("S", "WH-A"): 5}
