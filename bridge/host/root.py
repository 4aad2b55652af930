"""Everything the bridge answers over HTTP, as one WSGI application: services by their path, and pages for people.

POST /services/<contract>[/<major>]      SOAP
GET  the same                            a page; ?wsdl, ?wsdl=NAME and ?xsd=NAME give the contract;
                                         ?operation=NAME the part of the page about it
GET  /                                   the services; like the pages, for those who may call (`access.pages`)
GET  /healthz                            200 while the process answers
GET  /readyz                             200 when requests can be served, else 503
POST /notifications/NAME                 a partner tells of changes (`notifications.py`)
GET  /metrics                            figures for Prometheus, for those who may see them (`bridge/ops/metrics.py`)
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from bridge.access.doors import comes_from_here
from bridge.errors import BridgeError, Refusal
from bridge.handlers import Service
from bridge.host import notifications
from bridge.host.addresses import Addresses
from bridge.host.pages import index_page, service_page
from bridge.host.peers import Peers
from bridge.host.protocol import Environ
from bridge.host.refused import refusal_answer
from bridge.host.wsgi import STATUS, HostedService, StartResponse
from bridge.ops.metrics import CONTENT_TYPE, PATH, Metrics
from bridge.soap.refusals import refuse

if TYPE_CHECKING:
    from bridge.app import Bridge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a GET."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def text(cls, text: str, status: int = 200) -> Page:
        return cls(f"{text}\n".encode(), "text/plain; charset=utf-8", status)


NOTHING_HERE = Page.text("Nothing is served here. / lists the services.", 404)


class Root:
    """The WSGI application. Never raises.

    `figures` is a folder where the processes of one server share what they count; None for one process.
    """

    def __init__(self, bridge: Bridge, *, figures: Path | None = None) -> None:
        self.bridge = bridge
        self.addresses = Addresses(bridge.settings.server)
        self.peers = Peers(bridge.settings.server)
        self.here_only = bridge.gatekeeper is None and bridge.settings.access.anonymous == "auto"
        """Nobody has to be known, for nobody but this machine's programs comes in: so each request must be one of theirs."""
        self.metrics = Metrics(bridge, folder=figures)
        self.hosted = {
            path: HostedService(
                bridge.inbound(service, observers=self.metrics.observers(service)), self.peers
            )
            for path, service in bridge.services.items()
        }
        bridge.audit.serve(bridge.settings)
        self.metrics.watch([hosted.inbound for hosted in self.hosted.values()])
        self.contract_document = lru_cache(maxsize=64)(_contract_document)
        self.page = lru_cache(maxsize=64)(service_page)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        hosted = self.hosted.get(path) or self.hosted.get(path.rstrip("/"))
        notified = path.startswith(notifications.PLACE)
        if (
            self.here_only
            and (hosted is not None or notified or path == "/")
            and not comes_from_here(environ)
        ):
            return _refuse(refuse("not_from_here"), environ, start_response)
        if hosted is not None and method not in ("GET", "HEAD"):
            return hosted(environ, start_response)
        try:
            if notified:
                return _send(self._notified(environ), method, start_response)
            if method not in ("GET", "HEAD"):
                return _refuse(refuse("unknown_service"), environ, start_response)
            page = self._service(hosted, environ) if hosted is not None else self._other(path, environ)
        except Refusal as refusal:
            page = Page(
                f"{refusal}\n".encode(), "text/plain; charset=utf-8", refusal.status or 400, refusal.headers
            )
        except Exception:
            log.exception("a page failed")
            page = Page.text("Internal error.", 500)
        return _send(page, method, start_response)

    def figures(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The application behind a port of their own."""
        method = environ["REQUEST_METHOD"]
        try:
            if environ["PATH_INFO"] != PATH or method not in ("GET", "HEAD"):
                page = Page.text(f"Here is {PATH} and nothing else.", 404)
            elif self.metrics.admits(environ):
                page = Page(self.metrics.text(), CONTENT_TYPE)
            else:
                page = Page.text("The setting metrics.allow does not name your address.", 403)
        except Exception:
            log.exception("the figures failed")
            page = Page.text("Internal error.", 500)
        return _send(page, method, start_response)

    def _readable(self, hosted: Iterable[HostedService], environ: Environ) -> list[HostedService]:
        """Of these services, those that who asks may see. Raises Refusal where nobody is told anything."""
        gatekeeper = self.bridge.gatekeeper
        if gatekeeper is None:
            return list(hosted)
        visitor = gatekeeper.visitor(self.peers.credentials(environ), self.peers.address(environ))
        return [one for one in hosted if gatekeeper.may_read(visitor, one.inbound.name)]

    def _service(self, hosted: HostedService, environ: Environ) -> Page:
        if not self._readable([hosted], environ):
            return NOTHING_HERE
        service: Service = hosted.inbound.service
        address = self.addresses.base(environ) + service.path
        for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
            if name.lower() in ("wsdl", "singlewsdl", "xsd"):
                try:
                    return Page(self.contract_document(service, value, address), "text/xml; charset=utf-8")
                except KeyError:
                    return Page.text("The contract has no such document.", 404)
            if name.lower() == "operation":
                if value not in service.contract.operations:
                    return Page.text("The contract has no such operation.", 404)
                return Page(self.page(service, address, value))
        return Page(self.page(service, address))

    def _other(self, path: str, environ: Environ) -> Page:
        if path == "/":
            services = [hosted.inbound.service for hosted in self._readable(self.hosted.values(), environ)]
            return Page(index_page(services, self.addresses.base(environ)))
        if path == "/healthz":
            return Page.text("ok")
        if path == "/readyz":
            return self._ready()
        if path == PATH and self.metrics.admits_beside_services(environ):
            return Page(self.metrics.text(), CONTENT_TYPE)
        return NOTHING_HERE

    def _notified(self, environ: Environ) -> Page:
        status, text, headers = notifications.answer(self.bridge, environ)
        return dataclasses.replace(Page.text(text, status), headers=headers)

    def _ready(self) -> Page:
        store = self.bridge.store
        if store is not None:
            try:
                store.check()
            except BridgeError:
                log.exception("the store cannot be used")
                return Page.text("The store cannot be used; the log says why.", 503)
        return Page.text("ready")


def _send(page: Page, method: str, start_response: StartResponse) -> list[bytes]:
    headers = [
        ("Content-Type", page.content_type),
        ("Content-Length", str(len(page.body))),
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-cache"),
        *page.headers,
    ]
    start_response(STATUS[page.status], headers)
    return [b"" if method == "HEAD" else page.body]


def _contract_document(service: Service, name: str, address: str) -> bytes:
    """`?wsdl` has no name. Raises KeyError for a name the contract does not have."""
    contract = service.contract

    def address_of(_service: str, _port: str) -> str:
        return address

    if name:
        return contract.served_document(name, address, address_of)
    return contract.served_wsdl(address_of, address)


def _refuse(refusal: Refusal, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """What reaches no service: SOAP to an address where nobody is, or from where nobody may."""
    method = environ["REQUEST_METHOD"]
    seen = method.encode() if method in ("GET", "HEAD") else b"POST"
    status, headers, body = refusal_answer(refusal, seen, environ.get("CONTENT_TYPE"))
    start_response(STATUS[status], [*headers, ("Content-Length", str(len(body)))])
    return [b"" if method == "HEAD" else body]
