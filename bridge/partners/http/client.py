"""Requests to one address, as `requests` prepares them (URL, parameters, headers), on connections that know what has left.

    client = Client("https://crm.example.com/api", options, limits)
    answer = client.request("GET", "/accounts", params=[("page", "2")], headers={"Authorization": "Bearer …"})

No redirect is followed, nothing is repeated, no cookie is kept, and nothing is taken from the environment: no proxy, no `~/.netrc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from bridge.errors import PartnerError, SettingsError, Unavailable, Unpresentable
from bridge.partners.http.endpoint import endpoint_of
from bridge.partners.http.time_left import left
from bridge.partners.http.wire import Answer, Times, Wire, request_head
from bridge.settings import Partner
from bridge.soap.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

JSON: Final = "application/json"
_AGENT: Final = "soapbridge"
_PLACE: Final = re.compile(r"\{([A-Za-z_][\w.]*)\}")


class Client:
    """Safe to use from several threads.

    Args:
        base_url: what paths are added to.
        options: the partner's settings: time limits, certificates, the largest reply.

    Raises:
        SettingsError: that cannot be called, or a certificate cannot be read.
    """

    def __init__(self, base_url: str, options: Partner, limits: Limits) -> None:
        self.base_url = checked(base_url).rstrip("/")
        self._parts = urlsplit(self.base_url)
        self._options = options
        self._wire = Wire(
            endpoint_of(self._parts, options),
            max_bytes=options.max_reply_bytes,
            max_ratio=limits.max_compressed_ratio,
        )

    @property
    def host(self) -> str:
        """Host and port, as they were given: for people and the journal."""
        return self._parts.netloc

    def close(self) -> None:
        """Closes idle connections."""
        self._wire.close()

    def request(
        self,
        method: str,
        path: str = "",
        *,
        params: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        deadline: float | None = None,
    ) -> Answer:
        """The answer, whatever its status: `outcomes.judge` tells what it means.

        Args:
            path: what follows `base_url`, as it stands in a URL (`filled` fills in values).
            deadline: seconds for this call, where they are not those of the settings.

        Raises:
            NotSent: nothing was written, or no time was left. InDoubt: something was, and no whole answer came.
            Unauthorised: our certificate was refused. Unpresentable: a header cannot hold what was given.
        """
        head, content = self._prepared(method, path, params, headers or {}, body, content_type)
        seconds = left(deadline or self._options.deadline)
        times = Times(self._options.connect_timeout, self._options.read_timeout, seconds)
        return self._wire.exchange(head, content, times)

    def _prepared(
        self,
        method: str,
        path: str,
        params: Iterable[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
        content_type: str,
    ) -> tuple[bytes, bytes]:
        import requests  # takes as long to import as half the bridge: only for those who call

        own = {
            "Host": self._parts.netloc,
            "User-Agent": _AGENT,
            "Accept": JSON,
            "Accept-Encoding": "gzip, deflate",
        }
        if body is not None:
            own["Content-Type"] = content_type
        try:
            made = requests.Request(
                method, self.base_url + path, headers={**own, **headers}, params=list(params), data=body
            ).prepare()
            length = len(body or b"") if body is not None or method not in ("GET", "HEAD") else None
            found = {name: str(value) for name, value in made.headers.items() if name != "Content-Length"}
            return request_head(method, made.path_url, found, length), body or b""
        except (ValueError, requests.RequestException) as error:  # UnicodeEncodeError is a ValueError
            raise Unpresentable(
                f"No request can be made of it: {type(error).__name__}. Nothing was sent.",
                advice="Headers are Latin-1 without line breaks: look at the partner's file and its credentials.",
            ) from error


def checked(address: str) -> str:
    """An address that can be called.

    Raises:
        SettingsError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError for what is no number
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        good = good and not parts.query and not parts.fragment
    except ValueError:
        good = False
    if not good or not address.isascii() or any(letter <= " " for letter in address):
        raise SettingsError(
            f"The address {address!r} cannot be called.",
            advice="It is http:// or https://, a host and perhaps a path, without a password and without a question mark.",
        )
    return address


def filled(path: str, values: Mapping[str, str]) -> str:
    """A path with each `{name}` replaced by its value, spelled for a URL: a slash in it is no slash of the path.

    Raises:
        Unpresentable: a value is not there, or is one that would name another path.
    """

    def value_of(found: re.Match[str]) -> str:
        value = values.get(found[1], "")
        if value in ("", ".", ".."):
            raise Unpresentable(
                f"The path {path} has no place for {found[1]} = {value!r}. Nothing was sent.",
                advice="Give the record an id.",
            )
        return quote(value, safe="")

    return _PLACE.sub(value_of, path)


def places(path: str) -> list[str]:
    """The names that a path has in braces."""
    return _PLACE.findall(path)


def reading(call: Callable[[], Answer]) -> Answer:
    """The answer to a request that changes nothing: of what is in doubt after a write, nothing is in doubt here.

    Raises:
        Unavailable: no whole answer came. PartnerError: as the call.
    """
    try:
        return call()
    except PartnerError as error:
        raise harmless(error) from error


def harmless(error: PartnerError) -> PartnerError:
    """The outcome of a request that only reads: InDoubt is Unavailable, as asking again does nothing twice."""
    if error.outcome != "InDoubt":
        return error
    found = Unavailable(
        error.message, status=error.status, advice="It only read: asking again does nothing twice."
    )
    found.reply = error.reply
    return found
