"""Pages for people: which services there are, and what each can be asked, with a sample to copy.

Plain HTML, no script, readable without style. Everything from a contract is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from lxml import etree

from bridge.contract import Operation, Port
from bridge.contract.example import example
from bridge.contract.model import Documentation
from bridge.errors import BridgeError
from bridge.handlers import Service
from bridge.soap.envelope import VERSIONS, seal
from bridge.soap.media import CONTENT_TYPES, Version

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem; color: #1b1f24;
       background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { background: #f4f5f7; padding: .8rem; overflow-x: auto; border-radius: 6px }
table { border-collapse: collapse } td, th { text-align: left; padding: .25rem 1rem .25rem 0; vertical-align: top }
.note { color: #57606a } summary { cursor: pointer }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 }
       .note { color: #9198a1 } a { color: #6cb0ff } }
"""


def index_page(services: Sequence[Service], base: str) -> bytes:
    """The list of services."""
    rows = "".join(
        f'<tr><td><a href="{escape(base + service.path)}">{escape(service.name)}</a></td>'
        f"<td>{escape(', '.join(found.name for found in service.contract.operations.values()))}</td></tr>"
        for service in services
    )
    empty = "" if services else "<p>No contract is served yet.</p>"
    return _page("Services", f"<h1>Services</h1>{empty}<table>{rows}</table>")


def service_page(service: Service, address: str) -> bytes:
    """One service: its contract, its ports, its operations with samples. `address` is where it is reached."""
    contract = service.contract
    url = escape(address)
    documents = "".join(
        f'<li><a href="{url}?{"wsdl" if name.endswith(".wsdl") else "xsd"}={escape(name)}">{escape(name)}</a></li>'
        for name in list(contract.documents)[1:]
    )
    parts = [
        f"<h1>{escape(contract.name)}</h1>",
        _documentation(contract.documentation),
        f'<p>Send SOAP with POST to <code>{url}</code>. Contract: <a href="{url}?wsdl">{url}?wsdl</a></p>',
        f"<details><summary>Documents it imports</summary><ul>{documents}</ul></details>"
        if documents
        else "",
        "<h2>Ports</h2>",
        _ports(contract.ports, url),
        "<h2>Operations</h2>",
        *(_operation(service, operation, address) for operation in contract.operations.values()),
    ]
    return _page(contract.name, "".join(parts))


def _ports(ports: Iterable[Port], url: str) -> str:
    rows = "".join(
        f"<tr><td>{escape(_local(port.service))}</td><td>{escape(port.name)}</td>"
        f"<td>{f'SOAP {port.soap_version}' if port.soap_version else 'not SOAP: not served'}</td><td>{url}</td></tr>"
        for port in ports
    )
    return f"<table><tr><th>Service</th><th>Port</th><th>Protocol</th><th>Address</th></tr>{rows}</table>"


def _operation(service: Service, operation: Operation, address: str) -> str:
    state = ""
    if operation.problem is not None:
        state = f'<p class="note">Cannot be served: {escape(operation.problem.message)}</p>'
    elif operation.key not in service.handlers:
        state = '<p class="note">Has no handler yet: it answers with a Server fault.</p>'
    faults = ", ".join(operation.faults)
    return (
        f"<h3>{escape(operation.key)}</h3>{_documentation(operation.documentation)}{state}"
        + (f'<p class="note">Faults: {escape(faults)}</p>' if faults else "")
        + (_samples(service, operation, address) if operation.problem is None else "")
    )


def _samples(service: Service, operation: Operation, address: str) -> str:
    try:
        payload = "" if operation.input is None else example(service.contract.model, operation.input)
        versions = [
            version for version in reversed(VERSIONS) if version in operation.soap_versions
        ] or VERSIONS[-1:]
        made = [(version, _sample(version, payload)) for version in versions]
    except BridgeError as error:
        return f'<p class="note">No sample could be made: {escape(error.message)}</p>'
    return "".join(
        f"<details><summary>Sample, SOAP {version}</summary><pre>{escape(text)}</pre>"
        f"<p>Saved as <code>request.xml</code>:</p><pre>{escape(_curl(version, operation, address))}</pre></details>"
        for version, text in made
    )


def _sample(version: Version, payload: str) -> str:
    root = etree.fromstring(seal(version, payload))
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def _curl(version: Version, operation: Operation, address: str) -> str:
    action = min(operation.soap_actions, default="")
    headers = f"-H 'Content-Type: {CONTENT_TYPES[version]}'"
    if version == "1.1":
        headers += f" -H 'SOAPAction: \"{action}\"'"
    return f"curl {headers} --data-binary @request.xml {address}"


def _documentation(texts: Iterable[Documentation]) -> str:
    return "".join(
        f'<p lang="{escape(text.language)}">{escape(text.text)}</p>' for text in texts if text.text
    )


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()
