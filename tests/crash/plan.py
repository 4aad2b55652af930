"""What a run does, drawn from its seed: the disturbances in their order, the same for the same options.

When each of them hits is up to the machine; where and in which order is not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal, get_args

from bridge.delivery.points import POINTS
from tests.crash.receiver import Kind

StoreKind = Literal["sqlite", "postgresql"]
STORES: Final = get_args(StoreKind)
Act = Literal["point", "kill", "term", "store", "full", "clock"]
Role = Literal["host", "worker", "script", "producer", "person", "partner"]

TOPOLOGIES: Final[dict[StoreKind, tuple[tuple[str, ...], ...]]] = {
    # Commands of the processes that run at the same time; a run goes through these one after the other.
    "sqlite": (("up",), ("serve", "worker"), ("serve", "worker", "worker"), ("up", "worker")),
    "postgresql": (
        ("serve", "worker", "worker"),
        ("up", "up", "worker"),
        ("up", "worker"),
        ("serve", "worker"),
    ),
}

AT_ACCEPTING: Final = ("accepted", "committed")
"""Points that a process passes which takes documents; the others are passed where documents leave."""

MORTALS: Final[dict[Kind, tuple[Role, ...]]] = {
    "keeps-id": ("host", "worker", "worker", "script", "producer"),
    "keeps-none": ("host", "worker", "worker", "script", "producer", "person"),
}
"""Who is killed anywhere, as often as it stands there: a person is there only where something is in doubt for long."""

SHORT: Final = 20
"""Kills below which a run is a short one."""

JUMP: Final = 3600
"""Seconds that a clock jumps, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A run. `lease`, `deadline` and `backoff` are the bridge's settings for it, in seconds."""

    seed: int = 1
    documents: int = 1000
    kills: int = 100
    store: StoreKind = "sqlite"
    partner: Kind = "keeps-id"
    minutes: float = 15.0
    lease: float = 3.0
    deadline: float = 1.0
    topologies: int = 0
    """How many of the store's topologies; 0: all."""

    @property
    def short(self) -> bool:
        """Whether chance may leave a named point out: there is no time to wait until somebody comes by each of them."""
        return self.kills < SHORT


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that is done to the running system.

    point   a process ends itself (kill -9) at the named point `what`, the `count`-th time that it comes by
    kill    kill -9 of a process of the role `what`
    term    SIGTERM to all of the bridge in the middle of it, and the next topology is started
    store   PostgreSQL is stopped at once (`immediate`), and started again with the same data
    full    the disk is full for `count` tenths of a second
    clock   the hosts' clocks jump by `count` seconds
    """

    act: Act
    what: str = ""
    count: int = 1

    @property
    def kills(self) -> bool:
        return self.act in ("point", "kill", "store")


def disturbances(options: Options) -> list[Disturbance]:
    """All of them, in their order. Every named point comes first once; then what chance brings."""
    chance = random.Random(f"{options.seed}/{options.store}/{options.partner}")
    postgresql = options.store == "postgresql"
    points = list(POINTS)
    chance.shuffle(points)
    drawn: list[Disturbance] = []
    while sum(one.kills for one in drawn) < options.kills:
        if points:
            drawn.append(Disturbance("point", points.pop(), chance.randint(1, 4)))
            continue
        lot = chance.random()
        if lot < 0.5:
            drawn.append(Disturbance("point", chance.choice(POINTS), chance.randint(1, 12)))
        elif lot < 0.6 and postgresql:
            drawn.append(Disturbance("store"))
        else:
            drawn.append(Disturbance("kill", chance.choice(MORTALS[options.partner])))
    chance.shuffle(drawn)
    return _between(drawn, options, chance)


def _between(kills: list[Disturbance], options: Options, chance: random.Random) -> list[Disturbance]:
    """The kills with what is not one spread among them: each topology's end, full disks, jumps of the clock and back; half as
    much of it in a short run."""
    short = options.short
    others = [
        *(Disturbance("term") for _ in topologies(options)[1:]),
        *(
            Disturbance("full", count=chance.randint(10, 15 if short else 30))
            for _ in range(1 if short else 2)
        ),
        *(Disturbance("clock", count=offset) for offset in (JUMP, 0, -JUMP, 0)[: 2 if short else 4]),
    ]
    if not kills:
        return others
    merged = list(kills)
    for number, other in enumerate(_woven(others)):
        merged.insert((number + 1) * len(kills) // (len(others) + 1) + number, other)
    return merged


def _woven(others: list[Disturbance]) -> list[Disturbance]:
    """In turns of each kind, every kind in its own order: the clock's way forth before its way back."""
    kinds: dict[str, list[Disturbance]] = {}
    for other in others:
        kinds.setdefault(other.act, []).append(other)
    longest = max((len(kind) for kind in kinds.values()), default=0)
    return [kind[turn] for turn in range(longest) for kind in kinds.values() if turn < len(kind)]


def topologies(options: Options) -> tuple[tuple[str, ...], ...]:
    """Which processes the bridge consists of, one set after the other."""
    found = TOPOLOGIES[options.store]
    return found[: options.topologies or len(found)]
