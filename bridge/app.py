"""The bridge: settings, store and the services it answers. What a user's module makes and `soapbridge serve` runs.

bridge = Bridge.load("bridge.toml")
orders = bridge.serve("wsdl/shop/orders-1.wsdl")

@orders.operation("SubmitOrder")
def submit_order(order, call): ...

bridge.check()
application = bridge.wsgi()
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import atrest, checks, upkeep
from bridge import contract as contracts
from bridge import settings as settings_
from bridge.access import doors
from bridge.audit import Notes, Unkept, follow
from bridge.contract import Contract
from bridge.delivery.accept import accept
from bridge.delivery.background import Background
from bridge.delivery.due import Cron, Every
from bridge.delivery.schedules import Schedule, Scheduler, Work
from bridge.errors import HandlerError, SettingsError
from bridge.handlers import Service, called_out, calling_out, current_transaction, writing
from bridge.inbound import Inbound, Observer
from bridge.once import made_once
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.making import AnyPartner, Making
from bridge.partners.mappings import Mappings
from bridge.settings import Settings
from bridge.shipped import contracts as shipped_contracts
from bridge.store import Store, Transaction, credentials, runners
from bridge.store.cache import FileCache

if TYPE_CHECKING:
    from bridge.access.gatekeeper import Doorkeeper
    from bridge.backup import Backups
    from bridge.delivery.acts import Deliveries
    from bridge.partners.salesforce.listening import Take
    from bridge.partners.soap import SoapPartner
    from bridge.reconciliation.acts import Reconciliations
    from bridge.replay import Replay
    from bridge.store.outbox import NewEntry
    from bridge.sync import Flows

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Bridge:
    """Services that share settings and a store.

    Args:
        settings: everything that can be set; defaults where none are given.
        store: False runs without one: nothing is journaled, handlers have no session, and nothing is cached.
    """

    def __init__(self, settings: Settings | None = None, *, store: bool = True) -> None:
        self.settings = settings if settings is not None else Settings()
        self.services: dict[str, Service] = {}
        """By path, in the order they were added."""
        self.partners: dict[str, AnyPartner] = {}
        """By name: those that were asked for."""
        self.schedules: dict[str, Schedule] = {}
        """By name: those that were declared with `schedule`."""
        self._with_store = store
        self._audit: Notes = Unkept()

    @classmethod
    def load(cls, file: str | os.PathLike[str] | None = None, *, store: bool = True) -> Bridge:
        """A bridge with the settings of `file` (bridge.toml), the environment and the defaults.

        Raises:
            SettingsError: with every mistake found.
        """
        return cls(settings_.load(file), store=store)

    def close(self) -> None:
        """Closes the connections to the store and to partners. The bridge may be used again; it then connects anew."""
        for partner in list(self.partners.values()):
            partner.close()
        store = self.__dict__.get("store")  # as far as somebody has looked at it
        if store is not None:
            store.close()

    @property
    def has_store(self) -> bool:
        """Whether it runs with a store; says so without connecting to it."""
        return self._with_store

    @made_once
    def store(self) -> Store | None:
        """The store, made at the first look; None when the bridge runs without. Its first use connects."""
        if not self._with_store:
            return None
        url = self.settings.store_url
        if url.startswith("sqlite:"):
            self._make_data_folder()
        pool = self.settings.server.threads + self.settings.delivery.threads + len(self.settings.partners) + 4
        store = Store(url, wait=self.settings.store.wait, pool=pool)
        try:
            store.prepare()
            atrest.protect(store, self.settings.at_rest)
            self._audit = follow(store, self.settings)
        except BaseException:
            store.close()
            raise
        return store

    def _required_store(self, advice: str) -> Store:
        """The store. Raises HandlerError where the bridge runs without one."""
        if self.store is None:
            raise HandlerError("The bridge runs without a store.", advice=advice)
        return self.store

    @property
    def audit(self) -> Notes:
        """Where what people and processes do is written down, in a form that shows tampering (docs/audit.md):
        `bridge.audit.note("prices_changed", who="mei", subject="list 7")`. Takes anything and keeps nothing where the bridge
        runs without a store, or with `audit.enabled` off.
        """
        return self._audit if self.store is not None else Unkept()

    def _make_data_folder(self) -> None:
        folder = self.settings.data.folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"The data folder {folder} cannot be made: {error.strerror or error}.",
                advice="Set data.folder to one that this user may make and write.",
            ) from error

    @made_once
    def gatekeeper(self) -> Doorkeeper | None:
        """Who gets in, as the settings say; None where nobody has to be known.

        Raises:
            SettingsError: a caller's certificate cannot be read.
        """
        if not doors.needs_gatekeeper(self.settings):
            return None
        from bridge.access.gatekeeper import Doorkeeper
        from bridge.access.security_header import SecurityHeaders
        from bridge.store.nonces import Nonces

        store = self.store
        if store is None:
            _require_no_security_headers(self.settings)
            return Doorkeeper(self.settings, None)
        return Doorkeeper(
            self.settings,
            store,
            notes=self.audit,
            headers=lambda logins: SecurityHeaders(self.settings, logins, Nonces(store)),
        )

    @made_once
    def deliveries(self) -> Deliveries:
        """What people do to deliveries by hand: list, show, hold, release, resend, expire, settle.

        Raises:
            HandlerError: the bridge runs without a store.
        """
        from bridge.delivery.acts import Deliveries

        store = self._required_store("Deliveries are kept in one.")
        return Deliveries(store, self.settings, self.any_partner)

    @made_once
    def flows(self) -> Flows:
        """Records that move between partners by themselves: run one, hand over what somebody told of, see what could not go through
        (docs/flows.md).

        Raises:
            HandlerError: the bridge runs without a store.
        """
        from bridge.sync import Flows

        store = self._required_store("Flows keep in one how far they are.")
        return Flows(store, self.settings, self.any_partner, self.mappings.load, self.audit)

    @made_once
    def reconciliations(self) -> Reconciliations:
        """Whether partners hold the same figures: run a rule, look at what it found, mend it.

        Raises:
            HandlerError: the bridge runs without a store.
        """
        from bridge.reconciliation.acts import Reconciliations

        store = self._required_store("What is found is kept in one.")
        return Reconciliations(
            store,
            self.settings,
            partner=self.any_partner,
            transaction=self.transaction,
            deliveries=self.deliveries,
            mapping=lambda file, source: self.mappings.load(file, source=source),
            notes=self.audit,
        )

    @made_once
    def replay(self) -> Replay:
        """A journaled request through today's code: `bridge.replay(exchange_id)` shows what would be answered and keeps
        nothing; `dry_run=False` does it, with `who` and `why`.

        Raises:
            HandlerError: the bridge runs without a store.
        """
        from bridge.replay import Replay

        store = self._required_store("The journal is kept in one.")
        return Replay(store, self.settings, self.services, self.gatekeeper)

    @made_once
    def backups(self) -> Backups:
        """Copies of the store: make one, verify one, put one back.

        Raises:
            HandlerError: the bridge runs without a store.
        """
        from bridge.backup import Backups

        store = self._required_store("There is nothing to be copied.")
        return Backups(store, self.settings, notes=self.audit)

    @made_once
    def cache(self) -> FileCache | None:
        """Where contracts keep what loading worked out; None when the settings say so, or nothing is to be kept."""
        folder = self.settings.cache_folder
        return FileCache(folder) if self._with_store and folder is not None else None

    @made_once
    def mappings(self) -> Mappings:
        """Mapping files, from the folder of the settings on: `bridge.mappings.load("mappings/order.toml")` reads and proves one."""
        folder = Path() if self.settings.file is None else self.settings.file.parent
        return Mappings(folder, self.settings.partners, self.any_partner, self._load)

    def serve(self, wsdl: str | os.PathLike[str] | Contract, *, idempotency_key: str = "") -> Service:
        """Answers the contract of `wsdl`. Bind its operations with `@service.operation(NAME)`.

        Args:
            idempotency_key: where requests carry the id that tells a repeat from a new request, for every operation
                whose payload has it: `requestId`, `order/Number`, `order/@id`. `[services.NAME]` in the settings goes
                before, and names single operations.

        Raises:
            ContractError: the WSDL cannot be read.
            HandlerError: another contract has the same address: name and major are those of its file.
        """
        contract = wsdl if isinstance(wsdl, Contract) else self._load(wsdl)
        service = Service(contract, idempotency_key=idempotency_key)
        other = self.services.get(service.path)
        if other is not None:
            raise HandlerError(
                f"{contract.file} and {other.contract.file} are both served at {service.path}.",
                advice="Give one of the files another name, or another number (`name-2.wsdl`).",
            )
        self.services[service.path] = service
        return service

    def partner(self, name: str) -> SoapPartner:
        """The system that `[partners.NAME]` in the settings describes; the same object at every call.

        What is called is written to the journal. A handler calls before it uses `call.session`.

        Raises:
            SettingsError: the settings have no such section, do not say where to call, or say that it is of another kind than soap:
                `any_partner` gives those.
            ContractError: its WSDL cannot be read.
        """
        found = self.any_partner(name)
        if isinstance(found, EntityPartner):
            raise SettingsError(
                f"The partner {name} is of the kind {found.settings.kind}, and has no WSDL.",
                advice=f"Take it by bridge.any_partner({name!r}): send, fetch, totals, ping.",
            )
        return found

    def any_partner(self, name: str) -> AnyPartner:
        """The same for a partner of any kind: what it can do is send, fetch, totals and ping.

        Raises:
            SettingsError: as `partner`, or its file is wrong. ContractError: its WSDL cannot be read.
        """
        found = self.partners.get(name)
        if found is not None:
            return found
        return self.partners.setdefault(name, self._making(name))

    @made_once
    def _making(self) -> Making:
        return Making(
            settings=self.settings,
            store=(lambda: self.store) if self._with_store else None,
            load=lambda wsdl: self._load(self._place_of(wsdl)),
            mappings=self.mappings,
            accept=self._accept if self._with_store else None,
            before_call=calling_out,
            after_call=called_out,
        )

    def listen(self, name: str, take: Take | None = None) -> Service:
        """Answers the WSDL by which a partner of the kind salesforce tells of changes (docs/salesforce.md).

        Args:
            take: gets the partner, the entity and the records, in the transaction of the request; the flows do, if not given.

        Raises:
            SettingsError: there is no such partner, or it is of another kind. ContractError: its WSDL cannot be read.
        """
        from bridge.partners.salesforce import OPERATION
        from bridge.partners.salesforce.listening import Listener

        settings = self.settings.partners.get(name)
        if settings is None or settings.kind != "salesforce":
            raise SettingsError(
                f"The partner {name} tells nothing of its own accord.",
                advice=f'That does one with kind = "salesforce" in [partners.{name}].',
            )
        (entity,) = self.any_partner(name).entities.values()
        service = self.serve(self._place_of(settings.wsdl))
        listener = Listener(name, entity, take or self.flows.take, organization=settings.client_id)
        service.operation(OPERATION)(listener)
        return service

    def _accept(self, entry: NewEntry) -> None:
        store = self.store
        assert store is not None
        transaction, exchange_id = writing()
        accept(store, transaction, entry._replace(exchange_id=exchange_id))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction for scripts: what is written through its `session`, and the documents that partners `send` inside,
        are kept together when the block ends, or not at all.

            with bridge.transaction() as transaction:
                transaction.session.execute(...)
                backoffice.send("CreateSalesOrder", order, ordering_key=order.Customer)

        Raises:
            HandlerError: the bridge runs without a store.
            StoreError: the store cannot be used.
        """
        store = self._required_store("Give it one: `store.url`.")
        with store.transaction() as transaction:
            token = current_transaction.set(transaction)
            try:
                yield transaction
            finally:
                current_transaction.reset(token)

    def background(self) -> list[Background]:
        """What runs beside requests, in any number of processes: the runner that delivers to partners, and
        what runs by the clock. Nothing is started yet.

        Raises:
            SettingsError: the bridge runs without a store.
        """
        from bridge.delivery.destinations import destination
        from bridge.delivery.runner import Runner

        if self.store is None:
            raise SettingsError(
                "A bridge without a store delivers nothing.", advice="Give it one: `store.url`."
            )
        destinations = [
            destination(self.store, self.settings, name, partial(self.any_partner, name))
            for name in self.settings.partners
        ]
        self.audit.serve(self.settings)
        runner = Runner(self.store, destinations, self.settings.delivery)
        lease = self.settings.delivery.lease
        return [runner, Scheduler(self.store, self.all_schedules(), owner=runner.owner, lease=lease)]

    def open_doors(self) -> list[doors.Door]:
        """Each door that stands open, and each caller that finds none."""
        kept = []
        if self.store is not None:
            with self.store.reading() as session:
                kept = credentials.of_caller(session)
        return doors.open_doors(self.settings, kept, datetime.now(UTC))

    def waiting_for_nobody(self) -> list[str]:
        """A sentence for each partner that documents wait for and the settings do not name."""
        if self.store is None:
            return []
        with self.store.reading() as session:
            names = set(runners.open_partners(session)) - self.settings.partners.keys()
        return [
            f"Documents wait for the partner {name}, which is not in the settings: add [partners.{name}] again, or settle "
            "them by hand."
            for name in sorted(names)
        ]

    def misread_partners(self) -> list[str]:
        """A sentence for each entity of a partner whose tables are not as its file says: those are asked, and nothing else stops."""
        found: list[str] = []
        for name, options in self.settings.partners.items():
            if options.kind not in ("staging", "database"):
                continue
            try:
                partner = self.any_partner(name)
            except SettingsError:
                continue  # `check` tells it
            if isinstance(partner, EntityPartner):
                found += [f"partner {name}: {sentence}" for sentence in partner.inspect()]
        return found

    def schedule(
        self, name: str, *, cron: str = "", every: float | None = None, zone: str = ""
    ) -> Callable[[Work], Work]:
        """Has a function run by the clock, in whatever process works (`soapbridge up`, `soapbridge worker`), once each time:

            @bridge.schedule("nightly", cron="30 2 * * *", zone="Asia/Shanghai")     # or every=300 (seconds)
            def nightly(firing): ...                                                 # firing.name, firing.due_at

        Args:
            name: what it is known by in the store: the same in all processes, and in the next version.
            cron: minute, hour, day, month, day of the week.
            zone: the time zone of `cron`; `contracts.zone` where none is given.

        Raises:
            HandlerError: it is not said when, or not so that it can be read; the name is taken.
        """
        if name in self.schedules or name in upkeep.names(self.settings):
            raise HandlerError(f"There are two schedules {name}.", advice="Give one of them another name.")
        if bool(cron) == (every is not None):
            raise HandlerError(
                f"The schedule {name} is not said when to run.", advice="Give it either cron or every."
            )
        try:
            rule = Cron(cron, zone or self.settings.contracts.zone) if every is None else Every(every)
        except ValueError as error:
            raise HandlerError(f"The schedule {name}: {error}.") from None

        def declare(work: Work) -> Work:
            self.schedules[name] = Schedule(name, rule, work)
            return work

        return declare

    def all_schedules(self) -> tuple[Schedule, ...]:
        """What runs by the clock in a process that works: retention, backups where they are wanted, and what was declared."""
        store = self.store
        if store is None:
            return tuple(self.schedules.values())
        return (*upkeep.schedules(self, store), *self.schedules.values())

    def _place_of(self, wsdl: str) -> str | os.PathLike[str]:
        """A shipped contract by its name, a URL, or a file beside the settings."""
        folder = self.settings.file.parent if self.settings.file is not None else None
        shipped = shipped_contracts("erp") | shipped_contracts("crm")
        if wsdl in shipped:
            return shipped[wsdl]
        return wsdl if "://" in wsdl or folder is None else folder / wsdl

    def _load(self, wsdl: str | os.PathLike[str]) -> Contract:
        options = self.settings.contracts
        return contracts.load(wsdl, catalog=options.catalog or None, remote=options.remote, cache=self.cache)

    def check(self, *, complete: bool = True) -> None:
        """Everything that can be known before the first request, all at once.

        Args:
            complete: operations that cannot be answered are mistakes too. Without it, only a service none of
                whose operations can be: a vendor's contract may be larger than what is needed of it.

        Raises:
            SettingsError: with every mistake: schemas that do not compile, operations without a handler or that
                cannot be hosted, partners that cannot be called, a store that cannot be used.
        """
        mistakes = checks.mistakes(self, complete=complete)
        if mistakes:
            count = "One mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            lines = "".join(f"\n- {mistake}" for mistake in mistakes)
            raise SettingsError(f"{count}:{lines}", mistakes=mistakes)

    def unanswered(self) -> list[str]:
        """What is wrong with each operation that gets a Server fault: it cannot be hosted, or has no handler."""
        return [reason for service in self.services.values() for reason in checks.unanswered(service)]

    def inbound(self, service: Service, *, observers: Sequence[Observer] = ()) -> Inbound:
        """The stages of one service, with this bridge's settings and store; `observers` see each exchange's end."""
        return Inbound(service, self.settings, self.store, observers=observers, gatekeeper=self.gatekeeper)

    def wsgi(self) -> WsgiApplication:
        """All services as one WSGI application, for any WSGI server. What was bound until now is served.

        Raises:
            ContractError: a contract's schemas do not compile at all.
            StoreError: the store cannot be used.
        """
        from bridge.host.root import Root

        return Root(self)


def _require_no_security_headers(settings: Settings) -> None:
    """A message that may be taken once is remembered in the store; without one no Security header is read."""
    asking = [
        f"callers.{name} has to send a Security header, and a bridge without a store reads none: give it one"
        for name, caller in settings.callers.items()
        if caller.requires or caller.requires_for or caller.signed_headers or caller.signed_replies
    ]
    if asking:
        raise SettingsError.of(asking)
