"""Settings as data: what can be set, what it means, and where a value came from.

A value is taken from the first of: the command line, `SOAPBRIDGE_<SECTION>_<KEY>` in the environment, for
secrets the file named by `SOAPBRIDGE_<SECTION>_<KEY>_FILE`, bridge.toml, the default. All mistakes are reported at once.
"""

from bridge.settings.fields import zone_of
from bridge.settings.flow import Flow
from bridge.settings.keys import (
    NAMED_SECTIONS,
    SECTIONS,
    Key,
    Settings,
    keys,
    keys_of,
    named_keys,
    shown,
)
from bridge.settings.load import FILE_VARIABLE, load, override
from bridge.settings.partner import Partner
from bridge.settings.reconcile import Reconcile
from bridge.settings.sections import (
    Contracts,
    Data,
    Delivery,
    Erp,
    Idempotency,
    Journal,
    Log,
    Metrics,
    Retention,
    Server,
    Service,
    Store,
    Tls,
)
from bridge.settings.security import Access, AtRest, Audit, Backup, Caller, Role, Wss

__all__ = [
    "FILE_VARIABLE",
    "NAMED_SECTIONS",
    "SECTIONS",
    "Access",
    "AtRest",
    "Audit",
    "Backup",
    "Caller",
    "Contracts",
    "Data",
    "Delivery",
    "Erp",
    "Flow",
    "Idempotency",
    "Journal",
    "Key",
    "Log",
    "Metrics",
    "Partner",
    "Reconcile",
    "Retention",
    "Role",
    "Server",
    "Service",
    "Settings",
    "Store",
    "Tls",
    "Wss",
    "keys",
    "keys_of",
    "load",
    "named_keys",
    "override",
    "shown",
    "zone_of",
]
