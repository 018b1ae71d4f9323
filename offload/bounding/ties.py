"""Groups of tasks as edges and bars know them: both ends on one node, or on two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.tables import Tables

__all__ = ["APART", "TOGETHER", "members", "tied_edges"]

TOGETHER, APART = 1, 2


def members(tables: Tables, rule: str) -> list[NDArray[np.int64]]:
    """Tasks of each group of a rule that names more than one."""
    position = {name: i for i, name in enumerate(tables.task_ids)}
    groups = [group for group in tables.problem.graph.groups if group.rule == rule]
    found = [np.array([position[name] for name in group.tasks], np.int64) for group in groups]
    return [rows for rows in found if len(rows) > 1]


def tied_edges(tables: Tables) -> NDArray[np.int8]:
    """Whether the ends of each edge are in one group: TOGETHER, APART, or 0; int8[E]."""
    tie = np.zeros(tables.edges, np.int8)
    inside = np.zeros(tables.tasks, bool)
    for rule, mark in (("together", TOGETHER), ("apart", APART)):
        for rows in members(tables, rule):
            inside[rows] = True
            edges = tables.outgoing.gather(rows)[1]
            tie[edges[inside[tables.edge_dst[edges]]]] = mark
            inside[rows] = False
    return tie
