"""`soapbridge map`: a record through a mapping, with where every field came from; a mapping proved; a page of it for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say, table, writing
from bridge.errors import BridgeError, SettingsError

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.mapping import Mapping, Run
    from bridge.partners.mappings import Side


def map(  # noqa: A001 - the command's name
    mapping: Annotated[str, typer.Argument(metavar="MAPPING", help="The mapping's file.")],
    record: Annotated[
        str,
        typer.Argument(
            metavar="DOCUMENT", help="JSON, or XML: an envelope or a payload; - reads standard input."
        ),
    ] = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Where each target field came from, step by step.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Prove the mapping, and name what may not fit.")
    ] = False,
    page: Annotated[
        str,
        typer.Option("--page", metavar="FILE", help="Write a page for people: .html, or .md for Markdown."),
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Put a record through a mapping, prove the mapping against both sides, or write a page of it for people."""
    from bridge.app import Bridge

    if not (record or check or page):
        raise SettingsError("There is nothing to do.", advice="Give a DOCUMENT, --check or --page FILE.")
    bridge = Bridge.load(config, store=False)
    found = _load(bridge, mapping, as_json=as_json)
    if page:
        _write_page(found, Path(page))
    if not record:
        _checked(found, page, as_json=as_json)
    sides, _ = bridge.mappings.sides(found.rules)
    run = found.explain(_values(record, sides.get("source"), bridge))
    broken = _refused(run, sides.get("target"))
    if as_json:
        from bridge.mapping.explaining import as_json as content

        finish(
            _next(run, broken),
            ok=not (run.mistakes or broken),
            as_json=True,
            content={**content(run), "refused": broken, "doubts": found.proof.doubts},
        )
    _show(run, explain=explain)
    for one in broken:
        say(f"the target's contract: {one}", "red")
    if run.mistakes or broken or explain:
        finish(_next(run, broken), ok=not (run.mistakes or broken))


def _load(bridge: Bridge, mapping: str, *, as_json: bool) -> Mapping:
    """Proved; ends the command with every mistake."""
    try:
        return bridge.mappings.load(_from_settings(bridge, mapping))
    except SettingsError as error:
        if len(error.mistakes) == 1 and error.mistakes[0] == str(error):
            raise  # there is no such file
        if not as_json:
            for one in error.mistakes:
                say(one, "red")
        count = len(error.mistakes)
        finish(
            f"{count} mistake{'s' * (count != 1)} in {mapping}. Mend the lines above; docs/mapping.md says what may stand there.",
            ok=False,
            as_json=as_json,
            content={"mistakes": list(error.mistakes)},
        )


def _from_settings(bridge: Bridge, mapping: str) -> str:
    """The file as the folder of the settings has it, from where mappings are found; messages then name it as it was typed."""
    file = bridge.settings.file
    if not Path(mapping).is_file() or Path(mapping).is_absolute():
        return mapping
    if file is None or file.parent == Path():
        return mapping
    return os.path.abspath(mapping) if file.is_absolute() else os.path.relpath(mapping, file.parent)  # noqa: PTH100 - as typed


def _checked(found: Mapping, page: str, *, as_json: bool) -> None:
    """What `--check` says, and the end."""
    proof, rules = found.proof, found.rules
    if not as_json:
        for one in proof.doubts:
            say(f"{one}", "yellow")
        if proof.unused:
            say(f"{found.file}: not carried over: {', '.join(proof.unused)}", "dim")
        for name, shape in (("source", found.source), ("target", found.target)):
            if shape is None:
                say(
                    f'{found.file}: nothing was proved of the {name}: say {name} = "…" under [mapping]',
                    "yellow",
                )
    count = sum(1 for _ in rules.each())
    doubts = (
        f"; {len(proof.doubts)} values are looked at in each record, as they may not fit"
        if proof.doubts
        else ""
    )
    written = f" Written: {page}." if page else ""
    finish(
        f"Proved: {count} rules{doubts}.{written}",
        as_json=as_json,
        content={
            "file": str(found.file),
            "rules": count,
            "two_way": rules.two_way,
            "doubts": proof.doubts,
            "not_carried_over": proof.unused,
        },
    )


def _write_page(found: Mapping, file: Path) -> None:
    from bridge.mapping import page

    if file.suffix not in (".html", ".md"):
        raise SettingsError(f"{file} is no page.", advice="Name it .html, or .md for Markdown.")
    text = page.html(found) if file.suffix == ".html" else page.markdown(found)
    with writing(file):
        file.write_text(text, encoding="utf-8")


def _values(name: str, source: Side | None, bridge: Bridge) -> Any:
    """The record in a file: JSON by the source's contract or fields, or XML by its contract."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(f"{name} cannot be read: {error.strerror}.") from error
    if content.lstrip().startswith(b"<"):
        return _of_xml(name, content, source, bridge)
    from bridge.contract.codec.as_json import read

    try:
        values = read(content)
    except (ValueError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} is neither JSON nor XML: {error}.") from error
    if source is not None and source.contract is not None and source.operation is not None:
        element = source.operation.input if source.message == "input" else source.operation.output
        assert element is not None
        return source.contract.codec.json.values(element, values)
    if not isinstance(values, dict):
        raise SettingsError(f"{name} is no record.", advice="A record is a JSON object, its fields by name.")
    return values if source is None else _typed(values, source.shape)


def _of_xml(name: str, content: bytes, source: Side | None, bridge: Bridge) -> Any:
    from bridge.errors import InvalidMessage
    from bridge.soap.xml import parse

    if source is None or source.contract is None or source.operation is None:
        raise SettingsError(
            f"{name} is XML, and the mapping names no WSDL that it belongs to.",
            advice='Say source = "orders-1.wsdl#SubmitOrder" under [mapping], or give the record as JSON.',
        )
    root, text = parse(content, limits=bridge.settings.limits)
    payload = root
    if str(root.tag).endswith("}Envelope"):
        namespace = str(root.tag).rpartition("}")[0]
        body = root.find(f"{namespace}}}Body")
        inner = None if body is None else next(body.iterchildren("*"), None)
        if inner is None:
            raise SettingsError(f"{name} is an envelope with nothing in its Body.")
        payload = inner
    element = source.operation.input if source.message == "input" else source.operation.output
    if element is None or payload.tag != element:
        raise SettingsError(f"{name} has <{payload.tag}>, and the mapping takes <{element}>.")
    source.contract.guard.check(element, payload, source=text, error=InvalidMessage, what="document")
    return source.contract.codec.decode(element, payload)


def _typed(values: Any, shape: Any) -> Any:
    """JSON's texts as dates, moments and decimals where the fields are; what cannot be read stays, and the mapping says so."""
    from datetime import date, datetime
    from decimal import Decimal, InvalidOperation

    if not isinstance(values, dict):
        return values
    readers: dict[str, Callable[[str], Any]] = {
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
        "decimal": Decimal,
    }

    def read(field: Any, value: Any) -> Any:
        if isinstance(value, list):
            return [read(field, one) for one in value]
        if field.shape is not None:
            return _typed(value, field.shape)
        if isinstance(value, str) and field.kind in readers:
            try:
                return readers[field.kind](value)
            except (ValueError, InvalidOperation):
                return value
        return value

    return {
        name: read(shape.fields[name], one) if name in shape.fields else one for name, one in values.items()
    }


def _refused(run: Run, target: Side | None) -> list[str]:
    """What the target's contract says of the values, where it is a WSDL and the mapping had no mistake."""
    if target is None or target.contract is None or target.operation is None or run.mistakes:
        return []
    from bridge.errors import InvalidMessage
    from bridge.soap.limits import DEFAULT
    from bridge.soap.xml import parse

    element = target.operation.input if target.message == "input" else target.operation.output
    assert element is not None
    try:
        text = target.contract.codec.encode(element, run.values)
        payload, source = parse(text.encode(), limits=DEFAULT)
        target.contract.guard.check(element, payload, source=source, error=InvalidMessage, what="payload")
    except InvalidMessage as error:
        return [f"{one.path}: {one.messages['en']}" for one in error.violations]
    except BridgeError as error:
        return [str(error)]
    return []


def _show(run: Run, *, explain: bool) -> None:
    from bridge.mapping.explaining import lines, plain, row

    if explain:
        table(("target", "value", "from", "steps", "rule"), [row(one) for one in run.traces])
    elif not run.mistakes:
        typer.echo(json.dumps(plain(run.values), ensure_ascii=False, indent=2))
    for line in lines(run.mistakes):
        say(line, "red" if not line.startswith(" ") else None)


def _next(run: Run, broken: list[str]) -> str:
    if run.mistakes:
        count = len(run.mistakes)
        return f"{count} value{'s' * (count != 1)} could not go through: correct the record, or the rules named above."
    if broken:
        return "The target refuses this. The rule of each field is shown by --explain."
    return f"{len(run.traces)} rules were gone through."
