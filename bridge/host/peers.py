"""Who is at the other end: the address a request came from, and what HTTP and TLS tell of its sender.

From a proxy that we trust (`server.trusted_proxies`) its word is taken: for the address, for TLS, and for the client's certificate
in the header that `server.client_certificate_header` names. Nobody else's is.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from bridge.access import Credentials
from bridge.access.certificates import pem_to_ders
from bridge.settings import Server

Environ = dict[str, Any]

_MOST_HOPS = 20
_IN_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


class Proxies:
    """The proxies that are trusted: addresses or networks."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(one, strict=False) for one in trusted]

    def have(self, address: str) -> bool:
        """Whether this is one of them."""
        if not self._networks:
            return False
        try:
            found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)

    def sent(self, environ: Environ) -> bool:
        """Whether this request came straight from one of them."""
        return self.have(environ.get("REMOTE_ADDR") or "")


class Peers:
    """Reads a request's sender out of its environ."""

    def __init__(self, settings: Server) -> None:
        self._proxies = Proxies(settings.trusted_proxies)
        header = settings.client_certificate_header
        self._certificate = f"HTTP_{header.upper().replace('-', '_')}" if header else ""

    def address(self, environ: Environ) -> str | None:
        """The client's: of those that proxies wrote down, the last one that is no proxy of ours."""
        here: str | None = environ.get("REMOTE_ADDR") or None
        if here is None or not self._proxies.have(here):
            return here
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[-_MOST_HOPS:]):
            try:
                address = str(ipaddress.ip_address(hop.strip()))
            except ValueError:
                break
            if not self._proxies.have(address):
                return address
        return here

    def credentials(self, environ: Environ) -> Credentials:
        """What HTTP and TLS tell of who it is."""
        get = environ.get
        secure = get("wsgi.url_scheme") == "https"
        certificate = get("SSL_CLIENT_CERT")
        if self._proxies.sent(environ):
            # What it says of the client's line counts, not how the two of us are connected.
            hops = get("HTTP_X_FORWARDED_PROTO")
            if hops is not None:
                secure = all(hop.strip() == "https" for hop in hops.lower().split(","))
            # The proxy's own certificate says who the proxy is.
            certificate = read_certificate(get(self._certificate)) if self._certificate else None
        return Credentials(get("HTTP_AUTHORIZATION"), get("HTTP_X_API_KEY"), certificate, secure)


def read_certificate(value: str | None) -> str | None:
    """The certificate in a proxy's header, as PEM; None where there is none, or more than one.

    PEM, with its line ends as spaces or escaped (nginx, Apache), or DER in base64 (HAProxy, Traefik, RFC 9440 with its colons).
    """
    text = (value or "").strip()
    if not text:
        return None
    if "%" in text:
        text = unquote(text)
    found = _IN_PEM.findall(text)
    if len(found) > 1:
        return None
    body = "".join((found[0] if found else text.removeprefix(":").removesuffix(":")).split())
    try:
        pem = ssl.DER_cert_to_PEM_cert(base64.b64decode(body, validate=True))
        return pem if len(pem_to_ders(pem)) == 1 else None
    except (binascii.Error, ValueError):
        return None
