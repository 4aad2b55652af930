"""Flows that go one way, on each store."""

from __future__ import annotations

import dataclasses
import time
from datetime import timedelta

import pytest

from bridge.errors import HandlerError, NotSent, Refused, SettingsError, Unauthorised
from bridge.store import flow_links as link_rows
from bridge.store import flows as rows
from tests.integration.sync.conftest import ACCOUNTS, MakeCompany
from tests.integration.sync.partners import BEGIN, Company


def test_records_go_over_once_and_again_when_they_are_changed(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North", level="A")
    company.crm.edit("accounts", "A-2", name="South", level="B")
    report = company.sync()
    assert report.counts == {"send": 2}
    assert company.erp.of("customers", "A-1") == {
        "code": "A-1",
        "title": "North",
        "grade": "1",
    }
    assert company.sync().counts == {"known": 2}, "both are within the overlap"
    company.crm.edit("accounts", "A-1", name="North Ltd")
    assert company.sync().counts["send"] == 1
    assert company.erp.of("customers", "A-1")["title"] == "North Ltd"
    assert len(company.erp.writes) == 3


def test_what_the_mapping_does_not_see_is_not_sent(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.sync()
    company.bridge.flows.maps("accounts")(lambda one: {"code": one["no"], "title": one["name"]})
    company.crm.edit("accounts", "A-1", tax="T-1")
    assert company.sync().counts == {"same": 1}
    assert len(company.erp.writes) == 1


def test_a_record_that_cannot_be_mapped_is_a_problem_and_the_others_go(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North", level="Z")
    company.crm.edit("accounts", "A-2", name="South", level="B")
    company.crm.edit("accounts", "A-3", name="x" * 41, level="B")
    company.crm.edit("accounts", "A-4", name=None)
    report = company.sync()
    assert report.counts == {"send": 2, "problem": 2}, "the ERP's file does not limit a title"
    found = {one.record_id: one for one in company.bridge.flows.problems()}
    assert {name: one.stage for name, one in found.items()} == {"A-1": "map", "A-4": "validate"}
    assert "KeyError: 'Z'" in found["A-1"].explanation
    assert "customers/title: is required and missing" in found["A-4"].explanation
    assert "soapbridge flows retry" in found["A-4"].repair
    assert '"name":"North"' in (found["A-1"].record or "")


def test_a_problem_is_solved_by_the_record_that_is_corrected(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North", level="Z")
    company.sync(times=2)
    (problem,) = company.bridge.flows.problems()
    assert problem.times == 2
    company.crm.edit("accounts", "A-1", level="A")
    company.sync()
    assert company.bridge.flows.problems() == []
    (kept,) = company.bridge.flows.problems(everything=True)
    assert kept.state == "solved"


def test_a_problem_is_solved_by_a_retry_once_the_mapping_is_mended(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North", level="Z")
    company.sync()
    (problem,) = company.bridge.flows.problems()
    assert company.bridge.flows.retry(problem.id, who="mei", why="try").counts == {"problem": 1}
    company.bridge.flows.maps("accounts")(lambda one: {"code": one["no"], "title": one["name"]})
    assert company.bridge.flows.retry(problem.id, who="mei", why="mended").counts == {"send": 1}
    kept = company.bridge.flows.problem(problem.id)
    assert (kept.state, kept.who, kept.why) == ("solved", "mei", "mended") or kept.state == "solved"
    with pytest.raises(SettingsError, match="is solved"):
        company.bridge.flows.retry(problem.id, who="mei", why="again")


def test_a_dismissed_problem_stays_dismissed_until_the_record_changes(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name=None)
    company.sync()
    (problem,) = company.bridge.flows.problems()
    company.bridge.flows.dismiss(problem.id, who="mei", why="a test record")
    assert company.bridge.flows.problem(problem.id).state == "dismissed"
    with pytest.raises(SettingsError, match="not said"):
        company.bridge.flows.dismiss(problem.id, who="mei", why=" ")


def test_a_refused_document_is_a_problem_and_the_corrected_one_does_not_wait_behind_it(
    company: Company,
) -> None:
    company.erp.errors = [Refused("The tax number is wrong.", name="BadTax")]
    company.crm.edit("accounts", "A-1", name="North", tax="x")
    company.sync()
    company.sync()
    (problem,) = company.bridge.flows.problems()
    assert (problem.stage, problem.record_id) == ("refused", "A-1")
    assert "The tax number is wrong." in problem.explanation
    company.crm.edit("accounts", "A-1", tax="T-1")
    company.sync()
    assert company.erp.of("customers", "A-1")["tax_number"] == "T-1"
    company.sync()
    assert company.bridge.flows.problems() == []
    (act,) = company.bridge.deliveries.acts(partner="erp")
    assert (act.who, act.verb) == ("flow accounts", "release")


def test_a_delivered_document_completes_its_link(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.bridge.flows.run("accounts")
    with company.store.reading() as session:
        link = link_rows.links_of(session, "accounts", "source", ["A-1"])["A-1"]
    assert (link.state, link.target_id) == ("moving", "A-1")
    company.deliver()
    company.bridge.flows.look_after()
    with company.store.reading() as session:
        link = link_rows.links_of(session, "accounts", "source", ["A-1"])["A-1"]
    assert (link.state, link.entry_id) == ("moved", None)


def test_two_records_that_would_become_one_are_a_problem(company: Company) -> None:
    company.bridge.flows.maps("accounts")(lambda one: {"code": one["tax"], "title": one["name"]})
    company.crm.edit("accounts", "A-1", name="North", tax="T")
    company.crm.edit("accounts", "A-2", name="NORTH", tax="T")
    company.sync()
    company.crm.edit("accounts", "A-3", name="north", tax="T")
    company.sync()
    found = {one.record_id: one for one in company.bridge.flows.problems()}
    assert {one.stage for one in found.values()} == {"duplicate"}
    assert set(found) == {"A-2", "A-3"}
    assert "which A-1 of crm is already" in found["A-3"].explanation
    assert len(company.erp.writes) == 1


def test_a_new_record_that_is_over_there_under_another_id_is_taken_for_it(company_of: MakeCompany) -> None:
    flow = dataclasses.replace(ACCOUNTS, match=("tax_number",))
    company = company_of({"accounts": flow})
    company.erp.edit("customers", "K-7", code="K-7", title="Nord", tax_number="T-1")
    company.erp.edit("customers", "K-8", code="K-8", title="Twice", tax_number="T-2")
    company.erp.edit("customers", "K-9", code="K-9", title="Two", tax_number="T-2")
    company.crm.edit("accounts", "A-1", name="North", tax="T-1")
    company.crm.edit("accounts", "A-2", name="South", tax="T-2")
    company.sync()
    assert company.erp.of("customers", "K-7")["title"] == "North"
    assert "A-1" not in company.erp.rows["customers"]
    (problem,) = company.bridge.flows.problems()
    assert (problem.record_id, problem.stage) == ("A-2", "duplicate")
    assert "K-8, K-9" in problem.explanation
    company.crm.edit("accounts", "A-1", name="North Ltd")
    company.sync()
    assert company.erp.of("customers", "K-7")["title"] == "North Ltd", "the link knows which it is"


def test_a_record_from_the_future_does_not_hide_those_of_today(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.crm.rows["accounts"]["A-1"]["_at"] = BEGIN + timedelta(days=3650)
    company.sync()
    company.crm.edit("accounts", "A-2", name="South")
    company.crm.rows["accounts"]["A-2"]["_at"] = company.bridge.flows.standing("accounts").watermark
    assert company.sync().counts == {"known": 1, "send": 1}


def test_a_clock_that_was_set_back_keeps_no_watermark_in_the_future(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.sync()
    with company.store.transaction() as transaction:
        state = rows.lock_state(transaction.session, "accounts")
        rows.set_state(transaction.session, "accounts", watermark=state.now + 3600 * 1_000_000)
    company.crm.edit("accounts", "A-2", name="South")
    company.crm.rows["accounts"]["A-2"]["_at"] = company.bridge.flows.standing(
        "accounts"
    ).watermark - timedelta(seconds=3620)
    assert company.sync().counts["send"] == 1
    mark = company.bridge.flows.standing("accounts").watermark
    assert mark is not None
    assert company.bridge.flows.standing("accounts").lag is not None
    with company.store.reading() as session:
        state = rows.state(session, "accounts")
    assert state is not None
    assert state.watermark is not None
    assert state.watermark <= state.now


def test_a_change_that_became_visible_late_is_found_within_the_overlap(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.sync()
    company.crm.edit("accounts", "A-2", name="South")
    company.crm.rows["accounts"]["A-2"]["_at"] -= timedelta(seconds=30)
    assert company.sync().counts["send"] == 1


def test_an_error_in_mid_read_is_a_problem_of_the_flow_and_what_was_kept_stays(
    company_of: MakeCompany,
) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, batch=2)})
    for number in range(5):
        company.crm.edit("accounts", f"A-{number}", name="North")

    def expire(page: int) -> None:
        company.crm.read_error = Unauthorised("The token has expired.") if page == 2 else None

    company.crm.before_page = expire
    report = company.sync()
    assert (report.outcome, report.counts["send"]) == ("failed", 2)
    (problem,) = company.bridge.flows.problems()
    assert (problem.stage, problem.record_id) == ("read", "")
    assert "The token has expired." in problem.explanation
    assert "credentials" in problem.repair
    assert company.sync().outcome == "done"
    assert len(company.erp.rows["customers"]) == 5
    assert len(company.erp.writes) == 5, "nothing was sent twice"
    assert company.bridge.flows.problems() == []


def test_a_row_that_is_changed_while_it_is_read_goes_as_it_is_in_the_end(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, batch=2)})
    for number in range(6):
        company.crm.edit("accounts", f"A-{number}", name="North")
    company.crm.before_page = lambda page: company.crm.edit("accounts", "A-0", name=f"read {min(page, 3)}")
    company.sync()
    company.crm.before_page = lambda _: None
    company.sync()
    assert company.erp.of("customers", "A-0")["title"] == "read 3"


def test_deleted_records_are_deleted_over_there_where_the_flow_says_so(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, deletes="customers.delete")})
    for name in ("A-1", "A-2", "A-3"):
        company.crm.edit("accounts", name, name="North")
    company.sync()
    company.crm.remove("accounts", "A-1")
    assert company.sync().counts["delete"] == 1
    del company.crm.rows["accounts"]["A-2"]  # nobody tells of it: a full resync finds it
    assert company.sync().counts["delete"] == 0
    report = company.sync(full=True)
    assert report.counts["delete"] == 1
    assert set(company.erp.rows["customers"]) == {"A-3"}
    company.sync(full=True)
    assert [one for one, _ in company.erp.writes].count("customers.delete") == 2


def test_deleted_records_stay_where_the_flow_ignores_them(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.sync()
    company.crm.remove("accounts", "A-1")
    company.sync()
    company.sync(full=True)
    assert set(company.erp.rows["customers"]) == {"A-1"}


def test_a_view_that_came_back_empty_deletes_nothing(company_of: MakeCompany) -> None:
    company = company_of(
        {"accounts": dataclasses.replace(ACCOUNTS, deletes="customers.delete", most_deletes=2)}
    )
    for number in range(3):
        company.crm.edit("accounts", f"A-{number}", name="North")
    company.sync()
    company.crm.rows["accounts"].clear()
    report = company.sync(full=True)
    assert report.outcome == "failed"
    assert report.counts["delete"] == 0
    (problem,) = company.bridge.flows.problems()
    assert "3 records that were moved are no longer in crm.accounts" in problem.explanation
    assert len(company.erp.rows["customers"]) == 3


def test_an_entity_that_cannot_be_asked_for_changes_is_read_whole_each_time(company_of: MakeCompany) -> None:
    flow = dataclasses.replace(ACCOUNTS, source="crm.notes", operation="remarks.upsert", batch=2)
    company = company_of({"notes": flow})
    company.bridge.flows.maps("notes")(lambda one: {"code": one["no"], "body": one["text"]})
    for number in range(5):
        company.crm.edit("notes", f"N-{number}", text="hello")
    assert company.sync("notes").counts == {"send": 5}
    company.crm.edit("notes", "N-3", text="bye")
    assert company.sync("notes").counts == {"send": 1, "known": 4}


def test_a_paused_flow_stands_still_until_it_is_let_go(company: Company) -> None:
    assert company.bridge.flows.pause("accounts", who="mei", why="stocktaking")
    assert not company.bridge.flows.pause("accounts", who="mei", why="again")
    company.crm.edit("accounts", "A-1", name="North")
    assert company.sync().outcome == "paused"
    assert company.bridge.flows.standing("accounts").paused == "mei: stocktaking"
    assert company.bridge.flows.resume("accounts", who="mei", why="done")
    assert company.sync().counts == {"send": 1}


def test_a_flow_that_runs_elsewhere_is_not_run_again(company: Company) -> None:
    with company.store.transaction() as transaction:
        rows.lock_state(transaction.session, "accounts")
        rows.take_lease(transaction.session, "accounts", owner="another", length=60_000_000)
    assert company.sync().outcome == "busy"
    assert company.bridge.flows.standing("accounts").running == "another"


def test_a_run_whose_lease_was_taken_keeps_nothing_more(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, batch=2)})
    for number in range(4):
        company.crm.edit("accounts", f"A-{number}", name="North")

    def steal(page: int) -> None:
        if page == 2:
            with company.store.transaction() as transaction:
                rows.lock_state(transaction.session, "accounts")
                rows.take_lease(transaction.session, "accounts", owner="another", length=1)

    company.crm.before_page = steal
    report = company.sync()
    assert (report.outcome, report.counts["send"]) == ("stopped", 2)
    company.crm.before_page = lambda _: None
    company.sync()
    assert len(company.erp.writes) == 4


def test_a_dry_run_shows_what_would_be_sent_and_does_nothing(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North", level="A")
    company.sync()
    company.crm.edit("accounts", "A-1", name="North Ltd")
    company.crm.edit("accounts", "A-2", name="South", level="Z")
    shown = {}
    report = company.bridge.flows.dry_run("accounts", show=lambda one: shown.update({one.record_id: one}))
    assert shown["A-1"].fields == {"title": ("North", "North Ltd")}
    assert shown["A-2"].became == "problem"
    assert "KeyError" in shown["A-2"].explanation
    assert report.counts == {"send": 1, "problem": 1}
    assert company.bridge.flows.problems() == []
    assert len(company.erp.writes) == 1


def test_records_that_somebody_told_of_go_in_the_transaction_that_tells(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, trigger="event")})
    with company.bridge.transaction() as transaction:
        company.bridge.flows.take("crm", "accounts", [{"no": "A-0", "name": "never"}])
        transaction.rollback()
    with company.bridge.transaction():
        told = [{"no": "A-1", "name": "North"}, {"no": "A-2", "name": None}]
        report = company.bridge.flows.take("crm", "accounts", told)
    assert report.counts == {"send": 1, "problem": 1}
    company.deliver()
    assert set(company.erp.rows["customers"]) == {"A-1"}
    with company.bridge.transaction():
        assert company.bridge.flows.take("crm", "accounts", told[:1]).counts == {"known": 1}
        assert company.bridge.flows.take("crm", "orders", [{"no": "A-1"}]).counts == {}


def test_what_a_paused_flow_is_told_of_goes_when_it_goes_on(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, trigger="event")})
    company.crm.edit("accounts", "A-1", name="North")
    company.bridge.flows.pause("accounts", who="mei", why="stocktaking")
    for name in ("told", "told again"):
        with company.bridge.transaction():
            told = {"no": "A-1", "name": name}
            assert company.bridge.flows.take("crm", "accounts", [told]).counts == {"waits": 1}
    company.bridge.flows.look_after()
    company.deliver()
    assert company.erp.writes == []
    company.bridge.flows.resume("accounts", who="mei", why="done")
    company.bridge.flows.look_after()
    company.deliver()
    assert [values["title"] for _, values in company.erp.writes] == ["North"], "as it is now"


def test_records_that_are_asked_for_go_now_also_when_they_are_known(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North")
    company.crm.edit("accounts", "A-2", name="South")
    assert company.bridge.flows.request("accounts", ["A-1", "A-9"]).counts == {"send": 1}
    assert company.bridge.flows.request("accounts", ["A-1"]).counts == {"known": 1}
    assert company.bridge.flows.request("accounts", ["A-1"], force=True).counts == {"send": 1}
    company.deliver()
    assert len(company.erp.writes) == 2


def test_a_flow_with_the_same_ids_is_not_stopped_by_what_another_has_refused(company_of: MakeCompany) -> None:
    notes = dataclasses.replace(ACCOUNTS, source="crm.notes", operation="remarks.upsert")
    company = company_of({"accounts": ACCOUNTS, "notes": notes})
    company.bridge.flows.maps("notes")(lambda one: {"code": one["no"], "body": one["text"]})
    company.erp.errors = [Refused("No.")]
    company.crm.edit("accounts", "17", name="North")
    company.sync()
    company.crm.edit("notes", "17", text="hello")
    company.sync("notes")
    assert company.erp.of("remarks", "17")["body"] == "hello"


def test_a_partner_that_is_down_costs_no_record(company: Company) -> None:
    company.erp.errors = [NotSent("Nobody listens.")] * 3
    company.crm.edit("accounts", "A-1", name="North")
    company.sync()
    until = time.monotonic() + 20
    while not company.erp.writes and time.monotonic() < until:
        time.sleep(0.01)
        company.deliver()
    assert company.erp.of("customers", "A-1")["title"] == "North"


def test_a_source_that_only_tells_is_not_asked(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, trigger="event", match=("tax_number",))})
    company.crm.only_tells = True  # type: ignore[attr-defined]
    company.crm.read_error = HandlerError("It tells, and cannot be read.")
    with company.bridge.transaction():
        told = [{"no": "A-1", "name": "North", "tax": "T"}, {"no": "A-2", "name": "South", "level": "Z"}]
        assert company.bridge.flows.take("crm", "accounts", told).counts == {"send": 1, "problem": 1}
    (problem,) = company.bridge.flows.problems()
    company.bridge.flows.maps("accounts")(lambda one: {"code": one["no"], "title": one["name"]})
    assert company.bridge.flows.retry(problem.id, who="mei", why="mended").counts == {"send": 1}
    company.bridge.flows.pause("accounts", who="mei", why="stocktaking")
    with pytest.raises(HandlerError, match="cannot be asked again later"), company.bridge.transaction():
        company.bridge.flows.take("crm", "accounts", told)
