from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from bridge.once import made_once


class Maker:
    def __init__(self) -> None:
        self.made = 0

    @made_once
    def thing(self) -> object:
        """What is made."""
        self.made += 1
        time.sleep(0.02)
        return object()


def test_threads_that_look_at_once_get_the_same_thing_made_once() -> None:
    maker, gate = Maker(), threading.Barrier(8)

    def look(_: int) -> object:
        gate.wait()
        return maker.thing

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(look, range(8)))) == 1
    assert maker.made == 1


def test_each_object_has_its_own_and_the_class_shows_what_it_is() -> None:
    assert Maker().thing is not Maker().thing
    assert Maker.thing.__doc__ == "What is made."
