"""Attacks on who somebody is: messages sent again, tokens that are malformed or too many, guessing, asking for more than one may."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bridge.soap.security import username
from tests.acceptance.shipped_erp import get_order
from tests.security.attack import Attack
from tests.security.callers import basic, secured, stamped
from tests.security.signatures import new_order
from tests.security.target import SERVICE, Seen, Target, body_of, post, read_answer
from tests.signatures import ADDRESSING

AT_ONCE: Final = 16
GUESSES: Final = 40
LOOKED_AT: Final = 10
"""Of an address's guesses, in a minute: `access.failures`."""


def _get(target: Target) -> str:
    return body_of(get_order(target.order))


# The same message again


def _twice(make: Callable[[Target], tuple[bytes, bytes]], target: Target) -> list[Seen]:
    """A message that is taken, then what was made of it; only what that got is told."""
    first, second = make(target)
    address = target.new_address()
    taken = target.send(post(first, who=b""), address=address)
    assert taken.status == 200, f"the message itself got {taken}"
    return [target.send(post(second, who=b""), address=one) for one in (address, target.new_address())]


def _digest_again(target: Target) -> tuple[bytes, bytes]:
    message = target.callers.digest(_get(target))
    return message, message


def _nonce_for_another_message(target: Target) -> tuple[bytes, bytes]:
    """The token is somebody else's, overheard; the Body is ours."""
    message = target.callers.digest(_get(target))
    return message, re.sub(
        rb"<s:Body>.*</s:Body>", b"<s:Body>" + new_order()[1].encode() + b"</s:Body>", message
    )


def _nonce_spelled_differently(target: Target) -> tuple[bytes, bytes]:
    """The same octets in base64 that is written in another way."""
    message = target.callers.digest(_get(target))
    return message, re.sub(rb"(<wsse:Nonce[^>]*>)(..)", rb"\1 \2\n", message)


def _signature_again(target: Target) -> tuple[bytes, bytes]:
    message = target.callers.signed(_get(target), "crm")
    return message, message


def _signature_spelled_differently(target: Target) -> tuple[bytes, bytes]:
    message = target.callers.signed(_get(target), "crm")
    return message, message.replace(b"<ds:SignatureValue>", b"<ds:SignatureValue>\n ")


def _signature_with_more_around(target: Target) -> tuple[bytes, bytes]:
    """Other octets outside of what is signed: another header, another order of attributes, a comment."""
    message = target.callers.signed(_get(target), "crm")
    return message, message.replace(b"<s:Header>", b'<!-- again --><s:Header><x xmlns="urn:x"/>')


def _signature_from_elsewhere(target: Target) -> list[Seen]:
    """To one process, then to another on the same store."""
    message = post(target.callers.signed(_get(target), "crm"), who=b"")
    assert target.send(message).status == 200
    return [target.send(message, second=True)]


def _in_parallel(make: Callable[[Target], bytes], target: Target) -> list[Seen]:
    """16 times the same at the same moment, to two processes; five times."""
    seen: list[Seen] = []
    for _ in range(5):
        message, met = post(make(target), who=b""), threading.Barrier(AT_ONCE)
        answers: list[Seen] = []

        def send(
            number: int, message: bytes = message, met: threading.Barrier = met, to: list[Seen] = answers
        ) -> None:
            process = target.another() if number % 2 else target.erp
            with process.from_address("127.0.0.2") as connection:
                met.wait(20)
                began = time.perf_counter()
                connection.sendall(message)
                one = read_answer(connection)
            to.append(Seen(one.status, one.headers, one.body, time.perf_counter() - began))

        target.another()
        threads = [threading.Thread(target=send, args=(number,)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = sum(one.status == 200 for one in answers)
        assert len(answers) == AT_ONCE
        assert accepted == 1, f"{accepted} of {AT_ONCE} were accepted"
        seen += answers
    return seen


# Tokens


def _token(change: Callable[[str], str], target: Target) -> list[Seen]:
    """crm's token, which is right, changed."""
    token = username.write(
        "crm", target.callers.password, as_digest=True, nonce=secrets.token_bytes(16), now=time.time()
    )
    request_id, payload = new_order()
    seen = target.send(post(secured(payload, change(token)), who=b""), address=target.new_address())
    assert not target.known(request_id)
    return [seen]


def _made(target: Target, *, age: float = 0.0, nonce: bytes | None = None) -> list[Seen]:
    token = username.write(
        "crm",
        target.callers.password,
        as_digest=True,
        nonce=secrets.token_bytes(16) if nonce is None else nonce,
        now=time.time() - age,
    )
    return [target.send(post(secured(_get(target), token), who=b""), address=target.new_address())]


def _names(target: Target) -> list[Seen]:
    """A wrong password for a name that there is, and for one that there is not: the same words and the same time, more or less."""
    seen = []
    for name, as_digest in (("crm", True), ("nobody", True), ("crm", False), ("nobody", False)):
        token = username.write(
            name, "wrong", as_digest=as_digest, nonce=secrets.token_bytes(16), now=time.time()
        )
        seen.append(target.send(post(secured(_get(target), token), who=b""), address=target.new_address()))
    assert len({str(one) for one in seen}) == 1, f"they differ: {', '.join(map(str, seen))}"
    return seen


def _without(name: str) -> Callable[[str], str]:
    return lambda token: re.sub(rf"<(ws\w+):{name}\b.*?</\1:{name}>", "", token)


TOKENS: Final[dict[str, Callable[[str], str]]] = {
    "no Nonce": _without("Nonce"),
    "no Created": _without("Created"),
    "no password": _without("Password"),
    "no name": _without("Username"),
    "Created is changed": lambda token: token.replace("Z</wsu:Created>", "0Z</wsu:Created>"),
    "a password of another kind": lambda token: token.replace("#PasswordDigest", "#PasswordMagic"),
    "elements in the name": lambda token: token.replace(">crm<", "><x>crm</x><"),
    "a comment in the name": lambda token: token.replace(">crm<", ">crm<!-- -->x<"),
    "a name of 100,000 characters": lambda token: token.replace(">crm<", f">{'crm' * 33_333}<"),
    "SQL in the name": lambda token: token.replace(">crm<", ">crm' OR '1'='1<"),
    "a Nonce of 100,000 characters": lambda token: re.sub(
        r"(<wsse:Nonce[^>]*>)", r"\1" + "A" * 100_000, token
    ),
    "a digest of five million characters": lambda token: re.sub(
        r"(PasswordDigest\">)", r"\1" + "A" * 5_000_000, token
    ),
    "two tokens": lambda token: token * 2,
    "token flood: 5,000 tokens": lambda token: token * 5_000,
    "token flood: 90,000 tokens that are none": lambda token: token + '<x xmlns="urn:x"/>' * 90_000,
    "a token in a token": lambda token: token.replace(
        "</wsse:UsernameToken>", token + "</wsse:UsernameToken>"
    ),
}


# Guessing


def _guess(make: Callable[[], tuple[bytes, bytes]], target: Target) -> list[Seen]:
    """From one address, while honest clients ask."""
    address, seen = target.new_address(), []
    for number in range(GUESSES):
        line, body = make()
        seen.append(target.send(post(body, who=line), address=address))
        if number % 10 == 0:
            target.be_honest()
    told = sum(one.status == 429 for one in seen)
    assert told >= GUESSES - LOOKED_AT, f"only {told} of {GUESSES} were not looked at"
    assert all(one.headers.get("retry-after") for one in seen if one.status == 429)
    return list({one.status: one for one in seen}.values())


PLAIN: Final = get_order("nobody")


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _digest_guess() -> tuple[bytes, bytes]:
    token = username.write(
        "crm", secrets.token_hex(), as_digest=True, nonce=secrets.token_bytes(16), now=time.time()
    )
    return b"", secured(body_of(PLAIN), token)


GUESSED: Final[dict[str, Callable[[], tuple[bytes, bytes]]]] = {
    "API keys": lambda: (_line("X-API-Key", f"sbk_{secrets.token_urlsafe(32)}"), PLAIN),
    "API keys as Bearer": lambda: (_line("Authorization", f"Bearer {secrets.token_urlsafe(32)}"), PLAIN),
    "passwords (Basic), of names that nobody has": lambda: (
        _line("Authorization", basic(secrets.token_hex(8), "wrong password")),
        PLAIN,
    ),
    "passwords, as if each came from elsewhere (X-Forwarded-For)": lambda: (
        _line("Authorization", basic(secrets.token_hex(8), "wrong password"))
        + _line("X-Forwarded-For", f"10.1.2.{secrets.randbelow(256)}"),
        PLAIN,
    ),
    "digests": _digest_guess,
}


def _from_everywhere(target: Target) -> list[Seen]:
    """The honest client's name, from an address of its own each time: the honest client gets in all the same."""
    seen = []
    for number in range(GUESSES):
        line = _line("Authorization", basic("crm", secrets.token_hex(8)))
        seen.append(target.send(post(PLAIN, who=line), address=target.new_address()))
        if number % 10 == 0:
            target.be_honest()
    assert sum(one.status == 429 for one in seen) >= GUESSES - LOOKED_AT
    for _ in range(4):
        target.be_honest()
    return list({one.status: one for one in seen}.values())


def _at_once(target: Target) -> list[Seen]:
    """Passwords from 60 addresses at the same time: each is slow to check on purpose."""
    seen: list[Seen] = []

    def attack() -> None:
        for _ in range(5):
            line = _line("Authorization", basic(secrets.token_hex(8), "wrong password"))
            seen.append(target.send(post(PLAIN, who=line), address=target.new_address()))

    threads = [threading.Thread(target=attack) for _ in range(12)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        assert target.be_honest() < 5
        time.sleep(0.05)
    for one in threads:
        one.join()
    assert len(seen) == 60
    return list({one.status: one for one in seen}.values())


# More than one may


def _nobody(target: Target) -> list[Seen]:
    request_id, payload = new_order()
    seen = [
        target.send(post(message, who=line), address=target.new_address())
        for message in (secured(payload), stamped(payload))
        for line in (
            b"",
            _line("X-API-Key", ""),
            _line("Authorization", "Basic"),
            _line("Authorization", "Basic Y3Jt"),
            _line("Authorization", "Negotiate AAAA"),
            _line("X-Remote-User", "crm") + _line("X-Forwarded-User", "crm"),
            _line("X-Forwarded-For", "127.0.0.1"),
        )
    ]
    assert not target.known(request_id)
    return seen


def _certificate_as_header(target: Target) -> list[Seen]:
    """What a proxy would say of the client's certificate, said by the client."""
    pem = (target.folder / "certs/crm.pem").read_text().replace("\n", "%0A")
    names = (
        "X-Client-Cert",
        "X-SSL-Client-Cert",
        "X-Forwarded-Client-Cert",
        "SSL_CLIENT_CERT",
        "Client-Cert",
    )
    return [target.send(post(PLAIN, who=_line(name, pem)), address=target.new_address()) for name in names]


def _two_persons(target: Target) -> list[Seen]:
    """mallory's API key; crm's API key, and crm's token."""
    mallory, address = target.callers.api_key("mallory"), target.new_address()
    bearer = _line("Authorization", f"Bearer {target.callers.api_keys['crm']}")
    return [
        target.send(post(PLAIN, who=mallory + bearer), address=address),
        target.send(post(target.callers.digest(_get(target)), who=mallory), address=address),
    ]


def _spoofed(target: Target) -> list[Seen]:
    """reader may only read. SOAPAction and wsa:Action say that it does, the Body stores."""
    request_id, payload = new_order()
    action = "urn:soapbridge:erp:purchasing:1/GetPurchaseOrder"
    who = target.callers.api_key("reader")
    addressed = secured(payload, before=f'<a:Action xmlns:a="{ADDRESSING}">{action}</a:Action>')
    seen = [
        target.send(
            post(message, who=who, extra=_line("SOAPAction", f'"{action}"')), address=target.new_address()
        )
        for message in (stamped(payload), addressed)
    ]
    seen.append(target.send(post(stamped(payload), path=f"{SERVICE}?operation=GetPurchaseOrder", who=who)))
    assert not target.known(request_id), "an order was stored by somebody who may not"
    return seen


def _pages(target: Target) -> list[Seen]:
    return [
        target.send(f"GET {place} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), address=target.new_address())
        for place in (
            "/",
            SERVICE,
            f"{SERVICE}?wsdl",
            f"{SERVICE}?xsd=purchasing-1.xsd",
            "/services/nobody?wsdl",
        )
    ]


def attacks() -> list[Attack]:
    """All of them, in the order of the page. Guessing comes last: after it nobody new may try crm's name for a minute."""
    told = []

    def add(
        theme: str,
        must: str,
        allowed: tuple[int, ...],
        runs: dict[str, Callable[[Target], list[Seen]]],
        lasts: float = 5.0,
        fault: bool = True,
    ) -> None:
        for name, run in runs.items():
            told.append(
                Attack(theme=theme, name=name, must=must, allowed=allowed, run=run, lasts=lasts, fault=fault)
            )

    add(
        "Replay",
        "the message is taken, and refused the second time",
        (500,),
        {
            "UsernameToken: the whole message": partial(_twice, _digest_again),
            "UsernameToken: its Nonce and digest, with another Body": partial(
                _twice, _nonce_for_another_message
            ),
            "UsernameToken: its Nonce, spelled differently": partial(_twice, _nonce_spelled_differently),
            "signature: the whole message": partial(_twice, _signature_again),
            "signature: its value spelled differently": partial(_twice, _signature_spelled_differently),
            "signature: other headers around what is signed": partial(_twice, _signature_with_more_around),
            "signature: to another process": _signature_from_elsewhere,
        },
    )
    add(
        "Replay",
        "exactly one of 16 is accepted, each time",
        (200, 500),
        {
            "UsernameToken: 16 at once to two processes, 5 times": partial(
                _in_parallel, lambda target: target.callers.digest(_get(target))
            ),
            "signature: 16 at once to two processes, 5 times": partial(
                _in_parallel, lambda target: target.callers.signed(_get(target), "crm")
            ),
        },
        lasts=20,
    )
    add(
        "Asking for more than one may",
        "refused; nothing is stored",
        (400, 401, 403, 500),
        {
            "nobody at all, in many spellings": _nobody,
            "a proxy's word for a certificate, by a client": _certificate_as_header,
            "two callers at once": _two_persons,
            "SOAPAction and WS-Addressing spoofing: a reader that stores": _spoofed,
        },
    )
    add(
        "Asking for more than one may",
        "not shown",
        (401, 404),
        {"contracts and pages without credentials": _pages},
        fault=False,
    )
    add(
        "Tokens",
        "refused; nothing is stored",
        (400, 401, 500),
        {
            **{name: partial(_token, change) for name, change in TOKENS.items()},
            "made an hour ago": partial(_made, age=3600),
            "made in an hour": partial(_made, age=-3600),
            "a Nonce of one octet": partial(_made, nonce=b"x"),
        },
    )
    add("Tokens", "refused with the same words", (400, 401, 500), {"wrong passwords and wrong names": _names})
    add(
        "Guessing",
        "after access.failures (10) none is looked at: 429; honest clients are answered",
        (401, 429, 500),
        {
            **{name: partial(_guess, make) for name, make in GUESSED.items()},
            "one caller's password, from 40 addresses": _from_everywhere,
        },
        lasts=30,
    )
    add(
        "Guessing",
        "few are checked at a time; honest clients are answered",
        (401, 429, 503),
        {"60 passwords at once, from 60 addresses": _at_once},
        lasts=60,
    )
    return told
