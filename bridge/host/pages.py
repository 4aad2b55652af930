"""Pages for people: which services there are, and what each can be asked, with a sample to copy.

Plain HTML in English and Chinese, no script, readable without style. Everything from a contract is escaped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from lxml import etree

from bridge.contract import Contract, Operation, Port
from bridge.contract.example import example
from bridge.contract.model import Documentation
from bridge.errors import BridgeError
from bridge.handlers import Service
from bridge.soap.detail import VIOLATIONS_NS
from bridge.soap.envelope import VERSIONS, seal
from bridge.soap.media import CONTENT_TYPES, Version

MOST_WITH_SAMPLES = 25
"""Operations on one page whose samples are made with it; of more, each has a page of its own."""

MOST_LISTED = 12
"""Operations named beside their service in the list of services."""

STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --back: #fff; --raised: #f6f8fa; --link: #0550ae; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --back: #0d1117;
       --raised: #161b22; --link: #6cb0ff } }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; margin: 0 auto; max-width: 60rem;
       padding: 1.5rem 1.25rem 4rem; color: var(--ink); background: var(--back) }
:lang(zh) { font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Zen Hei", sans-serif }
a { color: var(--link) } h1 { font-size: 1.7rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem }
h3 { font-size: 1.1rem; margin: 0 0 .5rem } h2 span, th span, summary span, dt span { color: var(--soft); font-weight: normal; font-size: .9em }
p { margin: .35rem 0 } p:lang(zh), td p:lang(zh) { color: var(--soft) }
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace } code { overflow-wrap: anywhere }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; margin: .4rem 0 1rem; overflow: auto;
      max-height: 26rem; user-select: all; -webkit-user-select: all }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .35rem 1rem .35rem 0; vertical-align: top;
        border-top: 1px solid var(--line) } th { font-size: .9rem; border: 0 } td:first-child { white-space: nowrap }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: .7rem 0 } dt { color: var(--soft) } dd { margin: 0 } dd { overflow-wrap: anywhere } th { white-space: nowrap } td p:first-child { margin-top: 0 }
section { border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.1rem; margin: 1rem 0 }
.note { color: var(--soft) } .bad { border-left: 3px solid #d1242f; padding-left: .6rem }
details { margin-top: .5rem } summary { cursor: pointer }
"""


def index_page(services: Sequence[Service], base: str) -> bytes:
    """The list of services."""
    rows = "".join(
        f'<tr><td><a href="{escape(base + service.path)}">{escape(service.name)}</a></td>'
        f"<td>{_documentation(service.contract.documentation)}</td>"
        f"<td>{_names(list(service.contract.operations))}</td></tr>"
        for service in services
    )
    head = f"<tr><th>{_both('Service', '服务')}</th><th></th><th>{_both('Operations', '操作')}</th></tr>"
    found = f"<table>{head}{rows}</table>" if services else "<p>No contract is served yet.</p>"
    return _page("Services", f"<h1>{_both('Services', '服务')}</h1>{found}")


def _names(operations: Sequence[str]) -> str:
    more = len(operations) - MOST_LISTED
    rest = f'<br><span class="note">+ {more}</span>' if more > 0 else ""
    return "<br>".join(map(escape, operations[:MOST_LISTED])) + rest


def service_page(service: Service, address: str, only: str = "") -> bytes:
    """One service: its contract, ports, operations and samples.

    Args:
        address: where the service is reached.
        only: key of the one operation to show; it must be the contract's.
    """
    contract = service.contract
    shown = [contract.operations[only]] if only else list(contract.operations.values())
    with_samples = len(shown) <= MOST_WITH_SAMPLES
    parts = [
        f'<p class="note"><a href="{escape(address.removesuffix(service.path) or "/")}/">'
        f"{_both('All services', '全部服务')}</a></p>",
        f"<h1>{escape(contract.name)}</h1>",
        _documentation(contract.documentation),
        _links(contract, address),
        f"<h2>{_both('Ports', '端口')}</h2>",
        _ports(contract.ports, address),
        f"<h2>{_both('Operations', '操作')}</h2>",
        _contents(shown) if len(shown) > 3 else "",
        *(_operation(service, operation, address, with_sample=with_samples) for operation in shown),
        _refusals(),
    ]
    return _page(f"{contract.name} {only}".strip(), "".join(parts))


def _links(contract: Contract, address: str) -> str:
    url = escape(address)
    imported = ", ".join(
        f'<a href="{url}?{"wsdl" if name.endswith(".wsdl") else "xsd"}={quote(name)}">{escape(name)}</a>'
        for name in list(contract.documents)[1:]
    )
    rows = [
        (_both("Address", "地址"), f"<code>{url}</code>"),
        ("WSDL", f'<a href="{url}?wsdl">{url}?wsdl</a>'),
        (_both("Schemas", "模式文件"), imported),
    ]
    return _list(rows)


def _ports(ports: Iterable[Port], address: str) -> str:
    head = "".join(
        f"<th>{label}</th>"
        for label in (
            _both("Service", "服务"),
            _both("Port", "端口"),
            _both("Protocol", "协议"),
            _both("Address", "地址"),
        )
    )
    rows = "".join(
        f"<tr><td>{escape(_local(port.service))}</td><td>{escape(port.name)}</td>"
        f"<td>{f'SOAP {port.soap_version}' if port.soap_version else 'not SOAP: not served'}</td>"
        f"<td><code>{escape(address)}</code></td></tr>"
        for port in ports
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _contents(operations: Iterable[Operation]) -> str:
    return (
        "<p>"
        + " · ".join(f'<a href="#{quote(one.key)}">{escape(one.key)}</a>' for one in operations)
        + "</p>"
    )


def _operation(service: Service, operation: Operation, address: str, *, with_sample: bool) -> str:
    state = ""
    if operation.problem is not None:
        state = f'<p class="bad">Cannot be served: {escape(operation.problem.message)}</p>'
    elif operation.key not in service.handlers:
        state = '<p class="bad">Has no handler yet: it answers with a Server fault.</p>'
    action = min(operation.soap_actions, default="")
    replies = "one-way: HTTP 202, no envelope" if operation.one_way else _element(operation.output)
    facts = [
        ("SOAPAction", f"<code>{escape(action)}</code>"),
        (_both("Request", "请求"), _element(operation.input)),
        (_both("Reply", "应答"), replies),
    ]
    if operation.problem is not None:
        sample = ""
    elif with_sample:
        sample = _samples(service, operation, address)
    else:
        link = f"{address}?operation={quote(operation.key)}"
        sample = f'<p><a href="{escape(link)}">{_both("Samples", "示例")}</a></p>'
    return (
        f'<section id="{escape(quote(operation.key))}"><h3>{escape(operation.key)}</h3>'
        f"{_documentation(operation.documentation)}{state}{_list(facts)}"
        f"{_faults(service.contract, operation)}{sample}</section>"
    )


def _faults(contract: Contract, operation: Operation) -> str:
    rows = ""
    for name, element in operation.faults.items():
        known = contract.model.has_element(element)
        words = contract.model.element(element).documentation if known else ()
        rows += f"<tr><td><code>{escape(name)}</code></td><td>{_documentation(words)}</td></tr>"
    if not rows:
        return ""
    head = f"<tr><th>{_both('Fault', '故障')}</th><th>{_both('When', '何时')}</th></tr>"
    return f"<table>{head}{rows}</table>"


def _samples(service: Service, operation: Operation, address: str) -> str:
    model = service.contract.model
    try:
        payload = "" if operation.input is None else example(model, operation.input)
        least = "" if operation.input is None else example(model, operation.input, optional=False)
        reply = "" if operation.output is None else example(model, operation.output)
    except BridgeError as error:
        return f'<p class="note">No sample could be made: {escape(error.message)}</p>'
    versions = [one for one in reversed(VERSIONS) if one in operation.soap_versions] or VERSIONS[-1:]
    made = ""
    for version in versions:
        text = _sample(version, payload)
        label = _both(f"Request, SOAP {version}", f"SOAP {version} 请求")
        command = escape(_curl(version, operation, address, _sample(version, least)))
        made += (
            f"<details><summary>{label}</summary><pre>{escape(text)}</pre>"
            f"<p>{_both('For a terminal, with nothing optional:', '在终端中发送（仅含必填内容）：')}</p><pre>{command}</pre></details>"
        )
    if reply:
        text = escape(_sample(versions[0], reply))
        made += f"<details><summary>{_both('Reply', '应答')}</summary><pre>{text}</pre></details>"
    return made


def _sample(version: Version, payload: str) -> str:
    root = etree.fromstring(seal(version, payload))
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def _curl(version: Version, operation: Operation, address: str, envelope: str) -> str:
    """A command that brings its message along, so that one paste sends it."""
    action = min(operation.soap_actions, default="")
    if version == "1.1":
        headers = [f"Content-Type: {CONTENT_TYPES[version]}", f'SOAPAction: "{action}"']
    else:
        headers = [f'Content-Type: {CONTENT_TYPES[version]}; action="{action}"']
    words = [
        "curl",
        "-s",
        *(word for header in headers for word in ("-H", header)),
        "--data-binary",
        "@-",
        address,
    ]
    return f"{shlex.join(words)} <<'EOF'\n{envelope}\nEOF"


def _refusals() -> str:
    english = (
        "A request that breaks the contract is not acted on. The fault's detail lists every violation: its path, "
        "what was there, what was expected, and the contract's words about that field."
    )
    chinese = "不符合契约的请求不会被处理。故障的 detail 列出全部违规：路径、实际值、期望值，以及契约对该字段的说明。"
    return (
        f"<h2>{_both('Refusals', '拒绝')}</h2><p>{english} (<code>{VIOLATIONS_NS}</code>)</p>"
        f'<p lang="zh">{chinese}</p>'
    )


def _element(name: str | None) -> str:
    """An element by its local name, and its namespace behind it."""
    if name is None:
        return "–"
    namespace, _, local = name.removeprefix("{").rpartition("}")
    return f"<code>{escape(local)}</code> <span class='note'>{escape(namespace)}</span>"


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows if value) + "</dl>"


def _both(english: str, chinese: str) -> str:
    return f'{english} <span lang="zh">{chinese}</span>'


def _documentation(texts: Iterable[Documentation]) -> str:
    return "".join(
        f"<p{f' lang={quote(text.language)}' if text.language else ''}>{escape(text.text)}</p>"
        for text in texts
        if text.text
    )


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()
