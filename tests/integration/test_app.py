"""A bridge as a user's module makes it: what is wrong is told before the first request, all at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge
from bridge.errors import ContractError, HandlerError, SettingsError
from bridge.settings import Caller, Data, Settings

HOST = Path(__file__).parent / "host"


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = (HOST / "desk-1.wsdl").read_text()
    (tmp_path / "shop-1.wsdl").write_text(
        text.replace('type="xs:int" minOccurs', 'type="d:Missing" minOccurs')
    )
    bridge = Bridge(store=False)
    bridge.serve(tmp_path / "shop-1.wsdl")
    desk = bridge.serve(HOST / "desk-1.wsdl")
    desk.operation("Ping")(lambda request, call: "pong")
    with pytest.raises(SettingsError) as caught:
        bridge.check()
    told = str(caught.value)
    assert "Missing" in told
    assert f"{tmp_path / 'shop-1.wsdl'}" in told
    assert "desk-1.wsdl: Echo has no handler" in told
    assert "desk-1.wsdl: Notify has no handler" in told
    assert "Ping has no handler" not in told.replace("shop-1.wsdl: Ping has no handler", "")


def test_a_whole_bridge_passes_its_check(tmp_path: Path) -> None:
    bridge = Bridge(Settings(data=Data(folder=tmp_path / "data")))
    desk = bridge.serve(HOST / "desk-1.wsdl")
    for name in ("Echo", "Notify", "Ping"):
        desk.operation(name)(lambda request, call: None)
    bridge.check()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert bridge.store is not None
    bridge.store.close()


def test_what_callers_must_send_is_checked_and_needs_a_store(tmp_path: Path) -> None:
    signing = Settings(data=Data(folder=tmp_path / "data"), callers={"crm": Caller(requires=("timestamp",))})
    assert "reads none: give it one" in _told(Bridge(signing, store=False))
    wrong = Settings(data=Data(folder=tmp_path / "data"), callers={"crm": Caller(requires=("signatur",))})
    assert "'signatur' is none of" in _told(Bridge(wrong))


def _told(bridge: Bridge) -> str:
    desk = bridge.serve(HOST / "desk-1.wsdl")
    for name in ("Echo", "Notify", "Ping"):
        desk.operation(name)(lambda request, call: None)
    with pytest.raises(SettingsError) as caught:
        bridge.check()
    return str(caught.value)


def test_two_contracts_of_one_address_are_refused(tmp_path: Path) -> None:
    bridge = Bridge(store=False)
    bridge.serve(HOST / "desk-1.wsdl")
    bridge.serve(HOST / "desk-2.wsdl")
    (tmp_path / "desk-1.wsdl").write_text((HOST / "desk-1.wsdl").read_text())
    with pytest.raises(HandlerError, match="both served at /services/desk"):
        bridge.serve(tmp_path / "desk-1.wsdl")


def test_a_wsdl_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(ContractError, match=r"nowhere\.wsdl"):
        Bridge(store=False).serve("nowhere.wsdl")


def test_settings_are_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text('[server]\nport = 8099\n[data]\nfolder = "here"\n')
    bridge = Bridge.load(tmp_path / "bridge.toml", store=False)
    assert bridge.settings.server.port == 8099
    assert bridge.store is None


def test_the_application_runs_under_any_wsgi_server() -> None:
    from wsgiref.validate import validator

    bridge = Bridge(store=False)
    desk = bridge.serve(HOST / "desk-1.wsdl")

    @desk.operation("Echo")
    def answer(request: Any, call: Any) -> dict[str, Any]:
        return {"text": request.text, "count": 1}

    application = validator(bridge.wsgi())
    body = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        b'<Echo xmlns="urn:test:desk:1"><text>a</text></Echo></s:Body></s:Envelope>'
    )
    got: list[str] = []

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        got.append(status)
        return lambda data: None

    for method, path, sent in (
        ("POST", "/services/desk", body),
        ("GET", "/services/desk", b""),
        ("HEAD", "/services/desk", b""),
        ("GET", "/", b""),
        ("POST", "/", body),
        ("PUT", "/services/desk", body),
    ):
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "text/xml",
            "CONTENT_LENGTH": str(len(sent)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        result = application(environ, start)
        b"".join(result)
        result.close()  # type: ignore[attr-defined]
    assert [status[:3] for status in got] == ["200", "200", "200", "200", "404", "405"]


@pytest.mark.parametrize(
    ("action", "answered"),
    [('"urn:test:same-input/Lock"', "true"), ('"urn:test:same-input/Unlock"', "false"), ('"urn:else"', None)],
)
def test_operations_with_the_same_input_are_told_apart_by_the_action_and_by_nothing_else(
    action: str, answered: str | None
) -> None:
    bridge = Bridge(store=False)
    door = bridge.serve(Path(__file__).parents[1] / "contracts" / "same-input.wsdl")
    door.operation("Lock")(lambda request, call: True)
    door.operation("Unlock")(lambda request, call: False)
    body = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        b'<Key xmlns="urn:test:same-input">k</Key></s:Body></s:Envelope>'
    )
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": door.path,
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_SOAPACTION": action,
        "wsgi.input": io.BytesIO(body),
    }
    reply = b"".join(bridge.wsgi()(environ, lambda status, headers: None)).decode()
    assert (f">{answered}<" if answered else "<faultcode>soap:Client</faultcode>") in reply


class Closing:
    """A partner that counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_bridge_that_is_closed_leaves_no_connection_open_and_may_go_on(tmp_path: Path) -> None:
    bridge = Bridge(Settings(data=Data(folder=tmp_path)))
    bridge.close()
    assert not list(tmp_path.iterdir()), "nobody has looked at the store"
    partner: Any = Closing()
    bridge.partners["erp"] = partner
    assert bridge.store is not None
    bridge.store.migrate()
    bridge.close()
    assert partner.closed == 1
    assert not list(tmp_path.glob("*-wal")), "SQLite removes it with the last connection"
    bridge.store.check()
    bridge.close()
