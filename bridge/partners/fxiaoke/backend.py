"""A Fxiaoke as a partner: its verbs are `reading` and `writing`; here is what they are made of."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bridge.errors import SettingsError
from bridge.partners.fxiaoke.access import Door, Grant
from bridge.partners.fxiaoke.calling import Caller
from bridge.partners.fxiaoke.codes import Codes
from bridge.partners.fxiaoke.described import Tenant, Thing, tenant_of, thing_of
from bridge.partners.fxiaoke.reading import Reader
from bridge.partners.fxiaoke.writing import Writer
from bridge.partners.http.client import Client
from bridge.partners.http.tokens import Tokens
from bridge.partners.http.verbs import Verbs
from bridge.partners.kinds import Setting
from bridge.partners.partner import Pong
from bridge.partners.rest.backend import require


class FxiaokeBackend(Verbs):
    """Safe to use from several threads."""

    def __init__(self, setting: Setting, tenant: Tenant, things: Mapping[str, Thing]) -> None:
        options = setting.options
        self._client = Client(options.endpoint or tenant.base_url, options, setting.limits)
        grant = Grant(
            client=self._client,
            older=tenant.older,
            app_id=options.client_id,
            app_secret=options.client_secret,
            permanent_code=options.refresh_token,
        )
        tokens = Tokens(
            setting.name,
            setting.store,
            grant,
            credentials=grant.credentials,
            most=10,
            within=60.0,
            patience=options.deadline,
        )
        self._caller = Caller(self._client, Door(tokens, tenant.user, older=tenant.older), tenant, Codes())
        reader = Reader(self._caller, things)
        super().__init__(reader, Writer(self._caller, things, reader, tenant))

    def address(self) -> str:
        return self._client.host

    def close(self) -> None:
        self._client.close()

    def ping(self) -> Pong:
        started = time.perf_counter()
        self._caller.post("/cgi/crm/v2/object/list", {"data": {}}, reads=True)
        return Pong("errorCode 0", time.perf_counter() - started)


def backend(setting: Setting) -> FxiaokeBackend:
    """The Fxiaoke that a file describes. Raises SettingsError with every mistake."""
    mistakes: list[str] = []
    tenant = tenant_of(setting.file, mistakes)
    things = {
        name: thing_of(setting.file, entity, mistakes) for name, entity in setting.file.entities.items()
    }
    if mistakes:
        raise SettingsError.of(mistakes)
    require(setting, "client_id", "client_secret", "refresh_token")
    return FxiaokeBackend(setting, tenant, things)
