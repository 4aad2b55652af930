"""Zoho CRM v8: a thin layer on `rest` (docs/zoho.md).

described       what the file says: data centre, modules, how a record is named
outcomes        Zoho's codes, and what became of each record of a request
coql            queries in Zoho's language
reading         changes by COQL or by pages, deletions, counts and sums
writing         create, update, upsert, delete
notifications   channels that are renewed, and the notifications that come
"""

from bridge.partners.zoho.backend import ZohoBackend as ZohoBackend
from bridge.partners.zoho.backend import backend as backend
