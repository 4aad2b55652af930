"""The contracts that come with the bridge, as files.

`wsdl` and `xsd` beside this file are symbolic links to the folders at the top of the repository; a wheel
carries what they point at. So the same relative schema locations hold in a checkout and when installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
WSDL: Final = HERE / "wsdl"
XSD: Final = HERE / "xsd"


def contracts(system: str = "erp") -> dict[str, Path]:
    """Every shipped WSDL of one system by contract name, such as `purchasing`.

    `erp` is what we answer, `crm` what a CRM answers and we call; no name is in both.

    The name is the file's without its version and ending; where several majors are shipped, the highest.
    """
    found: dict[str, tuple[int, Path]] = {}
    for path in sorted((WSDL / system).glob("*.wsdl")):
        name, _, major = path.stem.rpartition("-")
        if name not in found or int(major) > found[name][0]:
            found[name] = (int(major), path)
    return {name: path for name, (_, path) in found.items()}
