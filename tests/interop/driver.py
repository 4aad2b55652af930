"""A foreign client as a process that is told what to call, line by line.

The first line tells where and how, the answer which version of the client it is, or why it cannot:

    {"wsdl": URL, "soap": "1.1", "folder": a folder that drivers may build in}      →  {"version": "8.2.36"} | {"error": text}

Every further line is a call, every answer what became of it:

    {"operation": NAME, "request": {...}, "qualified": [...]}                       →  {"reply": {...}} | {"fault": {...}} | {"error": text}

`request` has local names; an element with text and attributes is {"_": text, attribute: value}. `qualified` is the same
for clients that read no schema: [Clark name, {attribute: value}, text or a list of such]. `reply` and a fault's `detail`
come in the form of `request`, or as XML.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any, Self

from lxml import etree

from tests.acceptance.shipped_erp import environment

Answer = dict[str, Any]


class Driver:
    """One client with one contract and SOAP version. `version` is the client's; `error` why it could not begin."""

    def __init__(self, command: Sequence[str], wsdl: str, soap: str, *, folder: Path, cwd: Path) -> None:
        self._start = {"wsdl": wsdl, "soap": soap, "folder": str(folder)}
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.version = ""
        self.error = ""

    def __enter__(self) -> Self:
        told = self._ask(self._start, timeout=300)
        self.version, self.error = told.get("version", ""), told.get("error", "")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=20)  # closes its input
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def call(self, operation: str, request: dict[str, Any], qualified: list[Any]) -> Answer:
        told = self._ask({"operation": operation, "request": request, "qualified": qualified})
        if isinstance(told.get("reply"), str):
            told["reply"] = nested(etree.fromstring(told["reply"].encode()))
        detail = told.get("fault", {}).get("detail")
        if isinstance(detail, str):
            told["fault"]["detail"] = nested(etree.fromstring(detail.encode()))
        return told

    def _ask(self, message: dict[str, Any], timeout: float = 60) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        watch = Timer(timeout, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            return {"error": f"the client ended: {self._process.stderr.read()[-400:]}"}
        told: Answer = json.loads(line)
        return told


def nested(element: etree._Element) -> Any:
    """An element's content in the form of a request: text, {"_": text, attribute: value}, or children by local name."""
    children = [child for child in element if isinstance(child.tag, str)]
    attributes = {name: value for name, value in element.attrib.items() if not str(name).startswith("{")}
    if not children:
        return {"_": element.text or "", **attributes} if attributes else element.text or ""
    found: dict[str, list[Any]] = {}
    for child in children:
        found.setdefault(etree.QName(child).localname, []).append(nested(child))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def qualified(element: etree._Element) -> list[Any]:
    """An element as `qualified` has it."""
    children = [qualified(child) for child in element]
    return [element.tag, dict(element.attrib), children or element.text or ""]
