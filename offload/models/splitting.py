"""A module cut by a plan into stages, one for each node: :func:`split`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from offload.errors import OffloadError, shorten
from offload.models import needed
from offload.models.options import checked_options
from offload.models.stages import Source, Stage
from offload.problem import Graph

if TYPE_CHECKING:
    from offload.plan import Plan

__all__ = ["Split", "cut", "split"]


@dataclass(frozen=True)
class Split:
    """A module in stages, in an order in which they can run.

    Attributes
    ----------
    stages
        One for each node that computes; several for a node whose tasks are not convex, or where
        nodes wait for each other in turn.
    """

    stages: tuple[Stage, ...]
    _inputs: tuple[tuple[str | None, Any], ...] = field(repr=False)  # name, type and shape
    _in_spec: Any = field(repr=False)
    _outputs: tuple[tuple[str | None, Any], ...] = field(repr=False)  # name, or a constant
    _out_spec: Any = field(repr=False)

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the input's tensors."""
        return tuple(name for name, _ in self._inputs if name)

    @property
    def gives(self) -> tuple[str, ...]:
        """Names of the tensors that the result is made of."""
        return tuple(dict.fromkeys(name for name, _ in self._outputs if name))

    def inputs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The tensors of a call ``module(*args, **kwargs)`` by the names that stages need.

        Raises
        ------
        OffloadError
            If they are not of the number and shapes for which the module was cut.
        """
        torch = needed.torch()
        flat, spec = torch.utils._pytree.tree_flatten((args, kwargs))
        if spec != self._in_spec:
            raise OffloadError(
                "split: other inputs than the module was cut for; give the same number of them, in"
                " the same order, and the same names"
            )
        for (name, example), value in zip(self._inputs, flat, strict=True):
            if name and (value.dtype, tuple(value.shape)) != example:
                dtype, shape = example
                raise OffloadError(
                    f"split: input {name!r} must be {dtype} of shape {shape}, got {value.dtype} of"
                    f" {tuple(value.shape)}; cut the module for such inputs"
                )
        return {name: v for (name, _), v in zip(self._inputs, flat, strict=True) if name}

    def result(self, tensors: Mapping[str, Any]) -> Any:
        """What the module returns, from all that the stages gave (and the input)."""
        values = [tensors[name] if name else value for name, value in self._outputs]
        return needed.torch().utils._pytree.tree_unflatten(values, self._out_spec)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run all stages one after the other, here."""
        tensors = self.inputs(*args, **kwargs)
        for stage in self.stages:
            tensors |= stage(tensors)
        return self.result(tensors)


def split(
    module: Any,
    args: Sequence[Any],
    plan: Plan | Mapping[str, str],
    kwargs: Mapping[str, Any] | None = None,
    *,
    blocks: int | None = None,
    elementwise: bool = False,
) -> Split:
    """Cut a module by a plan.

    Parameters
    ----------
    module, args, kwargs
        As for :func:`offload.models.from_torch`, with real weights and in evaluation mode.
    plan
        A plan of an instance with the module's graph; or the node of each task, by id.
    blocks, elementwise
        As they were when the graph was made.

    Returns
    -------
    Split
        The stages, with the module's own weights; they compute what the module does, without
        gradients. Backward twins in the plan are left out.

    Raises
    ------
    OffloadError
        For a plan of another graph, and as :func:`offload.models.from_torch`.
    """
    options = checked_options(blocks, None, None, elementwise, False, None)
    source = Source(module, args, kwargs, options, "split")
    return cut(source, _nodes(plan, source.modelled.graph))


def cut(source: Source, node_of: Mapping[str, str]) -> Split:
    """The stages of a module, given the node of each of its tasks."""
    groups = _groups(source.modelled.graph, node_of)
    extra, outputs = _outputs(source, groups)
    drafts = [source.stage(node, tasks, extra[k], ()) for k, (node, tasks) in enumerate(groups)]
    wanted = {name for name, _ in outputs if name}
    wanted.update(name for draft in drafts for name in draft.needs)
    operations = source.modelled.operations
    stages = []
    for k, (node, tasks) in enumerate(groups):
        own = [i for task in tasks for i in operations[task]]
        gives = source.results([*own, *extra[k]]) & wanted
        stages.append(source.stage(node, tasks, extra[k], gives))
    found = source.exported
    examples: dict[str, Any] = {node.name: node.meta.get("val") for node in found.graph.nodes}
    inputs: list[tuple[str | None, Any]] = []
    for given in found.graph_signature.input_specs:
        if given.kind.name == "USER_INPUT":
            name = given.arg.name
            value: Any = examples.get(name)
            known = name in source.modelled.program.sizes
            inputs.append((name, (value.dtype, tuple(value.shape))) if known else (None, None))
    spec = found.call_spec
    return Split(tuple(stages), tuple(inputs), spec.in_spec, tuple(outputs), spec.out_spec)


def _nodes(plan: Plan | Mapping[str, str], graph: Graph) -> dict[str, str]:
    """The node of each task of the graph."""
    if isinstance(plan, Mapping):
        given, works = dict(plan), {}
    else:
        names = [node.id for node in plan.problem.network.nodes]
        tasks = plan.problem.graph.tasks
        given = {
            task.id: names[k] for task, k in zip(tasks, plan.nodes.tolist(), strict=True) if k >= 0
        }
        works = {task.id: task.work for task in tasks}
    for task in graph.tasks:
        if task.id not in given or works.get(task.id, task.work) != task.work:
            raise OffloadError(
                f"split: the plan is not of this module's graph, which has the task {task.id!r} of"
                f" {task.work:g} FLOPs; give the blocks and elementwise that the graph was made"
                f" with, got tasks {shorten(list(given))}"
            )
    return {task.id: given[task.id] for task in graph.tasks}


def _groups(graph: Graph, node_of: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Nodes with tasks that can run at one go, in order; a node may come up several times."""
    nodes = list(dict.fromkeys(node_of.values()))
    step = dict.fromkeys(node_of, 0)
    ahead: dict[str, list[str]] = {node: [] for node in nodes}
    for edge in graph.edges:
        src, dst = node_of[edge.src], node_of[edge.dst]
        if src != dst and src not in ahead[dst]:
            ahead[dst].append(src)
    try:
        order = list(TopologicalSorter(ahead).static_order())
    except CycleError:
        # A step further wherever a tensor crosses: no step waits for a later one.
        order = nodes
        for task in graph.tasks:  # which are in topological order
            before = [edge.src for edge in graph.edges if edge.dst == task.id]
            crossed = (step[t] + (node_of[t] != node_of[task.id]) for t in before)
            step[task.id] = max(crossed, default=0)
    members: dict[tuple[int, int], list[str]] = {}
    for task_id, node in node_of.items():
        members.setdefault((step[task_id], order.index(node)), []).append(task_id)
    return [(order[k], members[level, k]) for level, k in sorted(members)]


def _outputs(
    source: Source, groups: Sequence[tuple[str, list[str]]]
) -> tuple[list[list[int]], list[tuple[str | None, Any]]]:
    """The module's results, and for each group what it computes for them beyond its tasks.

    A result may be a view, or depend on no input; then the group that has its tensor makes it, or
    the first one.
    """
    group_of = {
        position: k
        for k, (_, tasks) in enumerate(groups)
        for task in tasks
        for position in source.modelled.operations[task]
    }
    extra: list[list[int]] = [[] for _ in groups]
    found: list[tuple[str | None, Any]] = []
    for spec in source.exported.graph_signature.output_specs:
        name = getattr(spec.arg, "name", None)
        if name is None or name in source.modelled.program.inputs:
            found.append((name, getattr(spec.arg, "value", None)))
            continue
        found.append((name, None))
        position = source.maker(name)
        if position is None:
            raise OffloadError(f"split: the module returns its weight {name!r}; leave it out")
        if position not in group_of:
            behind = source.behind(position)
            extra[max((group_of[i] for i in behind), default=0)].append(position)
    return extra, found
