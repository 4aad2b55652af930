"""The shipped ERP: what its contracts' operations do, and the ledger beneath.

    purchasing.py   CreatePurchaseOrder, GetPurchaseOrder
    inventory.py    UpdateStock, GetStock
    shipped.py      binds these to the contracts' operations
    ledger.py       posts planned legs as one stock document; every operation that moves stock calls it
    posting.py      pure: stock movements as the legs of a posting
    figures.py      pure: money and quantities, exactly
    call.py         what a handler here needs of its second argument
    tables.py       tables, in the store's metadata

Where warehouses, items and suppliers come from: a warehouse and an item come into being when goods first come in
(receipt, increase, the receiving side of a transfer); the item's stock unit is the unit of that first movement,
and any other unit is refused from then on. `Rules` (settings) may name the only warehouses there are, which catches
a mistyped code, and those whose stock may go below zero. A purchase order may name any supplier: there is no
operation yet that makes them known.
"""
