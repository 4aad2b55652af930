"""The cache in files: shared by processes, bounded, and believed only where nobody else could have written."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bridge.app import Bridge
from bridge.contract import Contract, load
from bridge.contract.loaded import SavedBundle
from bridge.errors import ContractError
from bridge.settings import Contracts, Data, Settings
from bridge.store.cache import FileCache

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
ONE, TWO, THREE = (hashlib.sha256(name.encode()).hexdigest() for name in ("one", "two", "three"))


def from_cache(contract: Contract) -> bool:
    return isinstance(contract.bundle, SavedBundle)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "cache"


def test_what_is_put_is_got_by_another_process_too(folder: Path) -> None:
    FileCache(folder).put(ONE, b"first")
    FileCache(folder).put(ONE, b"second")
    assert (FileCache(folder).get(ONE), FileCache(folder).get(TWO)) == (b"second", None)


def test_nobody_else_may_read_or_write_there(folder: Path) -> None:
    FileCache(folder).put(ONE, b"x")
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / ONE)] == [
        0o700,
        0o700,
        0o600,
    ]


@pytest.mark.parametrize(
    "damage", [b"", b"soapbridge", b"soapbridge cache 1\n" + bytes(32) + b"value", b"value"]
)
def test_a_damaged_file_counts_as_absent_and_is_replaced(folder: Path, damage: bytes) -> None:
    cache = FileCache(folder)
    cache.put(ONE, b"value")
    (folder / ONE).write_bytes(damage)
    assert cache.get(ONE) is None
    cache.put(ONE, b"value")
    assert cache.get(ONE) == b"value"


def test_one_changed_byte_is_damage(folder: Path) -> None:
    cache = FileCache(folder)
    cache.put(ONE, b"value")
    whole = (folder / ONE).read_bytes()
    for position in range(len(whole)):
        (folder / ONE).write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert cache.get(ONE) is None


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")
@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_others_may_have_written_is_not_read(folder: Path, which: str) -> None:
    cache = FileCache(folder)
    cache.put(ONE, b"value")
    place = folder if which == "folder" else folder / ONE
    place.chmod(place.stat().st_mode | 0o020)
    assert cache.get(ONE) is None
    cache.put(TWO, b"value")
    assert (folder / TWO).exists() == (which == "file")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_read(folder: Path) -> None:
    cache = FileCache(folder)
    cache.put(ONE, b"value")
    os.chown(folder / ONE, 12345, 12345)
    assert cache.get(ONE) is None


def test_those_unused_the_longest_go_when_it_is_full(folder: Path) -> None:
    cache = FileCache(folder, most=1000)
    for age, key in ((300, ONE), (200, TWO)):
        cache.put(key, bytes(400))
        status = (folder / key).stat()
        os.utime(folder / key, (status.st_atime - age, status.st_mtime - age))
    assert cache.get(ONE) is not None  # used just now
    cache.put(THREE, bytes(400))
    assert [cache.get(key) is not None for key in (ONE, TWO, THREE)] == [True, False, True]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 1000


def test_what_is_larger_than_the_whole_cache_is_not_kept_and_drives_nothing_out(folder: Path) -> None:
    cache = FileCache(folder, most=1000)
    cache.put(ONE, bytes(400))
    cache.put(TWO, bytes(1000))
    assert [cache.get(key) is not None for key in (ONE, TWO)] == [True, False]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FileCache(tmp_path / "file" / "cache")
    cache.put(ONE, b"value")
    assert cache.get(ONE) is None


def test_a_key_is_never_a_path(folder: Path) -> None:
    with pytest.raises(ValueError, match="digest"):
        FileCache(folder).get("../../etc/passwd")


# -- contracts ---------------------------------------------------------------------------------------------------------


def test_the_bridge_keeps_contracts_in_its_data_folder_unless_told_not_to(tmp_path: Path) -> None:
    answers = []
    for cached in (False, True, True):
        settings = Settings(data=Data(folder=tmp_path / "data"), contracts=Contracts(cache=cached))
        contract = Bridge(settings).serve(CONTRACTS / "import.wsdl").contract
        contract.compile()
        answers.append((from_cache(contract), (tmp_path / "data" / "cache").exists()))
    assert answers == [(False, False), (False, True), (True, True)]


def test_a_bridge_without_a_store_writes_nothing(tmp_path: Path) -> None:
    settings = Settings(data=Data(folder=tmp_path / "data"))
    Bridge(settings, store=False).serve(CONTRACTS / "import.wsdl").contract.compile()
    assert list(tmp_path.iterdir()) == []


_LOADS = """
import sys
from pathlib import Path
from bridge.contract import load
from bridge.store.cache import FileCache
for _ in range(8):
    for wsdl in sys.argv[2:]:
        contract = load(wsdl, cache=FileCache(Path(sys.argv[1])))
        contract.compile()
        assert contract.problems == () and contract.operations, wsdl
print("well")
"""


def test_processes_that_fill_one_cache_at_once_all_have_whole_contracts(folder: Path, tmp_path: Path) -> None:
    contracts = shutil.copytree(CONTRACTS, tmp_path / "contracts")
    files = [contracts / name for name in ("import.wsdl", "chameleon.wsdl", "rpc-literal.wsdl")]
    party = contracts / "schemas" / "party.xsd"
    command = [sys.executable, "-c", _LOADS, folder, *files]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    while any(process.poll() is None for process in running):
        for path in folder.glob("*") if folder.exists() else ():
            path.unlink(missing_ok=True)  # as if each found the others' files gone, again and again
        (tmp_path / "new").write_bytes(party.read_bytes() + b"\n")
        (tmp_path / "new").replace(party)
        time.sleep(0.01)
    assert [process.communicate()[0].strip() for process in running] == ["well"] * 3
    assert [process.returncode for process in running] == [0, 0, 0]
    assert list(folder.glob("new-*")) == []


# -- documents of the network -----------------------------------------------------------------------------------------


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing on the terminal."""


@pytest.fixture
def net(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    contracts = shutil.copytree(CONTRACTS, tmp_path / "net")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(contracts)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_was_fetched_once_is_there_when_the_net_is_not(net: ThreadingHTTPServer, folder: Path) -> None:
    url = f"http://127.0.0.1:{net.server_port}/import.wsdl"
    first = load(url, remote=True, cache=FileCache(folder))
    net.shutdown()
    net.server_close()
    again = load(
        url, remote=True, cache=FileCache(folder)
    )  # not compiled before: read anew, from kept documents
    again.compile()
    third = load(url, remote=True, cache=FileCache(folder))
    assert [from_cache(contract) for contract in (first, again, third)] == [False, False, True]
    assert list(third.documents.items()) == list(first.documents.items())
    assert third.problems == ()
    with pytest.raises(ContractError, match="remote=True"):
        load(url, cache=FileCache(folder))


def test_what_could_not_be_fetched_is_asked_for_again(
    net: ThreadingHTTPServer, folder: Path, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{net.server_port}/broken/missing-file.wsdl"
    cache = FileCache(folder)
    contract = load(url, remote=True, cache=cache)
    contract.compile()
    missing = next(problem.message for problem in contract.problems if "404" in problem.message)
    name = missing.split("'")[1].rpartition("/")[2]
    (tmp_path / "net" / "broken" / name).write_text('<schema xmlns="http://www.w3.org/2001/XMLSchema"/>')
    contract = load(url, remote=True, cache=cache)
    assert not any("404" in problem.message for problem in contract.problems)


def test_an_error_page_is_not_kept(net: ThreadingHTTPServer, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "net" / "import.wsdl"
    good = page.read_bytes()
    url = f"http://127.0.0.1:{net.server_port}/import.wsdl"
    page.write_text("<html><p>Try again later")
    with pytest.raises(ContractError):
        load(url, remote=True, cache=FileCache(folder))
    page.write_bytes(good)
    assert load(url, remote=True, cache=FileCache(folder)).operations
