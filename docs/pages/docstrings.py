"""What Griffe is told of the code: references of docstrings, and what fields of records mean."""

from __future__ import annotations

import ast
import importlib
import re
from typing import Any, ClassVar

import griffe

import offload
from pages.names import addresses
from pages.roles import in_markdown

__all__ = ["Docstrings"]

_log = griffe.get_logger("offload.docs")


class Docstrings(griffe.Extension):
    """Links for references, and the schema's descriptions as docstrings of fields."""

    def on_object(self, *, obj: griffe.Object, loader: Any, **kwargs: Any) -> None:
        """Once the object is complete."""
        if obj.docstring:
            text = in_markdown(obj.docstring.value, lambda name: _address(obj, name))
            obj.docstring.value = _one_by_one(text)

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Records of the format: their fields are what they are made with."""
        fields = offload.schema()["$defs"].get(cls.name, {}).get("properties", {})
        if cls.module.path != "offload.problem" or not fields:
            return
        lines = []
        parameters = griffe.Parameters()
        for name, field in fields.items():
            attribute = cls.members.get(name)
            if isinstance(attribute, griffe.Attribute):
                annotation = _plain(attribute.annotation, cls)
                meaning = field["description"]
                lines += [name, f"    {meaning[0].upper()}{meaning[1:]}."]
                default = attribute.value
                if str(default).startswith("msgspec.field"):
                    default = repr(field["default"])
                kind = griffe.ParameterKind.positional_or_keyword
                parameters.add(
                    griffe.Parameter(name, annotation=annotation, kind=kind, default=default)
                )
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters))
        assert cls.docstring is not None
        if "\nParameters\n" not in cls.docstring.value:
            cls.docstring.value += "\n\nParameters\n----------\n" + "\n".join(lines)


def _one_by_one(text: str) -> str:
    """A docstring in which each parameter has its own entry: "src, dst" would have one type."""

    def apart(found: re.Match[str]) -> str:
        names, kind, meaning = found.groups()
        return "\n".join(f"{name}{kind or ''}\n{meaning}" for name in names.split(", "))

    return re.sub(
        r"^([a-z_]\w*(?:, [a-z_]\w*)+)( : [^\n]*)?\n((?:    [^\n]*(?:\n(?=    ))?)+)",
        apart,
        text,
        flags=re.M,
    )


class _Plain(ast.NodeTransformer):
    """``Annotated[X, ...]`` is X, and the format's own names of types are what they stand for."""

    NAMES: ClassVar = {
        "Id": "str", "Amount": "float", "Positive": "float", "Many": "Sequence",
        "AmountBySelector": "dict[str, float]",
    }  # fmt: skip

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == "Annotated":
            assert isinstance(node.slice, ast.Tuple)
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.parse(self.NAMES.get(node.id, node.id), mode="eval").body


def _plain(annotation: Any, parent: griffe.Class) -> Any:
    tree = _Plain().visit(ast.parse(str(annotation), mode="eval").body)
    return griffe.get_expression(tree, parent=parent)


def _address(obj: griffe.Object, name: str) -> str | None:
    """Where the site has what a docstring names; a full name that there is not is an error."""
    known = addresses()
    if name in known:
        return known[name]
    for prefix in (obj.path, obj.module.path, "offload"):
        if (full := f"{prefix}.{name}") in known:
            return known[full]
    if name.startswith(("offload.", "formulations.")) and not _exists(name):
        _log.warning(f"{obj.path}: refers to {name}, which there is not")
    return None


def _exists(name: str) -> bool:
    module, rest = name, list[str]()
    while module:
        try:
            found = importlib.import_module(module)
        except ImportError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
            continue
        for part in rest:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
