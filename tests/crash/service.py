"""The bridge of the kit, as a user would write it: a document that comes in leaves for the desk, in the transaction that keeps it."""

from __future__ import annotations

from typing import Any

from bridge import Bridge
from tests.crash.documents import CONTRACT, Document
from tests.crash.table import document

bridge = Bridge.load()
documents = bridge.serve(CONTRACT, idempotency_key="id")
desk = bridge.partner("desk")


def keep_and_send(session: Any, one: Document) -> str:
    """Write the document down and have it sent; what the bridge calls it. For handlers and scripts."""
    session.execute(document.insert().values(id=one.id, ordering_key=one.key, number=one.number))
    values = {"id": one.id, "key": one.key, "stream": one.stream, "number": one.number}
    entry = desk.send("Put", values, ordering_key=one.key, reference=one.id)
    return str(entry.id)


@documents.operation("Put")
def put(request: Any, call: Any) -> Any:
    one = Document(request.id, request.key, request.stream, request.number)
    entry = keep_and_send(call.session, one)
    if request.undo:
        raise call.fault("Undone", id=one.id)
    return {"entry": entry}
