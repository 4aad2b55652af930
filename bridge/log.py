"""Logs as data: one event, its fields, the exchange's id. Secrets are masked, payloads never written.

    log = structlog.get_logger(__name__)
    log.info("request refused", contract="purchasing", status=413)

Loggers of libraries (Spyne, zeep, SQLAlchemy, uvicorn) go the same way, so that a log has one format.

An exception's text may quote what a message held (`KeyError: 'ACME-17'`, a driver's "Key (sku)=(…) already exists"). So
where the log is kept, of an exception only its kind and the places in the code are written; whoever sits at a terminal sees it
whole (`log.exceptions`). The journal has the whole in any case.

All goes to standard error and nothing here opens a file: keeping and rotating logs is the platform's. A standard error
that is closed, or whose reader has gone, loses lines and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TextIO

import structlog

from bridge.errors import ContractError, SettingsError, StoreError
from bridge.settings import Log

_SECRET_FIELD = re.compile(
    r"pass(word|wd)?$|secret|token|authorization|cookie|api_?key|credential", re.IGNORECASE
)
_PAYLOAD_FIELD = re.compile(r"^(payload|body|envelope|document|xml)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]*@")
_FRAMES = 12
"""Calls shown of an exception, those nearest to where it was raised."""
_LONGEST = 2_000
"""Characters of one text field; what is longer is cut, saying so: a log line is not a place for documents."""

# Below warning these write whole messages, every statement, or what our own events say already.
_TALKATIVE = ("spyne", "zeep", "urllib3", "sqlalchemy", "alembic", "uvicorn")


def configure(settings: Log, stream: TextIO | None = None) -> None:
    """Send every event to `stream` (standard error unless given) in the form and from the level of `settings`."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    people = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    whole = settings.exceptions == "whole" or (settings.exceptions == "auto" and people)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Traces become text before masking: an exception's message may quote a URL with its password.
    last: list[structlog.typing.Processor] = (
        [mask, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if people
        else [mask, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=("exchange",)), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info
                if whole
                else structlog.processors.ExceptionRenderer(places),
                *last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    global _json
    _json = None if people else handler


_json: logging.StreamHandler[TextIO] | None = None


def write_line(make: Callable[[], str]) -> bool:
    """Writes one JSON object with its line's end past structlog and logging, which take ten times as long.

    The caller answers for what is in it: nothing is masked. False, and nothing is made, where the log is for people or
    was not configured by us.
    """
    handler = _json
    if handler is None or handler not in logging.getLogger().handlers:
        return False
    line = make()
    with handler.lock, contextlib.suppress(OSError, ValueError):  # type: ignore[union-attr] # closed, or nobody reads
        handler.stream.write(line)
        handler.stream.flush()
    return True


_OUR_WORDS = (SettingsError, ContractError, StoreError)
"""Errors whose texts are ours and about files and databases, never about a message."""


def places(exc_info: Any) -> str:
    """An exception and its causes: kinds, and where in the code, innermost last; no values."""
    error: BaseException | None = exc_info[1]
    blocks, seen = [], set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = type(error)
        text = f": {error}" if isinstance(error, _OUR_WORDS) else ""
        lines = [
            f"  {frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
        ]
        blocks.append("\n".join([f"{kind.__module__}.{kind.__qualname__}{text}", *lines]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "Traceback, without the words:\n" + "\ncaused by ".join(blocks)


@contextlib.contextmanager
def exchange_bound(exchange_id: str) -> Iterator[None]:
    """Every event logged inside carries this exchange's id, from any module, in this thread."""
    with structlog.contextvars.bound_contextvars(exchange=exchange_id):
        yield


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hides secrets by field name and in URLs, replaces payloads by their size."""
    for name, value in event.items():
        if _SECRET_FIELD.search(name):
            event[name] = "***"
        elif isinstance(value, bytes) or _PAYLOAD_FIELD.match(name):
            size = len(value) if isinstance(value, bytes | str) else None
            event[name] = (
                "(not logged; see the journal)" if size is None else f"({size} not logged; see the journal)"
            )
        elif isinstance(value, str):
            text = _URL_PASSWORD.sub(r"\1***@", value)
            event[name] = (
                text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text) - _LONGEST} more)"
            )
    return event
