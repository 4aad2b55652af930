"""OAuth 2.0: an access token for a refresh token, or for the client's own credentials (RFC 6749, sections 4.4 and 6)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from bridge.errors import PartnerError, Unauthorised, Unavailable
from bridge.partners.http import json_body, outcomes
from bridge.partners.http.client import Client, harmless
from bridge.partners.http.tokens import Granted
from bridge.partners.http.wire import Answer
from bridge.soap.text import echo

Kind = Literal["client_credentials", "refresh_token"]
_LATER: Final = frozenset({"slow_down", "temporarily_unavailable", "server_error"})
_TOO_MANY: Final = ("too many", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Asks one authority for access tokens.

    Args:
        client: the connections to it, and `path` its place there.
        in_header: client id and secret go as HTTP Basic, else in the body.
        about: further fields of its answer that are kept with the token.
    """

    client: Client
    path: str
    kind: Kind
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    in_header: bool = False
    about: tuple[str, ...] = ()

    @property
    def credentials(self) -> str:
        """What tells one set of credentials from another."""
        return "\n".join(
            (self.client.base_url, self.path, self.kind, self.client_id, self.client_secret, self.refresh_token, self.scope)
        )  # fmt: skip

    def __call__(self, refresh_token: str = "") -> Granted:
        """An access token. Raises PartnerError; Unauthorised where the credentials are refused."""
        form: dict[str, str] = {"grant_type": self.kind}
        headers = {}
        if self.kind == "refresh_token":
            form["refresh_token"] = refresh_token or self.refresh_token
        if self.scope:
            form["scope"] = self.scope
        if self.in_header:
            pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        try:
            answer = self.client.request(
                "POST",
                self.path,
                headers=headers,
                body=urlencode(form).encode(),
                content_type="application/x-www-form-urlencoded",
            )
            return self._granted(answer)
        except PartnerError as error:
            error.reply = b""  # a token, or what somebody made of our secret: not for the journal
            raise harmless(error) from error

    def _granted(self, answer: Answer) -> Granted:
        try:
            found = json_body.read(answer.content, answer.headers.get("Content-Type") or "")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise outcomes.judge(answer) or Unavailable(
                f"The authority answered {outcomes.named(answer.status_code)}, and no JSON.{outcomes.page(answer)}",
                status=answer.status_code,
                advice="Is the token's address right?",
            )
        if "access_token" not in found or not isinstance(found["access_token"], str):
            raise self._refusal(answer, found)
        return Granted(
            access_token=found["access_token"],
            expires_in=_seconds(found.get("expires_in")),
            refresh_token=str(found.get("refresh_token") or ""),
            about={name: str(found[name]) for name in self.about if found.get(name)},
        )

    def _refusal(self, answer: Answer, found: dict[str, Any]) -> PartnerError:
        """Why there is none; some authorities say so inside HTTP 200."""
        code = echo(str(found.get("error") or ""), 100)
        told = echo(str(found.get("error_description") or ""), 300)
        said = f"The authority gives no access token: {code or outcomes.named(answer.status_code)}. {told}".strip()
        later = code in _LATER or any(word in told.lower() for word in _TOO_MANY)
        if later or answer.status_code == 429 or answer.status_code >= 500:
            seconds = outcomes.busy(answer).retry_after
            return Unavailable(
                said, status=answer.status_code, retry_after=seconds, advice="Repeating is safe."
            )
        return Unauthorised(
            said,
            status=answer.status_code,
            advice="Correct `client_id`, `client_secret` or `refresh_token`; a token that was revoked has to be granted anew.",
        )


def _seconds(given: Any) -> float:
    try:
        return min(float(given), 366 * 86_400.0) if given is not None else 3600.0
    except (TypeError, ValueError):
        return 3600.0
