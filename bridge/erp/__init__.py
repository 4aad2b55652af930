"""The shipped ERP: what its contracts' operations do, and the ledger beneath.

    purchasing/     orders: placed, changed, cancelled, received, read and listed
    inventory/      stock: moved, read, reserved, counted, its movements listed
    suppliers.py    UpsertSupplier, GetSupplier
    catalog/        items as they are sold, price lists, what can be promised
    receivables/    invoices, credit notes, payments, what is open
    customers/      customers: cleansed, compared, stored, found; their credit
    sales/          sales orders: placed, judged, decided, changed, completed; goods that come back
    shipped.py      binds these to the contracts' operations
    orders.py       what purchase and sales orders have in common: found, locked, judged; revisions.py: what they were
    moves.py        pure: a document's states and moves as a table; states.py: a purchase order's; state_page.py draws them
    events.py       pure: what happened, as events of wsdl/crm/events-1.wsdl
    telling.py      which handler tells which of them, in its own transaction
    ledger.py       posts planned legs as one stock document; every operation that moves stock calls it
    holds.py        what reservations hold, beside the balances
    reservation_states.py   pure: which state of a reservation allows what
    posting.py      pure: stock movements as the legs of a posting
    figures.py      pure: money and quantities, exactly
    currencies.py   pure: which currencies there are
    documents.py    pure: parts of documents as they are kept
    instants.py     pure: points in time that callers give, as they are kept
    pages.py        a page of a list; paging.py, pure: the token of the next one
    call.py         what a handler here needs of its second argument
    tables.py       tables, in the store's metadata

Where warehouses, items and suppliers come from: a warehouse and an item come into being when goods first come in
(receipt, increase, the receiving side of a transfer), an item also by UpsertItem of the catalog; the item's stock unit is
the unit of whichever came first, and any other unit is refused from then on. `Rules` (settings) may name the only warehouses there are, which catches
a mistyped code, and those whose stock may go below zero. A supplier becomes known by UpsertSupplier; an order may name
one that is not, unless `Rules` say otherwise.
"""
