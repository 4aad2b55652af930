"""A Salesforce that sends outbound messages, as far as those who receive them can tell.

    org = Salesforce("Account", {"Name": "string", "Level__c": "string", "CreditLimit__c": "double"})
    Path("account.wsdl").write_text(org.wsdl("https://bridge.example/services/account"))
    org.change("001000000000001AAA", Name="Example Trading", Level__c="A")
    org.send_all("http://127.0.0.1:8080/services/account")

What it does as Salesforce's documentation says: batches of up to 100 with one Ack; at least once, and more often where `repeats` says so;
in no order; only the newest values of a record; again what was not acknowledged, at growing intervals; dropped after 24 hours
of its own clock, which `wait` moves. Nothing is told of deletes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

import requests
from lxml import etree

OUTBOUND: Final = "http://soap.sforce.com/2005/09/outbound"
OBJECTS: Final = "urn:sobject.enterprise.soap.sforce.com"
MOST: Final = 100
"""Notifications in one message."""
DROPPED_AFTER: Final = timedelta(hours=24)
LONGEST_PAUSE: Final = timedelta(hours=2)
_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"


@dataclass(slots=True)
class Queued:
    """A notification that was not acknowledged yet. `values` are those of the moment it is sent."""

    id: str
    record_id: str
    queued_at: datetime
    due_at: datetime
    tries: int = 0
    last_answer: str = ""


@dataclass(slots=True)
class Sent:
    """What became of sending: notifications that were acknowledged, that are still queued, and that were dropped."""

    acknowledged: int = 0
    messages: int = 0
    queued: int = 0
    dropped: int = 0
    answers: list[str] = field(default_factory=list)


class Salesforce:
    """One outbound message of one organization.

    Args:
        name: the object: `Account`.
        fields: XSD types by field, beside Id and LastModifiedDate.
        repeats: how likely an acknowledged notification is sent once more.
        seed: of what is left to chance.
    """

    def __init__(
        self,
        name: str,
        fields: Mapping[str, str],
        *,
        organization: str = "00D000000000001AAA",
        repeats: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.name = name
        self.fields = dict(fields)
        self.organization = organization
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.records: dict[str, dict[str, object]] = {}
        self.queue: list[Queued] = []
        self._repeats = repeats
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._count = 0

    # -- the organization's own work

    def change(self, record_id: str, **values: object) -> None:
        """A record was made or changed: a notification is queued."""
        self._count += 1
        self.now += timedelta(seconds=1)
        record = self.records.setdefault(record_id, {"Id": record_id})
        record |= {**values, "LastModifiedDate": self.now}
        self.queue.append(Queued(f"04l{self._count:012d}AAA", record_id, self.now, self.now))

    def delete(self, record_id: str) -> None:
        """A record is gone: nobody is told, and what was queued of it is sent no more."""
        self.records.pop(record_id, None)
        self.queue = [one for one in self.queue if one.record_id != record_id]

    def wait(self, passed: timedelta) -> None:
        """Its clock goes on."""
        self.now += passed

    # -- sending

    def send(self, endpoint: str) -> Sent:
        """Send what is due, each once."""
        sent = Sent()
        kept = [one for one in self.queue if self.now - one.queued_at < DROPPED_AFTER]
        sent.dropped = len(self.queue) - len(kept)
        self.queue = kept
        due = [one for one in self.queue if one.due_at <= self.now]
        self._chance.shuffle(due)
        for start in range(0, len(due), MOST):
            batch = due[start : start + MOST]
            answer = self._post(endpoint, batch)
            sent.messages += 1
            sent.answers.append(answer)
            for one in batch:
                one.tries += 1
                one.last_answer = answer
                if answer == "acknowledged" and self._chance.random() >= self._repeats:
                    self.queue.remove(one)
                    sent.acknowledged += 1
                else:
                    one.due_at = self.now + min(timedelta(seconds=5 * 2**one.tries), LONGEST_PAUSE)
        sent.queued = len(self.queue)
        return sent

    def send_all(self, endpoint: str, *, rounds: int = 50) -> Sent:
        """Send, and again what was not acknowledged, until nothing is queued or it was dropped."""
        whole = Sent()
        for _ in range(rounds):
            sent = self.send(endpoint)
            whole.acknowledged += sent.acknowledged
            whole.messages += sent.messages
            whole.dropped += sent.dropped
            whole.answers += sent.answers
            if not self.queue:
                break
            self.wait(timedelta(minutes=10))
        whole.queued = len(self.queue)
        return whole

    def message(self, batch: list[Queued]) -> bytes:
        """The envelope of these notifications, with the values of now."""
        told = "".join(
            f"<Notification><Id>{one.id}</Id>"
            f'<sObject xsi:type="sf:{self.name}" xmlns:sf="{OBJECTS}">{self._values(one.record_id)}</sObject></Notification>'
            for one in batch
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
            f'<notifications xmlns="{OUTBOUND}"><OrganizationId>{self.organization}</OrganizationId>'
            '<ActionId>04k000000000001AAA</ActionId><SessionId xsi:nil="true"/>'
            "<EnterpriseUrl>https://example.invalid/services/Soap/c/61.0</EnterpriseUrl>"
            "<PartnerUrl>https://example.invalid/services/Soap/u/61.0</PartnerUrl>"
            f"{told}</notifications></soapenv:Body></soapenv:Envelope>"
        ).encode()

    def _values(self, record_id: str) -> str:
        record = self.records[record_id]
        names = ["Id", *(name for name in sorted({*self.fields, "LastModifiedDate"}) if name in record)]
        return "".join(
            f"<sf:{name}>{_text(record[name])}</sf:{name}>" for name in names if record[name] is not None
        )

    def _post(self, endpoint: str, batch: list[Queued]) -> str:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        try:
            answer = requests.post(endpoint, data=self.message(batch), headers=headers, timeout=60)
            tree = etree.fromstring(answer.content)
        except requests.RequestException as error:
            return f"no answer: {type(error).__name__}"
        except etree.XMLSyntaxError:
            return f"HTTP {answer.status_code} without SOAP"
        ack = tree.findtext(f".//{{{OUTBOUND}}}Ack")
        if answer.status_code == requests.codes.ok and ack == "true":
            return "acknowledged"
        return f"HTTP {answer.status_code}, Ack {ack}"

    # -- its WSDL

    def wsdl(self, endpoint: str) -> str:
        """The WSDL that an organization generates for this message."""
        elements = "".join(
            f'<element name="{name}" nillable="true" minOccurs="0" type="xsd:{kind}"/>'
            for name, kind in sorted({**self.fields, "LastModifiedDate": "dateTime"}.items())
        )
        return _WSDL.format(name=self.name, elements=elements, endpoint=escape(endpoint, quote=True))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


_WSDL: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<definitions targetNamespace="http://soap.sforce.com/2005/09/outbound"
             xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
             xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="http://soap.sforce.com/2005/09/outbound"
             xmlns:ent="urn:enterprise.soap.sforce.com" xmlns:ens="urn:sobject.enterprise.soap.sforce.com">
  <types>
    <schema elementFormDefault="qualified" xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:enterprise.soap.sforce.com">
      <simpleType name="ID">
        <restriction base="xsd:string"><length value="18"/><pattern value="[a-zA-Z0-9]{{18}}"/></restriction>
      </simpleType>
    </schema>
    <schema elementFormDefault="qualified" xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:sobject.enterprise.soap.sforce.com">
      <import namespace="urn:enterprise.soap.sforce.com"/>
      <complexType name="sObject">
        <sequence>
          <element name="fieldsToNull" type="xsd:string" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
          <element name="Id" type="ent:ID" nillable="true"/>
        </sequence>
      </complexType>
      <complexType name="{name}">
        <complexContent>
          <extension base="ens:sObject"><sequence>{elements}</sequence></extension>
        </complexContent>
      </complexType>
    </schema>
    <schema elementFormDefault="qualified" xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://soap.sforce.com/2005/09/outbound">
      <import namespace="urn:enterprise.soap.sforce.com"/>
      <import namespace="urn:sobject.enterprise.soap.sforce.com"/>
      <element name="notifications">
        <complexType>
          <sequence>
            <element name="OrganizationId" type="ent:ID"/>
            <element name="ActionId" type="ent:ID"/>
            <element name="SessionId" type="xsd:string" nillable="true"/>
            <element name="EnterpriseUrl" type="xsd:string"/>
            <element name="PartnerUrl" type="xsd:string"/>
            <element name="Notification" maxOccurs="100" type="tns:{name}Notification"/>
          </sequence>
        </complexType>
      </element>
      <complexType name="{name}Notification">
        <sequence><element name="Id" type="ent:ID"/><element name="sObject" type="ens:{name}"/></sequence>
      </complexType>
      <element name="notificationsResponse">
        <complexType><sequence><element name="Ack" type="xsd:boolean"/></sequence></complexType>
      </element>
    </schema>
  </types>
  <message name="notificationsRequest"><part element="tns:notifications" name="request"/></message>
  <message name="notificationsResponse"><part element="tns:notificationsResponse" name="response"/></message>
  <portType name="NotificationPort">
    <operation name="notifications">
      <documentation>Process a number of notifications.</documentation>
      <input message="tns:notificationsRequest"/>
      <output message="tns:notificationsResponse"/>
    </operation>
  </portType>
  <binding name="NotificationBinding" type="tns:NotificationPort">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>
    <operation name="notifications">
      <soap:operation soapAction=""/>
      <input><soap:body use="literal"/></input>
      <output><soap:body use="literal"/></output>
    </operation>
  </binding>
  <service name="NotificationService">
    <documentation>Notification Service Implementation</documentation>
    <port binding="tns:NotificationBinding" name="Notification"><soap:address location="{endpoint}"/></port>
  </service>
</definitions>
"""
