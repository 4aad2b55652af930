"""From the values of one system to those of another, by a file that people can read.

    order = load("mappings/order.toml", source=shape, target=shape)     # read and proved; every mistake at once
    order(values)                                                       # a dict, as `partner.send` takes it
    order.explain(values)                                               # where each target field came from

What happens to a file: `reader` (with `lines`, `conditions`, `converters` and the steps in `texts`, `numbers`, `moments`, `tables`) makes
`rules` of it, `proof` holds them against the shapes of both sides, `generated` makes a function of them, `running` explains one record,
`page` shows all of it to people, `two_way` turns it round.

shapes.py   which values a business object or a WSDL message may have, and must
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping as AbstractMapping
from pathlib import Path
from typing import Any

from bridge.errors import MappingError, SettingsError
from bridge.mapping import generated, reader, running, two_way
from bridge.mapping.proof import Proof, prove
from bridge.mapping.rules import Rules
from bridge.mapping.running import Mistake, Run, Trace
from bridge.mapping.shapes import Field, Shape, shape_of
from bridge.mapping.tables import Asked, Rows
from bridge.once import made_once

__all__ = [
    "Asked",
    "Field",
    "Mapping",
    "Mistake",
    "Proof",
    "Rows",
    "Rules",
    "Run",
    "Shape",
    "Trace",
    "load",
    "proved",
    "shape_of",
]


class Mapping:
    """A mapping file, read and proved; called with a record it gives the target's values. Safe to use from several threads.

    `source` and `target` are the shapes that it was proved against, None where nothing is known; `proof` says what was found.
    """

    def __init__(self, rules: Rules, source: Shape | None, target: Shape | None, proof: Proof) -> None:
        self.rules = rules
        self.source = source
        self.target = target
        self.proof = proof

    def __repr__(self) -> str:
        return f"<Mapping {self.rules.file}>"

    @property
    def file(self) -> Path:
        return self.rules.file

    def __call__(self, values: Any) -> dict[str, Any]:
        """The target's values: a dict with dicts and lists in it.

        Args:
            values: a record (a dict), or an object of the codec: a decoded payload.

        Raises:
            MappingError: with everything that is wrong with the record; nothing was made.
        """
        made = self._of_dicts if isinstance(values, AbstractMapping) else self._of_objects
        try:
            return made(values)
        except Exception:  # noqa: BLE001 - whatever it is, the slow path says it, or does it
            return self.run(values, otherwise_raise=True).values

    def explain(self, values: Any) -> Run:
        """The same step by step: what each target field came from, and what is wrong. Raises nothing."""
        return self.run(values)

    def run(self, values: Any, *, otherwise_raise: bool = False) -> Run:
        """`explain`; with `otherwise_raise` what is wrong is raised as MappingError."""
        found = running.run(self.rules, self.target, values)
        if found.mistakes and otherwise_raise:
            count = "One value" if len(found.mistakes) == 1 else f"{len(found.mistakes)} values"
            lines = "".join(f"\n  {mistake}" for mistake in found.mistakes)
            raise MappingError(
                f"{count} could not go through the mapping {self.file}:{lines}", mistakes=found.mistakes
            )
        return found

    def origin(self, target: str) -> tuple[tuple[str, ...], str] | None:
        """Of a target field (`order/line[2]/item/sku`): the source fields that it is made of, and the rule's `file:line`."""
        plain = "/".join(part.partition("[")[0] for part in target.strip("/").split("/"))
        for path, rule in self.rules.each():
            if "/".join(path) == plain:
                return running.sources_of(rule), rule.place
        return None

    def turned(self, *, whole: bool = False) -> Mapping:
        """The way back, of one that is `two_way`: from the target's values to those of the source that it says something about.

        Args:
            whole: what comes back makes records: everything that the source requires must be in it.

        Raises:
            SettingsError: the file does not say that it goes both ways, or the way back leaves out what is required.
        """
        if not self.rules.two_way:
            raise SettingsError(
                f"The mapping {self.file} goes one way.",
                advice="Say two_way = true under [mapping]; then it is proved.",
            )
        back, _ = two_way.turned(self.rules)
        proof = prove(back, self.target, self.source, partial=not whole)
        if proof.mistakes:
            raise reader.mistaken(self.file, (f"{one} (on the way back)" for one in proof.mistakes))
        return Mapping(back, self.target, self.source if whole else None, proof)

    @made_once
    def _of_dicts(self) -> generated.Made:
        return generated.function(self.rules, self.target, "dicts", self.proof.sure, self.proof.certain)

    @made_once
    def _of_objects(self) -> generated.Made:
        return generated.function(self.rules, self.target, "objects", self.proof.sure, self.proof.certain)


def load(
    file: str | os.PathLike[str],
    *,
    source: Shape | None = None,
    target: Shape | None = None,
    rows: Rows | None = None,
) -> Mapping:
    """Reads a mapping file and proves it against the shapes of both sides, as far as they are known.

    Args:
        rows: reads the rows of lookups that a partner has.

    Raises:
        SettingsError: with every mistake, each with file and line.
    """
    return proved(reader.read(Path(file), rows), source, target)


def proved(rules: Rules, source: Shape | None, target: Shape | None, mistakes: Iterable[str] = ()) -> Mapping:
    """A mapping of rules that have been read; both ways are proved where the rules say so.

    Args:
        mistakes: what is known to be wrong already.

    Raises:
        SettingsError: with every mistake.
    """
    proof = prove(rules, source, target)
    found = [*mistakes, *proof.mistakes]
    if rules.two_way and not found:
        found += two_way.prove_both(rules, source, target, proof)
    if found:
        raise reader.mistaken(rules.file, found)
    return Mapping(rules, source, target, proof)
