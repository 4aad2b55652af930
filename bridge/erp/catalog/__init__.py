"""The catalog: what the operations of wsdl/erp/catalog-1.wsdl do.

items.py      UpsertItem, GetItem, ListItems
pricing.py    SetPrices, ListPrices
prices.py     GetPrice, and what other modules ask for a price
validity.py   pure: prices of one list that would hold at the same time
promise.py    GetAvailability, and what other modules ask can be promised
promising.py  pure: what can be promised, from what comes in and goes out
tables.py     its tables
"""
