"""Settings as data: what can be set, what it means, and where a value came from.

A value is taken from the first of: the command line, `SOAPBRIDGE_<SECTION>_<KEY>` in the environment, for
secrets the file named by `SOAPBRIDGE_<SECTION>_<KEY>_FILE`, bridge.toml, the default. All mistakes are reported at once.
"""

from bridge.settings.keys import (
    NAMED_SECTIONS,
    SECTIONS,
    Contracts,
    Data,
    Delivery,
    Erp,
    Idempotency,
    Journal,
    Key,
    Log,
    Metrics,
    Partner,
    Server,
    Service,
    Settings,
    Store,
    Tls,
    keys,
    keys_of,
    named_keys,
    shown,
)
from bridge.settings.load import FILE_VARIABLE, load, override

__all__ = [
    "FILE_VARIABLE",
    "NAMED_SECTIONS",
    "SECTIONS",
    "Contracts",
    "Data",
    "Delivery",
    "Erp",
    "Idempotency",
    "Journal",
    "Key",
    "Log",
    "Metrics",
    "Partner",
    "Server",
    "Service",
    "Settings",
    "Store",
    "Tls",
    "keys",
    "keys_of",
    "load",
    "named_keys",
    "override",
    "shown",
]
