"""Which local file stands for a namespace or an absolute location: nothing is fetched that is at hand.

The standard schemas come from the xmlschema package (xml.xsd, XML Signature, XML Encryption, XLink, SOAP 1.1
encoding and envelope, WSDL). Users add their own entries; an entry of theirs wins over a standard one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from bridge.contract.sources.document import target_namespace
from bridge.errors import ContractError

CatalogSource: TypeAlias = (
    "Catalog | Mapping[str, str | PathLike[str]] | str | PathLike[str] | Sequence[PathLike[str]] | None"
)
"""What a catalog can be made of: entries (namespace or location → file), a folder of schemas, or several."""

_XMLSCHEMA = find_spec("xmlschema")
assert _XMLSCHEMA is not None
assert _XMLSCHEMA.origin is not None
_SHIPPED = Path(_XMLSCHEMA.origin).parent / "schemas"
"""Found without importing the package, which takes as long as all the rest of the engine."""

STANDARD: Mapping[str, Path] = {
    name: _SHIPPED / file
    for name, file in {
        "http://www.w3.org/XML/1998/namespace": "XML/xml.xsd",
        "http://www.w3.org/2001/xml.xsd": "XML/xml.xsd",
        "http://www.w3.org/2000/09/xmldsig#": "DSIG/xmldsig-core-schema.xsd",
        "http://www.w3.org/2009/xmldsig11#": "DSIG/xmldsig11-schema.xsd",
        "http://www.w3.org/2001/04/xmlenc#": "XENC/xenc-schema.xsd",
        "http://www.w3.org/2009/xmlenc11#": "XENC/xenc-schema-11.xsd",
        "http://www.w3.org/1999/xlink": "XLINK/xlink.xsd",
        "http://schemas.xmlsoap.org/soap/encoding/": "WSDL/soap-encoding.xsd",
        "http://schemas.xmlsoap.org/soap/envelope/": "WSDL/soap-envelope.xsd",
        "http://schemas.xmlsoap.org/wsdl/": "WSDL/wsdl.xsd",
        "http://schemas.xmlsoap.org/wsdl/soap/": "WSDL/wsdl-soap.xsd",
    }.items()
}


class Catalog:
    """Namespaces and absolute locations → local files.

    A mapping gives entries one by one (relative paths are relative to the working directory). A folder gives every
    `*.xsd` in it under its targetNamespace; of two with the same one the first by name is taken, of several folders
    the one named first.

    Raises ContractError when a folder or a file of it cannot be read.
    """

    def __init__(
        self,
        source: Mapping[str, str | PathLike[str]]
        | str
        | PathLike[str]
        | Sequence[PathLike[str]]
        | None = None,
    ) -> None:
        self._entries: dict[str, Path] = dict(STANDARD)
        if source is None:
            return
        if isinstance(source, Mapping):
            self._entries.update({name: Path(file) for name, file in source.items()})
        else:
            folders = [source] if isinstance(source, str | PathLike) else source
            for folder in reversed(folders):
                self._entries.update(_schemas_of(Path(folder)))

    @classmethod
    def of(cls, source: CatalogSource) -> Catalog:
        """The catalog itself, or one made of entries or of a folder."""
        return source if isinstance(source, Catalog) else cls(source)

    @property
    def entries(self) -> Mapping[str, Path]:
        return self._entries

    def find(self, name: str) -> Path | None:
        """The file for a namespace or an absolute location; None when there is no entry."""
        return self._entries.get(name)


def _schemas_of(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ContractError(
            "The catalog's folder does not exist.",
            file=str(folder),
            advice="Create it, or correct the path in the settings.",
        )
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*.xsd")):
        found.setdefault(target_namespace(file.read_bytes(), file=str(file)), file)
    return found
