"""Whatever is done to the tables by whoever has no key is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.audit import chain, head
from bridge.audit.chain import Checkpoint, Entry
from bridge.audit.erase import erase
from bridge.audit.keys import SigningKey, TrustedKeys
from bridge.audit.trail import Trail
from bridge.audit.verify import Report, Verification
from bridge.delivery import retention
from bridge.settings import Audit, Retention, Settings
from bridge.store import Store
from bridge.store import audit as rows
from bridge.store.tables import act, audit_checkpoint, audit_entry, journal
from tests.integration.audit.conftest import Verify, acted, journaled


@pytest.fixture
def filled(store: Store, trail: Trail) -> Trail:
    """Two chains, several batches and checkpoints, exchanges and acts."""
    fill(store, trail)
    return trail


def fill(store: Store, trail: Trail) -> None:
    for number in range(3):
        journaled(store, violations=[{"path": "/a", "found": "\0é"}], verdict="invalid_request")
        journaled(store, reply=None, direction="out", reference=f"PO-{number}")
        acted(store, at=1_700_000_000_000_000 + number, entry_id=f"e-{number}")
        trail.write(checkpoint=True)
    trail.close()
    trail.note("credential_added", who="mei", subject="crm")
    journaled(store)
    trail.close()


def found(report: Report) -> list[tuple[str, str]]:
    return [(one.kind, one.place) for one in report.findings]


def entry(store: Store, seq: int, chain_of: int = 0) -> Entry:
    with store.reading() as session:
        every = [Entry(*row) for row in rows.entries(session)]
    first = next(one.chain for one in every if one.event == "act")
    names = [first, *sorted({one.chain for one in every} - {first})]
    return next(one for one in every if (one.chain, one.seq) == (names[chain_of], seq))


def do(store: Store, *statements: Any) -> None:
    with store.transaction() as transaction:
        for statement in statements:
            transaction.session.execute(statement)


def at(one: Entry) -> Any:
    return (audit_entry.c.chain == one.chain) & (audit_entry.c.seq == one.seq)


def test_what_nobody_has_touched_is_found_whole(filled: Trail, verify: Verify) -> None:
    report = verify()
    assert report.ok
    assert (report.chains, report.exchanges, report.acts) == (2, 7, 3)
    assert (report.uncovered, report.young, report.before) == (0, 0, 0)


def test_a_changed_entry_is_named(store: Store, filled: Trail, verify: Verify) -> None:
    one = entry(store, 3)
    do(store, update(audit_entry).where(at(one)).values(outcome="accepted!"))
    assert found(verify()) == [("changed", f"entry {one.chain}/3")]


def test_an_entry_changed_with_all_its_hashes_is_not_signed_for(
    store: Store, filled: Trail, verify: Verify
) -> None:
    first = entry(store, 1)
    with store.reading() as session:
        every = [Entry(*row) for row in rows.entries(session) if row[0] == first.chain]
    previous, made = chain.BEGIN, []
    for one in every:
        who = "somebody" if one.seq == 3 else one.who
        digest = chain.digest(one.salt or b"", who, one.subject, one.outcome, one.about)
        sealed = one.signature is not None
        previous = chain.entry_hash(
            one.chain, one.seq, one.at, one.event, sealed=sealed, digest=digest, previous=previous
        )
        made.append(one._replace(who=who, digest=digest, hash=previous))
    do(store, delete(audit_entry).where(audit_entry.c.chain == first.chain))
    do(store, *(insert(audit_entry).values(**one._asdict()) for one in made))
    places = [place for _, place in found(verify())]
    assert f"entry {first.chain}/4" in places  # the end of the batch that holds entry 3
    assert {kind for kind, _ in found(verify())} <= {"untrusted", "changed", "inserted"}


def test_a_removed_entry_is_named(store: Store, filled: Trail, verify: Verify) -> None:
    one = entry(store, 3)
    do(store, delete(audit_entry).where(at(one)))
    assert ("removed", f"entry {one.chain}/3") in found(verify())


def test_entries_that_changed_places_are_named(store: Store, filled: Trail, verify: Verify) -> None:
    one, other = entry(store, 2), entry(store, 3)
    do(
        store,
        update(audit_entry).where(at(one)).values(seq=99),
        update(audit_entry).where(at(other)).values(seq=2),
        update(audit_entry).where(at(one._replace(seq=99))).values(seq=3),
    )
    assert {("reordered", f"entry {one.chain}/2"), ("reordered", f"entry {one.chain}/3")} <= set(
        found(verify())
    )


def test_an_entry_put_at_the_end_is_not_signed_for(store: Store, filled: Trail, verify: Verify) -> None:
    with store.reading() as session:
        last = list(rows.entries(session))[-1]
    one = Entry(*last)
    digest = chain.digest(b"x", "mei", None, None, None)
    hash_ = chain.entry_hash(
        one.chain, one.seq + 1, one.at, "x", sealed=False, digest=digest, previous=bytes(one.hash)
    )
    forged = Entry(one.chain, one.seq + 1, one.at, "x", "mei", None, None, None, b"x", digest, hash_, None)
    do(store, insert(audit_entry).values(**forged._asdict()))
    assert found(verify()) == [("inserted", f"entry {one.chain}/{one.seq + 1}")]


def test_a_whole_chain_that_is_gone_is_named_by_its_checkpoints(
    store: Store, filled: Trail, verify: Verify
) -> None:
    one = entry(store, 1)
    do(store, delete(audit_entry).where(audit_entry.c.chain == one.chain))
    assert ("removed", f"chain {one.chain}") in found(verify())


def test_a_chain_that_another_key_has_signed_is_not_trusted(
    store: Store, filled: Trail, verify: Verify, tmp_path: Path
) -> None:
    stranger = Trail(store, SigningKey(tmp_path / "stranger.key"), Audit())
    stranger.note("credential_added", who="mei")
    stranger.close()
    kinds = {kind for kind, _ in found(verify())}
    assert "untrusted" in kinds
    ours = SigningKey(tmp_path / "audit.key").public
    assert verify(trusted=[ours, stranger.key.public]).ok


def test_a_checkpoint_that_was_changed_or_removed_is_named(
    store: Store, filled: Trail, verify: Verify
) -> None:
    do(store, update(audit_checkpoint).where(audit_checkpoint.c.id == 2).values(at=1))
    assert ("changed", "checkpoint 2") in found(verify())
    do(store, delete(audit_checkpoint).where(audit_checkpoint.c.id == 2))
    assert ("removed", "checkpoint 3") in found(verify())


def test_what_was_cut_off_at_the_end_is_found_with_a_checkpoint_kept_elsewhere(
    store: Store, filled: Trail, verify: Verify
) -> None:
    with store.reading() as session:
        kept = [Checkpoint(*row) for row in rows.checkpoints(session)]
        last = max((Entry(*row) for row in rows.entries(session)), key=lambda one: one.at)
    # All of the last chain, its exchange, and every checkpoint that names it: as if it had never been.
    with store.reading() as session:
        mine = [Entry(*row).subject for row in rows.entries(session) if row[0] == last.chain]
    naming = [one.id for one in kept if last.chain in one.named]
    do(
        store,
        delete(audit_entry).where(audit_entry.c.chain == last.chain),
        delete(audit_checkpoint).where(audit_checkpoint.c.id.in_(naming)),
        delete(journal).where(journal.c.exchange_id.in_([one for one in mine if one is not None])),
    )
    assert verify().ok, "nothing in the tables can tell"
    report = found(verify(kept))
    assert ("removed", f"chain {last.chain}") in report
    assert ("removed", f"checkpoint {naming[-1]}") in report


def test_a_checkpoint_kept_elsewhere_that_is_no_longer_the_same_is_named(
    store: Store, filled: Trail, verify: Verify, key: SigningKey
) -> None:
    with store.reading() as session:
        kept = [Checkpoint(*row) for row in rows.checkpoints(session)]
    forged = kept[-1]._replace(heads=kept[0].heads)
    assert ("changed", f"checkpoint {forged.id} of those kept elsewhere") in found(verify([forged]))
    signed = forged._replace(
        signature=key.sign(chain.checkpoint_body(*forged[:5])),
    )
    assert ("changed", f"checkpoint {forged.id}") in found(verify([signed]))
    assert head.as_line(signed)


@pytest.mark.parametrize(
    "change",
    [
        {"request": b"<other/>"},
        {"reply": None},
        {"verdict": "accepted"},
        {"partner": "erp"},
        {"received_at": 5},
        {"violations": "[]"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_of_the_journal_is_named(
    store: Store, filled: Trail, verify: Verify, change: dict[str, Any]
) -> None:
    with store.reading() as session:
        exchange_id = session.execute(select(journal.c.exchange_id).order_by(journal.c.id)).scalars().first()
    do(store, update(journal).where(journal.c.exchange_id == exchange_id).values(**change))
    assert found(verify()) == [("changed", f"exchange {exchange_id}")]


def test_a_removed_and_an_inserted_row_of_the_journal_are_named(
    store: Store, filled: Trail, verify: Verify
) -> None:
    with store.reading() as session:
        exchange_id = session.execute(select(journal.c.exchange_id).order_by(journal.c.id)).scalars().first()
    do(store, update(journal).where(journal.c.exchange_id == exchange_id).values(exchange_id="other"))
    assert found(verify()) == [("removed", f"exchange {exchange_id}"), ("inserted", "exchange other")]
    assert verify(grace=1e12).young == 1


def test_acts_that_were_changed_removed_or_inserted_are_named(
    store: Store, filled: Trail, verify: Verify
) -> None:
    with store.reading() as session:
        first, second, _ = session.execute(select(act.c.id).order_by(act.c.id)).scalars().all()
    do(store, update(act).where(act.c.id == first).values(why="another"))
    assert found(verify()) == [("changed", f"act {first}")]
    do(store, update(act).where(act.c.id == first).values(why="asked"), delete(act).where(act.c.id == second))
    assert [kind for kind, _ in found(verify())] == ["removed"]
    do(store, insert(act).values(at=1_700_000_000_000_001, who="x", why="y", verb="hold", entry_id="e-9"))
    assert sorted(kind for kind, _ in found(verify())) == ["inserted", "removed"]


# -- what may go


def test_what_retention_removes_has_its_tombstone(store: Store, trail: Trail, verify: Verify) -> None:
    old = journaled(store, received_at=datetime.now(UTC) - timedelta(days=90))
    new = journaled(store, received_at=datetime.now(UTC))
    trail.write()
    kept = Settings(retention=Retention(journal=30))
    assert retention.remove(store, kept, removing=trail.removing, pause=0)["journal"] == 1
    report = verify()
    assert (report.findings, report.removed, report.exchanges) == ([], 1, 1)
    do(store, delete(journal).where(journal.c.exchange_id == new))
    assert found(verify()) == [("removed", f"exchange {new}")]
    assert old != new


def test_nothing_is_removed_where_no_tombstone_can_be_written(store: Store, trail: Trail) -> None:
    journaled(store, received_at=datetime.now(UTC) - timedelta(days=90))

    def refuses(_: object) -> None:
        raise OSError

    with pytest.raises(OSError):
        retention.remove(store, Settings(retention=Retention(journal=30)), removing=refuses, pause=0)
    assert len(store.journal.list()) == 1


def test_an_erased_caller_is_gone_and_the_chains_are_whole(
    store: Store, trail: Trail, verify: Verify
) -> None:
    mine = journaled(store, partner="zhang", reference="PO-1")
    other = journaled(store, partner="crm")
    trail.note("login_refused", who="zhang", about={"remote": "10.0.0.9"})
    dry = erase(trail, "zhang", who="mei", why="asked", dry_run=True)
    assert verify().erased == 0
    assert erase(trail, "zhang", who="mei", why="asked to") == dry == (2, 1, 0)
    with store.reading() as session:
        every = [Entry(*row) for row in rows.entries(session)]
    assert not [one for one in every if "zhang" in json.dumps([str(field) for field in one])]
    assert [one.exchange_id for one in store.journal.list()] == [other]
    report = verify()
    assert (report.findings, report.erased, report.exchanges) == ([], 2, 1)
    (tombstone,) = (one for one in every if one.event == "erasure")
    assert (tombstone.who, tombstone.details["exchanges"]) == ("mei", [mine])


def test_what_was_erased_without_a_tombstone_is_named(store: Store, filled: Trail, verify: Verify) -> None:
    one = entry(store, 2)
    with store.transaction() as transaction:
        rows.erase(transaction.session, [(one.chain, 2)])
    assert ("changed", f"entry {one.chain}/2") in found(verify())


def test_an_erased_entry_that_is_filled_again_or_moved_in_time_is_named(
    store: Store, trail: Trail, verify: Verify
) -> None:
    journaled(store, partner="zhang")
    trail.write()
    erase(trail, "zhang", who="mei", why="asked")
    place = (audit_entry.c.chain == trail.name) & (audit_entry.c.seq == 2)
    for change in ({"who": "liu"}, {"at": 7}, {"event": "note"}, {"digest": bytes(32)}):
        with store.reading() as session:
            before = session.execute(select(audit_entry).where(place)).mappings().one()
        do(store, update(audit_entry).where(place).values(**change))
        assert ("changed", f"entry {trail.name}/2") in found(verify()), change
        do(store, update(audit_entry).where(place).values(**before))
    assert verify().ok


# -- any single change


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, TrustedKeys]]:
    """A filled store of which every test leaves what it found."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(f"sqlite:///{folder / 'bridge.sqlite'}")
    store.migrate()
    trail = Trail(store, SigningKey(folder / "audit.key"), Audit())
    fill(store, trail)
    journaled(store, partner="zhang")
    trail.write()
    erase(trail, "zhang", who="mei", why="asked")
    trail.close()
    yield store, TrustedKeys([trail.key.public])
    store.close()
    shutil.rmtree(folder)


TABLES = {"audit_entry": audit_entry, "audit_checkpoint": audit_checkpoint, "journal": journal, "act": act}
UNSEEN = {"journal.id", "act.id"}
"""The order in which rows were committed, which no entry tells."""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_single_change_is_found(whole: tuple[Store, TrustedKeys], data: st.DataObject) -> None:
    store, trusted = whole
    name = data.draw(st.sampled_from(sorted(TABLES)))
    table = TABLES[name]
    with store.reading() as session:
        every = [dict(row) for row in session.execute(select(table)).mappings()]
    row = data.draw(st.sampled_from(every))
    is_last = name == "audit_checkpoint" and row["id"] == max(one["id"] for one in every)
    place = [table.c[column.name] == row[column.name] for column in table.primary_key]
    deed = data.draw(st.sampled_from(["change", "remove", "swap"] if not is_last else ["change"]))
    columns = [column for column in table.columns if f"{name}.{column.name}" not in UNSEEN]
    column = data.draw(st.sampled_from(columns))
    if deed == "remove":
        statements: list[Any] = [delete(table).where(*place)]
    elif deed == "swap":
        other = data.draw(st.sampled_from([one for one in every if one is not row]))
        if other[column.name] == row[column.name]:
            return
        there = [table.c[key.name] == other[key.name] for key in table.primary_key]
        statements = [
            update(table).where(*place).values({column.name: other[column.name]}),
            update(table).where(*there).values({column.name: row[column.name]}),
        ]
    else:
        value = changed(data, row[column.name], nullable=bool(column.nullable), like=column.type.python_type)
        if value == row[column.name] or (
            column is journal.c.violations and reads_same(value, row["violations"])
        ):
            return
        statements = [update(table).where(*place).values({column.name: value})]
    transaction = store.transaction()
    try:
        for statement in statements:
            transaction.session.execute(statement)
        session = transaction.session
        report = within(Verification(store, trusted, grace=0), session)
    except IntegrityError:
        return  # the database itself does not take it
    finally:
        transaction.rollback()
    assert not report.ok, (name, deed, column.name, row)


def reads_same(value: str | None, other: str | None) -> bool:
    """Whether the journal shows the same violations: its digest is over what readers see."""
    try:
        return bool(json.loads(value or "[]") == json.loads(other or "[]"))
    except ValueError:
        return False


def within(verification: Verification, session: Any) -> Report:
    """Verifies what an open transaction sees."""
    from contextlib import nullcontext
    from unittest import mock

    with mock.patch.object(Store, "reading", return_value=nullcontext(session)):
        return verification.run()


def changed(data: st.DataObject, value: Any, *, nullable: bool, like: type) -> Any:
    if nullable and value is not None and data.draw(st.booleans()):
        return None
    if like is int:
        return data.draw(st.integers(min_value=0, max_value=2**40) | st.just((value or 0) + 1))
    if like is bytes:
        old = bytes(value or b"")
        flipped = bytes([old[0] ^ 1]) + old[1:] if old else b"\x00"
        return data.draw(st.sampled_from([flipped, old + b"\x00", old[:-1], b""]))
    old_text = value or ""
    return data.draw(st.sampled_from([f"{old_text} ", old_text[1:], old_text.upper(), "x", ""]))


def test_a_store_is_left_as_it_was_by_the_changes_above(whole: tuple[Store, TrustedKeys]) -> None:
    store, trusted = whole
    assert Verification(store, trusted, grace=0).run().ok
