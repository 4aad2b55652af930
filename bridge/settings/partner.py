"""What can be set about a system that we call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.settings.fields import WSS_REFERENCE_HELP, WssReference, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One system that we call: `[partners.NAME]`, `bridge.partner("NAME")`."""

    kind: Literal["soap", "rest", "staging", "database", "fxiaoke", "zoho", "salesforce"] = setting(
        "soap",
        "How it is reached: by its WSDL; by REST and JSON; by staging tables in a database between it and us; by its own tables; or a "
        "vendor's own way.",
    )
    entities: Path | None = setting(
        None,
        "The file that says which business objects it has, and how they are reached (docs/partner-files.md). Every kind but soap needs one; "
        "with one a soap partner can be read from.",
    )
    database: str = setting(
        "",
        "URL of the database, for the kinds staging and database: `postgresql+psycopg://user:password@host/name`.",
        secret=True,
    )
    client_id: str = setting(
        "", "For OAuth2, or a vendor's name for it (Fxiaoke: appId; Salesforce: the OrganizationId)."
    )
    client_secret: str = setting("", "Its secret (Fxiaoke: appSecret).", secret=True)
    refresh_token: str = setting(
        "", "A token that was granted once and gets access tokens (Fxiaoke: permanentCode).", secret=True
    )
    token: str = setting("", "A token or API key that does not change, for the kind rest.", secret=True)
    wsdl: str = setting(
        "", "Its contract: a file (from this file's folder), or the name of a shipped contract."
    )
    endpoint: str = setting("", "Its address; empty: the one in the WSDL.")
    service: str = setting("", "The service of the WSDL, where it has several.")
    port: str = setting("", "The port of that service, where several would do.")
    soap: Literal["auto", "1.1", "1.2"] = setting(
        "auto", "SOAP version; auto: the one the WSDL has, 1.1 where it has both."
    )
    addressing: Literal["auto", "yes", "no"] = setting(
        "auto", "Whether WS-Addressing headers go out; auto: where the WSDL says that it uses them."
    )
    username: str = setting("", "For HTTP Basic; empty: none is sent.")
    password: str = setting("", "Its password.", secret=True)
    ca: Path | None = setting(
        None, "Certificates of the authorities that may have signed the partner's; empty: the system's."
    )
    certificate: Path | None = setting(
        None, "Our certificate for the partner, with those between it and the root."
    )
    certificate_key: Path | None = setting(None, "Its key; empty: it is in the same file.")
    wss_username: str = setting("", "For a UsernameToken of WS-Security; empty: none is sent.")
    wss_password: str = setting("", "Its password.", secret=True)
    wss_password_kind: Literal["digest", "text"] = setting(
        "digest", "How the password is sent; as text over https alone."
    )
    wss_timestamp: Literal["auto", "yes", "no"] = setting(
        "auto", "Whether a Timestamp goes out; auto: with a signature, which always has one."
    )
    wss_lifetime: float = setting(
        300.0, "How long a message holds: what its Timestamp says.", unit="seconds", least=1, most=86_400
    )
    wss_certificate: Path | None = setting(
        None,
        "PEM file with the certificate that we sign by: Body, Timestamp, `wss_signed_headers`. Empty: nothing is signed.",
    )
    wss_certificate_key: Path | None = setting(None, "Its key; empty: it is in the same file.")
    wss_reference: WssReference = setting("token", WSS_REFERENCE_HELP)
    wss_signed_headers: tuple[str, ...] = setting(
        (),
        "Header blocks that are signed too, by their names; in replies, those that must be there and signed.",
    )
    wss_trusted: tuple[Path, ...] = setting(
        (),
        "PEM files with the certificates that the partner signs by: its replies, faults too, are believed only with such a "
        "signature over Body and Timestamp. Several for the time in which one replaces another.",
    )
    connect_timeout: float = setting(
        5.0, "For the name, the connection and TLS together.", unit="seconds", least=0.01, most=600
    )
    read_timeout: float = setting(
        30.0,
        "Longest silence while the request is written and the reply awaited.",
        unit="seconds",
        least=0.01,
        most=3600,
    )
    deadline: float = setting(
        60.0, "For the whole call, whatever trickles in.", unit="seconds", least=0.01, most=3600
    )
    max_reply_bytes: int = setting(
        10 * 1024 * 1024,
        "Size of a reply, compressed or not; a larger one is not read on.",
        unit="bytes",
        least=1024,
    )
    secret_headers: tuple[str, ...] = setting(
        (), "Header blocks with credentials, by their names; masked in the journal like `wsse:Security`."
    )
    secret: tuple[str, ...] = setting(
        (),
        "Fields of its messages that are secret, by operation and names from the payload down: `CreateSalesOrder order/card`. Shown "
        "as `***` in logs, commands, violations and errors (docs/hidden-fields.md).",
    )
    keeps_id: bool = setting(
        False,
        "Whether the partner knows a document again by the id that goes with it (`Idempotency-Key`, wsa:MessageID), or by "
        "one in the document, and does it once. Only then a delivery in doubt is sent again by itself.",
    )
    after_failure: Literal["hold", "continue"] = setting(
        "hold",
        "A document was refused or has expired: hold the rest of its ordering key until a person lets it go, or continue.",
    )
    after_doubt: Literal["hold", "continue"] = setting(
        "hold", "The same for one that is in doubt and waits for a person."
    )
    first_delay: float = setting(
        1.0,
        "Wait before a delivery is tried again; doubled each time.",
        unit="seconds",
        least=0.01,
        most=3600,
    )
    max_delay: float = setting(300.0, "The longest such wait.", unit="seconds", least=0.01, most=86_400)
    max_age: float = setting(
        72.0,
        "A delivery that has not got through by then is given up (expired).",
        unit="hours",
        least=0.001,
        most=87_600,
    )
    asks: int = setting(
        5,
        "How often the partner is asked what became of a delivery in doubt, where it can be asked.",
        least=0,
        most=1000,
    )
    concurrency: int = setting(
        4, "Documents on their way to it at the same time, over all processes.", least=1, most=1000
    )
    rate: float = setting(
        0.0,
        "Documents sent to it at most, over all processes; 0: as many as can be. After a lull a quarter of a second's worth "
        "at once.",
        unit="per second",
        least=0,
    )
    open: tuple[str, ...] = setting(
        (),
        "When it takes deliveries, by the clock on its wall: `Mon-Fri 06:00-22:00`, `Sat Sun 08:00-12:00 13:00-16:00`, "
        "`22:00-06:00` (every day, over midnight). Empty: always.",
    )
    zone: str = setting("", "Time zone of `open`. Empty: `contracts.zone`.")
    circuit_failures: int = setting(
        5,
        "So many deliveries in a row that did not reach it, and it is left in peace for a while; then one tries. 0: never.",
        least=0,
        most=1000,
    )
    circuit_pause: float = setting(
        30.0,
        "How long at first; twice as long each time that the one that tries fails, up to ten times the first.",
        unit="seconds",
        least=0.01,
        most=3600,
    )
