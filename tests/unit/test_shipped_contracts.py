"""The shipped contracts keep the rules of their family (docs/contracts.md) and of the WS-I Basic Profile 1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
import xmlschema
import zeep
from lxml import etree

from bridge import shipped

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = {
    "1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}",
    "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}",
}
XS = "{http://www.w3.org/2001/XMLSchema}"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
FAULTS = "urn:soapbridge:common:faults:1"

CALLED = shipped.contracts("crm")
"""What others answer and we call: the same family, but for what an event is (events)."""
CONTRACTS = shipped.contracts("erp") | CALLED
# violations-1.xsd describes the detail of our own faults; nothing in a WSDL imports it.
SCHEMAS = (
    sorted((shipped.XSD / "erp").glob("*.xsd"))
    + sorted((shipped.XSD / "crm").glob("*.xsd"))
    + [shipped.XSD / "common" / name for name in ("types-1.xsd", "faults-1.xsd")]
)
DOCUMENTED = [
    XS + name for name in ("schema", "element", "attribute", "simpleType", "complexType", "enumeration")
]

each_contract = pytest.mark.parametrize("name", sorted(CONTRACTS))
each_schema = pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)


def _definitions(name: str) -> etree._Element:
    return etree.parse(CONTRACTS[name]).getroot()


def _namespace(name: str) -> str:
    return f"urn:soapbridge:{_system(name)}:{name}:1"


def _system(name: str) -> str:
    return CONTRACTS[name].parent.name


def _operations(name: str) -> list[str]:
    return [
        operation.get("name", "")
        for operation in _definitions(name).iterfind(f"{WSDL}portType/{WSDL}operation")
    ]


def _schema_of(name: str) -> Path:
    return shipped.XSD / _system(name) / f"{name}-1.xsd"


def _global_elements(path: Path) -> dict[str, etree._Element]:
    return {
        element.get("name", ""): element for element in etree.parse(path).getroot().iterfind(f"{XS}element")
    }


def _bindings(name: str) -> Iterator[tuple[str, etree._Element]]:
    for binding in _definitions(name).iterfind(f"{WSDL}binding"):
        for version, namespace in SOAP.items():
            if binding.find(f"{namespace}binding") is not None:
                yield version, binding


def _languages(element: etree._Element, documentation: str) -> set[str]:
    """Languages in which an element is really documented: empty text does not count."""
    return {
        text.get(XML_LANG, "") for text in element.iterfind(documentation) if "".join(text.itertext()).strip()
    }


def test_the_shipped_contracts_are_the_erps_and_those_that_it_calls() -> None:
    assert set(CONTRACTS) == {
        "purchasing",
        "inventory",
        "suppliers",
        "customers",
        "catalog",
        "sales",
        "receivables",
        "accounts",
        "events",
    }
    assert _operations("purchasing") == [
        "CreatePurchaseOrder",
        "GetPurchaseOrder",
        "ChangePurchaseOrder",
        "CancelPurchaseOrder",
        "ListPurchaseOrders",
        "ReceiveGoods",
    ]
    assert _operations("suppliers") == ["UpsertSupplier", "GetSupplier"]
    assert _operations("customers") == ["UpsertCustomer", "GetCustomer", "FindCustomers"]
    assert _operations("inventory") == [
        "UpdateStock",
        "GetStock",
        "ReserveStock",
        "ReleaseStock",
        "GetReservation",
        "CountStock",
        "ListStockMovements",
    ]
    assert _operations("accounts") == ["ListAccounts", "GetAccount", "UpsertAccount"]
    assert _operations("catalog") == [
        "UpsertItem",
        "GetItem",
        "ListItems",
        "SetPrices",
        "GetPrice",
        "ListPrices",
        "GetAvailability",
    ]
    assert _operations("receivables") == [
        "CreateInvoice",
        "GetInvoice",
        "CancelInvoice",
        "ListOpenItems",
        "RecordPayment",
        "AllocatePayment",
        "GetPayment",
        "ListPayments",
    ]
    assert _operations("sales") == [
        "CreateSalesOrder",
        "GetSalesOrder",
        "ChangeSalesOrder",
        "CancelSalesOrder",
        "CompleteSalesOrder",
        "ListOpenOrders",
        "ListApprovals",
        "DecideSalesOrder",
        "ReturnGoods",
    ]
    assert _operations("events") == [
        "PurchaseOrderStatusChanged",
        "StockLevelChanged",
        "GoodsReceived",
        "PriceChanged",
        "InvoiceIssued",
        "PaymentRecorded",
        "SalesOrderStatusChanged",
    ]


def test_the_bridge_answers_none_of_what_it_calls() -> None:
    assert not set(shipped.contracts()) & set(CALLED)


def test_states_of_an_order_are_the_same_words_wherever_they_are_told() -> None:
    def values(name: str, type_name: str) -> list[str]:
        return etree.parse(_schema_of(name)).xpath(f"//*[@name='{type_name}']//@value")

    assert values("events", "OrderState") == values("purchasing", "PurchaseOrderState")
    assert values("events", "SalesOrderState") == values("sales", "SalesOrderState")


def test_the_package_reaches_the_folders_at_the_top_of_the_repository() -> None:
    top = Path(shipped.__file__).resolve().parents[2]
    assert shipped.WSDL.resolve() == top / "wsdl"
    assert shipped.XSD.resolve() == top / "xsd"


class TestDocumentation:
    @each_schema
    def test_every_element_type_and_enumeration_value_is_documented_in_english_and_chinese(
        self, path: Path
    ) -> None:
        undocumented = [
            f"line {component.sourceline}: {component.tag.removeprefix(XS)} {dict(component.attrib)}"
            for component in etree.parse(path).iter(*DOCUMENTED)
            if _languages(component, f"{XS}annotation/{XS}documentation") != {"en", "zh"}
        ]
        assert undocumented == []

    @each_schema
    def test_chinese_documentation_is_chinese_and_english_is_not(self, path: Path) -> None:
        for text in etree.parse(path).iter(f"{XS}documentation"):
            has_chinese = re.search("[\u4e00-\u9fff]", text.text or "") is not None
            assert has_chinese == (text.get(XML_LANG) == "zh"), f"line {text.sourceline}"

    @each_contract
    def test_every_service_and_operation_is_documented_in_english_and_chinese(self, name: str) -> None:
        definitions = _definitions(name)
        described = [definitions, *definitions.iterfind(f"{WSDL}service")]
        described += definitions.iterfind(f"{WSDL}portType/{WSDL}operation")
        for element in described:
            assert _languages(element, f"{WSDL}documentation/*") == {"en", "zh"}, element.get("name")


class TestNames:
    @each_contract
    def test_namespaces_are_those_of_the_family(self, name: str) -> None:
        assert _definitions(name).get("targetNamespace") == _namespace(name)
        assert etree.parse(_schema_of(name)).getroot().get("targetNamespace") == _namespace(name)

    @each_schema
    def test_elements_are_qualified_and_attributes_are_not(self, path: Path) -> None:
        schema = etree.parse(path).getroot()
        assert schema.get("elementFormDefault") == "qualified"
        assert schema.get("attributeFormDefault") == "unqualified"
        assert not schema.xpath("//@form")

    @each_contract
    def test_request_elements_are_named_as_the_operation_and_replies_end_in_Response(self, name: str) -> None:
        definitions = _definitions(name)
        elements = {
            message.get("name"): message.find(f"{WSDL}part").get("element")
            for message in definitions.iterfind(f"{WSDL}message")
        }
        for operation in definitions.iterfind(f"{WSDL}portType/{WSDL}operation"):
            sent = {
                way: elements[operation.find(WSDL + way).get("message").removeprefix("tns:")]
                for way in ("input", "output")
            }
            assert sent == {
                "input": f"tns:{operation.get('name')}",
                "output": f"tns:{operation.get('name')}Response",
            }

    @each_contract
    def test_every_global_element_is_a_message_of_an_operation(self, name: str) -> None:
        operations = _operations(name)
        assert list(_global_elements(_schema_of(name))) == [
            operation + suffix for operation in operations for suffix in ("", "Response")
        ]

    @each_contract
    def test_every_message_is_a_plain_sequence_of_elements(self, name: str) -> None:
        """So that clients may unwrap it to arguments: JAX-WS 2.3.1.2 admits no choice, wildcard or attribute there."""
        schema = etree.parse(_schema_of(name)).getroot()
        types = {component.get("name"): component for component in schema.iterfind(f"{XS}complexType")}
        for element in _global_elements(_schema_of(name)).values():
            content = [child.tag for child in types[element.get("type")] if child.tag != f"{XS}annotation"]
            assert content == [f"{XS}sequence"]
            assert {child.tag for child in types[element.get("type")].find(f"{XS}sequence")} == {
                f"{XS}element"
            }

    @each_schema
    def test_types_are_UpperCamel_elements_inside_them_and_attributes_lowerCamel(self, path: Path) -> None:
        schema = etree.parse(path).getroot()
        for component in schema.iter(f"{XS}simpleType", f"{XS}complexType"):
            assert re.fullmatch("[A-Z][A-Za-z0-9]*", component.get("name", "")), component.sourceline
        for component in schema.iter(f"{XS}element", f"{XS}attribute"):
            pattern = "[A-Z][A-Za-z]*" if component.getparent() is schema else "[a-z][A-Za-z]*"
            assert re.fullmatch(pattern, component.get("name", "")), component.sourceline

    def test_no_type_is_unused(self) -> None:
        """A type nobody refers to is a promise nobody asked for."""
        roots = [etree.parse(path).getroot() for path in SCHEMAS]
        named = {
            component.get("name")
            for root in roots
            for component in root.iterchildren(f"{XS}simpleType", f"{XS}complexType")
        }
        used = {
            value.rpartition(":")[2]
            for root in roots
            for value in root.xpath("//@type | //@base", namespaces={"xs": XS[1:-1]})
        }
        assert named - used == set()


class TestPorts:
    @each_contract
    def test_one_service_with_a_port_for_each_soap_version_at_one_address(self, name: str) -> None:
        (service,) = _definitions(name).iterfind(f"{WSDL}service")
        addresses = {
            version: [
                address.get("location") for address in service.iterfind(f"{WSDL}port/{namespace}address")
            ]
            for version, namespace in SOAP.items()
        }
        host = "crm.example" if name in CALLED else "127.0.0.1:8080"
        here = f"http://{host}/services/{name}"
        assert addresses == {"1.1": [here], "1.2": [here]}

    @each_contract
    def test_every_operation_is_bound_to_both_versions_with_its_faults(self, name: str) -> None:
        declared = {
            operation.get("name"): [fault.get("name") for fault in operation.iterfind(f"{WSDL}fault")]
            for operation in _definitions(name).iterfind(f"{WSDL}portType/{WSDL}operation")
        }
        for version, binding in _bindings(name):
            bound = {
                operation.get("name"): [
                    fault.get("name") for fault in operation.iterfind(f"{WSDL}fault/{SOAP[version]}fault")
                ]
                for operation in binding.iterfind(f"{WSDL}operation")
            }
            assert bound == declared
        assert [version for version, _ in _bindings(name)] == ["1.1", "1.2"]

    @each_contract
    def test_the_soap_action_is_the_namespace_and_the_operation(self, name: str) -> None:
        for version, binding in _bindings(name):
            for operation in binding.iterfind(f"{WSDL}operation"):
                action = operation.find(f"{SOAP[version]}operation").get("soapAction")
                assert action == f"{_namespace(name)}/{operation.get('name')}"

    def test_every_event_begins_with_its_id_its_time_and_its_place_among_those_of_its_object(self) -> None:
        name = "events"
        schema = etree.parse(_schema_of(name)).getroot()
        for operation in _operations(name):
            for message, first in (
                (operation, ["eventId", "occurredAt", "sequence"]),
                (f"{operation}Response", ["eventId", "outcome"]),
            ):
                elements = schema.xpath(
                    "xs:complexType[@name=$name]/xs:sequence/xs:element[not(@minOccurs)]/@name",
                    name=message,
                    namespaces={"xs": XS[1:-1]},
                )
                assert elements[: len(first)] == first

    @pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"events"}))
    def test_writing_operations_carry_a_request_id_and_declare_its_reuse(self, name: str) -> None:
        schema = etree.parse(_schema_of(name)).getroot()
        for operation in _definitions(name).iterfind(f"{WSDL}portType/{WSDL}operation"):
            reuse = any(fault.get("name") == "KeyReused" for fault in operation.iterfind(f"{WSDL}fault"))
            required = schema.xpath(
                "xs:complexType[@name=$name]/xs:sequence/xs:element[@name='requestId'][not(@minOccurs)]",
                name=operation.get("name"),
                namespaces={"xs": XS[1:-1]},
            )
            reads = operation.get("name", "").startswith(("Get", "List", "Find"))
            assert (reuse, bool(required)) == (not reads, not reads), operation.get("name")

    @each_contract
    def test_every_declared_fault_is_an_element_of_the_common_faults(self, name: str) -> None:
        definitions = _definitions(name)
        known = _global_elements(shipped.XSD / "common" / "faults-1.xsd")
        for fault in definitions.iterfind(f"{WSDL}portType/{WSDL}operation/{WSDL}fault"):
            message = fault.get("message", "").removeprefix("tns:")
            (part,) = definitions.iterfind(f"{WSDL}message[@name='{message}']/{WSDL}part")
            prefix, _, local = part.get("element", "").partition(":")
            assert part.nsmap[prefix] == FAULTS
            assert local == fault.get("name")
            assert local in known


class TestBasicProfile:
    """Assertions of WS-I Basic Profile 1.1 that a document/literal description can break."""

    @each_contract
    def test_R2022_R2023_types_stand_before_everything_but_documentation_and_imports(self, name: str) -> None:
        order = [child.tag.removeprefix(WSDL) for child in _definitions(name).iterchildren(tag=etree.Element)]
        before = order[: order.index("types")]
        assert set(before) <= {"documentation", "import"}
        assert order.count("types") == 1

    @each_contract
    def test_R2001_R2003_schemas_are_imported_by_xs_import_inside_types(self, name: str) -> None:
        definitions = _definitions(name)
        assert definitions.find(f"{WSDL}import") is None
        for schema in definitions.iterfind(f"{WSDL}types/*"):
            assert schema.tag == f"{XS}schema"
            assert {child.tag for child in schema} == {f"{XS}import"}, (
                "R2105: else a targetNamespace is demanded"
            )

    @each_contract
    def test_R2204_R2210_document_messages_have_one_part_given_by_element(self, name: str) -> None:
        for message in _definitions(name).iterfind(f"{WSDL}message"):
            (part,) = message.iterfind(f"{WSDL}part")
            assert set(part.attrib) == {"name", "element"}

    @each_contract
    def test_R2705_R2706_R2707_everything_is_document_and_literal(self, name: str) -> None:
        for version, binding in _bindings(name):
            soap = SOAP[version]
            assert binding.find(f"{soap}binding").get("style") == "document"
            styles = {operation.get("style") for operation in binding.iter(f"{soap}operation")}
            assert styles == {"document"}
            assert {element.get("use") for element in binding.iter(f"{soap}body", f"{soap}fault")} == {
                "literal"
            }

    @each_contract
    def test_R2701_R2702_bindings_are_of_soap_over_http(self, name: str) -> None:
        for version, binding in _bindings(name):
            transport = binding.find(f"{SOAP[version]}binding").get("transport")
            assert transport == "http://schemas.xmlsoap.org/soap/http"

    @each_contract
    def test_R2716_no_namespace_on_document_bodies_and_faults(self, name: str) -> None:
        for version, binding in _bindings(name):
            soap = SOAP[version]
            for element in binding.iter(f"{soap}body", f"{soap}fault", f"{soap}header"):
                assert element.get("namespace") is None

    @each_contract
    def test_R2710_wire_signatures_are_unique_within_a_binding(self, name: str) -> None:
        definitions = _definitions(name)
        inputs = [
            definitions.xpath(
                "wsdl:message[@name=$name]/wsdl:part/@element",
                name=way.get("message").removeprefix("tns:"),
                namespaces={"wsdl": WSDL[1:-1]},
            )[0]
            for way in definitions.iterfind(f"{WSDL}portType/{WSDL}operation/{WSDL}input")
        ]
        assert len(inputs) == len(set(inputs)) == len(_operations(name))

    @each_contract
    def test_R2718_R2721_R2754_a_binding_names_the_operations_and_faults_of_its_port_type(
        self, name: str
    ) -> None:
        for version, binding in _bindings(name):
            assert [
                operation.get("name") for operation in binding.iterfind(f"{WSDL}operation")
            ] == _operations(name)
            for fault in binding.iterfind(f"{WSDL}operation/{WSDL}fault"):
                assert fault.find(f"{SOAP[version]}fault").get("name") == fault.get("name")

    @each_contract
    def test_R2304_operations_are_not_overloaded(self, name: str) -> None:
        assert len(_operations(name)) == len(set(_operations(name)))

    @each_contract
    def test_R2028_the_description_is_valid_by_the_schema_of_wsdl(self, name: str) -> None:
        bundled = Path(xmlschema.__file__).parent / "schemas" / "WSDL"
        wsdl = xmlschema.XMLSchema(
            bundled / "wsdl.xsd",
            locations={SOAP["1.1"][1:-1]: str(bundled / "wsdl-soap.xsd")},
            use_location_hints=False,
        )
        assert [str(error.reason) for error in wsdl.iter_errors(CONTRACTS[name])] == []


class TestReaders:
    @each_schema
    def test_libxml2_compiles_each_schema_in_less_than_50_ms(self, path: Path) -> None:
        began = process_time()
        etree.XMLSchema(file=path)
        assert process_time() - began < 0.05

    @each_schema
    def test_xmlschema_reads_each_schema_strictly(self, path: Path) -> None:
        schema = xmlschema.XMLSchema(path, validation="strict")
        assert schema.validation_attempted == "full"

    @each_contract
    def test_zeep_reads_each_contract_and_sees_both_ports(self, name: str) -> None:
        client = zeep.Client(str(CONTRACTS[name]))
        (service,) = client.wsdl.services.values()
        assert sorted(service.ports) == [f"{name.capitalize()}Soap11", f"{name.capitalize()}Soap12"]
        for port in service.ports.values():
            assert sorted(port.binding.all()) == sorted(_operations(name))


class TestLimits:
    """What the business bounds is bounded by the schema, where every partner can read it."""

    @staticmethod
    def _movements(count: int) -> etree._Element:
        movement = (
            '<movement><sku>A-1</sku><quantity unit="KGM">1</quantity>'
            "<receipt><warehouse>WH1</warehouse><reason>opening</reason></receipt></movement>"
        )
        return etree.fromstring(
            f'<UpdateStock xmlns="{_namespace("inventory")}"><requestId>r-1</requestId>{movement * count}</UpdateStock>'
        )

    @pytest.mark.parametrize(("count", "valid"), [(0, False), (1, True), (1000, True), (1001, False)])
    def test_an_update_holds_1_to_1000_movements(self, count: int, valid: bool) -> None:
        schema = etree.XMLSchema(file=_schema_of("inventory"))
        assert schema.validate(self._movements(count)) is valid, schema.error_log


class TestTheirPage:
    """docs/contracts.md speaks of what is there."""

    PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"

    def _rows(self, heading: str) -> list[list[str]]:
        _, _, section = self.PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
        lines = section.partition("\n## ")[0].splitlines()
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")
        ]
        return rows[1:]

    @pytest.mark.parametrize(
        ("heading", "names"),
        [("Operations", set(CONTRACTS) - set(CALLED)), ("What we call on the CRM", set(CALLED))],
    )
    def test_it_lists_every_operation_with_its_faults(self, heading: str, names: set[str]) -> None:
        listed = {(row[0], row[1]): row[3].split(", ") for row in self._rows(heading) if len(row) == 4}
        declared = {
            (name, operation.get("name")): [fault.get("name") for fault in operation.iterfind(f"{WSDL}fault")]
            for name in names
            for operation in _definitions(name).iterfind(f"{WSDL}portType/{WSDL}operation")
        }
        assert listed == declared

    def test_it_lists_every_declared_fault(self) -> None:
        listed = [row[0] for row in self._rows("Operations") if len(row) == 3][1:]  # less the heading
        assert sorted(listed) == sorted(_global_elements(shipped.XSD / "common" / "faults-1.xsd"))

    def test_it_lists_every_shared_type(self) -> None:
        listed = [name for row in self._rows("Shared types") for name in re.findall("`(\\w+)`", row[0])]
        types = etree.parse(shipped.XSD / "common" / "types-1.xsd").getroot()
        defined = [
            component.get("name") for component in types.iterchildren(f"{XS}simpleType", f"{XS}complexType")
        ]
        assert sorted(listed) == sorted(defined)
