"""A script: rules for a mock in TOML, read whole, with every mistake told before anything is served.

    [namespaces]
    p = "urn:soapbridge:erp:purchasing:1"

    [[rule]]
    operation = "CreatePurchaseOrder"
    match = "//p:supplier = 'S-9'"
    fault = { name = "NotFound", values = { ... } }

docs/mock.md has one for each thing that a rule can do.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.contract import Contract, Operation
from bridge.contract.example import example
from bridge.errors import BridgeError, InvalidMessage, SettingsError
from bridge.handlers import named_or_nearest
from bridge.mock.answers import DROPS, DUPLICATES, OFF_CONTRACT, SAMPLE, Answer, Match, Rule
from bridge.mock.broken import IN_THE_PAYLOAD, broken, require_payload
from bridge.mock.namespaces import compiled
from bridge.mock.values import Values

TABLES = ("namespaces", "rule")
CONDITIONS = ("operation", "match", "header", "nth", "times")
ANSWERS = ("reply", "reply_file", "fault", "status")
BESIDE_STATUS = ("headers", "body")
MANNERS = ("delay", "drop", "duplicate", "off_contract", "size", "bytes_per_second")
KEYS = (*CONDITIONS, *ANSWERS, *BESIDE_STATUS, *MANNERS)

_LARGEST = 1024 * 1024 * 1024
_MOST_TOLD = 10


def read_script(file: str | os.PathLike[str], contract: Contract) -> list[Rule]:
    """The rules of a script for this contract, in order.

    Raises:
        SettingsError: with every mistake found, each with its file and line.
    """
    return _Script(Path(file), contract).rules()


class _Mistake(Exception):
    """What is wrong with one key of one rule."""


class _Script:
    def __init__(self, file: Path, contract: Contract) -> None:
        self.file = file
        self.contract = contract
        self.values = Values(contract)
        self.mistakes: list[str] = []
        self.namespaces: dict[str, str] = {}

    def rules(self) -> list[Rule]:
        try:
            text = self.file.read_text("utf-8")
            table = tomllib.loads(text, parse_float=_number)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise _wrong(self.file, [f"{self.file}: {_said(error)}"]) from None
        self.places = Places(text)
        for name in table:
            if name not in TABLES:
                hint = _nearest(name, TABLES) or _nearest(name, KEYS, "; did you mean {} in a [[rule]]?")
                self._tell(
                    None, name, f"there is no {name} here{hint}; a script has [namespaces] and [[rule]]"
                )
        self._read_namespaces(table.get("namespaces", {}))
        rules = table.get("rule", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self._tell(None, "rule", "write [[rule]], with two brackets, before each rule")
            rules = []
        read = [self._rule(number, given) for number, given in enumerate(rules)]
        if self.mistakes:
            raise _wrong(self.file, self.mistakes)
        return [rule for rule in read if rule is not None]

    def _tell(self, rule: int | None, name: str, what: str) -> None:
        self.mistakes.append(f"{self.file}:{self.places.line(rule, name)}: {what}")

    def _read_namespaces(self, given: Any) -> None:
        if not isinstance(given, dict):
            self._tell(None, "namespaces", 'namespaces is a table: prefix = "namespace"')
            return
        for prefix, namespace in given.items():
            if isinstance(namespace, str) and namespace:
                self.namespaces[prefix] = namespace
            else:
                self._tell(None, "namespaces", f"the namespace of {prefix} must be text, not {namespace!r}")

    def _rule(self, number: int, given: Mapping[str, Any]) -> Rule | None:
        before = len(self.mistakes)
        reader = _RuleReader(self, number, given)
        rule = reader.read()
        return rule if len(self.mistakes) == before else None


class _RuleReader:
    """One [[rule]]. Each part tells its own mistakes and goes on, so that all are told together."""

    def __init__(self, script: _Script, number: int, given: Mapping[str, Any]) -> None:
        self.script = script
        self.number = number
        self.given = given
        self.answer: dict[str, Any] = {}
        self.operation: Operation | None = None

    def read(self) -> Rule:
        for name in self.given:
            if name not in KEYS:
                hint = _nearest(name, KEYS) or f"; there are {', '.join(KEYS)}"
                self._tell(name, f"a rule has no {name}{hint}")
        conditions = dict(self._conditions())
        for part in (self._reply, self._fault, self._status, self._manner):
            part()
        self._contradictions()
        self._breakable()
        place = f"{self.script.file}:{self.script.places.line(self.number, '')}"
        return Rule(answer=Answer(**self.answer), place=place, **conditions)

    def _tell(self, name: str, what: str) -> None:
        self.script._tell(self.number, name, what)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Whatever is wrong in here is told at `name`."""
        try:
            yield
        except _Mistake as mistake:
            self._tell(name, f"{name} {mistake}")
        except InvalidMessage as error:
            for violation in error.violations[:_MOST_TOLD]:
                self._tell(
                    name,
                    f"{name} breaks the contract at {violation.path}: {violation.messages.get('en', '')}",
                )
        except BridgeError as error:
            self._tell(name, f"{name}: {error}")

    # Conditions

    def _conditions(self) -> Iterator[tuple[str, Any]]:
        given = self.given
        if "operation" in given:
            with self._reading("operation"):
                self.operation = self._operation(given["operation"])
                yield "operation", self.operation.key
        if "match" in given:
            with self._reading("match"):
                yield "match", self._match(_text(given["match"]))
        if "header" in given:
            with self._reading("header"):
                yield "header", dict(_texts(given["header"]))
        if "nth" in given:
            with self._reading("nth"):
                nth = given["nth"]
                yield "nth", frozenset(_whole(one, 1) for one in (nth if isinstance(nth, list) else [nth]))
        if "times" in given:
            with self._reading("times"):
                yield "times", _whole(given["times"], 1)

    def _operation(self, name: Any) -> Operation:
        operations = self.script.contract.operations
        if not isinstance(name, str) or name not in operations:
            raise _Mistake(
                f"must be one of the contract's, not {name!r}. {named_or_nearest(str(name), operations)}"
            )
        return self.script.contract.operation(name)

    def _match(self, text: str) -> Match:
        return compiled(text, self.script.contract, self.script.namespaces)

    # Answers

    def _reply(self) -> None:
        if "reply" in self.given:
            with self._reading("reply"):
                self.answer["value"] = self._reply_value(self.given["reply"])
        if "reply_file" in self.given:
            with self._reading("reply_file"):
                self._reply_file(_text(self.given["reply_file"]))

    def _reply_value(self, given: Any) -> Any:
        if given == "sample":
            return SAMPLE
        if isinstance(given, str):
            raise _Mistake(f'must be "sample" or a table of values, not {given!r}')
        return self.script.values.reply(self._needed_operation(), given)

    def _reply_file(self, name: str) -> None:
        operation = self._needed_operation()
        path = self.script.file.parent / name
        try:
            source = path.read_bytes()
        except OSError as error:
            raise _Mistake(f"cannot be read: {path}: {error.strerror}") from None
        if self.given.get("off_contract") == "as-given":
            self.answer["payload"] = _without_declaration(source)
        else:
            self.answer["value"] = self.script.values.document(operation, source)

    def _fault(self) -> None:
        if "fault" not in self.given:
            return
        with self._reading("fault"):
            given = self.given["fault"]
            table = {"name": given} if isinstance(given, str) else given
            if not isinstance(table, dict):
                raise _Mistake(f"must be a name or a table, not {given!r}")
            for key in table:
                if key not in ("name", "values", "code", "text"):
                    raise _Mistake(f"has no {key}{_nearest(key, ('name', 'values', 'code', 'text'))}")
            name = _text(table.get("name", table.get("code")))
            declared = self.operation.faults if self.operation is not None else {}
            if name in ("Client", "Server") and name not in declared:
                self.answer["code"] = name
                self.answer["text"] = _text(table.get("text", "The mock was told to answer so."))
                return
            if "code" in table:
                raise _Mistake(f"code must be Client or Server, not {name!r}; a declared fault has a name")
            operation = self._needed_operation()
            self.answer["fault"] = name
            self.answer["value"] = self.script.values.fault(operation, name, table.get("values", SAMPLE))

    def _needed_operation(self) -> Operation:
        if self.operation is None:
            raise _Mistake("needs an operation: another one's contract says otherwise what may be sent")
        return self.operation

    def _status(self) -> None:
        if "status" in self.given:
            with self._reading("status"):
                self.answer["status"] = _whole(self.given["status"], 200, 599)
        if "headers" in self.given:
            with self._reading("headers"):
                self.answer["headers"] = tuple(_texts(self.given["headers"]))
        if "body" in self.given:
            with self._reading("body"):
                self.answer["body"] = _text(self.given["body"]).encode()

    def _manner(self) -> None:
        given = self.given
        for name, known in (("drop", DROPS), ("duplicate", DUPLICATES), ("off_contract", OFF_CONTRACT)):
            if name in given:
                with self._reading(name):
                    self.answer[name] = _one_of(given[name], known)
        if "delay" in given:
            with self._reading("delay"):
                self.answer["delay"] = _seconds(given["delay"])
        if "size" in given:
            with self._reading("size"):
                self.answer["size"] = _whole(given["size"], 1, _LARGEST)
        if "bytes_per_second" in given:
            with self._reading("bytes_per_second"):
                speed = _seconds(given["bytes_per_second"])
                if not 0 < speed < float("inf"):
                    raise _Mistake(f"must be above 0, not {given['bytes_per_second']!r}")
                self.answer["bytes_per_second"] = speed

    # What is right by itself and wrong together

    def _contradictions(self) -> None:
        given = self.given
        answers = [name for name in given if name in ANSWERS]
        if len(answers) > 1:
            self._tell(answers[1], f"a rule has one answer, and this has {' and '.join(answers)}")
        for name in BESIDE_STATUS:
            if name in given and "status" not in given:
                self._tell(name, f"{name} goes with status")
        if "off_contract" in given and ("fault" in given or "status" in given):
            self._tell("off_contract", "off_contract breaks a reply: leave fault and status out")
        if given.get("drop") in ("before", "after") and given.get("off_contract"):
            self._tell("drop", f'drop = "{given["drop"]}" sends nothing, so nothing can be off contract')
        if given.get("drop") == "before" and answers:
            self._tell("drop", f'drop = "before" sends nothing: leave {answers[0]} out')
        if given.get("off_contract") == "as-given" and "reply_file" not in given:
            self._tell("off_contract", 'off_contract = "as-given" needs reply_file')
        for name, way in (("size", "huge"), ("bytes_per_second", "slow")):
            if name in given and given.get("off_contract") != way:
                self._tell(name, f'{name} goes with off_contract = "{way}"')

    def _breakable(self) -> None:
        """A way that this operation's reply cannot be broken in is told now, not at the first request."""
        way = self.answer.get("off_contract")
        operation = self.operation
        if way not in IN_THE_PAYLOAD or operation is None:
            return
        with self._reading("off_contract"):
            require_payload(operation, way)
            assert operation.output is not None
            value = self.answer.get("value", SAMPLE)
            contract = self.script.contract
            if value is SAMPLE:
                text = example(contract.model, operation.output)
            else:
                text = contract.codec.encode(operation.output, value)
            broken(contract, text, way)


class Places:
    """Where things stand in a script's text: lines of tables and keys. Enough for people; TOML itself is tomllib's."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[int | None, str], int] = {}
        rule: int | None = None
        count, inside, prefix = 0, "", ""
        for number, line in enumerate(text.splitlines(), 1):
            if inside:
                inside = "" if inside in line else inside
                continue
            if re.match(r"\s*\[\[\s*rule\s*\]\]", line):
                rule, count, prefix = count, count + 1, ""
                self._lines[rule, ""] = number
            elif header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?$", line):
                first, _, rest = header[1].partition(".")
                rule = rule if first == "rule" and rest else None
                prefix = rest.partition(".")[0] if rule is not None else first
                self._lines.setdefault((rule, prefix), number)
            elif not prefix and (assigned := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[.=]", line)):
                self._lines.setdefault((rule, assigned[1]), number)
            for quotes in ('"""', "'''"):
                if line.count(quotes) % 2:
                    inside = quotes

    def line(self, rule: int | None, name: str) -> int:
        """The line (1-based) of a key of a rule (counted from 0), or of a table outside; else the rule's own, else 1."""
        return self._lines.get((rule, name)) or self._lines.get((rule, "")) or 1


def _wrong(file: Path, mistakes: list[str]) -> SettingsError:
    count = "One mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = "".join(f"\n  {mistake}" for mistake in mistakes)
    return SettingsError(f"{count} in the script:{lines}", mistakes=mistakes)


def _said(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def _number(text: str) -> Decimal | float:
    """TOML's numbers as they are written; inf and nan are no decimals."""
    return float(text) if text.lstrip("+-") in ("inf", "nan") else Decimal(text)


def _nearest(name: str, known: Collection[str], said: str = "; did you mean {}?") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return said.format(near[0]) if near else ""


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise _Mistake(f"must be text in quotes, not {given!r}")
    return given


def _texts(given: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, dict):
        raise _Mistake(f'must be a table, as {{ "Retry-After" = "30" }}, not {given!r}')
    for name, value in given.items():
        if not isinstance(value, str) or not (name + value).isprintable():
            raise _Mistake(f"must have texts without control characters, and {name} is {value!r}")
        yield name, value


def _whole(given: Any, least: int, most: int | None = None) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise _Mistake(f"must be a whole number, not {given!r}")
    if given < least or (most is not None and given > most):
        raise _Mistake(f"must be at least {least}{f' and at most {most}' if most else ''}, not {given}")
    return given


def _seconds(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise _Mistake(f"must be a number, not {given!r}")
    if not given >= 0:
        raise _Mistake(f"must not be below 0, not {given}")
    return float(given)


def _one_of(given: Any, known: Collection[str]) -> str:
    if not isinstance(given, str) or given not in known:
        raise _Mistake(f"must be one of {', '.join(known)}, not {given!r}{_nearest(str(given), known)}")
    return given


def _without_declaration(source: bytes) -> str:
    """Whatever stands in the file, to be put into a Body: an XML declaration may not stand there."""
    text = source.decode("utf-8-sig", "replace")
    return re.sub(r"\A\s*<\?xml[^>]*\?>\s*", "", text)
