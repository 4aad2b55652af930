"""Who may read the figures, and what they get.

Figures name operations and partners and tell the traffic, so they are for operators. There are two places for them:

* A port of their own (`metrics.port`), for the addresses in `metrics.allow`.
* Without one the bridge's own port at /metrics, for the same addresses, and only for who came straight from there. Where a
  proxy stands in front, every stranger comes from the proxy's address. So nothing is shown there once the
  settings tell of a proxy (`server.public_url`, `server.trusted_proxies`), or the request does (a forwarding header; from
  this machine, a Host that is not this machine).
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.inbound import Inbound, Observer
from bridge.ops.meter import Meter
from bridge.ops.probe import StoreProbe, disks
from bridge.ops.request_log import RequestLog

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.handlers import Service

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
             "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")  # fmt: skip

_THIS_MACHINE = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)

Environ = dict[str, Any]


class Metrics:
    """The figures of one bridge.

    Args:
        bridge: its services are all bound by now.
        folder: where the processes of one server share what they count; None for one process.
    """

    def __init__(self, bridge: Bridge, *, folder: Path | None = None) -> None:
        settings = bridge.settings
        self.settings = settings
        self.meter = Meter(bridge.services.values(), partners=bridge.settings.partners, folder=folder)
        self.meter.sources.append(lambda: {"pid": os.getpid()})
        self.probe: StoreProbe | None = None
        if bridge.store is not None:
            self.probe = StoreProbe(bridge.store, settings.partners, settings.backup.folder)
        self._log = RequestLog(settings.log)
        self._allowed = [ipaddress.ip_network(network, strict=False) for network in settings.metrics.allow]
        self._behind_proxy = bool(settings.server.public_url or settings.server.trusted_proxies)

    def observers(self, service: Service) -> tuple[Observer, ...]:
        """What is to be told of each exchange of `service` when it has ended."""
        line = self._log.observer(service)
        counting = self.meter.observer(service)
        return (counting,) if line is None else (counting, line)

    def watch(self, inbounds: list[Inbound]) -> None:
        """Counts too what the journals of these leave out."""
        journals = [inbound.journal for inbound in inbounds if inbound.journal is not None]
        self.meter.sources.append(lambda: {"not_journaled": sum(one.dropped for one in journals)})

    def text(self) -> bytes:
        """The figures as they are now, of all processes. Asks store and disks; takes two seconds at most."""
        # prometheus-client takes longer to import than all of this
        from bridge.ops import exposition

        self.meter.publish()
        if self.probe is None:
            return exposition.text(self.meter, None, disks(self.settings.data.folder))
        file = self.probe.store.file
        return exposition.text(self.meter, self.probe.state(), disks(self.settings.data.folder, file))

    def admits(self, environ: Environ) -> bool:
        """Whether who asks may read them, on a port of their own."""
        try:
            address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._allowed)

    def admits_beside_services(self, environ: Environ) -> bool:
        """Whether who asks may read them on the bridge's own port."""
        if self.settings.metrics.port or self._behind_proxy or not self.admits(environ):
            return False
        if any(name in environ for name in FORWARDED):
            return False
        local = ipaddress.ip_address(environ["REMOTE_ADDR"]).is_loopback
        return not local or _THIS_MACHINE.fullmatch(environ.get("HTTP_HOST", "")) is not None
