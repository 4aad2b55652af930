"""What a run did and found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from tests.crash.judge import Verdict
from tests.crash.plan import Options


@dataclass
class Report:
    """`kills` by who was killed and where; `others` is what was done beside, and what happened by itself."""

    options: Options
    verdict: Verdict = field(default_factory=Verdict)
    kills: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    """Named points at which nothing was killed, because nobody came by in time."""
    undone: int = 0
    """How many of the planned disturbances there was no time for."""
    disk: str = ""
    """How the disk was made full: `tmpfs`, `RLIMIT_FSIZE`, or not at all."""
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        return self.verdict.kept

    @property
    def proves(self) -> bool:
        """Kept, and all was tried that a run of this length has to try: a long one kills at every named point."""
        return self.kept and (self.options.short or not self.missed)

    @property
    def again(self) -> str:
        """The command for the same run."""
        options = self.options
        topologies = f" --topologies {options.topologies}" if options.topologies else ""
        return (
            f"python -m tests.crash --seed {options.seed} --documents {options.documents} --kills {options.kills}"
            f" --store {options.store} --partner {options.partner}{topologies}"
        )

    def as_data(self) -> dict[str, Any]:
        return {
            "ok": self.proves,
            "version": version("soapbridge"),
            "options": asdict(self.options),
            "seconds": round(self.seconds, 1),
            "kills": sum(self.kills.values()),
            "kills_by_place": dict(sorted(self.kills.items())),
            "others": dict(sorted(self.others.items())),
            "disk": self.disk,
            "points_missed": self.missed,
            "not_done": self.undone,
            "counts": self.verdict.counts,
            "violations": [asdict(one) for one in self.verdict.violations],
            "again": self.again,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        options = self.options
        told = [
            f"{options.store}, partner {options.partner}, seed {options.seed}: "
            f"{sum(self.kills.values())} kills in {self.seconds:.0f} s, disk: {self.disk}, soapbridge {version('soapbridge')}"
        ]
        for table in (self.kills, self.others, self.verdict.counts):
            told += [f"  {count:6}  {name}" for name, count in sorted(table.items())]
        if self.missed:
            told.append(
                f"  NOT TRIED: nothing was killed at {', '.join(self.missed)}: nobody came by in time"
            )
        if self.undone:
            told.append(f"  NOT TRIED: time was up for {self.undone} of what was planned")
        if self.kept:
            return [*told, "  every promise kept"]
        shown = self.verdict.violations[:50]
        told += [f"  VIOLATION {one.kind}: {one.document}: {one.text}" for one in shown]
        return [*told, f"  {len(self.verdict.violations)} violations; the same again: {self.again}"]
