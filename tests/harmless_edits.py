"""Edits that break nothing: a plan that holds must still hold after each of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from corrupted_capacities import channels, hold, on_node
from corrupting import Edit, other_nodes, some
from plan_documents import Case, Row, changed

from offload.problem import Problem

__all__ = ["HARMLESS"]

HARMLESS: list[Edit] = []


def harmless(edit: Edit) -> Edit:
    """Enter an edit into the list."""
    HARMLESS.append(edit)
    return edit


@harmless
def nothing(case: Case) -> bool:
    return True


@harmless
def other_order(case: Case) -> bool:
    """Rows, and the tasks that wait for a transfer, are sets."""
    for rows in (case.tasks, case.transfers, case.copies, *(row["dst"] for row in case.transfers)):
        case.dice.shuffle(rows)
    return True


@harmless
def within_tolerance(case: Case) -> bool:
    """Two times that meet drift apart by twice the change: 0.4 of the tolerance each."""
    for row in case.tasks + case.transfers:
        for end in ("start", "finish"):
            row[end] += case.dice.uniform(-0.4e-9, 0.4e-9) * case.latency
    return True


@harmless
def all_later_within_tolerance(case: Case) -> bool:
    for row in case.tasks + case.transfers:
        case.shift(row, row["start"] + 0.9e-9 * case.latency)
    return True


def _ready(case: Case, row: Row) -> Iterator[float]:
    """Times before which a task cannot start where it is."""
    yield case.problem.graph.tasks[case.task(row["id"])].release
    before = {edge.src for edge in case.problem.graph.edges if edge.dst == row["id"]}
    for other in on_node(case, row["node"]):
        if other["id"] in before or (other is not row and other["start"] < row["finish"]):
            yield other["finish"]
    for move in case.transfers:
        if row["id"] in move["dst"] and move["to"] == row["node"]:
            yield move["finish"]


@harmless
def task_earlier(case: Case) -> bool:
    """A task moves into the gap before it."""
    for row in some(case, case.tasks):
        earliest = max(_ready(case, row))
        if earliest < row["start"]:
            case.shift(row, case.dice.choice([earliest, (earliest + row["start"]) / 2]))
            return True
    return False


@harmless
def transfer_later(case: Case) -> bool:
    """A transfer moves into the gap after it, where its links are free."""
    for move in some(case, case.transfers):
        waits = [r for r in case.tasks if r["id"] in move["dst"] and r["node"] == move["to"]]
        slack = min(row["start"] for row in waits) - move["finish"]
        begin, end, _ = hold(case, move)
        beside = [
            hold(case, other)
            for other in case.transfers
            if other is not move and set(channels(case, move)) & set(channels(case, other))
        ]
        if slack > 0 and all(b <= begin or a >= end + slack for a, b, _ in beside):
            case.shift(move, move["start"] + slack * case.dice.choice([0.5, 1.0]))
            return True
    return False


@harmless
def other_words(case: Case) -> bool:
    """Name, description and what is minimized are no part of what a plan is for."""
    case.problem = case.problem.replace(name="renamed", source="elsewhere", minimize={"cost": 1.0})
    return True


@harmless
def other_ids(case: Case) -> bool:
    """New names for tasks, nodes, data and codecs change nothing."""
    words = {"task": {}, "node": {}, "data": {}, "codec": {}}  # type: dict[str, dict[str, str]]
    tables = case.problem.tables
    for kind, ids in (
        ("task", tables.task_ids), ("node", tables.node_ids),
        ("data", tables.data_ids), ("codec", tables.codec_ids),
    ):  # fmt: skip
        numbers = case.dice.sample(range(100, 200), len(ids))
        words[kind] = {name: f"{kind}-{number}" for name, number in zip(ids, numbers, strict=True)}
    case.problem = _renamed(case.problem, words)
    for row in case.tasks:
        row["id"], row["node"] = words["task"][row["id"]], words["node"][row["node"]]
    for row in case.transfers:
        source = words["data" if row["kind"] == "read" else "task"]
        row["src"], row["dst"] = source[row["src"]], [words["task"][i] for i in row["dst"]]
        row["from"], row["to"] = words["node"][row["from"]], words["node"][row["to"]]
        row["codec"] = None if row["codec"] is None else words["codec"][row["codec"]]
    for row in case.copies:
        row["data"], row["node"] = words["data"][row["data"]], words["node"][row["node"]]
    return True


def _renamed(problem: Problem, words: dict[str, dict[str, str]]) -> Problem:
    """The instance with other ids, selectors that are nodes' ids among them."""
    task, node, data, codec = (words[kind] for kind in ("task", "node", "data", "codec"))
    plain = msgspec.to_builtins(problem)
    for row in plain["network"]["nodes"]:
        row["id"] = node[row["id"]]
    for row in plain["network"]["links"]:
        row["src"], row["dst"] = node[row["src"]], node[row["dst"]]
    for row in plain["graph"]["tasks"]:
        row["id"], row["reads"] = task[row["id"]], [data[d] for d in row["reads"]]
        row["at"] = node.get(row["at"])
        row["allow"] = [node.get(name, name) for name in row["allow"]]
        for field in ("time", "memory", "resident"):
            if isinstance(row[field], dict):
                row[field] = {node.get(key, key): value for key, value in row[field].items()}
    for row in plain["graph"]["edges"]:
        row["src"], row["dst"] = task[row["src"]], task[row["dst"]]
        row["codecs"] = [codec[c] for c in row["codecs"]]
    for row in plain["graph"]["groups"]:
        row["tasks"] = [task[i] for i in row["tasks"]]
    for row in plain["data"]:
        row["id"], row["home"] = data[row["id"]], [node[k] for k in row["home"]]
        row["allow"] = [node.get(name, name) for name in row["allow"]]
    for row in plain["codecs"]:
        row["id"] = codec[row["id"]]
    return msgspec.convert(plain, Problem)


# -- a wider instance ----------------------------------------------------------------------------


@harmless
def wider_node(case: Case) -> bool:
    for name in other_nodes(case):
        node = case.problem.network.nodes[case.node(name)]
        more: list[Row] = [
            {"slots": node.slots + 1},
            {"memory": None if node.memory is None else node.memory * 2},
            {"memory": None, "storage": None},
        ]
        case.change_node(name, **case.dice.choice(more))
        return True
    return False


@harmless
def wider_link(case: Case) -> bool:
    links = case.problem.network.links
    for number in case.dice.sample(range(len(links)), len(links)):
        channels = links[number].channels
        more = None if channels is None or case.dice.random() < 0.5 else channels + 1
        case.change_link(number, channels=more)
        return True
    return False


@harmless
def wider_task(case: Case) -> bool:
    for row in some(case, case.tasks):
        task = case.problem.graph.tasks[case.task(row["id"])]
        later = None if task.deadline is None else task.deadline + 1
        wider: list[Row] = [{"release": 0.0}, {"deadline": later}, {"allow": (*task.allow, "*")}]
        case.change_task(row["id"], **case.dice.choice(wider))
        return True
    return False


@harmless
def wider_edge(case: Case) -> bool:
    tables = case.problem.tables
    for item in case.dice.sample(range(tables.items), tables.items):
        ends = [tables.item_src[item], *tables.edge_dst[tables.item_edges.of(item)]]
        if case.dice.random() < 0.5 or tables.divisible[ends].any():
            case.change_item(item, require=())
        else:
            case.change_item(item, codecs=tuple(tables.codec_ids))
        return True
    return False


@harmless
def wider_data(case: Case) -> bool:
    for data in case.dice.sample(case.problem.data, len(case.problem.data)):
        wider: list[Row] = [{"max_copies": None}, {"allow": ("*",)}]
        case.change_data(data.id, **case.dice.choice(wider))
        return True
    return False


@harmless
def fewer_rules(case: Case) -> bool:
    case.problem = case.problem.replace(graph=changed(case.problem.graph, groups=()), limits={})
    return True


@harmless
def wider_limits(case: Case) -> bool:
    limits = {name: bound * 2 for name, bound in case.problem.limits.items()}
    case.problem = case.problem.replace(limits=limits)
    return bool(limits)
