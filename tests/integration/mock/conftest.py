"""Mocks on real sockets, each closed after its test, and the plainest client there is."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree

from bridge.mock import Mock
from bridge.soap.envelope import seal

DESK = Path(__file__).parents[1] / "host" / "desk-1.wsdl"
CREDIT = "{urn:test:desk:1}"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def payload(self) -> etree._Element:
        """The Body's only child."""
        (payload,) = etree.fromstring(self.body)[-1]
        return payload

    def text(self, name: str) -> str | None:
        return self.payload.findtext(f".//{{*}}{name}")


def echo(text: str = "hello", number: int | None = None, version: Any = "1.1") -> bytes:
    inner = "" if number is None else f"<number>{number}</number>"
    return seal(version, f'<Echo xmlns="urn:test:desk:1"><text>{text}</text>{inner}</Echo>')


def post(
    url: str, body: bytes, *, content_type: str = "text/xml", timeout: float = 10, **headers: str
) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": content_type, **headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def get(url: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        query = f"?{parts.query}" if parts.query else ""
        connection.request(method, parts.path + query, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Mock]]:
    """`desk("...")` starts a mock of desk-1.wsdl with this script; further arguments are Mock's."""
    mocks: list[Mock] = []

    def start(script: str = "", **options: Any) -> Mock:
        if script:
            file = tmp_path / f"script{len(mocks)}.toml"
            file.write_text(script)
            options["script"] = file
        mocks.append(Mock(DESK, **options).start())
        return mocks[-1]

    yield start
    for mock in mocks:
        mock.close()
