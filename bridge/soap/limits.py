"""What one request may cost. Nothing can interrupt libxml2 once it runs, so every limit holds before validation starts.

Sized for an ERP: a stock update of 1,000 movements (about 15,000 elements, 700 kB) and an order of several MB pass
with room to spare. Each field carries `help`, `unit`, `least` and `most` as metadata for settings and docs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _limit(default: int, text: str, *, unit: str, least: int = 1, most: int) -> Any:
    meta = {"help": text, "unit": unit, "least": least, "most": most, "secret": False, "shown": ""}
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds, all inclusive: a message exactly at a limit passes."""

    max_bytes: int = _limit(
        10 * 1024 * 1024,
        "Size of a request after decompression, as sent and again as UTF-8. An element takes about 200 bytes in "
        "memory, so 10 MiB of XML may become 50 MB.",
        unit="bytes",
        least=1024,
        most=512 * 1024 * 1024,
    )
    max_compressed_ratio: int = _limit(
        200,
        "How many times its compressed size a body may grow to. Repetitive XML reaches 50; a bomb 1,000. Counts "
        "from the first MiB on.",
        unit="times",
        most=1032,
    )
    max_depth: int = _limit(
        100,
        "Elements inside each other, the Envelope counted. Real documents stay under 20; decoding recurses.",
        unit="elements",
        least=4,
        most=255,
    )
    max_elements: int = _limit(
        100_000,
        "Elements of one message, comments counted. Small ones cost far more memory than their bytes.",
        unit="elements",
        least=4,
        most=10_000_000,
    )
    max_attributes: int = _limit(
        100_000,
        "Attributes of one message, namespace declarations counted.",
        unit="attributes",
        most=10_000_000,
    )
    max_element_attributes: int = _limit(
        500,
        "Attributes of one element, namespace declarations not counted: they are looked up one after the other.",
        unit="attributes",
        most=100_000,
    )
    max_prefixes: int = _limit(
        256,
        "Different namespace prefixes that one message declares; the same one declared again does not count. They are "
        "looked up one after the other.",
        unit="prefixes",
        most=10_000,
    )
    max_name: int = _limit(
        256,
        "Length of every namespace, and of the names of the Envelope, of a header block and of the payload. Answers and journals "
        "repeat those names, and canonical XML, which signatures and duplicates are told by, repeats a namespace for every element. "
        "Of other names the contract decides; libxml2 ends at 50,000.",
        unit="characters",
        least=16,
        most=50_000,
    )
    max_text: int = _limit(
        5 * 1024 * 1024,
        "Length of one text: a scanned page in base64 passes. libxml2 ends at 10,000,000 bytes.",
        unit="characters",
        least=1024,
        most=10_000_000,
    )
    max_explained: int = _limit(
        100,
        "Violations that one fault lists. Finding them takes longer than the verdict, and nobody reads the 101st.",
        unit="violations",
        most=100,
    )


DEFAULT = Limits()
