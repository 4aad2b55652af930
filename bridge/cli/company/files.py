"""The company's settings, partners' files and mappings, as a user would write them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SETTINGS: Final = """\
# Three flows over all three ways to reach a system, and a reconciliation of each.

[partners.crm]                       # web service: a Fxiaoke CRM, JSON over HTTP
kind = "fxiaoke"
entities = "partners/crm.toml"
endpoint = "{crm}"
client_id = "{app}"

[partners.erp]                       # web service: the ERP, SOAP; customers and sales orders have one contract each
wsdl = "customers"
entities = "partners/erp-customers.toml"
endpoint = "{erp}/services/customers"
keeps_id = true                      # requestId: what comes twice is done once
concurrency = 4
first_delay = 0.2
max_delay = 2
after_failure = "continue"
circuit_pause = 1

[partners.orders]
wsdl = "sales"
entities = "partners/erp-orders.toml"
endpoint = "{erp}/services/sales"
keeps_id = true
concurrency = 6
first_delay = 0.2
max_delay = 2
after_failure = "continue"
circuit_pause = 1

[partners.shop]                      # direct: the tables of the shop, read only
kind = "database"
entities = "partners/shop.toml"

[partners.bank]                      # direct: a view of payments that came in
kind = "database"
entities = "partners/bank.toml"

[partners.accounting]                # middle database: tables that the accounting reads when it likes
kind = "staging"
entities = "partners/accounting.toml"
concurrency = 4

[partners.ledger]                    # direct: what the accounting has booked, for the reconciliation
kind = "database"
entities = "partners/ledger.toml"

[flows.customers]
source = "crm.accounts"
target = "erp"
operation = "UpsertCustomer"
mapping = "mappings/customer.toml"
trigger = "request"

[flows.orders]
source = "shop.orders"
target = "orders"
operation = "CreateSalesOrder"
mapping = "mappings/order.toml"
trigger = "request"

[flows.payments]
source = "bank.payments"
target = "accounting"
operation = "payments.upsert"
trigger = "request"

[reconcile.customers]
flow = "customers"
target = "erp.customers"
key = "no=customer/code"
fields = {{ name = "customer/name", level = "customer/credit/grade", credit = "customer/credit/limit/value" }}
translate = {{ level = "mappings/grades.csv" }}
amounts = {{ credit = "customer/credit/limit/value" }}
currency = "currency=customer/credit/limit/currency"
grace = 0

[reconcile.orders]
flow = "orders"
target = "orders.orders"
key = "order_no=customerReference"
fields = {{ total = "total/value", currency = "total/currency" }}
amounts = {{ total = "total/value" }}
currency = "currency=total/currency"
grace = 0

[reconcile.payments]
flow = "payments"                    # repairs go through the staging tables
target = "ledger.payments"
fields = {{ amount = "amount", currency = "currency", invoice = "invoice" }}
amounts = {{ amount = "amount" }}
currency = "currency"
grace = 0

[delivery]
threads = 12
sweep = 2

[log]
level = "error"
"""

ERP: Final = """\
[erp]
modules = ["customers", "sales"]
approval_limits = {{ EUR = "40000", USD = "40000", CNY = "300000" }}

[server]
port = {port}

[log]
level = "error"
"""

FILES: Final = {
    "partners/crm.toml": """\
[partner]
user = "1000"
rate = { calls = 100000, seconds = 20 }

[entities.accounts]
object = "AccountObj"
id = "_id"
changed = "last_modified_time"
names = { no = "account_no__c", level = "level__c", credit = "credit__c", currency = "currency__c", country = "country__c", tax = "tax__c", edition = "edition__c" }

[entities.accounts.fields]
_id = "text"
no = { type = "text", required = true, longest = 20 }
name = { type = "text", required = true, longest = 200 }
country = { type = "text", required = true, shortest = 2, longest = 2 }
tax = { type = "text", longest = 40 }
level = { type = "text", required = true, one_of = ["VIP", "key", "regular"] }
credit = { type = "decimal", required = true, digits = 18, fraction = 2 }
currency = { type = "text", required = true, one_of = ["EUR", "USD", "CNY"] }
edition = { type = "text", required = true, longest = 10 }
last_modified_time = "datetime"
""",
    "partners/erp-customers.toml": """\
[entities.customers]
operation = "FindCustomers"
records = "found"
id = "customer/code"
changed = "changedAt"
since = "changedSince"
page = "pageToken"
next = "nextPage"
limit = "pageSize"
""",
    "partners/erp-orders.toml": """\
[entities.orders]
operation = "ListOpenOrders"
records = "order"
id = "orderNumber"
changed = "changedAt"
since = "changedSince"
page = "pageToken"
next = "nextPage"
limit = "pageSize"
request = { state = ["waiting", "approved", "refused", "partiallyDelivered", "completed", "cancelled"] }
""",
    "partners/shop.toml": """\
[entities.orders]
id = "order_no"
changed = "changed_at"
table = "orders"

[entities.orders.fields]
order_no = { type = "text", required = true, longest = 50 }
ordered_on = { type = "date", required = true }
customer_no = { type = "text", required = true, longest = 20 }
customer_name = { type = "text", required = true, longest = 200 }
currency = { type = "text", required = true, longest = 3 }
total = { type = "decimal", required = true, digits = 18, fraction = 2 }
lines = { type = "list", required = true, fields = { sku = { type = "text", required = true, longest = 40 }, quantity = { type = "decimal", required = true, digits = 12, fraction = 6 }, price = { type = "decimal", required = true, digits = 12, fraction = 6, least = 0 } } }
changed_at = "datetime"
""",
    "partners/bank.toml": """\
[entities.payments]
id = "payment_no"
changed = "changed_at"
table = "payments"

[entities.payments.fields]
payment_no = { type = "text", required = true, longest = 30 }
invoice = { type = "text", required = true, longest = 30 }
amount = { type = "decimal", required = true, digits = 18, fraction = 2 }
currency = { type = "text", required = true, longest = 3 }
received_on = { type = "date", required = true }
changed_at = "datetime"
""",
    "partners/accounting.toml": """\
[partner]
prefix = "acc_"

[entities.payments]
id = "payment_no"

[entities.payments.fields]
payment_no = { type = "text", required = true, longest = 30 }
invoice = { type = "text", required = true, longest = 30 }
amount = { type = "decimal", required = true, digits = 18, fraction = 2 }
currency = { type = "text", required = true, longest = 3 }
received_on = { type = "date", required = true }
changed_at = "datetime"
""",
    "partners/ledger.toml": """\
[entities.payments]
id = "payment_no"
changed = "booked_at"
table = "ledger"

[entities.payments.fields]
payment_no = { type = "text", required = true, longest = 30 }
invoice = { type = "text", required = true, longest = 30 }
amount = { type = "decimal", required = true, digits = 18, fraction = 2 }
currency = { type = "text", required = true, longest = 3 }
booked_at = "datetime"
""",
    "mappings/customer.toml": """\
[mapping]
title = { en = "Accounts of the CRM become customers of the ERP", zh = "CRM 客户同步到 ERP" }
source = "crm#accounts"
target = "erp#UpsertCustomer"
owner = "Sales"

[fields]
requestId = { from = ["no", "edition"], join = "-" }
"customer/code" = "no"
"customer/name" = "name"
"customer/country" = "country"
"customer/taxNumber" = "tax"
"customer/credit/grade" = { from = "level", lookup = "grades" }
"customer/credit/limit/value" = "credit"
"customer/credit/limit/currency" = "currency"

[lookups.grades]
rows = { VIP = "A", key = "B", regular = "C" }
""",
    "mappings/grades.csv": "VIP,A\nkey,B\nregular,C\n",
    "mappings/order.toml": """\
[mapping]
title = { en = "Orders of the shop become sales orders of the ERP", zh = "商城订单转为 ERP 销售订单" }
source = "shop#orders"
target = "orders#CreateSalesOrder"
owner = "Sales"

[fields]
requestId = "order_no"
"order/customerReference" = "order_no"
"order/orderDate" = "ordered_on"
"order/currency" = { from = "currency", lookup = "currencies" }
"order/customer/code" = "customer_no"
"order/customer/name" = "customer_name"

[lists."order/line"]
each = "lines"
required = true

[lists."order/line".fields]
lineNumber = "#"
"item/sku" = "sku"
"quantity/value" = "quantity"
"quantity/unit" = { value = "H87" }
unitPrice = "price"

[lookups.currencies]
rows = { EUR = "EUR", USD = "USD", CNY = "CNY" }
""",
}


def write_partners(folder: Path) -> None:
    """Put partners' files and mappings into the folder."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def write(folder: Path, *, crm: str, app: str, erp: str, port: int) -> None:
    """Put the bridge's settings into it, and beside them the ERP's own."""
    (folder / "bridge.toml").write_text(SETTINGS.format(crm=crm, app=app, erp=erp), "utf-8")
    (folder / "erp").mkdir(exist_ok=True)
    (folder / "erp" / "bridge.toml").write_text(ERP.format(port=port), "utf-8")
