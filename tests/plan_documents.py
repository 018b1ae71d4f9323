"""Plans in the words of the plan file, to be edited row by row, and back to arrays.

Written apart from ``offload.plan_files``: what an edit means does not hang on the reader.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np

from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Lists
from offload.transfers import EDGE, KINDS, READ, Copies, Parts, Transfers

__all__ = ["Case", "Document", "Row", "changed"]

Row = dict[str, Any]


def changed(struct: Any, **changes: Any) -> Any:
    """A copy of a frozen record with some fields changed."""
    return msgspec.structs.replace(struct, **changes)


class Document:
    """An instance, and rows as in a plan file.

    Attributes
    ----------
    problem
        Replace it to change the instance.
    tasks, transfers, copies
        Edit them in place.
    """

    def __init__(
        self, problem: Problem, tasks: list[Row], transfers: list[Row], copies: list[Row]
    ) -> None:
        self.problem = problem
        self.tasks, self.transfers, self.copies = tasks, transfers, copies

    # -- what the instance says of a row ---------------------------------------------------------

    def task(self, name: str) -> int:
        return self.problem.tables.task_ids.index(name)

    def node(self, name: str) -> int:
        return self.problem.tables.node_ids.index(name)

    def runs(self, row: Row) -> float:
        """Seconds that a row of a task takes; infinite where it cannot run."""
        tables, k = self.problem.tables, self.node(row["node"])
        mode = tables.mode_ids[k].index(row["mode"])
        return float(row.get("fraction", 1.0) * tables.execution(self.task(row["id"]), k, mode))

    def item(self, row: Row) -> int:
        """Position of the item that a row of kind "edge" carries."""
        for e, edge in enumerate(self.problem.graph.edges):
            reader = row["item"] is not None or edge.dst == row["dst"][0]
            if (edge.src, edge.item) == (row["src"], row["item"]) and reader:
                return int(self.problem.tables.edge_item[e])
        raise LookupError(row)

    def size(self, row: Row) -> float:
        """Bytes of a transfer, by the parts at its ends."""
        tables = self.problem.tables
        if row["kind"] == "read":
            return float(tables.data_bytes[tables.data_ids.index(row["src"])])
        if row["kind"] == "move":
            return float(tables.move_bytes[self.task(row["src"])])
        size = float(tables.item_bytes[self.item(row)])
        for name, node in ((row["src"], row["from"]), (row["dst"][0], row["to"])):
            if tables.divisible[self.task(name)]:
                shares = [
                    r.get("fraction", 1.0)
                    for r in self.tasks
                    if (r["id"], r["node"]) == (name, node)
                ]
                size *= shares[0] if shares else 0.0
        return size

    def transfer_parts(self, row: Row) -> tuple[float, float, float]:
        """Encode, serialise and total time of a transfer."""
        tables = self.problem.tables
        codec = -1 if row["codec"] is None else tables.codec_ids.index(row["codec"])
        ends = self.node(row["from"]), self.node(row["to"])
        parts = tables.transfer(self.size(row), *ends, codec)
        return float(parts.encode), float(parts.serialise), float(parts.total)

    # -- back to a plan --------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The document as a plan of the (perhaps changed) instance."""
        tables, rows, moves = self.problem.tables, self.tasks, self.transfers
        node = [self.node(row["node"]) for row in rows]
        mode = [tables.mode_ids[k].index(row["mode"]) for k, row in zip(node, rows, strict=True)]
        parts = Parts(
            np.zeros(len(rows), np.int32), _ints([self.task(row["id"]) for row in rows]),
            _ints(node), _ints(mode), np.array([row.get("fraction", 1.0) for row in rows], float),
            np.array([row["start"] for row in rows], float),
            np.array([row["finish"] for row in rows], float),
        )  # fmt: skip
        codec = [-1 if r["codec"] is None else tables.codec_ids.index(r["codec"]) for r in moves]
        transfers = Transfers(
            np.zeros(len(moves), np.int32),
            np.array([KINDS.index(row["kind"]) for row in moves], np.int8),
            _ints([self._ref(row) for row in moves]),
            _ints([self.node(row["from"]) for row in moves]),
            _ints([self.node(row["to"]) for row in moves]), _ints(codec),
            np.array([self.size(row) for row in moves], float),
            np.array([row["start"] for row in moves], float),
            np.array([row["finish"] for row in moves], float),
        )  # fmt: skip
        waiting = Lists.of_lists([[self.task(name) for name in row["dst"]] for row in moves])
        placed = Copies(
            np.zeros(len(self.copies), np.int32),
            _ints([tables.data_ids.index(row["data"]) for row in self.copies]),
            _ints([self.node(row["node"]) for row in self.copies]),
        )
        return Plan(self.problem, parts, transfers, waiting, placed)

    def _ref(self, row: Row) -> int:
        if row["kind"] == "edge":
            return self.item(row)
        ids = (
            self.problem.tables.data_ids if row["kind"] == "read" else self.problem.tables.task_ids
        )
        return ids.index(row["src"])


class Case(Document):
    """A plan to be edited, and dice to choose by.

    Attributes
    ----------
    rows
        The whole document, with whatever else a plan file says.
    dice
        Decides what an edit picks.
    latency, beyond
        The plan's latency, and a time that is far above the tolerance, both in seconds.
    """

    def __init__(self, plan: Plan, seed: int, rows: Row | None = None) -> None:
        self.rows = _document(plan) if rows is None else rows
        super().__init__(
            plan.problem, *(self.rows[key] for key in ("tasks", "transfers", "copies"))
        )
        self.dice = random.Random(seed)
        self.latency = max((row["finish"] for row in self.tasks), default=0.0)
        self.beyond = max(self.latency, 1.0) * self.dice.choice([1e-6, 1e-3, 0.2])

    @staticmethod
    def shift(row: Row, start: float) -> None:
        """Give a row another start; it takes as long as before."""
        row["start"], row["finish"] = start, row["finish"] + (start - row["start"])

    def put(self, row: Row, node: str) -> None:
        """Run a task elsewhere; as long as it takes there, if it can run there at all."""
        row["node"], row["mode"] = node, "default"
        length = self.runs(row)
        row["finish"] = row["start"] + (length if np.isfinite(length) else 1.0)

    def change_task(self, name: str, **changes: Any) -> None:
        self._change_graph("tasks", "id", name, changes)

    def change_node(self, name: str, **changes: Any) -> None:
        nodes = [changed(n, **changes) if n.id == name else n for n in self.problem.network.nodes]
        network = changed(self.problem.network, nodes=tuple(nodes))
        self.problem = self.problem.replace(network=network)

    def change_link(self, number: int, **changes: Any) -> None:
        links = list(self.problem.network.links)
        links[number] = changed(links[number], **changes)
        network = changed(self.problem.network, links=tuple(links))
        self.problem = self.problem.replace(network=network)

    def change_data(self, name: str, **changes: Any) -> None:
        data = [changed(d, **changes) if d.id == name else d for d in self.problem.data]
        self.problem = self.problem.replace(data=tuple(data))

    def change_item(self, item: int, **changes: Any) -> None:
        """Change every edge of an item."""
        mine = set(self.problem.tables.item_edges.of(item).tolist())
        edges = [
            changed(edge, **changes) if e in mine else edge
            for e, edge in enumerate(self.problem.graph.edges)
        ]
        self.problem = self.problem.replace(graph=changed(self.problem.graph, edges=tuple(edges)))

    def add_group(self, group: Any) -> None:
        groups = (*self.problem.graph.groups, group)
        self.problem = self.problem.replace(graph=changed(self.problem.graph, groups=groups))

    def _change_graph(self, field: str, key: str, name: str, changes: Row) -> None:
        rows = getattr(self.problem.graph, field)
        made = tuple(changed(r, **changes) if getattr(r, key) == name else r for r in rows)
        self.problem = self.problem.replace(graph=changed(self.problem.graph, **{field: made}))


def _ints(values: list[int]) -> Any:
    return np.array(values, np.int32)


def _document(plan: Plan) -> Row:
    """The plan's rows as in a plan file."""
    tables, parts, rows = plan.problem.tables, plan.parts, plan.transfers
    tasks = []
    for p in range(len(parts.task)):
        i, k = int(parts.task[p]), int(parts.node[p])
        row: Row = {"id": tables.task_ids[i], "node": tables.node_ids[k]}
        row["mode"] = tables.mode_ids[k][parts.mode[p]]
        row["start"], row["finish"] = float(parts.start[p]), float(parts.finish[p])
        tasks.append(row | ({"fraction": float(parts.fraction[p])} if tables.divisible[i] else {}))
    transfers = []
    for x in range(len(rows.kind)):
        kind, ref, codec = int(rows.kind[x]), int(rows.ref[x]), int(rows.codec[x])
        source = tables.data_ids if kind == READ else tables.task_ids
        transfers.append({
            "kind": KINDS[kind], "src": source[tables.item_src[ref] if kind == EDGE else ref],
            "item": tables.item_name[ref] if kind == EDGE else None,
            "dst": [tables.task_ids[j] for j in plan.waiting.of(x)],
            "from": tables.node_ids[rows.src[x]], "to": tables.node_ids[rows.dst[x]],
            "codec": None if codec < 0 else tables.codec_ids[codec],
            "start": float(rows.start[x]), "finish": float(rows.finish[x]),
        })  # fmt: skip
    copies = [
        {"data": tables.data_ids[d], "node": tables.node_ids[k]}
        for d, k in zip(plan.copies.data, plan.copies.node, strict=True)
    ]
    return {"tasks": tasks, "transfers": transfers, "copies": copies}
