"""What lets us in: an access token, the company, and the user in whose name we act.

| | newer (`access = "oauth2"`) | older (`access = "corp"`) |
|---|---|---|
| a token comes from | `/oauth2.0/token` | `/cgi/corpAccessToken/get/V2` |
| it goes into | the header Authorization | `corpAccessToken` of the body |
| the company | the header x-fs-ea | `corpId` of the body |
| the user | the header x-fs-userid: `1000` | `currentOpenUserId` of the body: `FSUID_…` |

A token holds for 7,200 seconds; in the first 6,600 of them everybody who asks is given the same. It may be asked for ten times in a minute,
never twice at once: `Tokens` has one process ask at a time, and keeps it for the others.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import PartnerError, Unauthorised, Unavailable
from bridge.partners.fxiaoke.codes import DAY_USED_UP, FAILED, NONE_BOUGHT, TOO_OFTEN
from bridge.partners.http import json_body, outcomes
from bridge.partners.http.client import Client, harmless
from bridge.partners.http.letting_in import Changing, Pass
from bridge.partners.http.tokens import Granted, Token, Tokens
from bridge.partners.http.wire import Answer
from bridge.soap.text import echo

_LATER = frozenset({*FAILED, *TOO_OFTEN, DAY_USED_UP, NONE_BOUGHT})


def trace() -> tuple[tuple[str, str], ...]:
    """The parameter that names a request: another UUID each time."""
    return (("thirdTraceId", str(uuid.uuid4())),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Asks Fxiaoke for access tokens."""

    client: Client
    older: bool
    app_id: str
    app_secret: str = field(repr=False)
    permanent_code: str = field(repr=False)

    @property
    def credentials(self) -> str:
        """What tells one set of credentials from another."""
        return "\n".join(
            (self.client.base_url, str(self.older), self.app_id, self.app_secret, self.permanent_code)
        )

    def __call__(self, _: str = "") -> Granted:
        """An access token. Raises PartnerError; Unauthorised where the credentials are refused."""
        body = {
            "appId": self.app_id,
            "appSecret": self.app_secret,
            "permanentCode": self.permanent_code,
        }
        path = "/cgi/corpAccessToken/get/V2"
        if not self.older:
            path, body = "/oauth2.0/token", {**body, "grantType": "app_secret"}
        try:
            answer = self.client.request("POST", path, params=trace(), body=json_body.write(body))
            return self._granted(answer)
        except PartnerError as error:
            error.reply = b""  # a token, or what somebody made of our secret: not for the journal
            raise harmless(error) from error

    def _granted(self, answer: Answer) -> Granted:
        try:
            found = json_body.read(answer.content, answer.headers.get("Content-Type") or "")
        except ValueError:
            found = None
        names = ("corpAccessToken", "corpId") if self.older else ("accessToken", "ea")
        if not isinstance(found, dict) or answer.status_code >= 300:
            raise outcomes.judge(answer) or Unavailable(
                f"Fxiaoke answered {outcomes.named(answer.status_code)}, and no JSON.{outcomes.page(answer)}",
                status=answer.status_code,
                advice="Is the address right? It is open.fxiaoke.com or your cloud's open-…, never www.fxiaoke.com.",
            )
        token, company = (found.get(name) for name in names)
        if str(found.get("errorCode")) != "0" or not isinstance(token, str) or not token or not company:
            raise _refusal(answer, found)
        return Granted(
            access_token=token, expires_in=_seconds(found.get("expiresIn")), about={"company": str(company)}
        )


def _refusal(answer: Answer, found: dict[str, Any]) -> PartnerError:
    code = echo(str(found.get("errorCode")), 20)
    said = f"Fxiaoke gives no access token: {code}: {echo(str(found.get('errorMessage') or ''), 300)}."
    if code in _LATER:
        return Unavailable(
            said, status=answer.status_code, retry_after=60.0, advice="Nothing was sent; repeating is safe."
        )
    return Unauthorised(
        said,
        status=answer.status_code,
        advice="Correct `client_id` (appId), `client_secret` (appSecret) or `refresh_token` (permanentCode); is the app in developer "
        "mode, and our address among those that it may be called from?",
    )


def _seconds(given: Any) -> float:
    try:
        return min(max(float(given), 0.0), 7_200.0)
    except (TypeError, ValueError):
        return 7_200.0


class Door(Changing):
    """Passes of both forms."""

    def __init__(self, tokens: Tokens, user: str, *, older: bool) -> None:
        super().__init__(tokens)
        self._user = user
        self._older = older

    def _pass(self, token: Token) -> Pass:
        company = token.about.get("company", "")
        if self._older:
            body = {
                "corpAccessToken": token.access_token,
                "corpId": company,
                "currentOpenUserId": self._user,
            }
            return Pass(params=trace(), body=body, token=token)
        headers = {
            "Authorization": f"Bearer {token.access_token}",
            "x-fs-ea": company,
            "x-fs-userid": self._user,
        }
        return Pass(headers, trace(), token=token)
