"""Everything that can be wrong with an instance beyond the types of its fields."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from offload.errors import NOTHING, InstanceError, Issue, shorten
from offload.problem import FORMAT, METRICS, Edge, Group, Task, _decoded
from offload.selectors import PREFIXES, Selectors, is_selector
from offload.typechecks import close, member, type_issues

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["Resolved", "check_types", "metric_issues", "topological_order", "validate"]

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
    kind = type(problem)
    plain: Any = None
    token = _decoded.set(True)
    try:
        # Sets come out sorted, so that nothing depends on the order of hashes.
        plain = msgspec.to_builtins(
            _named_metrics(problem), enc_hook=_plain, builtin_types=_FOREIGN, order="deterministic"
        )
        # Refuses NaN, infinities and lone surrogates at C speed.
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
        fields = {field: plain[field] for field in problem.__struct_fields__}
        made = msgspec.convert(fields, _parts(kind))
        return {field: getattr(made, field) for field in problem.__struct_fields__}
    except RecursionError:
        raise InstanceError([Issue("$", "nested too deeply", NOTHING, "flatten it")]) from None
    except (ValueError, TypeError, OverflowError) as error:
        issues = [] if plain is None else type_issues(plain, kind)
        raise InstanceError(issues or [Issue("$", str(error), NOTHING)]) from None
    finally:
        _decoded.reset(token)


@functools.cache
def _parts(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A record with the fields of another, that is not validated."""
    types = [(field.name, field.type) for field in msgspec.structs.fields(kind)]
    return msgspec.defstruct("_Parts", types)


def _named_metrics(problem: Problem) -> Any:
    """The problem's fields, with ``minimize="energy"`` written out as a mapping."""
    fields: dict[str, Any] = {name: getattr(problem, name) for name in problem.__struct_fields__}
    if isinstance(fields["minimize"], str):
        fields["minimize"] = {fields["minimize"]: 1.0}
    return {"format": FORMAT, **fields}


class _Foreign:
    """A value of no type that an instance can hold, kept for the error that names it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return shorten(self.value)


# Types that would be turned into texts otherwise.
_FOREIGN = (_Foreign, bytes, bytearray, memoryview, Decimal)


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python numbers and lists; nothing else has a place."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else _Foreign(value)


class Resolved(NamedTuple):
    """What validation works out on the way, so that it is worked out once.

    Attributes
    ----------
    edge_src, edge_dst : int32[E]
        Positions of the tasks at the ends of each edge.
    order : int32[T]
        Positions of the tasks in topological order.
    """

    edge_src: NDArray[np.int32]
    edge_dst: NDArray[np.int32]
    order: NDArray[np.int32]


def validate(problem: Problem) -> Resolved:
    """Raise :class:`InstanceError` with everything that is wrong with a problem."""
    check = _Validation(problem)
    check.run()
    if check.issues:
        raise InstanceError(check.issues)
    return Resolved(check.edge_src, check.edge_dst, np.array(check.order, np.int32))


class _Validation:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.issues: list[Issue] = []
        self.selectors = Selectors(problem.network.nodes)
        self.nodes = {node.id: k for k, node in enumerate(problem.network.nodes)}
        self.slots = np.array([node.slots for node in problem.network.nodes], np.int64)
        self.tasks = {task.id: i for i, task in enumerate(problem.graph.tasks)}
        self.data = {item.id: d for d, item in enumerate(problem.data)}
        self.codecs = {codec.id: c for c, codec in enumerate(problem.codecs)}
        self.divisible = {task.id for task in problem.graph.tasks if task.divisible}
        edges = problem.graph.edges
        # Ends of edges as positions of tasks, -1 for an unknown one.
        self.edge_src = np.array([self.tasks.get(edge.src, -1) for edge in edges], np.int32)
        self.edge_dst = np.array([self.tasks.get(edge.dst, -1) for edge in edges], np.int32)
        self.order: list[int] = []
        self._good_selectors: set[tuple[str, ...]] = set()
        self._doubtful: set[int] = set()  # tasks whose selectors are wrong already
        self._somewhere: dict[Any, dict[str, bool]] = {}

    def run(self) -> None:
        """Find everything; later checks skip what earlier ones could not resolve."""
        self._nodes()
        self._links()
        self._data_and_codecs()
        self._tasks()
        self._edge_ends()
        self._same_edges()
        self._edge_details()
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

    def known_selectors(self, path: str, selectors: Sequence[str] | Mapping[str, float]) -> bool:
        key = tuple(selectors)
        if key in self._good_selectors:
            return True
        fine = True
        for position, selector in enumerate(key):
            if self.selectors.known(selector):
                continue
            fine = False
            by_name = isinstance(selectors, Mapping)
            where = member(path, selector) if by_name else f"{path}[{position}]"
            if ":" in selector:
                fix = f"write a node's id, '*', or one of {', '.join(PREFIXES)}..."
                self.add(where, "is no selector and names no node", selector, fix)
            else:
                self.unknown(where, "node", selector, self.nodes)
        if fine:
            self._good_selectors.add(key)
        return fine

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

    def _edge_ends(self) -> None:
        edges = self.problem.graph.edges
        for field, ends in (("src", self.edge_src), ("dst", self.edge_dst)):
            for e in np.flatnonzero(ends < 0).tolist():
                name = getattr(edges[e], field)
                self.unknown(f"$.graph.edges[{e}].{field}", "task", name, self.tasks)
        for e in np.flatnonzero((self.edge_src == self.edge_dst) & (self.edge_src >= 0)).tolist():
            fix = "a task cannot wait for itself; remove the edge"
            found = edges[e].dst
            self.add(f"$.graph.edges[{e}].dst", "an edge must join two tasks", found, fix)

    def _same_edges(self) -> None:
        edges = self.problem.graph.edges
        item: dict[str | None, int] = {None: 0}
        number = np.array([item.setdefault(edge.item, len(item)) for edge in edges], np.int64)
        known = np.flatnonzero((self.edge_src >= 0) & (self.edge_dst >= 0))
        pair = self.edge_src.astype(np.int64) * len(self.tasks) + self.edge_dst
        key = (pair * len(item) + number)[known]
        _, first, group = np.unique(key, return_index=True, return_inverse=True)
        for position in np.flatnonzero(first[group] != np.arange(len(known))).tolist():
            e = int(known[position])
            edge, other = edges[e], int(known[first[group[position]]])
            found = f"{edge.src} -> {edge.dst}, item {edge.item!r}"
            fix = "merge the two, or give them different items"
            message = f"edge {other} has the same ends and item"
            self.add(f"$.graph.edges[{e}]", message, found, fix)

    def _edge_details(self) -> None:
        split = self.divisible
        for e, edge in enumerate(self.problem.graph.edges):
            if edge.codecs:
                self._edge_codecs(f"$.graph.edges[{e}].codecs", edge)
            if split and (edge.src in split or edge.dst in split):
                self._divisible_edge(f"$.graph.edges[{e}]", edge)

    def _edge_codecs(self, path: str, edge: Edge) -> None:
        self.unique(edge.codecs, path, "")
        for c, name in enumerate(edge.codecs):
            if name not in self.codecs:
                self.unknown(f"{path}[{c}]", "codec", name, self.codecs)

    def _divisible_edge(self, path: str, edge: Edge) -> None:
        if edge.src != edge.dst and edge.src in self.divisible and edge.dst in self.divisible:
            fix = "make one of them indivisible"
            self.add(path, "no edge joins two divisible tasks", f"{edge.src} -> {edge.dst}", fix)
        for field, value in (("codecs", edge.codecs or None), ("item", edge.item)):
            if value is not None:
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
        for g, group in enumerate(self.problem.graph.groups):
            self._group(f"$.graph.groups[{g}].tasks", group)

    def _group(self, path: str, group: Group) -> None:
        self.unique(group.tasks, path, "")
        for t, name in enumerate(group.tasks):
            if name not in self.tasks:
                self.unknown(f"{path}[{t}]", "task", name, self.tasks)
            elif name in self.divisible:
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
        # Edges with an unknown end or a single one were reported by themselves.
        sound = np.flatnonzero(
            (self.edge_src >= 0) & (self.edge_dst >= 0) & (self.edge_src != self.edge_dst)
        )
        src, dst = self.edge_src[sound], self.edge_dst[sound]
        count = len(self.problem.graph.tasks)
        self.order, cycle = topological_order(count, src, dst)
        if len(self.order) < count:
            names = [self.problem.graph.tasks[i].id for i in cycle]
            shown = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
            text = " -> ".join([*shown, names[0]])
            e = int(sound[np.flatnonzero((src == cycle[-1]) & (dst == cycle[0]))[0]])
            fix = f"remove one of its edges, for example $.graph.edges[{e}]"
            self.add("$.graph.edges", "the tasks wait for each other in a cycle", text, fix)

    def _run_nowhere(self) -> None:
        # Most tasks are plain: any node that has a slot will do.
        anywhere = any(node.slots for node in self.problem.network.nodes)
        for i, task in enumerate(self.problem.graph.tasks):
            sizes = _keys(task.memory), _keys(task.resident)
            plain = task.work is not None and task.slots == 1 and task.allow == ("*",)
            if (plain and anywhere and sizes == (None, None)) or i in self._doubtful:
                continue
            kind = tuple(task.time), task.work is None, task.slots, sizes
            if not self._fits(task, self._somewhere.setdefault(kind, {})):
                why, fix = self._why_nowhere(task)
                self.add(f"$.graph.tasks[{i}]", f"can run nowhere: {why}", task.id, fix)

    def _fits(self, task: Task, known: dict[str, bool]) -> bool:
        """Whether some node meets all requirements; ``known`` keeps the answers by selector."""
        for selector in task.allow:
            if selector not in known:
                fine = self.selectors.mask((selector,))
                for mask, _, _ in self._requirements(task):
                    fine = fine & mask
                known[selector] = bool(fine.any())
            if known[selector]:
                return True
        return False

    def _why_nowhere(self, task: Task) -> tuple[str, str]:
        """Which requirement shuts out the last node, and what to do, for a task that fits none."""
        nodes = self.problem.network.nodes
        if not nodes:
            return "the network has no nodes", "add a node"
        left = np.ones(len(nodes), bool)
        any_node = "any node"
        allowed = self.selectors.mask(task.allow), "its allow matches no node", "widen allow"
        for mask, why, fix in (allowed, *self._requirements(task)):
            if not (left & mask).any():
                return why.format(any=any_node), fix
            left &= mask
            if not left.all():
                names = [nodes[k].id for k in np.flatnonzero(left)[:4]]
                more = ", ..." if left.sum() > 4 else ""
                any_node = f"any of the nodes left ({', '.join(names)}{more})"
        return "", ""

    def _requirements(self, task: Task) -> Iterator[tuple[NDArray[np.bool_], str, str]]:
        """Nodes that meet each requirement but allow by itself, and what to say if none does."""
        timed = (self.selectors.winners(tuple(task.time)) >= 0) | (task.work is not None)
        why = "it has no work, and its time has no key for {any}"
        yield timed, why, "give it work, or a time that matches"
        roomy = self.slots >= task.slots
        why = f"it needs {task.slots} slots at once, more than {{any}} has"
        yield roomy, why, "use fewer slots, or a node with more"
        for field in ("memory", "resident"):
            value = getattr(task, field)
            if isinstance(value, dict):
                match = self.selectors.winners(tuple(value)) >= 0
                why = f"its {field} has no key for {{any}}"
                yield match, why, f"add a key to {field}, for example '*'"


def _keys(value: float | dict[str, float]) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, dict) else None


def metric_issues(weights: Mapping[str, float], path: str) -> list[Issue]:
    """Unknown metrics and numbers that are negative or not finite, in weights or limits."""
    issues = []
    for metric, number in weights.items():
        if metric not in METRICS:
            fix = close(metric, METRICS)
            issues.append(Issue(member(path, metric), "is no metric", metric, fix))
        elif not (np.isfinite(number) and number >= 0):
            fix = "write a plain number, 0 or more"
            issues.append(Issue(f"{path}.{metric}", "must be finite and >= 0", number, fix))
    return issues


def topological_order(
    count: int, src: NDArray[np.integer], dst: NDArray[np.integer]
) -> tuple[list[int], list[int]]:
    """Kahn's algorithm over ``count`` tasks and the edges between them; ties by position.

    Returns
    -------
    (list of int, list of int)
        The order, and one cycle (empty where there is none; the order is then complete).
    """
    by_source = np.argsort(src, kind="stable")
    first = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(src, minlength=count), out=first[1:])
    start, followers = first.tolist(), dst[by_source].tolist()
    waiting = np.bincount(dst, minlength=count).tolist()
    order = [i for i in range(count) if not waiting[i]]
    for i in order:  # grows while it is read
        for j in followers[start[i] : start[i + 1]]:
            waiting[j] -= 1
            if not waiting[j]:
                order.append(j)
    if len(order) == count:
        return order, []
    ends = zip(src.tolist(), dst.tolist(), strict=True)
    before = {j: i for i, j in ends if waiting[i] > 0 and waiting[j] > 0}
    seen: dict[int, int] = {}
    at = min(before)
    while at not in seen:
        seen[at] = len(seen)
        at = before[at]
    cycle = [i for i, step in seen.items() if step >= seen[at]]
    return order, cycle[::-1]
