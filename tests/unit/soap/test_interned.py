from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.errors import Refusal
from bridge.soap import xml
from bridge.soap.interned import InternedNames, in_passing_thread


def test_the_same_names_again_cost_nothing() -> None:
    names = InternedNames(share=1000)
    for _ in range(100):
        names.count(b'<order xmlns="urn:x:orders:1"><line number="1">text of any length</line></order>')
    assert not names.exhausted


def test_new_names_of_elements_attributes_and_namespaces_use_up_the_share() -> None:
    for form in ("<n{}/>", '<a n{}=""/>', '<p xmlns="urn:some:namespace:{}"/>', "</n{}>"):
        names = InternedNames(share=10_000)
        for number in range(10_000 // 40):
            names.count(form.format(number).encode())
        assert names.exhausted, form


def test_a_long_message_is_taken_to_be_alike_throughout() -> None:
    names = InternedNames()
    names.count("".join(f"<n{number}/>" for number in range(500_000)).encode())
    assert names.exhausted


def test_an_error_in_a_passing_thread_is_raised_in_the_caller() -> None:
    def fail() -> None:
        raise ValueError("here")

    assert in_passing_thread(lambda: threading.current_thread().name) == "parse"
    with pytest.raises(ValueError, match="here"):
        in_passing_thread(fail)


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to measure memory")
def test_refused_messages_full_of_new_names_do_not_fill_the_memory() -> None:
    grown: list[int] = []

    def work() -> None:
        xml._tools.interned = InternedNames(share=1024 * 1024)
        for number in range(60):
            if number == 5:
                grown.append(resident())
            body = "".join(f"<n{number}x{index}{'y' * 40}/>" for index in range(20_000))
            root, utf8 = xml.parse(f"<a>{body}</a>".encode())
            assert root[7].tag == f"n{number}x7{'y' * 40}"
            xml.note_refused(utf8)
            with pytest.raises(Refusal, match="end tag"):
                xml.parse(b"<a></b>")
        assert xml.parse(b"<a>ok</a>")[0].text == "ok"
        grown.append(resident())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(grown) == 2
    assert grown[1] - grown[0] < 25_000_000, "1 MB of new names in each of 55 messages stayed in memory"
