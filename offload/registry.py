"""The table of methods: one line each, naming its code as a string and what it honours."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from offload.errors import OffloadError, SolverUnavailable
from offload.features import FEATURES, Goal
from offload.problem import Problem
from offload.typechecks import close

if TYPE_CHECKING:
    import threading

    import pandas as pd

    from offload.plan import Plan

__all__ = ["Answer", "Entry", "Method", "Request", "Stopped", "entries", "find", "methods"]


class Stopped(Exception):
    """The time was up, or a cancel came, before a method had made what it was making.

    It says which: "time" or "cancelled".
    """


@dataclass
class Request:
    """What a method is asked: the instance, the goal, how long and how hard, and whom to tell.

    Attributes
    ----------
    problem, goal
        The instance, and what is minimized under which limits.
    deadline
        ``time.monotonic()`` at which to stop; infinite without a limit.
    work_limit
        Deterministic work (evaluations, CP-SAT's deterministic time); ``None`` without a limit.
    gap
        Relative gap at which the answer counts as proved.
    threads
        Solver threads; ``None`` lets the method choose.
    start
        A plan to start from, already checked; ``None`` without one.
    options
        The method's own options.
    bound
        A lower bound of the objective that is known beforehand.
    report
        Call it with a better plan or bound (either may be ``None``) whenever there is one.
    """

    problem: Problem
    goal: Goal
    deadline: float = float("inf")
    work_limit: float | None = None
    gap: float = 1e-4
    threads: int | None = None
    seed: int = 0
    start: Plan | None = None
    options: dict[str, Any] = field(default_factory=dict)
    cancel: threading.Event | None = None
    bound: float = float("-inf")
    report: Callable[[Plan | None, float | None], None] = lambda plan, bound: None

    def keeps(self, plan: Plan) -> bool:
        """Whether a plan holds under the goal's limits."""
        from offload.checker import check

        return not check(self.problem, plan, limits=self.goal.limits)

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def stopped(self) -> str | None:
        """ "cancelled" or "time" once the method has to stop, else ``None``."""
        if self.cancel is not None and self.cancel.is_set():
            return "cancelled"
        return "time" if time.monotonic() >= self.deadline else None

    def go_on(self) -> None:
        """Raise :class:`Stopped` once the method has to stop."""
        if why := self.stopped:
            raise Stopped(why)


@dataclass
class Answer:
    """What a method found. ``solve`` checks the plan and derives status and gap.

    Attributes
    ----------
    plan
        The best plan, or ``None``.
    bound
        A true lower bound of this problem (not of a rounded one), or ``None``.
    infeasible
        Whether it is proved that there is no plan.
    stopped
        Why the method stopped before a proof: "time", "work", "cancelled" or ``None``.
    reason
        Why there is no plan, in a sentence.
    versions
        Versions of the solvers that were used.
    """

    plan: Plan | None = None
    bound: float | None = None
    infeasible: bool = False
    stopped: str | None = None
    reason: str | None = None
    versions: dict[str, str] = field(default_factory=dict)


class Method(Protocol):
    """A method is a function from a request to an answer."""

    def __call__(self, request: Request) -> Answer: ...


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes
    ----------
    where
        ``"module:function"``, imported on first use.
    kind
        "exact", "list scheduling", "policy", ...
    honours
        Names from :data:`offload.features.FEATURES`.
    guarantee
        What its answer promises.
    source
        Paper, and equation where there is one.
    options
        The method's own options and what they mean.
    chooses
        Whether it runs other exact methods, and needs one that honours all of an instance.
    helped
        Whether a plan of the heuristics helps it; if not, it is given none.
    goals
        The metrics that it can minimize; all of them where none is named.
    use
        For what to use it, in a line.
    """

    name: str
    where: str
    kind: str
    honours: frozenset[str]
    guarantee: str
    source: str
    options: Mapping[str, str] = field(default_factory=dict)
    chooses: bool = False
    helped: bool = True
    goals: frozenset[str] = frozenset()
    use: str = ""

    def lacks(self, used: Sequence[str]) -> list[str]:
        """Which of the features that an instance uses it does not honour (together)."""
        missing = [name for name in used if name not in self.honours]
        if not self.chooses or missing:
            return missing
        chosen = (e for e in entries().values() if e.kind == "exact" and not e.chooses)
        each = [entry.lacks(used) for entry in chosen]
        least = min(map(len, each), default=0)  # those that come nearest
        return [name for name in used if any(name in m for m in each if len(m) == least)]

    def load(self) -> Method:
        """The method's function.

        Raises
        ------
        SolverUnavailable
            If its module does not import here.
        """
        module, _, name = self.where.partition(":")
        try:
            function: Method = getattr(importlib.import_module(module), name)
        except ImportError as error:
            text = f"method {self.name!r} cannot be loaded: {error}; install what it needs"
            raise SolverUnavailable(text) from error
        return function


def _honours(*without: str) -> frozenset[str]:
    unknown = set(without) - set(FEATURES)
    assert not unknown, unknown
    return frozenset(FEATURES) - set(without)


_ADVANCED = ("channels", "reads", "moves", "modes", "codecs", "copies", "splitting", "serial-io")
_NO_PROOF = "a checked plan, or unknown"
_PROOF = "optimal within the gap and a true bound, or a proof that there is no plan"

_AVERAGE = {"average": "pairs (default, as in the paper) or saga (each node's zero self-pair too)"}
_READY = "offload.heuristics.ready_list"
_BATCH = "offload.heuristics.batch_mode"
_WHOLE = _honours("splitting")
_POLICIES = "offload.heuristics.policies"
_RANKED = "offload.heuristics.list_scheduling"

_TABLE = (
    Entry(
        "heft", f"{_RANKED}:heft", "list", _WHOLE, _NO_PROOF,
        "Topcuoglu, Hariri, Wu 2002, section 4.1", _AVERAGE,
        use="latency at once and at any size; what `auto` begins with",
    ),
    Entry(
        "cpop", f"{_RANKED}:cpop", "list", _WHOLE, _NO_PROOF,
        "Topcuoglu, Hariri, Wu 2002, section 4.2", _AVERAGE,
        use="latency where one path dominates: that path stays on one node",
    ),
    Entry(
        "peft", f"{_RANKED}:peft", "list", _WHOLE, _NO_PROOF,
        "Arabnejad, Barbosa 2014, section 4", _AVERAGE,
        use="latency, beside `heft` and as fast: it foresees what a node means for what follows",
    ),
    Entry(
        "lookahead", "offload.heuristics.lookahead:lookahead", "list", _WHOLE, _NO_PROOF,
        "Bittencourt, Sakellariou, Madeira 2010, HEFT with one level of lookahead", _AVERAGE,
        use="latency where `heft` is not good enough and tens of times its time are there",
    ),
    Entry(
        "etf", f"{_READY}:etf", "list", _WHOLE, _NO_PROOF,
        "Hwang, Chow, Anger, Lee 1989, earliest task first",
        use="latency on nodes that are much alike: it looks at starts, not at how fast a node is",
    ),
    Entry(
        "dls", f"{_READY}:dls", "list", _WHOLE, _NO_PROOF,
        "Sih, Lee 1993, dynamic levels for heterogeneous processors",
        use="latency on unlike nodes, beside `heft`: it looks at all ready tasks each time",
    ),
    Entry(
        "mcp", f"{_READY}:mcp", "list", _WHOLE, _NO_PROOF,
        "Wu, Gajski 1990, modified critical path",
        use="latency on nodes that are much alike, with gaps to fill",
    ),
    Entry(
        "min-min", f"{_BATCH}:min_min", "batch", _WHOLE, _NO_PROOF,
        "Ibarra, Kim 1977, algorithm D; Maheswaran et al. 1999, batch mode",
        use="latency of tasks that hardly wait for each other, of much the same length",
    ),
    Entry(
        "max-min", f"{_BATCH}:max_min", "batch", _WHOLE, _NO_PROOF,
        "Ibarra, Kim 1977, algorithm E; Maheswaran et al. 1999, batch mode",
        use="latency of tasks that hardly wait for each other, a few long ones among short ones",
    ),
    Entry(
        "sufferage", f"{_BATCH}:sufferage", "batch", _WHOLE, _NO_PROOF,
        "Maheswaran et al. 1999, batch mode",
        use="latency of tasks that hardly wait for each other and suit few nodes each",
    ),
    Entry(
        "duplex", f"{_BATCH}:duplex", "batch", _WHOLE, _NO_PROOF,
        "Braun et al. 2001, the better of min-min and max-min",
        use="latency where it is not known which of `min-min` and `max-min` suits",
    ),
    Entry(
        "mct", f"{_BATCH}:mct", "batch", _WHOLE, _NO_PROOF,
        "Maheswaran et al. 1999, on-line mode, minimum completion time",
        use="a baseline of latency: each task in turn goes where it completes first",
    ),
    Entry(
        "met", f"{_BATCH}:met", "batch", _WHOLE, _NO_PROOF,
        "Maheswaran et al. 1999, on-line mode, minimum execution time",
        use="a baseline: each task on its fastest node, whatever waits there",
    ),
    Entry(
        "olb", f"{_BATCH}:olb", "batch", _WHOLE, _NO_PROOF,
        "Braun et al. 2001, opportunistic load balancing",
        use="a baseline: nodes are kept busy however long they take",
    ),
    Entry(
        "greedy", "offload.heuristics.greedy:greedy", "greedy", _WHOLE, _NO_PROOF,
        "least added price, limits priced by Lagrange multipliers (Fisher 1981)",
        use="any weighted goal and limits, at once: energy, cost, risk, traffic, period, or a mix",
    ),
    Entry(
        "best-of", "offload.heuristics.best_of:best_of", "portfolio", _WHOLE, _NO_PROOF,
        "all constructive heuristics, the cheapest first",
        use="a good plan in little time, without a search",
    ),
    Entry(
        "round-robin", f"{_POLICIES}:round_robin", "policy", _WHOLE, _NO_PROOF, "cyclic order",
        use="a baseline: what a plain load balancer does",
    ),
    Entry(
        "least-loaded", f"{_POLICIES}:least_loaded", "policy", _WHOLE, _NO_PROOF,
        "least connections", {"load": "time (slot-seconds, default) or count (tasks)"},
        use="a baseline: what a load balancer that sees queues does",
    ),
    Entry(
        "weighted-share", f"{_POLICIES}:weighted_share", "policy", _WHOLE, _NO_PROOF,
        "shares w_i T_i / sum_j w_j T_j",
        use="a baseline: parts of the load by weight, whatever the graph",
    ),
    Entry(
        "by-intensity", f"{_POLICIES}:by_intensity", "policy", _WHOLE, _NO_PROOF,
        "compute-intensive to the fastest node, data-intensive near its data",
        use="a baseline: a rule of thumb of what to offload",
    ),
    Entry(
        "local", f"{_POLICIES}:local", "policy", _WHOLE, _NO_PROOF, "no offloading",
        use="a baseline: what offloading is worth is the difference to it",
    ),
    Entry(
        "cloud", f"{_POLICIES}:cloud", "policy", _WHOLE, _NO_PROOF, "all to the cloud tier",
        use="a baseline: what the devices and the edge are worth is the difference to it",
    ),
    Entry(
        "random", f"{_POLICIES}:randomly", "policy", _WHOLE, _NO_PROOF, "uniform choice",
        use="a baseline: what any method must beat; with several seeds, a sample of plans",
    ),
    Entry(
        "single-cut", "offload.heuristics.single_cut:single_cut", "cut", _WHOLE, _NO_PROOF,
        "Kang et al. 2017, Neurosurgeon: the best cut of a topological order",
        use="layered networks between a device and a cloud, any goal; what one cut can do",
    ),
    Entry(
        "fill", "offload.heuristics.fill:fill", "cut", _WHOLE, _NO_PROOF,
        "nodes filled in turn, the share of each bisected",
        use="a baseline of the period: pipelines as people split them by hand",
    ),
    Entry(
        "anneal", "offload.heuristics.anneal:anneal", "search", _WHOLE, _NO_PROOF,
        "Mastrolilli, Gambardella 2000 (sequences); Geman, Geman 1984 (additive); "
        "Kirkpatrick, Gelatt, Vecchi 1983 (decoding)",
        {
            "search": "auto (default), sequences (latency, and sums with it, on single slots), "
            "additive (energy without idle power, cost, risk, traffic) or decoding"
        },
        use="any goal and limits for as long as there is time, where no proof is asked for; "
        "above 150 tasks what `auto` spends its time on",
    ),
    Entry(
        "cpsat", "formulations.cpsat:solve", "exact", _WHOLE, _PROOF,
        "constraint programming, OR-Tools CP-SAT; see formulations/cpsat.py",
        {"horizon": "ticks of the time grid at most; the default is what the gap needs"},
        use="proofs where times count: latency, completion, tardiness, deadlines; the widest "
        "of the exact methods",
    ),
    Entry(
        "node-columns", "formulations.node_columns:solve", "bound", _WHOLE,
        "a true bound beside the plan that it starts from",
        "Dantzig, Wolfe 1960; Johnson, Mehrotra, Nemhauser 1993, sets of tasks for nodes; "
        "see formulations/node_columns.py",
        use="a bound of energy, cost, risk or traffic where transfers cost something and "
        "memory or a limit of latency keeps tasks apart",
    ),
    Entry(
        "knapsacks", "formulations.knapsacks:solve", "bound", _WHOLE,
        "a true bound; where nothing but room on nodes ties tasks, the best plan too",
        "Fisher, Jaikumar, Van Wassenhove 1986; Posta, Ferland, Michelon 2012; "
        "see formulations/knapsacks.py",
        use="energy, cost, risk or traffic where nothing is transferred and room is scarce; "
        "often to a proof",
    ),
    Entry(
        "stages", "formulations.stages:solve", "bound", _WHOLE,
        "the best contiguous stages and a true bound where nodes are joined alike",
        "Tarnawski et al. 2020, section 5.1; see formulations/stages.py",
        {"ideals": "ideals of the order at most (default 50000); more are narrowed to fewer"},
        helped=False, goals=frozenset({"period"}),
        use="the period alone: pipelines, and large models over several machines",
    ),
    Entry(
        "min-cut", "formulations.min_cut:solve", "bound", _WHOLE,
        "on two nodes a true bound of sums, and where those or a path's latency are all that "
        "counts the best plan; else the best placement by cuts between two nodes",
        "Hu, Bao, Wang, Liu 2019, DADS; Stone 1977; see formulations/min_cut.py",
        helped=False,
        use="two nodes, a device and a cloud: energy, cost, risk and traffic of thousands of "
        "tasks, or a path's latency",
    ),
    Entry(
        "milp", "formulations.milp:solve", "exact", _honours(*_ADVANCED) | {"splitting"}, _PROOF,
        "mixed-integer programming, HiGHS or CBC; see formulations/milp.py; divisible tasks as "
        "in Bharadwaj, Ghose, Robertazzi 2003",
        {"solver": "highs (default) or cbc"},
        use="divisible tasks; sums under capacity; proofs by another model and solver than "
        "those of `cpsat`",
    ),
    Entry(
        "exact", "offload.portfolio:exact", "exact", _honours(), _PROOF,
        "heuristics, local search, bounds and exact methods in turn; see offload/portfolio.py; "
        "no exact method honours splitting together with all else",
        chooses=True,
        use="a proof or a bound is what is wanted, more than a good plan soon",
    ),
)  # fmt: skip


@cache
def entries() -> dict[str, Entry]:
    """All methods by name, those of other packages (entry points ``offload.methods``) included."""
    table = {entry.name: entry for entry in _TABLE}
    for point in entry_points(group="offload.methods"):
        made = point.load()
        if not isinstance(made, Entry):
            raise OffloadError(f"entry point {point.value!r} of offload.methods is no Entry")
        table.setdefault(made.name, made)
    return table


def find(name: str) -> Entry:
    """The entry of a method.

    Raises
    ------
    OffloadError
        If there is none of that name.
    """
    try:
        return entries()[name]
    except KeyError:
        fix = close(name, ["auto", *entries()])
        raise OffloadError(f"method: unknown method, got {name!r}; {fix}") from None


def methods() -> pd.DataFrame:
    """All methods: a row each.

    Columns method, kind, honours, guarantee, source, options, and use: for what to use it.
    """
    import pandas as pd

    rows = [
        {
            "method": entry.name,
            "kind": entry.kind,
            "honours": ", ".join(name for name in FEATURES if name in entry.honours),
            "guarantee": entry.guarantee,
            "source": entry.source,
            "options": "; ".join(f"{name}: {text}" for name, text in entry.options.items()),
            "use": entry.use,
        }
        for entry in entries().values()
    ]
    return pd.DataFrame(rows)
