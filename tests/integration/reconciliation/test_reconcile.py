from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.delivery.schedules import Scheduler
from bridge.errors import HandlerError, InDoubt, Refused, SettingsError, Unavailable
from bridge.reconciliation import report
from bridge.reconciliation.repair import NoProposal

if TYPE_CHECKING:
    from bridge.reconciliation.run import Ended

Sides = Any
Make = Callable[..., Any]


def run(both: Sides, name: str = "accounts") -> Ended:
    return both.bridge.reconciliations.run(name)  # type: ignore[no-any-return]


def found(both: Sides, ended: Ended) -> list[tuple[str, str, str]]:
    rows = both.bridge.reconciliations.differences(ended.run)
    return [(one.kind, one.record_key, one.cause) for one in rows]


def test_two_sides_with_the_same_records_are_the_same(sides: Make) -> None:
    both = sides()
    both.same("A", "B", "C")
    ended = run(both)
    assert (ended.outcome, ended.figures.source, ended.figures.target) == ("same", 3, 3)
    assert ended.figures.totals == (3, 3)
    assert ended.figures.sums == {"credit EUR": (Decimal("31.50"), Decimal("31.50"))}
    (row,) = both.bridge.reconciliations.runs()
    assert (row.outcome, row.figures["sums"]) == ("same", {"credit EUR": ["31.50", "31.50"]})


def test_each_difference_has_its_kind_and_cause(sides: Make) -> None:
    both = sides()
    both.same("A", "B", "C")
    both.crm.put("D")
    both.erp.put("E")
    both.crm.rows["B"]["name"] = "Another"
    ended = run(both)
    assert ended.outcome == "different"
    assert found(both, ended) == [
        ("fields", "B", "never sent"),
        ("missing", "D", "never sent"),
        ("extra", "E", "changed there"),
    ]
    (fields, *_) = both.bridge.reconciliations.differences(ended.run)
    assert fields.content["differing"] == [{"source": "name", "target": "name"}]
    assert fields.content["source"][0]["name"] == "Another"


def test_sums_that_differ_are_told_by_currency_even_where_no_record_does(sides: Make) -> None:
    both = sides(without="fields")
    both.same("A", "B")
    both.erp.rows["A"]["credit"] = Decimal("10.51")
    both.erp.rows["B"]["currency"] = "USD"
    ended = run(both)
    assert ended.outcome == "different"
    assert ended.figures.differing_sums == {
        "credit EUR": (Decimal("21.00"), Decimal("10.51")),
        "credit USD": (Decimal(0), Decimal("10.50")),
    }


def test_what_changes_while_it_is_read_is_no_difference(sides: Make) -> None:
    both = sides()
    both.same("A", "B")
    both.crm.rows["B"]["name"] = "Another"

    def catch_up() -> None:
        both.erp.rows["B"]["name"] = "Another"

    both.crm.before_fetch = catch_up
    ended = run(both)
    assert (ended.outcome, ended.figures.passing) == ("same", 1)


def test_what_was_changed_just_now_may_be_on_its_way(sides: Make) -> None:
    both = sides()
    both.crm.put("A", changed=datetime.now(UTC))
    ended = run(both)
    assert (ended.outcome, ended.figures.passing) == ("same", 1)
    both = sides("grace = 0")
    both.crm.put("A", changed=datetime.now(UTC))
    assert found(both, run(both)) == [("missing", "A", "never sent")]


def test_the_last_delivery_tells_the_cause_and_the_proof(sides: Make) -> None:
    both = sides()
    crm, erp = both.crm, both.erp
    for no in ("A", "B", "C"):
        crm.put(no)
    partner = both.bridge.any_partner("erp")
    erp.error = Refused("Name is taken.", status=422)
    with both.bridge.transaction():
        entry = partner.send("accounts.upsert", {"no": "A", "name": "Account A"}, ordering_key="A")
    both.deliver()
    erp.error = Unavailable("Later.")
    with both.bridge.transaction():
        partner.send("accounts.upsert", {"no": "B"}, ordering_key="B")
    both.deliver()
    ended = run(both)
    assert found(both, ended) == [("missing", "A", "refused"), ("missing", "C", "never sent")]
    assert ended.figures.passing == 1  # B waits to be tried again
    refused = both.bridge.reconciliations.differences(ended.run)[0]
    assert refused.delivery == entry.id
    assert both.bridge.store.journal.show(refused.content["exchange"]).fault_code == "Refused"
    assert "Name is taken" in refused.content["reason"]


def test_a_delivered_record_tells_which_side_was_changed_since(sides: Make) -> None:
    both = sides()
    for no in ("A", "B", "C", "D"):
        both.crm.put(no)
        with both.bridge.transaction():
            both.bridge.any_partner("erp").send("accounts.upsert", both.crm.rows[no], ordering_key=no)
    both.deliver()
    assert run(both).outcome == "same"
    later = datetime.now(UTC) + timedelta(hours=1)
    both.erp.rows["A"] |= {"name": "Theirs", "changed": later}
    both.crm.rows["B"] |= {"name": "Ours", "changed": later}
    both.erp.rows["C"] |= {"name": "Mapped otherwise"}
    del both.erp.rows["D"]
    assert found(both, run(both)) == [
        ("fields", "A", "changed there"),
        ("fields", "C", "mapping"),
        ("missing", "D", "changed there"),
    ]


def test_a_delivery_in_doubt_is_ended_by_what_the_target_has(sides: Make) -> None:
    both = sides()
    both.same("A")
    both.crm.put("B")
    both.erp.error = InDoubt("No answer.")
    for no in ("A", "B"):
        with both.bridge.transaction():
            both.bridge.any_partner("erp").send("accounts.upsert", both.crm.rows[no], ordering_key=no)
    both.deliver()
    states = {one.entry.ordering_key: one.entry.state for one in both.bridge.deliveries.list()}
    assert states == {"A": "in_doubt", "B": "in_doubt"}
    both.erp.error = None
    ended = run(both)
    assert ended.figures.settled == 2
    states = {one.entry.ordering_key: one.entry.state for one in both.bridge.deliveries.list()}
    assert states == {"A": "delivered", "B": "waiting"}
    both.deliver()
    assert both.erp.written == ["upsert B"]
    assert run(both).outcome == "same"
    assert {act.who for act in both.bridge.deliveries.acts()} == {"reconciliation accounts"}


def test_a_record_under_two_keys_is_a_duplicate_and_a_persons(sides: Make) -> None:
    both = sides('key = "no=other"')
    both.crm.put("A")
    both.erp.put("1", other="A", name="Account A")
    assert run(both).outcome == "same"
    both.erp.put("2", other="A")
    ended = run(both)
    assert found(both, ended) == [("duplicate", "A", "duplicate")]
    (one,) = both.bridge.reconciliations.differences(ended.run)
    assert [record["id"] for record in one.content["target"]] == ["1", "2"]
    with pytest.raises(NoProposal, match="Merge them"):
        both.bridge.reconciliations.proposal(one.id)


def test_a_record_that_nobody_gave_a_key_is_missing_over_there(sides: Make) -> None:
    both = sides('key = "other=no"')
    both.crm.put("1", other="A", name="Account A")
    both.crm.put("2", name="Account B")
    both.erp.put("A")
    ended = run(both)
    assert found(both, ended) == [("missing", "", "never sent")]
    (one,) = both.bridge.reconciliations.differences(ended.run)
    assert one.source_id == "2"


def test_a_key_may_be_a_whole_number(sides: Make) -> None:
    both = sides('key = "number=number"')
    both.crm.put("1", number=10, name="Account 7")
    both.erp.put("7", number=10)
    both.crm.put("2", number=9)
    both.erp.put("8", number=9, name="Other")
    assert found(both, run(both)) == [("fields", "9", "never sent")]


def test_ids_that_each_side_gives_its_own_are_no_difference_and_single_ones_are_looked_at_again(
    sides: Make,
) -> None:
    both = sides('key = "other=other"')
    for number in range(40):
        both.crm.put(f"c{number}", other=f"A{number:02}", name=f"Account {number}")
        both.erp.put(f"{99 - number}", other=f"A{number:02}", name=f"Account {number}")
    assert run(both).outcome == "same"
    both.erp.rows.pop("92")
    both.erp.rows["80"]["name"] = "Other"
    assert found(both, run(both)) == [
        ("missing", "A07", "never sent"),
        ("fields", "A19", "never sent"),
    ]
    both.erp.before_fetch = lambda: both.erp.rows["80"].update(name="Account 19")
    assert found(both, run(both)) == [("missing", "A07", "never sent")], "it was changed while we read"


def test_only_what_is_in_the_window_is_looked_at(sides: Make) -> None:
    both = sides('date = "day"\ndays = 7')
    both.crm.put("A", day=date(2020, 1, 1))
    both.crm.put("B", day=datetime.now(UTC).date())
    assert found(both, run(both)) == [("missing", "B", "never sent")]


def test_words_of_the_other_side_are_translated(sides: Make, tmp_path: Path) -> None:
    (tmp_path / "levels.csv").write_text("VIP,A\nnew,C\n", "utf-8")
    both = sides('fields = { level = "level" }\ntranslate = { level = "levels.csv" }', without="fields")
    both.crm.put("1", level="VIP")
    both.erp.put("1", level="A")
    both.crm.put("2", level="new")
    both.erp.put("2", level="A")
    assert found(both, run(both)) == [("fields", "2", "never sent")]


def test_a_repair_is_sent_as_the_source_is_now_and_written_down(sides: Make) -> None:
    both = sides()
    both.same("A")
    both.crm.put("B")
    both.crm.rows["A"]["name"] = "Another"
    ended = run(both)
    both.crm.rows["B"]["name"] = "As it is now"
    first, second = both.bridge.reconciliations.differences(ended.run)
    assert both.bridge.reconciliations.proposal(second.id).values["name"] == "As it is now"
    mended = both.bridge.reconciliations.repair_all(ended.run, who="mei", why="nightly")
    assert [one.done for one in mended] == [True, True]
    both.deliver()
    assert both.erp.rows["B"]["name"] == "As it is now"
    assert run(both).outcome == "same"
    (row, _) = both.bridge.reconciliations.differences(ended.run)
    assert (row.state, row.decided_by, row.decided_why, row.repair) == (
        "repaired",
        "mei",
        "nightly",
        mended[0].entry,
    )
    again = both.bridge.reconciliations.repair(first.id, who="mei", why="again")
    assert (again.done, again.says) == (False, "It was repaired already.")


def test_what_only_the_target_has_is_removed_only_where_the_rule_says_so(sides: Make) -> None:
    both = sides()
    both.erp.put("A")
    ended = run(both)
    (mended,) = both.bridge.reconciliations.repair_all(ended.run, who="mei", why="x")
    assert not mended.done
    assert "Only erp.accounts has it" in mended.says
    both = sides('delete = "accounts.delete"')
    both.erp.put("A")
    ended = run(both)
    assert both.bridge.reconciliations.repair_all(ended.run, who="mei", why="x")[0].done
    both.deliver()
    assert both.erp.rows == {}


def test_a_difference_may_be_left_as_it_is(sides: Make) -> None:
    both = sides()
    both.crm.put("A")
    ended = run(both)
    (one,) = both.bridge.reconciliations.differences(ended.run)
    assert both.bridge.reconciliations.dismiss(one.id, who="mei", why="closed account").done
    assert not both.bridge.reconciliations.dismiss(one.id, who="mei", why="again").done
    assert both.bridge.reconciliations.repair_all(ended.run, who="mei", why="x") == []
    assert both.erp.written == []
    with pytest.raises(HandlerError, match="who does this"):
        both.bridge.reconciliations.dismiss(one.id, who="", why="")


def test_more_differences_than_are_kept_are_counted(sides: Make) -> None:
    both = sides("most = 3")
    for number in range(250):
        both.crm.put(f"{number:03}")
    ended = run(both)
    assert (ended.figures.found, ended.figures.unkept) == (250, 247)
    assert len(both.bridge.reconciliations.differences(ended.run)) == 3


def test_a_side_that_cannot_be_read_fails_the_run_and_is_written_down(sides: Make) -> None:
    both = sides()
    both.same("A")

    def fail(*_: object) -> object:
        raise Unavailable("The CRM is being updated.")

    both.crm.totals = fail
    with pytest.raises(Unavailable):
        run(both)
    (row,) = both.bridge.reconciliations.runs()
    assert row.outcome == "failed"
    assert "being updated" in row.reason


@pytest.mark.parametrize(
    ("more", "without", "told"),
    [
        ('source = "crm.account"', "source", r"reconcile\.accounts\.source names crm\.account; the partner crm has accounts"),
        ('source = "crm"', "source", "names a partner and its entity"),
        ('source = "csm.accounts"', "source", "csm"),
        ('fields = { nam = "name" }', "fields", "fields names 'nam'; accounts has no, other"),
        ('key = "no=nr"', "", "key names 'nr'"),
        ('operation = "accounts.merge"', "operation", r"'accounts\.merge' is no operation of erp; there are accounts\.create"),
        ("days = 7", "", "days needs `date`"),
        ('tolerance = { credit = "little" }', "", "tolerance of credit is an amount like 0.01, not 'little'"),
        ('tolerance = { level = "1" }', "", "tolerance speaks of level, which `fields` does not compare"),
        ('translate = { name = "none.csv" }', "", r"translate of name: .*none\.csv cannot be read"),
        ('cron = "every day"', "", r"reconcile\.accounts\.cron: "),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_run_is_found_by_check(sides: Make, more: str, without: str, told: str) -> None:
    both = sides(more, without=without)
    with pytest.raises(SettingsError, match=told):
        both.bridge.check()


def test_a_rule_runs_by_the_clock_and_writes_its_report(sides: Make, tmp_path: Path) -> None:
    both = sides('cron = "30 2 * * *"\nreport = "reports"')
    both.same("A")
    both.crm.put("B", name="=1+1 <b>")
    bridge = both.bridge
    bridge.check()
    scheduler = Scheduler(bridge.store, bridge.all_schedules(), owner="test")
    ended = scheduler.run_by_hand("reconcile accounts", who="mei", why="test")
    assert ended.outcome == "done"
    page, sheet = sorted((tmp_path / "reports").iterdir(), reverse=True)
    text = page.read_text("utf-8")
    assert "1 record differs" in text
    assert "crm.accounts → erp.accounts" in text
    assert "<b>" not in text
    (heading, row) = csv.reader(io.StringIO(sheet.read_text("utf-8-sig")))
    assert dict(zip(heading, row, strict=True))["cause"] == "never sent"


def test_a_value_is_no_formula_in_a_spreadsheet(sides: Make) -> None:
    both = sides()
    both.same("A")
    both.crm.rows["A"]["name"] = "=cmd|x"
    both.crm.rows["A"]["credit"] = Decimal("-5")
    ended = run(both)
    file = io.StringIO()
    report.write_csv(
        file,
        both.bridge.reconciliations.run_of(ended.run),
        both.bridge.reconciliations.all_differences(ended.run),
    )
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [row["source value"] for row in rows] == ["'=cmd|x", "-5"]


def test_a_rule_takes_from_its_flow_what_it_does_not_say(sides: Make) -> None:
    flow = '[flows.move]\nsource = "crm.accounts"\ntarget = "erp"\noperation = "accounts.upsert"\ntrigger = "request"\n[reconcile.moved]\nflow = "move"'
    both = sides(flow)
    both.crm.put("A")
    ended = run(both, "moved")
    assert found(both, ended) == [("missing", "A", "never sent")]
    both.bridge.flows.run("move")
    assert run(both, "moved").figures.passing == 1  # on its way, by the flow's own ordering key
    both.deliver()
    assert run(both, "moved").outcome == "same"
    both = sides(flow.replace('flow = "move"', 'flow = "mov"'))
    with pytest.raises(SettingsError, match=r"reconcile\.moved\.flow: there is no flow mov; there are move"):
        run(both, "moved")
