"""Producers: they put documents in, numbered per key, and keep a receipt of each, synced before the next one.

Each has its own stream in every key that it is given, and goes on in a key only when the last document there is answered for
certain: what got no answer is repeated with the same id. One that was killed reads its receipts and goes on behind them; what
was accepted without a receipt is repeated then.

    python -m tests.crash.producer --stream s1 --receipts FILE --documents 300 --budget FILE --port 8080

sends SOAP requests over HTTP; `tests.crash.script` uses the same to write through `bridge.transaction()`.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lxml import etree

from tests.crash import documents
from tests.crash.control import Number
from tests.crash.documents import HOT, NAMESPACE, Document, Log, Receipt, read

KEYS = tuple(f"key-{number:02}" for number in range(20))
HOT_SHARE = 0.2
UNDO_SHARE = 0.05
"""How many documents are put and rolled back."""

THREADS = 4


class Unanswered(Exception):
    """Nobody knows whether it was accepted: it has to be repeated."""


Put = Callable[[Document], tuple[str, bool]]
"""Put one document; the entry's id and whether it was rolled back on demand. Raises Unanswered."""


def plan(stream: str, count: int, seed: int) -> list[Document]:
    """The documents of a stream, the same for the same seed: numbered per key, every key about as often, the hot one more."""
    chance = random.Random(f"{seed}/{stream}")
    numbers: dict[str, int] = {}
    planned = []
    for _ in range(count):
        key = HOT if chance.random() < HOT_SHARE else chance.choice(KEYS)
        undo = chance.random() < UNDO_SHARE
        number = numbers[key] = numbers.get(key, 0) + 1
        planned.append(Document(f"{stream}-{key}-{number}", key, stream, number, undo))
    return planned


class Producer:
    """Works through a plan with several threads, each key on one of them.

    Args:
        budget: how many documents of the whole plan may have been begun; the kit raises it as it kills.
    """

    def __init__(self, planned: Sequence[Document], receipts: Path, budget: Number, put: Put) -> None:
        done = {receipt.document for receipt in read(receipts, Receipt)}
        self._log = Log(receipts)
        self._budget = budget
        self._put = put
        self._rank = {document.id: rank for rank, document in enumerate(planned)}
        self._left = [document for document in planned if document.id not in done]

    def run(self) -> None:
        lanes: list[list[Document]] = [[] for _ in range(THREADS)]
        lane_of: dict[str, int] = {}
        for document in self._left:
            lanes[lane_of.setdefault(document.key, len(lane_of) % THREADS)].append(document)
        with ThreadPoolExecutor(THREADS) as pool:
            for work in [pool.submit(self._lane, lane) for lane in lanes]:
                work.result()

    def _lane(self, lane: Sequence[Document]) -> None:
        for document in lane:
            while self._budget.value <= self._rank[document.id]:
                time.sleep(0.02)
            entry, undone = self._until_answered(document)
            self._log.write(
                Receipt(document.id, document.key, document.stream, document.number, entry, undone)
            )

    def _until_answered(self, document: Document) -> tuple[str, bool]:
        wait = 0.02
        while True:
            try:
                return self._put(document)
            except Unanswered:
                time.sleep(wait)
                wait = min(2 * wait, 0.5)


class OverHttp:
    """Puts documents by SOAP; a connection for each thread. `ports`: of several hosts, the next one where one fails."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._own = threading.local()

    def __call__(self, document: Document) -> tuple[str, bool]:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            turn = self._own.turn = getattr(self._own, "turn", random.randrange(len(self._ports))) + 1
            port = self._ports[turn % len(self._ports)]
            connection = self._own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            return self._ask(connection, document)
        except (OSError, http.client.HTTPException) as error:
            self._give_up(connection)
            raise Unanswered(str(error)) from error
        except Unanswered:
            self._give_up(connection)
            raise

    def _give_up(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._own.connection = None

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, document: Document) -> tuple[str, bool]:
        head = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{documents.ACTION}"'}
        connection.request("POST", "/services/documents", documents.request(document), head)
        reply = connection.getresponse()
        body = reply.read()
        if reply.status == 503:
            raise Unanswered("told to come back")
        answer = documents.parsed(body)
        if answer.tag == f"{{{NAMESPACE}}}PutResponse":
            return answer[0].text or "", False
        if answer.find(f"detail/{{{NAMESPACE}}}Undone") is not None:
            return "", True
        if answer.findtext("faultcode", "").endswith(
            ":Server"
        ):  # its store is gone, or full: nothing was kept
            raise Unanswered(answer.findtext("faultstring", ""))
        raise SystemExit(f"{document.id} was refused: {etree.tostring(answer).decode()}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What both kinds of producer are told."""
    parser.add_argument("--stream", required=True)
    parser.add_argument("--receipts", type=Path, required=True)
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=Path, required=True)


def produce(given: argparse.Namespace, put: Put) -> None:
    planned = plan(given.stream, given.documents, given.seed)
    Producer(planned, given.receipts, Number(given.budget), put).run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.producer")
    add_arguments(parser)
    parser.add_argument("--port", type=int, action="append", required=True)
    given = parser.parse_args()
    produce(given, OverHttp(given.port))


if __name__ == "__main__":
    sys.exit(main())
