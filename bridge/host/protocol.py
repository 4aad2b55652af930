"""Spyne's protocol, with the stages of `bridge.inbound` in its hooks.

    create_in_document              the HTTP rules; open, identify
    decompose_incoming_envelope     admit, authorise
    get_call_handles                the one function; which operation it is was found when it was admitted
    deserialize                     recall, validate, decode
    (the service's function)        answer
    serialize                       the fault, where there is one
    create_out_string               nothing is left to do: the bytes are there

One protocol serves SOAP 1.1 and 1.2. Spyne catches only its own Fault, and only in some hooks: `Stopped` carries
whatever was raised through it, and every hook has a guard, so that no error reaches the HTTP server.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from spyne.model.fault import Fault
from spyne.protocol.soap import Soap11

from bridge.exchange import Exchange
from bridge.inbound import Inbound
from bridge.soap.limits import Limits
from bridge.soap.refusals import refuse

Environ = dict[str, Any]

CHUNK = 64 * 1024


class Stopped(Fault):
    """Spyne's Fault around the error that ended an exchange; what the caller reads is made from `cause`."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("Server", type(cause).__name__)
        self.cause = cause


class Protocol(Soap11):
    """SOAP 1.1 and 1.2 in, bytes out. `handles`, Spyne's descriptor of `answer`, is set by `service.py`."""

    def __init__(self, inbound: Inbound) -> None:
        super().__init__()
        self.inbound = inbound
        self.handles: list[Any] = []

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        try:
            exchange: Exchange = ctx.udc
            method = ctx.environ["REQUEST_METHOD"]
            if method != "POST":
                raise refuse("method", method=method, headers=(("Allow", "GET, HEAD, POST"),))
            exchange.body = read_body(ctx.environ, self.inbound.limits)
            self.inbound.open(exchange)
            self.inbound.identify(exchange)
            ctx.in_document = exchange.envelope.root if exchange.envelope else None
        except Exception as error:
            raise Stopped(error) from error

    def decompose_incoming_envelope(self, ctx: Any, message: Any = Soap11.REQUEST) -> None:
        try:
            exchange: Exchange = ctx.udc
            self.inbound.admit(exchange)
            self.inbound.authorise(exchange)
            assert exchange.plan is not None
            ctx.method_request_string = exchange.plan.key
            ctx.in_body_doc = exchange.envelope.body if exchange.envelope else None
        except Exception as error:
            raise Stopped(error) from error

    def get_call_handles(self, ctx: Any) -> list[Any]:
        return self.handles

    def generate_method_contexts(self, ctx: Any) -> tuple[Any, ...]:
        """Spyne copies the context for each handle; there is one handle, and it may have the context itself."""
        (ctx.descriptor,) = self.get_call_handles(ctx)
        return (ctx,)

    def deserialize(self, ctx: Any, message: Any) -> None:
        try:
            exchange: Exchange = ctx.udc
            self.inbound.recall(exchange)
            self.inbound.validate(exchange)
            self.inbound.decode(exchange)
            ctx.in_object = exchange.value
        except Exception as error:  # noqa: BLE001 - the guard of this hook; `fail` logs what is ours
            # Set, not raised: raised, Spyne would log the trace of every invalid request.
            ctx.in_error = ctx.out_error = Stopped(error)

    def serialize(self, ctx: Any, message: Any) -> None:
        error = ctx.out_error
        if error is not None:
            self.inbound.fail(ctx.udc, error.cause if isinstance(error, Stopped) else error)

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        ctx.out_string = [ctx.udc.reply]

    def fault_to_http_response_code(self, fault: Fault) -> str:
        """Spyne asks by fault; ours depends on the SOAP version too, so the exchange has the last word."""
        return "500 Internal Server Error"


def read_body(environ: Environ, limits: Limits) -> bytes:
    """The whole body. Raises Refusal when it is larger than it may be, or not as long as announced.

    Our own server has counted and collected it by now; other WSGI servers may hand over a socket.
    """
    stream, most = environ["wsgi.input"], limits.max_bytes
    announced = environ.get("CONTENT_LENGTH") or ""
    if not announced:
        # Chunked: the server ends the stream. One byte more than allowed tells that there was more.
        pieces, size = [], 0
        while size <= most and (piece := stream.read(min(CHUNK, most + 1 - size))):
            pieces.append(piece)
            size += len(piece)
        if size > most:
            raise refuse("too_large", most=most)
        return b"".join(pieces)
    if not (announced.isascii() and announced.isdigit()):
        raise refuse("body_length")
    length = int(announced)
    if length > most:
        raise refuse("too_large", most=most)
    body: bytes = stream.read(length)
    if len(body) != length:
        raise refuse("body_length")
    return body


def answer(ctx: Any, value: Any) -> etree._Element | None:
    """The function behind every operation of every service. What the handler raises becomes Spyne's error here:
    raised, Spyne would log declared faults with a trace, and turn the others into a text of its own."""
    protocol: Protocol = ctx.app.in_protocol
    try:
        protocol.inbound.answer(ctx.udc)
    except Exception as error:  # noqa: BLE001 - as above
        ctx.out_error = Stopped(error)
    except SystemExit as error:  # a handler that calls sys.exit() ends its request, not our thread
        ctx.out_error = Stopped(error)
    return None
