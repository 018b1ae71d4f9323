"""Min-min, max-min, sufferage, duplex, MCT, MET and OLB: mapping tasks as they become ready.

They were devised for independent tasks; here the tasks to map are those whose predecessors are
placed, and when a task completes includes the wait for its inputs. No gaps are filled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.heuristics.building import answer, built
from offload.heuristics.machines import Queues
from offload.heuristics.ready_tasks import ReadyTasks
from offload.heuristics.schedule import Schedule
from offload.plan import Plan
from offload.registry import Answer, Request

__all__ = ["duplex", "max_min", "mct", "met", "min_min", "olb", "sufferage"]

Fill = Callable[[Schedule], None]


def _extreme(request: Request, sign: float) -> Fill:
    """The ready task of least (1) or greatest (-1) earliest completion, time and again."""

    def fill(schedule: Schedule) -> None:
        ready = ReadyTasks(schedule)
        while len(ready):
            request.go_on()
            row = ready.first(sign * ready.best)
            if (found := ready.confirm(row)) is not None:
                start, finish = found
                node = int(finish.argmin())
                ready.place(row, node, float(start[node]))

    return fill


def min_min(request: Request) -> Answer:
    """The ready task that can complete earliest goes first, to the node where it does.

    Ibarra, Kim 1977, algorithm D; Maheswaran et al. 1999, section 3.2.
    """
    return built(request, _extreme(request, 1.0))


def max_min(request: Request) -> Answer:
    """The ready task whose earliest completion is latest goes first, to the node where it is.

    Ibarra, Kim 1977, algorithm E; Maheswaran et al. 1999, section 3.2.
    """
    return built(request, _extreme(request, -1.0))


def duplex(request: Request) -> Answer:
    """The better of min-min and max-min by the goal. Braun et al. 2001, section 3.6."""
    tables, goal = request.problem.tables, request.goal.minimize

    def build(reserved: dict[int, int], copies: BoolArray | None) -> Plan:
        plans = []
        for sign in (1.0, -1.0):
            schedule = Schedule(tables, reserved, copies=copies, insertion=False)
            _extreme(request, sign)(schedule)
            plans.append(schedule.plan())
        return min(plans, key=lambda plan: plan.objective(goal))

    return answer(request, build)


def sufferage(request: Request) -> Answer:
    """Each node takes, of the ready tasks that it suits best, the one that would suffer most.

    Sufferage is the second least completion less the least. All nodes choose before completions
    are worked out anew; a task that loses its node waits for the next pass. Maheswaran et al.
    1999, section 3.2, figure 3.
    """

    def fill(schedule: Schedule) -> None:
        ready = ReadyTasks(schedule)
        while len(ready):
            _pass(ready)
            request.go_on()

    return built(request, fill)


def _pass(ready: ReadyTasks) -> None:
    """One pass over the ready tasks: at most one task a node."""
    regret = np.full(len(ready), np.inf)
    if ready.values.shape[1] > 1:
        two = np.partition(ready.values, 1, axis=1)[:, :2]
        regret = np.where(np.isfinite(two[:, 1]), two[:, 1], np.inf) - two[:, 0]
    order = np.lexsort((ready.tasks, -regret, ready.node))
    node = ready.node[order]
    leads = order[np.flatnonzero(np.diff(node, prepend=-1))]
    for task in ready.tasks[leads].tolist():
        row = int(np.flatnonzero(ready.tasks == task)[0])
        if (found := ready.confirm(row)) is not None:
            start, finish = found
            chosen = int(finish.argmin())
            ready.place(row, chosen, float(start[chosen]))


def _in_turn(request: Request, choose: Callable[[int, FloatArray, Queues], int]) -> Answer:
    """Tasks in topological order, each to the node that a rule chooses by finishes and slots."""
    tables = request.problem.tables

    def fill(schedule: Schedule) -> None:
        assert isinstance(schedule.machines, Queues)
        for task in tables.topological.tolist():
            request.go_on()
            start, finish = schedule.finish_times(task)
            node = choose(task, finish, schedule.machines)
            schedule.place(task, node, float(start[node]))

    return built(request, fill)


def _least(key: FloatArray, finish: FloatArray) -> int:
    """The admitted node of least key; of equal ones that of least finish, then by position."""
    key = np.where(np.isfinite(finish), key, np.inf)
    return int(np.where(key == key.min(), finish, np.inf).argmin())


def mct(request: Request) -> Answer:
    """Minimum completion time: each task in turn to the node where it completes first.

    Maheswaran et al. 1999, section 3.1.
    """
    return _in_turn(request, lambda task, finish, queues: int(finish.argmin()))


def met(request: Request) -> Answer:
    """Minimum execution time: each task in turn to the node that runs it fastest, however busy.

    Of equally fast nodes, the one where it completes first. Maheswaran et al. 1999, section 3.1.
    """
    tables = request.problem.tables
    return _in_turn(request, lambda task, finish, queues: _least(tables.row(task), finish))


def olb(request: Request) -> Answer:
    """Opportunistic load balancing: each task in turn to the node that is free first.

    Whatever its execution time there; of nodes free at once the first. Braun et al. 2001,
    section 3.1.
    """
    units = request.problem.tables.task_slots

    def choose(task: int, finish: FloatArray, queues: Queues) -> int:
        free = queues.since(int(units[task]))
        return int(np.where(np.isfinite(finish), free, np.inf).argmin())

    return _in_turn(request, choose)
