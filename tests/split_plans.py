"""Plans of tiny instances with divisible tasks: shares on a grid, or as linear programs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

import offload
from offload import Graph, Problem
from offload.problem import METRICS
from offload.tables import TOLERANCE

__all__ = ["Grid", "best_by_programs", "on_a_grid"]

MOST = 150_000  # decoded plans of one instance

Shares = dict[int, dict[int, float]]  # of each divisible task, by node


class Grid(NamedTuple):
    """Metrics of decoded plans with shares on a grid, and which of them hold but for limits."""

    metrics: dict[str, NDArray[np.float64]]
    holds: NDArray[np.bool_]

    def best(self, minimize: Mapping[str, float], limits: Mapping[str, float]) -> float:
        """The least objective within limits, infinite without any."""
        holds = self.holds.copy()
        for metric, limit in limits.items():
            holds &= self.metrics[metric] <= limit * (1 + TOLERANCE)
        value = sum(w * self.metrics[m] for m, w in minimize.items())
        return float(np.where(holds, value, np.inf).min(initial=np.inf))


def on_a_grid(problem: Problem, steps: int) -> Grid | None:
    """All plans whose shares are multiples of 1 / steps; ``None`` if there are too many."""
    metrics: dict[str, list[Any]] = {metric: [] for metric in METRICS}
    holds: list[NDArray[np.bool_]] = []
    count = 0
    for shares in _grid(problem, steps):
        pieces, owner = _cut(problem, shares)
        places = [np.flatnonzero(row) for row in pieces.tables.allowed_table]
        nodes = np.array(list(itertools.product(*places)), np.int64)
        orders = np.array(list(_orders(pieces)), np.int64)
        count += len(nodes) * len(orders)
        if count > MOST:
            return None
        if not len(nodes):
            continue
        found = offload.evaluate(
            pieces, np.repeat(nodes, len(orders), axis=0), np.tile(orders, (len(nodes), 1)),
            limits={},
        )  # fmt: skip
        finish = np.zeros((len(found.finish), problem.tables.tasks))
        for u, i in enumerate(owner):
            finish[:, i] = np.maximum(finish[:, i], found.finish[:, u])
        for metric in METRICS:
            metrics[metric].append(_metric(problem, metric, found, finish))
        holds.append(found.feasible)
    return Grid({m: np.concatenate(v) for m, v in metrics.items()}, np.concatenate(holds))


def _metric(problem: Problem, metric: str, found: Any, finish: Any) -> Any:
    tables = problem.tables
    counted = tables.weight > 0
    if metric == "completion":
        return finish[:, counted] @ tables.weight[counted]
    if metric == "tardiness":
        counted &= np.isfinite(tables.due)
        late = np.maximum(finish[:, counted] - tables.due[counted], 0.0)
        return late @ tables.weight[counted]
    return found.metrics[metric]


def _grid(problem: Problem, steps: int) -> Iterator[Shares]:
    tables = problem.tables
    split = np.flatnonzero(tables.divisible).tolist()
    choices = []
    for i in split:
        nodes = np.flatnonzero(tables.allowed_table[i]).tolist()
        rows = itertools.product(range(steps + 1), repeat=len(nodes))
        choices.append(
            [
                {k: n / steps for k, n in zip(nodes, row, strict=True) if n}
                for row in rows
                if sum(row) == steps
            ]
        )
    for chosen in itertools.product(*choices):
        yield dict(zip(split, chosen, strict=True))


def _cut(problem: Problem, shares: Shares) -> tuple[Problem, list[int]]:
    """The instance in which each part is a task of its own, and the task that each is part of."""
    tables, graph = problem.tables, problem.graph
    tasks, owner, pieces = [], [], {}
    for i, task in enumerate(graph.tasks):
        pieces[task.id] = [(task.id, 1.0)]
        if i not in shares:
            tasks.append(task)
            owner.append(i)
            continue
        pieces[task.id] = []
        for k, share in shares[i].items():
            name = tables.node_ids[k]
            sizes = {
                field: {name: share * float(of(i, k))}
                for field, of in (("memory", tables.memory_of), ("resident", tables.resident_of))
            }
            part = msgspec.structs.replace(
                task, id=f"{task.id} on {name}", divisible=False, allow=[name], work=None,
                time={name: share * float(tables.execution(i, k))}, **sizes,
            )  # fmt: skip
            tasks.append(part)
            owner.append(i)
            pieces[task.id].append((part.id, share))
    edges = [
        msgspec.structs.replace(edge, src=a, dst=b, bytes=edge.bytes * f * g)
        for edge in graph.edges
        for a, f in pieces[edge.src]
        for b, g in pieces[edge.dst]
    ]
    return problem.replace(graph=Graph(tasks, edges, graph.groups)), owner


def _orders(problem: Problem) -> Iterator[tuple[int, ...]]:
    ends = list(zip(problem.tables.edge_src, problem.tables.edge_dst, strict=True))
    for order in itertools.permutations(range(problem.tables.tasks)):
        rank = {i: q for q, i in enumerate(order)}
        if all(rank[i] < rank[j] for i, j in ends):
            yield order


def best_by_programs(problem: Problem, cost_weight: float) -> float:
    """The least latency + weight * cost, by a linear program for each placement and each order.

    An instance whose nodes run one task at a time, without memory, deadlines, items or limits.
    """
    tables = problem.tables
    split = np.flatnonzero(tables.divisible).tolist()
    wholes = [i for i in range(tables.tasks) if i not in split]
    supports = []
    for i in range(tables.tasks):
        nodes = np.flatnonzero(tables.allowed_table[i]).tolist()
        sizes = range(1, len(nodes) + 1) if i in split else (1,)
        supports.append([c for n in sizes for c in itertools.combinations(nodes, n)])
    best = np.inf
    for support in itertools.product(*supports):
        units = [(i, k) for i, nodes in enumerate(support) for k in nodes]
        by_node = [[u for u, (_, l) in enumerate(units) if l == k] for k in range(tables.nodes)]
        for orders in itertools.product(*map(itertools.permutations, by_node)):
            order = tuple(u for row in orders for u in row)
            best = min(best, _program(problem, units, order, wholes, cost_weight))
    return best


def _program(
    problem: Problem, units: list[tuple[int, int]], order: tuple[int, ...], wholes: list[int],
    cost_weight: float,
) -> float:  # fmt: skip
    """Variables: shares, starts, latency. Units of one node run in their order."""
    tables, n = problem.tables, len(units)
    rank = {u: q for q, u in enumerate(order)}  # counts among units of one node
    low: list[NDArray[np.float64]] = []  # rows of a x <= b
    right: list[float] = []
    time = [float(tables.execution(i, k)) for i, k in units]
    price = [time[u] * float(tables.node_price[k]) for u, (_, k) in enumerate(units)]

    def row(terms: dict[int, float], most: float) -> None:
        line = np.zeros(2 * n + 1)
        for column, value in terms.items():
            line[column] += value
        low.append(line)
        right.append(most)

    for u in range(n):
        row({n + u: 1.0, u: time[u], 2 * n: -1.0}, 0.0)  # finish <= latency
    for u, v in itertools.permutations(range(n), 2):
        if units[u][1] == units[v][1] and rank[u] < rank[v] and time[u] > 0 and time[v] > 0:
            row({n + u: 1.0, u: time[u], n + v: -1.0}, 0.0)
    cost = np.array(price)
    for e in range(tables.edges):
        size = float(tables.item_bytes[tables.edge_item[e]])
        for u, v in itertools.permutations(range(n), 2):
            (i, k), (j, l) = units[u], units[v]
            if (i, j) != (tables.edge_src[e], tables.edge_dst[e]):
                continue
            parts = tables.transfer(size, k, l, rule=tables.item_rule[tables.edge_item[e]])
            if not np.isfinite(parts.total):
                return np.inf
            moved = v if i in wholes else u  # whose share scales the bytes (1 for a whole task)
            terms = {n + u: 1.0, n + v: -1.0}
            terms[u] = time[u]
            terms[moved] = terms.get(moved, 0.0) + float(parts.serialise)
            row(terms, -float(parts.latency))
            if k != l:
                cost[moved] += size * float(tables.routes.price[k, l])
    sums = np.zeros((tables.tasks, 2 * n + 1))
    for u, (i, _) in enumerate(units):
        sums[i, u] = 1.0
    objective = np.concatenate([cost_weight * cost, np.zeros(n), [1.0]])
    release = [float(tables.release[i]) for i, _ in units]
    bounds = [(0.0, 1.0)] * n + [(r, None) for r in release] + [(0.0, None)]
    found = linprog(
        objective, np.array(low), np.array(right), sums, np.ones(tables.tasks), bounds,
        method="highs",
    )  # fmt: skip
    return float(found.fun) if found.status == 0 else np.inf
