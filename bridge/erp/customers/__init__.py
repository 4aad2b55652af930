"""Customers: what the operations of wsdl/erp/customers-1.wsdl do.

    upserting.py    UpsertCustomer
    reading.py      GetCustomer, FindCustomers
    credit.py       what credit a customer has, as sales and receivables ask for it
    names.py        pure: spellings of a legal name, and what they have in common
    cleansing.py    pure: telephone numbers, e-mail addresses, tax numbers; the normal form of a customer
    duplicates.py   pure: by what customers are found, and how alike two are
    content.py      pure: the contract's customer as it is kept, and back
    rows.py         customers in the store: found, locked, written, compared
    tables.py       tables, in the store's metadata

What was sent and what was made of it are both kept: nobody has to guess what a customer looked like before it was cleansed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.erp.customers.reading import find_customers, get_customer
from bridge.erp.customers.upserting import upsert_customer
from bridge.erp.references import Rules
from bridge.erp.telling import Tell

__all__ = ["find_customers", "get_customer", "handlers", "upsert_customer"]


def handlers(_rules: Rules, _tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/customers-1.wsdl."""
    return {
        "UpsertCustomer": upsert_customer,
        "GetCustomer": get_customer,
        "FindCustomers": find_customers,
    }
