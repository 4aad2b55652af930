"""Mutations of bytes, by a seeded generator: what an XML message, a settings file or a contract may be bent to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

WORDS: Sequence[bytes] = (
    b"<", b">", b"</", b"/>", b"&", b"&lt;", b"&#0;", b"&#65;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?x?>",
    b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"\0", b"\xff", b"\xed\xa0\x80", b"\xe5\x8c\x97", b"xmlns=''", b" xmlns:s='urn:x'",
    b"xsi:nil='true'", b"xsi:type='s:x'", b" id='a'", b" wsu:Id='id-body'", b" mustUnderstand='1'", b" actor='urn:other'",
    b"href='#a'", b"encodingStyle=''", b"1e", b"-0", b"NaN", b"INF", b"99999999999999999999", b"0.0000000000001", b"2026-02-30",
    b"24:00:00", b"P1Y", b"\n", b"\t", b" ", b"=", b"'", b'"', b"[", b"]", b"{", b"}", b"#", b"\\u0000", b"true", b"[[", b"'''",
    b"<s:Body/>", b"<s:Header/>", b"<soap:Fault/>", b"http://www.w3.org/2000/09/xmldsig#", b"../../../etc/passwd",
)  # fmt: skip


def mutated(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """`seed` after one to six mutations; pieces may come from `others`."""
    body = seed
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        body = random.choice(_MUTATIONS)(random, body, others)
    return body


def _flip(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(body) or 1)
    return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]


def _insert(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + random.choice(WORDS) * random.choice((1, 1, 1, 2, 50)) + body[at:]


def _cut(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, body)
    return body[:start] + body[end:]


def _repeat(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, body)
    return body[:end] + body[start:end] * random.choice((1, 1, 2, 20)) + body[end:]


def _move(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, body)
    rest = body[:start] + body[end:]
    at = random.randint(0, len(rest))
    return rest[:at] + body[start:end] + rest[at:]


def _splice(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, body)
    other = random.choice(others) if others else body
    from_, to = _span(random, other)
    return body[:start] + other[from_:to] + body[end:]


def _element_moved(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    """Whole elements, as far as bytes tell: what wraps signatures."""
    starts = [
        at
        for at in range(len(body))
        if body[at : at + 1] == b"<" and body[at + 1 : at + 2] not in (b"/", b"?", b"!")
    ]
    if len(starts) < 3:
        return body
    start = random.choice(starts[1:])
    name = body[start + 1 : start + 80].split(b">")[0].split(b" ")[0].split(b"/")[0]
    end = body.find(b"</" + name + b">", start)
    if end < 0:
        return body
    end += len(name) + 3
    element = body[start:end]
    rest = body if random.random() < 0.5 else body[:start] + body[end:]
    at = random.choice([at for at in range(len(rest)) if rest[at : at + 1] == b"<"] or [0])
    return rest[:at] + element + rest[at:]


def _case(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, body)
    return body[:start] + body[start:end].swapcase() + body[end:]


def _truncate(random: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    return body[: random.randint(0, len(body))]


def _span(random: Random, body: bytes) -> tuple[int, int]:
    start = random.randint(0, len(body))
    return start, min(len(body), start + random.choice((1, 4, 16, 64, 400)))


_MUTATIONS: Sequence[Callable[[Random, bytes, Sequence[bytes]], bytes]] = (
    _flip, _insert, _cut, _repeat, _move, _splice, _element_moved, _element_moved, _case, _truncate,
)  # fmt: skip
