"""The documents that the kit sends, as its contract has them, and the files in which is written what became of them.

Nothing here imports the bridge: who produces, receives and judges believes nothing of what the bridge says of itself.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from xml.sax.saxutils import escape

from lxml import etree

CONTRACT = Path(__file__).with_name("documents-1.wsdl")
NAMESPACE = "urn:soapbridge:test:documents:1"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ACTION = f"{NAMESPACE}/Put"
HOT = "hot"
"""The ordering key that gets more than the others, and that all producers share."""

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


class Document(NamedTuple):
    """Numbers count from 1 within (key, stream); a stream is one producer's, which sends them in order."""

    id: str
    key: str
    stream: str
    number: int
    undo: bool = False
    """Accepted, and rolled back before the commit: it must never leave."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A producer has been told that this was accepted. `entry` is what the bridge calls it; of one undone, nothing."""

    document: str
    key: str
    stream: str
    number: int
    entry: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """A whole request that reached the partner, in the order in which they were handled. `entry` and `exchange` are what the
    bridge put into the HTTP headers, `applied` whether something was done, `answer` how the partner behaved."""

    moment: float
    document: str
    key: str
    stream: str
    number: int
    entry: str
    exchange: str
    applied: bool
    answer: str


Line = TypeVar("Line", Receipt, Reception)


class Log:
    """A file of JSON lines, each on the disk before `write` returns. What a writer that was killed left torn is cut off: it was
    never told to anybody."""

    def __init__(self, file: Path) -> None:
        if file.exists():
            os.truncate(file, file.read_bytes().rfind(b"\n") + 1)
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def write(self, line: Receipt | Reception) -> None:
        text = json.dumps(asdict(line)).encode() + b"\n"
        with self._lock:
            os.write(self._descriptor, text)
            os.fsync(self._descriptor)


def read(file: Path, kind: type[Line]) -> list[Line]:
    """The lines of a log, which may be being written: a last one that is not whole does not count."""
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [kind(**json.loads(line)) for line in lines]


def request(document: Document) -> bytes:
    """The SOAP request that brings it."""
    undo = "<undo>true</undo>" if document.undo else ""
    fields = "".join(
        f"<{name}>{escape(str(getattr(document, name)))}</{name}>"
        for name in ("id", "key", "stream", "number")
    )
    return _envelope(f'<Put xmlns="{NAMESPACE}">{fields}{undo}</Put>')


def response(entry: str) -> bytes:
    return _envelope(f'<PutResponse xmlns="{NAMESPACE}"><entry>{escape(entry)}</entry></PutResponse>')


def undone(document_id: str) -> bytes:
    """The fault that the contract declares."""
    detail = f'<Undone xmlns="{NAMESPACE}"><id>{escape(document_id)}</id></Undone>'
    return _fault("Client", "Not taken", f"<detail>{detail}</detail>")


def server_fault() -> bytes:
    return _fault("Server", "Something went wrong after it was done", "")


def parsed(body: bytes) -> Any:
    """The payload of an envelope: the Body's child."""
    root = etree.fromstring(body, _PARSER)
    found = root.find(f"{{{ENVELOPE}}}Body")
    if found is None or not len(found):
        raise ValueError("no Body, or an empty one")
    return found[0]


def document_of(body: bytes) -> Document:
    """What a request brings."""
    put = parsed(body)
    if put.tag != f"{{{NAMESPACE}}}Put":
        raise ValueError(f"not a Put: {put.tag}")
    text = {etree.QName(child).localname: child.text or "" for child in put}
    undo = text.get("undo") in ("true", "1")
    return Document(text["id"], text["key"], text["stream"], int(text["number"]), undo)


def _envelope(content: str) -> bytes:
    return f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body>{content}</s:Body></s:Envelope>'.encode()


def _fault(code: str, reason: str, detail: str) -> bytes:
    return _envelope(
        f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{reason}</faultstring>{detail}</s:Fault>"
    )
