"""A Zoho CRM as a partner: its verbs are `reading` and `writing`; here is what lets us in."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from bridge.errors import SettingsError, Unavailable
from bridge.partners.http.bucket import Bucket
from bridge.partners.http.client import Client
from bridge.partners.http.letting_in import Changing, Pass
from bridge.partners.http.oauth import Grant
from bridge.partners.http.tokens import Tokens
from bridge.partners.http.verbs import Verbs
from bridge.partners.kinds import Setting
from bridge.partners.partner import Pong
from bridge.partners.rest.api import Api, Request
from bridge.partners.rest.backend import require
from bridge.partners.zoho.described import Module, Organisation, module_of, organisation_of
from bridge.partners.zoho.notifications import Notifications
from bridge.partners.zoho.outcomes import Zoho
from bridge.partners.zoho.reading import ZohoReader
from bridge.partners.zoho.writing import ZohoWriter


class Domains:
    """The connections to where a pass is good for: the `api_domain` that came with its token, or the address of the settings."""

    def __init__(self, setting: Setting, accounts: Client) -> None:
        self._setting = setting
        self.accounts = accounts
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def __call__(self, letting: Pass) -> Client:
        about = letting.token.about if letting.token is not None else {}
        address = self._setting.options.endpoint or about.get("api_domain", "")
        # Where the tokens come from by TLS, they go nowhere without.
        if not address or urlsplit(address).scheme != urlsplit(self.accounts.base_url).scheme:
            raise Unavailable(
                "Zoho did not say where its API is.",
                advice="Set `endpoint` to the API domain of your data centre: https://www.zohoapis.com and its like.",
            )
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                client = self._clients[address] = Client(address, self._setting.options, self._setting.limits)
            return client

    @property
    def host(self) -> str:
        with self._lock:
            return next((one.host for one in self._clients.values()), self.accounts.host)

    def close(self) -> None:
        with self._lock:
            for client in (self.accounts, *self._clients.values()):
                client.close()


class ZohoBackend(Verbs):
    """Safe to use from several threads."""

    def __init__(self, setting: Setting, organisation: Organisation, modules: Mapping[str, Module]) -> None:
        options = setting.options
        self._domains = Domains(setting, Client(organisation.accounts, options, setting.limits))
        grant = Grant(
            client=self._domains.accounts,
            path="/oauth/v2/token",
            kind="refresh_token",
            client_id=options.client_id,
            client_secret=options.client_secret,
            refresh_token=options.refresh_token,
            about=("api_domain",),
        )
        tokens = Tokens(
            setting.name, setting.store, grant, credentials=grant.credentials, patience=options.deadline
        )
        bucket = Bucket(organisation.calls, organisation.seconds, patience=organisation.patience)
        self._api = Api(self._domains, Changing(tokens, "Zoho-oauthtoken"), judge=Zoho(), bucket=bucket)
        # What its scopes have to allow anyway; that of `org` they need not.
        first = next((f"{module.name}/actions/count" for module in modules.values()), "org")
        self._looked_at = f"{organisation.base}/{first}"
        reader = ZohoReader(self._api, modules, organisation.base)
        super().__init__(reader, ZohoWriter(self._api, modules, reader, organisation.base))
        self.notifications = Notifications(
            setting.name, options.client_secret, self._api, reader, organisation, modules
        )

    def address(self) -> str:
        return self._domains.host

    def close(self) -> None:
        self._domains.close()

    def ping(self) -> Pong:
        started = time.perf_counter()
        reply = self._api.ask(Request(method="GET", path=self._looked_at))
        return Pong(f"HTTP {reply.answer.status_code}", time.perf_counter() - started)


def backend(setting: Setting) -> ZohoBackend:
    """The Zoho CRM that a file describes. Raises SettingsError with every mistake."""
    mistakes: list[str] = []
    organisation = organisation_of(setting.file, mistakes)
    modules = {
        name: module_of(setting.file, entity, organisation.base, mistakes)
        for name, entity in setting.file.entities.items()
    }
    if mistakes:
        raise SettingsError.of(mistakes)
    require(setting, "client_id", "client_secret", "refresh_token")
    return ZohoBackend(setting, organisation, modules)
