"""`soapbridge validate`: messages in files against their contract, with every violation."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.contracts import local, open_contract, shipped_contracts
from bridge.cli.output import AsJson, ConfigFile, finish, say
from bridge.settings import Settings, load

if TYPE_CHECKING:
    from lxml import etree

    from bridge.contract import Contract, Operation
    from bridge.contract.explain.violation import Violation
    from bridge.errors import BridgeError
    from bridge.inbound import Inbound


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one file. `what` says how it was understood: request, reply, fault or payload."""

    file: str
    ok: bool
    what: str = ""
    contract: str = ""
    operation: str = ""
    reason: str = ""
    violations: tuple[Violation, ...] = ()
    truncated: bool = False


def validate(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Envelopes or payloads; - reads standard input.")
    ],
    wsdl: Annotated[
        str | None, typer.Option("--wsdl", metavar="WSDL", help="Their contract; otherwise the shipped ones.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Check messages against their contract: requests, replies, faults, or payloads without an envelope."""
    settings = load(config)
    contracts = [open_contract(wsdl, settings)] if wsdl else shipped_contracts(settings)
    checks = [_Check(contract, settings) for contract in contracts]
    reports = [_report(file, checks, settings) for file in files]
    if not as_json:
        for report in reports:
            _print(report)
    bad = sum(not report.ok for report in reports)
    next_step = (
        "All valid. To send one: soapbridge serve, then curl --data-binary @FILE as it prints."
        if not bad
        else f"{bad} of {len(reports)} not valid. Mend the places above; soapbridge sample shows a valid message."
    )
    finish(
        next_step, ok=not bad, as_json=as_json, content={"files": [_as_json(report) for report in reports]}
    )


def _report(file: str, checks: list[_Check], settings: Settings) -> Report:
    from bridge.errors import BridgeError
    from bridge.soap.xml import parse

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return Report(file, ok=False, reason=f"It cannot be read: {error.strerror}.")
    try:
        root, source = parse(content, limits=settings.limits)
    except BridgeError as error:
        return Report(file, ok=False, reason=str(error))
    message = _Message(file, content, root, source)
    if message.payload is not None or message.kind == "fault":
        for check in checks:
            if check.knows(message):
                return check.check(message)
    if len(checks) == 1 or message.kind == "request":
        return checks[0].check(message)
    known = ", ".join(sorted(name for check in checks for name in check.names))
    return Report(
        file, ok=False, reason=f"No contract knows <{root.tag}>. Give its --wsdl; known are {known}."
    )


class _Message:
    """A parsed file. `payload` is the Body's child, or the root where there is no Envelope."""

    def __init__(self, file: str, content: bytes, root: etree._Element, source: bytes) -> None:
        from bridge.soap.envelope import NAMESPACES

        self.file = file
        self.content = content
        self.root = root
        self.source = source
        namespace, _, name = str(root.tag).removeprefix("{").rpartition("}")
        self.payload: etree._Element | None = root
        self.kind = "payload"
        if name == "Envelope":
            body = root.find(f"{{{namespace}}}Body")
            self.payload = None if body is None else next(body.iterchildren("*"), None)
            fault = self.payload is not None and self.payload.tag == f"{{{namespace}}}Fault"
            self.kind = "fault" if fault else "request"
            self.media_type = "application/soap+xml" if namespace == NAMESPACES["1.2"] else "text/xml"
            if fault and self.payload is not None:
                detail = self.payload.find(
                    "detail" if namespace == NAMESPACES["1.1"] else f"{{{namespace}}}Detail"
                )
                self.details = [] if detail is None else list(detail.iterchildren("*"))

    @property
    def tag(self) -> str | None:
        return None if self.payload is None else str(self.payload.tag)


class _Check:
    """Checks messages against one contract, in the words the bridge itself would use."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self.contract = contract
        self.settings = settings
        operations = contract.operations.values()
        self.inputs = {found.input: found for found in operations if found.input}
        self.outputs = {found.output: found for found in operations if found.output}
        self.faults = {element: found for found in operations for element in found.faults.values()}

    @property
    def names(self) -> set[str]:
        return {local(name) for name in (*self.inputs, *self.outputs)}

    @cached_property
    def inbound(self) -> Inbound:
        from bridge.handlers import Service
        from bridge.inbound import Inbound

        return Inbound(Service(self.contract), self.settings)

    def knows(self, message: _Message) -> bool:
        if message.kind == "fault":
            return any(str(detail.tag) in self.faults for detail in message.details)
        return message.tag in self.inputs or message.tag in self.outputs or message.tag in self.faults

    def check(self, message: _Message) -> Report:
        if message.kind == "fault":
            return self._fault(message)
        if message.kind == "request" and message.tag not in self.outputs:
            return self._request(message)
        return self._element(message)

    def _request(self, message: _Message) -> Report:
        """Through the very stages that a request over HTTP goes through."""
        from bridge.errors import BridgeError
        from bridge.exchange import Exchange

        exchange = Exchange(body=message.content, content_type=message.media_type)
        try:
            for stage in (self.inbound.open, self.inbound.admit, self.inbound.validate, self.inbound.decode):
                stage(exchange)
        except BridgeError as error:
            return self._refused(message, "request", self.inputs.get(message.tag or ""), error)
        operation = exchange.plan.operation if exchange.plan else None
        return self._passed(message, "request", operation)

    def _element(self, message: _Message) -> Report:
        """A reply, or a payload without an envelope."""
        from bridge.errors import BridgeError, InvalidMessage

        tag = message.tag
        assert tag is not None
        assert message.payload is not None
        operation = self.inputs.get(tag) or self.outputs.get(tag) or self.faults.get(tag)
        what = "reply" if message.kind == "request" else "payload"
        if operation is None:
            return Report(message.file, ok=False, what=what, reason=self._unknown(tag))
        try:
            self.contract.guard.check(
                tag, message.payload, source=message.source, error=InvalidMessage, what=what
            )
        except BridgeError as error:
            return self._refused(message, what, operation, error)
        return self._passed(message, what, operation)

    def _fault(self, message: _Message) -> Report:
        from bridge.errors import BridgeError, InvalidMessage

        operation = None
        for detail in message.details:
            tag = str(detail.tag)
            if tag not in self.faults:
                continue
            operation = self.faults[tag]
            try:
                self.contract.guard.check(
                    tag, detail, source=message.source, error=InvalidMessage, what="fault detail"
                )
            except BridgeError as error:
                return self._refused(message, "fault", operation, error)
        return self._passed(message, "fault" if operation else "fault that no contract declares", operation)

    def _unknown(self, tag: str) -> str:
        return (
            f"{self.contract.name} has no operation with <{tag}>; it knows {', '.join(sorted(self.names))}."
        )

    def _passed(self, message: _Message, what: str, operation: Operation | None) -> Report:
        return Report(message.file, True, what, self.contract.name, operation.key if operation else "")

    def _clean(self, message: _Message, operation: Operation | None, error: BridgeError) -> None:
        """What is secret is not shown here either: reports are passed on."""
        from bridge.fields import masking
        from bridge.fields.words import clean
        from bridge.handlers import Service

        own = self.settings.services.get(Service(self.contract).path.removeprefix("/services/"))
        if own is None or not own.secret:
            return
        paths = masking.Secrets.read(own.secret).of(operation.key if operation else None)
        clean(error, paths, masking.values(message.root, paths, anywhere=True))

    def _refused(
        self, message: _Message, what: str, operation: Operation | None, error: BridgeError
    ) -> Report:
        from bridge.errors import InvalidMessage

        self._clean(message, operation, error)
        violations = error.violations if isinstance(error, InvalidMessage) else ()
        return Report(
            message.file,
            False,
            what,
            self.contract.name,
            operation.key if operation else "",
            reason="" if violations else str(error),
            violations=violations,
            truncated=isinstance(error, InvalidMessage) and error.truncated,
        )


def _print(report: Report) -> None:
    about = (
        f" ({report.what} of {report.contract} {report.operation})".replace(" )", ")") if report.what else ""
    )
    if report.ok:
        say(f"{report.file}: valid{about}", "green")
        return
    count = (
        f"{len(report.violations)} violation{'s' * (len(report.violations) != 1)}"
        if report.violations
        else "refused"
    )
    say(f"{report.file}: {'more than ' * report.truncated}{count}{about}", "red")
    if report.reason:
        say(f"  {report.reason}")
    for violation in report.violations:
        line = f" line {violation.line}" if violation.line else ""
        say(f"  {violation.path}{line}", "bold")
        say(f"    {violation.messages['en']}")
        for note in violation.documentation:
            if note.language in ("", "en"):
                say(f"    contract: {note.text}", "dim")


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "file": report.file,
        "valid": report.ok,
        "what": report.what,
        "contract": report.contract,
        "operation": report.operation,
        "reason": report.reason,
        "truncated": report.truncated,
        "violations": [
            {
                "kind": violation.kind,
                "path": violation.path,
                "line": violation.line,
                "offset": violation.offset,
                "found": violation.found,
                "expected": violation.expected,
                "messages": dict(violation.messages),
                "documentation": [
                    {"language": note.language, "text": note.text} for note in violation.documentation
                ],
            }
            for violation in report.violations
        ],
    }
