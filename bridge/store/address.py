"""Where the store lives: reading a store URL, and showing it without its secrets.

`sqlite:////var/lib/bridge/bridge.sqlite` (four slashes for an absolute path) or
`postgresql+psycopg://user:password@host:5432/name`; `postgresql://` and `postgres://` mean the same.
"""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bridge.errors import StoreError

_POSTGRESQL_NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE_NAMES = frozenset({"sqlite", "sqlite+pysqlite"})
_SECRET_OPTIONS = frozenset({"password", "passwd", "sslpassword"})
_FORMS = "Use `sqlite:////path/to/file` or `postgresql+psycopg://user:password@host/name`."


def parse(url: str) -> URL:
    """The URL in SQLAlchemy's form, with the one driver we use for its database.

    Raises:
        StoreError: not a URL, another database, or SQLite without a file. The message never quotes the
            URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError("The store's URL cannot be read.", advice=_FORMS) from None
    if parsed.drivername in _POSTGRESQL_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in _SQLITE_NAMES:
        raise StoreError(f"The store cannot be a {parsed.drivername!r} database.", advice=_FORMS)
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError(
            "An SQLite store needs a file: what is accepted must outlive the process.", advice=_FORMS
        )
    return parsed.set(drivername="sqlite")


def shown(url: URL) -> str:
    """The URL as people may see it: every password in it is `***`."""
    secret = {name: "***" for name in url.query if name.lower() in _SECRET_OPTIONS}
    return url.update_query_dict(secret).render_as_string(hide_password=True)
