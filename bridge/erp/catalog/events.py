"""What the catalog tells, as events of wsdl/crm/events-1.wsdl: from rows to values. Pure.

PriceChanged has everything that holds of an item in a list, now or later, so that the CRM replaces what it knew. Events of one list and
item have one ordering key; their sequence is the list's revision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bridge.erp.catalog.prices import price_told
from bridge.erp.catalog.validity import Place, Terms
from bridge.erp.telling import Tell
from bridge.store.clock import moment

if TYPE_CHECKING:
    from bridge.erp.catalog.pricing import ListRow


def tell_prices(
    tell: Tell, of_list: ListRow, sku: str, unit: str, prices: Mapping[Place, Terms], *, today: str
) -> None:
    """PriceChanged. `prices` are all of the item in the list, as they are now."""
    # Not the names themselves: the two together are longer than an id may be.
    name = hashlib.blake2b(f"{of_list.code} {sku}".encode(), digest_size=12).hexdigest()
    event: dict[str, Any] = {
        "eventId": f"price:{name}:{of_list.revision}",
        "occurredAt": moment(of_list.changed_at),
        "sequence": of_list.revision,
        "priceList": of_list.code,
        "currency": of_list.currency,
        "sku": sku,
        "price": [
            _without_sku(
                price_told(
                    sku,
                    place.quantity_from,
                    unit,
                    place.valid_from,
                    terms.valid_until,
                    terms.unit_price,
                    of_list.currency,
                )
            )
            for place, terms in sorted(prices.items())
            if not terms.withdrawn and (terms.valid_until is None or terms.valid_until >= today)
        ],
    }
    # Neither has a blank in it.
    tell("PriceChanged", event, f"{of_list.code} {sku}")


def _without_sku(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "sku"}
