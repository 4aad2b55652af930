"""docs/order-states.md, made from the table of moves: `python -m bridge.erp.state_page` prints it (`make docs`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bridge.erp.states import EVENTS, MOVES, NEW_PURCHASE_ORDER, PURCHASE_ORDER_STATES, State, allowing

_HEAD = """\
# States of a purchase order

Made from the table in `bridge/erp/states.py` by `make docs`; a test compares them. A request that the table does not allow is
answered with the fault InvalidState, which names the state of the order and the states that would have allowed it."""


def as_markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, "", *_drawing(), "", *_states(), "", *_moves(), "", *_events(), ""])


def _drawing() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {NEW_PURCHASE_ORDER}"
    for (state, event), to in MOVES.items():
        yield f"    {state} --> {to}: {event}"
    for state in PURCHASE_ORDER_STATES:
        if _is_final(state):
            yield f"    {state} --> [*]"
    yield "```"


def _states() -> Iterator[str]:
    yield "| state | meaning |"
    yield "|---|---|"
    for state, meaning in PURCHASE_ORDER_STATES.items():
        yield f"| `{state}` | {meaning}{'; final' if _is_final(state) else ''} |"


def _moves() -> Iterator[str]:
    yield "Each line is a state, each column an event; an empty cell is a move that does not exist."
    yield ""
    yield f"| | {' | '.join(EVENTS)} |"
    yield f"|---|{'---|' * len(EVENTS)}"
    for state in PURCHASE_ORDER_STATES:
        cells = (MOVES.get((state, event)) for event in EVENTS)
        yield f"| **{state}** | {' | '.join(f'`{to}`' if to else '' for to in cells)} |"


def _events() -> Iterator[str]:
    yield "| event | raised by | allowed in |"
    yield "|---|---|---|"
    for event, cause in EVENTS.items():
        yield f"| `{event}` | {cause} | {', '.join(allowing(event))} |"


def _is_final(state: State) -> bool:
    return not any(source == state for source, _ in MOVES)


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
