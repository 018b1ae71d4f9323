"""The reference of public names: which names, on which pages."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import offload
from pages.roles import in_markdown

__all__ = ["addresses", "pages"]


class Group(NamedTuple):
    """A page: names of ``offload`` by the modules that they come from."""

    file: str
    title: str
    lead: str
    modules: tuple[str, ...]


GROUPS = (
    Group(
        "problem", "Problem",
        "An instance and its parts. Bounds and defaults of all fields in one place: the "
        "[format reference](../format-reference.md).",
        ("offload.problem",),
    ),
    Group(
        "solving", "Solving", "From a problem to an answer, and what one can ask besides.",
        ("offload.solver", "offload.registry", "offload.evaluator", "offload.checker"),
    ),
    Group("plans", "Plans and results", "What an answer consists of.", ("offload.plan",)),
    Group(
        "files", "Files", "Reading and writing instances and plans, and formats of other tools.",
        ("offload.files", "offload.plan_files", "offload.converting", "offload.exporting"),
    ),
    Group(
        "generating", "Scenarios and machines",
        "Generated instances, and machines and links by name.",
        ("offload.generating", "offload.catalogue", "offload.measuring"),
    ),
    Group("batches", "Batches", "Many instances by several methods.", ("offload.batching",)),
    Group(
        "partitions", "Partitions", "Where to cut a large model, or any graph.",
        ("offload.stage_table", "offload.bandwidth_sweep", "formulations.replicated_stages"),
    ),
    Group("errors", "Errors", "All are `OffloadError`.", ("offload.errors",)),
)  # fmt: skip
MORE = Group("more", "More", "What else there is.", ())

# Modules whose own public names have a page, beside the packages that ``offload`` has as parts.
FORMULAS = ("offload.shares", "offload.queueing", "offload.collectives")
METHODS = ("Entry", "Request", "Answer", "Method", "Stopped")  # of offload.registry

OPENING = """# API reference

Made from the docstrings. `import offload` has all of these names; they load on first use.
Units are SI: seconds, bytes, joules, watts, operations.
"""


@cache
def _grouped() -> dict[Group, list[str]]:
    """Public names of ``offload`` by page, in their order; no name is left out."""
    made: dict[Group, list[str]] = {group: [] for group in (*GROUPS, MORE)}
    for name, module in offload._WHERE.items():
        made[_home(module)].append(name)
    records = [*offload.schema()["$defs"]]  # the whole before its parts
    for names in made.values():
        names.sort(key=lambda name: records.index(name) if name in records else len(records))
    return {group: names for group, names in made.items() if names}


def _home(module: str) -> Group:
    for group in GROUPS:
        if any(module == m or module.startswith(m + ".") for m in group.modules):
            return group
    return MORE


def pages() -> dict[str, str]:
    """Pages by file name: an overview and one for each group of names."""
    made = {}
    lines = []
    for group, names in _grouped().items():
        full = [f"offload.{name}" for name in names]
        made[f"{group.file}.md"] = _page(group.title, group.lead, full)
        lines.append(_line(group.title, group.file, names))
    for module in parts():
        names = list(importlib.import_module(module).__all__)
        file = module.rpartition(".")[2]
        full = [f"{module}.{name}" for name in names]
        made[f"{file}.md"] = _page(f"`{module}`", _lead(module), full)
        lines.append(_line(f"`{module}`", file, names))
    for module in FORMULAS:
        lines.append(_line(f"`{module}`", "formulas", importlib.import_module(module).__all__))
    made["formulas.md"] = _formulas()
    full = [f"offload.registry.{name}" for name in METHODS]
    lead = (
        "What a method of your own is given and gives: [how to add one](../methods.md#adding-one)."
    )
    made["methods.md"] = _page("Writing a method", lead, full)
    lines.append(_line("Writing a method", "methods", METHODS))
    return {"index.md": OPENING + "\n" + "\n".join(lines) + "\n", **made}


def parts() -> list[str]:
    """Packages with public names of their own."""
    return ["offload.plot", *(f"offload.{name}" for name in offload._PARTS if name != "plot")]


@cache
def addresses() -> dict[str, str]:
    """Where the site has a name: ``offload.problem.Task`` is at ``offload.Task``."""
    made = {}
    for name, module in offload._WHERE.items():
        made[f"{module}.{name}"] = made[f"offload.{name}"] = f"offload.{name}"
    for module in (*parts(), *FORMULAS):
        for name in importlib.import_module(module).__all__:
            made[f"{module}.{name}"] = f"{module}.{name}"
    for name in METHODS:
        made[f"offload.registry.{name}"] = f"offload.registry.{name}"
    return made


def _formulas() -> str:
    """One page of several modules."""
    made = ["# Closed forms\n\nHow they belong together: [Formulas](../formulas.md)."]
    for module in FORMULAS:
        made.append(f"## `{module}`\n\n{_lead(module)}")
        names = importlib.import_module(module).__all__
        made.extend(_directive(f"{module}.{name}", 3) for name in names)
    return "\n\n".join(made)


def _line(title: str, file: str, names: Iterable[str]) -> str:
    return f"- [{title}]({file}.md): " + ", ".join(f"`{name}`" for name in names)


def _page(title: str, lead: str, names: Iterable[str]) -> str:
    return f"# {title}\n\n{lead}\n\n" + "\n".join(_directive(name, 2) for name in names)


def _lead(module: str) -> str:
    """What a module says of itself."""
    return in_markdown(inspect.getdoc(importlib.import_module(module)) or "")


def _directive(name: str, level: int) -> str:
    """What mkdocstrings replaces by the docstring of a name."""
    return f"::: {name}\n    options:\n      heading_level: {level}\n"
