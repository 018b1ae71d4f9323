"""A problem as arrays: ids become positions, and every coefficient is computed here, once.

This is the one cost model. Evaluator, checker, metrics, heuristics and formulations read execution
times, delays and routes from it and never compute their own. Sizes: T tasks, K nodes, M modes of
the node with most (0 is "default"), E edges, I items, D data, C codecs, R channel sets.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offload.problem import Problem, Task
from offload.routes import Routes
from offload.selectors import Selectors

__all__ = ["TOLERANCE", "Lists", "Tables", "TransferParts"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
Item = TypeVar("Item", bound=Hashable)

TOLERANCE = 1e-9  # relative; the one tolerance of docs/format.md, section 6
_EQUAL = 1e-12  # relative difference up to which two sources of a fetch count as equally near
_TOGETHER = 2**22  # cells of a table looked through at once: bounds memory on large instances


class Lists(NamedTuple):
    """A list of positions for each row, flat: row i has ``values[start[i]:start[i + 1]]``."""

    start: NDArray[np.int64]
    values: IntArray

    def of(self, row: int) -> IntArray:
        """The list of one row."""
        return self.values[self.start[row] : self.start[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each list."""
        return np.diff(self.start)

    def gather(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], IntArray]:
        """Lists of several rows at once: (position in ``rows``, value) pairs, in order."""
        length = self.start[rows + 1] - self.start[rows]
        owner = np.repeat(np.arange(len(rows)), length)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
        return owner, self.values[self.start[rows][owner] + offset]

    @classmethod
    def group(cls, keys: NDArray[np.integer], rows: int) -> Lists:
        """Positions of ``keys`` by their value, in rising order: row r lists where keys == r."""
        start = np.zeros(rows + 1, np.int64)
        np.cumsum(np.bincount(keys, minlength=rows), out=start[1:])
        return cls(start, np.argsort(keys, kind="stable").astype(np.int32))

    @classmethod
    def of_lists(cls, lists: Sequence[Sequence[int]]) -> Lists:
        """From one Python list a row."""
        start = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(row) for row in lists], out=start[1:])
        return cls(start, np.array([value for row in lists for value in row], np.int32))


class TransferParts(NamedTuple):
    """The four parts of a transfer's duration in seconds, in the order in which they happen."""

    encode: FloatArray
    serialise: FloatArray
    latency: FloatArray
    decode: FloatArray

    @property
    def total(self) -> FloatArray:
        """Their sum: arrival minus start. Infinite where there is no permitted route."""
        return self.encode + self.serialise + self.latency + self.decode


def _distinct(values: Sequence[Item]) -> tuple[IntArray, list[Item]]:
    """Class of each value, and the distinct values in order of first appearance."""
    known: dict[Item, int] = {}
    index = np.array([known.setdefault(value, len(known)) for value in values], np.int32)
    return index, list(known)


class Tables:
    """Arrays of one problem; see the attributes. Immutable by convention, safe to share."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.selectors = Selectors(problem.network.nodes)
        self.routes = Routes(problem.network)
        self._rules: dict[frozenset[str], int] = {frozenset(): 0}
        with np.errstate(over="ignore"):  # an execution longer than any float never ends
            self._load_nodes()
            self._load_tasks()
        self._load_edges()
        self._load_data()
        self._rule_permits: dict[int, BoolArray] = {}
        self.derived: dict[object, Any] = {}  # what others have found out, kept as long as this

    # -- loading ---------------------------------------------------------------------------------

    def _load_nodes(self) -> None:
        nodes = self.problem.network.nodes
        self.node_ids = [node.id for node in nodes]
        self.nodes = len(nodes)
        self.node_slots = np.array([node.slots for node in nodes], np.int64)
        self.speed = np.array([node.speed for node in nodes], float)
        self.memory_capacity = _or_infinite([node.memory for node in nodes])
        self.storage_capacity = _or_infinite([node.storage for node in nodes])
        self.serial_io = np.array([node.io == "serial" for node in nodes], bool)
        self.idle_power = np.array([node.idle_power for node in nodes], float)
        self.idle_watts = float(self.idle_power.sum())  # of all nodes, drawn all the time
        self.node_price = np.array([node.price for node in nodes], float)
        self.failure_rate = np.array([node.failure_rate for node in nodes], float)
        self.mode_ids = [["default", *(mode.id for mode in node.modes)] for node in nodes]
        self.modes = max((len(ids) for ids in self.mode_ids), default=1)
        self.mode_count = np.array([len(ids) for ids in self.mode_ids], np.int32)
        self.mode_speed = np.full((self.nodes, self.modes), np.nan)
        self.busy_power = np.zeros((self.nodes, self.modes))
        for k, node in enumerate(nodes):
            points = [(node.speed, node.busy_power)]
            points += [(mode.speed, mode.busy_power) for mode in node.modes]
            self.mode_speed[k, : len(points)] = [speed for speed, _ in points]
            self.busy_power[k, : len(points)] = [power for _, power in points]
        self.codec_ids = [codec.id for codec in self.problem.codecs]
        # One more entry at the end, so that codec -1 means "none": ratio 1 and no work.
        self.codec_ratio = np.array([*(c.ratio for c in self.problem.codecs), 1.0])
        self.codec_encode = np.array([*(c.encode for c in self.problem.codecs), 0.0])
        self.codec_decode = np.array([*(c.decode for c in self.problem.codecs), 0.0])

    def _load_tasks(self) -> None:
        tasks = self.problem.graph.tasks
        self.task_ids = [task.id for task in tasks]
        self.tasks = len(tasks)
        node = {name: k for k, name in enumerate(self.node_ids)}
        self.task_slots = np.array([task.slots for task in tasks], np.int64)
        self.release = np.array([task.release for task in tasks], float)
        self.due = _or_infinite([task.due for task in tasks])
        self.deadline = _or_infinite([task.deadline for task in tasks])
        self.weight = np.array([task.weight for task in tasks], float)
        self.divisible = np.array([task.divisible for task in tasks], bool)
        self.move_bytes = np.array([task.move_bytes for task in tasks], float)
        at = [-1 if task.at is None else node[task.at] for task in tasks]
        self.at = np.array(at, np.int32)
        allow_class, allows = _distinct([task.allow for task in tasks])
        self.allow_class = allow_class
        masks = [self.selectors.mask(allow) for allow in allows]
        self.allow_mask = np.array(masks, bool).reshape(len(masks), self.nodes)
        self._load_columns()
        self._load_times()
        self.memory = self._by_class(lambda task: task.memory)
        self.resident = self._by_class(lambda task: task.resident)

    def _load_columns(self) -> None:
        """Nodes that no task can tell apart by its maps, at equal speeds, share their columns."""
        named: set[str] = set()
        seen: set[tuple[str, ...]] = set()
        for task in self.problem.graph.tasks:
            for value in (task.time, task.memory, task.resident):
                if isinstance(value, dict) and value and (keys := tuple(value)) not in seen:
                    seen.add(keys)
                    named.update(keys)
        signatures = []
        for k, node in enumerate(self.problem.network.nodes):
            names = (node.id, f"kind:{node.kind}", *(f"tag:{t}" for t in node.tags))
            seen_names = tuple(n for n in (*names, f"tier:{node.tier}") if n in named)
            signatures.append((seen_names, tuple(self.mode_speed[k, : self.mode_count[k]])))
        self.node_class, classes = _distinct(signatures)
        self.class_node = np.array(
            [int(np.flatnonzero(self.node_class == c)[0]) for c in range(len(classes))], np.int32
        )
        self.column = np.full((self.nodes, self.modes), -1, np.int32)
        first = 0
        for c, k in enumerate(self.class_node):
            count = int(self.mode_count[k])
            self.column[self.node_class == c, :count] = np.arange(first, first + count)
            first += count
        self.columns = first

    def _load_times(self) -> None:
        tasks = self.problem.graph.tasks
        self.work = np.array([np.inf if t.work is None else t.work for t in tasks], float)
        self.time = np.empty((self.tasks, self.columns))
        # Each column's node and mode, and how many times longer a given time is in that mode.
        node = np.repeat(self.class_node, self.mode_count[self.class_node])
        mode = np.concatenate([np.arange(n) for n in self.mode_count[self.class_node]] or [node])
        speed = self.mode_speed[node, mode]
        factor = np.where(mode == 0, 1.0, self.speed[node] / speed)
        maps, keys = _distinct([tuple(task.time) for task in tasks])
        members = Lists.group(maps, len(keys))
        for g, names in enumerate(keys):
            rows = members.of(g)
            winner = self.selectors.winners(names)[node]
            by_work = np.flatnonzero(winner < 0)
            self.time[np.ix_(rows, by_work)] = self.work[rows, None] / speed[by_work]
            given = np.flatnonzero(winner >= 0)
            if len(given):
                seconds = np.array([list(tasks[i].time.values()) for i in rows], float)
                self.time[np.ix_(rows, given)] = seconds[:, winner[given]] * factor[given]
        default = np.flatnonzero(mode == 0)
        for first, count in zip(default, np.diff(default, append=self.columns), strict=True):
            if count > 1:  # what never ends in the default mode runs in none
                self.time[np.isinf(self.time[:, first]), first : first + count] = np.inf

    def _by_class(self, field: Callable[[Task], float | dict[str, float]]) -> FloatArray:
        """float64[T, 1] where all tasks give a number, else [T, classes]; no match is infinite."""
        values: Any = [field(task) for task in self.problem.graph.tasks]
        keys = [tuple(value) if isinstance(value, dict) else None for value in values]
        if all(key is None for key in keys):
            return np.array(values, float).reshape(-1, 1)
        table = np.empty((self.tasks, len(self.class_node)))
        index, distinct = _distinct(keys)
        members = Lists.group(index, len(distinct))
        for g, names in enumerate(distinct):
            rows = members.of(g)
            if names is None:
                table[rows] = np.array([values[i] for i in rows], float)[:, None]
                continue
            given = np.array([[*values[i].values(), np.inf] for i in rows])
            table[rows] = given[:, self.selectors.winners(names)[self.class_node]]
        return table

    def _load_edges(self) -> None:
        edges = self.problem.graph.edges
        self.edges = len(edges)
        self.edge_src, self.edge_dst, self.topological = self.problem.resolved
        lead = np.arange(self.edges)  # the first edge of each edge's item
        first_of: dict[tuple[str, str], int] = {}
        for e, edge in enumerate(edges):
            if edge.item is not None:
                lead[e] = first_of.setdefault((edge.src, edge.item), e)
        first, item = np.unique(lead, return_inverse=True)
        self.edge_item = item.astype(np.int32)
        self.items = len(first)
        self.item_edges = Lists.group(self.edge_item, self.items)
        self.item_src = self.edge_src[first]
        leads = edges if self.items == self.edges else [edges[e] for e in first]
        self.item_name = [edge.item for edge in leads]
        self.item_bytes = np.array([edge.bytes for edge in leads], float)
        rules = [self._rule(edge.require) if edge.require else 0 for edge in leads]
        self.item_rule = np.array(rules, np.int32)
        codec = {name: c for c, name in enumerate(self.codec_ids)}
        self.item_codecs = Lists.of_lists(
            [sorted(codec[c] for c in edge.codecs) if edge.codecs else () for edge in leads]
        )
        self.incoming = Lists.group(self.edge_dst, self.tasks)  # edges into each task, file order
        self.outgoing = Lists.group(self.edge_src, self.tasks)

    def _load_data(self) -> None:
        data = self.problem.data
        node = {name: k for k, name in enumerate(self.node_ids)}
        number = {item.id: d for d, item in enumerate(data)}
        self.data_ids = [item.id for item in data]
        self.data_bytes = np.array([item.bytes for item in data], float)
        self.data_rule = np.array([self._rule(item.require) for item in data], np.int32)
        self.max_copies = _or_infinite([item.max_copies for item in data])
        self.home = np.zeros((len(data), self.nodes), bool)
        for d, item in enumerate(data):
            self.home[d, [node[name] for name in item.home]] = True
        allow_class, allows = _distinct([item.allow for item in data])
        masks = np.array([self.selectors.mask(allow) for allow in allows], bool)
        self.copy_allowed = masks.reshape(len(allows), self.nodes)[allow_class]
        tasks = self.problem.graph.tasks
        self.reads = Lists.of_lists([[number[name] for name in task.reads] for task in tasks])

    def _rule(self, require: Sequence[str]) -> int:
        """Number of a set of required tags; 0 is the empty set."""
        return self._rules.setdefault(frozenset(require), len(self._rules))

    # -- the cost model --------------------------------------------------------------------------

    def permits(self, rule: int) -> BoolArray:
        """bool[K, K]: pairs whose route carries all the tags of a rule (true on the diagonal)."""
        if rule not in self._rule_permits:
            tags = list(self._rules)[rule]
            self._rule_permits[rule] = self.routes.permitted(sorted(tags))
        return self._rule_permits[rule]

    @cached_property
    def permits_table(self) -> BoolArray:
        """bool[rules, K, K]: :meth:`permits` of every rule."""
        return np.stack([self.permits(rule) for rule in range(len(self._rules))])

    def allowed(self, task: ArrayLike, node: ArrayLike) -> BoolArray:
        """Whether tasks may run on nodes: selectors, slots, a time and a size known there.

        Positions broadcast. Whether the node has memory to spare is not asked.
        """
        task, node = np.asarray(task), np.asarray(node)
        known = np.isfinite(self.time[task, self.column[node, 0]])
        result: BoolArray = self._permitted(task, node) & known
        return result

    def _permitted(self, task: NDArray[np.integer], node: NDArray[np.integer]) -> BoolArray:
        """Whether selectors, slots and sizes permit it, whatever the times say."""
        result: BoolArray = self.allow_mask[self.allow_class[task], node]
        result = result & (self.task_slots[task] <= self.node_slots[node])
        for table in (self.memory, self.resident):
            if table.shape[1] > 1:
                result &= np.isfinite(table[task, self.node_class[node]])
        return result

    @cached_property
    def allowed_table(self) -> BoolArray:
        """bool[T, K]: :meth:`allowed` for every task and node."""
        return self.allowed(np.arange(self.tasks)[:, None], np.arange(self.nodes)[None, :])

    def execution(self, task: ArrayLike, node: ArrayLike, mode: ArrayLike = 0) -> FloatArray:
        """Execution times in seconds, infinite where a task cannot run or a mode is unknown.

        Positions broadcast. Source: docs/format.md, section 2, Execution.
        """
        task, node, mode = np.asarray(task), np.asarray(node), np.asarray(mode)
        column = self.column[node, mode]
        fine = self.allowed(task, node) & (column >= 0)
        return np.where(fine, self.time[task, column], np.inf)

    @cached_property
    def fastest_mode(self) -> IntArray:
        """Mode of greatest speed of each node, the lowest number among equals; int32[K]."""
        speed = np.where(np.isnan(self.mode_speed), -np.inf, self.mode_speed)
        return np.asarray(speed.argmax(axis=1), np.int32)

    @cached_property
    def _fastest_column(self) -> IntArray:
        return np.take_along_axis(self.column, self.fastest_mode[:, None], axis=1)[:, 0]

    @cached_property
    def _open(self) -> tuple[IntArray, BoolArray]:
        """Class of each task by the nodes open to it, and the nodes open to each class; [C, K].

        What the execution times alone say (no time known there) is left to them.
        """
        keys = [self.allow_class, _distinct(self.task_slots.tolist())[0]]
        for table in (self.memory, self.resident):
            if table.shape[1] > 1:
                keys.append(_distinct([row.tobytes() for row in np.isfinite(table)])[0])
        _, first, index = np.unique(np.stack(keys), axis=1, return_index=True, return_inverse=True)
        task, node = first[:, None], np.arange(self.nodes)[None, :]
        return index.reshape(-1).astype(np.int32), self._permitted(task, node)

    @cached_property
    def may_run(self) -> list[list[int]]:
        """The nodes on which each task may run; tasks with the same nodes share one list."""
        known: dict[bytes, list[int]] = {}
        result = []
        for i in range(self.tasks):
            fine = np.isfinite(self.row(i))
            key = fine.tobytes()
            if key not in known:
                known[key] = np.flatnonzero(fine).tolist()
            result.append(known[key])
        return result

    def row(self, task: int, mode: ArrayLike | None = None) -> FloatArray:
        """Execution times of one task on each node, in seconds; float64[K], infinite where barred.

        The same numbers as :meth:`execution`, for loops that ask one task at a time.

        Parameters
        ----------
        task
            Its position.
        mode
            Mode on each node, one for all or int[K]; each node's fastest by default.
        """
        group, mask = self._open
        times: FloatArray
        if mode is None:
            times = self.time[task].take(self._fastest_column)
        else:
            column = self.column[np.arange(self.nodes), np.asarray(mode)]
            times = np.where(column >= 0, self.time[task, column], np.inf)
        times[~mask[group[task]]] = np.inf
        return times

    def memory_of(self, task: ArrayLike, node: ArrayLike) -> FloatArray:
        """Bytes that tasks need on nodes while running; infinite without a match."""
        return self._size(self.memory, task, node)

    def resident_of(self, task: ArrayLike, node: ArrayLike) -> FloatArray:
        """Bytes that tasks hold on nodes for the whole plan; infinite without a match."""
        return self._size(self.resident, task, node)

    def _size(self, table: FloatArray, task: ArrayLike, node: ArrayLike) -> FloatArray:
        task, node = np.asarray(task), np.asarray(node)
        column = self.node_class[node] if table.shape[1] > 1 else np.zeros_like(node)
        result: FloatArray = table[task, column]
        return result

    def transfer(
        self,
        size: ArrayLike,
        src: ArrayLike,
        dst: ArrayLike,
        codec: ArrayLike = -1,
        rule: ArrayLike = 0,
    ) -> TransferParts:
        """Durations of transfers in seconds; all 0 on one node, infinite latency without a route.

        Parameters
        ----------
        size
            Bytes before compression.
        src, dst
            Nodes. All arguments broadcast.
        codec
            Position of a codec, -1 for none.
        rule
            Number of the tags that the route must carry (``item_rule``, ``data_rule``).

        Notes
        -----
        docs/format.md, section 2, Transfer.
        """
        size, src, dst, codec, rule = np.broadcast_arrays(size, src, dst, codec, rule)
        apart = src != dst
        serialise = (size / self.codec_ratio[codec]) / self.routes.bandwidth[src, dst]
        latency = self.routes.latency[src, dst]
        if len(self._rules) > 1:
            latency = np.where(self.permits_table[rule, src, dst], latency, np.inf)
        if len(self.codec_ids):
            encode = np.where(apart, self.codec_encode[codec] * size / self.speed[src], 0.0)
            decode = np.where(apart, self.codec_decode[codec] * size / self.speed[dst], 0.0)
        else:
            encode = decode = np.zeros(serialise.shape)
        return TransferParts(encode, serialise, latency, decode)

    def delays_from(self, item: int, src: int) -> FloatArray:
        """Delay of an item, uncompressed, from one node to each, in seconds; float64[K].

        The same numbers as :meth:`transfer`, for loops that ask one item at a time.
        """
        delay: FloatArray = self.item_bytes[item] / self.routes.bandwidth[src]
        delay += self.routes.latency[src]
        if rule := self.item_rule[item]:
            delay[~self.permits(int(rule))[src]] = np.inf
        return delay

    def fetch(
        self, data: NDArray[np.integer], dst: NDArray[np.integer], holders: BoolArray
    ) -> IntArray:
        """The node from which each data item is fetched; -1 where no permitted route leads.

        Parameters
        ----------
        data, dst : int[N]
            What is fetched, and to where.
        holders : bool[N, K]
            Nodes that have it.

        Notes
        -----
        The least sum of the four parts; equal within 1e-12 relative, the node listed first
        (docs/format.md, section 2, Reads). A node that holds the data is its own source.
        """
        found = np.full(len(data), -1, np.int32)
        some = max(1, _TOGETHER // max(self.nodes, 1))
        for first in range(0, len(data), some):
            rows = slice(first, first + some)
            found[rows] = self._nearest(data[rows], dst[rows], holders[rows])
        here = holders[np.arange(len(dst)), dst]
        return np.asarray(np.where(here, dst, found), np.int32)

    def _nearest(
        self, data: NDArray[np.integer], dst: NDArray[np.integer], holders: BoolArray
    ) -> IntArray:
        row, holder = np.nonzero(holders)
        size, rule = self.data_bytes[data], self.data_rule[data]
        delay = self.transfer(size[row], holder, dst[row], rule=rule[row]).total
        least = np.full(len(data), np.inf)
        np.minimum.at(least, row, delay)
        near = np.flatnonzero(np.isfinite(delay) & (delay <= least[row] * (1 + _EQUAL)))
        found = np.full(len(data), -1, np.int32)
        reached, place = np.unique(row[near], return_index=True)
        found[reached] = holder[near[place]]  # holders come in the order of the file
        return found


def _or_infinite(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.inf if value is None else value for value in values], float)
