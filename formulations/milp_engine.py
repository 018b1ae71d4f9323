"""Running a PuLP problem: HiGHS in this process, or CBC as a child process.

Both answer with an :class:`Outcome` that is read from the solver itself, because PuLP reports
"Optimal" for an incumbent at a time limit, and even for an interrupt without any incumbent.
"""

from __future__ import annotations

import atexit
import importlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pulp
from numpy.typing import NDArray
from pulp.apis.highs_api import HiGHS

from offload.arrays import FloatArray
from offload.errors import OffloadError, SolverUnavailable
from offload.registry import Stopped

highspy: Any
try:
    highspy = importlib.import_module("highspy")
except ImportError:  # CBC remains
    highspy = None

__all__ = ["TOLERANCE", "ArrayHiGHS", "Control", "Outcome", "run", "solver_of", "versions"]

TOLERANCE = 1e-9  # on rows, integrality and reduced costs; HiGHS allows 1e-10 at least
POLL = 0.02  # seconds between two looks at the clock, the cancellation and the solver's news
_TOLERANCES = (
    "mip_feasibility_tolerance", "primal_feasibility_tolerance", "dual_feasibility_tolerance",
)  # fmt: skip
GRACE = 0.7  # seconds that a solver may take to notice that it has to stop


@dataclass
class Control:
    """How long and how hard a solver runs, and whom it tells.

    Attributes
    ----------
    stopped
        Why to stop now ("time", "cancelled"), or ``None``; asked every 0.02 s.
    seconds
        Seconds left when it is made.
    gap
        Relative gap at which to stop.
    nodes
        Most branch-and-bound nodes: work that does not depend on the machine's speed.
    warm
        Whether to start from the variables' values; those without a value follow from the rest.
    on_solution
        Called with an improved solution as the variables' values (CBC tells only the last one).
    on_bound
        Called with an improved bound on the objective.
    """

    stopped: Callable[[], str | None] = lambda: None
    seconds: float = float("inf")
    gap: float = 0.0
    threads: int | None = None
    seed: int = 0
    nodes: int | None = None
    warm: bool = False
    on_solution: Callable[[], object] = lambda: None
    on_bound: Callable[[float], object] = lambda bound: None

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Seconds left now."""
        return max(0.0, self.seconds - (time.monotonic() - self._began))

    def go_on(self) -> None:
        """Raise :class:`Stopped` once it is to stop."""
        if why := self.stopped():
            raise Stopped(why)


@dataclass
class Outcome:
    """What a solver found.

    Attributes
    ----------
    proof
        "optimal" (to the gap), "infeasible", or ``None``.
    found
        Whether the variables' values are a solution.
    bound
        The solver's bound on the objective, its constant included; ``None`` without one.
    stopped
        "time", "work", "cancelled", or ``None``.
    nodes
        Branch-and-bound nodes that it took.
    note
        What the solver says if it ended in no other way.
    """

    proof: str | None = None
    found: bool = False
    bound: float | None = None
    stopped: str | None = None
    nodes: int = 0
    note: str = ""


def solver_of(name: str | None) -> str:
    """The solver to use: the one that was asked for, else the first one that loads.

    Raises
    ------
    OffloadError
        For a name that is no solver.
    SolverUnavailable
        If it does not load here.
    """
    from formulations.milp_cbc import cbc_path

    if name not in (None, "highs", "cbc"):
        raise OffloadError(f"option 'solver': must be 'highs' or 'cbc', got {name!r}")
    if name != "cbc" and highspy is not None:
        return "highs"
    if name != "highs" and cbc_path() is not None:
        return "cbc"
    fix = "install highspy>=1.12,<1.14" if name != "cbc" else "install pulp>=3.3,<4, which has CBC"
    raise SolverUnavailable(f"{name or 'neither highs nor cbc'} does not load here; {fix}")


def versions(solver: str) -> dict[str, str]:
    """Versions of PuLP and of the solver."""
    from formulations.milp_cbc import cbc_version

    own = {"highspy": version("highspy")} if solver == "highs" else {"cbc": cbc_version()}
    return {"pulp": version("pulp"), **own}


def run(problem: pulp.LpProblem, control: Control, solver: str = "highs") -> Outcome:
    """Solve a problem; the values are on its variables afterwards, if there are any."""
    from formulations.milp_cbc import ChildCBC

    engine = ArrayHiGHS(control) if solver == "highs" else ChildCBC(control)
    try:
        problem.solve(engine)  # type: ignore[no-untyped-call]
    except Stopped:  # before the solver had the problem
        return Outcome(stopped=control.stopped())
    outcome: Outcome = engine.outcome
    return outcome


class Columns(NamedTuple):
    """A problem as arrays: minimize cost x, low <= x <= high, row_low <= A x <= row_high."""

    cost: FloatArray
    low: FloatArray
    high: FloatArray
    integral: NDArray[np.int32]
    row_low: FloatArray
    row_high: FloatArray
    row_start: NDArray[np.int32]
    column: NDArray[np.int32]
    entry: FloatArray


def _bounds(values: Sequence[float | None], infinite: float) -> FloatArray:
    return np.array([infinite if value is None else value for value in values], float)


def columns_of(problem: pulp.LpProblem, go_on: Callable[[], None] = lambda: None) -> Columns:
    """A PuLP problem as arrays, by rows; variables as ``problem.variables()`` has them.

    ``go_on`` is called before each row; it may raise to end this.
    """
    variables, rows = problem.variables(), problem.constraints()
    position = {id(variable): c for c, variable in enumerate(variables)}
    cost = np.zeros(len(variables))
    objective: Any = problem.objective
    for variable, coefficient in objective.items():
        cost[position[id(variable)]] = coefficient
    start = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row.expr) for row in rows], out=start[1:])
    column, entry = np.empty(start[-1], np.int32), np.empty(start[-1])
    for first, last, row in zip(start[:-1], start[1:], rows, strict=True):
        go_on()
        column[first:last] = [position[id(v)] for v in row.expr]
        entry[first:last] = list(row.expr.values())
    return Columns(
        cost if problem.sense == pulp.LpMinimize else -cost,
        _bounds([v.lowBound for v in variables], -np.inf),
        _bounds([v.upBound for v in variables], np.inf),
        np.array([v.cat == pulp.LpInteger for v in variables], np.int32),
        _bounds([row.getLb() for row in rows], -np.inf),
        _bounds([row.getUb() for row in rows], np.inf),
        start,
        column,
        entry,
    )


def _pass(highs: Any, table: Columns, constant: float) -> None:
    """Give a problem to HiGHS, with what its objective adds to every value."""
    rowwise, minimize = 2, 1
    highs.passModel(
        len(table.cost), len(table.row_low), len(table.entry), rowwise, minimize, constant,
        table.cost, table.low, table.high, table.row_low, table.row_high, table.row_start,
        table.column, table.entry, table.integral,
    )  # fmt: skip


def can_write() -> bool:
    """Whether :func:`write` works here."""
    return highspy is not None


def write(problem: pulp.LpProblem, table: Columns, path: Path) -> dict[str, pulp.LpVariable]:
    """Write a problem in MPS; the variables by the names that they have there.

    What the objective adds to every value is left out.
    """
    names = [f"C{c}" for c in range(len(table.cost))]
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    _pass(highs, table, 0.0)
    for c, name in enumerate(names):
        highs.passColName(c, name)
    if highs.writeModel(str(path)) == highspy.HighsStatus.kError:
        raise OSError(f"{path}: cannot be written")
    return dict(zip(names, problem.variables(), strict=True))


class ArrayHiGHS(HiGHS):
    """HiGHS fed with whole arrays, run in a thread of its own, watched and stopped by callbacks.

    A fresh thread for each run, because HiGHS keeps its workers by thread and refuses another
    number of them later. The caller's thread only polls: it alone touches the variables.
    """

    def __init__(self, control: Control) -> None:
        options: dict[str, Any] = dict.fromkeys(_TOLERANCES, TOLERANCE)
        options["random_seed"] = control.seed % 2**31
        if control.nodes is not None:
            options["mip_max_nodes"] = control.nodes
        super().__init__(
            msg=False, gapRel=control.gap, gapAbs=0.0, threads=control.threads or 1,
            timeLimit=control.seconds if np.isfinite(control.seconds) else None, **options,
        )  # fmt: skip
        self.control = control
        self.outcome = Outcome()
        self._stop = threading.Event()
        self._reason: str | None = None
        self._error: BaseException | None = None
        self._solutions: deque[FloatArray] = deque(maxlen=1)  # from the solver's thread
        self._bound = self._told = -np.inf
        self._ended = True

    @staticmethod
    def _highs(lp: pulp.LpProblem) -> Any:
        return lp.solverModel

    def buildSolverModel(self, lp: pulp.LpProblem) -> None:  # noqa: N802
        """Pass the problem to HiGHS as arrays; PuLP's own way takes 16 times as long."""
        table, highs = columns_of(lp, self.control.go_on), self._highs(lp)
        self._variables = lp.variables()
        self._sign = 1.0 if lp.sense == pulp.LpMinimize else -1.0
        _pass(highs, table, self._sign * cast(Any, lp.objective).constant)
        if self.control.warm:
            self._pass_start(highs)

    def _pass_start(self, highs: Any) -> None:
        """Start from the variables' values (PuLP's own way drops them), if they fix all integers.

        A start that leaves integers open is completed by a search, which HiGHS reports like its
        main one: its bound is none of the problem's.
        """
        known = {c: v.varValue for c, v in enumerate(self._variables) if v.varValue is not None}
        if all(c in known for c, v in enumerate(self._variables) if v.cat == pulp.LpInteger):
            index = np.array(list(known), np.int32)
            highs.setSolution(len(known), index, np.array(list(known.values()), float))

    def callSolver(self, lp: pulp.LpProblem) -> None:  # noqa: N802
        """Run until the solver ends, and tell its news from this thread meanwhile."""
        self._reason = self.control.stopped()
        if self._reason:
            self._ended = False
            return
        highs = self._highs(lp)
        if np.isfinite(self.control.seconds):  # less than when the problem was not yet made
            highs.setOptionValue("time_limit", self.control.seconds_left)
        highs.setCallback(self._hear, None)
        kinds = highspy.cb.HighsCallbackType
        for kind in (kinds.kCallbackMipInterrupt, kinds.kCallbackMipImprovingSolution):
            highs.startCallback(kind)
        runner = threading.Thread(target=self._run, args=(highs,), daemon=True)
        runner.start()
        try:
            self._watch(runner)
        finally:
            self._stop.set()
            runner.join(GRACE)
            self._ended = not runner.is_alive()
            if not self._ended:  # in the middle of a linear program: it stops at its next node
                atexit.register(runner.join)
        if self._error is not None:
            raise self._error
        self._tell()

    def _watch(self, runner: threading.Thread) -> None:
        """Until the solver ends or has to stop: pass its news on, ask whether to stop."""
        while runner.is_alive() and not self._reason:
            runner.join(POLL)
            self._tell()
            self._reason = self.control.stopped()

    def _run(self, highs: Any) -> None:
        try:
            highs.run()
        except BaseException as error:  # handed over to the caller's thread
            self._error = error

    def _hear(self, kind: int, message: str, out: Any, into: Any, data: Any) -> None:
        """Callback in the solver's thread: note the news, say whether to stop."""
        if kind == int(highspy.cb.HighsCallbackType.kCallbackMipImprovingSolution):
            self._solutions.append(np.array(out.mip_solution, float))
        else:
            self._bound = max(self._bound, out.mip_dual_bound)
            if self._stop.is_set():
                into.user_interrupt = True

    def _tell(self) -> None:
        """Pass the solver's news on, in the caller's thread."""
        while self._solutions:
            self._assign(self._solutions.popleft())
            self.outcome.found = True
            self.control.on_solution()
        if self._bound > self._told:
            self._told = self._bound
            self.control.on_bound(self._sign * self._told)

    def _assign(self, solution: Sequence[float] | FloatArray) -> None:
        for variable, value in zip(self._variables, solution, strict=True):
            variable.varValue = float(value)

    def findSolutionValues(self, lp: pulp.LpProblem) -> tuple[int, int]:  # noqa: N802
        """Read status, values and bound from HiGHS itself."""
        if self._ended:
            self._read(self._highs(lp))
        else:
            self.outcome.stopped = self._reason
        bound = self.outcome.bound
        if self.outcome.proof != "infeasible" and np.isfinite(self._bound):
            self._bound = self._bound if bound is None else max(self._bound, bound)
            self.outcome.bound = self._bound
        if self.outcome.bound is not None:
            self.outcome.bound *= self._sign
        return pulp_status(self.outcome)

    def _read(self, highs: Any) -> None:
        info, status, out = highs.getInfo(), highs.getModelStatus(), self.outcome
        known = highspy.HighsModelStatus
        stops = {
            known.kTimeLimit: "time", known.kInterrupt: self._reason or "time",
            known.kIterationLimit: "work", known.kSolutionLimit: "work",
        }  # fmt: skip
        out.stopped = stops.get(status)
        out.nodes = max(int(info.mip_node_count), 0)
        out.found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if status == known.kOptimal:
            out.proof = "optimal"
        elif status in (known.kInfeasible, known.kUnboundedOrInfeasible):
            out.proof = "infeasible"  # every objective here is bounded from below
        elif out.stopped is None:
            out.note = f"HiGHS ended with {highs.modelStatusToString(status)!r}"
        for variable in self._variables:
            variable.varValue = None
        if out.found:
            self._assign(highs.getSolution().col_value)
        if out.proof != "infeasible":
            integral = any(v.cat == pulp.LpInteger for v in self._variables)
            if not integral and out.proof is None:
                return  # an unfinished linear program has no bound
            bound = info.mip_dual_bound if integral else info.objective_function_value
            out.bound = float(bound) if info.valid and np.isfinite(bound) else None


def pulp_status(out: Outcome) -> tuple[int, int]:
    """PuLP's two status numbers, honest ones: "Optimal" only with a proof."""
    if out.proof == "optimal":
        return pulp.LpStatusOptimal, pulp.LpSolutionOptimal
    if out.proof == "infeasible":
        return pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible
    if out.found:
        return pulp.LpStatusNotSolved, pulp.LpSolutionIntegerFeasible
    return pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound
