"""Untrusted bytes to a tree, in bounded time and memory.

Order: encoding, cheap counts over the bytes, then one hardened parser per thread. The counts are upper bounds: a
message that is small enough is never walked in Python, and only one near a limit is looked at closely. What libxml2
stops itself (names beyond 50,000 characters, text beyond 10 MB, entity bombs) is left to it.
"""

from __future__ import annotations

import codecs
import re
import threading
from functools import cache

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.charset import to_utf8
from bridge.soap.interned import InternedNames, in_passing_thread
from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.refusals import refuse

# The fewest bytes that one of each takes: `<a/>`, ` a=""`, ` xmlns=""`, `<a></a>`.
_ELEMENT, _ATTRIBUTE, _DECLARATION, _LEVEL = 4, 5, 9, 7
_ATTRIBUTES = re.compile(rb"=\s*[\"']")
_PREFIXES = re.compile(rb"\sxmlns(?::([^\s=<>\"']+))?\s*=")
_BLANK = re.compile(rb"[ \t\r\n]+")
_PROLOG = re.compile(rb"(?:<\?xml\s[^<>?]*\?>)?[ \t\r\n]*(?=<[^?!])")
"""The usual beginning: a declaration or none, then the root element."""
_ORDINARY_DEPTH = 17


def _hardened_parser() -> etree.XMLParser:
    # Comments stay (canonicalisation with comments needs them) and instructions are seen, not hidden.
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=False,
        remove_pis=False,
        collect_ids=False,
    )


class _Tools(threading.local):
    """One parser and its path expressions per thread: a parser's error log would be shared, an expression is locked."""

    def __init__(self) -> None:
        self.parser = _hardened_parser()
        self.interned = InternedNames()
        self._paths: dict[str, etree.XPath] = {}

    def holds(self, expression: str, root: etree._Element) -> bool:
        path = self._paths.get(expression)
        if path is None:
            path = self._paths[expression] = etree.XPath(f"boolean({expression})")
        return bool(path(root))


_tools = _Tools()


def parse(
    body: bytes, *, charset: str | None = None, limits: Limits = DEFAULT
) -> tuple[etree._Element, bytes]:
    """The root element of `body`, and the UTF-8 bytes that it was parsed from (offsets and lines refer to them).

    `charset` is that of the HTTP header; None where it names none. Comments are in the tree; no doctype,
    processing instruction or entity ever is.

    Raises:
        Refusal: for everything that is not a well-formed, harmless document within `limits`; nothing else.
    """
    if len(body) > limits.max_bytes:
        raise refuse("too_large", most=limits.max_bytes)
    utf8 = to_utf8(body, charset)
    if len(utf8) > limits.max_bytes:
        raise refuse("too_large", most=limits.max_bytes)
    if not utf8 or utf8.isspace():
        raise refuse("empty")
    if utf8.startswith(codecs.BOM_UTF8):  # libxml2 would skip this second one, and we not see what follows
        raise _not_well_formed(_NO_START_TAG, 1, 1)
    root_at = _skip_prolog(utf8)
    _count(utf8, limits)
    tools = _tools
    try:
        if tools.interned.exhausted:
            root = in_passing_thread(lambda: etree.fromstring(utf8, _hardened_parser()))
        else:
            root = etree.fromstring(utf8, tools.parser)
        if utf8.find(b"?", root_at) >= 0:
            _refuse_instructions(root)
        _inspect(root, utf8, limits, tools)
    except etree.XMLSyntaxError as error:
        note_refused(utf8)
        raise _syntax(error, limits) from None
    except Refusal:
        note_refused(utf8)
        raise
    return root, utf8


def note_refused(utf8: bytes) -> None:
    """To be called for a message that `parse` let pass and that was refused later, in the same thread.

    `interned` tells why: such messages could otherwise fill the memory with names.
    """
    _tools.interned.count(utf8)


def _skip_prolog(utf8: bytes) -> int:
    """Where the root element starts. `<!DOCTYPE` is a declaration only before it; in a CDATA section it is text."""
    at = 0
    while True:
        blank = _BLANK.match(utf8, at)
        at = blank.end() if blank else at
        if at == 0 and utf8[:5] == b"<?xml" and utf8[5:6].isspace():
            end = b"?>"
        elif utf8.startswith(b"<!--", at):
            end = b"-->"
        elif utf8.startswith(b"<?", at):
            raise refuse("instruction", line=utf8.count(b"\n", 0, at) + 1)
        elif utf8.startswith(b"<!DOCTYPE", at):
            raise refuse("doctype")
        else:
            return at
        at = utf8.find(end, at)
        if at < 0:
            return len(utf8)  # never closed: libxml2 will say so
        at += len(end)


def _count(utf8: bytes, limits: Limits) -> None:
    """What would cost memory while it is parsed: elements, attributes, prefixes. Lengths alone clear most messages."""
    size = len(utf8)
    most = limits.max_elements
    if size > _ELEMENT * most and utf8.count(b"<") > most:
        markup = _without_literals(utf8)
        # Comments take as much memory as elements do; CDATA sections become text.
        if markup.count(b"<") - markup.count(b"</") + utf8.count(b"<!--") > most:
            raise refuse("too_many_elements", most=most)
    most = limits.max_attributes
    if size > _ATTRIBUTE * most and utf8.count(b"=") > most:
        found = _ATTRIBUTES.findall(_without_literals(utf8))
        if len(found) > most:
            raise refuse("too_many_attributes", most=most)
    most = limits.max_prefixes
    # `split` finds a byte faster than `count` does where it is rare, and stops at the bound where it is not.
    if size > _DECLARATION * most and len(utf8.split(b"=", most)) > most and utf8.count(b"xmlns") > most:
        prefixes = set(_PREFIXES.findall(_without_literals(utf8)))
        if len(prefixes) > most:
            raise refuse("too_many_prefixes", most=most)


def _without_literals(utf8: bytes) -> bytes:
    """`utf8` without comments and CDATA sections, which may hold any number of `<` and `=`."""
    pieces, at = [], 0
    while (start := utf8.find(b"<!", at)) >= 0:
        end = b"-->" if utf8.startswith(b"<!--", start) else b"]]>"
        stop = utf8.find(end, start)
        if stop < 0:
            break
        pieces.append(utf8[at:start])
        at = stop + len(end)
    pieces.append(utf8[at:])
    return b"".join(pieces)


def _inspect(root: etree._Element, utf8: bytes, limits: Limits, tools: _Tools) -> None:
    """What the tree tells better than the bytes. Walks happen in C, and only where the length allows a breach."""
    if b"!" in utf8 and root.getroottree().docinfo.internalDTD is not None:
        raise refuse("doctype")
    most = limits.max_name
    if _may_declare_longer(utf8, most) and _declares_longer(root, most):
        raise refuse("namespace_too_long", most=most)
    size = len(utf8)
    if size > _LEVEL * limits.max_depth:
        ordinary = "/*" * min(_ORDINARY_DEPTH, limits.max_depth + 1)
        if tools.holds(ordinary, root) and tools.holds("/*" * (limits.max_depth + 1), root):
            raise refuse("too_deep", most=limits.max_depth)
    most = limits.max_element_attributes
    if _has_long_tag(utf8, _ATTRIBUTE * most) and tools.holds(f"//*[@*[{most + 1}]]", root):
        raise refuse("too_many_attributes", most=most)
    if size > limits.max_text:
        longer = f"[string-length() > {limits.max_text}]"
        if tools.holds(f"//text(){longer} | //@*{longer}", root):
            raise refuse("text_too_long", most=limits.max_text)


_FEW = 32


def _may_declare_longer(utf8: bytes, most: int) -> bool:
    """Whether something looks like the declaration of a namespace longer than `most`; what text says of namespaces does too."""
    pattern = _longer_declaration(most)
    at = utf8.find(b"xmlns")
    for _ in range(_FEW):  # to find and to match is three times as fast as to search, while there are few
        if at < 0:
            return False
        if pattern.match(utf8, at):
            return True
        at = utf8.find(b"xmlns", at + 5)
    return pattern.search(utf8, max(at, 0)) is not None


@cache
def _longer_declaration(most: int) -> re.Pattern[bytes]:
    # A prefix of any length would be read again from each `xmlns` in it: one that is too long is looked at in the tree as well.
    value = b"|".join(b"%b[^%b<]{%d}" % (quote, quote, most + 1) for quote in (b'"', b"'"))
    # Atomic: a shorter reading of a prefix would make any prefix look too long.
    return re.compile(rb"xmlns(?>(?::[^\s=<>\"']{0,%d})?)(?:[^\s=<>\"']|\s*=\s*(?:%b))" % (most, value))


def _declares_longer(root: etree._Element, most: int) -> bool:
    """A namespace is written again for every element in canonical XML: what is long there and used often becomes gigabytes."""
    return any(len(uri) > most for _, (_, uri) in etree.iterwalk(root, events=("start-ns",)))


def _has_long_tag(utf8: bytes, length: int) -> bool:
    """False only if no `length` bytes in a row are without `<`: such a run would hold a whole block of half its size."""
    if len(utf8) <= length:
        return False
    block = length // 2
    return any(utf8.find(b"<", at, at + block) < 0 for at in range(0, len(utf8) - block, block))


def _refuse_instructions(root: etree._Element) -> None:
    for found in root.iter(etree.PI):
        raise refuse("instruction", line=found.sourceline)
    beside = root.getnext()
    while beside is not None:
        if isinstance(beside, etree._ProcessingInstruction):
            raise refuse("instruction", line=beside.sourceline)
        beside = beside.getnext()


# libxml2's error codes (xmlParserErrors in its xmlerror.h) in plain words. Its own texts name its functions, and repeat
# what was sent without a bound.
_PROBLEMS: dict[int, tuple[str, str]] = {
    4: ("there is no start tag; the message does not begin with `<`", "没有起始标签；消息不以 `<` 开头"),
    5: ("something follows the end of the root element", "根元素结束后还有内容"),
    9: ("there is a character that XML does not allow", "含有 XML 不允许的字符"),
    26: (
        "an entity is used that XML does not define (only &amp; &lt; &gt; &quot; &apos; are)",
        "使用了 XML 未定义的实体（只有 &amp; &lt; &gt; &quot; &apos;）",
    ),
    38: ("`<` stands in an attribute value; write &lt;", "属性值中出现 `<`；请写 &lt;"),
    39: ("an attribute value has no quotes", "属性值没有引号"),
    40: ("an attribute value is not closed", "属性值没有结束引号"),
    41: ("an attribute has no value", "属性没有值"),
    42: ("an attribute stands there twice", "属性重复"),
    62: ("`]]>` stands in text; write ]]&gt;", "文本中出现 `]]>`；请写 ]]&gt;"),
    64: ("the XML declaration is not at the very beginning", "XML 声明不在最开头"),
    65: ("a space is missing between attributes", "属性之间缺少空格"),
    68: (
        "a name is missing; a `<` or `&` in text is written &lt; or &amp;",
        "缺少名称；文本中的 `<` 或 `&` 应写作 &lt; 或 &amp;",
    ),
    73: ("a tag is not closed with `>`", "标签没有以 `>` 结束"),
    76: ("the end tag does not match the start tag", "结束标签与起始标签不匹配"),
    77: ("the message ends before every element is closed", "消息在所有元素关闭之前结束"),
    80: ("a comment has `--` in it", "注释中含有 `--`"),
    81: ("the bytes are not UTF-8", "字节不是有效的 UTF-8"),
    201: ("a namespace prefix is not declared", "命名空间前缀未声明"),
    202: ("a name has two colons", "名称中有两个冒号"),
    203: ("an attribute stands there twice", "属性重复"),
}
_ANY_PROBLEM = ("it breaks the rules of XML", "违反 XML 规则")
_NO_START_TAG, _NAME_TOO_LONG, _RESOURCE_LIMIT = 4, 110, 114


def _syntax(error: etree.XMLSyntaxError, limits: Limits) -> Refusal:
    code: int = getattr(error, "code", 0)
    if code == _NAME_TOO_LONG:
        return refuse("name_too_long", most=50_000)
    if code == _RESOURCE_LIMIT:
        if "depth" in (error.msg or ""):
            return refuse("too_deep", most=limits.max_depth)
        return refuse("text_too_long", most=limits.max_text)
    return _not_well_formed(code, *error.position)


def _not_well_formed(code: int, line: int, column: int) -> Refusal:
    english, chinese = _PROBLEMS.get(code, _ANY_PROBLEM)
    return refuse("syntax", line=line, column=column, problem=english, chinese_problem=chinese)


class _OwnParser(threading.local):
    """Reads what we wrote ourselves, to have it checked; the size of our own text is no danger."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, huge_tree=True, collect_ids=False
        )


_own = _OwnParser()


def read_own(source: bytes) -> etree._Element:
    """The root of a document that we wrote ourselves."""
    return etree.fromstring(source, _own.parser)
