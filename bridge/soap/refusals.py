"""Every reason for which a request is refused before it is acted on: what is said, in English and Chinese, and how.

One table, so that answers, docs and tests cannot tell different stories. `refuse(key, …)` makes the error;
values filled into a text are bounded and printable (`text.echo`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.errors import Refusal
from bridge.soap.reason import Reason
from bridge.soap.security.reasons import SECURITY_REASONS
from bridge.soap.text import echo


def refuse(
    key: str,
    *,
    status: int | None = None,
    subcodes: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    not_understood: Sequence[str] = (),
    **values: object,
) -> Refusal:
    """The error for the reason `key` of REASONS, to be raised by the caller."""
    reason = REASONS[key]
    safe = {name: echo(str(value)) for name, value in values.items()}
    return Refusal(
        reason.english.format_map(safe),
        code=reason.code,
        status=status if status is not None else reason.status,
        advice=reason.english_advice.format_map(safe),
        subcodes=subcodes or reason.subcodes,
        headers=headers,
        not_understood=not_understood,
        translations={"zh": (reason.chinese.format_map(safe), reason.chinese_advice.format_map(safe))},
    )


_HTTP = {
    "method": Reason(
        "{method} is not answered at this address.",
        "Send SOAP with POST; GET shows the service, GET with ?wsdl its contract.",
        "此地址不接受 {method} 方法。",
        "请用 POST 发送 SOAP 消息；GET 查看服务，GET 加 ?wsdl 获取契约。",
        status=405,
    ),
    "unknown_service": Reason(
        "There is no service at this address.",
        "Compare the address with the one in the WSDL.",
        "此地址没有服务。",
        "请与 WSDL 中的地址核对。",
        status=404,
    ),
    "content_type_missing": Reason(
        "The request has no Content-Type.",
        "Send `text/xml; charset=utf-8` for SOAP 1.1 or `application/soap+xml; charset=utf-8` for SOAP 1.2.",
        "请求缺少 Content-Type。",
        "SOAP 1.1 请用 `text/xml; charset=utf-8`，SOAP 1.2 请用 `application/soap+xml; charset=utf-8`。",
        status=415,
    ),
    "media_type": Reason(
        "The media type `{found}` is not SOAP.",
        "Send `text/xml; charset=utf-8` for SOAP 1.1 or `application/soap+xml; charset=utf-8` for SOAP 1.2.",
        "媒体类型 `{found}` 不是 SOAP。",
        "SOAP 1.1 请用 `text/xml; charset=utf-8`，SOAP 1.2 请用 `application/soap+xml; charset=utf-8`。",
        status=415,
    ),
    "attachments": Reason(
        "Messages with attachments (`multipart/related`) are not accepted.",
        "Turn MTOM and attachments off in the client and send binary data as base64 in the document.",
        "不接受带附件的消息（`multipart/related`）。",
        "请在客户端关闭 MTOM 和附件，二进制数据以 base64 放在文档内。",
        status=415,
    ),
    "charset": Reason(
        "The charset `{found}` is not accepted.",
        "Send UTF-8. Also accepted: {accepted}.",
        "不接受字符集 `{found}`。",
        "请使用 UTF-8。也接受：{accepted}。",
        status=415,
    ),
    "content_encoding": Reason(
        "The Content-Encoding `{found}` is not accepted.",
        "Send the body as it is, or with gzip or deflate.",
        "不接受 Content-Encoding `{found}`。",
        "请直接发送正文，或使用 gzip 或 deflate。",
        status=415,
        code="Client",
    ),
    "compression": Reason(
        "The body is not what its Content-Encoding `{found}` says: {problem}.",
        "Compress the whole body once, or send it as it is.",
        "正文与其 Content-Encoding `{found}` 不符。",
        "请对整个正文压缩一次，或不压缩发送。",
        status=400,
    ),
    "compression_ratio": Reason(
        "The body grows to more than {most} times its compressed size.",
        "Send it uncompressed.",
        "正文解压后超过其压缩大小的 {most} 倍。",
        "请不压缩发送。",
        status=413,
    ),
    "too_large": Reason(
        "The request has more than {most} bytes.",
        "Send it in several requests.",
        "请求超过 {most} 字节。",
        "请拆分为多个请求发送。",
        status=413,
    ),
    "slow_body": Reason(
        "The body of the request did not arrive in time.",
        "Nothing was done; send the request again.",
        "请求正文未在规定时间内到达。",
        "未做任何处理，请重新发送。",
        status=408,
    ),
    "body_length": Reason(
        "The body does not have the length that the HTTP headers announce.",
        "Let the HTTP library count: Content-Length in bytes, not characters.",
        "正文长度与 HTTP 头所声明的不一致。",
        "请由 HTTP 库计算 Content-Length（按字节，不按字符）。",
        status=400,
    ),
    "busy": Reason(
        "Too many requests are being answered.",
        "Nothing was done; send the request again later.",
        "正在处理的请求过多。",
        "未做任何处理，请稍后重新发送。",
        code="Server",
        status=503,
    ),
}

_XML = {
    "empty": Reason(
        "The request is empty.",
        "Send a SOAP envelope as the body of the POST.",
        "请求为空。",
        "请在 POST 正文中发送 SOAP 信封。",
    ),
    "declared_charset": Reason(
        "The XML declaration names the encoding `{found}`, which is not accepted.",
        "Send UTF-8. Also accepted: {accepted}.",
        "XML 声明中的编码 `{found}` 不被接受。",
        "请使用 UTF-8。也接受：{accepted}。",
    ),
    "encoding": Reason(
        "The bytes from {offset} on are not {charset}.",
        "Write the message in the encoding that the HTTP header or the XML declaration names; UTF-8 is best.",
        "从第 {offset} 字节起不是有效的 {charset}。",
        "请按 HTTP 头或 XML 声明中的编码写消息；最好用 UTF-8。",
    ),
    "doctype": Reason(
        "The request has a document type declaration.",
        "Leave `<!DOCTYPE …>` out: SOAP forbids it, and entities are never expanded.",
        "请求含有文档类型声明。",
        "请去掉 `<!DOCTYPE …>`：SOAP 不允许，实体也绝不展开。",
    ),
    "instruction": Reason(
        "The request has a processing instruction in line {line}.",
        "Leave `<?…?>` out, except the XML declaration: SOAP forbids it.",
        "请求第 {line} 行含有处理指令。",
        "除 XML 声明外，请去掉 `<?…?>`：SOAP 不允许。",
    ),
    "syntax": Reason(
        "The request is not well-formed XML at line {line}, column {column}: {problem}.",
        "Let an XML library write the message.",
        "请求第 {line} 行第 {column} 列不是格式良好的 XML：{chinese_problem}。",
        "请用 XML 库生成消息。",
    ),
    "too_deep": Reason(
        "The request nests elements deeper than {most}.",
        "No document of a contract is that deep; compare it with a sample.",
        "请求的元素嵌套超过 {most} 层。",
        "契约中的文档没有这么深，请与样例核对。",
    ),
    "too_many_elements": Reason(
        "The request has more than {most} elements and comments.",
        "Send it in several requests.",
        "请求的元素和注释超过 {most} 个。",
        "请拆分为多个请求发送。",
    ),
    "too_many_attributes": Reason(
        "The request, or one element of it, has more than {most} attributes.",
        "Send it in several requests; declare namespaces once, on the Envelope.",
        "请求或其中某个元素的属性超过 {most} 个。",
        "请拆分为多个请求发送；命名空间只在 Envelope 上声明一次。",
    ),
    "too_many_prefixes": Reason(
        "The request declares more than {most} different namespace prefixes.",
        "Use one prefix for one namespace.",
        "请求声明的不同命名空间前缀超过 {most} 个。",
        "一个命名空间请只用一个前缀。",
    ),
    "text_too_long": Reason(
        "A text or attribute of the request has more than {most} characters.",
        "Send it in parts.",
        "请求中某个文本或属性超过 {most} 个字符。",
        "请分段发送。",
    ),
    "namespace_too_long": Reason(
        "The request declares a namespace of more than {most} characters.",
        "Use the namespaces of the contract.",
        "请求声明的命名空间超过 {most} 个字符。",
        "请使用契约中的命名空间。",
    ),
    "name_too_long": Reason(
        "The name or namespace of an element of the envelope has more than {most} characters.",
        "Use the names of the contract.",
        "信封中某个元素的名称或命名空间超过 {most} 个字符。",
        "请使用契约中的名称。",
    ),
}

_ENVELOPE = {
    "not_envelope": Reason(
        "The root element is `{found}`, not a SOAP Envelope.",
        "Wrap the document in `soap:Envelope` and `soap:Body`.",
        "根元素是 `{found}`，不是 SOAP Envelope。",
        "请把文档放在 `soap:Envelope` 的 `soap:Body` 中。",
    ),
    "envelope_version": Reason(
        "The root element `{found}` in the namespace `{namespace}` is not an Envelope of a SOAP version spoken here.",
        "Use the namespace {spoken}.",
        "命名空间 `{namespace}` 中的根元素 `{found}` 不是此处支持的 SOAP 版本的 Envelope。",
        "请使用命名空间 {spoken}。",
        code="VersionMismatch",
    ),
    "envelope_child": Reason(
        "The Envelope has the child `{found}` where only {wanted} may stand.",
        "The Envelope has one Header at most, then one Body, and nothing else.",
        "Envelope 中出现子元素 `{found}`，此处只允许 {wanted}。",
        "Envelope 中至多一个 Header，其后一个 Body，别无其他。",
    ),
    "no_body": Reason(
        "The Envelope has no Body.",
        "Put the document into `soap:Body`, in the namespace of the Envelope.",
        "Envelope 中没有 Body。",
        "请把文档放入与 Envelope 同一命名空间的 `soap:Body`。",
    ),
    "stray_text": Reason(
        "There is text directly in the {place}.",
        "Only elements may stand there.",
        "{place} 中直接出现了文本。",
        "此处只允许元素。",
    ),
    "body_children": Reason(
        "The Body has {count} children.",
        "Send one document in a Body; several documents in several requests.",
        "Body 中有 {count} 个子元素。",
        "一个 Body 只放一个文档；多个文档请分多次请求发送。",
    ),
    "empty_body": Reason(
        "The Body is empty.",
        "Put the document of one operation into it: {operations}.",
        "Body 为空。",
        "请放入某个操作的文档：{operations}。",
    ),
    "fault_request": Reason(
        "The request is a Fault.",
        "A Fault is an answer; send the document of an operation.",
        "请求是一个 Fault。",
        "Fault 只能作为应答；请发送某个操作的文档。",
    ),
    "encoding_style_place": Reason(
        "The {place} has the attribute encodingStyle.",
        "SOAP 1.2 forbids it on Envelope, Header and Body; leave it out.",
        "{place} 带有 encodingStyle 属性。",
        "SOAP 1.2 不允许 Envelope、Header 和 Body 带此属性，请去掉。",
    ),
    "encoding_style": Reason(
        "The encodingStyle `{found}` is not understood.",
        "Messages here are literal: leave encodingStyle out.",
        "不理解 encodingStyle `{found}`。",
        "此处的消息均为 literal，请去掉 encodingStyle。",
        code="DataEncodingUnknown",
    ),
    "must_understand_value": Reason(
        'The header block `{found}` has mustUnderstand="{value}".',
        "Write 1 or 0.",
        '头块 `{found}` 的 mustUnderstand="{value}" 无效。',
        "请写 1 或 0。",
    ),
    "not_understood": Reason(
        "These header blocks must be understood and are not: {names}.",
        "Send the request without them, or without mustUnderstand.",
        "以下头块要求必须理解，但此处不理解：{names}。",
        "请去掉这些头块，或去掉 mustUnderstand。",
        code="MustUnderstand",
    ),
    "unknown_operation": Reason(
        "No operation begins with the element `{found}`.",
        "The Body's child is one of: {operations}.",
        "没有以元素 `{found}` 开头的操作。",
        "Body 的子元素应为以下之一：{operations}。",
    ),
}

_ADDRESSING = {
    "address_not_anonymous": Reason(
        "{header} asks for the answer at `{found}`; answers go back on the same connection only.",
        "Leave {header} out, or give the anonymous address `{anonymous}`.",
        "{header} 要求把应答发到 `{found}`；此处只在同一连接上应答。",
        "请去掉 {header}，或使用匿名地址 `{anonymous}`。",
    ),
    "address_missing": Reason(
        "{header} has no Address.",
        "Leave {header} out, or give the anonymous address `{anonymous}`.",
        "{header} 中没有 Address。",
        "请去掉 {header}，或使用匿名地址 `{anonymous}`。",
    ),
    "addressing_repeated": Reason(
        "The addressing header {header} stands there more than once.",
        "Send it once.",
        "寻址头 {header} 出现多次。",
        "请只发送一次。",
    ),
    "addressing_too_long": Reason(
        "The addressing header {header} has more than {most} characters.",
        "A UUID (`urn:uuid:…`) serves well as an id.",
        "寻址头 {header} 超过 {most} 个字符。",
        "编号建议使用 UUID（`urn:uuid:…`）。",
    ),
    "addressing_mixed": Reason(
        "The request has addressing headers of two versions.",
        "Use one namespace for all of them, best http://www.w3.org/2005/08/addressing.",
        "请求含有两个版本的寻址头。",
        "请统一使用一个命名空间，最好是 http://www.w3.org/2005/08/addressing。",
    ),
}

_DUPLICATES = {
    "key_reused": Reason(
        "The request id `{used}` was used on {first} for a request with another content.",
        "Take a new id for a new request; send a repeat exactly as it was.",
        "请求编号 `{used}` 已于 {first} 用于内容不同的请求。",
        "新请求请使用新的编号；重发时内容须与首次完全一致。",
    ),
    "still_running": Reason(
        "The same request is still being worked on.",
        "Nothing was done a second time; send the same request again in a moment to get its answer.",
        "同一请求仍在处理中。",
        "未重复处理；请稍后重发同一请求以取得应答。",
        code="Server",
        status=503,
    ),
}

_DELIVERY = {
    "ordering_key_too_long": Reason(
        "What puts the document in order with others has more than {most} bytes.",
        "Nothing was accepted; give a shorter number.",
        "用于确定文档先后顺序的编号超过 {most} 字节。",
        "未接收任何内容；请使用较短的编号。",
    ),
}

_ACCESS = {
    "no_credentials": Reason(
        "The request does not say who it is from.",
        "Send what you were given: an API key in the HTTP header `X-API-Key`, a name with its password (HTTP Basic), or a client "
        "certificate.",
        "请求未说明来自谁。",
        "请发送所分配的凭据：HTTP 头 `X-API-Key` 中的 API 密钥、用户名和密码（HTTP Basic）或客户端证书。",
        status=401,
    ),
    "wrong_credentials": Reason(
        "The credentials of the request are not accepted.",
        "Compare them with what you were given; ask whoever runs this service for new ones.",
        "请求的凭据不被接受。",
        "请与所分配的凭据核对，或向本服务的运维人员申请新的凭据。",
        status=401,
    ),
    "not_from_here": Reason(
        "Only programs on the same machine are answered, and this request came from another or through a proxy.",
        "Whoever runs this service names callers, or sets `access.anonymous` (docs/access.md).",
        "此处只应答同一台机器上的程序，而此请求来自其他机器或经由代理。",
        "请由本服务的运维人员配置调用方，或设置 `access.anonymous`（docs/access.md）。",
        status=403,
    ),
    "too_many_failures": Reason(
        "Wrong credentials came too often, so these were not looked at.",
        "Nothing was done; correct the credentials, and send the request again in a minute.",
        "错误的凭据过多，本次凭据未予检查。",
        "未做任何处理；请改正凭据，一分钟后重新发送。",
        status=429,
    ),
    "not_permitted": Reason(
        "You may not ask for anything that begins with the element `{found}` here.",
        "What you may send: {operations}. If that is not enough, ask whoever runs this service.",
        "您无权在此发送以元素 `{found}` 开头的请求。",
        "您可以发送：{operations}。如需更多权限，请联系本服务的运维人员。",
    ),
    "too_often": Reason(
        "You may send {most} requests a second, and there were more.",
        "Nothing was done; send the request again later.",
        "每秒最多可发送 {most} 个请求，现已超过。",
        "未做任何处理，请稍后重新发送。",
        code="Server",
        status=429,
    ),
    "too_many_at_once": Reason(
        "You may have {most} requests answered at the same time, and there were more.",
        "Nothing was done; send the request again when another has been answered.",
        "同时处理的请求最多 {most} 个，现已超过。",
        "未做任何处理；请在其他请求得到应答后重新发送。",
        code="Server",
        status=429,
    ),
}

REASONS: dict[str, Reason] = {
    **_HTTP,
    **_XML,
    **_ENVELOPE,
    **_ADDRESSING,
    **_DUPLICATES,
    **_DELIVERY,
    **_ACCESS,
    **SECURITY_REASONS,
}
