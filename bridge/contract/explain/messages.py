"""What is said about each kind of violation, in English and Chinese, as data; and simple types in words.

Every text is a `str.format` template. The names in it are filled by `explain`: `name` the field, `parent` the element
around it, `value` what was there, `rule` what the contract says, `count` and `bound` how often and how often allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.contract.model import Facets, SimpleType

TEXTS: Mapping[str, Mapping[str, str]] = {
    "wrong-root": {
        "en": "This operation takes {rule}, not {value}.",
        "zh": "此操作应为 {rule}，而不是 {value}。",
    },
    "missing-element": {
        "en": "The element {name} is missing in {parent}.",
        "zh": "{parent} 中缺少元素 {name}。",
    },
    "missing-choice": {
        "en": "{parent} needs one of {rule}; none is given.",
        "zh": "{parent} 必须给出 {rule} 之一，但一个也没有。",
    },
    "choice-conflict": {
        "en": "{name} cannot stand beside what {parent} already has: only one of {rule} may be given.",
        "zh": "{parent} 中不能再有 {name}：{rule} 只能给出其中之一。",
    },
    "too-few": {
        "en": "{name} occurs {count} times in {parent}; at least {bound} are needed.",
        "zh": "{parent} 中 {name} 出现 {count} 次，至少需要 {bound} 次。",
    },
    "too-many": {
        "en": "{name} occurs {count} times in {parent}; at most {bound} allowed.",
        "zh": "{parent} 中 {name} 出现 {count} 次，最多允许 {bound} 次。",
    },
    "misplaced-element": {
        "en": "{name} stands in the wrong place in {parent}. The order is: {rule}.",
        "zh": "{parent} 中 {name} 的位置不对。顺序为：{rule}。",
    },
    "misspelt-element": {
        "en": "{parent} has no element {name}. Did you mean {rule}?",
        "zh": "{parent} 没有元素 {name}。是否应为 {rule}？",
    },
    "wrong-namespace": {
        "en": "{name} is the right name in the wrong namespace: it is in {value}, the contract wants {rule}.",
        "zh": "{name} 名称正确，但命名空间不对：现为 {value}，契约要求 {rule}。",
    },
    "unexpected-element": {
        "en": "{parent} has no element {name}.",
        "zh": "{parent} 没有元素 {name}。",
    },
    "no-children": {
        "en": "{parent} takes no elements; it has {name}.",
        "zh": "{parent} 不能包含元素，但含有 {name}。",
    },
    "text-not-allowed": {
        "en": "{name} takes elements, not text; it has the text “{value}”.",
        "zh": "{name} 只能包含元素，不能包含文本“{value}”。",
    },
    "not-empty": {
        "en": "{name} must be empty: no text, no elements, not even white space.",
        "zh": "{name} 必须为空：不能有文本、元素或空白。",
    },
    "empty-value": {
        "en": "{name} is empty. It must be {rule}.",
        "zh": "{name} 为空。应为{rule}。",
    },
    "nil-not-allowed": {
        "en": "{name} may not carry xsi:nil: the contract does not let it be null.",
        "zh": "{name} 不能带 xsi:nil：契约不允许其为空值。",
    },
    "nil-with-content": {
        "en": '{name} says xsi:nil="true" and has content. Give one or the other.',
        "zh": '{name} 标为 xsi:nil="true" 却有内容。二者只能取其一。',
    },
    "nil-and-fixed": {
        "en": "{name} has the fixed value “{rule}” and cannot be null.",
        "zh": "{name} 的值固定为“{rule}”，不能为空值。",
    },
    "unknown-type": {
        "en": "The xsi:type “{value}” of {name} names no type of the contract. Possible: {rule}.",
        "zh": "{name} 的 xsi:type “{value}”不是契约中的类型。可用：{rule}。",
    },
    "wrong-type": {
        "en": "The xsi:type “{value}” of {name} is not derived from its type. Possible: {rule}.",
        "zh": "{name} 的 xsi:type “{value}”不是由其类型派生的。可用：{rule}。",
    },
    "abstract-type": {
        "en": "The type of {name} is abstract: say by xsi:type which of {rule} it is.",
        "zh": "{name} 的类型是抽象的：请用 xsi:type 指明是 {rule} 中的哪一个。",
    },
    "abstract-element": {
        "en": "{name} is abstract and never stands itself. Use one of {rule}.",
        "zh": "{name} 是抽象元素，不能直接使用。请使用 {rule} 之一。",
    },
    "undeclared-element": {
        "en": "{name} is not declared in the contract, and {parent} takes only declared elements here.",
        "zh": "契约中没有声明 {name}，而 {parent} 此处只接受已声明的元素。",
    },
    "missing-attribute": {
        "en": "The attribute {name} is missing in {parent}.",
        "zh": "{parent} 缺少属性 {name}。",
    },
    "unknown-attribute": {
        "en": "{parent} has no attribute {name}.",
        "zh": "{parent} 没有属性 {name}。",
    },
    "misspelt-attribute": {
        "en": "{parent} has no attribute {name}. Did you mean {rule}?",
        "zh": "{parent} 没有属性 {name}。是否应为 {rule}？",
    },
    "fixed": {
        "en": "{name} is “{value}”; the contract fixes it to “{rule}”.",
        "zh": "{name} 的值为“{value}”，契约规定必须为“{rule}”。",
    },
    "type": {
        "en": "“{value}” is not {rule}, which {name} must be.",
        "zh": "{name} 的值“{value}”不是{rule}。",
    },
    "union": {
        "en": "“{value}” is none of what {name} may be: {rule}.",
        "zh": "{name} 的值“{value}”不符合任何一种允许的形式：{rule}。",
    },
    "enumeration": {
        "en": "“{value}” is not a value of {name}. Use one of {rule}.",
        "zh": "“{value}”不是 {name} 的允许值。可用：{rule}。",
    },
    "pattern": {
        "en": "“{value}” does not match the pattern of {name}: {rule}.",
        "zh": "{name} 的值“{value}”不符合格式 {rule}。",
    },
    "length": {
        "en": "{name} has the length {count}; it must be exactly {rule}.",
        "zh": "{name} 的长度为 {count}，必须为 {rule}。",
    },
    "min-length": {
        "en": "{name} has the length {count}; at least {rule} is needed.",
        "zh": "{name} 的长度为 {count}，至少为 {rule}。",
    },
    "max-length": {
        "en": "{name} has the length {count}; at most {rule} is allowed.",
        "zh": "{name} 的长度为 {count}，最多为 {rule}。",
    },
    "min-inclusive": {
        "en": "{name} is {value}; it must be {rule} or more.",
        "zh": "{name} 的值为 {value}，不能小于 {rule}。",
    },
    "min-exclusive": {
        "en": "{name} is {value}; it must be more than {rule}.",
        "zh": "{name} 的值为 {value}，必须大于 {rule}。",
    },
    "max-inclusive": {
        "en": "{name} is {value}; it must be {rule} or less.",
        "zh": "{name} 的值为 {value}，不能大于 {rule}。",
    },
    "max-exclusive": {
        "en": "{name} is {value}; it must be less than {rule}.",
        "zh": "{name} 的值为 {value}，必须小于 {rule}。",
    },
    "total-digits": {
        "en": "{name} is {value}; it may have at most {rule} digits.",
        "zh": "{name} 的值为 {value}，最多允许 {rule} 位数字。",
    },
    "fraction-digits": {
        "en": "{name} is {value}; it may have at most {rule} digits after the point.",
        "zh": "{name} 的值为 {value}，小数点后最多 {rule} 位。",
    },
    "duplicate-id": {
        "en": "The identifier “{value}” of {name} is used more than once in this message.",
        "zh": "{name} 的标识“{value}”在本消息中重复使用。",
    },
    "dangling-idref": {
        "en": "{name} refers to “{value}”, and nothing in this message carries that identifier.",
        "zh": "{name} 引用了“{value}”，但本消息中没有该标识。",
    },
    "identity": {
        "en": "{name} breaks a uniqueness or reference rule of the contract: {rule}",
        "zh": "{name} 违反契约的唯一性或引用规则：{rule}",
    },
    "other": {
        "en": "{name}: {rule}",
        "zh": "{name}：{rule}",
    },
}
"""Kind of violation → language → text."""

ITEM = {"en": "{name} (item {item})", "zh": "{name}（第 {item} 项）"}
NOTHING = {"en": "no namespace", "zh": "无命名空间"}
OR = {"en": " or ", "zh": " 或 "}
_COMMA = {"en": ", ", "zh": "、"}
_MORE = {"en": "{shown} and {more} more", "zh": "{shown} 等 {total} 个"}

_WORDS: Mapping[str, Mapping[str, str]] = {
    "text": {"en": "text", "zh": "文本"},
    "boolean": {"en": "true or false", "zh": "布尔值 true 或 false"},
    "decimal": {"en": "a decimal number", "zh": "十进制数"},
    "integer": {"en": "a whole number", "zh": "整数"},
    "float": {"en": "a number", "zh": "数字"},
    "dateTime": {
        "en": "a date and time like 2024-01-31T12:00:00",
        "zh": "日期时间（如 2024-01-31T12:00:00）",
    },
    "date": {"en": "a date like 2024-01-31", "zh": "日期（如 2024-01-31）"},
    "time": {"en": "a time like 12:00:00", "zh": "时间（如 12:00:00）"},
    "duration": {"en": "a duration like P1DT2H", "zh": "时长（如 P1DT2H）"},
    "gYear": {"en": "a year like 2024", "zh": "年份（如 2024）"},
    "gYearMonth": {"en": "a year and month like 2024-01", "zh": "年月（如 2024-01）"},
    "gMonthDay": {"en": "a month and day like --01-31", "zh": "月日（如 --01-31）"},
    "gMonth": {"en": "a month like --01", "zh": "月份（如 --01）"},
    "gDay": {"en": "a day like ---31", "zh": "日（如 ---31）"},
    "base64Binary": {"en": "base64 data", "zh": "base64 数据"},
    "hexBinary": {"en": "hexadecimal data", "zh": "十六进制数据"},
    "anyURI": {"en": "a URI", "zh": "URI"},
    "QName": {"en": "a name with a declared prefix", "zh": "带已声明前缀的名称"},
    "language": {"en": "a language code like en-GB", "zh": "语言代码（如 zh-CN）"},
    "NCName": {
        "en": "a name: a letter or _, then letters, digits, . - _",
        "zh": "名称：以字母或 _ 开头，后接字母、数字、. - _",
    },
    "NMTOKEN": {"en": "a word of letters, digits, . - _ :", "zh": "由字母、数字、. - _ : 组成的词"},
}
_SAME_WORDS = {
    "string": "text", "normalizedString": "text", "token": "text", "anySimpleType": "text", "double": "float",
    "Name": "NCName", "ID": "NCName", "IDREF": "NCName", "ENTITY": "NCName", "NOTATION": "QName",
    "nonPositiveInteger": "integer", "negativeInteger": "integer", "nonNegativeInteger": "integer",
    "positiveInteger": "integer",
}  # fmt: skip
INTEGER_RANGES: Mapping[str, tuple[int | None, int | None]] = {
    "integer": (None, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-128, 127),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 255),
}
"""The whole-number built-ins with their least and greatest value, None where there is none."""

_FACET_WORDS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("length", {"en": "of length {0}", "zh": "长度为 {0}"}),
    ("min_length", {"en": "of length {0} or more", "zh": "长度不小于 {0}"}),
    ("max_length", {"en": "of length {0} or less", "zh": "长度不大于 {0}"}),
    ("min_inclusive", {"en": "at least {0}", "zh": "不小于 {0}"}),
    ("min_exclusive", {"en": "more than {0}", "zh": "大于 {0}"}),
    ("max_inclusive", {"en": "at most {0}", "zh": "不大于 {0}"}),
    ("max_exclusive", {"en": "less than {0}", "zh": "小于 {0}"}),
    ("total_digits", {"en": "at most {0} digits", "zh": "最多 {0} 位数字"}),
    ("fraction_digits", {"en": "at most {0} digits after the point", "zh": "小数点后最多 {0} 位"}),
)
_FROM_TO = {"en": "a whole number from {0} to {1}", "zh": "{0} 到 {1} 之间的整数"}
_LIST_OF = {"en": "a list, each item {0}", "zh": "列表，每项为{0}"}
_ONE_OF = {"en": "one of {0}", "zh": "{0} 之一"}
_MATCHING = {"en": "matching {0}", "zh": "格式 {0}"}

_SHOWN = 20


def listed(names: Sequence[str], language: str, most: int = _SHOWN) -> str:
    """Names in a row; of many the first, and how many more there are."""
    shown = _COMMA[language].join(names[:most])
    if len(names) <= most:
        return shown
    return _MORE[language].format(shown=shown, more=len(names) - most, total=len(names))


def effective(simple: SimpleType, facet: str) -> str | int | None:
    """The value of a facet that counts: steps only ever narrow, so it is the last one given."""
    for step in reversed(simple.steps):
        value: str | int | None = getattr(step, facet, None)
        if value is not None:
            return value
    return None


def described(simple: SimpleType, language: str) -> str:
    """What the type admits, in a few words: "a decimal number, more than 0, at most 3 digits after the point"."""
    if simple.enumeration:
        return _ONE_OF[language].format(listed(simple.enumeration, language))
    if simple.variety == "union":
        return OR[language].join(described(member, language) for member in simple.members[:8])
    if simple.variety == "list" and simple.item is not None:
        words = [_LIST_OF[language].format(described(simple.item, language))]
    else:
        words = [_builtin_words(simple.builtin, language)]
    for facet, text in _FACET_WORDS:
        value = effective(simple, facet)
        if value is not None:
            words.append(text[language].format(value))
    words.extend(
        _MATCHING[language].format(OR[language].join(step.patterns)) for step in simple.steps if step.patterns
    )
    return _COMMA[language].join(words)


def _builtin_words(builtin: str, language: str) -> str:
    bounds = INTEGER_RANGES.get(builtin)
    if bounds is None:
        return _WORDS[_SAME_WORDS.get(builtin, builtin if builtin in _WORDS else "text")][language]
    low, high = bounds
    if low is not None and high is not None:
        return _FROM_TO[language].format(low, high)
    words = [_WORDS["integer"][language]]
    texts = dict(_FACET_WORDS)
    if low is not None:
        words.append(texts["min_inclusive"][language].format(low))
    if high is not None:
        words.append(texts["max_inclusive"][language].format(high))
    return _COMMA[language].join(words)


def said(kind: str, fields: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The sentence for a kind of violation by language; `fields` gives what is filled in, by language."""
    return {language: text.format(**fields[language]) for language, text in TEXTS[kind].items()}


def rule_of(facet: str, simple: SimpleType, patterns: Sequence[str], language: str) -> str:
    """The contract's rule for a broken facet, ready for the text of that kind."""
    if facet == "enumeration":
        return listed(simple.enumeration, language)
    if facet == "pattern":
        return OR[language].join(patterns) if patterns else _all_patterns(simple.steps, language)
    value = effective(simple, facet.replace("-", "_"))
    return described(simple, language) if value is None else str(value)


def _all_patterns(steps: Sequence[Facets], language: str) -> str:
    return OR[language].join(pattern for step in steps for pattern in step.patterns)
