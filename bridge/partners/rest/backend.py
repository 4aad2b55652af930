"""A partner with an API, as its file describes it: the verbs are `reading` and `writing`, what lets us in is put together here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bridge.errors import SettingsError
from bridge.partners.http.bucket import Bucket
from bridge.partners.http.client import Client
from bridge.partners.http.letting_in import Changing, Doorman, Fixed, Pass, basic
from bridge.partners.http.oauth import Grant
from bridge.partners.http.tokens import Tokens
from bridge.partners.http.verbs import Verbs
from bridge.partners.kinds import Setting
from bridge.partners.partner import Pong
from bridge.partners.rest.api import Api, Request, always
from bridge.partners.rest.described import Described, Description, described, description_of
from bridge.partners.rest.reading import Reader
from bridge.partners.rest.writing import Writer


class RestBackend(Verbs):
    """Safe to use from several threads.

    Args:
        clients: the connections that are closed with it; the first leads to the partner.
    """

    def __init__(
        self, api: Api, clients: Sequence[Client], description: Description, entities: Mapping[str, Described]
    ) -> None:
        self._api = api
        self._clients = clients
        self._ping = description.ping
        reader = Reader(api, entities)
        super().__init__(reader, Writer(api, entities, reader, id_header=description.id_header))

    def address(self) -> str:
        return self._clients[0].host

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def ping(self) -> Pong:
        started = time.perf_counter()
        reply = self._api.ask(Request(method="GET", path=self._ping))
        return Pong(f"HTTP {reply.answer.status_code}", time.perf_counter() - started)


def doorman_of(setting: Setting, description: Description, clients: list[Client]) -> Doorman:
    """What the file and the settings let us in by. Raises SettingsError where credentials are missing."""
    options = setting.options
    match description.let_in:
        case "none":
            return Fixed()
        case "basic":
            require(setting, "username", "password")
            return basic(options)
        case "oauth2":
            assert description.authority is not None
            return Changing(_tokens(setting, description, clients), description.authority.scheme)
        case "query":
            require(setting, "token")
            return Fixed(Pass(params=((description.name_of_token, options.token),)))
        case let_in:
            require(setting, "token")
            header, prefix = (
                ("Authorization", "Bearer") if let_in == "bearer" else (description.name_of_token, "")
            )
            return Fixed(Pass({header: f"{description.prefix or prefix} {options.token}".strip()}))


def _tokens(setting: Setting, description: Description, clients: list[Client]) -> Tokens:
    authority, options = description.authority, setting.options
    assert authority is not None
    require(setting, "client_id", "client_secret")
    if authority.grant == "refresh_token":
        require(setting, "refresh_token")
    clients.append(Client(authority.base_url, options, setting.limits))
    grant = Grant(
        client=clients[-1],
        path=authority.path,
        kind=authority.grant,
        client_id=options.client_id,
        client_secret=options.client_secret,
        refresh_token=options.refresh_token,
        scope=authority.scope,
        in_header=authority.in_header,
    )
    return Tokens(
        setting.name,
        setting.store,
        grant,
        credentials=grant.credentials,
        most=authority.most,
        within=authority.within,
        patience=options.deadline,
    )


def require(setting: Setting, *names: str) -> None:
    missing = [name for name in names if not getattr(setting.options, name)]
    if missing:
        raise SettingsError(
            f"partners.{setting.name}: {' and '.join(missing)} must be given, as its file has it let us in by them.",
            advice=f"Set {', '.join(f'SOAPBRIDGE_PARTNERS_{setting.name.upper()}_{name.upper()}' for name in missing)}.",
        )


def backend(setting: Setting) -> RestBackend:
    """The partner that a file describes. Raises SettingsError with every mistake."""
    mistakes: list[str] = []
    description = description_of(setting.file, mistakes)
    entities = {
        name: described(setting.file, entity, mistakes) for name, entity in setting.file.entities.items()
    }
    address = setting.options.endpoint or description.base_url
    if not address:
        mistakes.append(f"{setting.file.place('partner', 'base_url')}: partner.base_url must be given")
    if mistakes:
        raise SettingsError.of(mistakes)
    clients = [Client(address, setting.options, setting.limits)]
    api = Api(
        always(clients[0]),
        doorman_of(setting, description, clients),
        judge=description.errors,
        bucket=Bucket(description.calls, description.seconds, patience=description.patience),
        headers=description.headers,
    )
    return RestBackend(api, clients, description, entities)
