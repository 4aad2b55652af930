"""A project to start from: what `soapbridge init` makes of a WSDL, as texts by their paths. Nothing is written here.

It runs at once and its test passes: each handler answers with a made-up reply that the contract admits, written out as a
dict that a person edits.
"""

from __future__ import annotations

from bridge.starter.plan import Answerable, Plan, plan
from bridge.starter.project import project

__all__ = ["Answerable", "Plan", "plan", "project"]
