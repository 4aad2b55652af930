"""Who may read the figures beside the services, and on a port of their own."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import Bridge
from bridge.errors import SettingsError
from bridge.ops.metrics import Metrics
from bridge.settings import Metrics as MetricsSettings
from bridge.settings import Server, Settings, load


def metrics(allow: tuple[str, ...] | None = None, *, port: int = 0, **server: Any) -> Metrics:
    shown = MetricsSettings(port=port) if allow is None else MetricsSettings(port=port, allow=allow)
    return Metrics(Bridge(Settings(metrics=shown, server=Server(**server)), store=False))


def asked(remote: str = "127.0.0.1", host: str = "127.0.0.1:8080", **more: str) -> dict[str, Any]:
    return {"REMOTE_ADDR": remote, "HTTP_HOST": host, **more}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
@pytest.mark.parametrize("remote", ["127.0.0.1", "::1", "127.0.0.7", "::ffff:127.0.0.1"])
def test_this_machine_may_read_them_beside_the_services(remote: str, host: str) -> None:
    assert metrics().admits_beside_services(asked(remote, host))


@pytest.mark.parametrize("remote", ["10.0.0.7", "2001:db8::1", "::ffff:10.0.0.7", "", "unix:"])
def test_strangers_may_not(remote: str) -> None:
    shown = metrics()
    assert not shown.admits(asked(remote))
    assert not shown.admits_beside_services(asked(remote))


@pytest.mark.parametrize(
    "environ",
    [
        asked(HTTP_X_FORWARDED_FOR="10.0.0.7"),
        asked(HTTP_FORWARDED="for=10.0.0.7"),
        asked(HTTP_VIA="1.1 proxy"),
        asked(HTTP_X_REAL_IP="10.0.0.7"),
        asked(host="bridge.example.com"),
        asked(host="127.0.0.1.example.com"),
        asked(host="localhost@example.com"),
        asked(host=""),
    ],
)
def test_who_comes_through_a_proxy_on_this_machine_may_not(environ: dict[str, Any]) -> None:
    assert not metrics().admits_beside_services(environ)


@pytest.mark.parametrize(
    "server",
    [{"public_url": "https://bridge.example.com"}, {"trusted_proxies": ("10.0.0.0/8",)}],
)
def test_where_the_settings_tell_of_a_proxy_nobody_may_beside_the_services(server: dict[str, Any]) -> None:
    shown = metrics(**server)
    assert not shown.admits_beside_services(asked())
    assert shown.admits(asked())


def test_with_a_port_of_their_own_they_are_not_beside_the_services() -> None:
    assert not metrics(port=9464).admits_beside_services(asked())


def test_named_addresses_may_and_then_nobody_else() -> None:
    shown = metrics(("10.0.0.0/8",))
    assert shown.admits_beside_services(asked("10.1.2.3", "bridge.internal"))
    assert not shown.admits_beside_services(asked())


def test_an_empty_list_is_nobody() -> None:
    assert not metrics(()).admits_beside_services(asked())


def test_an_allowed_address_that_is_none_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"metrics.allow: 'everyone' is no address and no network"):
        load(environ={"SOAPBRIDGE_METRICS_ALLOW": "everyone"})
    with pytest.raises(SettingsError, match=r"metrics.port is server.port"):
        load(environ={"SOAPBRIDGE_METRICS_PORT": "8080"})
