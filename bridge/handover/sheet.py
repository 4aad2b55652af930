"""What the sheet says, in the order in which a developer needs it on the first morning.

Only what holds for this bridge: the operations that have a handler, the limits as they are set, the promise as it is kept.
Of the settings nothing but what is named here gets in: no store, no file, no secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from bridge.access.doors import needs_credentials
from bridge.access.permits import EVERYTHING, Permits
from bridge.contract import Contract, Operation
from bridge.contract.model import Documentation
from bridge.errors import BridgeError
from bridge.handlers import Service
from bridge.handover import samples
from bridge.handover.document import (
    Bullets,
    Code,
    Document,
    Heading,
    Link,
    Listing,
    Paragraph,
    Table,
    Text,
    spans,
)
from bridge.handover.words import COMMON_FAULTS, FAULT_TODO, WORDS, Language
from bridge.idempotency import KeyPath, key_paths
from bridge.settings import Settings
from bridge.soap.charset import ACCEPTED
from bridge.soap.detail import VIOLATIONS_NS
from bridge.soap.envelope import VERSIONS
from bridge.soap.media import CONTENT_TYPES


def sheet_of(
    services: Sequence[Service],
    settings: Settings,
    address: str,
    *,
    language: Language = "en",
    contact: str = "",
    remembers: bool = True,
    caller: str = "",
) -> Document:
    """The sheet for these services.

    Args:
        address: where the bridge is reached, without a slash at the end.
        contact: whom to ask; the settings' where it is empty.
        remembers: whether the bridge has a store, and so keeps first answers.
        caller: whom it is for, of those that settings name: only what its roles allow, its limits, what it must send. Empty: what holds
            for all.
    """
    return _Sheet(services, settings, address, language, contact, remembers, caller).made()


class _Sheet:
    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        address: str,
        language: Language,
        contact: str,
        remembers: bool,
        caller: str,
    ) -> None:
        self.caller = caller
        self.own = settings.callers[caller] if caller else None
        roles = EVERYTHING if self.own is None else Permits.of_roles(self.own.roles, settings.roles)
        self.permits = roles
        self.known = needs_credentials(settings) or self.own is not None
        self.services = [one for one in services if self._answered(one)]
        self.settings = settings
        self.address = address
        self.language = language
        self.words = WORDS[language]
        self.contact = contact or settings.server.contact or self.words["no_contact"]
        self.remembers = remembers
        title = self.words["title"].format(
            names=self.words["comma"].join(service.name for service in self.services)
        )
        self.document = Document(title, language)
        self.add = self.document.add

    def made(self) -> Document:
        for service in self.services:
            self._service(service)
        self._faults()
        self._refusals()
        self._other()
        self._repeating()
        self._values()
        self._limits()
        self._security()
        self.add(Heading(self.words["contact"], 2), Paragraph((self.contact,)))
        self.add(Paragraph(self._say("made_by")))
        return self.document

    def _say(self, name: str, /, **values: str) -> Text:
        return spans(self.words[name], **values)

    def _answered(self, service: Service) -> list[Operation]:
        """The operations that this sheet's reader can call."""
        name = service.path.removeprefix("/services/")
        return [one for one in answered(service) if self.permits.allow(name, one.key)]

    # -- a service -------------------------------------------------------------------------------

    def _service(self, service: Service) -> None:
        contract = service.contract
        words, url = self.words, self.address + service.path
        operations = self._answered(service)
        if len(self.services) > 1:
            self.add(Heading(service.name, 2))
        if about := self._documentation(contract.documentation):
            self.add(Paragraph((about,)))
        self.add(Table((words["at_a_glance"], ""), self._glance(contract, operations, url)))
        self.add(Paragraph(self._say("wsdl_schemas")))
        rows = tuple(
            (
                (Code(one.key),),
                (_first_sentence(self._documentation(one.documentation)),),
                _codes(one.faults, none=words["no_faults"]),
            )
            for one in operations
        )
        self.add(
            Heading(words["operations"], 2 if len(self.services) == 1 else 3),
            Table((words["operation"], words["what"], words["faults"]), rows),
        )
        self._first_call(operations, url)
        paths = self._request_ids(service) if self.remembers else {}
        for operation in operations:
            self._operation(contract, operation, url, paths.get(operation.key))

    def _glance(
        self, contract: Contract, operations: Sequence[Operation], url: str
    ) -> tuple[tuple[Text, ...], ...]:
        spoken = {version for one in operations for version in one.soap_versions} or set(VERSIONS)
        versions: list[Text] = [
            self._say("version_at", version=version, type=CONTENT_TYPES[version])
            for version in reversed(VERSIONS)
            if version in spoken
        ]
        if len(spoken) > 1:
            versions.append(self._say("both_versions"))
        rows: tuple[tuple[str, Text], ...] = (
            ("address", (Link(url),)),
            ("wsdl", (Link(f"{url}?wsdl"),)),
            ("digest", (Code(_digest(contract)), f" ({contract.name} {contract.major})")),
            *(("versions", version) for version in versions),
            ("contact", (self.contact,)),
        )
        return tuple(((self.words[name],), text) for name, text in rows)

    def _first_call(self, operations: Sequence[Operation], url: str) -> None:
        if operations:
            certificate = (
                self.settings.tls.client_ca is not None and self.settings.tls.client_certificate == "required"
            )
            line = samples.command(operations[0], url, with_certificate=certificate, with_key=self.known)
            self.add(
                Heading(self.words["first_call"], 3),
                Paragraph(self._say("first_call_text", operation=operations[0].key)),
                Listing(line, "sh"),
                Paragraph(self._say("made_up")),
            )

    def _operation(self, contract: Contract, operation: Operation, url: str, path: str | None) -> None:
        words = self.words
        action = min(operation.soap_actions, default="")
        rows: list[tuple[Text, ...]] = [
            ((words["action"],), (Code(action) if action else words["no_action"],))
        ]
        if self.remembers:
            told = self._say("request_id_header" if path is None else "request_id_in", path=path or "")
            rows.append(((words["request_id"],), told))
        rows.append(((words["faults"],), _codes(operation.faults, none=words["no_faults"])))
        self.add(Heading(operation.key, 3))
        if about := self._documentation(operation.documentation):
            self.add(Paragraph((about,)))
        self.add(Table((words["operation"], operation.key), tuple(rows)))
        try:
            given, got = samples.request(contract, operation), samples.reply(contract, operation)
        except BridgeError:
            self.add(Paragraph(self._say("no_sample")))
            return
        page = Link(f"{url}?operation={quote(operation.key)}")
        self.add(Paragraph((*self._say("request"), page)), Listing(given))
        if operation.one_way or not got:
            self.add(Paragraph(self._say("one_way" if operation.one_way else "empty_body")))
        else:
            self.add(Paragraph(self._say("reply")), Listing(got))

    def _request_ids(self, service: Service) -> Mapping[str, str]:
        """Where a request carries its id, by operation: only where the payload has a place for it."""
        return {
            operation.key: written
            for operation, path in _key_paths(service, self.settings)
            if (written := _written(service.contract, operation, path))
        }

    # -- what holds for all ----------------------------------------------------------------------

    def _faults(self) -> None:
        words = self.words
        rows, first = [], None
        for service, operation, name, element in self._declared():
            said = self._meaning(service.contract, element)
            rows.append(((Code(name),), (said,), (self._todo(element, name),)))
            first = first or (service.contract, operation, name, said)
        if first is None:
            return
        self.add(Heading(words["faults_title"], 2), Paragraph(self._say("faults_text")))
        self.add(Table((words["fault"], words["meaning"], words["todo"]), tuple(rows)))
        contract, operation, name, said = first
        try:
            shown = samples.fault(contract, operation, name, said or name, self.language)
        except BridgeError:
            return
        self.add(Paragraph(self._say("fault_sample", name=name)), Listing(shown))

    def _declared(self) -> Iterable[tuple[Service, Operation, str, str]]:
        """Each fault once, with an operation that declares it."""
        seen = set()
        for service in self.services:
            for operation in self._answered(service):
                for name, element in operation.faults.items():
                    if (name, element) not in seen:
                        seen.add((name, element))
                        yield service, operation, name, element

    def _meaning(self, contract: Contract, element: str) -> str:
        if not contract.model.has_element(element):
            return ""
        return self._documentation(contract.model.element(element).documentation)

    def _todo(self, element: str, name: str) -> str:
        known = FAULT_TODO[self.language] if element.startswith(f"{{{COMMON_FAULTS}}}") else {}
        return known.get(name, self.words["fault_todo"])

    def _refusals(self) -> None:
        self.add(
            Heading(self.words["violations_title"], 2),
            Paragraph(self._say("violations_text", namespace=VIOLATIONS_NS)),
        )
        for service in self.services:
            for operation in self._answered(service):
                try:
                    shown = samples.refusal(service.contract, operation, self.language)
                except BridgeError:
                    continue
                if shown:
                    self.add(Paragraph(self._say("violations_sample")), Listing(shown))
                    return

    def _other(self) -> None:
        access = ("denied", "too_often") if self.known else ()
        names = ("client_fault", "server_fault", *access, "busy", "http_refused", "no_answer")
        rows = tuple(
            (self._say(name), self._say(f"{name}_means"), self._say(f"{name}_repeat")) for name in names
        )
        words = self.words
        self.add(
            Heading(words["other_title"], 2),
            Table((words["answer"], words["meaning"], words["repeat"]), rows),
            Paragraph(self._say("exchange")),
        )

    def _repeating(self) -> None:
        self.add(Heading(self.words["repeat_title"], 2))
        if not self.remembers:
            self.add(Paragraph(self._say("repeat_none")))
            return
        days = f"{self.settings.idempotency.keep:g}"
        self.add(
            Paragraph(self._say("repeat_text")),
            Bullets(
                (
                    self._say("repeat_window", days=days),
                    self._say("repeat_other"),
                    self._say("repeat_new"),
                )
            ),
        )

    def _values(self) -> None:
        zones: dict[str, list[str]] = {}
        for service in self.services:
            zone = str(self.settings.zone(service.path.removeprefix("/services/")))
            zones.setdefault(zone, []).append(service.name)
        one = len(zones) == 1
        told = ", ".join(name if one else f"{name} ({', '.join(of)})" for name, of in zones.items())
        self.add(
            Heading(self.words["values_title"], 2),
            Bullets(
                (
                    self._say("values_charset", charsets=ACCEPTED),
                    self._say("values_numbers"),
                    self._say("values_zone", zone=told),
                    self._say("values_order"),
                    self._say("must_understand"),
                )
            ),
        )

    def _limits(self) -> None:
        limits, server, words = self.settings.limits, self.settings.server, self.words

        def seconds(value: float) -> str:
            return words["seconds"].format(n=f"{value:g}")

        megabytes = f"{limits.max_bytes / 1024 / 1024:.4g}"
        rate = words["limit_rate_none"].format(
            threads=server.threads * server.workers, waiting=server.waiting * server.workers
        )
        own = self.own
        if own is not None and own.rate:
            rate = words["limit_rate_yours"].format(n=f"{own.rate:g}")
        at_once = [("limit_in_flight", f"{own.in_flight}")] if own is not None and own.in_flight else []
        rows = (
            ("limit_bytes", words["megabytes"].format(n=megabytes)),
            ("limit_elements", f"{limits.max_elements}"),
            ("limit_depth", f"{limits.max_depth}"),
            ("limit_text", f"{limits.max_text}"),
            ("limit_body", seconds(server.body_timeout)),
            ("limit_idle", seconds(server.idle_timeout)),
            ("limit_answer", seconds(2 * server.stuck_after)),
            ("limit_rate", rate),
            *at_once,
        )
        self.add(
            Heading(words["limits_title"], 2),
            Table((words["limit"], words["value"]), tuple(((words[name],), (text,)) for name, text in rows)),
        )

    def _security(self) -> None:
        tls = self.settings.tls
        told = ["security_https" if self.address.startswith("https:") else "security_http"]
        if tls.client_ca is not None:
            told.append(f"security_client_{tls.client_certificate}")
        means = tuple(self._means()) if self.known else (self._say("security_none"),)
        self.add(Heading(self.words["security"], 2), Bullets((*(self._say(name) for name in told), *means)))

    def _means(self) -> Iterable[Text]:
        """How a request says who it is from, and what this caller's must carry."""
        settings, own = self.settings, self.own
        yield self._say("security_known")
        yield self._say("security_key")
        yield self._say("security_basic", caller=self.caller or self.words["your_name"])
        if settings.tls.client_ca is not None or settings.server.client_certificate_header:
            yield self._say("security_certificate")
        if not self.remembers:  # without a store no Security header is understood
            return
        yield self._say("security_wss")
        yield self._say("security_age", seconds=f"{settings.wss.max_age:g}")
        if own is None:
            return
        comma = self.words["comma"]
        if own.requires:
            yield self._say("security_requires", things=comma.join(own.requires))
        for operation, things in own.requires_for.items():
            yield self._say("security_requires_for", operation=operation, things=comma.join(things.split()))
        if own.signed_headers:
            yield self._say("security_signed_headers", things=comma.join(own.signed_headers))
        if own.signed_replies:
            yield self._say("security_signed_replies")

    def _documentation(self, texts: Sequence[Documentation]) -> str:
        """What the contract says in this language; else in none, in English, in any."""
        for wanted in (self.language, "", "en"):
            found = [one.text for one in texts if one.language.partition("-")[0].lower() == wanted]
            if found:
                return " ".join(" ".join(found).split())
        return " ".join(texts[0].text.split()) if texts else ""


def answered(service: Service) -> list[Operation]:
    """The operations that a partner can call."""
    return [one for key, one in service.contract.operations.items() if key in service.handlers]


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|(?<=[。！？])", text, maxsplit=1)[0]


def _codes(names: Iterable[str], *, none: str) -> Text:
    made: list[str | Code] = []
    for name in names:
        made += [", ", Code(name)] if made else [Code(name)]
    return tuple(made) or (none,)


def _key_paths(service: Service, settings: Settings) -> Iterable[tuple[Operation, KeyPath]]:
    paths, _ = key_paths(service, settings)
    return [(service.contract.operations[key], path) for key, path in paths.items()]


def _written(contract: Contract, operation: Operation, path: KeyPath) -> str:
    try:
        payload = samples.full_payload(contract, operation)
    except BridgeError:
        return ""
    if payload is None or path.find(payload) is None:
        return ""
    return "/".join([*path.steps, *([f"@{path.attribute}"] if path.attribute else [])])


def _digest(contract: Contract) -> str:
    """Twelve digits that change with any document of the contract."""
    found = hashlib.sha256()
    for name, content in sorted(contract.documents.items()):
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:12]
