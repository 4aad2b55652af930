"""What a mock shows of itself: where it is, what it does, what has come. Plain HTML, no script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from bridge.host.pages import STYLE
from bridge.mock.answers import Rule
from bridge.mock.received import Received
from bridge.mock.service import MockedService

_SHOWN = 50


def front_page(mocked: MockedService, base: str) -> bytes:
    """The page at `/`: addresses, rules, and the newest requests."""
    contract = mocked.contract
    address = escape(base + mocked.path)
    facts = [
        ("Service", f'<a href="{address}">{address}</a>'),
        ("WSDL", f'<a href="{address}?wsdl">{address}?wsdl</a>'),
        ("Received", f'<a href="{escape(base)}/received">{escape(base)}/received</a> (JSON)'),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts)
    body = (
        f"<h1>Mock of {escape(contract.name)}</h1>"
        '<p class="note">Requests are held against the contract, and answered with samples or as the rules say.</p>'
        f"<dl>{listed}</dl>{_rules(mocked.rules)}{_received(mocked.received.now(), mocked.received.total)}"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Mock of {escape(contract.name)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()


def received_json(mocked: MockedService) -> bytes:
    """`GET /received`: those kept, oldest first, and how many came in all."""
    content = {
        "total": mocked.received.total,
        "received": [one.as_json(mocked.contract) for one in mocked.received],
    }
    return json.dumps(content, ensure_ascii=False, indent=1, default=str).encode()


def _rules(rules: Sequence[Rule]) -> str:
    if not rules:
        return ""
    rows = "".join(
        f"<tr><td>{escape(rule.operation or 'every operation')}</td>"
        f"<td><code>{escape(rule.match.text) if rule.match else ''}</code></td>"
        f"<td>{escape(rule.answer.words)}</td><td>{rule.used}{'' if rule.times is None else f' of {rule.times}'}</td>"
        f'<td class="note">{escape(rule.place)}</td></tr>'
        for rule in rules
    )
    return f"<h2>Rules</h2><table><tr><th>Operation</th><th>Match</th><th>Answer</th><th>Used</th><th></th></tr>{rows}</table>"


def _received(kept: Sequence[Received], total: int) -> str:
    if not kept:
        return "<h2>Received</h2><p>Nothing yet.</p>"
    shown = "".join(_one(one) for one in reversed(kept[-_SHOWN:]))
    more = f'<p class="note">The newest {min(len(kept), _SHOWN)} of {total}.</p>' if total > _SHOWN else ""
    return f"<h2>Received <span>{total}</span></h2>{more}{shown}"


def _one(one: Received) -> str:
    wrong = "".join(
        f"<li><code>{escape(found.path)}</code> {escape(found.messages.get('en', ''))}</li>"
        for found in one.violations
    )
    refused = f'<p class="bad">{escape(one.refused)}</p><ul>{wrong}</ul>' if one.refused else ""
    time = one.at.strftime("%H:%M:%S")
    copy = " (taken twice)" if one.duplicate else ""
    return (
        f"<details><summary>#{one.number} {time} <b>{escape(one.operation or 'unknown operation')}</b>{copy}"
        f" → {escape(one.answered)} <span>{escape(one.rule)}</span></summary>{refused}"
        f"<pre>{escape(one.envelope.decode('utf-8', 'replace'))}</pre></details>"
    )
