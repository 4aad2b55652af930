"""What a GET shows: the contract with the right addresses, the pages, health."""

from __future__ import annotations

import pytest
import zeep
from lxml import etree

from bridge.settings import Access, Server, Settings
from tests.integration.host.conftest import Running, echo, running

EVERYBODY = Access(anonymous="yes")
ADDRESS = ".//{http://schemas.xmlsoap.org/wsdl/soap/}address"


def locations(wsdl: bytes) -> set[str]:
    return {found.get("location") for found in etree.fromstring(wsdl).iterfind(ADDRESS)}


def test_the_wsdl_has_the_address_that_its_reader_used(desk: Running) -> None:
    for query in ("wsdl", "WSDL", "wsdl=", "singleWsdl"):
        answer = desk.request("GET", f"/services/desk?{query}", headers={"Host": "bridge.example:81"})
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert locations(answer.body) == {"http://bridge.example:81/services/desk"}
    again = desk.request("GET", "/services/desk?wsdl", headers={"Host": "other.example"})
    assert locations(again.body) == {"http://other.example/services/desk"}


def test_every_port_of_every_service_gets_our_address(desk: Running) -> None:
    wsdl = etree.fromstring(desk.request("GET", "/services/desk?wsdl").body)
    assert len(wsdl.findall(ADDRESS)) == 2
    assert "elsewhere.example" not in etree.tostring(wsdl, encoding="unicode")


def test_a_host_that_is_no_host_is_not_repeated(desk: Running) -> None:
    for host in ('a"><script>', "a b", "evil.example/path", "x" * 400, "a,b", ""):
        answer = desk.request("GET", "/services/desk?wsdl", headers={"Host": host})
        assert locations(answer.body) == {"http://127.0.0.1:8080/services/desk"}


def test_forwarded_headers_count_from_trusted_proxies_only(desk: Running) -> None:
    forwarded = {"X-Forwarded-Host": "public.example", "X-Forwarded-Proto": "https"}
    answer = desk.request("GET", "/services/desk?wsdl", headers=forwarded)
    assert "public.example" not in answer.text
    with running(Settings(server=Server(trusted_proxies=("127.0.0.0/8",)), access=EVERYBODY)) as behind:
        answer = behind.request("GET", "/services/desk?wsdl", headers=forwarded)
        assert locations(answer.body) == {"https://public.example/services/desk"}


def test_a_public_url_beats_everything() -> None:
    settings = Settings(server=Server(public_url="https://bridge.example.com/erp/"), access=EVERYBODY)
    with running(settings) as made:
        answer = made.request("GET", "/services/desk?wsdl", headers={"Host": "evil.example"})
        assert locations(answer.body) == {"https://bridge.example.com/erp/services/desk"}


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "desk-1.wsdl%00", "nothing.xsd", "con"],
)
def test_a_document_that_is_not_the_contracts_is_404(desk: Running, name: str) -> None:
    for kind in ("xsd", "wsdl"):
        answer = desk.request("GET", f"/services/desk?{kind}={name}")
        assert answer.status == 404
        assert "root:" not in answer.text


def test_zeep_reads_the_served_contract_and_calls_it(desk: Running) -> None:
    for path in ("/services/desk?wsdl",):
        client = zeep.Client(
            f"http://127.0.0.1:{desk.port}{path}", port_name="Desk12", service_name="DeskService"
        )
        assert client.service.Echo(text="zeep", number=2).body.text == "zeep"
        client.transport.session.close()


def test_the_page_shows_operations_ports_and_a_sample_that_works(desk: Running) -> None:
    page = desk.request("GET", "/services/desk")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for expected in (
        "Echo",
        "Notify",
        "Ping",
        "Desk11",
        "Branch11",
        "Says it again.",
        "curl ",
        "?wsdl",
        "Closed",
    ):
        assert expected in page.text
    html = etree.HTML(page.body)
    samples = [text for text in html.xpath("//details[contains(., 'Request')]/pre/text()") if text[0] == "<"]
    assert len(samples) == 6
    for sample in samples:
        version = "1.2" if "2003/05" in sample else "1.1"
        assert desk.post(sample.encode(), version).status in (200, 202)


def test_the_page_of_one_operation_shows_it_alone(desk: Running) -> None:
    page = desk.request("GET", "/services/desk?operation=Echo")
    assert page.status == 200
    assert "Says it again." in page.text
    assert "Notify" not in page.text
    assert desk.request("GET", "/services/desk?operation=Nobody").status == 404


def test_the_root_lists_the_services_and_a_slash_at_the_end_does_no_harm(desk: Running) -> None:
    assert "/services/desk/2" in desk.request("GET", "/").text
    assert desk.request("GET", "/services/desk/").status == 200
    assert desk.post(echo(), path="/services/desk/").status == 200


def test_health_and_readiness(desk: Running) -> None:
    assert desk.request("GET", "/healthz").text == "ok\n"
    assert desk.request("GET", "/readyz").text == "ready\n"
