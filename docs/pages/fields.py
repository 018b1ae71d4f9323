"""The reference of the instance format, made from its JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import offload
from offload.problem import FORMAT
from pages.markdown import table

__all__ = ["reference"]

OPENING = f"""# Format reference

Every object and field of an instance file (`{FORMAT}`), made from the JSON Schema that
`offload schema` and `offload.schema()` give. What the fields mean together (routes, transfers,
capacity, metrics), selectors, and the format of plans are told in [The format](format.md).
A file has one [Problem](#problem). Units are SI; numbers are finite; keys that are not listed are
errors. In Python each object is a class of the same name with the same fields: [problem and its
parts](reference/problem.md).
"""


def reference() -> str:
    """The page: a table of fields for each object of the schema."""
    parts = [OPENING]
    for name, made in offload.schema()["$defs"].items():
        rows = [
            (f"`{key}`", _kind(field), _default(key, field, made), field.get("description", ""))
            for key, field in made["properties"].items()
        ]
        fields = table(("field", "type", "default", "meaning"), rows)
        parts.append(f"## {name} {{ #{name.lower()} }}\n\n{made['description']}\n\n{fields}")
    return "\n\n".join(parts) + "\n"


def _default(key: str, field: dict[str, Any], made: dict[str, Any]) -> str:
    """The value that stands where the field is left out."""
    if key in made["required"]:
        return "required"
    if "$ref" in field:  # its fields have defaults of their own
        return "empty"
    return f"`{json.dumps(field['default'])}`"


def _kind(field: dict[str, Any]) -> str:
    """The type of a value with its bounds, in words."""
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kind = field["type"]
    if kind == "array":
        least = ", at least one" if field.get("minItems") else ""
        return f"list of {_kind(field['items'])}{least}"
    if kind == "object":
        keys = "metric" if "enum" in field.get("propertyNames", {}) else "selector"
        return f"{_kind(field['additionalProperties'])} by {keys}"
    return _PLAIN[kind] + _bounds(field)


_PLAIN = {
    "string": "text", "number": "number", "integer": "integer", "boolean": "true or false",
    "null": "null",
}  # fmt: skip


def _bounds(field: dict[str, Any]) -> str:
    """What a value must be besides its type."""
    if field.get("minLength"):
        return ", not empty"
    parts = []
    if "exclusiveMinimum" in field:
        parts.append(f"> {_number(field['exclusiveMinimum'])}")
    if "minimum" in field:
        parts.append(f"≥ {_number(field['minimum'])}")
    if "maximum" in field:
        parts.append(f"≤ {_number(field['maximum'])}")
    return (" " + ", ".join(parts)) if parts else ""


def _number(value: float) -> str:
    return "2<sup>53</sup>" if value == 2**53 else f"{value:g}"
