"""One file of a contract: its bytes, its tree and where it came from; and how a reference leads to the next file."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from bridge.contract.model import XSD
from bridge.contract.sources.inputs import Cache, Trace, remote_key
from bridge.errors import ContractError

FETCH_SECONDS = 20.0
"""How long one remote document may take: a vendor's slow server, not a dead one."""

FETCH_BYTES = 32 * 1024 * 1024
"""Size limit of one remote document; the largest published WSDLs have about 10 MB."""

_DECLARED = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

# Documents that say GB2312 or GBK hold characters of the later standard; GB18030 reads all three alike.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030"}

# What libxml2 reads by itself on every platform; anything else depends on the C library it was built with.
_NATIVE = frozenset({"utf-8", "utf-16-le", "utf-16-be", "ascii"})


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A WSDL or a schema as it was read.

    `location` identifies it (absolute path or URL), `file` is its name towards the user: relative when the
    user's own path was. `content` holds the bytes as they were.
    """

    location: str
    file: str
    content: bytes
    root: etree._Element


def encoding_of(content: bytes) -> str:
    """Python's name for a document's encoding: byte order mark, else declaration, else UTF-8 (XML 1.0 appendix F).

    Raises LookupError for an encoding that Python does not know.
    """
    for start, name in _BOMS:
        if content.startswith(start):
            return name
    declared = _DECLARED.match(content)
    name = codecs.lookup(declared.group(1).decode("ascii")).name if declared else "utf-8"
    return _SUPERSETS.get(name, name)


def parse(content: bytes, *, file: str) -> etree._Element:
    """The root element. Internal entities are resolved (schemas of the W3C use them), nothing external is read.

    Raises ContractError with the line when the document is not well-formed or not readable.
    """
    try:
        encoding = encoding_of(content)
        if encoding not in _NATIVE:
            content, override = content.decode(encoding).encode("utf-8"), "utf-8"
        else:
            override = None
        return etree.fromstring(content, _parser(override))
    except LookupError as error:
        raise ContractError(f"{error}.", file=file, advice="Save the document as UTF-8.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        advice = "Save it in the encoding that its XML declaration names."
        raise ContractError(
            f"The document is not in its encoding: {error}.", file=file, line=line, advice=advice
        ) from error
    except etree.XMLSyntaxError as error:
        raise ContractError(
            f"The document is not well-formed XML: {error.msg}.",
            file=file,
            line=error.lineno or None,
            advice="Correct it, or fetch it again: an error page saved as a contract looks like this.",
        ) from error


def target_namespace(content: bytes, *, file: str) -> str:
    """The targetNamespace of a schema, "" when it has none."""
    return parse(content, file=file).get("targetNamespace", "")


def _parser(encoding: str | None) -> etree.XMLParser:
    internal: Any = "internal"  # lxml's own word for: no external ones
    return etree.XMLParser(
        encoding=encoding, resolve_entities=internal, no_network=True, load_dtd=False, huge_tree=False
    )


class Finder(Protocol):
    """What the library asks of a catalog."""

    def find(self, name: str) -> Path | None: ...


class Library:
    """Finds and reads the documents of one contract, each once.

    A reference is looked up in this order: the catalog by location; a file relative to the document that refers;
    the catalog by namespace; the net, only when `remote`, and then from the `cache` where it was fetched before.
    `trace` tells what was looked at.
    """

    def __init__(self, catalog: Finder, *, remote: bool = False, cache: Cache | None = None) -> None:
        self._catalog = catalog
        self._remote = remote
        self._cache = cache
        self.trace = Trace()
        self._documents: dict[str, Document] = {}

    def start(self, location: str | os.PathLike[str]) -> Document:
        """The document a user named: a path, or a URL when remote documents are allowed."""
        name = os.fspath(location)
        if is_url(name):
            return self._fetch(name)
        return self._read(Path(name), name)

    def follow(self, reference: str, base: Document, namespace: str | None = None) -> Document:
        """The document that `base` refers to. Raises ContractError, without a line, when it is not to be had."""
        target = urljoin(base.location, reference) if is_url(base.location) else reference
        known = self._catalog.find(target)
        if known is None and not is_url(target):
            path = _path(target)
            local = Path(base.location).parent / path
            if local.is_file():
                return self._read(local, os.path.normpath(Path(base.file).parent / path))
            self.trace.absent(local)
        if known is None and namespace is not None:
            known = self._catalog.find(namespace)
        if known is not None:
            return self._read(known, str(known))
        if is_url(target):
            return self._fetch(target)
        raise ContractError(
            f"'{reference}' does not exist.",
            file=base.file,
            advice="Put the file there, or name a file for it in the catalog.",
        )

    def standard(self, namespace: str) -> Document | None:
        """The catalog's document for a namespace that was used without a location."""
        known = self._catalog.find(namespace)
        return self._read(known, str(known)) if known is not None else None

    def _read(self, path: Path, file: str) -> Document:
        location = os.path.realpath(path)
        if location not in self._documents:
            try:
                content = path.read_bytes()
            except OSError as error:
                self.trace.absent(path)
                reason = error.strerror or str(error)
                advice = "Check the path and that it may be read."
                raise ContractError(
                    f"The file cannot be read: {reason}.", file=file, advice=advice
                ) from error
            self.trace.read(path, location, content)
            self._documents[location] = Document(location, file, content, parse(content, file=file))
        found = self._documents[location]
        self.trace.read(path, location, found.content)
        return found

    def _fetch(self, url: str) -> Document:
        if url in self._documents:
            return self._documents[url]
        if not self._remote:
            raise ContractError(
                f"'{url}' is not at hand, and nothing is fetched unless asked.",
                advice="Save it beside the contract and name it in the catalog, or load with remote=True.",
            )
        kept = self._cache.get(remote_key(url)) if self._cache is not None else None
        try:
            content = kept if kept is not None else _download(url)
            found = Document(url, url, content, parse(content, file=url))
        except ContractError:
            self.trace.complete = False  # the next load asks again
            raise
        if self._cache is not None and kept is None:
            self._cache.put(remote_key(url), content)
        self.trace.fetched(url, content)
        self._documents[url] = found
        return found


def is_url(reference: str) -> bool:
    """Whether a reference has a scheme of its own (http:, urn: …); file: and drive letters count as paths."""
    scheme = urlsplit(reference).scheme
    return len(scheme) > 1 and scheme != "file"


def line_of(element: etree._Element) -> int:
    """The line in the document, 0 for an element that was not read from one."""
    return cast("int | None", element.sourceline) or 0


def is_schema(root: etree._Element) -> bool:
    return root.tag == f"{{{XSD}}}schema"


def _path(reference: str) -> str:
    if reference.startswith("file:"):
        from urllib.request import url2pathname

        return url2pathname(urlsplit(reference).path)
    return unquote(reference.replace("\\", "/")).partition("#")[0]


def _download(url: str) -> bytes:
    # Here, because few contracts are fetched, and these two take as long to import as lxml.
    import urllib.error
    import urllib.request

    if urlsplit(url).scheme not in ("http", "https"):
        raise ContractError(f"'{url}' cannot be fetched.", advice="Name a local file for it in the catalog.")
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as reply:  # noqa: S310 - the scheme was checked
            content: bytes = reply.read(FETCH_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        advice = "Correct the address, or save it beside the contract and name it in the catalog."
        raise ContractError(
            f"'{url}' was answered with {error.code} {error.reason}.", advice=advice
        ) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        advice = "Try again, or save it beside the contract and name it in the catalog."
        raise ContractError(f"'{url}' could not be fetched: {reason}.", advice=advice) from error
    if len(content) > FETCH_BYTES:
        raise ContractError(
            f"'{url}' is larger than {FETCH_BYTES} bytes.", advice="Save it and name it in the catalog."
        )
    return content
