"""What the engine can do with a whole folder of contracts, operation by operation: measured, not claimed.

For every SOAP operation, and for each of its input, output, headers and faults, messages are made from the model; each must
be admitted by the guard, be decoded, encoded again, be admitted again and equal the document it came from. Real envelopes that
lie in a `samples` folder beside a WSDL are put through the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from lxml import etree

from bridge.contract import Catalog, Contract, Operation, load
from bridge.contract.compare import differences
from bridge.contract.example import example
from bridge.errors import BridgeError, ContractError, InvalidMessage

KINDS: tuple[tuple[int, bool], ...] = ((0, True), (0, False), (1, True), (2, True))
"""Messages made for each element, as (seed, with optional parts): the full one, the barest one, two that vary."""

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, with what: `part` is input, output, header or fault with its name, or a sample's file."""

    operation: str
    part: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.operation} {self.part}: {self.stage}: {self.reason}"


Verdict = Literal["complete", "no operation", "not yet", "as published", "failed"]
"""Every operation works; there is none for SOAP; some are of a kind we do not do yet; the document itself is wrong; we are."""

VERDICTS: dict[Verdict, str] = {
    "complete": "every operation works",
    "no operation": "describe no operation for SOAP",
    "not yet": "have operations of a kind that is not supported yet",
    "as published": "break the rules of WSDL, XML Schema or the Basic Profile as published; operations that do not are served",
    "failed": "fail here, and should not",
}


@dataclass(slots=True)
class Finding:
    """One WSDL. `unusable` maps the operations that cannot be hosted to the reason; `green` counts those that work.

    `samples` maps each real envelope to "equal", or why not: "refused: …" by the guard, "no operation …", "failed: …".
    """

    name: str
    error: str = ""
    operations: int = 0
    green: int = 0
    unusable: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    messages: int = 0
    samples: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Every SOAP operation there is works with every message tried, and there is one."""
        return self.verdict == "complete"

    @property
    def verdict(self) -> Verdict:
        if self.error or self.failures or any(said.startswith("failed") for said in self.samples.values()):
            return "failed"
        if not self.operations:
            return "no operation"
        if not self.unusable:
            return "complete"
        waiting = all("not supported yet" in reason for reason in self.unusable.values())
        return "not yet" if waiting else "as published"

    @property
    def reason(self) -> str:
        """Why it is not complete, by the first reason there is."""
        if self.error or self.failures:
            return self.error or str(self.failures[0])
        if not self.operations:
            return "no operation for SOAP"
        return next(iter(self.unusable.values()), "")


def take(folder: Path, catalog: Catalog) -> list[Finding]:
    """The finding on every contract of a folder: each subfolder with a WSDL is one, `_`-named ones are not.

    Raises ContractError when the folder does not exist.
    """
    if not folder.is_dir():
        raise ContractError(
            "There is no such folder.", file=str(folder), advice="Name one that holds contracts."
        )
    return [
        examine(
            found, catalog, name=found.relative_to(folder).parts[0] if found.parent != folder else found.stem
        )
        for found in starts(folder)
    ]


def starts(folder: Path) -> list[Path]:
    """The WSDL to open of each subfolder: the one that no other there imports, and that has a service if any has."""
    own = sorted(folder.glob("*.wsdl"))
    for sub in sorted(
        found for found in folder.iterdir() if found.is_dir() and not found.name.startswith("_")
    ):
        candidates = sorted(sub.rglob("*.wsdl"))
        texts = {found: found.read_bytes() for found in candidates}
        imported = {
            other
            for other in candidates
            for found in candidates
            if found != other and _mentions(texts[found], other)
        }
        tops = [found for found in candidates if found not in imported] or candidates
        serving = [found for found in tops if b"service " in texts[found]] or tops
        own.extend(serving[:1])
    return own


def _mentions(text: bytes, file: Path) -> bool:
    name = file.name.encode()
    return any(quote + name in text or b"/" + name in text for quote in (b'"', b"'"))


def examine(wsdl: Path, catalog: Catalog, *, name: str = "") -> Finding:
    """Put one WSDL to the test. Never raises for what is wrong with it: that is the finding."""
    finding = Finding(name or wsdl.stem)
    try:
        contract = load(wsdl, catalog=catalog)
        contract.compile()
    except ContractError as error:
        finding.error = _without_folder(error)
        return finding
    for operation in _soap_operations(contract):
        finding.operations += 1
        if operation.problem is not None:
            finding.unusable[operation.key] = operation.problem.message
            continue
        failures = list(_try_operation(contract, operation, finding))
        finding.failures.extend(failures)
        finding.green += not failures
    for sample in sorted(wsdl.parent.glob("samples/*.xml")):
        finding.samples[sample.name] = _try_sample(contract, sample)
    return finding


def _soap_operations(contract: Contract) -> list[Operation]:
    """Those bound to SOAP, and those of portTypes that nothing binds: document/literal serves them."""
    spoken = {key for port in contract.ports if port.soap_version is not None for key in port.operations}
    return [
        found
        for found in contract.operations.values()
        if found.bound or not found.bindings or found.key in spoken
    ]


def _try_operation(contract: Contract, operation: Operation, finding: Finding) -> Iterator[Failure]:
    for part, element in parts(operation):
        for seed, optional in KINDS:
            finding.messages += 1
            try:
                text = example(contract.model, element, seed=seed, optional=optional)
            except BridgeError as error:
                yield Failure(operation.key, part, "sample", str(error))
                break
            trouble = round_trip(contract, element, text)
            if trouble is not None:
                yield Failure(operation.key, part, *trouble)
                break


def parts(operation: Operation) -> Iterator[tuple[str, str]]:
    """Everything an operation sends or gets: (what it is, Clark name of its element)."""
    if operation.input is not None:
        yield "input", operation.input
    if operation.output is not None:
        yield "output", operation.output
    for header in (*operation.input_headers, *operation.output_headers):
        yield f"header {header.name.rpartition('}')[2]}", header.name
    for name, element in operation.faults.items():
        yield f"fault {name}", element


def round_trip(contract: Contract, name: str, text: str) -> tuple[str, str] | None:
    """Validate, decode, encode, validate and compare one message; (stage, reason) where that fails."""
    stage = "parsed"
    try:
        element = etree.fromstring(text, _PARSER)
        stage = "validated"
        contract.guard.check(name, element)
        stage = "decoded"
        value = contract.codec.decode(name, element)
        stage = "encoded"
        encoded = contract.codec.encode(name, value)
        stage = "validated again"
        again = etree.fromstring(encoded, _PARSER)
        contract.guard.check(name, again)
        stage = "equal"
        unequal = differences(contract.model, name, element, again)
    except (BridgeError, etree.XMLSyntaxError) as error:
        return stage, str(error)
    except Exception as error:  # noqa: BLE001 - an error of ours is a finding too, and must not end the census
        return stage, f"{type(error).__name__}: {error}"
    return (stage, unequal[0]) if unequal else None


def _try_sample(contract: Contract, file: Path) -> str:
    try:
        envelope = etree.fromstring(file.read_bytes(), _PARSER)
    except etree.XMLSyntaxError as error:
        return f"refused: {error}"
    bodies = [child for child in envelope if etree.QName(child).localname == "Body"]
    if not bodies or not len(bodies[0]):
        return "no operation: its Body is empty"
    element = bodies[0][0]
    name = cast("str", element.tag)
    known = {
        part for found in contract.operations.values() if found.problem is None for part in found.elements
    }
    if name not in known:
        return f"no operation: {etree.QName(element).localname} is no Body of a usable operation"
    try:
        contract.guard.check(name, element)
    except InvalidMessage as error:
        return f"refused: {error.violations[0]}"
    trouble = round_trip(contract, name, etree.tostring(element, encoding="unicode", with_tail=False))
    return "equal" if trouble is None else f"failed: {': '.join(trouble)}"


def _without_folder(error: ContractError) -> str:
    return f"{Path(error.file).name}: {error.message}" if error.file else error.message


# -- the page -----------------------------------------------------------------------------------------------------

COLUMNS = (
    "contract",
    "complete",
    "operations",
    "work",
    "messages tried",
    "real envelopes",
    "of them refused",
    "why not",
)


def row(finding: Finding) -> tuple[object, ...]:
    """A finding as cells under COLUMNS. The refused are the real envelopes that break their own contract."""
    said = list(finding.samples.values())
    equal, refused = said.count("equal"), sum(result.startswith("refused") for result in said)
    return (
        finding.name,
        "yes" if finding.complete else "no",
        finding.operations,
        finding.green,
        finding.messages,
        f"{equal} of {len(said)}" if said else "",
        refused or "",
        finding.reason,
    )


def page(findings: Sequence[Finding]) -> str:
    """The findings as a page of documentation (Markdown)."""
    operations, green = (sum(getattr(one, name) for one in findings) for name in ("operations", "green"))
    lines = [
        "# What the engine does with contracts in the wild",
        "",
        "<!-- Made by `soapbridge contract corpus FOLDER --markdown`; do not edit. -->",
        "",
        f"{len(findings)} contracts that others published: tax offices, carriers, shops, CRM and ERP systems, interoperability",
        "tests. For each operation, and for each of its input, output, headers and faults, messages were made up (the fullest,",
        "the barest and two between), validated, decoded, encoded, validated again and compared with the document they came",
        "from, leaf by leaf. Real envelopes, where there are some, went through the same.",
        "",
        f"{green} of {operations} operations work. Of {len(findings)} contracts",
        "",
    ]
    for verdict, meaning in VERDICTS.items():
        names = [one.name for one in findings if one.verdict == verdict]
        if names:
            listed = "" if verdict == "complete" else f": {', '.join(names)}"
            lines.append(f"* {len(names)}: {meaning}{listed}")
    lines += ["", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row(one)) + " |" for one in findings
    ]
    return "\n".join(lines) + "\n"
