"""A contract's documents to take along: the WSDL and all it reads, in one folder, leading to each other there.

Where everything lies in the WSDL's folder or below, the copies are byte for byte the originals. Where a document came from
elsewhere (`../../xsd`, a catalog, the network), all lie flat beside each other, and only their locations are rewritten.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bridge.contract.loaded import SavedBundle
from bridge.contract.schema.bundle import Bundle
from bridge.contract.sources.catalog import STANDARD
from bridge.contract.sources.document import is_url
from bridge.contract.wsdl.served import Served


@dataclass(frozen=True, slots=True)
class Copies:
    """`files` by their path in the new folder; `wsdl` is the path of the WSDL.

    With `needs_catalog` some are found by their namespace only: the folder must be named as a catalog.
    """

    wsdl: str
    files: dict[str, bytes]
    needs_catalog: bool


def copies(served: Served, bundle: Bundle | SavedBundle) -> Copies:
    """The documents of a contract as they can be copied."""
    files = _as_they_lie(served) or {found.name: served.beside(found.name) for found in served.published}
    wsdl = next(iter(files))
    by_namespace = _found_by_namespace(served, bundle)
    for location, content in by_namespace.items():
        name, number = Path(location).name, 1
        while name in files:
            number += 1
            name = f"{Path(location).stem}-{number}.xsd"
        files[name] = content
    return Copies(wsdl, files, bool(by_namespace))


def _as_they_lie(served: Served) -> dict[str, bytes] | None:
    """Every document by its path below the WSDL's folder; None where one lies elsewhere or is not found by its path."""
    if any(is_url(found.location) for found in served.published):
        return None
    folder = Path(served.published[0].location).parent
    for (location, reference), target in served.links.items():
        if is_url(reference) or os.path.realpath(Path(location).parent / reference) != target:
            return None
    if not all(Path(found.location).is_relative_to(folder) for found in served.published):
        return None
    return {Path(found.location).relative_to(folder).as_posix(): found.content for found in served.published}


def _found_by_namespace(served: Served, bundle: Bundle | SavedBundle) -> dict[str, bytes]:
    """Schemas that the user's catalog gave for a namespace alone, by where they were read."""
    if isinstance(bundle, SavedBundle):
        return {}
    known = {found.location for found in served.published}
    known |= {os.path.realpath(path) for path in STANDARD.values()}
    read = (schema.document for schema in bundle.documents)
    return {
        document.location: document.content
        for document in read
        if document is not None and document.location not in known
    }
