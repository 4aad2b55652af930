"""`soapbridge worker`: deliver to partners, without answering anybody."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from bridge.cli.bridges import Target, open_bridge
from bridge.cli.output import AsJson, ConfigFile, aside, document, say

if TYPE_CHECKING:
    from bridge.app import Bridge

LOOK = 1.0
"""Seconds between two looks whether the threads are there, where nobody waits for signs of life more often."""


def worker(target: Target = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Deliver what waits for partners, until SIGTERM or Ctrl-C; a second one ends it at once. As many as wanted on PostgreSQL."""
    from bridge import log
    from bridge.delivery import background
    from bridge.host import platform

    platform.fill_standard_descriptors()
    bridge = open_bridge(target, config)
    log.configure(bridge.settings.log)
    bridge.check(complete=False)
    _warn(bridge)
    is_enough = _told_to_stop()
    notifier = platform.Notifier()
    things = bridge.background()
    background.start(things)
    _announce(bridge, as_json=as_json)
    notifier.alive()
    while not is_enough(notifier.interval or LOOK):
        if not all(one.is_alive for one in things):
            aside("A thread that everything depends on has ended; the log says why. Start the worker again.")
            os._exit(1)  # what is being sent is found by the others, as after any death
        notifier.alive()
    notifier.stopping()
    background.stop(things, bridge.settings.server.grace)
    bridge.close()


def _warn(bridge: Bridge) -> None:
    for warning in (bridge.store.warnings() if bridge.store is not None else []) + [
        *bridge.waiting_for_nobody(),
        *bridge.misread_partners(),
    ]:
        aside(f"warning: {warning}")
    if not bridge.settings.partners:
        aside("warning: the settings name no partner; nothing is delivered.")


def _told_to_stop() -> Callable[[float], bool]:
    """Waits so many seconds for SIGTERM or SIGINT, and tells whether one came. The second ends the process as kill -9 would,
    which loses nothing either."""
    # A pipe: a handler may run while this thread holds any lock, that of an Event too.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if came:
            os._exit(128 + number)
        came.append(number)
        os.write(told, b".")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return lambda seconds: bool(select.select([heard], [], [], seconds)[0])


def _announce(bridge: Bridge, *, as_json: bool) -> None:
    partners = list(bridge.settings.partners)
    if as_json:
        document({"ok": True, "partners": partners})
    else:
        store = bridge.store.shown if bridge.store is not None else "none"
        say(f"soapbridge delivers to: {', '.join(partners) or 'nobody'}  (store: {store})", "bold")
        say("Stop with Ctrl-C.")
    sys.stdout.flush()
