"""Instances and plans as files of other tools: one module a format, one line in the table below.

A module has a function ``write(problem, plan)``: the files that it makes, by name; a format of one
file gives it the empty name. ``plan`` is ``None`` where only the instance is wanted.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from offload.errors import OffloadError
from offload.naming import one_named
from offload.problem import Problem

if TYPE_CHECKING:
    from offload.plan import Plan

__all__ = ["FORMATS", "Format", "by_ending", "named"]


@dataclass(frozen=True)
class Format:
    """A format: its name, what it holds, the endings of its files, and the module that writes it.

    ``folder`` says that it is several files; ``planned`` that it shows a plan and needs one.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    module: str
    function: str = "write"
    folder: bool = False
    planned: bool = False

    def write(self, problem: Problem, plan: Plan | None) -> dict[str, bytes]:
        """The files by name.

        Raises
        ------
        OffloadError
            If the format shows a plan and there is none.
        """
        if self.planned and plan is None:
            raise OffloadError(
                f"format {self.name}: shows a plan; give one, as in --plan plan.json"
            )
        module = importlib.import_module(self.module)
        function = cast(
            "Callable[[Problem, Plan | None], dict[str, bytes]]", getattr(module, self.function)
        )
        return function(problem, plan)


_HERE = "offload.exporters"
FORMATS = (
    Format("dot", "Graphviz: the tasks, in a box for each node if there is a plan",
           (".dot", ".gv"), f"{_HERE}.dot"),
    Format("mermaid", "Mermaid flowchart: the tasks, in a box for each node if there is a plan",
           (".mmd", ".mermaid"), f"{_HERE}.mermaid"),
    Format("gantt", "Mermaid Gantt chart of a plan",
           (".gantt",), f"{_HERE}.mermaid", "write_gantt", planned=True),
    Format("csv", "a folder of tables: tasks, edges, nodes, links, data; of a plan, its parts and "
           "transfers", (), f"{_HERE}.tables", "write_csv", folder=True),
    Format("parquet", "the same tables as Parquet files",
           (), f"{_HERE}.tables", "write_parquet", folder=True),
    Format("lp", "the mixed-integer program in CPLEX LP format", (".lp",), f"{_HERE}.programs",
           "write_lp"),
    Format("mps", "the mixed-integer program in free MPS format", (".mps",), f"{_HERE}.programs",
           "write_mps"),
)  # fmt: skip


def named(name: str) -> Format:
    """The format of a name; :func:`offload.naming.one_named`."""
    return one_named("format", name, FORMATS)


def by_ending(path: str) -> Format | None:
    """The format of a file's ending, if any."""
    return next((form for form in FORMATS if form.endings and path.endswith(form.endings)), None)
