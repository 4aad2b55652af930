"""What is entered: each exchange and act once, whoever did it and whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge, ids
from bridge.audit import chain, head
from bridge.audit.chain import Entry
from bridge.audit.keys import SigningKey, TrustedKeys
from bridge.audit.sweep import Sweep
from bridge.audit.trail import Trail
from bridge.errors import CommitInDoubt, SettingsError, StoreError
from bridge.settings import Audit, Data, Settings
from bridge.store import Store, by_hand
from bridge.store import audit as rows
from bridge.store.by_hand import NewAct
from tests.integration.audit.conftest import NOON, Verify, acted, journaled


def entries(store: Store, event: str = "") -> list[Entry]:
    with store.reading() as session:
        found = [Entry(*row) for row in rows.entries(session)]
    return [one for one in found if event in ("", one.event)]


def test_an_exchange_and_an_act_are_entered_without_their_content(store: Store, trail: Trail) -> None:
    exchange_id = journaled(store, request=b"a secret", fault_reason="a secret", reference="PO-7")
    acted(store, entry_id="e-1", partner="crm")
    trail.write()
    (exchange,), (act,) = entries(store, "exchange"), entries(store, "act")
    assert (exchange.who, exchange.subject, exchange.outcome) == ("crm", exchange_id, "accepted")
    assert exchange.details["operation"] == "CreatePurchaseOrder"
    assert (act.who, act.subject, act.details["verb"]) == ("mei", "e-1", "hold")
    assert "secret" not in "".join(str(one) for one in entries(store))


def test_what_is_rolled_back_is_not_entered(store: Store, trail: Trail) -> None:
    with pytest.raises(ZeroDivisionError):
        acted_and_failed(store)
    trail.note("something")
    assert entries(store, "act") == []


def acted_and_failed(store: Store) -> None:
    with store.transaction() as transaction:
        by_hand.record(transaction.session, NewAct(1, "mei", "why", "hold"))
        raise ZeroDivisionError


def test_the_thread_enters_what_was_committed(store: Store, trail: Trail) -> None:
    journaled(store)
    assert trail._thread is not None
    for _ in range(100):
        if entries(store, "exchange"):
            return
        threading.Event().wait(0.1)
    raise AssertionError("nothing was entered in ten seconds")


def test_a_store_that_is_closed_waits_for_the_thread_that_uses_it(
    store: Store, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def sweeping() -> None:
        with store.reading() as session:
            begun.set()
            ended.wait(0.5)
            rows.is_empty(session)

    monkeypatch.setattr("bridge.audit.trail.EVERY_SECONDS", 0.01)
    monkeypatch.setattr(trail, "_sweep", sweeping)
    trail._serves = True
    journaled(store)
    assert begun.wait(10)
    thread = trail._thread
    assert thread is not None
    store.close()
    assert not thread.is_alive(), "its connection would outlive those of the store"


def test_a_note_is_kept_on_return_where_a_process_does_not_serve(store: Store, trail: Trail) -> None:
    trail.note("credential_added", who="mei", subject="crm", outcome="done", about={"kind": "api_key"})
    (note,) = entries(store, "credential_added")
    assert (note.who, note.subject, note.outcome, note.details) == ("mei", "crm", "done", {"kind": "api_key"})


def test_a_closed_trail_says_so_and_what_comes_later_begins_another_chain(
    store: Store, trail: Trail, verify: Verify
) -> None:
    trail.note("one")
    trail.close()
    trail.note("two")
    chains = {one.chain: one.event for one in entries(store)}
    assert len(chains) == 2
    assert "stopped" in chains.values()
    assert verify().ok


def test_exchanges_are_entered_once_though_two_processes_find_them(
    store: Store, key: SigningKey, trail: Trail
) -> None:
    exchange_id = journaled(store)
    other = Trail(store, key, Audit())
    other.enter_found(exchange_id)
    other.write()
    trail.write()
    assert [one.subject for one in entries(store, "exchange")] == [exchange_id]
    store.listeners.remove(other._told)
    other.close()


@pytest.fixture
def dead(store: Store, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another process that has died: the id of an exchange that it journaled and did not enter."""
    monkeypatch.setattr(ids, "_process", "aaaaaaaaaa")
    other = Trail(store, key, Audit())
    other.note("something")
    exchange_id = journaled(store, request=b"left behind")
    killed(store, other)
    monkeypatch.undo()
    return exchange_id


def killed(store: Store, trail: Trail) -> None:
    """Nothing of it is written any more."""
    store.listeners.remove(trail._told)
    store.closing.remove(trail.close)
    trail._over.set()
    trail._queue.clear()
    trail._waiting.clear()
    trail._seq = 0


def test_what_a_dead_process_left_is_entered_and_marked(
    store: Store, dead: str, trail: Trail, verify: Verify
) -> None:
    assert [one.place for one in verify().findings] == [f"exchange {dead}"]
    assert Sweep(trail).look(grace=0) == 1
    trail.write()
    (found,) = entries(store, "exchange")
    assert (found.subject, found.details["swept"]) == (dead, True)
    report = verify()
    assert (report.findings, report.swept) == ([], 1)


def test_what_no_process_can_have_left_is_not_entered_but_named(
    store: Store, trail: Trail, verify: Verify
) -> None:
    trail.note("began")
    forged = [
        journaled(store, "0199aaaaaaaa-bbbbbbbbbb-7"),  # of a process that there never was
        journaled(store),  # of this one, which knows what it did
    ]
    trail._queue.clear()
    assert Sweep(trail).look(grace=0) == 0
    assert [(one.kind, one.place) for one in verify().findings] == [
        ("inserted", f"exchange {one}") for one in forged
    ]


def test_a_row_put_among_old_ones_in_the_name_of_a_dead_process_is_not_entered(
    store: Store, dead: str, trail: Trail, verify: Verify
) -> None:
    forged = "0199aaaaaaaa-aaaaaaaaaa-99"
    journaled(store, forged, received_at=NOON - timedelta(days=1))
    trail._queue.clear()
    assert Sweep(trail).look(grace=0) == 1
    trail.write()
    assert [one.place for one in verify().findings] == [f"exchange {forged}"]


def test_exchanges_from_before_the_trail_are_counted_and_not_missed(
    store: Store, key: SigningKey, verify: Verify
) -> None:
    journaled(store)
    acted(store)
    trail = Trail(store, key, Audit())
    trail.note("began")
    journaled(store)
    trail.write()
    report = verify()
    assert (report.findings, report.before, report.exchanges) == ([], 1, 1)
    trail.close()


def test_what_cannot_be_written_waits_and_is_entered_once(
    store: Store, trail: Trail, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_id = journaled(store)

    def fails(*_: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as away:
        away.setattr(store, "run", fails)
        with pytest.raises(StoreError):
            trail.write()
    journaled(store)
    trail.write()
    assert [one.event for one in entries(store)] == ["started", "exchange", "exchange"]
    assert entries(store)[1].subject == exchange_id
    assert verify().ok


def test_a_batch_whose_commit_was_in_doubt_is_not_entered_twice(
    store: Store, trail: Trail, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    journaled(store)
    run = store.run

    def breaks(work: Any) -> None:
        run(work)
        raise CommitInDoubt("the connection broke")

    with monkeypatch.context() as broken:
        broken.setattr(store, "run", breaks)
        with pytest.raises(CommitInDoubt):
            trail.write()
    trail.write()
    assert [one.event for one in entries(store)] == ["started", "exchange"]
    trail.note("later")
    assert verify().ok


def test_an_exchange_whose_commit_was_in_doubt_is_entered_where_the_journal_has_it(
    store: Store, trail: Trail
) -> None:
    there = journaled(store)
    record, _, at = trail._queue.pop()
    trail._told([record, record._replace(exchange_id="never kept")], True)
    trail.write()
    assert at
    assert [one.subject for one in entries(store, "exchange")] == [there]


def test_checkpoints_are_signed_at_first_then_now_and_then_and_kept_in_a_file(
    store: Store, key: SigningKey, tmp_path: Path, verify: Verify
) -> None:
    file = tmp_path / "checkpoints.jsonl"
    trail = Trail(store, key, Audit(checkpoints=file, checkpoint_every=3600))
    trail.note("one")
    trail.note("two")
    assert len(head.read(file)) == 1
    trail.close()
    kept = head.read(file)
    assert [one.id for one in kept] == [1, 2]
    report = verify(kept)
    assert (report.findings, report.kept_elsewhere, report.uncovered) == ([], 2, 0)
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_holds_something_else_is_no_file_of_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"id": 1}\n')
    with pytest.raises(SettingsError, match="file:1 is no checkpoint"):
        head.read(tmp_path / "file")


def test_a_checkpoint_on_demand_names_the_chains_of_others(store: Store, dead: str, trail: Trail) -> None:
    trail.note("one")
    trail.checkpoint()
    with store.reading() as session:
        named = chain.Checkpoint(*rows.last_checkpoint(session) or ()).named
        assert {name: seq for name, (seq, _) in named.items()} == rows.heads(session)
    assert len(named) == 2


def test_the_key_is_for_its_owner_and_is_not_made_twice(tmp_path: Path) -> None:
    first, second = SigningKey(tmp_path / "k" / "audit.key"), SigningKey(tmp_path / "k" / "audit.key")
    assert first.public == second.public
    assert first.file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in first.file.parent.iterdir()] == ["audit.key"]
    first.file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        SigningKey(first.file).sign(b"x")
    first.file.chmod(0o600)
    first.file.write_text("-----BEGIN NOTHING-----")
    with pytest.raises(SettingsError, match="no Ed25519 key"):
        SigningKey(first.file).sign(b"x")


def test_a_text_that_is_no_public_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="no public key"):
        TrustedKeys(["abc"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_has_a_chain_of_its_own(store_url: str, key: SigningKey) -> None:
    store = Store(store_url)
    trail = Trail(store, key, Audit())
    trail.note("parent")
    store._database.close()
    child = os.fork()
    if child == 0:
        try:
            trail.note("child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    events = [(one.chain == trail.name, one.event) for one in entries(store)]
    assert sorted(events) == [(False, "child"), (False, "started"), (True, "parent"), (True, "started")]
    store.close()


# -- through the bridge


def settings(tmp_path: Path, **sections: Any) -> Settings:
    return Settings(data=Data(folder=tmp_path / "data"), **sections)


def test_a_bridge_without_a_store_or_an_audit_takes_notes_and_keeps_none(tmp_path: Path) -> None:
    Bridge(store=False).audit.note("something")
    bridge = Bridge(settings(tmp_path, audit=Audit(enabled=False)))
    bridge.audit.note("something")
    bridge.audit.removing(["x"])
    assert bridge.store is not None
    assert bridge.store.listeners == []
    assert entries(bridge.store) == []
    bridge.store.close()


def test_settings_that_were_changed_are_entered_and_secrets_only_marked(tmp_path: Path) -> None:
    def served(text: str) -> None:
        (tmp_path / "bridge.toml").write_text(f'[data]\nfolder = "data"\n{text}')
        bridge = Bridge.load(tmp_path / "bridge.toml")
        bridge.audit.serve(bridge.settings)
        assert isinstance(bridge.audit, Trail)
        bridge.audit._turn()
        assert bridge.store is not None
        found[:] = [one.details for one in entries(bridge.store, "settings_changed")]
        bridge.store.close()

    found: list[dict[str, Any]] = []
    partner = '[partners.crm]\nwsdl = "events"\nendpoint = "http://crm.example/"\npassword = "%s"\nusername = "me"\n'
    served("[server]\nthreads = 9\n")
    served("[server]\nthreads = 9\n")
    assert len(found) == 1
    served("[server]\nthreads = 8\n" + partner % "first-secret")
    served("[server]\nthreads = 8\n" + partner % "other-secret")
    by_change = sorted(found, key=lambda one: len(one.get("changed", ())))
    assert [one.get("changed", [])[-1:] for one in by_change][1] == ["partners.crm.password"]
    assert by_change[2]["settings"]["server.threads"] == "8"
    assert "server.threads" in by_change[2]["changed"]
    assert "secret" not in json.dumps(found)
