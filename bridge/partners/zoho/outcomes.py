"""What Zoho's codes mean. They come at the top of a reply, and for each record of one, also inside 200, 201 and 207.

| code | outcome |
|---|---|
| INVALID_TOKEN, AUTHENTICATION_FAILURE | another access token, once; then Unauthorised |
| OAUTH_SCOPE_MISMATCH, NO_PERMISSION | Unauthorised |
| RATE_LIMIT_EXCEEDED, TOO_MANY_REQUESTS, and LIMIT_EXCEEDED with 429 | Unavailable |
| RECORD_LOCKED | Unavailable, for five minutes |
| ALREADY_MODIFIED | Refused (Conflict) |
| INVALID_DATA about the id in the address | Refused (NotFound) |
| INTERNAL_ERROR | InDoubt |
| every other | Refused, named as the code: DUPLICATE_DATA, MANDATORY_NOT_FOUND, RECORD_IN_BLUEPRINT … |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bridge.errors import DeliveredUnreadable, PartnerError, Refused
from bridge.partners.http import json_body, outcomes
from bridge.partners.http.wire import Answer
from bridge.partners.rest.api import Code, Request, Verdict, meant
from bridge.soap.text import echo

_CODES: Final[Mapping[str, Code]] = {
    "INVALID_TOKEN": Code("token"),
    "AUTHENTICATION_FAILURE": Code("token"),
    "OAUTH_SCOPE_MISMATCH": Code("unauthorised"),
    "NO_PERMISSION": Code("unauthorised"),
    "RATE_LIMIT_EXCEEDED": Code("unavailable", 60),
    "TOO_MANY_REQUESTS": Code("unavailable", 60),
    "RECORD_LOCKED": Code("unavailable", 300),
    "ALREADY_MODIFIED": Code("conflict"),
    "INTERNAL_ERROR": Code("in_doubt"),
}
_ADVICE: Final[Mapping[str, str]] = {
    "DUPLICATE_DATA": "Another record has this value of a field that is unique: merge the two, or correct the value.",
    "MANDATORY_NOT_FOUND": "A field that the layout requires is missing: map it, or change the layout.",
    "INVALID_DATA": "A value does not fit its field: correct the mapping or the record.",
    "RECORD_IN_BLUEPRINT": "A blueprint decides what may be changed now: move the record on there.",
    "NOT_APPROVED": "It waits for an approval there.",
    "NOT_REVIEWED": "It waits for a review there.",
    "INVALID_MODULE": "Correct `module` in the partner's file: it is the API name.",
    "LIMIT_EXCEEDED": "It asks for more than Zoho gives.",
}


class Zoho:
    """Judges replies (`bridge.partners.rest.api.Judge`)."""

    def verdict(self, request: Request, value: Any, answer: Answer) -> Verdict:
        status = answer.status_code
        if status == 304 or (status < 300 and not _is_error(value)):
            return Verdict()
        item = value if _is_error(value) else json_body.at(value, "data/0")
        if not _is_error(item):
            item = json_body.at(value, "watch/0")
        if not _is_error(item) or status == 429:
            told = str(item.get("message", "")) if isinstance(item, dict) else ""
            error = outcomes.judge(answer, names_record=request.names_record, said=told)
            return Verdict(error, status == 401)
        found = _CODES.get(str(item["code"]))
        error = error_of(item, answer, names_record=request.names_record)
        return Verdict(error, found is not None and found.meaning == "token")


def error_of(item: Mapping[str, Any], answer: Answer, *, names_record: bool) -> PartnerError | None:
    """What became of one record, by its result; None where it went well."""
    code, told = str(item.get("code", "")), _told(item)
    if code == "SUCCESS":
        return None
    if not code:
        return DeliveredUnreadable(
            "Zoho gave a result without a code.", advice="Look there what became of it."
        )
    if code == "INVALID_DATA" and names_record and _is_about_id(item):
        return meant(Code("not_found"), code, told, answer)
    found = _CODES.get(code)
    if found is not None:
        return meant(found, code, told, answer)
    return Refused(
        f"Zoho answered {echo(code, 100)}: {echo(told, 500)}.",
        name=code,
        advice=_ADVICE.get(code, "Zoho does not take it: correct it."),
    )


def _is_error(item: Any) -> bool:
    """Whether it is a result that did not go well; records have no `status` that says so."""
    return isinstance(item, dict) and item.get("status") == "error" and "code" in item


def _is_about_id(item: Mapping[str, Any]) -> bool:
    details = item.get("details")
    if not isinstance(details, dict):
        return True
    return bool(details.get("api_name", "id") == "id")


def _told(item: Mapping[str, Any]) -> str:
    """Its message, with the field it is about; of several errors each."""
    details = item.get("details")
    several = details.get("errors") if isinstance(details, dict) else None
    if isinstance(several, list):
        return "; ".join(_told(one) for one in several[:10] if isinstance(one, dict))
    place = details.get("json_path") or details.get("api_name") if isinstance(details, dict) else None
    message = str(item.get("message", "")).rstrip(".")
    return f"{message} ({place})" if place else message
