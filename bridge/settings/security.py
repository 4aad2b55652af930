"""What can be set about who gets in, what they may do, and how what is kept is protected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.settings.fields import WSS_REFERENCE_HELP, WssReference, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is answered at all."""

    anonymous: Literal["auto", "yes", "no"] = setting(
        "auto",
        "Whether a request without credentials is answered. auto: only while the bridge listens on this machine alone, tells of no "
        "proxy (`server.public_url`, `server.trusted_proxies`), and knows no callers; and of those requests only what comes from this "
        "machine without a proxy. Where there is a role `anonymous`, it says what may be asked for.",
    )
    pages: Literal["callers", "everybody"] = setting(
        "callers",
        "Who may read contracts and pages (`?wsdl`): those who may call, or everybody.",
    )
    failures: int = setting(
        10,
        "Wrong credentials in a minute, from one address or for one name; further passwords are not looked at (429) until the minute "
        "is over. An API key that is right is taken in any case: nobody comes to one by trying.",
        unit="per minute",
        least=1,
        most=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A partner or a person that calls us: `[callers.NAME]`. The name is the partner's where it is called as well. Its secrets are
    in the store (`soapbridge credentials`), its certificates here."""

    kind: Literal["partner", "person"] = setting("partner", "Another system, or somebody who uses one.")
    roles: tuple[str, ...] = setting((), "What it may do: names of `[roles.NAME]`. None: nothing.")
    certificates: tuple[Path, ...] = setting(
        (),
        "PEM files with the certificates, without those that issued them, that it shows in TLS or signs with. Several for the time in which one replaces another.",
    )
    requires: tuple[str, ...] = setting(
        (),
        "What each of its messages carries in a Security header: `timestamp`, `username`, `signature` (over Body and Timestamp).",
    )
    requires_for: Mapping[str, str] = setting(
        {},
        'The same for single operations, in addition: `{ "purchasing.CreatePurchaseOrder" = "signature" }`, several with spaces '
        "between; `purchasing.*` are all of a service.",
    )
    signed_headers: tuple[str, ...] = setting(
        (),
        "Header blocks that are there, and that a signature covers, wherever one is: local names, or `{namespace}name`.",
    )
    signed_replies: bool = setting(
        False, "Whether answers to it, faults too, are signed, with `wss.certificate`."
    )
    rate: float = setting(
        0.0,
        "Requests answered at most by one process; more get 429. 0: as many as can be. After a lull two seconds' worth at once.",
        unit="per second",
        least=0,
    )
    in_flight: int = setting(
        0,
        "Its requests that one process answers at the same time; more get 429. 0: as many as there are threads.",
        least=0,
        most=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What callers of this role may do: `[roles.NAME]`. Of several roles, each adds to the others."""

    operations: tuple[str, ...] = setting(
        (),
        "Operations: `purchasing.CreatePurchaseOrder`, `purchasing.*`, `*`. A service's name is that in its address.",
    )
    hidden: tuple[str, ...] = setting(
        (),
        "Fields that answers to it go without, by operation and names from the payload down: `purchasing.GetPurchaseOrder "
        "order/supplier/contact`. Only what the contract can do without (docs/hidden-fields.md).",
    )
    sees: Literal["own", "all"] = setting(
        "own",
        "Which documents of the shipped ERP it finds: those that came from the caller itself, or everybody's. A handler of yours "
        "reads it as `call.own_only`.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wss:
    """WS-Security in requests and replies (docs/ws-security.md)."""

    max_age: float = setting(
        300.0, "How old a token or a signature may be.", unit="seconds", least=1, most=86_400
    )
    skew: float = setting(
        60.0, "How far ahead of ours the clock of a sender may be.", unit="seconds", least=0, most=3600
    )
    certificate: Path | None = setting(None, "PEM file with the certificate that answers are signed by.")
    certificate_key: Path | None = setting(None, "Its key; empty: it is in the same file.")
    reference: WssReference = setting("token", WSS_REFERENCE_HELP)
    lifetime: float = setting(
        300.0,
        "How long an answer holds: what its Timestamp says.",
        unit="seconds",
        least=1,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRest:
    """Envelopes and documents in the store, encrypted (docs/at-rest.md)."""

    key_file: Path | None = setting(
        None,
        "File with the key that wraps the data keys: 32 bytes in base64 (`soapbridge keys new`). Empty, with no `key_command`: "
        "nothing is encrypted.",
    )
    key_command: str = setting(
        "",
        "Command that prints that key instead: for a vault or an HSM. Run once at the start, without a shell.",
    )
    renew: float = setting(
        90.0,
        "A data key that is older is replaced by a new one; 0: only by `soapbridge keys rotate`. What it encrypted stays readable.",
        unit="days",
        least=0,
        most=3650,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Who did what, when, and how it ended, in a form that shows tampering (docs/audit.md)."""

    enabled: bool = setting(True, "Whether it is kept.")
    key_file: Path | None = setting(
        None,
        "Ed25519 key that signs it, PEM; the same for all hosts of a store. Made where there is none. It does not belong where whoever "
        "may write to the database can read it.",
        shown_default="`audit-key.pem` in the data folder",
    )
    trusted: tuple[str, ...] = setting(
        (),
        "Public keys of other hosts and of earlier times, as `soapbridge audit key` shows them: what they signed is accepted too.",
    )
    checkpoints: Path | None = setting(
        None,
        "File that every checkpoint is added to, a line each: for a place that whoever may write to the database cannot write to. "
        "Without one, entries removed from the end are not noticed.",
    )
    checkpoint_every: float = setting(
        60.0,
        "Between two checkpoints, where something happened.",
        unit="seconds",
        least=1,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Copies of the store (docs/backup.md)."""

    folder: Path | None = setting(
        None,
        "Where they are kept: a folder for this store's alone, on another disk than the store. Empty: none is made by itself.",
    )
    cron: str = setting(
        "30 2 * * *",
        "When one is made, by `soapbridge up` or `soapbridge worker`: minute, hour, day, month, day of the week, in "
        "`contracts.zone`.",
    )
    keep: int = setting(14, "How many are kept in the folder; then the oldest goes.", least=1, most=10_000)
    key_file: Path | None = setting(
        None,
        "File with the key they are encrypted with: 32 bytes in base64 (`soapbridge keys new`). Empty: the key of "
        "`at_rest`. Keep a copy of it elsewhere: without it a backup is nothing.",
    )
    plain: bool = setting(False, "Make them without encryption where there is no key.")
    tools: Path | None = setting(
        None,
        "Folder with PostgreSQL's pg_dump, pg_restore and psql, of the server's version or a later one. Empty: the fitting ones on "
        "this machine are found.",
    )
