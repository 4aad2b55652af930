"""The gate: a message passes when it is the declared element and libxml2 finds it valid; else every reason is given."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol, cast

from lxml import etree

from bridge.contract.explain import Explainer, LibxmlError
from bridge.contract.explain.violation import Violation
from bridge.contract.explain.walk import Schemas
from bridge.contract.schema.references import reachable
from bridge.errors import InvalidMessage, InvalidRequest


class Compiles(Protocol):
    """What the guard needs of a bundle."""

    @property
    def mentions_references(self) -> bool: ...
    def compile(self) -> etree.XMLSchema: ...
    def compile_anew(self) -> etree.XMLSchema: ...


class Guard:
    """Checks messages of one contract. Safe to use from several threads.

    The verdict comes from one shared `XMLSchema`, validating in place (a copy would lose prefixes that values need).
    The error log of a shared instance mixes the errors of threads, so that a refused message is validated once more
    by a second instance, under a lock, to read its log.
    """

    def __init__(self, bundle: Compiles, model: Schemas) -> None:
        self._bundle = bundle
        self._model = model
        self._explainer = Explainer(model)
        self._lock = threading.Lock()
        self._referring: dict[str, bool] = {}

    @cached_property
    def _schema(self) -> etree.XMLSchema:
        return self._bundle.compile()

    @cached_property
    def _second(self) -> etree.XMLSchema:
        return self._bundle.compile_anew()

    def check(
        self,
        element_name: str,
        element: etree._Element,
        *,
        source: bytes | None = None,
        error: type[InvalidMessage] = InvalidRequest,
        what: str = "request",
        prefix_path: str = "",
    ) -> None:
        """Returns when `element` is valid as `element_name` (Clark); else raises `error` with every violation.

        `source` is the UTF-8 text of the whole document, for byte offsets and lines; `what` names the message in the
        error, `prefix_path` is put before every path (`/Envelope/Header`).
        """
        if element.tag == element_name and self._schema.validate(element):
            if self._may_refer(element_name):
                self._check_references(element_name, element, source, error, what, prefix_path)
            return
        raise self._refusal(element_name, element, source, error, what, prefix_path)

    def _may_refer(self, element_name: str) -> bool:
        known = self._referring.get(element_name)
        if known is None:
            known = self._bundle.mentions_references and reachable(self._model, element_name)
            self._referring[element_name] = known
        return known

    def _check_references(
        self,
        element_name: str,
        element: etree._Element,
        source: bytes | None,
        error: type[InvalidMessage],
        what: str,
        prefix_path: str,
    ) -> None:
        """libxml2 takes an IDREF that leads nowhere, and an element's ID given twice."""
        violations, truncated = self._explainer.explain(
            self._model.element(element_name), element, source=source, prefix_path=prefix_path
        )
        broken = [
            violation for violation in violations if violation.kind in ("dangling-idref", "duplicate-id")
        ]
        if broken:
            raise _error(error, what, broken, truncated)

    def _refusal(
        self,
        element_name: str,
        element: etree._Element,
        source: bytes | None,
        error: type[InvalidMessage],
        what: str,
        prefix_path: str,
    ) -> InvalidMessage:
        if element.tag != element_name:
            # Any other global element would pass the validator, which knows nothing of operations.
            wrong = self._explainer.wrong_root(element_name, element, source=source, prefix_path=prefix_path)
            return error(f"The {what} is not what the contract declares: {wrong}", [wrong])
        violations, truncated = self._explainer.explain(
            self._model.element(element_name),
            element,
            source=source,
            prefix_path=prefix_path,
            libxml2=self._log(element),
        )
        violations = violations or [
            self._explainer.unexplained(element, source=source, prefix_path=prefix_path)
        ]
        return _error(error, what, violations, truncated)

    def _log(self, element: etree._Element) -> list[LibxmlError]:
        with self._lock:
            self._second.validate(element)
            return [
                LibxmlError(entry.type_name, entry.path or "", entry.message)
                for entry in cast("Iterable[Any]", self._second.error_log)
            ]


def _error(
    error: type[InvalidMessage], what: str, violations: Sequence[Violation], truncated: bool
) -> InvalidMessage:
    count = f"more than {len(violations)}" if truncated else str(len(violations))
    times = "time" if count == "1" else "times"
    return error(
        f"The {what} breaks its contract {count} {times}: {violations[0]}", violations, truncated=truncated
    )
