"""What errors say about a message, without its secret values."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.contract.explain.violation import Violation
from bridge.errors import BridgeError, InvalidMessage, PartnerError, Refusal
from bridge.fields.masking import is_secret, masked_text, masked_violation
from bridge.fields.path import FieldPath


def clean(error: BaseException, paths: Sequence[FieldPath], secret: Sequence[str]) -> None:
    """Takes secret values, and what was found at secret places, out of what an error of ours says, in place."""
    if not isinstance(error, BridgeError):
        return
    violations: Sequence[Violation] = getattr(error, "violations", ())
    if violations and isinstance(error, InvalidMessage | PartnerError):
        shown = tuple(masked_violation(one, paths, secret) for one in violations)
        for one, instead in zip(violations, shown, strict=True):
            error.message = error.message.replace(str(one), str(instead))
        error.violations = shown  # type: ignore[union-attr]
    elif is_secret(_place(error), paths):
        error.message = f"The value at {_place(error)} is secret and not shown; it does not fit its type."
    error.message = masked_text(error.message, secret)
    error.args = (error.message, *error.args[1:])
    if isinstance(error, Refusal):
        error.translations = {
            language: (masked_text(text, secret), advice)
            for language, (text, advice) in error.translations.items()
        }
    if error.__cause__ is not None:
        clean(error.__cause__, paths, secret)


def _place(error: BaseException) -> str:
    """Where a value stands that does not fit its type: the codec says it, whatever became of its error since."""
    cause = error.__cause__
    found = getattr(error, "path", "") or ("" if cause is None else getattr(cause, "path", ""))
    return found if isinstance(found, str) else ""
