"""Goals that a cut between two nodes attains: sums over tasks and transfers, latency of paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from offload.arrays import BoolArray, IntArray
from offload.bounding.spending import SPENT
from offload.caching import once
from offload.features import Goal
from offload.problem import Problem
from offload.tables import TOLERANCE, Tables

__all__ = ["Terms", "cut_is_exact", "forced", "places", "terms_of", "usable_on"]


class Terms(NamedTuple):
    """A goal as weights of what is spent, and of the seconds of latency."""

    spent: dict[str, float]
    seconds: float

    def plus(self, other: Terms, price: float) -> Terms:
        """This goal and so many times another one."""
        names = {**self.spent, **other.spent}
        spent = {m: self.spent.get(m, 0.0) + price * other.spent.get(m, 0.0) for m in names}
        return Terms(spent, self.seconds + price * other.seconds)

    @property
    def all(self) -> dict[str, float]:
        """Weights of everything, each second of execution and transfer counted."""
        return {**self.spent, "seconds": self.seconds}


def terms_of(tables: Tables, weights: Mapping[str, float]) -> Terms | None:
    """A goal as a sum of what is spent and of latency; ``None`` where it has another metric."""
    used = {metric: weight for metric, weight in weights.items() if weight > 0}
    if not set(used) <= {*SPENT, "latency"}:
        return None
    idle = used.get("energy", 0.0) * tables.idle_watts
    spent = {metric: weight for metric, weight in used.items() if metric != "latency"}
    return Terms(spent, used.get("latency", 0.0) + idle)


def usable_on(tables: Tables) -> BoolArray:
    """Where each task may run, has room, and can get to from where it is; bool[T, K]."""
    task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
    # What takes no time holds no working memory.
    lasting = tables.execution(task, node) > 0
    working = np.where(lasting, tables.memory_of(task, node), 0.0)
    need = working + tables.resident_of(task, node)
    fine = tables.allowed_table & (need <= tables.memory_capacity * (1 + TOLERANCE))
    moved = np.flatnonzero(tables.at >= 0)
    fine[moved] &= tables.routes.reachable[tables.at[moved]]
    return fine


@once
def forced(tables: Tables) -> bool:
    """Whether each task of the topological order but the first has an edge from the one before."""
    rank = places(tables)
    steps = rank[tables.edge_dst] - rank[tables.edge_src] == 1
    return len(np.unique(rank[tables.edge_src[steps]])) == max(0, tables.tasks - 1)


def places(tables: Tables) -> IntArray:
    """Position of each task in topological order; int32[T]."""
    place = np.empty(tables.tasks, np.int32)
    place[tables.topological] = np.arange(tables.tasks)
    return place


def cut_is_exact(problem: Problem, goal: Goal) -> bool:
    """Whether the least cut between two nodes is optimal, if its plan keeps rules and limits.

    At most two nodes run tasks; the goal is a sum over tasks and transfers (energy without idle
    power, cost, risk, traffic), or has latency too where tasks are a path. Data that tasks read
    have one home each, and no copies. The proofs are in formulations/min_cut.py.
    """
    tables = problem.tables
    terms = terms_of(tables, goal.minimize)
    if terms is None or int(usable_on(tables).any(axis=0).sum()) > 2:
        return False
    if len(tables.reads.values) and ((tables.max_copies > 0) | (tables.home.sum(axis=1) > 1)).any():
        return False
    return not terms.seconds or (forced(tables) and _plain(problem, terms))


def _plain(problem: Problem, terms: Terms) -> bool:
    """Whether nothing but the path itself delays the tasks of one."""
    tables = problem.tables
    delayed = (tables.release > 0).any() or (tables.at >= 0).any() or len(tables.reads.values)
    coded = bool(len(tables.item_codecs.values)) and bool(terms.spent)
    return tables.edges == max(0, tables.tasks - 1) and not delayed and not coded
