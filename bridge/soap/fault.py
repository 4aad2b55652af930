"""A Fault as bytes, in the form and with the HTTP status of its SOAP version.

SOAP 1.1 sections 4.4 and 6.2 with WS-I Basic Profile R1000 to R1031 and R1126; SOAP 1.2 Part 1 section 5.4, Part 2
table 20. The exchange id stands in every Fault: in our detail, else at the end of the reason, and in X-Exchange-Id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import (
    BridgeError,
    DecodeError,
    InvalidMessage,
    InvalidReply,
    PartnerError,
    Refusal,
    RefusalCode,
    Repeat,
    Unavailable,
)
from bridge.soap.detail import VIOLATIONS_NS, refusal_detail, violations_detail
from bridge.soap.envelope import NAMESPACES, VERSIONS, seal
from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.media import CONTENT_TYPES, Version
from bridge.soap.text import attribute, clip, echo, escape, local_name, namespace

__all__ = [
    "VIOLATIONS_NS",
    "Fault",
    "declared_fault",
    "fault_bytes",
    "from_error",
    "http_headers",
    "http_status",
]

# DataEncodingUnknown came with 1.2.
_CODES: dict[Version, dict[RefusalCode, str]] = {
    "1.1": {"DataEncodingUnknown": "Client"},
    "1.2": {"Client": "Sender", "Server": "Receiver"},
}
_ABOUT_HEADERS: frozenset[RefusalCode] = frozenset({"MustUnderstand", "VersionMismatch"})
_PASSING = frozenset({408, 429, 503})
_LONGEST_REASON = 1000
_LONGEST_MESSAGE = 500
_LONGEST_WISH = 200
_EXCHANGE = {"en": "exchange", "zh": "交换编号"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One Fault, of either version.

    `code` is SOAP 1.1's word. `reasons` holds the text by language, of which one is sent.
    `detail` is XML text that declares its own prefixes; a Fault about headers sends none. `subcodes` are Clark names
    from the general to the special. `role` is the URI of the node at fault (faultactor), "" to leave it out.
    `not_understood` are the Clark names for 1.2's NotUnderstood, `spoken` the versions for Upgrade.
    `status` overrides the HTTP status, `headers` are HTTP headers that the answer must carry.
    """

    code: RefusalCode
    reasons: Mapping[str, str]
    exchange_id: str
    detail: str = ""
    subcodes: tuple[str, ...] = ()
    role: str = ""
    not_understood: tuple[str, ...] = ()
    spoken: tuple[Version, ...] = VERSIONS
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


# -- making one ----------------------------------------------------------------------------------


def from_error(
    error: BaseException,
    exchange_id: str,
    *,
    spoken: tuple[Version, ...] = VERSIONS,
    limits: Limits = DEFAULT,
) -> Fault:
    """The Fault for whatever stopped an exchange.

    Mistakes of the sender are explained in full. Of everything else an outsider reads that it is ours, whether to send
    again, and the exchange id by which we find the rest.
    """
    if isinstance(error, Refusal):
        return _refused(error, exchange_id, spoken)
    if isinstance(error, InvalidMessage) and error.whose == "sender":
        return _invalid_request(error, exchange_id, limits)
    if isinstance(error, DecodeError):
        texts = _texts(error)
        detail = refusal_detail(texts, exchange_id, whose="sender", repeat=error.repeat)
        return Fault(code="Client", reasons=_first_words(texts), exchange_id=exchange_id, detail=detail)
    return _ours(error, exchange_id)


def declared_fault(
    reason: str, detail: str, exchange_id: str, *, code: RefusalCode = "Client", language: str = "en"
) -> Fault:
    """A fault that the contract declares; `detail` is the encoded element, alone as the contract wants it."""
    return Fault(code=code, reasons={language: reason}, exchange_id=exchange_id, detail=detail)


def _refused(error: Refusal, exchange_id: str, spoken: tuple[Version, ...]) -> Fault:
    texts = _texts(error)
    # No detail says that the Body was not the problem (SOAP 1.1, section 4.4); our subcodes are about headers too.
    about_headers = error.code in _ABOUT_HEADERS or bool(error.subcodes)
    # Whatever is not the sender's mistake passes: nothing was acted on, so sending again does no harm.
    passing = error.code == "Server" or error.status in _PASSING
    detail = refusal_detail(
        texts,
        exchange_id,
        whose="receiver" if error.code == "Server" else "sender",
        repeat="safe" if passing else error.repeat,
    )
    return Fault(
        code=error.code,
        reasons=_first_words(texts),
        exchange_id=exchange_id,
        detail="" if about_headers else detail,
        subcodes=error.subcodes,
        not_understood=error.not_understood,
        spoken=spoken,
        status=error.status,
        headers=error.headers,
    )


def _texts(error: Refusal | DecodeError) -> dict[str, tuple[str, str]]:
    translations = error.translations if isinstance(error, Refusal) else {}
    texts = {"en": (error.message, error.advice), **translations}
    return {language: (echo(text, _LONGEST_MESSAGE), advice) for language, (text, advice) in texts.items()}


def _first_words(texts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {
        language: f"{message}{'' if language == 'zh' else ' '}{advice}".strip()
        for language, (message, advice) in texts.items()
    }


def _invalid_request(error: InvalidMessage, exchange_id: str, limits: Limits) -> Fault:
    violations = error.violations
    count, first = len(violations), violations[0]
    more_english, more_chinese = ("at least ", "至少 ") if error.truncated else ("", "")
    places = "place" if count == 1 and not error.truncated else "places"
    english = first.messages.get("en", "")
    path = echo(first.path)
    reasons = {
        "en": f"The request breaks its contract in {more_english}{count} {places}, listed in the detail. "
        f"The first is {path}: {echo(english, _LONGEST_MESSAGE)}",
        "zh": f"请求有 {more_chinese}{count} 处不符合契约，详见 detail。"
        f"第一处是 {path}：{echo(first.messages.get('zh', english), _LONGEST_MESSAGE)}",
    }
    detail = violations_detail(violations, exchange_id, truncated=error.truncated, most=limits.max_explained)
    return Fault(code="Client", reasons=reasons, exchange_id=exchange_id, detail=detail)


_OUR_TEXTS = {
    "en": "The request could not be answered because of a problem on this side.",
    "zh": "由于本方的问题，无法应答此请求。",
}
_REPLY_TEXTS = {
    "en": "The answer would have broken the contract, so it was not sent and nothing was stored.",
    "zh": "应答不符合契约，因此未发送，也未保存任何内容。",
}
_PARTNER_TEXTS: dict[str, dict[str, str]] = {
    "NotSent": {
        "en": "The system that has to do this could not be reached.",
        "zh": "无法连接到处理此请求的系统。",
    },
    "Unavailable": {
        "en": "The system that has to do this did not take the request.",
        "zh": "处理此请求的系统未接收请求。",
    },
    "Unauthorised": {
        "en": "The system that has to do this did not let the request in.",
        "zh": "处理此请求的系统拒绝了本方的访问。",
    },
    "Unpresentable": {
        "en": "What was made of the request does not fit the system that has to do it; nothing was handed on.",
        "zh": "由此请求生成的消息不符合目标系统的契约，未转发。",
    },
    "Refused": {
        "en": "The system that has to do this refused the request.",
        "zh": "处理此请求的系统拒绝了请求。",
    },
    "InDoubt": {
        "en": "The request was handed on to another system, and no answer tells what became of it.",
        "zh": "请求已转发给另一系统，但没有应答说明其结果。",
    },
    "DeliveredUnreadable": {
        "en": "The request was done by another system, whose answer cannot be used.",
        "zh": "请求已由另一系统处理，但其应答无法使用。",
    },
}
_WITH_IT = {"en": "exchange with it:", "zh": "与该系统的交换编号："}
_OUR_ADVICE: dict[Repeat, dict[str, str]] = {
    "safe": {
        "en": "Nothing was done; send the same request again later.",
        "zh": "未做任何处理，请稍后重发同一请求。",
    },
    "useless": {
        "en": "Sending it again will not help; tell whoever runs this service the exchange id.",
        "zh": "重发无济于事；请把交换编号告知本服务的运维人员。",
    },
    "unknown": {
        "en": "Whether it was done is not certain: look before you send it again, or send it with the same request id.",
        "zh": "无法确定是否已处理：请先查询再重发，或使用同一请求编号重发。",
    },
}


def _ours(error: BaseException, exchange_id: str) -> Fault:
    """Nothing of the error itself: its text may hold a path, a statement, or another party's data."""
    repeat: Repeat = error.repeat if isinstance(error, BridgeError) else "unknown"
    messages: Mapping[str, str] = _REPLY_TEXTS if isinstance(error, InvalidReply) else _OUR_TEXTS
    if isinstance(error, PartnerError):
        messages = _of_partner(error)
    texts = {language: (message, _OUR_ADVICE[repeat][language]) for language, message in messages.items()}
    detail = refusal_detail(texts, exchange_id, whose="receiver", repeat=repeat)
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Unavailable) and error.retry_after is not None:
        status, headers = 503, (("Retry-After", str(max(1, math.ceil(error.retry_after)))),)
    return Fault(
        code="Server",
        reasons=_first_words(texts),
        exchange_id=exchange_id,
        detail=detail,
        status=status,
        headers=headers,
    )


def _of_partner(error: PartnerError) -> Mapping[str, str]:
    """What became of a call to a partner, without its name or words; with the exchange by which it can be found there."""
    messages = _PARTNER_TEXTS.get(error.outcome, _OUR_TEXTS)
    if not error.exchange_id:
        return messages
    return {
        language: f"{message} [{_WITH_IT[language]} {error.exchange_id}]"
        for language, message in messages.items()
    }


# -- writing it ----------------------------------------------------------------------------------


def http_status(version: Version, fault: Fault) -> int:
    """What the SOAP version prescribes (1.1: always 500; 1.2: 400 for Sender, else 500), unless the Fault says."""
    if fault.status is not None:
        return fault.status
    return 400 if version == "1.2" and fault.code == "Client" else 500


def http_headers(version: Version, fault: Fault) -> list[tuple[str, str]]:
    """Content-Type, X-Exchange-Id and what the Fault itself asks for (`Allow`)."""
    headers = [("Content-Type", CONTENT_TYPES[version]), *fault.headers]
    if fault.exchange_id:
        headers.append(("X-Exchange-Id", fault.exchange_id))
    return headers


def fault_bytes(version: Version, fault: Fault, headers: str = "", *, language: str = "") -> bytes:
    """The whole envelope as UTF-8. `headers` is XML text of further header blocks.

    The reason is told in `language` (as Accept-Language has it) where the Fault has it, else in its first.
    """
    spoken, reason = _reason(fault, language)
    if fault.code == "VersionMismatch":
        headers = _upgrade(fault.spoken) + headers
    elif fault.code == "MustUnderstand" and version == "1.2":
        headers = _not_understood(fault.not_understood) + headers
    body = _fault_11(fault, reason) if version == "1.1" else _fault_12(fault, spoken, reason)
    return seal(version, body, headers)


def _fault_11(fault: Fault, reason: str) -> str:
    """Children without namespace (R1001); a subcode of its own is the faultcode, the most special one (R1031)."""
    if fault.subcodes:
        code = _qname("faultcode", fault.subcodes[-1])
    else:
        code = f"<faultcode>soap:{_code('1.1', fault.code)}</faultcode>"
    actor = f"<faultactor>{escape(fault.role)}</faultactor>" if fault.role else ""
    detail = f"<detail>{fault.detail}</detail>" if _has_detail(fault) else ""
    return f"<soap:Fault>{code}<faultstring>{escape(reason)}</faultstring>{actor}{detail}</soap:Fault>"


def _fault_12(fault: Fault, language: str, reason: str) -> str:
    """Code, Reason, Node, Role, Detail, in this order (section 5.4).

    One Text, though several may stand there: gSOAP 2.8 reads no fault with two, and Node's soap shows their objects.
    """
    subcode = ""
    for name in reversed(fault.subcodes):
        subcode = f"<soap:Subcode>{_qname('soap:Value', name)}{subcode}</soap:Subcode>"
    text = f"<soap:Text xml:lang={attribute(language)}>{escape(reason)}</soap:Text>"
    role = f"<soap:Role>{escape(fault.role)}</soap:Role>" if fault.role else ""
    detail = f"<soap:Detail>{fault.detail}</soap:Detail>" if _has_detail(fault) else ""
    return (
        f"<soap:Fault><soap:Code><soap:Value>soap:{_code('1.2', fault.code)}</soap:Value>{subcode}</soap:Code>"
        f"<soap:Reason>{text}</soap:Reason>{role}{detail}</soap:Fault>"
    )


def _code(version: Version, code: RefusalCode) -> str:
    return _CODES[version].get(code, code)


def _has_detail(fault: Fault) -> bool:
    return bool(fault.detail) and fault.code not in _ABOUT_HEADERS


def _reason(fault: Fault, wanted: str) -> tuple[str, str]:
    """(language, text), ending with the exchange id where the detail does not carry it; never empty, for 1.2 wants one."""
    given = {language: text for language, text in fault.reasons.items() if text.strip()} or _OUR_TEXTS
    language = _nearest(wanted, list(given))
    text = clip(given[language], _LONGEST_REASON)
    if not fault.exchange_id or (_has_detail(fault) and fault.exchange_id in fault.detail):
        return language, text
    return language, f"{text} [{_EXCHANGE.get(language, _EXCHANGE['en'])} {fault.exchange_id}]"


def _nearest(wanted: str, known: Sequence[str]) -> str:
    """Of the languages known, the first that is wanted (`zh-CN,zh;q=0.9` wants zh); without one, the first known."""
    by_language = {language.lower().partition("-")[0]: language for language in reversed(known)}
    tags = (tag.partition(";")[0].strip().lower() for tag in wanted[:_LONGEST_WISH].split(","))
    return next(
        (by_language[tag.partition("-")[0]] for tag in tags if tag.partition("-")[0] in by_language), known[0]
    )


def _qname(element: str, name: str) -> str:
    """An element whose content is a QName with its prefix bound right there."""
    ns = namespace(name)
    if not ns:
        return f"<{element}>{escape(local_name(name))}</{element}>"
    return f"<{element} xmlns:q={attribute(ns)}>q:{escape(local_name(name))}</{element}>"


def _not_understood(names: tuple[str, ...]) -> str:
    """SOAP 1.2 Part 1, section 5.4.8: one block for each header block not understood."""
    blocks = []
    for name in names:
        ns, local = namespace(name), local_name(name)
        qname = (
            f"qname={attribute(f'q:{local}')} xmlns:q={attribute(ns)}" if ns else f"qname={attribute(local)}"
        )
        blocks.append(f"<soap:NotUnderstood {qname}/>")
    return "".join(blocks)


def _upgrade(spoken: tuple[Version, ...]) -> str:
    """Section 5.4.7, best version first; always of the 1.2 namespace, in a 1.1 envelope too (appendix A)."""
    envelopes = "".join(
        f'<u:SupportedEnvelope qname="q:Envelope" xmlns:q="{NAMESPACES[version]}"/>'
        for version in VERSIONS
        if version in spoken
    )
    return f'<u:Upgrade xmlns:u="{NAMESPACES["1.2"]}">{envelopes}</u:Upgrade>'
