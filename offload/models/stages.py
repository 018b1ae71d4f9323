"""Parts of an exported module that run by themselves, with the module's own weights."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from offload.errors import OffloadError, shorten
from offload.models import needed
from offload.models.graphs import Modelled, modelled
from offload.models.options import Options
from offload.models.torch_programs import calls, exported, program_of

__all__ = ["Source", "Stage"]


@dataclass(frozen=True)
class Name:
    """Stands for a tensor among the arguments of a call."""

    name: str


@dataclass(frozen=True)
class Call:
    """One operation: ``kind`` is its name in ATen, or "" for taking one of several results."""

    kind: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: str

    def function(self) -> Any:
        """What to call."""
        if not self.kind:
            return operator.getitem
        found = needed.torch().ops
        for name in self.kind.split("."):
            found = getattr(found, name)
        return found


@dataclass(frozen=True)
class Stage:
    """A part of a module that runs on one node; it can be pickled, its weights with it.

    Attributes
    ----------
    node
        Id of the node.
    tasks
        Ids of the tasks that it runs.
    needs, gives
        Names of the tensors that it takes, from the input or other stages, and of those that it
        makes for others or for the result.
    calls, weights
        Its operations, and its parameters and buffers by name.
    """

    node: str
    tasks: tuple[str, ...]
    needs: tuple[str, ...]
    gives: tuple[str, ...]
    calls: tuple[Call, ...]
    weights: dict[str, Any]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_steps"}

    @cached_property
    def _steps(self) -> list[tuple[Any, Call, list[str]]]:
        """What to call, and which tensors are not used any more after each call."""
        last: dict[str, int] = {}
        for position, call in enumerate(self.calls):
            for name in (call.result, *names_in((call.args, call.kwargs))):
                last[name] = position
        kept = {*self.gives, *self.weights}
        dropped: list[list[str]] = [[] for _ in self.calls]
        for name, position in last.items():
            if name not in kept:
                dropped[position].append(name)
        return [(c.function(), c, gone) for c, gone in zip(self.calls, dropped, strict=True)]

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Run it, without gradients, on tensors by name; gives those in ``gives``.

        Raises
        ------
        OffloadError
            If one that it needs is not there.
        """
        missing = [name for name in self.needs if name not in tensors]
        if missing:
            raise OffloadError(
                f"stage on {self.node!r}: needs the tensors {shorten(missing)}; give those that it"
                " lists in needs, made by the input or the stages before it"
            )
        values = {**self.weights, **{name: tensors[name] for name in self.needs}}
        with needed.torch().no_grad():
            for function, call, gone in self._steps:
                args, kwargs = filled((call.args, call.kwargs), values)
                values[call.result] = function(*args, **kwargs)
                for name in gone:
                    values.pop(name, None)
        return {name: values[name] for name in self.gives}


def names_in(value: Any) -> Iterable[str]:
    """The tensors in arguments."""
    if isinstance(value, Name):
        yield value.name
    elif isinstance(value, tuple | list):
        for part in value:
            yield from names_in(part)
    elif isinstance(value, dict):
        yield from names_in(list(value.values()))


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Arguments with tensors in the place of their names."""
    if isinstance(value, Name):
        return values[value.name]
    if isinstance(value, tuple | list):
        return type(value)([filled(part, values) for part in value])
    if isinstance(value, dict):
        return {key: filled(part, values) for key, part in value.items()}
    return value


class Source:
    """An exported module from which stages are cut.

    Raises
    ------
    OffloadError
        For a module that cannot be exported, has no weights (meta device), or changes its buffers
        or inputs while it runs.
    """

    def __init__(
        self,
        module: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        options: Options,
        caller: str,
    ) -> None:
        self.exported = exported(module, args, kwargs, caller)
        signature = self.exported.graph_signature
        changed = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
        if changed:
            raise OffloadError(
                f"{caller}: the module changes {shorten(changed[0])} while it runs; call"
                " module.eval() first"
            )
        tensors = {**self.exported.constants, **self.exported.state_dict}
        weights = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.weights = {name: tensors[kept].detach() for name, kept in weights.items()}
        if any(weight.device.type == "meta" for weight in self.weights.values()):
            raise OffloadError(
                f"{caller}: the module is on the meta device and has no weights to run with; make"
                " it on a real device"
            )
        self.modelled: Modelled = modelled(program_of(self.exported, module, options), options)
        self._calls = [
            [_call(node), *_results(node, given)] for node, given in calls(self.exported)
        ]
        self._maker = {
            call.result: position for position, row in enumerate(self._calls) for call in row
        }
        self._own = {i for chosen in self.modelled.operations.values() for i in chosen}

    def maker(self, tensor: str) -> int | None:
        """Position of the operation that makes a tensor; ``None`` of an input or a weight."""
        return self._maker.get(tensor)

    def results(self, operations: Iterable[int]) -> set[str]:
        """Names of what operations give."""
        return {call.result for position in operations for call in self._calls[position]}

    def behind(self, position: int) -> set[int]:
        """The operations of tasks that a view, or what else belongs to no task, is made from."""
        if position in self._own:
            return {position}
        arguments = [(call.args, call.kwargs) for call in self._calls[position]]
        makers = {self._maker.get(name) for name in names_in(arguments)} - {None, position}
        return {found for maker in makers if maker is not None for found in self.behind(maker)}

    def stage(
        self, node: str, tasks: Iterable[str], extra: Iterable[int], gives: Collection[str]
    ) -> Stage:
        """Tasks, and operations besides, as a stage: with views and constants that they read."""
        tasks = tuple(tasks)
        operations = self.modelled.operations
        chosen = {i for task in tasks for i in operations[task]}
        waiting = [*chosen, *extra]
        included: set[int] = set()
        needs: set[str] = set()
        weights: set[str] = set()
        while waiting:
            position = waiting.pop()
            if position in included:
                continue
            included.add(position)
            for call in self._calls[position]:
                for name in names_in((call.args, call.kwargs)):
                    maker = self._maker.get(name)
                    if maker is None:
                        (weights if name in self.weights else needs).add(name)
                    elif maker in self._own and maker not in chosen:
                        needs.add(name)
                    else:
                        waiting.append(maker)
        made = tuple(call for position in sorted(included) for call in self._calls[position])
        return Stage(
            node, tasks, tuple(sorted(needs)),
            tuple(call.result for call in made if call.result in gives),
            made, {name: self.weights[name] for name in sorted(weights)},
        )  # fmt: skip


def _call(node: Any) -> Call:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        raise OffloadError(f"model: the operation {node.target} cannot be cut out; leave it out")
    space, _, name = schema.name.partition("::")
    kind = f"{space}.{name}.{schema.overload_name or 'default'}"
    return Call(kind, plain(node.args), plain(node.kwargs), node.name)


def _results(node: Any, given: list[Any]) -> list[Call]:
    return [Call("", plain(n.args), {}, n.name) for n in given if n is not node]


def plain(value: Any) -> Any:
    """Arguments of a node without its graph: names in the place of nodes."""
    if isinstance(value, needed.torch().fx.Node):
        return Name(value.name)
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value
