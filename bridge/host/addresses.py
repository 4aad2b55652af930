"""Under which address a client reached us: what WSDLs and pages say.

`server.public_url` when it is set. Else what the request says: `X-Forwarded-Proto` and `X-Forwarded-Host` when a
trusted proxy sent it, else the Host header. Each request gets its own, so that nobody's Host header ends up in
somebody else's WSDL.
"""

from __future__ import annotations

import re
from typing import Any

from bridge.host.peers import Proxies
from bridge.settings import Server

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Addresses:
    """Base URLs, without a slash at the end. `settings.trusted_proxies` are addresses or networks."""

    def __init__(self, settings: Server) -> None:
        self._public = settings.public_url.rstrip("/")
        self._fallback = f"{settings.host}:{settings.port}"
        self._proxies = Proxies(settings.trusted_proxies)

    def base(self, environ: dict[str, Any]) -> str:
        """`https://bridge.example.com`, for this request. A Host that is no host is as good as none."""
        if self._public:
            return self._public
        scheme = environ.get("wsgi.url_scheme", "http")
        host = environ.get("HTTP_HOST", "")
        if self._proxies.sent(environ):
            forwarded = _first(environ.get("HTTP_X_FORWARDED_PROTO"))
            scheme = forwarded if forwarded in ("http", "https") else scheme
            host = _first(environ.get("HTTP_X_FORWARDED_HOST")) or host
        if not _HOST.fullmatch(host):
            host = self._fallback
        return f"{scheme}://{host}"


def _first(header: str | None) -> str:
    """Of a list that proxies appended to, what the client reached: the first."""
    return header.split(",", 1)[0].strip() if header else ""
