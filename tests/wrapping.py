"""Signature wrapping, in all the variants that are known: the signed element is moved where nobody reads it, and another stands in
its place. McIntosh and Austel, "XML Signature Element Wrapping Attacks and Countermeasures" (2005); WS-Attacker's collection.

They fit a message whose Header is a MessageID, then a Security header that begins with the Timestamp; all three are signed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta

from lxml import etree

from bridge.soap.security import DS, SECURITY, WSU
from tests.signatures import body_of, signature_of

ID = f"{{{WSU}}}Id"
EVIL = '<o:order xmlns:o="urn:orders"><o:item>gold</o:item><o:count>9</o:count></o:order>'
"""What stands in the new Body."""


def evil_body(root: etree._Element, identifier: str | None) -> etree._Element:
    """Takes the Body out of `root`, puts another in, and returns the one that was signed."""
    body = body_of(root)
    other = etree.Element(body.tag, nsmap=body.nsmap)
    other.append(etree.fromstring(EVIL))
    if identifier is not None:
        other.set(ID, identifier)
    root.replace(body, other)
    return body


def header(root: etree._Element) -> etree._Element:
    return root[0]


def security(root: etree._Element) -> etree._Element:
    found = header(root).find(SECURITY)
    assert found is not None
    return found


def wrapper(
    parent: etree._Element, inside: etree._Element, tag: str = "{urn:evil}wrapper", at: int = 0
) -> None:
    holder = etree.Element(tag)
    holder.append(inside)
    parent.insert(at, holder)


def nested_envelope(root: etree._Element, body: etree._Element) -> etree._Element:
    """The signed Body in an Envelope of its own, which is to be looked for by its path from any Envelope on."""
    inner = etree.Element(root.tag, nsmap=root.nsmap)
    inner.append(body)
    return inner


def _later(timestamp: etree._Element) -> None:
    """Moves Created, as who wants to use an old message would; by so little that it would be taken."""
    created = datetime.fromisoformat(timestamp[0].text or "") + timedelta(seconds=1)
    timestamp[0].text = f"{created:%Y-%m-%dT%H:%M:%SZ}"


Attack = Callable[[etree._Element], None]


def body_in_header_block(root: etree._Element) -> None:
    wrapper(header(root), evil_body(root, None))


def body_in_header_block_with_the_same_id(root: etree._Element) -> None:
    identifier = body_of(root).get(ID)
    wrapper(header(root), evil_body(root, identifier))


def body_in_header_block_with_another_id(root: etree._Element) -> None:
    wrapper(header(root), evil_body(root, "other"))


def body_as_header_block(root: etree._Element) -> None:
    header(root).append(evil_body(root, "other"))


def body_as_child_of_security(root: etree._Element) -> None:
    security(root).append(evil_body(root, "other"))


def body_in_child_of_security(root: etree._Element) -> None:
    wrapper(security(root), evil_body(root, "other"))


def body_in_the_signatures_object(root: etree._Element) -> None:
    wrapper(signature_of(root), evil_body(root, None), f"{{{DS}}}Object", at=3)


def body_in_key_info(root: etree._Element) -> None:
    key_info = signature_of(root).find(f"{{{DS}}}KeyInfo")
    assert key_info is not None
    wrapper(key_info, evil_body(root, None))


def body_in_signed_info(root: etree._Element) -> None:
    wrapper(signature_of(root)[0], evil_body(root, None), at=4)


def body_in_the_new_body(root: etree._Element) -> None:
    body = evil_body(root, None)
    body_of(root)[0].append(body)


def body_in_the_new_body_with_the_same_id(root: etree._Element) -> None:
    body = evil_body(root, body_of(root).get(ID))
    body_of(root)[0].append(body)


def body_beside_the_new_payload(root: etree._Element) -> None:
    body = evil_body(root, None)
    body_of(root).append(body)


def two_bodies_the_signed_one_first(root: etree._Element) -> None:
    body = evil_body(root, "other")
    root.insert(1, body)


def two_bodies_the_signed_one_last(root: etree._Element) -> None:
    body = evil_body(root, "other")
    root.append(body)


def two_headers(root: etree._Element) -> None:
    body = evil_body(root, None)
    second = etree.Element(header(root).tag)
    wrapper(second, body)
    root.insert(1, second)


def body_in_an_envelope_in_the_header(root: etree._Element) -> None:
    body = evil_body(root, None)
    header(root).insert(0, nested_envelope(root, body))


def the_whole_message_in_a_header_block(root: etree._Element) -> None:
    original = copy.deepcopy(root)
    evil_body(root, None)
    wrapper(header(root), original)


def the_whole_message_in_a_header_block_signature_first(root: etree._Element) -> None:
    original = copy.deepcopy(root)
    evil_body(root, body_of(root).get(ID))
    wrapper(header(root), original, at=len(header(root)))


def body_with_its_id_as_plain_attribute(root: etree._Element) -> None:
    identifier = body_of(root).get(ID)
    assert identifier is not None
    body = evil_body(root, None)
    wrapper(header(root), body)
    body_of(root).set("Id", identifier)


def body_with_its_id_as_xml_id(root: etree._Element) -> None:
    identifier = body_of(root).get(ID)
    assert identifier is not None
    body = evil_body(root, None)
    wrapper(header(root), body)
    body_of(root).set("{http://www.w3.org/XML/1998/namespace}id", identifier)


def body_of_the_other_soap_version(root: etree._Element) -> None:
    body = evil_body(root, None)
    body.tag = "{http://www.w3.org/2003/05/soap-envelope}Body"
    root.append(body)


def timestamp_in_a_wrapper(root: etree._Element) -> None:
    old = security(root)[0]
    new = copy.deepcopy(old)
    _later(new)
    del new.attrib[ID]
    security(root).replace(old, new)
    wrapper(security(root), old)


def timestamp_in_a_wrapper_with_the_same_id(root: etree._Element) -> None:
    old = security(root)[0]
    new = copy.deepcopy(old)
    _later(new)
    security(root).replace(old, new)
    wrapper(security(root), old)


def timestamp_as_header_block(root: etree._Element) -> None:
    old = security(root)[0]
    new = copy.deepcopy(old)
    _later(new)
    new.set(ID, "other")
    security(root).replace(old, new)
    header(root).append(old)


def timestamp_in_another_security_header(root: etree._Element) -> None:
    old = security(root)[0]
    new = copy.deepcopy(old)
    _later(new)
    new.set(ID, "other")
    security(root).replace(old, new)
    wrapper(header(root), old, SECURITY, at=len(header(root)))


def header_block_in_a_wrapper(root: etree._Element) -> None:
    old = header(root)[0]
    new = copy.deepcopy(old)
    new.text = "urn:uuid:2"
    del new.attrib[ID]
    header(root).replace(old, new)
    wrapper(header(root), old)


def header_block_moved_into_security(root: etree._Element) -> None:
    old = header(root)[0]
    new = copy.deepcopy(old)
    new.text = "urn:uuid:2"
    new.set(ID, "other")
    header(root).replace(old, new)
    security(root).append(old)


def header_block_moved_into_the_body(root: etree._Element) -> None:
    old = header(root)[0]
    header(root).remove(old)
    body_of(root).append(old)


ATTACKS: tuple[Attack, ...] = (
    body_in_header_block,
    body_in_header_block_with_the_same_id,
    body_in_header_block_with_another_id,
    body_as_header_block,
    body_as_child_of_security,
    body_in_child_of_security,
    body_in_the_signatures_object,
    body_in_key_info,
    body_in_signed_info,
    body_in_the_new_body,
    body_in_the_new_body_with_the_same_id,
    body_beside_the_new_payload,
    two_bodies_the_signed_one_first,
    two_bodies_the_signed_one_last,
    two_headers,
    body_in_an_envelope_in_the_header,
    the_whole_message_in_a_header_block,
    the_whole_message_in_a_header_block_signature_first,
    body_with_its_id_as_plain_attribute,
    body_with_its_id_as_xml_id,
    body_of_the_other_soap_version,
    timestamp_in_a_wrapper,
    timestamp_in_a_wrapper_with_the_same_id,
    timestamp_as_header_block,
    timestamp_in_another_security_header,
    header_block_in_a_wrapper,
    header_block_moved_into_security,
    header_block_moved_into_the_body,
)
