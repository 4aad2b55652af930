"""Scripts that are wrong: every mistake at once, each with its line and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.contract import Contract, load
from bridge.errors import SettingsError
from bridge.mock.script import KEYS, Places, read_script

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def desk() -> Contract:
    return load(ROOT / "tests" / "integration" / "host" / "desk-1.wsdl")


@pytest.fixture
def mistakes(desk: Contract, tmp_path: Path):
    """The mistakes of a script, as `line: text`."""

    def tell(text: str) -> list[str]:
        file = tmp_path / "script.toml"
        file.write_text(text)
        with pytest.raises(SettingsError) as error:
            read_script(file, desk)
        assert all(one.startswith(f"{file}:") for one in error.value.mistakes)
        assert all(one in str(error.value) for one in error.value.mistakes)
        return [one.removeprefix(f"{file}:") for one in error.value.mistakes]

    return tell


RULE = '[[rule]]\noperation = "Echo"\n'


def test_all_mistakes_are_told_at_once(mistakes):
    told = mistakes(
        """[namespace]
d = "urn:test:desk:1"

[[rule]]
operation = "Ecoh"
tims = 2

[[rule]]
operation = "Echo"
nth = 0
delay = "long"
drop = "befor"

[rule.reply]
text = 5
"""
    )
    assert (
        told[0]
        == "1: there is no namespace here; did you mean namespaces?; a script has [namespaces] and [[rule]]"
    )
    assert told[1] == "6: a rule has no tims; did you mean times?"
    assert told[2].startswith("5: operation must be one of the contract's, not 'Ecoh'. Did you mean 'Echo'?")
    assert "10: nth must be at least 1, not 0" in told
    assert "11: delay must be a number, not 'long'" in told
    assert "12: drop must be one of before, after, mid-reply, not 'befor'; did you mean before?" in told
    assert [one for one in told if one.startswith("14: reply")]


@pytest.mark.parametrize(
    ("rule", "line", "said"),
    [
        ('match = "//text["', 3, "cannot be read"),
        ('match = "//x:text"', 3, "prefix x, which is not declared"),
        ('match = "translate(//text)"', 3, "cannot be read"),
        ("match = 5", 3, "must be text in quotes"),
        ('header = { "X-A" = 5 }', 3, "X-A is 5"),
        ('header = "X-A"', 3, "must be a table"),
        ("times = 0", 3, "at least 1"),
        ("times = true", 3, "must be a whole number"),
        ("delay = -1", 3, "must not be below 0"),
        ("delay = nan", 3, "must not be below 0"),
        ('duplicate = "both"', 3, "must be one of request, reply"),
        ('off_contract = "wrong-typ"', 3, "did you mean wrong-type?"),
        ('reply = "samples"', 3, 'must be "sample" or a table'),
        ('reply = { text = "x" }', 3, "reply breaks the contract at /EchoResponse"),
        ('reply = { text = "x", count = 0 }', 3, "/EchoResponse/count"),
        ('reply = { text = "x", cuont = 1 }', 3, "'cuont'"),
        ('reply_file = "none.xml"', 3, "cannot be read"),
        ('fault = "Closd"', 3, "Did you mean 'Closed'?"),
        ('fault = { name = "Closed", values = { until = "soon" } }', 3, "/Closed/until"),
        ('fault = { nam = "Closed" }', 3, "did you mean name?"),
        ('fault = { code = "Sender", text = "x" }', 3, "code must be Client or Server"),
        ("fault = 5", 3, "must be a name or a table"),
        ("status = 99", 3, "at least 200 and at most 599"),
        ('status = 503\nheaders = { "Retry-After" = 30 }', 4, "Retry-After is 30"),
        ('headers = { A = "b" }', 3, "headers goes with status"),
        ('status = 500\nreply = "sample"', 4, "one answer, and this has status and reply"),
        ('status = 500\noff_contract = "html"', 4, "off_contract breaks a reply"),
        ('drop = "after"\noff_contract = "html"', 3, "nothing can be off contract"),
        ('drop = "before"\nreply = "sample"', 3, "leave reply out"),
        ('off_contract = "as-given"', 3, "needs reply_file"),
        ("size = 10", 3, 'size goes with off_contract = "huge"'),
        ('off_contract = "slow"\nbytes_per_second = 0', 4, "must be above 0"),
    ],
)
def test_a_mistake_has_its_line_and_says_what_is_right(mistakes, rule, line, said):
    (told, *_) = mistakes(f"{RULE}{rule}\n")
    assert told.startswith(f"{line}: ")
    assert said in told


@pytest.mark.parametrize("answer", ['reply = { text = "x" }', 'fault = "Closed"', 'reply_file = "x.xml"'])
def test_what_a_contract_must_admit_needs_an_operation(mistakes, answer):
    assert "needs an operation" in mistakes(f"[[rule]]\n{answer}\n")[0]


def test_an_operation_without_payload_cannot_reply_one_nor_break_it(mistakes):
    assert "is one-way" in mistakes('[[rule]]\noperation = "Notify"\nreply = { text = "x" }\n')[0]
    assert "no payload" in mistakes('[[rule]]\noperation = "Notify"\noff_contract = "wrong-type"\n')[0]


def test_a_file_that_breaks_the_contract_is_told_unless_that_is_meant(mistakes, desk, tmp_path):
    (tmp_path / "reply.xml").write_text(
        '<EchoResponse xmlns="urn:test:desk:1"><count>x</count></EchoResponse>'
    )
    told = mistakes(f'{RULE}reply_file = "reply.xml"\n')
    assert len(told) == 2
    (tmp_path / "good.toml").write_text(f'{RULE}reply_file = "reply.xml"\noff_contract = "as-given"\n')
    (rule,) = read_script(tmp_path / "good.toml", desk)
    assert "<count>x</count>" in rule.answer.payload


def test_what_is_no_toml_or_not_there_is_told_with_its_file(mistakes, desk, tmp_path):
    assert "line 1" in mistakes("[[rule]\n")[0]
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        read_script(tmp_path / "none.toml", desk)
    assert "two brackets" in mistakes('[rule]\noperation = "Echo"\n')[0]


def test_lines_are_found_beside_long_texts_and_inner_tables():
    places = Places(
        '# a script\n[[rule]]\nbody = """\n[[rule]]\ntimes = 1\n"""\nstatus = 200\n\n[[ rule ]]\n"times" = 3\n[rule.reply]\ntimes = 4\n'
    )
    assert [places.line(0, name) for name in ("", "body", "status", "times")] == [2, 3, 7, 2]
    assert [places.line(1, name) for name in ("", "times", "reply")] == [9, 10, 11]


def test_every_key_is_explained_on_the_page():
    page = (ROOT / "docs" / "mock.md").read_text("utf-8")
    assert [name for name in KEYS if f"`{name}`" not in page] == []
