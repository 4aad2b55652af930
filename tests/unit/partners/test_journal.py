"""What is kept of a call: the journal's words for outcomes, and envelopes without secrets."""

from __future__ import annotations

import pytest

from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    NotSent,
    PartnerError,
    Refused,
    Unauthorised,
    Unavailable,
    Unpresentable,
)
from bridge.partners.journal import verdict_of
from bridge.soap.envelope import seal
from bridge.soap.masking import masked

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, "accepted"),
        (Refused("", name="Closed"), "fault"),
        (Refused(""), "refused"),
        (Unpresentable(""), "invalid_request"),
        (DeliveredUnreadable(""), "invalid_reply"),
        (InDoubt(""), "failed"),
        (NotSent(""), "failed"),
        (Unavailable(""), "failed"),
        (Unauthorised(""), "failed"),
    ],
)
def test_each_outcome_has_a_verdict(error: PartnerError | None, verdict: str) -> None:
    assert verdict_of(error) == verdict


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_security_headers_are_always_masked(version: str) -> None:
    token = f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Password>hush</w:Password></w:UsernameToken></w:Security>'
    envelope = seal(version, "<a>hush in the body stays</a>", token + "<s xmlns='urn:s'>seen</s>")  # type: ignore[arg-type]
    kept = masked(envelope)
    assert b"<w:Password>" not in kept
    assert b"***" in kept
    assert b"seen" in kept
    assert b"hush in the body stays" in kept


@pytest.mark.parametrize(
    "payload", [f"<a>{'x' * 11_000_000}</a>", "<a>" * 300 + "</a>" * 300], ids=["large", "deep"]
)
def test_what_we_wrote_is_masked_however_large_or_deep_it_is(payload: str) -> None:
    envelope = seal("1.1", payload, '<Token xmlns="urn:s">hush</Token>')
    assert b"hush" not in masked(envelope, ("Token",), ours=True)


@pytest.mark.parametrize("name", ["Token", "{urn:s}Token"])
def test_blocks_that_the_settings_name_are_masked(name: str) -> None:
    envelope = seal("1.1", "<a/>", '<Token xmlns="urn:s" id="secret-id"><key>hush</key></Token>')
    kept = masked(envelope, (name,))
    assert b"hush" not in kept
    assert b"secret-id" not in kept


def test_an_envelope_without_secrets_is_kept_as_it_was() -> None:
    envelope = seal("1.1", "<a/>", '<s xmlns="urn:s">seen</s>')
    assert masked(envelope, ("Token",)) is envelope
    assert masked(b"<html>Security", ("Token",)) == b"<html>Security"
