"""Instances that the benchmarks draw, each from a fixed seed."""

from __future__ import annotations

import random

import msgspec

import offload

__all__ = ["graph", "large", "layered", "mesh", "priced", "sites"]

_SPEEDS = (1e9, 2e9, 5e9)  # operations per second


def large(tasks: int, edges: int, nodes: int, network: str = "mesh") -> offload.Problem:
    """An instance without contention; ``network`` is "mesh" or "sites"."""
    places = mesh(nodes) if network == "mesh" else sites(nodes)
    return offload.Problem(
        name=f"{network}-{tasks}-{edges}-{nodes}", network=places, graph=graph(tasks, edges)
    )


def graph(tasks: int, edges: int, seed: int = 1) -> offload.Graph:
    """A random graph; edges lead at most 1,000 tasks ahead."""
    dice = random.Random(seed)
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < edges:
        src = dice.randrange(tasks - 1)
        pairs[src, min(tasks - 1, src + dice.randint(1, 1000))] = None
    return offload.Graph(
        [offload.Task(f"t{i}", work=dice.uniform(1e6, 1e9)) for i in range(tasks)],
        [offload.Edge(f"t{i}", f"t{j}", bytes=dice.uniform(1, 1e6)) for i, j in pairs],
    )


def mesh(nodes: int, seed: int = 1) -> offload.Network:
    """Nodes of three speeds and three kinds in a chain; a tenth of the other pairs are linked."""
    dice = random.Random(seed)
    places = [
        offload.Node(f"n{k}", kind=dice.choice("abc"), speed=dice.choice(_SPEEDS), slots=4)
        for k in range(nodes)
    ]
    links = [
        offload.Link(f"n{k}", f"n{l}", bandwidth=dice.uniform(1e6, 1e8), latency=0.01)
        for k in range(nodes)
        for l in range(k)
        if l == k - 1 or dice.random() < 0.1
    ]
    return offload.Network(places, links)


def sites(nodes: int, seed: int = 1) -> offload.Network:
    """A cloud, edge sites and devices: of 1,000 nodes 10 are in the cloud, 90 at the edge.

    The cloud is fully meshed, the sites form a ring and are linked to the cloud, and each device
    hangs on a site.
    """
    dice = random.Random(seed)
    cloud = [f"cloud{k}" for k in range(max(1, nodes // 100))]
    edge = [f"edge{k}" for k in range(max(1, nodes // 10 - len(cloud)))]
    device = [f"device{k}" for k in range(max(0, nodes - len(cloud) - len(edge)))]
    places = [
        *(offload.Node(name, tier="cloud", speed=5e9, slots=32) for name in cloud),
        *(offload.Node(name, tier="edge", speed=2e9, slots=8) for name in edge),
        *(offload.Node(name, tier="device", speed=dice.choice(_SPEEDS)) for name in device),
    ]
    ring = list(zip(edge, edge[1:] + edge[:1], strict=True)) if len(edge) > 2 else []
    links = [
        *(offload.Link(a, b, 1e9, 0.03) for i, a in enumerate(cloud) for b in cloud[:i]),
        *(offload.Link(name, dice.choice(cloud), 1e8, dice.uniform(0.01, 0.05)) for name in edge),
        *(offload.Link(a, b, 5e7, 0.005) for a, b in ring),
        *(offload.Link(name, dice.choice(edge), 1e7, dice.uniform(1e-3, 1e-2)) for name in device),
    ]
    return offload.Network(places, links)


def layered(tasks: int, nodes: int, seed: int = 1) -> offload.Problem:
    """A layered graph on fully linked nodes; speeds and bandwidths are of one order of size.

    Layers hold up to 2 sqrt(tasks) tasks; each task but those of the first layer follows 1 to 4 of
    the layer before.
    """
    dice = random.Random(seed)
    layers: list[list[str]] = []
    made: list[offload.Task] = []
    edges: list[offload.Edge] = []
    while len(made) < tasks:
        width = min(dice.randint(1, max(1, int(2 * tasks**0.5))), tasks - len(made))
        layer = [f"t{len(made) + i}" for i in range(width)]
        made += [offload.Task(name, work=dice.uniform(10, 100)) for name in layer]
        for name in layer if layers else ():
            before = dice.sample(layers[-1], min(dice.randint(1, 4), len(layers[-1])))
            edges += [offload.Edge(src, name, bytes=dice.uniform(10, 100)) for src in before]
        layers.append(layer)
    names = [f"n{k}" for k in range(nodes)]
    network = offload.Network(
        [offload.Node(name, speed=dice.uniform(1, 10)) for name in names],
        [offload.Link(a, b, dice.uniform(1, 10)) for k, a in enumerate(names) for b in names[:k]],
    )
    graph = offload.Graph(made, edges)
    return offload.Problem(name=f"layered-{tasks}-{nodes}", network=network, graph=graph)


def priced(tasks: int, nodes: int, *, tight: bool, seed: int = 1) -> offload.Problem:
    """A layered graph whose places differ in time, energy, price and risk from task to task.

    A tenth of the tasks are bound to a node, the others to two thirds of them. ``tight``: nodes
    have memory for 1.1 times the residents.
    """
    dice, base = random.Random(f"priced {seed}"), layered(tasks, nodes, seed)
    resident = [dice.uniform(1, 10) if tight else 0.0 for _ in range(tasks)]
    room = 1.1 * sum(resident) / nodes + 10
    places = [
        msgspec.structs.replace(
            node, busy_power=dice.uniform(1, 5), price=dice.uniform(0, 1),
            failure_rate=dice.uniform(0, 0.02), memory=room if tight else None,
        )
        for node in base.network.nodes
    ]  # fmt: skip
    links = [
        msgspec.structs.replace(link, energy=dice.uniform(0.01, 0.1), price=dice.uniform(0, 0.02))
        for link in base.network.links
    ]
    names = [node.id for node in places]
    made = []
    for number, task in enumerate(base.graph.tasks):
        count = 1 if dice.random() < 0.1 else max(2, 2 * nodes // 3)
        time = {name: dice.uniform(1, 10) for name in names}
        allow = tuple(dice.sample(names, count))
        made.append(
            msgspec.structs.replace(
                task, work=None, time=time, allow=allow, resident=resident[number]
            )
        )
    graph = msgspec.structs.replace(base.graph, tasks=tuple(made))
    name = f"priced-{tasks}-{nodes}-{'tight' if tight else 'roomy'}"
    return base.replace(name=name, network=offload.Network(places, links), graph=graph)
