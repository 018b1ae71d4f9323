"""Assignment under capacity: where tasks run, when nothing that counts depends on times.

Minimize the weighted sum of energy, cost, risk, traffic and period, subject to the limits on them
and the rules of `milp_placement` (whose sets and variables these are):

    minimize    sum_m weight_m metric_m(x, z)
    subject to  one node, pairs, items, routes, together, apart, contiguous, memory
                metric_m(x, z) <= limit_m

It is the generalized assignment problem with pairwise costs (quadratic assignment under
capacity; Lee, Ma 2004, "The generalized quadratic assignment problem"), exact because without
deadlines and with one task at a time on each node every placement that keeps these rules has a
schedule: the tasks one after another in topological order.
"""

from __future__ import annotations

import numpy as np
import pulp

from formulations.milp_placement import STATIC, Placement
from formulations.milp_terms import Case, Model, Terms, weighted
from offload.plan import Plan
from offload.retiming import retime

__all__ = ["AssignmentModel", "suffices"]


def suffices(case: Case) -> bool:
    """Whether neither goal nor instance needs a schedule."""
    metrics = case.goal.metrics
    timeless = metrics <= {*STATIC, "period"} and not np.isfinite(case.tables.deadline).any()
    return timeless and not ("energy" in metrics and case.idle_power > 0)


class AssignmentModel(Model):
    """The model of a case; see the module's text."""

    def __init__(self, case: Case, most: float) -> None:
        super().__init__("assignment", case.go_on)
        self.case, self.most = case, most
        self.placement = self.placement_of()

    def placement_of(self) -> Placement:
        """Where tasks can run, and the rules on that."""
        return Placement(self.case, self, self.case.usable)

    @staticmethod
    def size_of(case: Case) -> int:
        """About how many rows and columns it will have."""
        tables = case.tables
        paired = bool(case.goal.metrics & {"energy", "cost", "traffic"})
        cells = tables.edges * tables.nodes * (tables.nodes if paired else 1)
        return cells + 2 * tables.edges * tables.nodes + tables.tasks * tables.nodes

    @property
    def infeasible(self) -> bool:
        """Whether some task has no node."""
        return not bool(self.case.usable.any(axis=1).all())

    def build(self) -> None:
        """Make all rows."""
        goal = self.case.goal
        self.placement.build(goal.metrics)
        for k in range(self.case.tables.nodes):
            self.placement.memory_of_one(k)
        metrics = {metric: self.metric(metric) for metric in sorted(goal.metrics)}
        for metric, limit in goal.limits.items():
            self.at_most(f"limit_{metric}", metrics[metric], limit)
        self.minimize(weighted(metrics, goal.minimize), self.most)

    def metric(self, metric: str) -> Terms:
        """A metric as an expression in its own unit."""
        return self.placement.period() if metric == "period" else self.placement.static(metric)

    def start_from(self, plan: Plan) -> None:
        """Set the variables' values to a plan."""
        self.placement.start_from(plan.nodes)

    def plan(self) -> Plan:
        """The plan in the variables' values: the tasks one after another."""
        tables = self.case.tables
        place = np.empty(tables.tasks)
        place[tables.topological] = np.arange(tables.tasks)
        return retime(self.case.problem, self.placement.chosen, place, place + 1)

    def decisions(self) -> list[pulp.LpVariable]:
        """The 0-1 variables that make the plan what it is."""
        return [self.placement.x[i, int(k)] for i, k in enumerate(self.placement.chosen)]
