"""Ports for servers that have to be told theirs: `--workers 2` cannot take any free one."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_HANDED_OUT = int(_RANGE.read_text().split()[0]) if _RANGE.is_file() else 32768
_RANDOM = (
    random.SystemRandom()
)  # tests seed the usual one, and processes that test at once must not choose alike


def free_port() -> int:
    """Free on loopback, and below those the system hands out: no client and no other server is given it meanwhile."""
    for _ in range(100):
        port = _RANDOM.randrange(_HANDED_OUT // 2, _HANDED_OUT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"no port is free between {_HANDED_OUT // 2} and {_HANDED_OUT}")
