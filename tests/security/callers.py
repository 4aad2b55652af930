"""Who may call the bridge that is attacked, and messages that prove to be from them in each way there is.

crm       the honest client: API key, HTTP Basic, UsernameToken digest, X.509 signature
mallory   the attacker, who has an API key and a certificate of its own: whatever an insider could do, the attacks do
strict    whom the attacker wants to be: its messages carry a signature over Body, Timestamp and MessageID
reader    may read orders and nothing else
"""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.access.development import Authority
from bridge.atrest.wrapping import WrappingKey
from bridge.cli.credentials import issuing
from bridge.soap.envelope import NAMESPACES
from bridge.soap.media import Version
from bridge.soap.security import header, timestamp, username
from bridge.soap.security.signing import BODY, TIMESTAMP, Signer, sign
from tests.signatures import ADDRESSING, MESSAGE_ID
from tests.wrapping import EVIL

SETTINGS: Final = """
[data]
folder = "data"

[at_rest]
key_file = "at-rest.key"

[callers.crm]
roles = ["buyer"]
certificates = ["certs/crm.pem"]

[callers.mallory]
roles = ["buyer"]
certificates = ["certs/mallory.pem"]

[callers.strict]
roles = ["buyer"]
certificates = ["certs/strict.pem"]
requires = ["timestamp", "signature"]
signed_headers = ["MessageID"]

[callers.reader]
roles = ["reader"]

[roles.buyer]
operations = ["purchasing.*"]
sees = "all"

[roles.reader]
operations = ["purchasing.GetPurchaseOrder"]
sees = "all"
"""
PARTS: Final = (BODY, TIMESTAMP, MESSAGE_ID)


@dataclass(frozen=True, slots=True)
class Callers:
    """Their secrets. `password` is crm's, for HTTP and for WS-Security both."""

    folder: Path
    api_keys: dict[str, str]
    password: str
    signers: dict[str, Signer]

    def api_key(self, name: str) -> bytes:
        """The HTTP header, as a line."""
        return f"X-API-Key: {self.api_keys[name]}\r\n".encode()

    def digest(self, payload: str, *, nonce: bytes | None = None, password: str | None = None) -> bytes:
        """crm's message with a UsernameToken."""
        token = username.write(
            "crm",
            password or self.password,
            as_digest=True,
            nonce=nonce or secrets.token_bytes(16),
            now=time.time(),
        )
        return secured(payload, token)

    def signed(self, payload: str, who: str = "strict", *, parts: Iterable[str] = PARTS) -> bytes:
        """A message with its signature over these parts."""
        return sign(stamped(payload), self.signers[who], parts)


def secured(payload: str, *tokens: str, before: str = "", version: Version = "1.1") -> bytes:
    """An envelope with a Security header of these tokens, and `before` in front of that."""
    return (
        f'<s:Envelope xmlns:s="{NAMESPACES[version]}"><s:Header>{before}{header.write(*tokens, version=version)}</s:Header>'
        f"<s:Body>{payload}</s:Body></s:Envelope>"
    ).encode()


def stamped(payload: str, *, age: float = 0.0) -> bytes:
    """An envelope with a MessageID and a Timestamp of so many seconds ago, ready to be signed."""
    stamp = timestamp.write(time.time() - age, 300, name="timestamp")
    return secured(
        payload, stamp, before=f'<a:MessageID xmlns:a="{ADDRESSING}">urn:uuid:{uuid.uuid4()}</a:MessageID>'
    )


def basic(name: str, password: str) -> str:
    """The value of Authorization."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def prepare(folder: Path) -> Callers:
    """Makes certificates, keys and secrets in the folder, where bridge.toml is already."""
    authority = Authority(folder / "certs")
    authority.server()
    signers = {}
    for name in ("crm", "mallory", "strict", "stranger"):
        file = authority.client(name)
        signers[name] = Signer.of(file.with_suffix(".key").read_bytes(), file.read_bytes())
    twin = Authority(folder / "twin").client("strict")
    signers["twin"] = Signer.of(twin.with_suffix(".key").read_bytes(), twin.read_bytes())
    WrappingKey.new().write(folder / "at-rest.key")
    password = secrets.token_urlsafe(24)
    with issuing(str(folder / "bridge.toml")) as issued:
        api_keys = {name: issued.api_key(name)[1] for name in ("crm", "mallory", "strict", "reader")}
        issued.password("crm", password)
        issued.wss_password("crm", password)
    return Callers(folder, api_keys, password, signers)


def evil_order(message: bytes, payload: str) -> bytes:
    """The message with an order that was never signed where a wrapping put its own; what it put into that stays in it."""
    start, end = "<o:order", "</o:order>"
    inside, closing = payload.rsplit("</", 1)
    text = message.decode().replace(EVIL.removesuffix(end), inside)
    return (text if start in text else text.replace(end, "</" + closing)).encode()
