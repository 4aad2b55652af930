"""Whatever the values and whatever the document: reading and writing undo each other, and both readers agree."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.contract import load
from bridge.contract.codec.values import NIL, ComplexValue
from bridge.contract.compare import differences
from bridge.contract.example import example

from .conftest import CONTRACTS, Construct, as_dict, assert_same, flat, is_plain

CONTRACT_NAMES = sorted(
    path.stem for path in CONTRACTS.glob("*.wsdl") if b'element="tns:Message"' in path.read_bytes()
)
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# -- values -----------------------------------------------------------------------------------------------------

XML_CHARACTERS = st.characters(
    exclude_categories=("Cs",),
    exclude_characters=[chr(c) for c in range(32) if c not in (9, 10, 13)] + ["\ufffe", "\uffff"],
)
texts = st.text(XML_CHARACTERS, max_size=12) | st.sampled_from(
    ["\u3000", "😀", "\r\n", "]]>", "<!-- -->", "&amp;", "\t x ", "'\"", "\u0085", "{}", "%s"]
)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30
)
zones = st.none() | st.builds(lambda m: timezone(timedelta(minutes=m)), st.integers(-14 * 60, 14 * 60))
moments = st.datetimes(timezones=zones)
VALUES: dict[str, Any] = {
    "string": texts, "decimal": decimals, "boolean": st.booleans(), "double": st.floats(), "int": st.integers(-(2**31), 2**31 - 1),
    "integer": st.integers(-(10**50), 10**50), "date": st.dates(), "dateTime": moments, "time": st.times(),
    "base64Binary": st.binary(max_size=40), "hexBinary": st.binary(max_size=40),
    "duration": st.timedeltas(min_value=timedelta(days=-10**6), max_value=timedelta(days=10**6)),
}  # fmt: skip
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "decimal": Decimal, "boolean": bool, "double": float, "int": int, "integer": int, "date": date,
    "dateTime": datetime, "time": time, "base64Binary": bytes, "hexBinary": bytes,
}  # fmt: skip
WHERE = {
    "texts": ["string"], "numbers": ["decimal", "boolean", "double", "int", "integer"],
    "dates": ["date", "dateTime", "time"], "binary": ["base64Binary", "hexBinary"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("contract", "kind"), [(contract, kind) for contract in WHERE for kind in WHERE[contract]]
)
def test_every_value_comes_back_as_it_was_given(contract: str, kind: str) -> None:
    construct = Construct(contract)
    kinds = construct.contract.codec.type(construct.element)
    attribute = kinds.xml_names[f"@{kind}"]

    @quick
    @given(st.lists(VALUES[kind], max_size=3), VALUES[kind])
    def comes_back(values: list[Any], alone: Any) -> None:
        payload = construct.encode({kind: values, attribute: alone})
        for plain in (True, False):
            back = construct.contract.codec.decode(construct.element, payload, plain=plain)
            assert_same(back[kind], values)
            assert_same(getattr(back, attribute), alone)
            assert all(isinstance(value, TYPES[kind]) for value in back[kind])

    comes_back()


amounts = decimals.map(lambda value: value.quantize(Decimal("0.01")) if abs(value) < 10**20 else Decimal(1))
nodes: Any = st.deferred(
    lambda: st.fixed_dictionaries(
        {"Label": texts}, optional={"Node": st.lists(nodes, min_size=1, max_size=3)}
    )
)
MESSAGES: dict[str, Any] = {
    "choice": st.fixed_dictionaries({"Amount": amounts}).flatmap(
        lambda base: st.one_of(
            st.builds(lambda card: {**base, "Card": card}, texts), st.builds(lambda cash: {**base, "Cash": cash}, st.booleans()),
            st.builds(lambda v: {**base, "Voucher": v}, st.lists(texts, min_size=1, max_size=3)),
        )
    ),
    "repeating-choice": st.builds(
        lambda title, items, total: {"Title": title, **({"choice": items} if items else {}), "Total": total},
        texts,
        st.lists(
            st.tuples(st.just("Credit"), amounts) | st.tuples(st.just("Debit"), amounts)
            | st.tuples(st.just("Text"), st.builds(lambda v, b: {"value": v, "bold": b}, texts, st.booleans())),
            max_size=5,
        ),
        amounts,
    ),
    "recursion": st.builds(lambda node: {"Root": node}, nodes),
    "nillable": st.builds(
        lambda count, scores: {"Count": count, **({"Score": scores} if scores else {})},
        st.integers(-9, 9) | st.just(NIL), st.lists(st.integers(-9, 9) | st.just(NIL), max_size=4),
    ),
    "mixed": st.lists(
        texts.filter(bool) | st.tuples(st.just("b"), texts) | st.tuples(st.just("n"), st.integers(-9, 9)), min_size=1, max_size=6
    ).map(lambda content: {"Phrase": {"content": _joined(content)}}),
    "lists": st.builds(
        lambda numbers, rows: {"Numbers": numbers, **({"Rows": rows} if rows else {})},
        st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5), st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3),
    ),
}  # fmt: skip


def _joined(content: list[Any]) -> list[Any]:
    """Texts side by side are one text in a document."""
    joined: list[Any] = []
    for item in content:
        if isinstance(item, str) and joined and isinstance(joined[-1], str):
            joined[-1] += item
        else:
            joined.append(item)
    return joined


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_message_comes_back_as_it_was_given(name: str) -> None:
    construct = Construct(name)

    @quick
    @given(MESSAGES[name])
    def comes_back(message: Any) -> None:
        payload = construct.encode(message)
        value = construct.contract.codec.decode(construct.element, payload)
        assert_same(flat(value), message)
        again = construct.encode(value)
        assert etree.tostring(again, method="c14n") == etree.tostring(payload, method="c14n")

    comes_back()


# -- documents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTRACT_NAMES)
def test_every_document_comes_out_as_it_came_in(name: str) -> None:
    construct = Construct(name)
    contract = construct.contract

    @settings(quick, max_examples=25)
    @given(st.integers(0, 10_000), st.booleans())
    def comes_out(seed: int, optional: bool) -> None:
        original = construct.valid(
            etree.fromstring(example(contract.model, construct.element, seed=seed, optional=optional))
        )
        value = contract.codec.decode(construct.element, original, plain=False)
        if is_plain(original):
            assert_same(flat(contract.codec.decode(construct.element, original, plain=True)), flat(value))
        encoded = construct.encode(value)
        assert differences(contract.model, construct.element, original, encoded) == []
        assert_same(flat(contract.codec.decode(construct.element, encoded)), flat(value))

    comes_out()


def _rewritten(text: str, how: int) -> str:
    """The same text in one of the ways XML has to write it."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;").replace(">", "&gt;")
    if how == 0:
        return "".join(f"&#{ord(c)};" for c in text)
    if how == 1 and "]]>" not in text and "\r" not in text:
        return f"<![CDATA[{text}]]>"
    half = len(text) // 2
    if how == 2:
        return "<!-- a -->".join(_rewritten(part, 3) for part in (text[:half], text[half:]))
    if how == 4:
        return "<?x y?>".join(_rewritten(part, 1) for part in (text[:half], text[half:]))
    return plain


@quick
@given(texts, st.integers(0, 4))
def test_a_text_is_the_same_however_the_document_writes_it(text: str, how: int) -> None:
    construct = Construct("texts")
    value = construct.decode(f"<Message><string>{_rewritten(text, how)}</string></Message>")
    assert value.string == [text]


@quick
@given(texts, st.integers(0, 4))
def test_the_text_beside_attributes_too(text: str, how: int) -> None:
    value = Construct("repeating-choice").decode(
        f'<Message><Title>t</Title><Text bold="true">{_rewritten(text, how)}</Text><Total>1</Total></Message>'
    )
    assert value.choice[0][1].value == text


@quick
@given(st.integers(-99, 99), st.text(" \t\n\r", max_size=4), st.text(" \t\n\r", max_size=4))
def test_white_space_around_a_number_means_nothing(number: int, before: str, after: str) -> None:
    escaped = [text.replace("\r", "&#13;") for text in (before, after)]
    value = Construct("numbers").decode(
        f"<Message>{before}<int>{escaped[0]}{number}{escaped[1]}</int>{after}<int>{number}<!-- -->{after}</int></Message>".replace(
            "\r", "\n"
        )
    )
    assert value.int == [number, number]


# -- threads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["extension", "recursion", "two-namespaces", "unions", "nillable"])
def test_the_first_use_may_come_from_many_threads_at_once(name: str) -> None:
    for _ in range(5):
        contract = load(CONTRACTS / f"{name}.wsdl")
        element = f"{{urn:test:{name}}}Message"
        source = [example(Construct(name).contract.model, element, seed=seed) for seed in range(4)]
        gate = threading.Barrier(16)

        def use(
            number: int,
            contract: Any = contract,
            element: str = element,
            source: list[str] = source,
            gate: threading.Barrier = gate,
        ) -> tuple[int, str, type]:
            payload = etree.fromstring(source[number % 4])
            gate.wait()
            value = contract.codec.decode(element, payload)
            return number % 4, contract.codec.encode(element, value), type(value)

        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(use, range(16)))
        classes = {kind for _, _, kind in results if issubclass(kind, ComplexValue)}
        assert len(classes) == 1, "one type must have one class"
        for number in range(4):
            assert len({text for which, text, _ in results if which == number}) == 1
            (text,) = {text for which, text, _ in results if which == number}
            assert (
                differences(contract.model, element, etree.fromstring(source[number]), etree.fromstring(text))
                == []
            )


def test_an_instance_may_be_written_as_dicts_of_xml_names() -> None:
    construct = Construct("awkward-names")
    value = construct.contract.codec.decode(
        construct.element, etree.fromstring(example(construct.contract.model, construct.element))
    )
    by_xml_name = {name: getattr(value, field) for name, field in type(value).xml_names.items()}
    assert construct.contract.codec.encode(construct.element, by_xml_name) == construct.contract.codec.encode(
        construct.element, as_dict(value)
    )
