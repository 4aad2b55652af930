"""Why a message breaks its contract: every violation, not only the first."""

from __future__ import annotations

from bridge.contract.violation import Violation

__all__ = ["Violation"]
