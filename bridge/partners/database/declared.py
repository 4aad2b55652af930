"""What a partner's file says of its tables: where each entity is read, and by which statements it is written.

[partner]
writable = true

[entities.accounts]
table = "sales.accounts"                       # or query = "SELECT …"
columns = { name = "name1" }                   # of fields whose column has another name
scaled = ["credit"]                            # whole numbers: 1250 for 12.50, by the field's `fraction`
deleted = "is_deleted"                         # the field that says that a record is no longer there
version = "row_version"                        # the field that changes with every write
[entities.accounts.expects]                    # the columns as they are to be
name1 = "VARCHAR(200) NOT NULL"
[entities.accounts.write]
update = "UPDATE sales.accounts SET name1 = :name WHERE account_no = :account_no AND row_version = :row_version"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from bridge.mapping.shapes import Field
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.partner import VERBS
from bridge.partners.sql.database import Bounds
from bridge.partners.sql.options import Keys, bounds

DOCUMENT_ID = "document_id"
"""The parameter of a statement that holds the document's own id, the same at every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One entity: either `table` or `query` is given."""

    entity: Entity
    table: str
    query: str
    columns: Mapping[str, str]
    scaled: frozenset[str]
    deleted: str
    version: str
    expects: Mapping[str, str]
    write: Mapping[str, str]

    @property
    def where(self) -> str:
        """What is read, for people."""
        return self.table or "its query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    entities: Mapping[str, Declared]
    bounds: Bounds
    writable: bool
    mistakes: tuple[str, ...]


def declarations(file: PartnerFile, *, connect_timeout: float) -> Declarations:
    """Everything that a file of the kind `database` says; mistakes are in the answer."""
    mistakes: list[str] = []
    keys = Keys(file, "partner", file.options, mistakes)
    writable = keys.flag("writable")
    taken = bounds(keys, connect_timeout=connect_timeout)
    keys.unknown()
    entities = {name: _declared(file, entity, writable, mistakes) for name, entity in file.entities.items()}
    return Declarations(entities=entities, bounds=taken, writable=writable, mistakes=tuple(mistakes))


def parameters_of(statement: str) -> frozenset[str]:
    """The names of a statement's parameters: `:name`."""
    return frozenset(text(statement).compile().params)


def _declared(file: PartnerFile, entity: Entity, writable: bool, mistakes: list[str]) -> Declared:
    section = f"entities.{entity.name}"
    keys = Keys(file, section, entity.options, mistakes)
    fields = entity.shape.fields
    found = Declared(
        entity=entity,
        table=keys.text("table"),
        query=keys.text("query").rstrip("; \n"),
        columns=keys.texts("columns"),
        scaled=frozenset(keys.names("scaled")),
        deleted=keys.text("deleted"),
        version=keys.text("version"),
        expects=keys.texts("expects"),
        write=_verbs(keys),
    )
    keys.unknown()
    if bool(found.table) == bool(found.query):
        keys.mistake("", "give either table or query")
    if found.query and parameters_of(found.query):
        keys.mistake("query", f"takes no parameters: {', '.join(sorted(parameters_of(found.query)))}")
    for key, names in (("columns", found.columns), ("scaled", found.scaled)):
        for name in sorted(set(names) - fields.keys()):
            keys.mistake(key, f"{name} is no field of {entity.name}")
    for name in sorted(found.scaled & fields.keys()):
        _check_scaled(keys, fields[name])
    for key, name in (("deleted", found.deleted), ("version", found.version)):
        if name and name not in fields:
            keys.mistake(key, f"{name} is no field of {entity.name}")
    if found.deleted in fields and fields[found.deleted].kind != "boolean":
        keys.mistake("deleted", f"{found.deleted} must be a boolean")
    if found.write and not writable:
        keys.mistake("write", "the partner is only read: say writable = true under [partner]")
    writing = Keys(file, f"{section}.write", found.write, mistakes)
    for verb, statement in found.write.items():
        _check_statement(writing, verb, statement, found)
    return found


def _verbs(keys: Keys) -> dict[str, str]:
    given = keys.texts("write")
    for name in given.keys() - set(VERBS):
        keys.mistake("write", f"there is no verb {name}; there are {', '.join(VERBS)}")
    return {verb: given[verb] for verb in VERBS if verb in given}


def _check_scaled(keys: Keys, field: Field) -> None:
    if field.kind != "decimal" or field.fraction is None:
        keys.mistake("scaled", f"{field.name} must be a decimal that says its `fraction`")


def _check_statement(keys: Keys, verb: str, statement: str, found: Declared) -> None:
    used = parameters_of(statement)
    fields = found.entity.shape.fields
    for name in sorted(used - fields.keys() - {DOCUMENT_ID}):
        keys.mistake(verb, f":{name} is no field of {found.entity.name}")
    if found.entity.id not in used:
        keys.mistake(verb, f"the record is named by :{found.entity.id}, which is not in the statement")
    if found.version and verb in ("update", "delete") and found.version not in used:
        keys.mistake(
            verb, f"the version is not looked at: add AND {found.version} = :{found.version} to its WHERE"
        )
