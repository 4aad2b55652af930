"""Makes Spyne 2.14 importable on Python 3.12 and later.

Spyne carries a copy of six whose importer has only `find_module`, which Python 3.12 no longer asks, so
`spyne.util.six.moves.*` cannot be found there. This finder answers for that prefix with the modules of the
real six. (From Python 3.13 on Spyne also needs the module `cgi`: the distribution `legacy-cgi` brings it.)

Spyne itself stays as its authors published it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

PREFIX = "spyne.util.six.moves"


class _SixMoves(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Maps `spyne.util.six.moves.x` to `six.moves.x`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == PREFIX or fullname.startswith(PREFIX + "."):
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """The default: an empty module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        # Replaced in sys.modules, which the import system honours. Returned from create_module, the real module
        # would get this spec as its own: http.cookies would then claim to be spyne's.
        sys.modules[module.__name__] = importlib.import_module(module.__name__.removeprefix("spyne.util."))


def install() -> None:
    """Installs the finder once; must come before the first import of Spyne. Does nothing before Python 3.12."""
    if sys.version_info >= (3, 12) and not any(isinstance(finder, _SixMoves) for finder in sys.meta_path):
        sys.meta_path.insert(0, _SixMoves())
