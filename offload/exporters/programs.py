"""The mixed-integer program of an instance, as a file for any solver: LP and MPS."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

from offload.features import goal_of
from offload.plan import Plan
from offload.problem import Problem

__all__ = ["write_lp", "write_mps"]


def write_lp(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """CPLEX LP format; see :func:`formulations.milp.program` for what is written."""
    made, unit = _program(problem, plan)
    note = f"\\ {problem.name or 'offload'}: the objective is in units of {unit!r}\n"
    return {"": note.encode("ascii", "replace") + _written(made, "writeLP", "program.lp")}


def write_mps(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """Free MPS format; see :func:`formulations.milp.program` for what is written."""
    made, unit = _program(problem, plan)
    note = f"* {problem.name or 'offload'}: the objective is in units of {unit!r}\n"
    return {"": note.encode("ascii", "replace") + _written(made, "writeMPS", "program.mps")}


def _program(problem: Problem, plan: Plan | None) -> tuple[Any, float]:
    goal = goal_of(problem)
    if plan is None and not problem.tables.divisible.any():
        # Any plan will do: without one the times in the model have no upper bound.
        from offload.solver import solve

        plan = solve(problem, method="best-of", time_limit=10).plan
    made: tuple[Any, float] = importlib.import_module("formulations.milp").program(
        problem, goal, plan
    )
    return made


def _written(program: Any, method: str, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        getattr(program, method)(str(path))
        return path.read_bytes()
