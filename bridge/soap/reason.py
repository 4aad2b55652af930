"""One reason for which a request is refused; `refusals` has the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import RefusalCode


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `status` None: what the SOAP version prescribes. Texts are templates of `str.format_map`. `subcodes` are Clark
    names from the general to the special; a reason that has some is about a header."""

    english: str
    english_advice: str
    chinese: str
    chinese_advice: str
    code: RefusalCode = "Client"
    status: int | None = None
    subcodes: tuple[str, ...] = ()
