"""What is said of a Security header that is not accepted; the codes are WS-Security's own (SOAP Message Security 1.1, section 12)."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.soap.reason import Reason
from bridge.soap.security import WSSE, WSU

_INVALID = (f"{{{WSSE}}}InvalidSecurity",)
_UNSUPPORTED = (f"{{{WSSE}}}UnsupportedSecurityToken",)
_FAILED = (f"{{{WSSE}}}FailedAuthentication",)
_EXPIRED = (f"{{{WSU}}}MessageExpired",)

SECURITY_REASONS: Mapping[str, Reason] = {
    "failed_authentication": Reason(
        "The credentials are not accepted.",
        "Check the name and the password, or the certificate, and that they are still valid.",
        "凭证未被接受。",
        "请检查名称和密码，或证书，并确认其仍然有效。",
        subcodes=_FAILED,
    ),
    "password_in_clear": Reason(
        "A password in clear text came over a connection that is not encrypted; it was not looked at.",
        "Send it over https, or send a PasswordDigest; and change it, for others may have read it.",
        "明文密码经由未加密的连接传来，未予查验。",
        "请使用 https 或 PasswordDigest；并更换此密码，因为它可能已被他人读取。",
        subcodes=_INVALID,
    ),
    "security_twice": Reason(
        "The request has more than one wsse:Security header for this node.",
        "Put all tokens into one.",
        "请求中有多个发给本节点的 wsse:Security 头。",
        "请把所有令牌放在同一个头中。",
        subcodes=_INVALID,
    ),
    "security_repeated": Reason(
        "The Security header holds `{found}` more than once.",
        "Send one of a kind.",
        "Security 头中 `{found}` 出现多次。",
        "每种只发送一个。",
        subcodes=_INVALID,
    ),
    "security_unknown": Reason(
        "The Security header holds `{found}`, which is not accepted there.",
        "Accepted are one UsernameToken, one Timestamp, and one X.509 signature with its BinarySecurityToken.",
        "Security 头中含有此处不接受的 `{found}`。",
        "可接受一个 UsernameToken、一个 Timestamp，以及一个 X.509 签名及其 BinarySecurityToken。",
        subcodes=_UNSUPPORTED,
    ),
    "security_encrypted": Reason(
        "The message is encrypted (`{found}`); encrypted messages are not accepted.",
        "Turn encryption off in the client: TLS keeps others from reading the message on its way.",
        "消息已加密（`{found}`）；此处不接受加密的消息。",
        "请在客户端关闭加密：传输中由 TLS 保密。",
        subcodes=_UNSUPPORTED,
    ),
    "security_saml": Reason(
        "The Security header holds a SAML assertion; those are not accepted.",
        "Use a UsernameToken or an X.509 signature.",
        "Security 头中含有 SAML 断言，此处不接受。",
        "请使用 UsernameToken 或 X.509 签名。",
        subcodes=_UNSUPPORTED,
    ),
    "security_lacks": Reason(
        "{found} in the Security header has no {wanted}.",
        "Send it with one.",
        "Security 头中的 {found} 缺少 {wanted}。",
        "请补上。",
        subcodes=_INVALID,
    ),
    "security_value": Reason(
        "{found} in the Security header is not written as WS-Security has it.",
        "Moments are written 2026-03-02T12:00:00Z, octets in base64, passwords with the Type PasswordText or PasswordDigest; nothing "
        "but text stands in them.",
        "Security 头中的 {found} 不符合 WS-Security 的写法。",
        "时刻写作 2026-03-02T12:00:00Z，字节用 base64，密码的 Type 为 PasswordText 或 PasswordDigest；其中只能有文本。",
        subcodes=_INVALID,
    ),
    "nonce_length": Reason(
        "The Nonce has not between {least} and {most} octets.",
        "Take 16 random octets, in base64.",
        "Nonce 的长度不在 {least} 到 {most} 字节之间。",
        "请取 16 个随机字节，用 base64 编码。",
        subcodes=_INVALID,
    ),
    "message_expired": Reason(
        "The message was made at {created} and held for {most} seconds, which are over.",
        "Set the clock right, and make each message, repeats too, just before it is sent.",
        "消息生成于 {created}，有效期 {most} 秒，已过期。",
        "请校准时钟；每条消息（包括重发）都应在发送前生成。",
        subcodes=_EXPIRED,
    ),
    "message_from_future": Reason(
        "The message was made at {created}, and here it is {now}.",
        "Set the clock right; all times are UTC.",
        "消息生成于 {created}，而此处时间为 {now}。",
        "请校准时钟；所有时间均为 UTC。",
        subcodes=_EXPIRED,
    ),
    "message_replayed": Reason(
        "This message came before, or another one with its Nonce.",
        "Nothing was done this time. Make a new Nonce, Created and signature for each message, repeats too.",
        "此消息或带有相同 Nonce 的消息已经收到过。",
        "本次未做任何处理。每条消息（包括重发）都应使用新的 Nonce、Created 和签名。",
        subcodes=_INVALID,
    ),
    "not_covered": Reason(
        "The signature does not cover {parts}.",
        "Sign the Body and the Timestamp of the message, and the headers that were agreed.",
        "签名未覆盖 {parts}。",
        "请对消息的 Body、Timestamp 以及约定的头签名。",
        subcodes=_INVALID,
    ),
    "security_required": Reason(
        "The request comes without what is required of this caller here: {missing}.",
        "Send it again with that in its Security header.",
        "请求缺少此处对该调用方的要求：{missing}。",
        "请在 Security 头中补上后重发。",
        subcodes=_INVALID,
    ),
    "signature_form": Reason(
        "The signature is not built as it should be: {problem}.",
        "Compare it with XML Signature and the WS-Security X.509 token profile; toolkits build it right.",
        "签名的结构不正确：{problem}。",
        "请对照 XML Signature 与 WS-Security X.509 令牌规范；使用现成工具包即可正确生成。",
    ),
    "signature_algorithm": Reason(
        "The algorithm `{found}` is not accepted in a signature.",
        "Sign with RSA or ECDSA and SHA-256, over exclusive canonical XML.",
        "签名中不接受算法 `{found}`。",
        "请使用 RSA 或 ECDSA 与 SHA-256，并采用 exclusive canonical XML。",
    ),
    "token_kind": Reason(
        "A security token of the kind `{found}` is not accepted.",
        "Name the certificate by a BinarySecurityToken (X509v3), issuer and serial number, SubjectKeyIdentifier or thumbprint.",
        "不接受 `{found}` 类型的安全令牌。",
        "请用 BinarySecurityToken（X509v3）、颁发者与序列号、SubjectKeyIdentifier 或指纹指明证书。",
    ),
    "signature_wrong": Reason(
        "The signature is not one that we can trust.",
        "Make sure that we have your certificate, that it is valid today, and that nothing changes the message once it is signed.",
        "签名不可信。",
        "请确认我方已有贵方证书、证书在有效期内，且消息在签名后未被改动。",
    ),
    "signed_part_changed": Reason(
        "The part `{place}` is not what was signed.",
        "Make sure that nothing changes the message once it is signed: no formatting, no prefixes, no proxies.",
        "`{place}` 部分与签名时不一致。",
        "请确认消息在签名后未被改动：不要重新排版、更改前缀或经代理修改。",
    ),
    "signed_type_loose": Reason(
        "An xsi:type in the part `{place}` has a prefix whose namespace the signature does not cover.",
        "Name that prefix in an InclusiveNamespaces PrefixList of the signature, or use it for elements as well.",
        "`{place}` 部分中某个 xsi:type 的前缀，其命名空间未被签名覆盖。",
        "请在签名的 InclusiveNamespaces PrefixList 中列出该前缀，或让元素也使用该前缀。",
    ),
    "signed_comment": Reason(
        "There is a comment in the signed part `{place}`.",
        "A signature does not cover comments: send none.",
        "被签名的 `{place}` 部分含有注释。",
        "签名不覆盖注释：请不要发送注释。",
    ),
    "signed_part_unknown": Reason(
        "The signature refers to `{found}`, which is neither the Body nor a header.",
        "Sign the Body, whole header blocks, and whole children of the same Security header, each by an Id of its own.",
        "签名引用的 `{found}` 既不是 Body 也不是头块。",
        "请对 Body、完整的头块以及同一 Security 头的完整子元素签名，各用自己的 Id。",
    ),
    "id_repeated": Reason(
        "The Id `{found}` stands in the message more than once.",
        "Give every element that is signed an Id of its own.",
        "编号 `{found}` 在消息中出现多次。",
        "请为每个被签名的元素使用唯一的 Id。",
    ),
}
