"""The second kind of producer: a script that writes its own rows and sends, in one `bridge.transaction()`.

Which document is in is told by the script's own table: its row is there exactly when the entry is. Run by `tests.crash.entry`.
"""

from __future__ import annotations

import argparse
import logging

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import BridgeError
from bridge.store.tables import outbox
from tests.crash import producer
from tests.crash.documents import Document
from tests.crash.producer import Unanswered
from tests.crash.service import bridge, keep_and_send
from tests.crash.table import document


class ChangedItsMind(Exception):
    """Ends a transaction without a commit."""


def put(one: Document) -> tuple[str, bool]:
    try:
        with bridge.transaction() as transaction:
            session = transaction.session
            if session.scalar(select(document.c.id).where(document.c.id == one.id)) is not None:
                return str(
                    session.scalar(select(outbox.c.entry_id).where(outbox.c.reference == one.id))
                ), False
            entry = keep_and_send(session, one)
            if one.undo:
                raise ChangedItsMind
        return entry, False
    except ChangedItsMind:
        return "", True
    except (BridgeError, SQLAlchemyError) as error:
        raise Unanswered(str(error)) from error


def main(words: list[str]) -> None:
    logging.disable()
    parser = argparse.ArgumentParser(prog="tests.crash.entry … -- script")
    producer.add_arguments(parser)
    producer.produce(parser.parse_args(words), put)
