"""Every error the bridge raises, in one tree.

    BridgeError
    ├── SettingsError              the operator's: a setting is missing, unknown or wrong
    ├── ContractError              the contract author's: a WSDL or schema cannot be used as it is
    │   └── OperationUnavailable   one operation of an otherwise usable contract
    ├── HandlerError               ours: a handler is missing, misnamed, or broke its promise
    │   └── CallInsideTransaction  ours: a handler calls another system after it began to write
    ├── DecodeError                the sender's: a value that the schema admits but the codec cannot carry
    ├── EncodeError                ours: values that do not fit the contract
    ├── MappingError               the sender's: a record that does not go through a mapping; `mistakes` lists why
    ├── InvalidMessage             a message breaks its contract; `violations` lists every breach
    │   ├── InvalidRequest         the sender's: correct the request, then repeat it
    │   └── InvalidReply           ours: nothing was stored; repeating is safe and will not help
    ├── Refusal                    the sender's: the request was refused before it was acted on
    ├── PartnerError               what became of a call to a partner, when it did not end well
    │   ├── NotSent                the partner's: no byte of the request left; safe to repeat
    │   ├── Unpresentable          ours: our own guard refused what was to be sent
    │   ├── Unavailable            the partner's: not taken now, or not at this address; safe to repeat later
    │   ├── Unauthorised           the operator's: the partner does not let us in
    │   ├── Refused                ours: the partner's verdict on the request, often a declared fault
    │   ├── InDoubt                the partner's: sent, and no answer that tells what became of it
    │   └── DeliveredUnreadable    the partner's: done, and the reply breaks the contract; never repeat
    ├── RequestInDoubt             ours: nobody knows whether an earlier, equal request was done
    └── StoreError                 the operator's: the store cannot be used as it is
        ├── StoreBusy              ours: nothing was stored, others were writing for too long
        └── CommitInDoubt          ours: the connection broke during a commit; ask before repeating

`whose` says who has to act, `repeat` whether the same request may be sent again unchanged without
doing anything twice, `advice` what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

if TYPE_CHECKING:
    from bridge.contract.explain import Violation
    from bridge.mapping.running import Mistake

Whose = Literal["sender", "ours", "operator", "contract", "partner"]
Repeat = Literal["safe", "useless", "unknown"]


class BridgeError(Exception):
    """Base of every error raised by the bridge: one `except` is enough."""

    whose: ClassVar[Whose] = "ours"
    repeat: ClassVar[Repeat] = "unknown"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip() if self.advice else self.message


class SettingsError(BridgeError):
    """A setting is missing, unknown, out of range or contradicts another one. `mistakes` has a line for each."""

    whose = "operator"
    repeat = "useless"

    def __init__(self, message: str, *, advice: str = "", mistakes: Sequence[str] = ()) -> None:
        super().__init__(message, advice=advice)
        self.mistakes = tuple(mistakes) or (str(self),)

    @classmethod
    def of(cls, mistakes: Sequence[str]) -> Self:
        """One error for all mistakes found, each written `place: what is wrong`."""
        count = "One mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = "".join(f"\n  {mistake}" for mistake in mistakes)
        return cls(f"{count} in the settings:{lines}", mistakes=mistakes)


class ContractError(BridgeError):
    """A WSDL or one of its schemas cannot be used as it is.

    `file` is the document as the user named it, `line` the line in it (1-based) where known.
    """

    whose = "contract"
    repeat = "useless"

    def __init__(self, message: str, *, file: str = "", line: int | None = None, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.file = file
        self.line = line

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {super().__str__()}" if place else super().__str__()


class OperationUnavailable(ContractError):
    """One operation cannot be served or called; the rest of its contract can."""


class HandlerError(BridgeError):
    """A handler is missing, bound to a name the contract does not have, or returned the wrong thing."""


class CallInsideTransaction(HandlerError):
    """A handler calls another system while its write transaction is open: everybody else would wait for that system."""

    repeat = "safe"


class DecodeError(BridgeError):
    """A value that the schema's validator admits and the codec cannot carry (libxml2 takes `1e` for a double)."""

    whose = "sender"
    repeat = "useless"

    def __init__(self, message: str, *, path: str = "", advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.path = path


class EncodeError(BridgeError):
    """Values given for a message do not fit the contract: wrong type, unknown field, missing choice."""

    repeat = "useless"

    def __init__(self, message: str, *, path: str = "", advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.path = path


class MappingError(BridgeError):
    """A record does not go through a mapping; nothing was made of it. `mistakes` is never empty.

    Each mistake has the target field, the record's fields, what was found, what was expected, what to do, and the rule's
    file and line.
    """

    whose = "sender"
    repeat = "useless"

    def __init__(self, message: str, *, mistakes: Sequence[Mistake], advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.mistakes = tuple(mistakes)


class InvalidMessage(BridgeError):
    """A message breaks its contract. `violations` is never empty; `truncated` tells that more were found."""

    repeat = "useless"

    def __init__(
        self, message: str, violations: Sequence[Violation], *, truncated: bool = False, advice: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.violations = tuple(violations)
        self.truncated = truncated


class InvalidRequest(InvalidMessage):
    """A request breaks the contract: the sender corrects it, then repeats it."""

    whose = "sender"


class InvalidReply(InvalidMessage):
    """A reply of ours breaks the contract: it never leaves and nothing of the exchange is committed."""

    whose = "ours"


RefusalCode = Literal["Client", "Server", "MustUnderstand", "VersionMismatch", "DataEncodingUnknown"]


class Refusal(BridgeError):
    """A request refused before it was acted on; becomes a Fault with this code and HTTP status.

    `code` is SOAP 1.1's word (Client, Server …); a SOAP 1.2 Fault says Sender and Receiver.
    `status` overrides the HTTP status that the SOAP version prescribes (413, 415, 405 …).
    `headers` are HTTP headers the answer must carry (`Allow`), `not_understood` the Clark names of
    the header blocks a MustUnderstand fault reports.
    `subcodes` are Clark names from the general to the special one (SOAP 1.2 nests them, 1.1 sends the last).
    `translations` holds message and advice in further languages, by BCP 47 tag.
    """

    whose = "sender"
    repeat = "useless"

    def __init__(
        self,
        message: str,
        *,
        code: RefusalCode = "Client",
        status: int | None = None,
        advice: str = "",
        subcodes: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
        not_understood: Sequence[str] = (),
        translations: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.code = code
        self.status = status
        self.subcodes = tuple(subcodes)
        self.headers = tuple(headers)
        self.not_understood = tuple(not_understood)
        self.translations = dict(translations or {})


class RequestInDoubt(BridgeError):
    """An earlier request with the same id called another system and ended without an answer.

    It is not done again before somebody has found out: `soapbridge duplicates show`.
    """


class StoreError(BridgeError):
    """The store cannot be used as it is: schema too old or too new, file not writable, wrong engine."""

    whose: ClassVar[Whose] = "operator"


class StoreBusy(StoreError):
    """Another writer held the store for longer than we wait; nothing was stored."""

    whose = "ours"
    repeat = "safe"


class CommitInDoubt(StoreError):
    """The connection to the database broke while a commit was on its way: it may have been done or not."""

    whose = "ours"
    repeat = "unknown"


@dataclass(frozen=True, slots=True)
class ReceivedFault:
    """A Fault as a partner sent it, each text of bounded length.

    `code` is the local name of its code (`Client`, `Sender`, `Server` …), `subcodes` are Clark names from the general
    to the special, `detail` is XML text.
    """

    code: str
    subcodes: tuple[str, ...]
    reason: str
    detail: str


class PartnerError(BridgeError):
    """What became of a call to a partner, when it did not end well; the subclass is the outcome.

    `partner` and `operation` were called, `exchange_id` finds the exchange in our journal and, where the partner keeps
    it, in theirs. `status` is the HTTP status where an answer came, `fault` the Fault where it carried one, `reply` its body where it
    is not SOAP, for the journal.
    """

    whose: ClassVar[Whose] = "partner"
    reply: bytes = b""

    def __init__(
        self,
        message: str,
        *,
        partner: str = "",
        operation: str = "",
        exchange_id: str = "",
        status: int | None = None,
        fault: ReceivedFault | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(message, advice=advice)
        self.fault = fault
        self.partner = partner
        self.operation = operation
        self.exchange_id = exchange_id
        self.status = status

    @property
    def outcome(self) -> str:
        """The outcome's name, as journal and logs show it: `InDoubt`."""
        return type(self).__name__

    @property
    def code(self) -> str:
        """The fault's code (`Client`, `Sender` …); "" where no Fault came. Likewise `reason` and `detail`."""
        return self.fault.code if self.fault else ""

    @property
    def reason(self) -> str:
        return self.fault.reason if self.fault else ""

    @property
    def detail(self) -> str:
        return self.fault.detail if self.fault else ""


class NotSent(PartnerError):
    """No byte of the request was written: no such host, nobody listens, no connection in time, TLS failed."""

    repeat = "safe"


class Unpresentable(PartnerError):
    """Our own guard or codec refused the request; nothing was sent. `violations` where the contract is broken."""

    whose = "ours"
    repeat = "useless"

    def __init__(self, message: str, *, violations: Sequence[Violation] = (), **about: Any) -> None:
        super().__init__(message, **about)
        self.violations = tuple(violations)


class Unavailable(PartnerError):
    """The partner did not take the request: busy (429, 503), or it is not served at this address (301, 404).

    `retry_after` is in seconds, where the partner said when to come back.
    """

    repeat = "safe"

    def __init__(self, message: str, *, retry_after: float | None = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.retry_after = retry_after


class Unauthorised(PartnerError):
    """The partner does not let us in (401, 403, client certificate); nothing was done. Stop until it is mended."""

    whose = "operator"
    repeat = "safe"


class Refused(PartnerError):
    """The partner's verdict: it will not do this. `name` is the declared fault, `value` its decoded detail.

    Without a declared fault `name` is "" and `value` None. `violations` are those of a declared fault whose detail
    breaks the contract.
    """

    whose = "ours"
    repeat = "useless"

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        value: Any = None,
        violations: Sequence[Violation] = (),
        **about: Any,
    ) -> None:
        super().__init__(message, **about)
        self.name = name
        self.value = value
        self.violations = tuple(violations)


class InDoubt(PartnerError):
    """Sent, and no answer that tells whether it was done. Repeat only where the partner knows the request by its id."""

    repeat = "unknown"


class DeliveredUnreadable(PartnerError):
    """The partner says that it was done, and its reply breaks the contract. `violations` lists how."""

    repeat = "useless"

    def __init__(self, message: str, *, violations: Sequence[Violation] = (), **about: Any) -> None:
        super().__init__(message, **about)
        self.violations = tuple(violations)
