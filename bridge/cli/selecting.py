"""Options by which commands choose deliveries, and what a person must say who acts upon them."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.delivery.deeds import Selection

Partner = Annotated[str | None, typer.Option("--partner", help="Only for this partner.")]
Key = Annotated[str | None, typer.Option("--key", help="Only of this ordering key.")]
Operation = Annotated[str | None, typer.Option("--operation", help="Only this operation.")]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help="waiting, sending, in_doubt, held, delivered, refused, unreadable or expired; repeatable.",
    ),
]
Cause = Annotated[
    str | None,
    typer.Option("--cause", help="Only what failed for this cause, as `deliveries list` shows it."),
]
Reference = Annotated[str | None, typer.Option("--reference", help="The business document's number.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Put in at or after: ISO 8601; without a zone it is UTC."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Put in before this time.")]

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Deliveries, from a list, a log or a partner.")
]
Who = Annotated[
    str,
    typer.Option("--who", help="Who does it; without it the login name.", default_factory=getpass.getuser),
]
Why = Annotated[str, typer.Option("--why", help="Why; it is written down.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do it, also to several, and also what may be done twice by it."),
]


def selection(
    ids: list[str] | None,
    *,
    partner: str | None,
    key: str | None,
    operation: str | None = None,
    states: list[str] | None = None,
    cause: str | None = None,
    reference: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Selection:
    """What the command line names: ids, a key, a partner, or whatever meets the conditions.

    Raises:
        SettingsError: nothing, or too much.
    """
    from bridge.delivery.deeds import OneKey, WholePartner
    from bridge.store.deliveries import Entries

    conditions = (partner, key, operation, states, cause, reference, since, until)
    if ids:
        if any(one is not None for one in conditions):
            raise SettingsError("Ids are given, and conditions too.", advice="Give one or the other.")
        return ids
    if all(one is None for one in conditions):
        raise SettingsError(
            "It is not said what to act upon.",
            advice="Give ids, --partner, --partner with --key, or conditions like --cause and --since.",
        )
    if key is not None and partner is None:
        raise SettingsError("A key is one of a partner.", advice="Give its --partner too.")
    if not any(one is not None for one in conditions[2:]):
        assert partner is not None
        return WholePartner(partner) if key is None else OneKey(partner, key)
    return Entries(
        partner=partner,
        ordering_key=key,
        operation=operation,
        states=tuple(known_states(states)),
        cause=cause,
        reference=reference,
        since=moment("--since", since),
        until=moment("--until", until),
    )


def known_states(given: list[str] | None) -> list[Any]:
    """Raises SettingsError for one that there is not."""
    from bridge.store.deliveries import State

    known = get_args(State)
    wrong = [one for one in given or () if one not in known]
    if wrong:
        raise SettingsError(f"There is no state {wrong[0]}.", advice=f"There are {', '.join(known)}.")
    return list(given or ())


def moment(option: str, text: str | None) -> datetime | None:
    """A time of the command line. Raises SettingsError where it is none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"{option} is no time: {text!r}.", advice="Write 2026-11-22T08:00 or 2026-11-22."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


As = Annotated[
    Literal["delivered", "refused", "expired", "not-sent"] | None,
    typer.Option("--as", help="What became of it. not-sent: the partner does not have it, send it again."),
]
Ask = Annotated[
    bool,
    typer.Option("--ask", help="Ask the partner, by the function that the bridge registers (@partner.asks)."),
]
OfBridge = Annotated[
    str | None,
    typer.Option("--bridge", metavar="MODULE:BRIDGE", help="For --ask: the bridge that registers it."),
]
