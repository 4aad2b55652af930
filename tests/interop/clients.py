"""The foreign clients: how each is started, what it needs, and what it is known not to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from tests.acceptance.shipped_erp import ROOT

HERE = Path(__file__).parent / "clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client. `missing` says why it cannot run here, "" when it can.

    `cannot` has what it does not do, by (SOAP version, row of the table), with "" for every row or version: such a
    failure is told in the table with its reason, and the tests fail when it stops failing.
    """

    name: str
    title: str
    language: str
    command: tuple[str, ...]
    missing: Callable[[], str]
    speaks: tuple[str, ...] = ("1.1", "1.2")
    silent: str = ""  # why it does not speak the other version
    notes: str
    cannot: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    slow: bool = False

    def reason(self, soap: str, row: str) -> str:
        """Why this is known to fail; "" where it must work."""
        places = ((soap, row), ("", row), (soap, ""))
        return next((self.cannot[place] for place in places if place in self.cannot), "")

    def __str__(self) -> str:
        return f"{self.language} {self.title.partition(' ')[0]}"


@cache
def _answer(*command: str) -> str | None:
    """What a command prints; None where there is no such program or it fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout if done.returncode == 0 else None


def _php() -> str:
    modules = _answer("php", "-m")
    if modules is None:
        return "php is not installed (Debian: apt-get install php-cli php-soap)"
    present = "soap" in modules.lower().split()
    return "" if present else "php has no soap extension (Debian: apt-get install php-soap)"


def _node() -> str:
    if _answer("node", "--version") is None:
        return "node is not installed (Debian: apt-get install nodejs npm)"
    present = (ROOT / "node_modules" / "soap").is_dir()
    return (
        ""
        if present
        else "Node's soap is not installed (npm install --no-save --prefix . soap@1; .ci/run does it)"
    )


def _perl() -> str:
    present = _answer("perl", "-MSOAP::Lite", "-MJSON::PP", "-e", "1") is not None
    return "" if present else "perl has no SOAP::Lite (Debian: apt-get install libsoap-lite-perl)"


def _suds() -> str:
    return "" if find_spec("suds") else "suds is not installed (pip install suds-community)"


def _gsoap() -> str:
    wanted = [name for name in ("wsdl2h", "soapcpp2", "g++") if shutil.which(name) is None]
    if wanted:
        return f"{', '.join(wanted)} not installed (Debian: apt-get install gsoap libgsoap-dev g++)"
    header = Path("/usr/include/stdsoap2.h").exists()
    return "" if header else "gSOAP's library is not installed (Debian: apt-get install libgsoap-dev)"


CLIENTS = (
    Client(
        name="php",
        title="SoapClient",
        language="PHP",
        command=("php", str(HERE / "driver.php")),
        missing=_php,
        notes="Arrays in, objects out. Both ports have one address, so the option `soap_version` decides.",
    ),
    Client(
        name="node",
        title="soap",
        language="Node.js",
        command=("node", str(HERE / "driver.js")),
        missing=_node,
        notes="Objects in and out; the order of fields comes from the schema. For SOAP 1.2 the option "
        "`forceSoap12Headers` beside the port.",
    ),
    Client(
        name="zeep",
        title="zeep",
        language="Python",
        command=(sys.executable, str(HERE / "driver_zeep.py")),
        missing=lambda: "",
        notes="Dicts in, typed objects out. The port decides on the version.",
    ),
    Client(
        name="suds",
        title="suds (suds-community)",
        language="Python",
        command=(sys.executable, str(HERE / "driver_suds.py")),
        missing=_suds,
        speaks=("1.1",),
        silent="It writes SOAP 1.1 envelopes only, on the port of SOAP 1.2 too.",
        notes="Dicts in, objects out. An element with text and attributes is a `Property`, its attributes have `_` in front.",
    ),
    Client(
        name="perl",
        title="SOAP::Lite",
        language="Perl",
        command=("perl", str(HERE / "driver.pl")),
        missing=_perl,
        notes="Of the WSDL it reads address, operations and actions, and no schema: names, namespaces and order of every element "
        "are written by hand, and untyped text is escaped by hand (`SOAP::Utils::encode_data`). Set `autotype(0)` and an empty "
        "`encodingStyle`. Give each namespace a prefix (`->prefix`): else it makes new ones in every call, and a repeat with the same "
        "requestId is refused as another content. Of a SOAP 1.2 fault `faultcode` and `faultdetail` find "
        "nothing: ask by path (`/Envelope/Body/Fault/Detail`).",
    ),
    Client(
        name="gsoap",
        title="gSOAP",
        language="C++",
        command=(sys.executable, str(HERE / "driver_gsoap.py")),
        missing=_gsoap,
        slow=True,
        notes="`wsdl2h` reads `?wsdl`, `soapcpp2 -j` makes a class for each type and a proxy; `-1` or `-2` decides on the version. "
        "Declared faults are members of `SOAP_ENV__Detail`, violations its `__any`.",
    ),
)
