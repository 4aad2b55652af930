"""The way in over HTTP: Spyne, its protocol hooks, the WSGI application, the pages and the server.

Importing this package prepares the interpreter for Spyne (`spyne_import`), so every module of it may
import Spyne at its top.
"""

from __future__ import annotations

from bridge.host import spyne_import as _spyne_import

_spyne_import.install()
