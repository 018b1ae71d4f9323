"""Sweeps: the best plan for each of several values of an instance's parameters."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import pandas as pd

from offload.bounds import relative_gap
from offload.carrying import carried, moved, same_placement
from offload.errors import Unsupported
from offload.features import goal_of
from offload.grids import Grid
from offload.instance_fields import changed
from offload.meters import telling
from offload.plan import Plan, Progress, Result
from offload.problem import METRICS, Problem
from offload.solver import GAP
from offload.warm_starts import warm_solve
from offload.wording import sweep_news, sweep_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Sweep", "SweepProgress", "sweep"]

_TURNS = 6  # at most, in which rows take over what their neighbours have
_ROUNDING = 1e-9  # relative difference of objectives that is none
_ROW = "row"  # name of the index, as long as it has the numbers of the rows


class Sweep(pd.DataFrame):
    """The table that :func:`offload.sweep` makes, with the answer behind each row.

    Attributes
    ----------
    results : dict of row number to Result
        What each row's solve answered: ``frame.results[3].plan``. The index, named "row", has the
        numbers, also where rows are left out or sorted. A pickled table has no results.
    """

    _metadata: ClassVar[list[str]] = ["results"]
    results: dict[int, Result] = {}  # noqa: RUF012 (replaced, never changed)

    @property
    def _constructor(self) -> type[Sweep]:
        return Sweep

    def __getstate__(self) -> Any:
        """Without the answers, which hold what stays in one process."""
        state: Any = super().__getstate__()
        return {key: value for key, value in state.items() if key != "results"}

    @property
    def plans(self) -> dict[int, Plan]:
        """The plan of each row that has one, by its number; none once rows have new numbers."""
        if self.index.name != _ROW:
            return {}
        kept = ((row, self.results[row].plan) for row in self.index if row in self.results)
        return {row: plan for row, plan in kept if plan is not None}

    def plot_sweep(self, ax: Axes | None = None) -> Axes:
        """Draw the objective against what changes; see :func:`offload.plot.sweep`."""
        from offload.plot import sweep

        return sweep(self, ax)


class SweepProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sweep is.

    Attributes
    ----------
    done, rows
        Rows that are done, and all of them.
    values
        What the row that is being solved changes: value by path.
    seconds
        Since the sweep began.
    last
        The last sign of life of that row's solve.
    """

    done: int
    rows: int
    values: dict[str, Any]
    seconds: float
    last: Progress | None = None


def sweep(
    problem: Problem,
    changes: Mapping[str, Sequence[Any]],
    method: str = "auto",
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 10.0,
    work_limit: float | None = None,
    gap: float | None = None,
    threads: int | None = None,
    seed: int = 0,
    combine: Literal["grid", "zip"] = "grid",
    options: Mapping[str, Any] | None = None,
    on_progress: Callable[[SweepProgress], object] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> Sweep:
    """The best plan for each of several values of some parameters.

    Parameters
    ----------
    problem
        An instance.
    changes
        From a path to the values that it takes one after another. A path names fields with dots,
        and in brackets which records: an id, ``SRC-DST`` of links and edges, a selector of nodes,
        or ``*``: ``network.links[cam0-edge0].bandwidth``, ``network.nodes[tier:edge].speed``,
        ``graph.tasks[detect].work``, ``limits.energy``. Values are in SI units and take the place
        of what is there; ``"x0.5"`` is half of it, of each record of a group; ``None`` is
        unlimited.
    method, minimize, limits, work_limit, gap, threads, seed, options
        As in :func:`offload.solve`.
    time_limit
        Wall seconds for each row.
    combine
        "grid": all combinations, the first path changing slowest. "zip": the first values of all
        paths, then the second ones, and so on.
    on_progress
        Called with a :class:`SweepProgress` when a row begins and whenever it has something better.
    cancel
        Set it from another thread to stop; rows made so far are returned.
    progress
        Whether to show a line of progress, as in :func:`offload.solve`.

    Returns
    -------
    Sweep
        A DataFrame with a row a combination: a column for each path (a factor as a number), status,
        method, objective, bound, gap, stopped, the eight metrics, placement (a number for each
        distinct placement, 0 for that of the first row), moved (tasks on other nodes than in the
        row before), seconds, reason. ``attrs`` has minimize, limits, paths, factors (the paths
        given by factors), combine and complete. ``frame.results[i]`` is row i's answer, with its
        plan.

    Raises
    ------
    OffloadError
        For a path that names nothing or two things, and for values that may not stand there;
        before anything is solved.
    Unsupported
        If the method does not honour something that the instance uses.

    Notes
    -----
    Rows are solved along the grid to and fro; each starts from the best plan of its neighbours
    (those that differ by one step of one value) that are solved already, re-timed under its own
    values where it holds there. In the end a row without a proof takes over a neighbour's plan
    where that is better, through the grid and back. A heuristic's row is thus the best of its own
    plan and its neighbours' ones.
    """
    goal = goal_of(problem, minimize, limits)
    base = problem.replace(minimize=goal.minimize, limits=goal.limits)
    grid = Grid(base, changes, combine)
    problems = [changed(base, values) for values in grid.given]  # all errors before any solve
    settings = {
        "method": method, "time_limit": time_limit, "work_limit": work_limit, "gap": gap,
        "threads": threads, "seed": seed, "options": options, "cancel": cancel,
    }  # fmt: skip
    describe = sweep_text(goal.minimize) if progress else None
    with telling(on_progress, describe, news=sweep_news) as tell:
        walk = _Walk(problems, grid, tell, GAP if gap is None else gap)
        walk.solve(settings)
    table = _table(walk.results, grid)
    table.attrs.update(
        minimize=dict(goal.minimize), limits=dict(goal.limits), paths=grid.paths,
        factors=[axis.path for axis in grid.axes if axis.factors], combine=combine,
        complete=len(walk.results) == len(problems),
    )  # fmt: skip
    return table


# -- solving ---------------------------------------------------------------------------------------


class _Walk:
    """Solves the rows one after another, each from the plan before."""

    def __init__(
        self, problems: list[Problem], grid: Grid,
        tell: Callable[[SweepProgress], object] | None, target: float,
    ) -> None:  # fmt: skip
        self.problems, self.grid, self.target = problems, grid, target
        self.results: dict[int, Result] = {}
        self._tried: dict[tuple[int, int], Plan] = {}
        self._tell, self._began = tell, time.monotonic()

    def solve(self, settings: dict[str, Any]) -> None:
        """All rows, neighbours after one another; then what later neighbours found, and back."""
        cancel: threading.Event | None = settings["cancel"]
        order, last = self.grid.order, None
        for row in order:
            if cancel is not None and cancel.is_set():
                break
            self._told(row, None)
            result = self._solve(row, self._start(row, last), settings)
            if result.stopped == "cancelled" and result.plan is None:
                break
            self.results[row] = result
            last = result.plan or last
        if len(self.results) == len(order):
            self._share(settings)

    def _share(self, settings: dict[str, Any]) -> None:
        """What neighbours found, to and fro, in the time that the rows have left."""
        order, cancel = self.grid.order, settings["cancel"]
        limit = settings["time_limit"]
        ends = math.inf if limit is None else self._began + limit * len(order)
        for turn in range(_TURNS):
            better = False
            for row in order if turn % 2 else order[::-1]:
                if (cancel is not None and cancel.is_set()) or time.monotonic() > ends:
                    return
                for neighbour in self.grid.neighbours(row):
                    better |= self._improve(row, neighbour)
            if not better:
                return

    def _start(self, row: int, last: Plan | None) -> Plan | None:
        """The best plan of a row's neighbours in its place; the last one where they have none."""
        solved = [self.results[n].plan for n in self.grid.neighbours(row) if n in self.results]
        known = [plan for plan in solved if plan is not None] or ([] if last is None else [last])
        found = [self._carried(plan, row) for plan in known]
        held = [plan for plan in found if plan is not None]
        return min(held, key=lambda plan: plan.objective(), default=None)

    def _solve(self, row: int, start: Plan | None, settings: dict[str, Any]) -> Result:
        def tell(progress: Progress) -> None:
            self._told(row, progress)

        try:
            return warm_solve(
                self.problems[row], start=start, explain=0, **settings,
                on_progress=None if self._tell is None else tell,
            )  # fmt: skip
        except Unsupported as error:
            if not self.results:
                raise
            goal = self.problems[row]  # of some rows alone: the others stand
            return Result(
                "unsupported", None, None, None, None, None, settings["method"], 0.0,
                settings["seed"], goal.minimize, goal.limits, reason=str(error),
            )  # fmt: skip

    def _told(self, row: int, last: Progress | None) -> None:
        if self._tell is not None:
            self._tell(SweepProgress(
                done=len(self.results), rows=len(self.problems), values=self.grid.given[row],
                seconds=time.monotonic() - self._began, last=last,
            ))  # fmt: skip

    def _carried(self, plan: Plan, row: int) -> Plan | None:
        """A plan in the place of a row, where it was not tried before and holds."""
        if (row, id(plan)) in self._tried:
            return None
        self._tried[row, id(plan)] = plan  # which keeps it, and so its number
        return carried(plan, self.problems[row])

    def _improve(self, row: int, neighbour: int) -> bool:
        """Give a row without a proof the plan of a neighbour, where that is better there."""
        result, plan = self.results[row], self.results[neighbour].plan
        if plan is None or result.status not in ("feasible", "unknown"):
            return False
        made = self._carried(plan, row)
        if made is None:
            return False
        value, known = made.objective(), result.objective
        if known is not None and not value < known - _ROUNDING * abs(known):
            return False
        bound = None if result.bound is None else min(result.bound, value)
        distance = None if bound is None else relative_gap(value, bound)
        proved = distance is not None and distance <= min(self.target, GAP)
        found = replace(
            result, plan=made, objective=value, bound=bound, gap=distance, reason=None,
            status="optimal" if proved else "feasible",
            stopped=None if proved else result.stopped,
        )  # fmt: skip
        made.result = found.summary()
        self.results[row] = found
        return True


# -- the table -------------------------------------------------------------------------------------


def _table(results: dict[int, Result], grid: Grid) -> Sweep:
    rows, placements, before = [], list[Plan](), None
    for number in sorted(results):
        result, plan = results[number], results[number].plan
        values = grid.shown(number)
        place = None
        if plan is not None:
            place = next((n for n, p in enumerate(placements) if same_placement(p, plan)), None)
            if place is None:
                place = len(placements)
                placements.append(plan)
        rows.append({
            **values, "status": result.status, "method": result.method,
            "objective": result.objective, "bound": result.bound, "gap": result.gap,
            "stopped": result.stopped,
            **(dict.fromkeys(METRICS) if plan is None else plan.metrics), "placement": place,
            "moved": None if plan is None or before is None else moved(before, plan),
            "seconds": result.seconds, "reason": result.reason,
        })  # fmt: skip
        before = plan or before
    columns = [
        *grid.paths, "status", "method", "objective", "bound", "gap", "stopped",
        *METRICS, "placement", "moved", "seconds", "reason",
    ]  # fmt: skip
    table = Sweep(rows, columns=columns, index=pd.Index(sorted(results), name=_ROW))
    numbers = dict.fromkeys(("objective", "bound", "gap", *METRICS, "seconds"), float)
    table = Sweep(table.astype({**numbers, "placement": "Int64", "moved": "Int64"}))
    table.results = dict(results)
    return table
