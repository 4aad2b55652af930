"""Where a partner listens, and what TLS with it takes: from its address and settings."""

from __future__ import annotations

import ssl
from urllib.parse import SplitResult

from bridge.errors import SettingsError
from bridge.partners.http.connection import Endpoint
from bridge.settings import Partner


def endpoint_of(address: SplitResult, settings: Partner) -> Endpoint:
    """
    Raises:
        SettingsError: a certificate cannot be read.
    """
    host = address.hostname or ""
    if address.scheme != "https":
        return Endpoint(host, address.port or 80)
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate is not None:
            key = settings.certificate_key
            context.load_cert_chain(str(settings.certificate), str(key) if key else None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"A certificate of the partner's settings cannot be used: {error}.",
            advice="Check `ca`, `certificate` and `certificate_key`: PEM files, and the key without a password.",
        ) from error
    return Endpoint(host, address.port or 443, context)
