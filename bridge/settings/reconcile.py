"""What can be set about a reconciliation: whether two partners hold the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.settings.fields import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """One rule: `[reconcile.NAME]`, `soapbridge reconcile run NAME`."""

    flow: str = setting(
        "",
        "The flow whose two sides these are: what is not said here of source, target, operation, delete and mapping is as there.",
    )
    source: str = setting("", "The side that leads, as PARTNER.ENTITY: `shop.accounts`.")
    target: str = setting("", "The side that is to hold the same: `backoffice.customers`.")
    key: str = setting(
        "",
        "By which a record of one side is found on the other, as SOURCE_FIELD=TARGET_FIELD; empty: both have the same id.",
    )
    fields: Mapping[str, str] = setting(
        {}, "What must be the same: target field by source field. Empty: only that the records are there."
    )
    translate: Mapping[str, str] = setting(
        {},
        "For a source field whose values are other words than the target's: a CSV file (from the folder of this file) of two columns, source and target value.",
    )
    tolerance: Mapping[str, str] = setting({}, "By how much an amount may differ, by source field: `0.01`.")
    amounts: Mapping[str, str] = setting({}, "What is added up on both sides: target field by source field.")
    currency: str = setting(
        "", "The currency of those amounts, as SOURCE_FIELD=TARGET_FIELD; empty: there is one only."
    )
    date: str = setting(
        "", "The date that says whether a record is in the window, as SOURCE_FIELD=TARGET_FIELD."
    )
    days: int = setting(
        0, "The window: so many days up to today; 0: everything.", unit="days", least=0, most=36_600
    )
    grace: float = setting(
        300.0,
        "What changed so recently may still be on its way, and is no difference.",
        unit="seconds",
        least=0,
        most=86_400,
    )
    operation: str = setting(
        "",
        "What repairs a record at the target: an operation of its WSDL, or ENTITY.VERB. Empty: nothing is proposed.",
    )
    through: str = setting(
        "",
        "The partner that repairs are sent to, and whose deliveries explain what differs, where it is not the one that is read; empty: that "
        "of `flow`, else of `target`.",
    )
    delete: str = setting("", "What removes a record that only the target has; empty: a person decides.")
    mapping: Path | None = setting(None, "The mapping of the repairing message; empty: the record as it is.")
    cron: str = setting("", "When it runs by itself, like `30 2 * * *`; empty: when it is told to.")
    most: int = setting(
        10_000, "Differences that are kept of one run; more are counted.", least=1, most=1_000_000
    )
    settle: bool = setting(
        True,
        "End deliveries in doubt: what the target has as it was sent counts as delivered, what it does not have is sent again.",
    )
    report: Path | None = setting(
        None,
        "Folder that each run of the clock writes its report into, as HTML and CSV; empty: none is written.",
    )
