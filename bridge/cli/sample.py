"""`soapbridge sample`: a message to start from, valid by its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.completion import operations
from bridge.cli.contracts import Wsdl, find_operation, open_contract
from bridge.cli.output import AsJson, ConfigFile, aside, document, finish
from bridge.errors import ContractError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.contract import Contract, Header, Operation

Version = Literal["1.1", "1.2"]

_LONGEST = 200
"""Elements of a sample that a person still reads."""


def sample(
    wsdl: Wsdl,
    operation: Annotated[
        str,
        typer.Argument(
            metavar="OPERATION", help="One of those `contract show` lists.", autocompletion=operations
        ),
    ],
    soap: Annotated[
        Version | None, typer.Option("--soap", help="SOAP version; 1.1 where the contract has it.")
    ] = None,
    reply: Annotated[bool, typer.Option("--reply", help="The reply instead of the request.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="0 has every optional part; others vary.")] = 0,
    minimal: Annotated[bool, typer.Option("--minimal", help="Only what must be there.")] = False,
    payload: Annotated[bool, typer.Option("--payload", help="Without the envelope.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Its values as JSON, for `soapbridge call`.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print a message that the contract admits; the document goes to standard output, so it can be piped to curl."""
    contract = open_contract(wsdl, load(config))
    found = find_operation(contract, operation)
    version = soap or _version(found)
    text = payload_of(contract, found, reply=reply, seed=seed, optional=not minimal)
    if values:
        document(values_of(contract, found.output if reply else found.input, text))
        aside(f"To send it: soapbridge call {wsdl} {found.key} --json @FILE --endpoint ADDRESS")
        return
    if not payload:
        headers = found.output_headers if reply else found.input_headers
        text = envelope(contract, version, text, headers, seed=seed)
    text = _indented(text)
    action = next(iter(sorted(found.soap_actions)), "")
    if not as_json:
        typer.echo(text, nl=False)
        aside(_next(wsdl, version, action, reply=reply or payload))
        return
    content = {"operation": found.key, "soap": version, "soap_action": action, "message": text}
    finish(_next(wsdl, version, action, reply=reply or payload), as_json=True, content=content)


def sample_text(contract: Contract, operation: Operation) -> str:
    """A request of the operation in its envelope, laid out for people; of a very long one only what must be there."""
    for optional in (True, False):
        payload = payload_of(contract, operation, optional=optional)
        if payload.count("\n") + payload.count("</") < _LONGEST:
            break
    return _indented(envelope(contract, _version(operation), payload, operation.input_headers))


def payload_of(
    contract: Contract, operation: Operation, *, reply: bool = False, seed: int = 0, optional: bool = True
) -> str:
    """An example of the operation's input or output as text, checked by the guard; "" for an empty Body.

    Raises:
        ContractError: the contract asks for something that cannot be made up.
    """
    from bridge.contract.example import example

    if reply and operation.one_way:
        raise ContractError(f"{operation.name} is one-way: it has no reply.", file=contract.file)
    element = operation.output if reply else operation.input
    if element is None:
        return ""
    text = example(contract.model, element, seed=seed, optional=optional)
    _check(contract, element, text)
    return text


def values_of(contract: Contract, element: str | None, text: str) -> Any:
    """The payload's values in the JSON form of `contract.codec.as_json`; None for an empty Body."""
    from lxml import etree

    if element is None:
        return None
    codec = contract.codec
    return codec.json.document(element, codec.decode(element, etree.fromstring(text.encode())))


def envelope(
    contract: Contract, version: Version, payload: str, headers: tuple[Header, ...], *, seed: int = 0
) -> str:
    """The payload in an envelope, with examples of the header blocks that are required."""
    from bridge.contract.example import example
    from bridge.soap.envelope import seal

    required = [header.name for header in headers if header.required]
    blocks = [example(contract.model, name, seed=seed) for name in required]
    return seal(version, payload, "".join(blocks)).decode()


def _check(contract: Contract, element: str, text: str) -> None:
    from lxml import etree

    from bridge.errors import InvalidMessage

    source = text.encode()
    contract.guard.check(
        element, etree.fromstring(source), source=source, error=InvalidMessage, what="sample"
    )


def _indented(text: str) -> str:
    """Line breaks and indents where no text is; mixed content stays as it is."""
    from lxml import etree

    if not text:
        return ""
    tree = etree.fromstring(text.encode(), etree.XMLParser(remove_blank_text=True))
    return etree.tostring(tree, pretty_print=True, encoding="unicode")


def _version(operation: Operation) -> Version:
    return "1.2" if operation.soap_versions == {"1.2"} else "1.1"


def _next(wsdl: str, version: Version, action: str, *, reply: bool) -> str:
    if reply:
        return f"To check one like it: soapbridge validate FILE --wsdl {wsdl}"
    kind = f'application/soap+xml; action="{action}"' if version == "1.2" else "text/xml"
    header = f" -H 'SOAPAction: \"{action}\"'" if version == "1.1" else ""
    return f"To send it: append | curl -s --data-binary @- -H 'Content-Type: {kind}'{header} ADDRESS"
