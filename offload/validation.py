"""Everything that can be wrong with an instance beyond the types of its fields (SPEC section 1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from offload.errors import InstanceError, Issue
from offload.problem import FORMAT, METRICS, Edge, Group, Task, _decoded
from offload.selectors import PREFIXES, Selectors, is_selector
from offload.typechecks import close, type_issues

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["check_types", "topological_order", "validate"]

_SUGGEST = 20  # near names are searched for the first few issues only: it is slow on large files


def check_types(problem: Problem) -> dict[str, Any]:
    """Types and bounds of a problem built in Python.

    Returns
    -------
    dict
        The problem's fields, rebuilt with the declared types (lists as tuples, ints as floats).

    Raises
    ------
    InstanceError
        With every value of a wrong type, out of bounds, or not finite.
    """
    plain = msgspec.to_builtins(_named_metrics(problem), enc_hook=_plain_number)
    kind = type(problem)
    token = _decoded.set(True)
    try:
        json.dumps(plain, allow_nan=False)  # refuses NaN and infinities, at C speed
        fields = {field: plain[field] for field in problem.__struct_fields__}
        parts = msgspec.defstruct(
            "_Parts", [(f.name, f.type) for f in msgspec.structs.fields(kind)]
        )
        made = msgspec.convert(fields, parts)
        return {field: getattr(made, field) for field in problem.__struct_fields__}
    except (ValueError, TypeError, OverflowError) as error:
        issues = type_issues(plain, kind) or [Issue("$", str(error), None)]
        raise InstanceError(issues) from None
    finally:
        _decoded.reset(token)


def _named_metrics(problem: Problem) -> Any:
    """The problem's fields, with ``minimize="energy"`` written out as a mapping."""
    fields = {name: getattr(problem, name) for name in problem.__struct_fields__}
    if isinstance(problem.minimize, str):
        fields["minimize"] = {problem.minimize: 1.0}
    return {"format": FORMAT, **fields}


def _plain_number(value: Any) -> Any:
    """NumPy scalars as Python numbers; anything else is shown by its repr and refused later."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def validate(problem: Problem) -> None:
    """Raise :class:`InstanceError` with everything that is wrong with a problem."""
    check = _Validation(problem)
    check.run()
    if check.issues:
        raise InstanceError(check.issues)


class _Validation:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.issues: list[Issue] = []
        self.selectors = Selectors(problem.network.nodes)
        self.nodes = {node.id: k for k, node in enumerate(problem.network.nodes)}
        self.tasks = {task.id: i for i, task in enumerate(problem.graph.tasks)}
        self.data = {item.id: d for d, item in enumerate(problem.data)}
        self.codecs = {codec.id: c for c, codec in enumerate(problem.codecs)}
        self._good_selectors: set[tuple[str, ...]] = set()
        self._doubtful: set[int] = set()  # tasks whose selectors are wrong already
        self._nowhere: dict[Any, tuple[bool, str]] = {}

    def run(self) -> None:
        """Find everything; later checks skip what earlier ones could not resolve."""
        self._nodes()
        self._links()
        self._data_and_codecs()
        self._tasks()
        self._edges()
        self._items()
        self._groups()
        self._goals()
        self._cycle()
        self._run_nowhere()

    def add(self, path: str, message: str, found: Any, fix: str = "") -> None:
        self.issues.append(Issue(path, message, found, fix))

    def unknown(self, path: str, what: str, name: str, known: Iterable[str]) -> None:
        fix = close(name, known) if len(self.issues) < _SUGGEST else f"name an existing {what}"
        self.add(path, f"names no {what}", name, fix)

    def unique(self, ids: Sequence[str], path: str, field: str = ".id") -> None:
        if len(set(ids)) == len(ids):
            return
        first: dict[str, int] = {}
        for position, name in enumerate(ids):
            if name in first:
                fix = f"already used at {path}[{first[name]}]; give it another"
                self.add(f"{path}[{position}]{field}", "duplicate id", name, fix)
            else:
                first[name] = position

    def known_selectors(self, path: str, selectors: Iterable[str]) -> bool:
        key = tuple(selectors)
        if key in self._good_selectors:
            return True
        bad = [s for s in key if not self.selectors.known(s)]
        for selector in bad:
            if selector.startswith(("tiers:", "kinds:", "tags:")) or ":" in selector:
                fix = f"write a node's id, '*', or one of {', '.join(PREFIXES)}..."
                self.add(path, "is no selector and names no node", selector, fix)
            else:
                self.unknown(path, "node", selector, self.nodes)
        if not bad:
            self._good_selectors.add(key)
        return not bad

    def _nodes(self) -> None:
        nodes = self.problem.network.nodes
        path = "$.network.nodes"
        self.unique([node.id for node in nodes], path)
        for k, node in enumerate(nodes):
            if is_selector(node.id):
                fix = "rename the node: '*', tier:, kind: and tag: are selectors"
                self.add(f"{path}[{k}].id", "reads as a selector", node.id, fix)
            self.unique([mode.id for mode in node.modes], f"{path}[{k}].modes")
            for m, mode in enumerate(node.modes):
                if mode.id == "default":
                    fix = "rename it: the node's own speed and busy_power are the mode 'default'"
                    self.add(f"{path}[{k}].modes[{m}].id", "a mode's id is taken", mode.id, fix)

    def _links(self) -> None:
        given: dict[tuple[str, str], int] = {}
        for j, link in enumerate(self.problem.network.links):
            path = f"$.network.links[{j}]"
            for field, name in (("src", link.src), ("dst", link.dst)):
                if name not in self.nodes:
                    self.unknown(f"{path}.{field}", "node", name, self.nodes)
            if link.src == link.dst:
                self.add(f"{path}.dst", "a link must join two nodes", link.dst, "name another node")
                continue
            ways = [(link.src, link.dst), (link.dst, link.src)]
            for way in ways[:1] if link.duplex == "simplex" else ways:
                if way in given:
                    fix = "remove one of the two, or make each simplex in its own direction"
                    message = f"link {given[way]} already gives this direction"
                    self.add(path, message, f"{way[0]} -> {way[1]}", fix)
                    break
                given[way] = j

    def _data_and_codecs(self) -> None:
        self.unique([codec.id for codec in self.problem.codecs], "$.codecs")
        self.unique([item.id for item in self.problem.data], "$.data")
        for d, item in enumerate(self.problem.data):
            path = f"$.data[{d}]"
            self.unique(item.home, f"{path}.home", "")
            for h, name in enumerate(item.home):
                if name not in self.nodes:
                    self.unknown(f"{path}.home[{h}]", "node", name, self.nodes)
            self.known_selectors(f"{path}.allow", item.allow)

    def _tasks(self) -> None:
        tasks = self.problem.graph.tasks
        self.unique([task.id for task in tasks], "$.graph.tasks")
        plain = ("*",)
        for i, task in enumerate(tasks):
            known = task.allow == plain or self.known_selectors(
                f"$.graph.tasks[{i}].allow", task.allow
            )
            for field in ("time", "memory", "resident"):
                value = getattr(task, field)
                if value and isinstance(value, dict):
                    known &= self.known_selectors(f"$.graph.tasks[{i}].{field}", value)
            if not known:
                self._doubtful.add(i)
            if task.reads:
                self._reads(f"$.graph.tasks[{i}].reads", task)
            if task.at is not None and task.at not in self.nodes:
                self.unknown(f"$.graph.tasks[{i}].at", "node", task.at, self.nodes)
            if task.divisible and (task.reads or task.at is not None):
                field = "reads" if task.reads else "at"
                fix = "make the task indivisible, or drop the field"
                path = f"$.graph.tasks[{i}].{field}"
                self.add(path, "a divisible task has none", getattr(task, field), fix)

    def _reads(self, path: str, task: Task) -> None:
        self.unique(task.reads, path, "")
        for r, name in enumerate(task.reads):
            if name not in self.data:
                self.unknown(f"{path}[{r}]", "data", name, self.data)

    def _edges(self) -> None:
        divisible = {task.id for task in self.problem.graph.tasks if task.divisible}
        seen: dict[tuple[str, str, str | None], int] = {}
        for e, edge in enumerate(self.problem.graph.edges):
            if edge.src not in self.tasks:
                self.unknown(f"$.graph.edges[{e}].src", "task", edge.src, self.tasks)
            if edge.dst not in self.tasks:
                self.unknown(f"$.graph.edges[{e}].dst", "task", edge.dst, self.tasks)
            if edge.src == edge.dst:
                fix = "a task cannot wait for itself; remove the edge"
                self.add(f"$.graph.edges[{e}].dst", "an edge must join two tasks", edge.dst, fix)
            first = seen.setdefault((edge.src, edge.dst, edge.item), e)
            if first != e:
                found = f"{edge.src} -> {edge.dst}, item {edge.item!r}"
                fix = "merge the two, or give them different items"
                message = f"edge {first} has the same ends and item"
                self.add(f"$.graph.edges[{e}]", message, found, fix)
            if edge.codecs:
                self._edge_codecs(f"$.graph.edges[{e}].codecs", edge)
            if edge.src in divisible or edge.dst in divisible:
                self._divisible_edge(f"$.graph.edges[{e}]", edge, divisible)

    def _edge_codecs(self, path: str, edge: Edge) -> None:
        self.unique(edge.codecs, path, "")
        for c, name in enumerate(edge.codecs):
            if name not in self.codecs:
                self.unknown(f"{path}[{c}]", "codec", name, self.codecs)

    def _divisible_edge(self, path: str, edge: Edge, divisible: set[str]) -> None:
        if edge.src in divisible and edge.dst in divisible:
            fix = "make one of them indivisible"
            self.add(path, "no edge joins two divisible tasks", f"{edge.src} -> {edge.dst}", fix)
        for field, value in (("codecs", edge.codecs), ("item", edge.item)):
            if value:
                fix = "drop the field, or make the task indivisible"
                self.add(f"{path}.{field}", "a divisible task's edge has none", value, fix)

    def _items(self) -> None:
        first: dict[tuple[str, str], int] = {}
        edges = self.problem.graph.edges
        for e, edge in enumerate(edges):
            if edge.item is None:
                continue
            other = edges[first.setdefault((edge.src, edge.item), e)]
            for field, same in (
                ("bytes", edge.bytes == other.bytes),
                ("codecs", set(edge.codecs) == set(other.codecs)),
                ("require", set(edge.require) == set(other.require)),
            ):
                if not same:
                    message = f"edges of item {edge.item!r} of {edge.src!r} must agree in {field}"
                    fix = f"write {getattr(other, field)!r} as on the item's first edge"
                    found = getattr(edge, field)
                    self.add(f"$.graph.edges[{e}].{field}", message, found, fix)

    def _groups(self) -> None:
        divisible = {task.id for task in self.problem.graph.tasks if task.divisible}
        for g, group in enumerate(self.problem.graph.groups):
            self._group(f"$.graph.groups[{g}].tasks", group, divisible)

    def _group(self, path: str, group: Group, divisible: set[str]) -> None:
        self.unique(group.tasks, path, "")
        for t, name in enumerate(group.tasks):
            if name not in self.tasks:
                self.unknown(f"{path}[{t}]", "task", name, self.tasks)
            elif name in divisible:
                fix = "take it out of the group, or make it indivisible"
                self.add(f"{path}[{t}]", "a divisible task is in no group", name, fix)

    def _goals(self) -> None:
        for field in ("minimize", "limits"):
            self.issues += metric_issues(getattr(self.problem, field), f"$.{field}")
        weights = self.problem.minimize
        if not any(weight > 0 for weight in weights.values()):
            fix = 'write for example {"latency": 1}'
            self.add("$.minimize", "needs at least one weight above 0", dict(weights), fix)

    def _cycle(self) -> None:
        known = self.tasks.get
        ends = [(known(edge.src), known(edge.dst)) for edge in self.problem.graph.edges]
        # Edges with an unknown end or a single one were reported by themselves.
        pairs = [(i, j) for i, j in ends if i is not None and j is not None and i != j]
        count = len(self.problem.graph.tasks)
        order, cycle = topological_order(count, pairs)
        if len(order) < count:
            names = [self.problem.graph.tasks[i].id for i in cycle]
            shown = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
            text = " -> ".join([*shown, names[0]])
            e = ends.index((cycle[-1], cycle[0]))
            fix = f"remove one of its edges, for example $.graph.edges[{e}]"
            self.add("$.graph.edges", "the tasks wait for each other in a cycle", text, fix)

    def _run_nowhere(self) -> None:
        for i, task in enumerate(self.problem.graph.tasks):
            if i in self._doubtful:
                continue
            key = (
                task.allow, tuple(task.time), task.work is None, task.slots,
                _keys(task.memory), _keys(task.resident),
            )  # fmt: skip
            if key not in self._nowhere:
                self._nowhere[key] = self._runs_somewhere(task)
            fine, why = self._nowhere[key]
            if not fine:
                fix = "widen allow, give work or a time that matches, or fewer slots"
                self.add(f"$.graph.tasks[{i}]", f"can run nowhere: {why}", task.id, fix)

    def _runs_somewhere(self, task: Task) -> tuple[bool, str]:
        """Whether some node can run a task, and which requirement shuts out the last of them."""
        nodes = self.problem.network.nodes
        if not nodes:
            return False, "the network has no nodes"
        left = np.ones(len(nodes), bool)
        timed = self.selectors.winners(tuple(task.time)) >= 0
        steps = [
            (self.selectors.mask(task.allow), f"no node matches allow {list(task.allow)}"),
            (timed | (task.work is not None), "it has no work, and no key of its time matches"),
            (
                np.array([node.slots >= task.slots for node in nodes]),
                f"it needs {task.slots} slots at once",
            ),
        ]
        for field in ("memory", "resident"):
            value = getattr(task, field)
            if isinstance(value, dict):
                match = self.selectors.winners(tuple(value)) >= 0
                steps.append((match, f"its {field} has no entry for any"))
        remaining = "all nodes"
        for mask, why in steps:
            if not (left & mask).any():
                return False, why if left.all() else f"{why} among {remaining}"
            left &= mask
            if not left.all():
                remaining = "the nodes left: " + ", ".join(
                    nodes[k].id for k in np.flatnonzero(left)[:4]
                )
        return True, ""


def _keys(value: float | dict[str, float]) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, dict) else None


def metric_issues(weights: Mapping[str, float], path: str) -> list[Issue]:
    """Unknown metrics and numbers that are negative or not finite, in weights or limits."""
    issues = []
    for metric, number in weights.items():
        if metric not in METRICS:
            issues.append(Issue(f"{path}.{metric}", "is no metric", metric, close(metric, METRICS)))
        elif not (np.isfinite(number) and number >= 0):
            fix = "write a plain number, 0 or more"
            issues.append(Issue(f"{path}.{metric}", "must be finite and >= 0", number, fix))
    return issues


def topological_order(count: int, edges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Kahn's algorithm; ties by position.

    Returns
    -------
    (list of int, list of int)
        The order, and one cycle (empty where there is none; the order is then complete).
    """
    followers: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for src, dst in edges:
        followers[src].append(dst)
        waiting[dst] += 1
    order = [i for i in range(count) if not waiting[i]]
    for i in order:  # grows while it is read
        for j in followers[i]:
            waiting[j] -= 1
            if not waiting[j]:
                order.append(j)
    if len(order) == count:
        return order, []
    before = {dst: src for src, dst in edges if waiting[src] > 0 and waiting[dst] > 0}
    seen: dict[int, int] = {}
    at = min(before)
    while at not in seen:
        seen[at] = len(seen)
        at = before[at]
    cycle = [i for i, step in seen.items() if step >= seen[at]]
    return order, cycle[::-1]
