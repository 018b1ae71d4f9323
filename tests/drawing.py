"""Random instances over all features of the format, and plans for them that hold.

``draw_problem`` first draws a placement in secret and keeps only those rules that it satisfies, so
that every instance has a plan. Sizes, times and ties are drawn from few round numbers half of the
time: zeros, touching intervals and equal routes are what breaks code.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from plan_drawing import convex, draw_plan

from offload.features import FEATURES
from offload.problem import (
    Codec,
    Data,
    Edge,
    Graph,
    Group,
    Link,
    Mode,
    Network,
    Node,
    Problem,
    Task,
)

__all__ = ["draw_plan", "draw_problem"]

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
Rule = Literal["together", "apart", "contiguous"]
Duplex = Literal["full", "half", "simplex"]
TAGS = ("red", "blue")


def draw_problem(
    seed: int,
    features: Collection[str] = tuple(FEATURES),
    *,
    tasks: tuple[int, int] = (1, 8),
    nodes: tuple[int, int] = (1, 4),
    minimize: Sequence[str] = ("latency",),
) -> Problem:
    """A random instance that has a plan.

    Parameters
    ----------
    features
        Names from :data:`offload.features.FEATURES` that may occur; each does in some instances.
    tasks, nodes
        Least and largest number of each.
    minimize
        Metrics to minimize, each with a random weight. ``due`` adds tardiness and ``serial-io``
        adds period in some instances, as they bear on nothing else.
    """
    unknown = set(features) - set(FEATURES)
    if unknown:
        raise ValueError(f"no features: {sorted(unknown)}")
    return _Draw(seed, features, minimize).problem(tasks, nodes)


class _Draw:
    def __init__(self, seed: int, features: Collection[str], minimize: Sequence[str]) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.may = set(features)
        self.on = {name for name in FEATURES if name in self.may and self.chance(0.6)}
        self.metrics = list(minimize)

    # -- dice ------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def some(self, options: Sequence[T], probability: float = 0.5) -> tuple[T, ...]:
        return tuple(option for option in options if self.chance(probability))

    def amount(self, *round_numbers: float) -> float:
        """One of some round numbers, or anything up to the largest of them."""
        if self.chance(0.5):
            return self.pick(round_numbers)
        return self.random.uniform(0.05, 1) * max(*round_numbers, 1)

    def when(self, feature: str, probability: float = 0.5) -> bool:
        """Whether something of a feature happens here."""
        return feature in self.on and self.chance(probability)

    # -- the instance ----------------------------------------------------------------------------

    def problem(self, tasks: tuple[int, int], nodes: tuple[int, int]) -> Problem:
        network = self.network(self.random.randint(*nodes))
        self.routes = Problem(network=network).tables.routes
        runners = [k for k, node in enumerate(network.nodes) if node.slots]
        favourites = self.some(runners, 0.7) or runners
        count = self.random.randint(*tasks)
        self.place = [self.pick(favourites) for _ in range(count)]  # the secret placement
        self.codecs = tuple(self.codec(c) for c in range(2 if "codecs" in self.on else 0))
        drawn = [self.task(i, network.nodes[k]) for i, k in enumerate(self.place)]
        data = self.data(network) if "reads" in self.on else ()
        drawn = [self.ties(i, task, network, data) for i, task in enumerate(drawn)]
        edges = self.edges(drawn)
        groups = self.groups(drawn, edges)
        network = self.roomy(network, drawn)
        graph = Graph(tuple(drawn), tuple(edges), tuple(groups))
        problem = Problem(
            name=f"drawn-{self.seed}", network=network, graph=graph, data=data,
            codecs=self.codecs, minimize=self.goal(),
        )  # fmt: skip
        return self.bounded(problem)

    def goal(self) -> dict[str, float]:
        metrics = list(self.metrics)
        if self.when("due", 0.7):
            metrics.append("tardiness")
        if self.when("serial-io", 0.7):
            metrics.append("period")
        return {metric: self.pick([1, 1, 0.5, 2]) for metric in metrics}

    def bounded(self, problem: Problem) -> Problem:
        """The instance with deadlines and limits that one of its plans keeps."""
        if not {"deadline", "limits"} & self.on:
            return problem
        plan = draw_plan(problem, self.seed)
        if plan is None:
            return problem
        if "deadline" in self.on:
            last = dict.fromkeys(range(len(problem.graph.tasks)), 0.0)
            for i, finish in zip(plan.parts.task.tolist(), plan.parts.finish.tolist(), strict=True):
                last[i] = max(last[i], finish)
            tasks = [
                _with(task, deadline=last[i] * self.pick([1, 1.2, 2]) if self.chance(0.5) else None)
                for i, task in enumerate(problem.graph.tasks)
            ]
            problem = problem.replace(graph=_with(problem.graph, tasks=tuple(tasks)))
        if "limits" in self.on:
            names = self.random.sample(sorted(plan.metrics), self.random.randint(1, 3))
            limits = {name: plan.metrics[name] * self.pick([1, 1.5, 4]) for name in names}
            problem = problem.replace(limits=limits)
        return problem

    # -- the network -----------------------------------------------------------------------------

    def network(self, count: int) -> Network:
        nodes = [self.node(k) for k in range(count)]
        links: list[Link] = []
        for a in range(count):
            for b in range(a + 1, count):
                links += self.links(f"n{a}", f"n{b}", count)
        reference = self.pick([0.0, 1.0, 10.0]) if self.free(count) else 1.0
        return Network(tuple(nodes), tuple(links), reference)

    def node(self, k: int) -> Node:
        slots = self.pick([0, 1, 1, 2, 3]) if "slots" in self.on else 1
        count = self.random.randint(0, 2) if "modes" in self.on else 0
        modes = [Mode(f"m{m}", self.pick([0.5, 2.0, 3.0]), self.amount(1, 4)) for m in range(count)]
        return Node(
            f"n{k}", tier=self.pick(["device", "edge", "cloud"]), kind=self.pick(["", "a", "b"]),
            tags=self.some(TAGS, 0.7), speed=self.pick([1, 2, 5]),
            slots=max(slots, 1) if k == 0 else slots,
            storage=self.amount(5, 30) if self.when("copies", 0.3) else None,
            io="serial" if self.when("serial-io") else "overlapped",
            busy_power=self.amount(0, 3), idle_power=self.amount(0, 1), price=self.amount(0, 2),
            failure_rate=self.amount(0, 0.01), modes=tuple(modes),
        )  # fmt: skip

    def free(self, count: int) -> bool:
        """Whether links may be drawn at will: every pair's route is its own link otherwise."""
        return "routes" in self.on or count < 3

    def links(self, a: str, b: str, count: int) -> list[Link]:
        ends = self.pick([(a, b), (b, a)])
        if "routes" in self.on and self.chance(0.4):
            return []
        kinds: list[Duplex] = ["full", "full", "half", "simplex"]
        duplex = self.pick(kinds)
        made = [self.link(*ends, duplex, count)]
        if duplex == "simplex" and not ("routes" in self.on and self.chance(0.5)):
            made.append(self.link(*ends[::-1], duplex, count))
        return made

    def link(self, src: str, dst: str, duplex: Duplex, count: int) -> Link:
        free = self.free(count)
        # Without several hops, one hop costs 0.1 to 0.2 s for the reference message: never two.
        latency = self.amount(0, 0.1, 1) if free else self.random.uniform(0.1, 0.19)
        bandwidth = self.pick([None, 1.0, 10.0, 40.0]) if free else self.pick([None, 100.0, 200.0])
        return Link(
            src, dst, bandwidth, latency, duplex,
            self.pick([None, 1, 1, 2]) if "channels" in self.on else None,
            self.amount(0, 0.5), self.amount(0, 0.2), self.some(TAGS, 0.7),
        )  # fmt: skip

    def roomy(self, network: Network, tasks: list[Task]) -> Network:
        """Memory limits that leave the secret placement room when tasks run one at a time."""
        if not {"memory", "resident"} & self.on:
            return network
        winners = Problem(network=network).tables.selectors.winners
        need = [0.0] * len(network.nodes)
        most = [0.0] * len(network.nodes)
        for task, k in zip(tasks, self.place, strict=True):
            size = {}
            for field in ("memory", "resident"):
                value = getattr(task, field)
                if isinstance(value, dict):
                    value = list(value.values())[winners(tuple(value))[k]]
                size[field] = value
            need[k] += size["resident"]
            most[k] = max(most[k], size["memory"])
        room = [(a + b) * self.pick([1, 1.3, 2]) for a, b in zip(need, most, strict=True)]
        nodes = [
            _with(node, memory=None if self.chance(0.2) else room[k])
            for k, node in enumerate(network.nodes)
        ]
        return _with(network, nodes=tuple(nodes))

    # -- tasks -----------------------------------------------------------------------------------

    def selector(self, node: Node) -> str:
        """Something that names the node."""
        names = [node.id, f"tier:{node.tier}", f"kind:{node.kind}"]
        return self.pick(names + [f"tag:{tag}" for tag in node.tags])

    def by_selector(self, node: Node, *round_numbers: float) -> dict[str, float]:
        """A map that knows the node; it knows all nodes where tasks may not be bound to some."""
        keys = [self.selector(node), *self.some(["tier:edge", "kind:a", "tag:red", "n0"], 0.3)]
        if "allow" not in self.on or self.chance(0.3):
            keys.append("*")
        self.random.shuffle(keys)
        return {key: self.amount(*round_numbers) for key in keys}

    def size(self, feature: str, node: Node) -> Any:
        if feature not in self.on:
            return 0.0
        return self.by_selector(node, 0, 4) if self.chance(0.3) else self.amount(0, 2, 4)

    def task(self, i: int, node: Node) -> Task:
        time = self.by_selector(node, 0, 1, 3) if self.chance(0.3) else {}
        allow = (self.selector(node), *self.some(["tier:edge", "n0", "tag:blue"], 0.3))
        return Task(
            f"t{i}", work=None if time and self.chance(0.5) else self.amount(0, 1, 6), time=time,
            slots=self.random.randint(1, node.slots) if self.when("slots") else 1,
            memory=self.size("memory", node), resident=self.size("resident", node),
            allow=allow if self.when("allow") else ("*",),
            release=self.amount(0, 2, 5) if self.when("release") else 0.0,
            due=self.amount(0, 3, 8) if self.when("due") else None,
            weight=self.pick([0.0, 1.0, 1.0, 2.5]), divisible=self.when("splitting", 0.35),
        )  # fmt: skip

    def ties(self, i: int, task: Task, network: Network, data: Sequence[Data]) -> Task:
        """The task with what it reads, and where it is."""
        if task.divisible:
            return task
        names, k = [node.id for node in network.nodes], self.place[i]
        readable = [
            item.id
            for item in data
            if any(self.routes.permitted(item.require)[names.index(h), k] for h in item.home)
        ]
        at = self.random.randrange(len(names))
        moves = self.when("moves") and bool(self.routes.reachable[at, k])
        return _with(
            task, reads=self.some(readable, 0.4), at=names[at] if moves else None,
            move_bytes=self.amount(0, 5, 20) if moves else 0.0,
        )  # fmt: skip

    def codec(self, c: int) -> Codec:
        ratio = self.pick([1.0, 2.0, 4.5])
        return Codec(f"c{c}", ratio, self.amount(0, 0.01), self.amount(0, 0.02))

    def data(self, network: Network) -> tuple[Data, ...]:
        names = [node.id for node in network.nodes]
        made = []
        for d in range(self.random.randint(1, 2)):
            home = self.random.sample(names, self.random.randint(1, min(2, len(names))))
            allow = self.pick([("*",), ("tier:edge", "tier:cloud")])
            most = self.pick([0, 1, 2, None]) if "copies" in self.on else 0
            require = self.some(TAGS, 0.4) if "require" in self.on else ()
            made.append(Data(f"d{d}", self.amount(0, 5, 20), tuple(home), most, allow, require))
        return tuple(made)

    def edges(self, tasks: list[Task]) -> list[Edge]:
        rank = self.random.sample(range(len(tasks)), len(tasks))
        pairs = [(i, j) for i in range(len(tasks)) for j in range(len(tasks)) if rank[i] < rank[j]]
        self.random.shuffle(pairs)
        density = self.pick([0.2, 0.4, 0.8])
        known: dict[tuple[int, str], tuple[float, tuple[str, ...], tuple[str, ...]]] = {}
        made: list[Edge] = []
        for i, j in pairs:
            split = tasks[i].divisible or tasks[j].divisible
            if not self.chance(density) or (tasks[i].divisible and tasks[j].divisible):
                continue
            names = self.some(["x", "x", "y"]) if "items" in self.on and not split else ()
            for item in dict.fromkeys(names) or [None]:
                size, codecs, require = known.get((i, item or ""), self.item(split))
                if item is not None:
                    known[i, item] = size, codecs, require
                if self.routes.permitted(require)[self.place[i], self.place[j]]:
                    made.append(Edge(f"t{i}", f"t{j}", size, item, codecs, require))
        return made

    def item(self, split: bool) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
        """Bytes, codecs and required tags of what an edge carries."""
        codecs = [] if split else [codec.id for codec in self.some(self.codecs)]
        require = self.some(TAGS, 0.4) if "require" in self.on else ()
        return self.amount(0, 5, 20), tuple(codecs), require

    def groups(self, tasks: list[Task], edges: list[Edge]) -> list[Group]:
        whole = [i for i, task in enumerate(tasks) if not task.divisible]
        pairs = [(int(edge.src[1:]), int(edge.dst[1:])) for edge in edges]
        made = []
        rules: list[Rule] = ["together", "apart", "contiguous"]
        for rule in rules:
            for _ in range(self.random.randint(1, 2) if rule in self.on else 0):
                chosen = list(self.some(whole, 0.6))
                if rule == "together":
                    chosen = [i for i in chosen if self.place[i] == self.place[chosen[0]]]
                if rule == "apart":
                    chosen = list({self.place[i]: i for i in chosen}.values())
                placed = {i: self.place[i] for i in chosen}
                if chosen and (rule != "contiguous" or convex(placed, pairs)):
                    made.append(Group(rule, tuple(f"t{i}" for i in chosen)))
        return made


def _with(struct: S, **changes: Any) -> S:
    """A copy of a frozen record with some fields changed."""
    return msgspec.structs.replace(struct, **changes)
