"""The WSGI side of Spyne, lean: one context for each request, no copies, no events that nobody listens to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from http import HTTPStatus
from typing import Any

from spyne.server.wsgi import WsgiApplication, WsgiMethodContext, WsgiTransportContext

from bridge.exchange import Exchange
from bridge.host.peers import Peers
from bridge.host.protocol import Environ, Protocol
from bridge.host.service import application
from bridge.inbound import Inbound
from bridge.settings import Server

log = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Transport(WsgiTransportContext):
    """What Spyne and its listeners ask of the HTTP request; headers are read when somebody asks for them."""

    def __init__(self, parent: Ctx, transport: HostedService, environ: Environ) -> None:
        self.parent: Ctx | None = parent
        self.itself = transport
        self.app = transport.app
        self.type = "http"
        self.req = self.req_env = environ
        self.req_method = environ["REQUEST_METHOD"]
        self.resp_headers: dict[str, str] = {}
        self.resp_code = None

    request_encoding = None
    sessid = ""
    wsdl = None
    wsdl_error = None

    @property
    def remote_addr(self) -> str | None:
        address: str | None = self.req.get("REMOTE_ADDR")
        return address

    @property
    def headers(self) -> dict[str, list[str]]:
        return {name[5:].lower(): [value] for name, value in self.req.items() if name.startswith("HTTP_")}


class Ctx(WsgiMethodContext):
    """Spyne's context with plain attributes: stock ones check every assignment, and make objects nobody uses.

    `udc` is the Exchange, the one thing of ours on it. Listeners of Spyne's events see what they always see.
    """

    frozen = False
    # What stock contexts set to these in __init__, for each request.
    call_end = None
    is_closed = False
    aux = None
    method_request_string = None
    active = True
    in_string = in_document = in_header_doc = in_body_doc = None
    in_error = in_header = in_object = None
    out_object = out_header = out_error = None
    out_body_doc = out_header_doc = out_document = None
    out_string = out_stream = None
    function = None
    locale = None
    event = None
    inprot_ctx = outprot_ctx = protocol = None
    _MethodContext__descriptor: Any = None

    __setattr__ = object.__setattr__

    def __init__(self, server: HostedService, environ: Environ, exchange: Exchange) -> None:
        self.server = server
        self.environ = environ
        self.app = server.app
        self.call_start = exchange.received
        self._in_protocol = server.app.in_protocol
        self._out_protocol = server.app.out_protocol
        self.udc = exchange
        self.heard = server.has_listeners()
        self.fire_event("method_context_created")

    @cached_property
    def transport(self) -> Transport:
        """Made when somebody asks for it: nobody does but listeners."""
        return Transport(self, self.server, self.environ)

    @cached_property
    def files(self) -> list[Any]:
        return []

    @cached_property
    def pusher_stack(self) -> list[Any]:
        return []

    def fire_event(self, event: str, *args: Any, **kwargs: Any) -> None:
        if self.heard:
            super().fire_event(event, *args, **kwargs)

    def close(self) -> None:
        """As Spyne's, without its garbage collection in the middle of requests."""
        self.call_end = time.time()
        self.fire_event("method_context_closed")
        made = self.__dict__
        for file in made.get("files", ()):
            file.close()
        self.is_closed = True
        # Context and transport know each other. Left to the garbage collector, every request's tree and values would
        # outlive it, and each request would have to work in fresh memory: a sixth of its time, measured.
        if "transport" in made:
            made["transport"].parent = None
        # Likewise an error, by its trace, and those who keep it.
        self.in_error = self.out_error = self.udc.error = None


class HostedService(WsgiApplication):
    """One service as a WSGI application: POST to its address. Never raises."""

    def __init__(self, inbound: Inbound, peers: Peers | None = None) -> None:
        super().__init__(application(inbound), chunked=False, max_content_length=inbound.limits.max_bytes)
        self.inbound = inbound
        self.peers = peers if peers is not None else Peers(Server())
        (service,) = self.app.services
        self._handlers = self.app.event_manager.handlers, service.event_manager.handlers

    def has_listeners(self) -> bool:
        """Whether anyone listens to events of the application or of its service; they may come at any time."""
        return bool(self._handlers[0] or self._handlers[1])

    def __call__(
        self, req_env: Environ, start_response: StartResponse, wsgi_url: str | None = None
    ) -> Iterable[bytes]:
        return self.handle_rpc(req_env, start_response)

    def handle_rpc(self, req_env: Environ, start_response: StartResponse) -> list[bytes]:
        get = req_env.get
        exchange = Exchange(
            b"",
            get("CONTENT_TYPE") or None,
            get("HTTP_CONTENT_ENCODING"),
            self.peers.address(req_env),
            get("HTTP_ACCEPT_LANGUAGE", ""),
            get("HTTP_SOAPACTION"),
            get("HTTP_IDEMPOTENCY_KEY"),
        )
        if self.inbound.gatekeeper is not None:
            exchange.credentials = self.peers.credentials(req_env)
        ctx = None
        try:
            ctx = Ctx(self, req_env, exchange)
            self._run(ctx)
        except Exception as error:  # the guard around the guards: a hook, or a listener of somebody else
            about = {"exchange": exchange.id}
            log.exception("exchange %s: error outside the stages", exchange.id, extra=about)
            self.inbound.fail(exchange, error)
        try:
            self.inbound.close(exchange)
            if ctx is not None:
                ctx.close()
        except Exception:  # the answer stands: what it says is done is done
            about = {"exchange": exchange.id}
            log.exception("exchange %s: error after its end", exchange.id, extra=about)
        reply = exchange.reply
        headers = exchange.headers or []
        headers.append(("Content-Length", str(len(reply))))
        start_response(STATUS[exchange.status], headers)
        return [reply]

    def get_out_string(self, ctx: Ctx) -> None:
        """As Spyne's; where nobody listens, without the events and the questions about generators."""
        if ctx.heard:
            super().get_out_string(ctx)
        else:
            protocol = self.app.out_protocol
            protocol.serialize(ctx, Protocol.RESPONSE)
            protocol.create_out_string(ctx)

    def _run(self, ctx: Ctx) -> None:
        """Spyne's own order of a request."""
        self.generate_contexts(ctx)
        if ctx.in_error is None:
            self.get_in_object(ctx)
        if ctx.in_error is None:
            self.get_out_object(ctx)
        self.get_out_string(ctx)
