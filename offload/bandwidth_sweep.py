"""The best cut against bandwidth: one plan for each bandwidth between tiers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from offload.arrays import FloatArray
from offload.bounding.chains import cut_is_exact
from offload.errors import OffloadError
from offload.evaluator import evaluate
from offload.features import Goal, goal_of
from offload.heuristics.decisions import codecs_of
from offload.heuristics.merit import merits
from offload.heuristics.single_cut import placed
from offload.plan import Plan, Progress, Result
from offload.problem import Network, Problem
from offload.solver import solve, telling_solve
from offload.tiers import tiers_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["at_bandwidth", "best_partition", "grid_of", "sweep_bandwidth"]

_PAIRS = 200  # of a device and a cloud, at most, for plans on one side alone
_FIRST = 0.25  # of the time for the single cut that `auto` starts from, at most
_POINTS = 13  # of the grid where none is given
_DECADES = 2  # that it reaches up and down from the bandwidth of the instance
_USUAL = 1e7  # bytes a second, in the middle of the grid where no link has a bandwidth
COLUMNS = (
    "bandwidth", "status", "method", "objective", "bound", "gap", "cut", "near", "bytes",
    "device_only", "cloud_only",
)  # fmt: skip


def sweep_bandwidth(
    problem: Problem,
    bandwidths: Sequence[float] | None = None,
    method: str | None = None,
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 2.0,
    seed: int = 0,
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """The best plan for each of several bandwidths between tiers, against one side alone.

    Parameters
    ----------
    problem
        An instance. Links between nodes of different tiers (where there are none, all links) get
        the bandwidth; all else stays.
    bandwidths
        Bytes a second, in any order; by default 13 from a hundredth of the least bandwidth of these
        links to a hundred times it.
    method
        A method of :func:`offload.methods` or "auto". By default `min-cut` where it is exact, else
        `auto`, which starts from the best single cut.
    minimize, limits, seed, threads
        As in :func:`offload.solve`.
    time_limit
        Wall seconds for each bandwidth.
    on_progress, cancel, progress
        As in :func:`offload.solve`; after a cancel the rows made so far are returned.

    Returns
    -------
    DataFrame
        A row a bandwidth: bandwidth (B/s), status, method, objective, bound, gap, cut (the last
        task in topological order on the first tier; of one tier on the first node), near (how many
        tasks are there), bytes (that move between tiers; of one tier between nodes), and the
        objectives of device_only and cloud_only: the plan with each task on a node of the first
        (last) tier if it may run there, else as near as it may; undefined where that breaks
        rules or limits. ``attrs`` has "minimize" and "device", "cloud" (names of the two sides).

    Raises
    ------
    OffloadError
        For bandwidths that are not above 0, or a network without links.
    Unsupported
        If the method does not honour something that the instance uses.
    """
    import pandas as pd

    goal = goal_of(problem, minimize, limits)
    if not problem.network.links or not problem.graph.tasks:
        what = "links" if problem.graph.tasks else "tasks"
        raise OffloadError(f"bandwidths: the instance has no {what}, so there is nothing to sweep")
    values = grid_of(problem) if bandwidths is None else [float(value) for value in bandwidths]
    wrong = [value for value in values if not 0 < value < float("inf")]
    if wrong or not values:
        found = wrong[0] if wrong else "none"
        raise OffloadError(f"bandwidths: must be numbers > 0 and finite, got {found}")
    sides = _sides(problem)
    rows: list[dict[str, Any]] = []
    with telling_solve(on_progress, goal, progress) as tell:
        for value in values:
            if cancel is not None and cancel.is_set():
                break
            changed = at_bandwidth(problem, value)
            result = best_partition(
                changed, method, goal, time_limit=time_limit, seed=seed, threads=threads,
                on_progress=tell, cancel=cancel,
            )  # fmt: skip
            device, cloud = _alone(changed, goal, sides)
            row = _row(value, result, sides[0])
            rows.append(row | {"device_only": device, "cloud_only": cloud})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs.update(
        minimize=dict(goal.minimize),
        device=_name(problem, sides[0]),
        cloud=_name(problem, sides[1]),
    )
    return table


def best_partition(
    problem: Problem,
    method: str | None,
    goal: Goal,
    *,
    start: Plan | None = None,
    **options: Any,
) -> Result:
    """What ``solve`` finds by a method; by default `min-cut` where it is exact, else `auto`.

    Parameters
    ----------
    start
        A plan to start from; with the default method, the best single cut takes its place.
    options
        Further arguments of :func:`offload.solve`.
    """
    began, limit = time.monotonic(), options.pop("time_limit", 60.0)

    def left(share: float = 1.0) -> float | None:
        """Seconds that a step may take."""
        return None if limit is None else max(0.0, limit - (time.monotonic() - began)) * share

    weights, limits = goal.minimize, goal.limits
    whole = not problem.tables.divisible.any()
    if method is not None:
        return solve(problem, method, weights, limits, left(), start=start, **options)
    if whole and cut_is_exact(problem, goal):
        found = solve(problem, "min-cut", weights, limits, left(), start=start, **options)
        if found.status in ("optimal", "infeasible") or found.stopped == "cancelled":
            return found
        start = found.plan or start
    if start is None and whole:
        kept = {k: v for k, v in options.items() if k in ("cancel", "on_progress", "seed")}
        quick = solve(problem, "single-cut", weights, limits, left(_FIRST), explain=0, **kept)
        start = quick.plan
    return solve(problem, "auto", weights, limits, left(), start=start, **options)


def at_bandwidth(problem: Problem, bandwidth: float) -> Problem:
    """The instance with all links between tiers (without any, all links) at a bandwidth in B/s."""
    chosen = _crossing(problem)
    links = [
        msgspec.structs.replace(link, bandwidth=bandwidth) if across else link
        for link, across in zip(problem.network.links, chosen, strict=True)
    ]
    network = problem.network
    return problem.replace(
        network=Network(network.nodes, tuple(links), network.reference_bytes),
        name=f"{problem.name}-{bandwidth:g}",
    )


def grid_of(problem: Problem) -> list[float]:
    """Bandwidths around that of the instance, evenly spread by ratio, in B/s."""
    pairs = zip(problem.network.links, _crossing(problem), strict=True)
    known = [link.bandwidth for link, across in pairs if across and link.bandwidth is not None]
    middle = min(known, default=_USUAL)
    exponents = np.linspace(-_DECADES, _DECADES, _POINTS)
    return [float(f"{middle * 10**exponent:.4g}") for exponent in exponents]


def _crossing(problem: Problem) -> list[bool]:
    """Whether each link is between tiers; all of them where none is."""
    tier = {node.id: node.tier for node in problem.network.nodes}
    found = [tier[link.src] != tier[link.dst] for link in problem.network.links]
    return found if any(found) else [True] * len(found)


def _sides(problem: Problem) -> tuple[list[int], list[int]]:
    """Nodes of the first and of the last tier that run tasks; of one tier its first and last."""
    tables = problem.tables
    usable = np.flatnonzero(tables.allowed_table.any(axis=0)).tolist()
    tier = [node.tier for node in problem.network.nodes]
    tiers = tiers_of([tier[k] for k in usable])
    if len(tiers) == 1:
        return usable[:1], usable[-1:]
    first, last = ([k for k in usable if tier[k] == name] for name in (tiers[0], tiers[-1]))
    return first, last


def _name(problem: Problem, side: list[int]) -> str:
    nodes = [problem.network.nodes[k] for k in side]
    tiers = {node.tier for node in problem.network.nodes}
    return nodes[0].id if len(nodes) == 1 or len(tiers) == 1 else nodes[0].tier


def _alone(problem: Problem, goal: Goal, sides: tuple[list[int], list[int]]) -> tuple[float, float]:
    """Objectives of the best plans on the first and on the last side alone; NaN without any."""
    tables = problem.tables
    if tables.divisible.any():
        return float("nan"), float("nan")
    pairs = list(product(*sides))[:_PAIRS]
    found = []
    for cut in (tables.tasks, 0):
        nodes = np.concatenate([placed(tables, pair, np.array([[cut]])) for pair in pairs])
        modes, codecs = tables.fastest_mode[nodes], codecs_of(tables, nodes)
        made = evaluate(problem, nodes, tables.topological, modes, codecs, limits=goal.limits)
        over, value = merits(goal, made)
        best = float(np.where(over == 0, value, np.inf).min())
        found.append(best if np.isfinite(best) else float("nan"))
    return found[0], found[1]


def _row(bandwidth: float, result: Result, near: list[int]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "bandwidth": bandwidth, "status": result.status, "method": result.method,
        "objective": result.objective, "bound": result.bound, "gap": result.gap,
    }  # fmt: skip
    if result.plan is not None:
        tables, parts = result.plan.problem.tables, result.plan.parts
        here = np.zeros(tables.tasks, bool)
        here[parts.task[np.isin(parts.node, near)]] = True
        order = tables.topological[here[tables.topological]]
        row["cut"] = tables.task_ids[int(order[-1])] if len(order) else None
        row["near"] = int(here.sum())
        row["bytes"] = float(_crossed(result.plan).sum())
    return row


def _crossed(plan: Plan) -> FloatArray:
    """Compressed bytes of transfers between tiers; of one tier, of all."""
    rows, nodes = plan.transfers, plan.problem.network.nodes
    names = tiers_of([node.tier for node in nodes])
    tier = np.array([names.index(node.tier) for node in nodes])
    across = tier[rows.src] != tier[rows.dst] if len(names) > 1 else np.ones(len(rows.src), bool)
    size: FloatArray = (rows.size / plan.problem.tables.codec_ratio[rows.codec])[across]
    return size
