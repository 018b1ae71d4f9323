"""Method `single-cut`: one cut of a topological order, the best of all (Neurosurgeon).

What comes before the cut runs on one node, the rest on another; with devices, edge servers and
clouds in the network, two cuts send a third part in between to the edge. Kang, Hauswald, Gao,
Rovinski, Mudge, Mars, Tang, "Neurosurgeon: collaborative intelligence between the cloud and mobile
edge", ASPLOS 2017, section 4, do this for chains of layers; here the chain is any topological
order, and all cuts are decoded at once by the evaluator, so that whatever the evaluator keeps is
kept.

Chains of nodes are all ordered pairs of nodes, and where tiers allow all triples of a device, an
edge server and a cloud. Cuts at either end leave a node out, so plans on one node are among them. A
task that may not run on its side goes to the nearest later node of the chain that may run it, else
the nearest earlier one, else to the node where it runs fastest. Groups "together" go where their
first task goes. Nodes run in their fastest modes, and items take the codec that arrives first.

Up to some tens of thousands of cuts all are decoded. Above, a grid of cuts as fine as fits is, on
as many chains as fit with two cuts at least (pairs up the tiers first, then triples); then the best
few chains are looked at on finer and finer grids around their best cuts.

Work (`work_limit`) is plans decoded.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, islice, permutations, product
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, IntArray
from offload.evaluator import evaluate_unchecked
from offload.heuristics.building import finish
from offload.heuristics.decisions import codecs_of
from offload.heuristics.merit import merits
from offload.heuristics.placements import Placements
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Answer, Request, Stopped
from offload.tables import Tables
from offload.tiers import tiers_of

__all__ = ["Cut", "best_cut", "chains_of", "placed", "single_cut"]

_CELLS = 20_000_000  # tasks and edges of all plans decoded, at most
_LEAST, _MOST = 300, 30_000  # plans
_TOGETHER = 2_000_000  # tasks and edges decoded at once
_KEPT = 6  # chains that finer grids are made for
_POINTS = 9  # cuts of a finer grid
_CHAINS = 20_000  # at most


class Cut(NamedTuple):
    """A chain of nodes and where it is cut: node n runs positions ``at[n - 1]`` to ``at[n]``."""

    nodes: tuple[int, ...]
    at: tuple[int, ...]


def single_cut(request: Request) -> Answer:
    """The best cut of the topological order; mended if the best breaks limits or deadlines."""
    search = _Search(request)
    stopped = None
    try:
        search.run()
    except Stopped as stop:
        stopped = str(stop)
    answer = finish(request, search.plan)
    answer.stopped = answer.stopped or stopped
    return answer


def best_cut(request: Request) -> tuple[Cut, Plan] | None:
    """The best cut and its plan, unmended; ``None`` if every cut breaks a rule of placement."""
    search = _Search(request)
    search.run()
    return None if search.plan is None or search.cut is None else (search.cut, search.plan)


def chains_of(problem: Problem) -> list[tuple[int, ...]]:
    """The chains of nodes that are cut: a lone node, ordered pairs, and triples of three tiers.

    Pairs from a lower tier to a higher one come first, then triples, then all other pairs.
    """
    tables = problem.tables
    nodes = np.flatnonzero(tables.allowed_table.any(axis=0)).tolist()
    if len(nodes) == 1:
        return [(nodes[0],)]
    tier = [node.tier for node in problem.network.nodes]
    of_tier = [[k for k in nodes if tier[k] == name] for name in ("device", "edge", "cloud")]
    rank = {name: place for place, name in enumerate(tiers_of([tier[k] for k in nodes]))}
    pairs = list(permutations(nodes, 2))
    up = [(k, l) for k, l in pairs if rank[tier[k]] < rank[tier[l]]]
    rest = [(k, l) for k, l in pairs if rank[tier[k]] >= rank[tier[l]]]
    return [*up, *islice(product(*of_tier), _CHAINS), *rest][:_CHAINS]


def placed(tables: Tables, chain: tuple[int, ...], at: NDArray[np.integer]) -> IntArray:
    """Nodes of all tasks for each of some cuts of a chain.

    Parameters
    ----------
    chain
        Its nodes.
    at : int[B, len(chain) - 1]
        Positions in topological order, rising in each row; see :class:`Cut`.

    Returns
    -------
    int32[B, T]
    """
    allowed, first = _rules(tables)
    side = (first[None, :, None] >= at[:, None, :]).sum(axis=2)
    where = _nearest(tables, chain, allowed)
    found: IntArray = where[side, np.arange(tables.tasks)].astype(np.int32)
    return found


def _rules(tables: Tables) -> tuple[BoolArray, NDArray[np.int64]]:
    """Where each task may be, and the position of its group's first task in topological order."""
    if "single-cut" not in tables.derived:
        placements = Placements(tables)
        place = np.empty(tables.tasks, np.int64)
        place[tables.topological] = np.arange(tables.tasks)
        first = np.full(tables.tasks, tables.tasks, np.int64)
        np.minimum.at(first, placements.unit, place)
        tables.derived["single-cut"] = placements.allowed, first[placements.unit]
    found: tuple[BoolArray, NDArray[np.int64]] = tables.derived["single-cut"]
    return found


def _nearest(tables: Tables, chain: tuple[int, ...], allowed: BoolArray) -> IntArray:
    """Node of each task on each part of a chain; int32[len(chain), T]."""
    every = np.arange(tables.tasks)
    times = np.where(allowed, tables.execution(every[:, None], np.arange(tables.nodes)), inf)
    fastest = times.argmin(axis=1)
    where = np.empty((len(chain), tables.tasks), np.int32)
    for part in range(len(chain)):
        where[part] = fastest
        # The last that may have a task has it: its own part's, then the next ones', then others'.
        for k in (*chain[:part], *reversed(chain[part:])):
            where[part][allowed[:, k]] = k
    return where


class _Search:
    """The best cut so far."""

    def __init__(self, request: Request) -> None:
        self.request, self.tables = request, request.problem.tables
        self.plan: Plan | None = None
        self.cut: Cut | None = None
        self.merit = inf, inf
        self.work = 0
        self.best_of: dict[tuple[int, ...], tuple[tuple[float, float], tuple[int, ...]]] = {}

    def run(self) -> None:
        """All cuts, or a grid of them and then finer ones."""
        chains, tasks = chains_of(self.request.problem), self.tables.tasks
        size = max(1, tasks + self.tables.edges)
        budget = int(np.clip(_CELLS // size, _LEAST, _MOST))
        points = self._points(chains, budget)
        for chain in chains[: max(1, budget // 2)]:
            self._look(chain, _grid(points, len(chain) - 1))
        step = int(np.diff(points).max(initial=1))
        while step > 1:
            finer = max(1, -(-2 * step // (_POINTS - 1)))
            best = sorted(self.best_of.items(), key=lambda entry: entry[1][0])[:_KEPT]
            for chain, (_, at) in best:
                near = [_around(p, step, finer, tasks) for p in at]
                rows = [row for row in product(*near) if list(row) == sorted(row)]
                self._look(chain, np.array(rows, np.int64).reshape(len(rows), len(at)))
            step = finer if finer < step else step // 2

    def _points(self, chains: list[tuple[int, ...]], budget: int) -> NDArray[np.int64]:
        """The cuts of the first grid: all of them, or as many as fit."""
        tasks = self.tables.tasks
        pairs = sum(len(chain) == 2 for chain in chains)
        triples = sum(len(chain) == 3 for chain in chains)
        count = tasks + 1
        while count > 2 and pairs * count + triples * count * (count + 1) / 2 > budget:
            count = max(2, int(count * 0.8))
        return np.unique(np.linspace(0, tasks, count).round().astype(np.int64))

    def _look(self, chain: tuple[int, ...], at: NDArray[np.int64]) -> None:
        """Decode some cuts of a chain, and keep the best."""
        request, tables = self.request, self.tables
        step = max(1, _TOGETHER // max(1, tables.tasks + tables.edges))
        for first in range(0, len(at), step):
            request.go_on()
            if request.work_limit is not None and self.work >= request.work_limit:
                raise Stopped("work")
            rows = at[first : first + step]
            self.work += len(rows)
            nodes = placed(tables, chain, rows)
            order = np.broadcast_to(tables.topological, nodes.shape)
            modes, codecs = tables.fastest_mode[nodes], codecs_of(tables, nodes)
            made = evaluate_unchecked(
                request.problem, nodes, order, modes, codecs, limits=request.goal.limits
            )
            over, value = merits(request.goal, made)
            row = int(np.lexsort((value, over))[0])
            merit = float(over[row]), float(value[row])
            if merit < self.best_of.get(chain, ((inf, inf), ()))[0]:
                self.best_of[chain] = merit, tuple(rows[row].tolist())
            if merit < self.merit and np.isfinite(merit[0]) and np.isfinite(merit[1]):
                self.merit, self.cut = merit, Cut(chain, tuple(rows[row].tolist()))
                self.plan = made.plan(row)
                if merit[0] == 0:
                    request.report(self.plan, None)


def _grid(points: NDArray[np.int64], cuts: int) -> NDArray[np.int64]:
    """All rising choices of so many cuts; int64[B, cuts]."""
    rows = list(combinations_with_replacement(points.tolist(), cuts))
    return np.array(rows, np.int64).reshape(len(rows), cuts)


def _around(at: int, step: int, finer: int, tasks: int) -> list[int]:
    """Positions near one, so far apart, with itself."""
    near = range(at - finer * (step // finer), at + step + 1, finer)
    return sorted({min(max(p, 0), tasks) for p in near})
