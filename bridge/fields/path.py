"""How settings name a field: by the local names of elements from the payload down, an attribute as `@name` at the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldPath:
    """`steps` are element names below the payload; `attribute` is one of the last of them, or of the payload itself."""

    steps: tuple[str, ...]
    attribute: str | None = None

    @classmethod
    def read(cls, text: str) -> FieldPath:
        """`order/line/unitPrice`, `order/@id`. Raises ValueError for what is neither."""
        *steps, last = text.strip().strip("/").split("/")
        attribute = last[1:] if last.startswith("@") else None
        if attribute is None:
            steps.append(last)
        if not all(map(_is_name, (*steps, *([] if attribute is None else [attribute])))):
            raise ValueError(f"{text!r} is no path of names like `order/line/unitPrice` or `order/@id`")
        return cls(tuple(steps), attribute)

    @property
    def name(self) -> str:
        """The field's own name, an attribute's without the `@`."""
        return self.steps[-1] if self.attribute is None else self.attribute

    def covers(self, other: FieldPath) -> bool:
        """Whether whoever does not see this field does not see `other` either: it is the same, or inside."""
        if self.attribute is not None:
            return self == other
        return other.steps[: len(self.steps)] == self.steps

    def __str__(self) -> str:
        return "/".join((*self.steps, *([] if self.attribute is None else [f"@{self.attribute}"])))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the messages of one operation (its key in the contract)."""

    operation: str
    path: FieldPath

    @classmethod
    def read(cls, text: str) -> Field:
        """`CreateCustomer customer/idNumber`. Raises ValueError for what is not like that."""
        operation, _, path = text.strip().rpartition(" ")
        if not operation.strip():
            raise ValueError(
                f"{text!r} does not name an operation and a field: `GetOrder order/line/unitPrice`"
            )
        return cls(operation.strip(), FieldPath.read(path))

    def __str__(self) -> str:
        return f"{self.operation} {self.path}"


def local(name: object) -> str:
    """The local part of a tag; "" for a comment, whose tag is a function."""
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def _is_name(text: str) -> bool:
    return bool(text) and not any(char in text for char in " @{}[]()*:'\"")
