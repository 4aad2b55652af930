"""Receivables: what the operations of wsdl/erp/receivables-1.wsdl do.

    invoices.py     CreateInvoice, GetInvoice
    cancelling.py   CancelInvoice
    payments.py     RecordPayment, AllocatePayment, GetPayment
    lists.py        ListOpenItems, ListPayments
    open_items.py   what other modules ask
    content.py      pure: the contract's invoice as rows, and back
    allocating.py   pure: what of a payment goes to which invoice
    rows.py         invoices, payments and accounts in the store: found, locked, written
    tables.py       its tables

Whoever writes locks the customer's account in that currency first: so no two payments see the same open amount.
"""
