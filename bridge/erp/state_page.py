"""docs/order-states.md and docs/sales-states.md, made from the tables of moves: `python -m bridge.erp.state_page purchasing` or `sales`
prints one (`make docs`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from bridge.erp.moves import Moves
from bridge.erp.sales.states import SALES_ORDER
from bridge.erp.states import PURCHASE_ORDER

AnyMoves = Moves[Any, Any]


class Page(NamedTuple):
    """What a page is about."""

    title: str
    file: str
    moves: AnyMoves


PAGES: Final[Mapping[str, Page]] = {
    "purchasing": Page("States of a purchase order", "bridge/erp/states.py", PURCHASE_ORDER),
    "sales": Page("States of a sales order", "bridge/erp/sales/states.py", SALES_ORDER),
}

_HEAD = """\
# {title}

Made from the table in `{file}` by `make docs`; a test compares them. A request that the table does not allow is
answered with the fault InvalidState, which names the state of the order and the states that would have allowed it."""


def as_markdown(page: Page) -> str:
    """The whole page."""
    head = _HEAD.format(title=page.title, file=page.file)
    moves = page.moves
    return "\n".join(
        [head, "", *_drawing(moves), "", *_states(moves), "", *_moves(moves), "", *_events(moves), ""]
    )


def _drawing(table: AnyMoves) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {table.new}"
    for (state, event), to in table.moves.items():
        yield f"    {state} --> {to}: {event}"
    for state in table.states:
        if table.is_final(state):
            yield f"    {state} --> [*]"
    yield "```"


def _states(table: AnyMoves) -> Iterator[str]:
    yield "| state | meaning |"
    yield "|---|---|"
    for state, meaning in table.states.items():
        yield f"| `{state}` | {meaning}{'; final' if table.is_final(state) else ''} |"


def _moves(table: AnyMoves) -> Iterator[str]:
    yield "Each line is a state, each column an event; an empty cell is a move that does not exist."
    yield ""
    yield f"| | {' | '.join(table.events)} |"
    yield f"|---|{'---|' * len(table.events)}"
    for state in table.states:
        cells = (table.moves.get((state, event)) for event in table.events)
        yield f"| **{state}** | {' | '.join(f'`{to}`' if to else '' for to in cells)} |"


def _events(table: AnyMoves) -> Iterator[str]:
    yield "| event | raised by | allowed in |"
    yield "|---|---|---|"
    for event, cause in table.events.items():
        yield f"| `{event}` | {cause} | {', '.join(table.allowing(event))} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown(PAGES[sys.argv[1]]))
