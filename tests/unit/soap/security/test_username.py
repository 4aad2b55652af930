"""UsernameToken: the digest of the profile, and the form that is taken."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.security import WSSE, WSU
from bridge.soap.security.username import DIGEST, TEXT, digest, read, write

NOW = 1_772_452_800.0  # 2026-03-02T12:00:00Z
NONCE = b"0123456789abcdef"


def token(*children: str) -> etree._Element:
    return etree.fromstring(
        f'<wsse:UsernameToken xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}">{"".join(children)}</wsse:UsernameToken>'
    )


NAME = "<wsse:Username>acme</wsse:Username>"
PASSWORD = f'<wsse:Password Type="{TEXT}">secret</wsse:Password>'
HASHED = f'<wsse:Password Type="{DIGEST}">AAAA</wsse:Password>'
RANDOM = f"<wsse:Nonce>{base64.b64encode(NONCE).decode()}</wsse:Nonce>"
CREATED = "<wsu:Created>2026-03-02T12:00:00Z</wsu:Created>"


def test_the_digest_is_over_octets_text_and_password_in_this_order() -> None:
    expected = hashlib.sha1(NONCE + b"2026-03-02T12:00:00.000Z" + "密码".encode()).digest()
    assert digest(NONCE, "2026-03-02T12:00:00.000Z", "密码") == expected


@given(
    name=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Zs"]), min_size=1, max_size=50),
    password=st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFD, exclude_categories=["Cs"]), min_size=1, max_size=50),
    as_digest=st.booleans(),
)  # fmt: skip
def test_what_is_written_is_read_and_holds_for_its_password_alone(
    name: str, password: str, as_digest: bool
) -> None:
    written = write(name, password, as_digest=as_digest, nonce=NONCE, now=NOW)
    found = read(etree.fromstring(written))
    assert (found.nonce, found.created) == (NONCE, NOW)
    if as_digest:
        assert found.is_made_with(password)
        assert not found.is_made_with(password + "x")
    else:
        assert found.password == password
    if name.strip() == name:
        assert found.name == name


def test_created_is_taken_as_it_was_sent_when_it_has_spaces_around_it() -> None:
    text = " 2026-03-02T12:00:00Z\n"
    made = base64.b64encode(digest(NONCE, text, "secret")).decode()
    found = read(
        token(
            NAME,
            f'<wsse:Password Type="{DIGEST}">{made}</wsse:Password>',
            RANDOM,
            f"<wsu:Created>{text}</wsu:Created>",
        )
    )
    assert found.is_made_with("secret")


def test_a_password_without_a_type_is_in_clear() -> None:
    assert read(token(NAME, "<wsse:Password> a b </wsse:Password>")).password == " a b "


@pytest.mark.parametrize(
    ("children", "said"),
    [
        pytest.param([PASSWORD], "no Username", id="no name"),
        pytest.param([NAME], "no Password", id="no password"),
        pytest.param(["<wsse:Username/>", PASSWORD], "Username", id="an empty name"),
        pytest.param([NAME, NAME, PASSWORD], "`Username` more than once", id="two names"),
        pytest.param([NAME, PASSWORD, PASSWORD], "`Password` more than once", id="two passwords"),
        pytest.param([NAME, HASHED, RANDOM, RANDOM, CREATED], "`Nonce` more than once", id="two nonces"),
        pytest.param([NAME, HASHED, CREATED], "no Nonce", id="a digest without a nonce"),
        pytest.param([NAME, HASHED, RANDOM], "no Created", id="a digest without a moment"),
        pytest.param([NAME, '<wsse:Password Type="urn:x">a</wsse:Password>'], "Password", id="another type"),
        pytest.param(
            [NAME, PASSWORD, "<wsse:Nonce>AAAA</wsse:Nonce>"], "between 8 and 256", id="short nonce"
        ),
        pytest.param(
            [NAME, PASSWORD, f"<wsse:Nonce>{'AAAA' * 90}</wsse:Nonce>"], "between 8 and 256", id="long nonce"
        ),
        pytest.param([NAME, PASSWORD, "<wsse:Nonce>no base64!</wsse:Nonce>"], "Nonce", id="no base64"),
        pytest.param(
            [NAME, PASSWORD, '<wsse:Nonce EncodingType="urn:hex">AAAAAAAAAAAA</wsse:Nonce>'],
            "Nonce",
            id="another encoding",
        ),
        pytest.param([NAME, PASSWORD, "<wsu:Created>yesterday</wsu:Created>"], "Created", id="no moment"),
        pytest.param(["<wsse:Username>ac<!-- -->me</wsse:Username>", PASSWORD], "Username", id="a comment"),
        pytest.param(["<wsse:Username>ac<wsse:x/></wsse:Username>", PASSWORD], "Username", id="an element"),
        pytest.param([f"<wsse:Username>{'a' * 1001}</wsse:Username>", PASSWORD], "Username", id="long name"),
        pytest.param([NAME, PASSWORD, "<wsse:Salt/>"], "`Salt`", id="what is not known"),
    ],
)
def test_what_is_not_in_the_profiles_form_is_refused(children: list[str], said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        read(token(*children))
    assert refused.value.subcodes[0].startswith(f"{{{WSSE}}}")


def test_a_token_shows_none_of_its_secrets() -> None:
    shown = repr(read(token(NAME, PASSWORD, RANDOM, CREATED)))
    assert "acme" in shown
    assert "secret" not in shown
