"""Access tokens: got by one process, kept in the store, used by all.

Authorities give few: Zoho ten in ten minutes. So a token is asked for when there is none, when it is about to end, and when the
partner does not take it any more, by one process at a time: the row of the token says who is asking, for how long at most, and when
it was asked before. The others wait for what it brings. The token is kept encrypted where the store is; a bridge without a store has
it in memory.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bridge.errors import NotSent, PartnerError, StoreError, Unauthorised, Unavailable
from bridge.partners.http.time_left import left
from bridge.store import Store, partner_tokens
from bridge.store.clock import SECOND, is_live
from bridge.store.partner_tokens import TokenRow

log = logging.getLogger(__name__)

BEFORE_ITS_END: Final = 60.0
"""Seconds before its end at which a token is replaced; a tenth of its life where that is less."""
BLOCKED: Final = 60.0
"""Seconds for which nobody asks again after credentials were refused: many authorities lock who goes on asking."""
_LOOK: Final = 0.05


@dataclass(frozen=True, slots=True)
class Token:
    """What requests are sent with. `about` is what came beside it (Zoho: api_domain). `expires_at` is POSIX time."""

    access_token: str = field(repr=False)
    expires_at: float
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What an authority gave. `expires_in` in seconds; `refresh_token` where it gave another one, which takes the old one's place."""

    access_token: str = field(repr=False)
    expires_in: float = 3600.0
    refresh_token: str = field(default="", repr=False)
    about: Mapping[str, str] = field(default_factory=dict)


class Tokens:
    """The access token of one partner. Safe to use from several threads and processes.

    Args:
        grant: asks the authority, given the refresh token that took the place of the settings' one ("" where none did). Raises
            PartnerError.
        credentials: what tells one set of credentials from another; only a digest of it is kept.
        most, within: tokens that the authority gives in so many seconds.
        patience: seconds that one request for a token may take; others wait that long for it.
    """

    def __init__(
        self,
        partner: str,
        store: Callable[[], Store | None],
        grant: Callable[[str], Granted],
        *,
        credentials: str,
        most: int = 10,
        within: float = 600.0,
        patience: float = 60.0,
    ) -> None:
        self._partner = partner
        self._store = store
        self._grant = grant
        self._credentials = hashlib.sha256(credentials.encode()).hexdigest()
        self._most = most
        self._within = within
        self._patience = patience
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._requested: list[float] = []
        self._refresh_token = ""

    def get(self) -> Token:
        """A token that holds for a while yet. Raises as `renewed`."""
        token = self._token
        if token is not None and time.time() < token.expires_at:
            return token
        return self.renewed(token)

    def renewed(self, old: Token | None) -> Token:
        """Another token than `old`, which the partner does not take any more.

        Raises:
            Unauthorised: the authority refuses the credentials. Unavailable: it gives none now, or no more for a while.
            NotSent: it cannot be reached, or the store cannot.
        """
        with self._lock:
            now = self._token
            if now is not None and now is not old and time.time() < now.expires_at:
                return now
            refused = "" if old is None else old.access_token
            store = self._store()
            try:
                self._token = self._alone() if store is None else self._shared(store, refused)
            except StoreError as error:
                raise NotSent(
                    f"The access token could not be kept: {error.message} Nothing was sent.",
                    advice=error.advice,
                ) from error
            return self._token

    def _alone(self) -> Token:
        now = time.time()
        self._requested = [one for one in self._requested if now - self._within < one <= now]
        if len(self._requested) >= self._most:
            raise self._too_many(self._requested[0] + self._within - now)
        self._requested.append(now)
        granted = self._grant(self._refresh_token)
        self._refresh_token = granted.refresh_token or self._refresh_token
        return Token(granted.access_token, now + _life(granted.expires_in), granted.about)

    def _shared(self, store: Store, refused: str) -> Token:
        with store.reading() as session:
            row = partner_tokens.read(session, self._partner)
        if row is not None and row.credentials == self._credentials and self._is_good(row, refused):
            return _token(row)
        until = time.monotonic() + left(self._patience)
        while True:
            with store.transaction() as transaction:
                row = partner_tokens.lock(transaction.session, self._partner, self._credentials)
                if self._is_good(row, refused):
                    return _token(row)
                if not is_live(row.lease_until, row.now, self._lease):
                    number = partner_tokens.ask(
                        transaction.session,
                        row,
                        lease_until=row.now + self._lease,
                        requested=self._may_ask(row),
                    )
                    break
            if time.monotonic() > until:
                raise Unavailable(
                    "Another process is getting an access token, and none has come.",
                    retry_after=_LOOK,
                    advice="Repeating is safe.",
                )
            time.sleep(_LOOK)
        return self._asked(store, row, number)

    def _asked(self, store: Store, row: TokenRow, number: int) -> Token:
        """Asks the authority, outside any transaction, and has the others know what came."""
        kept_token = (row.content or {}).get("refresh_token", "")
        try:
            granted = self._grant(kept_token)
        except BaseException as error:
            blocked = isinstance(error, Unauthorised)
            with store.transaction() as transaction:
                partner_tokens.fail(
                    transaction.session,
                    self._partner,
                    number,
                    blocked_until=row.now + int(BLOCKED * SECOND) if blocked else 0,
                    reason=error.message if isinstance(error, PartnerError) and blocked else None,
                )
            raise
        content = {f"about.{name}": value for name, value in granted.about.items()}
        content["access_token"] = granted.access_token
        if granted.refresh_token or kept_token:
            content["refresh_token"] = granted.refresh_token or kept_token
        expires_at = row.now + int(_life(granted.expires_in) * SECOND)
        with store.transaction() as transaction:
            kept = partner_tokens.keep(
                transaction.session, self._partner, number, content=content, expires_at=expires_at
            )
        if not kept:
            log.warning("partner %s: another process got an access token meanwhile", self._partner)
        return _token(row._replace(content=content, expires_at=expires_at))

    @property
    def _lease(self) -> int:
        return int((self._patience + 5) * SECOND)

    def _is_good(self, row: TokenRow, refused: str) -> bool:
        return row.content is not None and row.now < row.expires_at and row.content["access_token"] != refused

    def _may_ask(self, row: TokenRow) -> list[int]:
        """The moments of requests with this one. Raises Unauthorised, Unavailable where there may be none now."""
        if row.now < row.blocked_until <= row.now + int(BLOCKED * SECOND):
            raise Unauthorised(
                f"{row.reason or 'The authority refused the credentials.'} It is not asked again for a minute.",
                advice="Correct `client_id`, `client_secret` or `refresh_token`.",
            )
        within = int(self._within * SECOND)
        recent = [one for one in row.requested if row.now - within < one <= row.now]
        if len(recent) >= self._most:
            raise self._too_many((recent[0] + within - row.now) / SECOND)
        return [*recent, row.now]

    def _too_many(self, seconds: float) -> Unavailable:
        return Unavailable(
            f"{self._most} access tokens were asked for in {self._within:g} seconds, and no more are given.",
            retry_after=max(1.0, seconds),
            advice="Is the same refresh token used elsewhere, or does the partner end tokens early? Repeating is safe.",
        )


def _token(row: TokenRow) -> Token:
    content = row.content or {}
    about = {name.removeprefix("about."): value for name, value in content.items() if "." in name}
    # The database's clock may be another than ours: what is left of it counts.
    return Token(content["access_token"], time.time() + (row.expires_at - row.now) / SECOND, about)


def _life(expires_in: float) -> float:
    return max(0.0, expires_in - min(BEFORE_ITS_END, expires_in / 10))
