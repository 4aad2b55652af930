"""Names and columns of the tables between us, from a partner's file.

    [partner]
    schema = "exchange"            # empty: where the connection is
    prefix = "crm_"
    lease = 300                    # seconds for which a claimed row is ours
    attempts = 10                  # a row that was claimed so often, and never acknowledged, is rejected

    [entities.accounts]
    id = "account_no"
    inbox = "crm_accounts_inbox"   # these are the names without the two lines
    outbox = "crm_accounts_outbox"
    columns = { name = "name1" }   # of fields whose column has another name

Beside the fields every table has the columns of `CONTROL`. A field of the name of one has its column with a `_` at the end, but for
`created_at` and `seq`: those two may be read as fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bridge.mapping.shapes import Field
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.sql import Dialect
from bridge.partners.sql.columns import Family, Found
from bridge.partners.sql.database import Bounds
from bridge.partners.sql.options import Keys, bounds
from bridge.partners.sql.values import Column

CONTROL: Final = (
    "seq",
    "message_id",
    "operation",
    "state",
    "reason",
    "explanation",
    "claimed_by",
    "claimed_until",
    "attempts",
    "created_at",
    "done_at",
)
READABLE: Final = frozenset({"seq", "created_at"})

Way = Literal["inbox", "outbox"]
WAYS: Final[tuple[Way, ...]] = ("inbox", "outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The tables of one entity. `columns` are those of its fields, by field."""

    entity: Entity
    inbox: str
    outbox: str
    columns: Mapping[str, Column]

    def table(self, way: Way) -> str:
        return self.inbox if way == "inbox" else self.outbox

    @property
    def own(self) -> dict[str, Column]:
        """The columns that are fields and nothing else: what is written."""
        return {name: column for name, column in self.columns.items() if column.name not in CONTROL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    entities: Mapping[str, Layout]
    bounds: Bounds
    lease: float
    attempts: int
    mistakes: tuple[str, ...]


def layouts(file: PartnerFile, dialect: Dialect, *, connect_timeout: float = 5.0) -> Layouts:
    """Everything that a file of the kind `staging` says; mistakes are in the answer."""
    mistakes: list[str] = []
    keys = Keys(file, "partner", file.options, mistakes)
    schema, prefix = keys.text("schema"), keys.text("prefix")
    lease = keys.number("lease", 300, least=1, most=86_400)
    attempts = int(keys.number("attempts", 10, least=1, most=1000))
    taken = bounds(keys, connect_timeout=connect_timeout)
    keys.unknown()
    found = {}
    for name, entity in file.entities.items():
        place = Keys(file, f"entities.{name}", entity.options, mistakes)
        found[name] = _layout(place, entity, dialect, schema, prefix)
        place.unknown()
    return Layouts(entities=found, bounds=taken, lease=lease, attempts=attempts, mistakes=tuple(mistakes))


def _layout(keys: Keys, entity: Entity, dialect: Dialect, schema: str, prefix: str) -> Layout:
    within = f"{schema}." if schema else ""
    names = {way: keys.text(way, f"{prefix}{entity.name}_{way}") for way in WAYS}
    renamed = keys.texts("columns")
    fields = entity.shape.fields
    for name in sorted(renamed.keys() - fields.keys()):
        keys.mistake("columns", f"{name} is no field of {entity.name}")
    for name, column in renamed.items():
        if column.lower() in CONTROL:
            keys.mistake("columns", f"{name}: {column} is a column of ours")
    if entity.id in READABLE:
        keys.mistake("id", f"{entity.id} is a column of ours: name the field that names the record")
    made = {}
    for name, field in fields.items():
        if (
            field.kind == "decimal"
            and not field.repeats
            and dialect == "mysql"
            and None in (field.digits, field.fraction)
        ):
            keys.mistake(
                "fields", f"{name}: a DECIMAL of MySQL rounds in silence: say `digits` and `fraction`"
            )
        made[name] = _column(field, renamed.get(name, ""), dialect)
    return Layout(
        entity=entity,
        inbox=names["inbox"] if "." in names["inbox"] else within + names["inbox"],
        outbox=names["outbox"] if "." in names["outbox"] else within + names["outbox"],
        columns=made,
    )


def _column(field: Field, renamed: str, dialect: Dialect) -> Column:
    name = renamed or field.name
    if not renamed and name in CONTROL and name not in READABLE:
        name += "_"
    if field.name == "created_at" and name in CONTROL:
        family: Family = "text" if dialect == "sqlite" else "moment"
    else:
        family = _family(field, dialect)
    return Column(field, name, Found(name, "", family))


def _family(field: Field, dialect: Dialect) -> Family:
    """What `ddl` makes of a field."""
    if field.repeats or field.kind == "object":
        return "json" if dialect == "postgresql" else "text"
    match field.kind:
        case "integer":
            return "integer"
        case "decimal":
            return "text" if dialect == "sqlite" else "decimal"
        case "boolean":
            return "boolean" if dialect == "postgresql" else "integer"
        case "date":
            return "text" if dialect == "sqlite" else "date"
        case "datetime":
            return {"postgresql": "moment", "mysql": "datetime", "sqlite": "text"}[dialect]  # type: ignore[return-value]
    return "text"
