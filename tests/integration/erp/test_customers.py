"""Customers: cleansed, compared, stored, found; on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from bridge.erp.customers import upsert_customer
from bridge.erp.customers.credit import Credit, Money, credit_of
from bridge.erp.customers.rows import CustomerRow
from bridge.erp.customers.tables import customer
from bridge.store import Store


def refused(erp: ModuleType, store: Store, wanted: Any, *accepted: str, **more: Any) -> Any:
    """The fault that an upsert ends with: (name, fields)."""
    with pytest.raises(erp.Fault) as caught:
        erp.upsert_one(store, wanted, *accepted, **more)
    return caught.value.name, caught.value.fields


def alike(erp: ModuleType, store: Store, wanted: Any, *accepted: str) -> list[tuple[str, tuple[str, ...]]]:
    """(code, why) of the candidates that an upsert is refused for."""
    name, fields = refused(erp, store, wanted, *accepted)
    assert name == "DuplicateCandidates"
    return [(one["code"], tuple(one["why"])) for one in fields["candidate"]]


def codes(reply: Any) -> list[str]:
    return [one["customer"]["code"] for one in reply["found"]]


def test_a_customer_is_read_back_as_it_was_sent_with_what_was_made_of_it(
    erp: ModuleType, store: Store
) -> None:
    given = erp.Given
    wanted = erp.customer(
        name="Ｎordwind  Maschinenbau G.m.b.H.",
        otherName=["北风机械有限公司"],
        taxNumber="DE 136,695 976",
        email="Einkauf@Nordwind.Example",
        phone="040 / 5550 0200",
        address=[
            given(
                number=1,
                use=["registered", "billing"],
                address=given(street=["Kai 1"], city="Hamburg", country="DE"),
            ),
            given(number=2, use=["shipping"], address=given(street=["Tor 4"], city="Kiel", country="DE")),
        ],
        contact=[
            given(name="Frau Muster", role="purchasing", phone="n/a", email="muster@nordwind.example"),
            given(name="Tor 4"),
        ],
        currency="EUR",
        paymentTerms=given(method="bankTransfer", netDays=30),
        credit=given(grade="B", limit=given(value=Decimal("50000.00"), currency="EUR")),
        externalReference="ACC-00017",
        blocked=given(reason=given(value="逾期", language="zh")),
    )
    made = erp.upsert_one(store, wanted)
    got = erp.read_customer(store, "CUST-1")
    normal = {
        "name": "Nordwind Maschinenbau G.m.b.H.",
        "matchName": "nordwind maschinenbau",
        "legalForm": "GmbH",
        "otherName": ["北风机械"],
        "taxNumber": {"number": "DE136695976", "country": "DE", "valid": True},
        "email": "einkauf@nordwind.example",
        "phone": "+494055500200",
        "contact": [{"position": 1, "email": "muster@nordwind.example"}],
        "finding": [{"path": "contact[1]/phone", "reason": "phoneUnreadable"}],
    }
    assert made == {
        "code": "CUST-1",
        "revision": 1,
        "changedAt": got["changedAt"],
        "normalForm": normal,
        "candidate": [],
    }
    assert got["createdAt"] == got["changedAt"]
    assert got["normalForm"] == normal
    assert got["customer"] == {
        "code": "CUST-1",
        "name": "Ｎordwind  Maschinenbau G.m.b.H.",
        "country": "DE",
        "taxNumber": "DE 136,695 976",
        "email": "Einkauf@Nordwind.Example",
        "phone": "040 / 5550 0200",
        "currency": "EUR",
        "externalReference": "ACC-00017",
        "otherName": ["北风机械有限公司"],
        "address": [
            {
                "number": 1,
                "use": ["registered", "billing"],
                "address": {"street": ["Kai 1"], "city": "Hamburg", "country": "DE"},
            },
            {
                "number": 2,
                "use": ["shipping"],
                "address": {"street": ["Tor 4"], "city": "Kiel", "country": "DE"},
            },
        ],
        "contact": [
            {"name": "Frau Muster", "role": "purchasing", "phone": "n/a", "email": "muster@nordwind.example"},
            {"name": "Tor 4"},
        ],
        "paymentTerms": {"method": "bankTransfer", "netDays": 30},
        "credit": {"grade": "B", "limit": {"value": Decimal("50000.00"), "currency": "EUR"}},
        "blocked": {"reason": {"value": "逾期", "language": "zh"}},
    }


def test_a_change_replaces_everything_and_counts_the_revision(erp: ModuleType, store: Store) -> None:
    first = erp.upsert_one(store, erp.customer(taxNumber="DE136695976"))
    second = erp.upsert_one(store, erp.customer(name="Südwind AG"), revision=1)
    got = erp.read_customer(store, "CUST-1")
    assert second["revision"] == got["revision"] == 2
    assert got["customer"] == {"code": "CUST-1", "name": "Südwind AG", "country": "DE"}
    assert got["createdAt"] == first["changedAt"]
    assert got["changedAt"] == second["changedAt"] > first["changedAt"]
    assert codes(erp.found_customers(store, name="suedwind")) == ["CUST-1"]
    assert codes(erp.found_customers(store, name="Nordwind Maschinenbau")) == []


def test_the_same_content_again_is_no_change(erp: ModuleType, store: Store) -> None:
    first = erp.upsert_one(store, erp.customer())
    assert erp.upsert_one(store, erp.customer()) == first


def test_a_change_of_another_revision_is_told_which_one_is_there(erp: ModuleType, store: Store) -> None:
    erp.upsert_one(store, erp.customer())
    changed = erp.upsert_one(store, erp.customer(phone="040 5550100"), revision=1)
    name, fields = refused(erp, store, erp.customer(name="Three"), revision=1)
    assert name == "RevisionMismatch"
    assert fields == {
        "kind": "customer",
        "identifier": "CUST-1",
        "given": 1,
        "current": 2,
        "changedAt": changed["changedAt"],
    }


def test_a_customer_that_is_not_there_is_not_found_nor_changed_by_revision(
    erp: ModuleType, store: Store
) -> None:
    missing = {"missing": [{"kind": "customer", "identifier": "CUST-9"}]}
    with pytest.raises(erp.Fault) as caught:
        erp.read_customer(store, "CUST-9")
    assert caught.value.fields == missing
    assert refused(erp, store, erp.customer("CUST-9"), revision=1) == ("NotFound", missing)


class TestDuplicates:
    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"name": "NORDWIND MASCHINENBAU"}, ("sameName",)),
            ({"name": "Maschinenbau Nordwind Ltd"}, ("sameName",)),
            ({"name": "Nordwind Maschinebau GmbH"}, ("similarName",)),
            ({"name": "Another", "otherName": ["Nordwind Maschinenbau"]}, ("sameName",)),
            ({"name": "Another", "taxNumber": "136 695 976"}, ("sameTaxNumber",)),
            (
                {"name": "Another", "email": "INFO@nordwind.example", "phone": "+49 40 5550 0200"},
                ("sameEmail", "samePhone"),
            ),
        ],
    )
    def test_a_new_code_that_looks_like_one_that_is_there_is_refused_and_nothing_is_stored(
        self, erp: ModuleType, store: Store, fields: dict[str, Any], why: tuple[str, ...]
    ) -> None:
        erp.upsert_one(
            store,
            erp.customer(taxNumber="DE136695976", email="info@nordwind.example", phone="040 5550 0200"),
        )
        assert alike(erp, store, erp.customer("CUST-2", **fields)) == [("CUST-1", why)]
        assert codes(erp.found_customers(store)) == ["CUST-1"]

    def test_two_that_only_share_a_city_and_a_public_mail_provider_are_two(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.upsert_one(store, erp.customer(name="宁波东方贸易有限公司", country="CN", email="a@qq.com"))
        made = erp.upsert_one(
            store, erp.customer("CUST-2", "宁波海达贸易有限公司", country="CN", email="b@qq.com")
        )
        assert made["candidate"] == []

    def test_what_was_looked_at_is_stored_and_the_reply_still_says_whom_it_looks_like(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.upsert_one(store, erp.customer())
        erp.upsert_one(store, erp.customer("CUST-2"), "CUST-1")
        third = erp.customer("CUST-3")
        assert [code for code, _ in alike(erp, store, third, "CUST-1")] == ["CUST-2"]
        made = erp.upsert_one(store, third, "CUST-1", "CUST-2")
        assert [(one["code"], one["score"]) for one in made["candidate"]] == [("CUST-1", 90), ("CUST-2", 90)]

    def test_a_change_is_not_refused_but_told_whom_it_looks_like_now(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.upsert_one(store, erp.customer())
        erp.upsert_one(store, erp.customer("CUST-2", "Somebody else"))
        made = erp.upsert_one(store, erp.customer("CUST-2"))
        assert [one["code"] for one in made["candidate"]] == ["CUST-1"]

    def test_a_placeholder_that_everybody_has_makes_nobody_a_duplicate_of_all(
        self, erp: ModuleType, store: Store
    ) -> None:
        for n in range(5):
            made = erp.upsert_one(
                store, erp.customer(f"CUST-{n}", f"{n}{chr(97 + n) * 9} AG", phone="040 000000")
            )
            assert made["candidate"] == []

    def test_a_name_without_letters_is_kept_and_finds_nobody(self, erp: ModuleType, store: Store) -> None:
        erp.upsert_one(store, erp.customer(name="---"))
        made = erp.upsert_one(store, erp.customer("CUST-2", "***"))
        assert made["normalForm"]["finding"] == [{"path": "name", "reason": "nameUnreadable"}]
        assert codes(erp.found_customers(store, name="---")) == []


class TestMerging:
    def test_a_merged_customer_names_the_one_that_stays_and_so_does_whoever_looks_like_it(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.upsert_one(store, erp.customer())
        erp.upsert_one(store, erp.customer("CUST-2"), "CUST-1")
        merged = erp.upsert_one(store, erp.customer("CUST-2", mergedInto="CUST-1"))
        assert merged["candidate"] == []  # it says itself that they are the same
        assert erp.upsert_one(store, erp.customer(phone="040 5550100"))["candidate"] == []
        _, fields = refused(erp, store, erp.customer("CUST-3"))
        assert [(one["code"], one.get("mergedInto")) for one in fields["candidate"]] == [
            ("CUST-1", None),
            ("CUST-2", "CUST-1"),
        ]
        assert codes(erp.found_customers(store, merged=True)) == ["CUST-2"]
        assert codes(erp.found_customers(store, merged=False)) == ["CUST-1"]

    @pytest.mark.parametrize(
        ("target", "reason"), [("CUST-9", "unknown"), ("CUST-2", "repeated"), ("CUST-3", "mismatch")]
    )
    def test_a_merge_leads_to_another_that_is_there_and_stays(
        self, erp: ModuleType, store: Store, target: str, reason: str
    ) -> None:
        erp.upsert_one(store, erp.customer(name="One"))
        erp.upsert_one(store, erp.customer("CUST-2", "Two"))
        erp.upsert_one(store, erp.customer("CUST-3", "Three", mergedInto="CUST-1"))
        broken = {
            "kind": "customer",
            "identifier": target,
            "reason": reason,
            "path": "/UpsertCustomer/customer/mergedInto",
        }
        assert refused(erp, store, erp.customer("CUST-2", "Two", mergedInto=target)) == (
            "InvalidReference",
            {"reference": [broken]},
        )

    def test_two_that_are_merged_into_each_other_at_once_do_not_go_round(
        self, erp: ModuleType, store: Store
    ) -> None:
        erp.upsert_one(store, erp.customer("CUST-1", "One"))
        erp.upsert_one(store, erp.customer("CUST-2", "Two"))
        ended = at_once(
            lambda: erp.upsert_one(store, erp.customer("CUST-1", "One", mergedInto="CUST-2")),
            lambda: erp.upsert_one(store, erp.customer("CUST-2", "Two", mergedInto="CUST-1")),
        )
        assert sorted(type(one).__name__ for one in ended) == ["Fault", "dict"]


def at_once(*works: Any) -> list[Any]:
    """What each of them returns or raises; all begin together."""
    together = threading.Barrier(len(works))
    ended: list[Any] = []

    def run(work: Any) -> None:
        together.wait()
        try:
            ended.append(work())
        except Exception as error:
            ended.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ended


SPELLINGS = (
    "Müller Maschinenbau GmbH",
    "MUELLER MASCHINENBAU G.M.B.H.",
    "Ｍüller  Maschinenbau",
    "Maschinenbau Müller",
    "Mueller-Maschinenbau",
    "Maschinenbau Mueller (GmbH)",
    "müller maschinenbau gesellschaft mit beschränkter haftung",
    "Muller Maschinenbau GmbH",
)


def test_eight_spellings_of_one_customer_sent_at_once_make_one_customer(
    erp: ModuleType, store: Store
) -> None:
    ended = at_once(
        *(
            lambda n=n, name=name: erp.upsert_one(store, erp.customer(f"CUST-{n}", name))
            for n, name in enumerate(SPELLINGS)
        )
    )
    faults = [one.name for one in ended if isinstance(one, erp.Fault)]
    assert faults == ["DuplicateCandidates"] * 7, ended
    assert len(codes(erp.found_customers(store))) == 1


@pytest.mark.parametrize(
    "second",
    [
        {"name": "MUELLER MASCHINENBAU"},
        {"name": "Muller Maschinenbau GmbH"},
        {"name": "Another", "taxNumber": "136695976"},
    ],
    ids=["another spelling", "a letter less", "the tax number"],
)
def test_who_comes_while_a_spelling_is_not_yet_committed_waits_and_is_told_of_it(
    erp: ModuleType, store: Store, second: dict[str, Any]
) -> None:
    ended: list[Any] = []

    def come_second() -> None:
        try:
            ended.append(erp.upsert_one(store, erp.customer("CUST-2", **second)))
        except erp.Fault as fault:
            ended.append(fault)

    thread = threading.Thread(target=come_second)
    with store.transaction() as transaction:
        wanted = erp.customer(name="Müller Maschinenbau GmbH", taxNumber="DE136695976")
        given = erp.Given(requestId="first", customer=wanted, acceptDuplicates=[])
        upsert_customer(given, erp.Call(transaction))
        thread.start()
        thread.join(0.3)  # would be enough for one that does not wait
    thread.join(60)
    (fault,) = ended
    assert fault.name == "DuplicateCandidates"
    assert [one["code"] for one in fault.fields["candidate"]] == ["CUST-1"]


def test_eight_that_make_one_code_known_at_once_make_one(erp: ModuleType, store: Store) -> None:
    ended = at_once(
        *(lambda n=n: erp.upsert_one(store, erp.customer(name=f"{chr(97 + n) * 12}")) for n in range(8))
    )
    assert sorted(one["revision"] for one in ended) == list(range(1, 9))


class TestFinding:
    @pytest.fixture
    def three(self, erp: ModuleType, store: Store) -> None:
        erp.upsert_one(
            store,
            erp.customer(
                taxNumber="DE136695976",
                email="info@nordwind.example",
                contact=[erp.Given(name="Tor", phone="0431 555010")],
                externalReference="ACC-1",
            ),
        )
        erp.upsert_one(
            store, erp.customer("CUST-2", "宁波东方贸易有限公司", country="CN", phone="0574 8888 0000")
        )
        erp.upsert_one(
            store,
            erp.customer(
                "CUST-3", "Écho S.A.", country="FR", blocked=erp.Given(reason=erp.Given(value="late"))
            ),
        )

    @pytest.mark.usefixtures("three")
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({}, ["CUST-1", "CUST-2", "CUST-3"]),
            ({"name": "echo"}, ["CUST-3"]),
            ({"name": "宁波东方贸易有限责任公司"}, ["CUST-2"]),
            ({"taxNumber": "136 695 976"}, ["CUST-1"]),
            ({"taxNumber": "de136695976", "country": "DE"}, ["CUST-1"]),
            ({"taxNumber": "--"}, []),
            ({"email": "INFO@Nordwind.example"}, ["CUST-1"]),
            ({"email": "nobody"}, []),
            ({"phone": "+86 574 88880000"}, ["CUST-2"]),
            ({"phone": "(0431) 555-010", "country": "DE"}, ["CUST-1"]),
            ({"phone": "0431 555010"}, []),
            ({"country": "FR"}, ["CUST-3"]),
            ({"externalReference": "ACC-1"}, ["CUST-1"]),
            ({"blocked": True}, ["CUST-3"]),
            ({"blocked": False, "country": "FR"}, []),
        ],
    )
    def test_customers_are_found_in_whatever_spelling(
        self, erp: ModuleType, store: Store, wanted: dict[str, Any], expected: list[str]
    ) -> None:
        assert codes(erp.found_customers(store, **wanted)) == expected

    def test_changes_since_a_moment_are_read_page_by_page_with_what_was_blocked_and_merged(
        self, erp: ModuleType, store: Store
    ) -> None:
        begun = datetime(2026, 3, 1, tzinfo=UTC)
        for n in range(1, 8):
            erp.upsert_one(
                store, erp.customer(f"CUST-{n}", f"{chr(96 + n) * 9}"), now=begun + timedelta(hours=n)
            )
        erp.upsert_one(
            store,
            erp.customer("CUST-2", "b" * 9, blocked=erp.Given(reason=erp.Given(value="late"))),
            now=begun + timedelta(hours=9),
        )
        erp.upsert_one(
            store, erp.customer("CUST-3", "c" * 9, mergedInto="CUST-1"), now=begun + timedelta(hours=9)
        )
        wanted = {"changedSince": begun + timedelta(hours=6), "pageSize": 2}
        first = erp.found_customers(store, **wanted)
        erp.upsert_one(
            store, erp.customer("CUST-1", "a" * 9, phone="040 5550100")
        )  # changed while the pages are read
        second = erp.found_customers(store, pageToken=first["nextPage"], **wanted)
        assert (codes(first), codes(second)) == (["CUST-2", "CUST-3"], ["CUST-6", "CUST-7"])
        assert "nextPage" not in second
        assert codes(erp.found_customers(store, changedSince=first["asOf"])) == ["CUST-1"]

    def test_a_token_of_another_list_is_refused(self, erp: ModuleType, store: Store) -> None:
        for n in range(2):
            erp.upsert_one(store, erp.customer(f"CUST-{n}", f"{chr(97 + n) * 9}"))
        token = erp.found_customers(store, pageSize=1)["nextPage"]
        for wanted, reason in (
            ({"country": "DE", "pageToken": token}, "otherList"),
            ({"pageToken": "x"}, "unreadable"),
        ):
            with pytest.raises(erp.Fault) as caught:
                erp.found_customers(store, **wanted)
            assert caught.value.fields == {"pageToken": wanted["pageToken"], "reason": reason}


class TestCredit:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, Credit(None, None, False, "Nordwind Maschinenbau GmbH")),
            (
                {"credit": ("B", "50000.00")},
                Credit("B", Money(500_000_000, "EUR"), False, "Nordwind Maschinenbau GmbH"),
            ),
            ({"credit": ("D", "0")}, Credit("D", Money(0, "EUR"), False, "Nordwind Maschinenbau GmbH")),
            ({"credit": ("C", None)}, Credit("C", None, False, "Nordwind Maschinenbau GmbH")),
            ({"blocked": True}, Credit(None, None, True, "Nordwind Maschinenbau GmbH")),
            ({"mergedInto": "CUST-0"}, Credit(None, None, True, "Nordwind Maschinenbau GmbH")),
        ],
    )
    def test_the_other_modules_are_told_grade_limit_and_whether_it_gets_documents(
        self, erp: ModuleType, store: Store, fields: dict[str, Any], expected: Credit
    ) -> None:
        given = erp.Given
        if "credit" in fields:
            grade, limit = fields["credit"]
            figure = None if limit is None else given(value=Decimal(limit), currency="EUR")
            fields = {"credit": given(grade=grade, limit=figure)}
        if "blocked" in fields:
            fields = {"blocked": given(reason=given(value="late"))}
        erp.upsert_one(store, erp.customer("CUST-0", "The one that stays"))
        erp.upsert_one(store, erp.customer(**fields))
        with store.reading() as session:
            assert credit_of(session, "CUST-1") == expected
            assert credit_of(session, "CUST-9") is None


def test_a_row_has_the_columns_of_its_table_in_order() -> None:
    assert ("id", *CustomerRow._fields) == tuple(customer.columns.keys())
