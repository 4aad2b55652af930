"""What a partner lets us in by: nothing, HTTP Basic, a token that does not change, or an access token that does."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge.errors import Unauthorised
from bridge.partners.http.tokens import Token, Tokens
from bridge.settings import Partner


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes along with a request; `body` is added to one that is an object. `token` is the access token that it was made of, None
    where there is none."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: Token | None = None


class Doorman(Protocol):
    """Gives out passes. Used by several threads."""

    def get(self) -> Pass:
        """Raises PartnerError where there is none."""

    def another(self, refused: Pass) -> Pass | None:
        """One in the place of what the partner did not take; None where there can be none. Raises as `get`."""


class Fixed:
    """The same pass every time."""

    def __init__(self, given: Pass = Pass()) -> None:
        self._pass = given

    def get(self) -> Pass:
        return self._pass

    def another(self, refused: Pass) -> Pass | None:
        return None


class Changing:
    """Access tokens, in a header: `Authorization: Bearer …`."""

    def __init__(self, tokens: Tokens, scheme: str = "Bearer", header: str = "Authorization") -> None:
        self._tokens = tokens
        self._scheme = scheme
        self._header = header

    def get(self) -> Pass:
        return self._pass(self._tokens.get())

    def another(self, refused: Pass) -> Pass | None:
        found = self._tokens.renewed(refused.token)
        if refused.token is not None and found.access_token == refused.token.access_token:
            raise Unauthorised(
                "The authority gives the same access token again, which the partner does not take.",
                advice="Check the credentials and what they may do there.",
            )
        return self._pass(found)

    def _pass(self, token: Token) -> Pass:
        return Pass({self._header: f"{self._scheme} {token.access_token}".strip()}, token=token)


def basic(options: Partner) -> Fixed:
    """HTTP Basic, of `username` and `password`."""
    pair = f"{options.username}:{options.password}".encode()
    return Fixed(Pass({"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}))
