"""What we take from Spyne 2.14: every hook we override is there, with the arguments it is called with."""

from __future__ import annotations

import gc
import inspect
import logging
import subprocess
import sys

import pytest
import spyne
from spyne.application import Application
from spyne.context import MethodContext
from spyne.model.fault import Fault
from spyne.protocol.soap import Soap11
from spyne.server import ServerBase
from spyne.server.wsgi import WsgiApplication, WsgiMethodContext

from bridge.app import Bridge
from bridge.exchange import Exchange
from bridge.host.protocol import Protocol, Stopped
from bridge.host.wsgi import Ctx, HostedService
from tests.integration.host.conftest import bind, echo, envelope

HOOKS = {
    (Soap11, "create_in_document"): "(self, ctx, charset=None)",
    (Soap11, "decompose_incoming_envelope"): "(self, ctx, message=<class 'spyne.protocol._base.Request'>)",
    (Soap11, "get_call_handles"): "(self, ctx)",
    (Soap11, "generate_method_contexts"): "(self, ctx)",
    (Soap11, "deserialize"): "(self, ctx, message)",
    (Soap11, "serialize"): "(self, ctx, message)",
    (Soap11, "create_out_string"): "(self, ctx, charset=None)",
    (Soap11, "fault_to_http_response_code"): "(self, fault)",
    (WsgiApplication, "__init__"): "(self, app, chunked=True, max_content_length=2097152, block_length=8192)",
    (WsgiApplication, "__call__"): "(self, req_env, start_response, wsgi_url=None)",
    (WsgiApplication, "handle_rpc"): "(self, req_env, start_response)",
    (ServerBase, "generate_contexts"): "(self, ctx, in_string_charset=None)",
    (ServerBase, "get_in_object"): "(self, ctx)",
    (ServerBase, "get_out_object"): "(self, ctx)",
    (ServerBase, "get_out_string"): "(self, ctx)",
    (MethodContext, "fire_event"): "(self, event, *args, **kwargs)",
    (MethodContext, "close"): "(self)",
    (Application, "process_request"): "(self, ctx)",
    (Application, "call_wrapper"): "(self, ctx)",
    (Application, "__init__"): "(self, services, tns, name=None, in_protocol=None, out_protocol=None, config=None, "
    "classes=(), documents_container=<class 'spyne.interface._base.InterfaceDocuments'>)",
    (Fault, "__init__"): "(self, faultcode='Server', faultstring='', faultactor='', detail=None, lang='en')",
}  # fmt: skip


def test_spyne_is_of_the_series_we_know() -> None:
    assert spyne.__version__.startswith("2.14.")


@pytest.mark.parametrize(("owner", "name"), HOOKS)
def test_a_hook_we_use_has_the_signature_we_know(owner: type, name: str) -> None:
    assert str(inspect.signature(getattr(owner, name))) == HOOKS[owner, name]


@pytest.fixture
def hosted() -> HostedService:
    bridge = Bridge(store=False)
    bind(bridge)
    return HostedService(bridge.inbound(bridge.services["/services/desk"]))


def test_our_context_has_every_attribute_of_a_stock_one(hosted: HostedService) -> None:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
    stock = WsgiMethodContext(hosted, environ, "text/xml")
    ours = Ctx(hosted, environ, Exchange(b""))
    assert [name for name in vars(stock) if not hasattr(ours, name)] == []
    missing = [name for name in vars(stock.transport) if not hasattr(ours.transport, name)]
    assert missing == []


def test_spyne_sees_one_function_under_a_name_that_no_other_application_has(hosted: HostedService) -> None:
    protocol = hosted.app.in_protocol
    assert isinstance(protocol, Protocol)
    assert len(protocol.handles) == 1
    bridge = Bridge(store=False)
    bind(bridge)
    other = HostedService(bridge.inbound(bridge.services["/services/desk"]))
    assert (other.app.tns, other.app.name) != (hosted.app.tns, hosted.app.name)
    assert other.app.in_protocol.handles[0].name != protocol.handles[0].name


def test_listeners_of_spynes_events_are_called_in_spynes_order(hosted: HostedService) -> None:
    heard: list[str] = []
    names = ["method_context_created", "method_call", "method_return_object", "method_return_document",
             "method_return_string", "method_context_closed"]  # fmt: skip
    for name in names:
        hosted.app.event_manager.add_listener(
            name, lambda ctx, name=name: heard.append(f"{name} {ctx.udc.id[:1]}")
        )
    status, _ = call(hosted, echo())
    assert status.startswith("200")
    assert [line.split()[0] for line in heard] == names


def call(hosted: HostedService, body: bytes) -> tuple[str, bytes]:
    import io

    got: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/services/desk",
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    reply = b"".join(hosted(environ, lambda status, headers: got.append(status)))
    return got[0], reply


@pytest.mark.parametrize(
    "hook",
    ["create_in_document", "decompose_incoming_envelope", "get_call_handles", "deserialize", "serialize",
     "create_out_string"],
)  # fmt: skip
def test_an_error_in_any_hook_is_a_server_fault(
    hosted: HostedService, monkeypatch: pytest.MonkeyPatch, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Protocol, hook, broken)
    status, reply = call(hosted, echo())
    assert status.startswith("500")
    assert b"Server" in reply
    assert b"secret" not in reply


@pytest.mark.parametrize(
    "stage", ["open", "admit", "validate", "decode", "answer", "handle", "seal", "_fault"]
)
def test_an_error_in_any_stage_is_a_server_fault(
    hosted: HostedService, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise MemoryError("secret")

    monkeypatch.setattr(hosted.inbound, stage, broken)
    status, reply = call(hosted, echo() if stage != "_fault" else b"<a")
    assert status.startswith("500")
    assert b"Server" in reply
    assert b"secret" not in reply


def test_an_error_after_the_end_changes_no_answer(
    hosted: HostedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(hosted.inbound, "close", broken)
    assert call(hosted, echo())[0].startswith("200")
    monkeypatch.undo()
    hosted.app.event_manager.add_listener("method_context_closed", broken)
    assert call(hosted, echo())[0].startswith("200")


@pytest.mark.parametrize(
    ("length", "body"),
    [("abc", b"<a/>"), ("-1", b"<a/>"), ("100", b"<a/>"), ("١", b"<a/>"), ("99999999999", b"")],
)
def test_a_wrong_content_length_is_a_fault_with_any_server(
    hosted: HostedService, length: str, body: bytes
) -> None:
    import io

    got: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/services/desk",
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": length,
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    reply = b"".join(hosted(environ, lambda status, headers: got.append(status)))
    assert got[0][:3] in ("400", "413")
    assert b"Fault" in reply


def test_a_stream_without_length_is_read_to_its_end_within_limits(hosted: HostedService) -> None:
    import io

    for body, expected in ((echo(), "200"), (b"x" * 20_000_000, "413")):
        got: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/services/desk",
            "CONTENT_TYPE": "text/xml",
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        b"".join(hosted(environ, lambda status, headers, got=got: got.append(status)))
        assert got[0].startswith(expected)


@pytest.mark.parametrize("text", ["good", "closed", "break", "off contract", "nothing", "unknown field"])
def test_a_request_leaves_nothing_to_the_garbage_collector(
    hosted: HostedService, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [echo(text), echo(text).replace(b"<number>1", b"<number>many"), b"<a", envelope("<Nothing/>")]
    caplog.set_level(logging.CRITICAL + 1)  # a captured record keeps its error, and all that hangs on it
    for body in bodies * 3:
        call(hosted, body)
    gc.collect()
    gc.disable()
    try:
        for body in bodies * 5:
            call(hosted, body)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_import_finder_leaves_the_standard_library_as_it_is() -> None:
    code = "import bridge.host, spyne.server.wsgi, http.cookies; print(http.cookies.__spec__.name)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    # six calls it `six.moves.http_cookies` from 3.12 on; ours must not add to that.
    assert "spyne" not in done.stdout


def test_stopped_carries_its_cause() -> None:
    error = ValueError("x")
    assert Stopped(error).cause is error
