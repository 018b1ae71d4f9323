"""Decide what should run where: task graphs on device, edge and cloud, with proofs.

Public names load on first use, so that ``import offload`` loads neither NumPy nor a solver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Codec": "offload.problem", "Data": "offload.problem", "Edge": "offload.problem",
    "Graph": "offload.problem", "Group": "offload.problem", "Link": "offload.problem",
    "Mode": "offload.problem", "Network": "offload.problem", "Node": "offload.problem",
    "Problem": "offload.problem", "Task": "offload.problem", "METRICS": "offload.problem",
    "InstanceError": "offload.errors", "Issue": "offload.errors", "OffloadError": "offload.errors",
    "PlanError": "offload.errors", "SolverUnavailable": "offload.errors",
    "Unsupported": "offload.errors",
    "load": "offload.files", "loads": "offload.files", "save": "offload.files",
    "schema": "offload.files",
    "load_plan": "offload.plan_files", "Plan": "offload.plan", "Progress": "offload.plan",
    "Result": "offload.plan", "Violation": "offload.plan", "evaluate": "offload.evaluator",
    "Evaluation": "offload.evaluator", "check": "offload.checker", "methods": "offload.registry",
    "convert": "offload.converting", "export": "offload.exporting",
    "to_frames": "offload.exporting", "to_networkx": "offload.exporting",
    "generate": "offload.generating", "link": "offload.catalogue", "links": "offload.catalogue",
    "node": "offload.catalogue", "profile": "offload.measuring", "profiles": "offload.catalogue",
    "replicated_stages": "formulations.replicated_stages",
    "solve": "offload.solver", "compare": "offload.solver",
    "stages": "offload.stage_table", "sweep_bandwidth": "offload.bandwidth_sweep",
    "sweep": "offload.sweeps", "Sweep": "offload.sweeps", "SweepProgress": "offload.sweeps",
    "critical_path": "offload.critical", "slack": "offload.critical",
    "bottlenecks": "offload.binding",
    "batch": "offload.batching.running", "load_batch": "offload.batching.running",
    "Batch": "offload.batching.summary", "BatchProgress": "offload.batching.progress",
    "pareto": "offload.fronts.running", "load_front": "offload.fronts.files",
    "Front": "offload.fronts.front", "FrontProgress": "offload.fronts.pool",
}  # fmt: skip

__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:
    from formulations.replicated_stages import replicated_stages as replicated_stages
    from offload import models as models
    from offload import plot as plot
    from offload.bandwidth_sweep import sweep_bandwidth as sweep_bandwidth
    from offload.batching.progress import BatchProgress as BatchProgress
    from offload.batching.running import batch as batch
    from offload.batching.running import load_batch as load_batch
    from offload.batching.summary import Batch as Batch
    from offload.binding import bottlenecks as bottlenecks
    from offload.catalogue import link as link
    from offload.catalogue import links as links
    from offload.catalogue import node as node
    from offload.catalogue import profiles as profiles
    from offload.checker import check as check
    from offload.converting import convert as convert
    from offload.critical import critical_path as critical_path
    from offload.critical import slack as slack
    from offload.errors import InstanceError as InstanceError
    from offload.errors import Issue as Issue
    from offload.errors import OffloadError as OffloadError
    from offload.errors import PlanError as PlanError
    from offload.errors import SolverUnavailable as SolverUnavailable
    from offload.errors import Unsupported as Unsupported
    from offload.evaluator import Evaluation as Evaluation
    from offload.evaluator import evaluate as evaluate
    from offload.exporting import export as export
    from offload.exporting import to_frames as to_frames
    from offload.exporting import to_networkx as to_networkx
    from offload.files import load as load
    from offload.files import loads as loads
    from offload.files import save as save
    from offload.files import schema as schema
    from offload.fronts.files import load_front as load_front
    from offload.fronts.front import Front as Front
    from offload.fronts.pool import FrontProgress as FrontProgress
    from offload.fronts.running import pareto as pareto
    from offload.generating import generate as generate
    from offload.measuring import profile as profile
    from offload.plan import Plan as Plan
    from offload.plan import Progress as Progress
    from offload.plan import Result as Result
    from offload.plan import Violation as Violation
    from offload.plan_files import load_plan as load_plan
    from offload.problem import METRICS as METRICS
    from offload.problem import Codec as Codec
    from offload.problem import Data as Data
    from offload.problem import Edge as Edge
    from offload.problem import Graph as Graph
    from offload.problem import Group as Group
    from offload.problem import Link as Link
    from offload.problem import Mode as Mode
    from offload.problem import Network as Network
    from offload.problem import Node as Node
    from offload.problem import Problem as Problem
    from offload.problem import Task as Task
    from offload.registry import methods as methods
    from offload.solver import compare as compare
    from offload.solver import solve as solve
    from offload.stage_table import stages as stages
    from offload.sweeps import Sweep as Sweep
    from offload.sweeps import SweepProgress as SweepProgress
    from offload.sweeps import sweep as sweep


_PARTS = ("models", "plot")  # packages to be had as attributes


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"offload.{name}")
    try:
        module = _WHERE[name]
    except KeyError:
        raise AttributeError(f"module 'offload' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_PARTS})
