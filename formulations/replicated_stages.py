"""Pipelines whose stages may be replicated: :func:`offload.replicated_stages`.

Sets
    layers i of a graph without cycles (tasks that are together, forward and backward), workers 1..N
    that are alike; ideals I: sets of layers that hold whatever their members wait for
Parameters
    c_i seconds of layer i on a worker, forward and backward; w_i bytes of its parameters;
    B bytes a second between two workers; M memory of a worker;
    a_I bytes of all items that cross the boundary of I, each item once, activations and gradients
Choice
    a chain of ideals {} = I_0 < I_1 < ... < I_S, all layers in the last: stage s is I_s \\ I_(s-1);
    r_s >= 1 replicas of stage s, sum_s r_s <= N (workers that bring nothing stay unused)
Time of a stage with c, w (sums over its layers) on r workers, per input
    t(s, r) = (c + 4 (r - 1) w / (r B)) / r
    Each replica works on every r-th input, for c seconds, and then synchronises its parameters with
    the others, for 4 (r - 1) w / (r B). It holds all parameters of its stage: w <= M.
    With `transfers` also t(s, r) >= a / (r B), a of either boundary of the stage (2 a / (r B) in
    the source, where an activation of a bytes has a gradient of as many).
Objective
    minimize max_s t(s, r_s)

Dynamic programming over (ideal, workers left):
    A(I, m) = min over ideals J < I and r <= m of max(A(J, m - r), t(I \\ J, r)),   A({}, m) = 0
and, at the period P that comes out, the fewest workers, then the fewest stages, that reach it:
    n(I) = min over J, r with t(I \\ J, r) <= P of n(J) + r

Every chain of ideals is looked at, so that the answer is proved within this model, up to a bound
on their number; wide graphs have too many, and then those along one topological order are, which
gives a pipeline that holds, but not a proof (`ReplicatedStages.optimal`).

It is no plan of docs/format.md, which knows no replicas: the metric `period` of a plan counts
transfers otherwise (with serial io they add to the load) and no synchronisation.

Source: Narayanan et al. 2019, "PipeDream: generalized pipeline parallelism for DNN training",
SOSP, section 3.1, one level of its hierarchy. The paper has the longer of computation and
synchronisation; the published optimizer (https://github.com/msr-fiddle/pipedream) adds them, as
above, leaves out inputs, counts transfers only where told their compression, and uses all N workers
unless told otherwise.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from formulations.replica_layers import Layers, ideals_of, layers_of, line_of
from formulations.replica_search import Search, stage_times
from offload.checked import whole
from offload.errors import InstanceError, Issue, OffloadError
from offload.problem import Problem
from offload.units import count, quantity

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReplicatedStages", "Stage", "replicated_stages"]

_IDEALS = 10_000  # at most, for all chains of them
_WORK = 4e9  # pairs of ideals times pairs of workers, at most
_LONGEST = 2e10  # likewise, along one order


@dataclass(frozen=True)
class Stage:
    """One stage of a pipeline.

    Attributes
    ----------
    tasks
        Ids of its tasks, forward and backward, layer by layer.
    replicas
        Workers that hold a copy of it each.
    compute, synchronisation
        Seconds of one worker per input that it works on.
    transfer
        Seconds per input of the pipeline for the larger of its boundaries; 0 if not asked for.
    parameter_bytes
        Held by each replica.
    seconds
        Per input of the pipeline, and so what bounds the period.
    share
        Of the period.
    """

    tasks: tuple[str, ...]
    replicas: int
    compute: float
    synchronisation: float
    transfer: float
    parameter_bytes: float
    seconds: float
    share: float


@dataclass(frozen=True)
class ReplicatedStages:
    """A pipeline of replicated stages.

    Attributes
    ----------
    stages
        From the first to the last.
    workers
        That there are.
    bandwidth
        Bytes a second between two of them.
    optimal
        Whether no pipeline of the model has a lesser period; else only stages along one
        topological order were looked at.
    """

    stages: tuple[Stage, ...]
    workers: int
    bandwidth: float
    optimal: bool

    @property
    def period(self) -> float:
        """Seconds between inputs: of the slowest stage."""
        return max((stage.seconds for stage in self.stages), default=0.0)

    @property
    def replicas(self) -> tuple[int, ...]:
        """Replicas of each stage."""
        return tuple(stage.replicas for stage in self.stages)

    def to_frame(self) -> pd.DataFrame:
        """A row a stage: stage (from 1), first and last task, tasks, replicas, and its numbers."""
        import pandas as pd

        columns = ("compute", "synchronisation", "transfer", "parameter_bytes", "seconds", "share")
        rows = [
            {
                "stage": number, "first": stage.tasks[0], "last": stage.tasks[-1],
                "tasks": len(stage.tasks), "replicas": stage.replicas,
                **{name: getattr(stage, name) for name in columns},
            }
            for number, stage in enumerate(self.stages, 1)
        ]  # fmt: skip
        names = ["stage", "first", "last", "tasks", "replicas", *columns]
        return pd.DataFrame(rows, columns=names)

    def __str__(self) -> str:
        proof = "" if self.optimal else ", not proved: one order of the layers"
        return (
            f"{count(len(self.stages), 'stage')}, replicas "
            f"{'-'.join(map(str, self.replicas)) or 'none'}, on {sum(self.replicas)} of "
            f"{count(self.workers, 'worker')}: period {quantity(self.period, 's', 6)}{proof}"
        )

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, max_rows=30, border=0)
        return f"<p>{html.escape(str(self))}</p>{table}"


def replicated_stages(
    problem: Problem, workers: int | None = None, *, transfers: bool = False
) -> ReplicatedStages:
    """The pipeline of least period whose stages may be replicated, as PipeDream plans it.

    Parameters
    ----------
    problem
        Tasks on nodes that are alike, with one bandwidth between each two, as of
        ``offload.convert("vgg16.graph.txt", processors=4, bandwidth=5e9)``. Tasks that are together
        are a layer; where groups "contiguous" name the forward pass, layers follow each other as in
        it. What the instance minimizes does not matter.
    workers
        How many nodes there are; those of the instance by default.
    transfers
        Whether activations and gradients between stages bound the period, too.

    Returns
    -------
    ReplicatedStages
        A table of stages; no plan, for the instance format has no replicas.

    Raises
    ------
    Unsupported
        For an instance with requirements that the cost model has no place for.
    InstanceError
        For nodes that are not alike, tasks that are no layers, layers too large for a node.
    OffloadError
        For a number of workers that is none, or that holds no pipeline.

    Notes
    -----
    A stage of c seconds and w bytes of parameters on r workers takes
    (c + 4 (r - 1) w / (r B)) / r seconds an input: Narayanan et al. 2019, section 3.1; the module
    ``formulations.replicated_stages`` has the whole model. Its profile of VGG16 on four workers at
    5 GB/s: replicas 3-1, 0.170796 s.
    """
    layers = layers_of(problem)
    nodes = problem.tables.nodes
    most = nodes if workers is None else whole("workers", workers)
    if most > 1 and nodes == 1:
        raise OffloadError(f"workers: must be 1 on a network of one node, got {most}; add nodes")
    for members, size in zip(layers.tasks, layers.parameters, strict=True):
        if size > layers.memory:
            fix = f"no node holds more than {layers.memory:g}"
            path, message = f"$.graph.tasks[{members[0]}]", "its layer's resident bytes fit no node"
            raise InstanceError([Issue(path, message, size, fix)])
    ideals, optimal = _ideals(layers, most)
    search = Search(layers, ideals, most, transfers)
    found = search.stages()
    if found is None:
        raise OffloadError(
            f"workers: the layers' resident bytes do not fit on {count(most, 'worker')}; take more"
        )
    return ReplicatedStages(_table(problem, search, found), most, layers.bandwidth, optimal)


def _ideals(layers: Layers, workers: int) -> tuple[list[int], bool]:
    """The ideals that are looked at, and whether these are all."""
    ideals = ideals_of(layers, min(_IDEALS, _most(_WORK, workers)))
    if ideals is not None:
        return ideals, True
    line = line_of(layers)
    if len(line) > _most(_LONGEST, workers):
        most = _most(_LONGEST, len(line))
        what = count(len(layers.tasks), "layer")
        raise OffloadError(f"workers: must be at most {most} for {what}, got {workers}; take fewer")
    return line, False


def _most(work: float, other: int) -> int:
    """How many ideals for so many workers, or workers for so many ideals, take some work."""
    return int(2 * work**0.5 / other)


def _table(
    problem: Problem, search: Search, found: list[tuple[int, int, int]]
) -> tuple[Stage, ...]:
    """The stages with their numbers, from sums over their own layers."""
    layers, tasks = search.layers, problem.graph.tasks
    stages = []
    for inner, outer, replicas in found:
        bits = search.ideals[outer] & ~search.ideals[inner]
        members = [i for i in range(len(layers.tasks)) if bits >> i & 1]
        seconds = sum(layers.seconds[i] for i in members)
        parameters = sum(layers.parameters[i] for i in members)
        boundary = max(search.boundary[inner], search.boundary[outer])
        sums = np.array([seconds, parameters, boundary])[:, None]
        times = stage_times(sums[0], sums[1], sums[2], replicas, layers.bandwidth)
        names = tuple(tasks[i].id for layer in members for i in layers.tasks[layer])
        stages.append(
            Stage(
                names, replicas, seconds, float(times.synchronisation[0]),
                float(times.transfer[0]), parameters, float(times.total[0]), 1.0,
            )
        )  # fmt: skip
    period = max((stage.seconds for stage in stages), default=0.0)
    return tuple(
        replace(stage, share=stage.seconds / period if period else 1.0) for stage in stages
    )
