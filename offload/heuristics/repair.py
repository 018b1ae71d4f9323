"""Mending plans: moves that lessen what a plan breaks, then its objective.

Many neighbours of a plan are decoded at once and the best is taken: tasks elsewhere or earlier, in
other modes, with other codecs; most of them tasks that have to do with what is broken. Ruiz,
Stuetzle 2007 destroy and rebuild in the same spirit; here a step changes one or two tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offload.arrays import BoolArray
from offload.evaluator import Evaluation, evaluate, evaluate_unchecked
from offload.heuristics.decisions import Decisions, codecs_of, decide, topological_order
from offload.heuristics.merit import excess_of, merits, rank
from offload.heuristics.neighbours import Batch, Moves
from offload.heuristics.placements import Placements, find_placement
from offload.plan import Plan
from offload.registry import Request

__all__ = ["broken_rules", "place_anyhow", "repaired"]

_STEPS = 250
_IDLE = 8  # steps without progress before a worse plan is taken up
_PATIENCE = 60  # steps without progress before the search gives up
_POLISH = 6  # the same once nothing is broken any more
_BATCH = 160  # neighbours of one step at most
_CELLS = 400_000  # their tasks and edges
_WORK = 30_000  # tasks decoded one after another over all steps; each for all neighbours at once


def broken_rules(request: Request, plan: Plan) -> str:
    """What a plan breaks, in words; empty if it keeps deadlines and limits."""
    tables, found = plan.problem.tables, excess_of(request.goal, plan)
    words = []
    for name in found:
        if name == "deadline":
            late = plan.parts.task[plan.parts.finish > tables.deadline[plan.parts.task]]
            names = ", ".join(tables.task_ids[i] for i in late[:3].tolist())
            words.append(f"the deadline of {names}" + (" and others" if len(late) > 3 else ""))
        else:
            metric = name.removeprefix("limit:")
            limit, value = request.goal.limits[metric], plan.metrics[metric]
            words.append(f"the limit of {metric} ({value:.6g} against {limit:.6g})")
    return "; ".join(words)


def place_anyhow(request: Request, copies: BoolArray | None = None) -> Plan | None:
    """Any plan that keeps the placement rules, whatever it is worth; ``None`` if none is found.

    For methods that found no node for some task: a placement by local search over the rules, with
    tasks in order of their upward ranks.
    """
    from offload.heuristics.ranks import upward_ranks

    problem = request.problem
    tables = problem.tables
    failed = "no placement", request.seed, None if copies is None else copies.tobytes()
    if failed in tables.derived:  # by another method, which looked as far
        return None
    nodes = find_placement(Placements(tables, copies), request.seed, lambda: request.stopped)
    if nodes is None:
        if not request.stopped:
            tables.derived[failed] = True
        return None
    order = topological_order(problem, -upward_ranks(tables))
    codecs = codecs_of(tables, nodes[None, :])
    made = evaluate(problem, nodes, order, tables.fastest_mode[nodes], codecs, copies)
    return made.plan() if np.isfinite(made.finish).all() else None


def repaired(request: Request, plan: Plan, polish: int = _POLISH) -> Plan:
    """The plan, or a better one: it breaks less, or as little at a lower objective.

    Parameters
    ----------
    request
        Its clock, its work limit (plans decoded) and its cancellation end the search early; its
        seed decides among moves.
    plan
        A plan without split tasks that keeps the placement rules.
    polish
        Steps without progress after which the search gives up once nothing is broken any more.
    """
    search = _Search(request, plan, polish)
    search.run()
    best = search.best_plan()
    return best if rank(request.goal, best) < rank(request.goal, plan) else plan


@dataclass
class _State:
    """A plan's decisions, what they lead to, and how good that is."""

    decisions: Decisions
    made: Evaluation
    row: int
    merit: tuple[float, float]

    def plan(self) -> Plan:
        return self.made.plan(self.row)


class _Search:
    """Best of many random neighbours, step by step."""

    def __init__(self, request: Request, plan: Plan, polish: int) -> None:
        self.request, self.problem, self.goal = request, request.problem, request.goal
        tables = self.tables = self.problem.tables
        self.polish = polish
        self.dice = np.random.default_rng(request.seed)
        cells = tables.tasks + tables.edges + 1
        self.batch = int(np.clip(_CELLS // cells, 4, _BATCH))
        self.steps = min(_STEPS, _WORK // max(tables.tasks, 1))
        if request.work_limit is not None:
            self.steps = min(self.steps, int(request.work_limit // self.batch))
        self.now = self._decoded(Batch.of(decide(plan), 1))
        self.best = self.now
        self.placements = Placements(tables, self.now.decisions.copies)

    def best_plan(self) -> Plan:
        return self.best.plan()

    def _decoded(self, batch: Batch) -> _State:
        """The best of a batch."""
        copies = batch.copies
        if copies is not None:
            copies = np.repeat(copies[None], len(batch.nodes), axis=0)
        made = evaluate_unchecked(
            self.problem, batch.nodes, batch.order, batch.modes, batch.codecs, copies,
            self.goal.limits,
        )  # fmt: skip
        over, value = merits(self.goal, made)
        row = int(np.lexsort((value, over))[0])
        return _State(batch.row(row), made, row, (float(over[row]), float(value[row])))

    def run(self) -> None:
        idle = 0  # steps since the best plan was found
        for _ in range(self.steps):
            patience = _PATIENCE if self.best.merit[0] else self.polish
            if self.request.stopped or idle >= patience:
                return
            now = self.now
            moves = Moves(
                self.request, self.placements, now.decisions, now.plan(), self.dice
            )  # fmt: skip
            batch = moves.draw(self.batch)
            found = self._decoded(batch) if batch is not None else self.now
            idle += 1
            if found.merit < self.now.merit:
                self.now = found
            elif batch is None or idle % _IDLE == 0:
                self._stray(found, moves, idle // _IDLE if batch is not None else idle)
            if self.now.merit < self.best.merit:
                self.best, idle = self.now, 0

    def _stray(self, found: _State, moves: Moves, times: int) -> None:
        """Leave a plan that no neighbour betters: for the best neighbour, or further away."""
        if times % 3 == 0:
            self.now = self.best
        elif np.isfinite(found.merit[0]) and times % 3 == 1:
            self.now = found
        elif (batch := moves.forced()) is not None:
            state = self._decoded(batch)
            self.now = state if np.isfinite(state.merit[0]) else self.now
